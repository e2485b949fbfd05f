"""HTTP for a service that works on cases: its work list, one case, and the commands that any case knows.

A service makes its router with `case_router` and adds what only its own cases know.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from onedoor.contracts.case import (
    Case,
    CaseState,
    Close,
    Decide,
    ReferralState,
    Reopen,
    RequestReferral,
    TakeUp,
    Transfer,
    WithdrawCase,
    Work,
)
from onedoor.contracts.core import PERSONAL, Actor, Command, Urgency, derived_id
from onedoor.runtime import casework, pages
from onedoor.runtime.access import may
from onedoor.runtime.http import (
    Reading,
    allow,
    answer,
    etag,
    expected_version,
    idempotent,
    not_found,
    note_view,
)
from onedoor.runtime.problems import for_status
from onedoor.runtime.service import Connection
from onedoor.runtime.unit import Transaction

W = TypeVar("W", bound=Work)
Item = TypeVar("Item", bound=BaseModel)

Code = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$", description="a code, never prose")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$", description="code of a rule or department")]
Division = Annotated[str, Field(pattern=r"^[0-9]{6,12}$", description="division code, 6 to 12 digits")]
Worker = Annotated[str, Field(pattern=r"^[\w.@:-]{1,80}$", description="id of a member of staff")]
Purpose = Annotated[str, Query(max_length=80, description="why the file is read")]


@dataclass(frozen=True)
class Listing:
    """Which part of a work list is asked for: the query's parameters that every list knows."""

    urgency: Urgency | None = None
    division: Annotated[str | None, Query(max_length=12)] = None
    after: pages.After = None
    limit: pages.Limit = 50


Wanted = Annotated[Listing, Depends()]


class Body(BaseModel):
    """A request's body: what it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TakeUpBody(Body):
    """`worker` is who works on it from now on; without it, who asks."""

    worker: Worker | None = None


class DecideBody(Body):
    outcome: Code
    reason: Code


class ReasonBody(Body):
    reason: Code


class WithdrawBody(Body):
    reason: Code | None = None


class TransferBody(Body):
    to: Division
    reason: Code


class ReferralBody(Body):
    """`subjects` are people of the case, all if left out; which facts may travel depends on the rule."""

    rule: Name
    to: Name
    to_division: Division | None = None
    urgency: Urgency = "ordinary"
    subjects: tuple[UUID, ...] | None = Field(default=None, max_length=50)
    facts: dict[str, bool | int | str] = Field(default_factory=dict, max_length=20)


class Answered(BaseModel):
    """What a command led to; `request_id` only of a referral."""

    case_id: UUID
    state: CaseState
    urgency: Urgency
    worker: str | None
    version: int
    request_id: UUID | None = None


class CaseItem(BaseModel):
    """A line of the work list. `open_referrals` still wait for an answer; `name`: of the first of its people,
    for those who may know who they are.
    """

    case_id: UUID
    state: CaseState
    urgency: Urgency
    chain_id: UUID
    application_id: UUID
    division: str | None
    worker: str | None
    opened_at: datetime
    programmes: tuple[str, ...]
    open_referrals: int
    version: int
    name: Annotated[str | None, PERSONAL] = None


class Person(BaseModel):
    """One of the people whom a case is about; only the id where the rest is not known or not to be seen."""

    person_id: UUID
    name: Annotated[str | None, PERSONAL] = None
    birth: Annotated[date | None, PERSONAL] = None
    sex: str | None = None
    phone: Annotated[str | None, PERSONAL] = None


class Referral(BaseModel):
    referral_id: UUID
    rule: str
    to: str
    urgency: Urgency
    state: ReferralState


class CaseView(CaseItem):
    """One case as its staff see it."""

    service: str
    subjects: list[Person]
    outcome: str | None
    reason: str | None
    transferred_to: str | None
    referrals: list[Referral]


def allow_here(action: str, roles: frozenset[str]) -> Callable[..., Awaitable[Actor]]:
    """Like `allow`, for those roles alone that work at this service. Raises a 403 problem."""

    async def allowed(actor: Annotated[Actor, Depends(allow(action))]) -> Actor:
        if actor.role not in roles:
            raise for_status(403)
        return actor

    return allowed


async def carry_out(
    request: Request,
    actor: Actor,
    conn: Connection,
    case_id: UUID,
    command: Callable[[Case], Command],
    status: int = 200,
    **more: object,
) -> Response:
    """Give a case the command, if the actor can see the case at all; else the 404 problem."""
    return await carry_out_on(Case, Answered, request, actor, conn, case_id, command, status, **more)


async def carry_out_on(
    model: type[W],
    answered: type[BaseModel],
    request: Request,
    actor: Actor,
    conn: Connection,
    id_: UUID,
    command: Callable[[W], Command],
    status: int = 200,
    **more: object,
) -> Response:
    """The same for any kind of work: `model` is its state, `answered` what the answer tells of it."""
    row = await casework.found(conn, id_)
    if row is None:
        not_found()
    version = expected_version(request)
    wish = command(model.model_validate_json(row["body"]))

    async def handler(tx: Transaction) -> Response:
        outcome = (await tx.execute(wish, actor=actor, expected_version=version))[0]
        facts = outcome.state.model_dump() | {"case_id": id_, "version": outcome.version} | more
        body = answered.model_validate(facts).model_dump(mode="json", exclude_none=True)
        return answer(outcome, status, body)

    return await idempotent(request, actor, handler)


def case_router(service: str, roles: frozenset[str], view: type[CaseView] = CaseView) -> APIRouter:
    """All routes of a case; `roles` work at this service, `view` is how it shows one case."""
    router = APIRouter(prefix="/v1/cases", tags=["cases"])
    _add_queries(router, service, roles, view)
    _add_work(router, roles)
    _add_decisions(router, roles)
    return router


def _add_queries(router: APIRouter, service: str, roles: frozenset[str], view: type[CaseView]) -> None:
    reader = Depends(allow_here("case.read", roles))

    @router.get("")
    async def cases(
        actor: Annotated[Actor, reader],
        conn: Reading,
        wanted: Wanted,
        state: CaseState | None = None,
        worker: Annotated[str | None, Query(max_length=80)] = None,
    ) -> pages.Page[CaseItem]:
        """The work list: the most urgent and oldest first. Whose names it told is recorded."""
        page = await page_of(CaseItem, conn, wanted, state, worker)
        return page.model_copy(update={"items": await _named(conn, actor, page.items)})

    @router.get("/{case_id}", response_model=view)
    async def case(
        case_id: UUID,
        actor: Annotated[Actor, reader],
        conn: Reading,
        response: Response,
        purpose: Purpose = "casework",
    ) -> CaseView:
        """One case; that it was read, by whom and for what is recorded."""
        facts = await read(conn, actor, "case", case_id, purpose, response)
        subjects = await subjects_of(conn, actor, facts["subjects"])
        return view.model_validate(facts | {"service": service, "subjects": subjects})


def referral_wish(
    case_id: UUID, body: ReferralBody, request: Request, actor: Actor
) -> tuple[UUID, Callable[[Work], Command]]:
    """The id of the wish, the same for the same Idempotency-Key, and the command that it is for a case."""
    key = request.headers.get("idempotency-key")
    request_id = derived_id("referral-request", case_id, actor.person, key) if key else uuid4()

    def command(case: Work) -> Command:
        subjects = case.subjects if body.subjects is None else body.subjects
        wish = body.model_dump() | {"subjects": subjects}
        return RequestReferral(target=case_id, request_id=request_id, **wish)

    return request_id, command


def _facts_of(row: asyncpg.Record) -> dict[str, Any]:
    """A row of the work list as its state says it, with id, version and the referrals that still wait."""
    body: dict[str, Any] = json.loads(row["body"])
    waiting = sum(part.open for part in Work.model_validate(body).referrals.values())
    return body | {
        "case_id": row["id"],
        "version": row["version"],
        "open_referrals": waiting,
        "referrals": [{"referral_id": id_, **part} for id_, part in body["referrals"].items()],
    }


async def page_of(
    item: type[Item], conn: Connection, wanted: Listing, state: str | None, worker: str | None = None
) -> pages.Page[Item]:
    """A page of the work list, in the order of `casework.listed`."""
    rows = await casework.listed(
        conn,
        state=state,
        urgency=wanted.urgency,
        division=wanted.division,
        worker=worker,
        after=pages.after(wanted.after, int, datetime, UUID),
        limit=wanted.limit,
    )
    return pages.page(
        rows,
        wanted.limit,
        lambda row: item.model_validate(_facts_of(row)),
        lambda row: (row["rank"], row["opened_at"].isoformat(), str(row["id"])),
    )


async def _named(conn: Connection, actor: Actor, items: Sequence[CaseItem]) -> list[CaseItem]:
    """The lines with their names, where the actor may know them."""
    if may(actor, "person.read") is None:
        return list(items)
    names = await casework.first_names(conn, [item.case_id for item in items])
    if names:
        await note_view(conn, actor, "work-list", " ".join(map(str, names)), "casework")
    return [item.model_copy(update={"name": names.get(item.case_id)}) for item in items]


async def read(
    conn: Connection, actor: Actor, kind: str, id_: UUID, purpose: str, response: Response
) -> dict[str, Any]:
    """One file as its state says it, with its ETag; that it was read, by whom and for what is recorded.

    Raises the 404 problem for one that the actor cannot see.
    """
    row = await casework.found(conn, id_)
    if row is None:
        not_found()
    await note_view(conn, actor, kind, id_, purpose)
    response.headers.update(etag(row["version"]))
    return _facts_of(row)


async def subjects_of(conn: Connection, actor: Actor, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The people of these ids, with their names where the actor may know them."""
    wanted = [UUID(each) for each in ids]
    known = await casework.people(conn, wanted) if may(actor, "person.read") else {}
    return [dict(known.get(id_) or {"person_id": id_}) for id_ in wanted]


def _add_work(router: APIRouter, roles: frozenset[str]) -> None:
    worker = Depends(allow_here("case.work", roles))

    @router.post("/{case_id}/take-up", response_model=Answered)
    async def take_up(
        case_id: UUID, body: TakeUpBody, request: Request, actor: Annotated[Actor, worker], conn: Reading
    ) -> Response:
        """Work on it from now on. To name another worker takes the right to decide."""
        name = body.worker or actor.person
        if name != actor.person and may(actor, "case.decide") is None:
            raise for_status(403)
        return await carry_out(request, actor, conn, case_id, lambda _: TakeUp(target=case_id, worker=name))

    @router.post("/{case_id}/withdraw", response_model=Answered)
    async def withdraw(
        case_id: UUID, body: WithdrawBody, request: Request, actor: Annotated[Actor, worker], conn: Reading
    ) -> Response:
        """The applicant withdraws. A protection case stands: the answer is a refusal."""

        def command(case: Case) -> Command:
            return WithdrawCase.model_validate(
                {
                    "target": case_id,
                    "application_id": case.application_id,
                    "chain_id": case.chain_id,
                    "reason": body.reason,
                }
            )

        return await carry_out(request, actor, conn, case_id, command)

    @router.post("/{case_id}/referrals", response_model=Answered, status_code=201)
    async def refer(
        case_id: UUID, body: ReferralBody, request: Request, actor: Annotated[Actor, worker], conn: Reading
    ) -> Response:
        """Ask for a further referral. The same Idempotency-Key is the same wish: one referral."""
        request_id, command = referral_wish(case_id, body, request, actor)
        return await carry_out(request, actor, conn, case_id, command, 201, request_id=request_id)


def _add_decisions(router: APIRouter, roles: frozenset[str]) -> None:
    decider = Depends(allow_here("case.decide", roles))

    @router.post("/{case_id}/decide", response_model=Answered)
    async def decide(
        case_id: UUID, body: DecideBody, request: Request, actor: Annotated[Actor, decider], conn: Reading
    ) -> Response:
        """An outcome with its coded reason."""
        command = Decide(target=case_id, outcome=body.outcome, reason=body.reason)
        return await carry_out(request, actor, conn, case_id, lambda _: command)

    @router.post("/{case_id}/close", response_model=Answered)
    async def close(
        case_id: UUID, body: ReasonBody, request: Request, actor: Annotated[Actor, decider], conn: Reading
    ) -> Response:
        """Nothing more is to be done."""
        command = Close(target=case_id, reason=body.reason)
        return await carry_out(request, actor, conn, case_id, lambda _: command)

    @router.post("/{case_id}/transfer", response_model=Answered)
    async def transfer(
        case_id: UUID, body: TransferBody, request: Request, actor: Annotated[Actor, decider], conn: Reading
    ) -> Response:
        """Another district's matter from here on."""
        command = Transfer(target=case_id, to=body.to, reason=body.reason)
        return await carry_out(request, actor, conn, case_id, lambda _: command)

    @router.post("/{case_id}/reopen", response_model=Answered)
    async def reopen(
        case_id: UUID, body: ReasonBody, request: Request, actor: Annotated[Actor, decider], conn: Reading
    ) -> Response:
        """It goes on: an objection, new facts, a court's ruling."""
        command = Reopen(target=case_id, reason=body.reason)
        return await carry_out(request, actor, conn, case_id, lambda _: command)
