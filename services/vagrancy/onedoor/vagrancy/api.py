"""Vagrancy over HTTP: the station's list of stays, one stay, and its steps."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from onedoor.contracts.core import Actor, Command, Urgency
from onedoor.runtime import pages
from onedoor.runtime.casework_api import (
    Body,
    Code,
    Division,
    Person,
    Purpose,
    ReasonBody,
    Referral,
    ReferralBody,
    Wanted,
    allow_here,
    carry_out_on,
    page_of,
    read,
    referral_wish,
    subjects_of,
)
from onedoor.runtime.http import Reading
from onedoor.vagrancy.domain import Admit, GiveCare, Identify, Leave, Return, Screening, Stay, StayState

ROLES: frozenset[str] = frozenset({"station", "everything"})
"""Who works here."""

Reader = Annotated[Actor, Depends(allow_here("case.read", ROLES))]
Worker = Annotated[Actor, Depends(allow_here("case.work", ROLES))]


class AdmitBody(Body):
    """`age` in full years as seen at reception; `unidentified` where that knows better than the request."""

    screening: Screening
    age: Annotated[int | None, Field(ge=0, le=130)] = None
    unidentified: bool | None = None


class CareBody(Body):
    care: tuple[Code, ...] = Field(min_length=1, max_length=20)


class IdentifyBody(Body):
    how: Code


class ReturnBody(Body):
    """`to_division` is the township that receives them."""

    to_division: Division | None = None
    means: Code


class StayItem(BaseModel):
    """A line of the list. `open_referrals` still wait for an answer."""

    case_id: UUID
    state: StayState
    urgency: Urgency
    chain_id: UUID
    application_id: UUID
    division: str | None
    opened_at: datetime
    admitted_at: datetime | None
    unidentified: bool
    open_referrals: int
    version: int


class StayView(StayItem):
    """One stay as the station sees it."""

    subjects: list[Person]
    care: tuple[str, ...]
    how: str | None
    to_division: str | None
    reason: str | None
    referrals: list[Referral]


class Answered(BaseModel):
    """What a command led to; `request_id` only of a referral."""

    case_id: UUID
    state: StayState
    urgency: Urgency
    unidentified: bool
    version: int
    request_id: UUID | None = None


router = APIRouter(prefix="/v1/stays", tags=["stays"])


@router.get("")
async def stays(
    actor: Reader, conn: Reading, wanted: Wanted, state: StayState | None = None
) -> pages.Page[StayItem]:
    """The station's list: the most urgent and oldest first."""
    return await page_of(StayItem, conn, wanted, state)


@router.get("/{stay_id}")
async def stay(
    stay_id: UUID, actor: Reader, conn: Reading, response: Response, purpose: Purpose = "casework"
) -> StayView:
    """One stay; that it was read, by whom and for what is recorded."""
    facts = await read(conn, actor, "stay", stay_id, purpose, response)
    return StayView.model_validate(facts | {"subjects": await subjects_of(conn, actor, facts["subjects"])})


async def _carry_out(
    request: Request, actor: Actor, conn: Reading, command: Command, status: int = 200, **more: Any
) -> Response:
    return await carry_out_on(
        Stay, Answered, request, actor, conn, command.target, lambda _: command, status, **more
    )


@router.post("/{stay_id}/admit", response_model=Answered)
async def admit(stay_id: UUID, body: AdmitBody, request: Request, actor: Worker, conn: Reading) -> Response:
    """Admit somebody who wants it. A minor is refused: child welfare's, at once."""
    return await _carry_out(request, actor, conn, Admit(target=stay_id, **body.model_dump()))


@router.post("/{stay_id}/care", response_model=Answered)
async def care(stay_id: UUID, body: CareBody, request: Request, actor: Worker, conn: Reading) -> Response:
    """Record what was given."""
    return await _carry_out(request, actor, conn, GiveCare(target=stay_id, care=body.care))


@router.post("/{stay_id}/identify", response_model=Answered)
async def identify(
    stay_id: UUID, body: IdentifyBody, request: Request, actor: Worker, conn: Reading
) -> Response:
    """Record how it became known who it is; the identity itself is recorded at intake."""
    return await _carry_out(request, actor, conn, Identify(target=stay_id, how=body.how))


@router.post("/{stay_id}/return", response_model=Answered)
async def return_home(
    stay_id: UUID, body: ReturnBody, request: Request, actor: Worker, conn: Reading
) -> Response:
    """Home, to the township that receives them; it hears of it by a referral."""
    return await _carry_out(request, actor, conn, Return(target=stay_id, **body.model_dump()))


@router.post("/{stay_id}/leave", response_model=Answered)
async def leave(stay_id: UUID, body: ReasonBody, request: Request, actor: Worker, conn: Reading) -> Response:
    """They leave, which is always possible."""
    return await _carry_out(request, actor, conn, Leave(target=stay_id, reason=body.reason))


@router.post("/{stay_id}/referrals", response_model=Answered, status_code=201)
async def refer(
    stay_id: UUID, body: ReferralBody, request: Request, actor: Worker, conn: Reading
) -> Response:
    """Ask for a further referral. The same Idempotency-Key is the same wish: one referral."""
    request_id, command = referral_wish(stay_id, body, request, actor)
    return await carry_out_on(
        Stay, Answered, request, actor, conn, stay_id, command, 201, request_id=request_id
    )
