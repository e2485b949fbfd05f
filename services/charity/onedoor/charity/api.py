"""Charity over HTTP: the needs that one may see, one need, and its steps."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from onedoor.charity.domain import (
    Close,
    Consent,
    ConsentBy,
    Decline,
    Deliver,
    Match,
    Need,
    NeedState,
)
from onedoor.contracts.core import Actor, Command, Urgency
from onedoor.runtime import pages
from onedoor.runtime.casework_api import (
    Body,
    Code,
    Name,
    Purpose,
    ReasonBody,
    Wanted,
    allow_here,
    carry_out_on,
    page_of,
    read,
)
from onedoor.runtime.http import Reading

PROVIDERS: frozenset[str] = frozenset({"charity", "social-worker"})
"""Who gives: they learn whose need it is once they took it."""
BUREAU: frozenset[str] = frozenset({"caseworker", "district"})
"""Who knows the applicant anyway."""
EVERYTHING: frozenset[str] = frozenset({"everything"})

ROLES = PROVIDERS | BUREAU | EVERYTHING

Reader = Annotated[Actor, Depends(allow_here("case.read", ROLES))]
Witness = Annotated[
    Actor, Depends(allow_here("case.work", BUREAU | EVERYTHING | frozenset({"social-worker"})))
]
"""Who takes a consent: never the charity that wants to give."""
Provider = Annotated[Actor, Depends(allow_here("case.work", PROVIDERS | EVERYTHING))]
Worker = Annotated[Actor, Depends(allow_here("case.work", ROLES))]

Fen = Annotated[int, Field(ge=0, le=10**12, description="an amount in fen")]


class ConsentBody(Body):
    """A consent in writing: whose, of which day; the gap in fen where it is known."""

    by: ConsentBy
    signed_on: date
    gap_fen: Fen | None = None


class ProviderBody(Body):
    """`provider` only of who belongs to no house; everybody else acts for their own."""

    provider: Name | None = None


class DeliverBody(ProviderBody):
    given: Code
    amount_fen: Fen


class DeclineBody(ProviderBody):
    reason: Code


class NeedItem(BaseModel):
    """A line of the list: what is needed, not who needs it."""

    case_id: UUID
    state: NeedState
    urgency: Urgency
    division: str | None
    needs: tuple[str, ...]
    gap_fen: int | None
    delivered_fen: int
    provider: str | None
    opened_at: datetime
    version: int


class Whose(BaseModel):
    """By which intake tells who it is, to those who may know."""

    application_id: UUID
    chain_id: UUID


class NeedView(NeedItem):
    """One need. `whose` is there for the bureau, and for the provider that took it."""

    given: tuple[str, ...]
    reason: str | None
    consent_by: ConsentBy | None
    consent_on: date | None
    whose: Whose | None


class Answered(BaseModel):
    """What a command led to."""

    case_id: UUID
    state: NeedState
    urgency: Urgency
    provider: str | None
    version: int


router = APIRouter(prefix="/v1/needs", tags=["needs"])


@router.get("")
async def needs(
    actor: Reader, conn: Reading, wanted: Wanted, state: NeedState | None = None
) -> pages.Page[NeedItem]:
    """The needs that one may see: the most urgent and oldest first."""
    return await page_of(NeedItem, conn, wanted, state)


@router.get("/{need_id}")
async def need(
    need_id: UUID, actor: Reader, conn: Reading, response: Response, purpose: Purpose = "casework"
) -> NeedView:
    """One need; that it was read, by whom and for what is recorded."""
    facts = await read(conn, actor, "need", need_id, purpose, response)
    return NeedView.model_validate(facts | {"whose": facts if _may_know(actor, facts["provider"]) else None})


def _may_know(actor: Actor, provider: str | None) -> bool:
    """Whether whose need it is may be told: of providers only to the one that took it."""
    return actor.role not in PROVIDERS or (provider is not None and provider == actor.department)


async def _carry_out(request: Request, actor: Actor, conn: Reading, command: Command) -> Response:
    return await carry_out_on(Need, Answered, request, actor, conn, command.target, lambda _: command)


@router.post("/{need_id}/consent", response_model=Answered)
async def consent(
    need_id: UUID, body: ConsentBody, request: Request, actor: Witness, conn: Reading
) -> Response:
    """A consent in writing is there: the need is published, and handed to the charity federation."""
    return await _carry_out(request, actor, conn, Consent(target=need_id, **body.model_dump()))


@router.post("/{need_id}/match", response_model=Answered)
async def match(
    need_id: UUID, body: ProviderBody, request: Request, actor: Provider, conn: Reading
) -> Response:
    """Take the need; only now may one ask whose it is."""
    provider = body.provider or actor.department
    return await _carry_out(request, actor, conn, Match(target=need_id, provider=provider))


@router.post("/{need_id}/deliver", response_model=Answered)
async def deliver(
    need_id: UUID, body: DeliverBody, request: Request, actor: Provider, conn: Reading
) -> Response:
    """Record what was given; more than once where it comes in parts."""
    said = body.model_dump() | {"provider": body.provider or actor.department}
    return await _carry_out(request, actor, conn, Deliver(target=need_id, **said))


@router.post("/{need_id}/decline", response_model=Answered)
async def decline(
    need_id: UUID, body: DeclineBody, request: Request, actor: Provider, conn: Reading
) -> Response:
    """Not take it, or give it back; another may still take it."""
    said = body.model_dump() | {"provider": body.provider or actor.department}
    return await _carry_out(request, actor, conn, Decline(target=need_id, **said))


@router.post("/{need_id}/close", response_model=Answered)
async def close(need_id: UUID, body: ReasonBody, request: Request, actor: Worker, conn: Reading) -> Response:
    """Nothing more is to be done."""
    return await _carry_out(request, actor, conn, Close(target=need_id, reason=body.reason))
