"""notify over HTTP: a department's list, one referral and its verbs, clocks and why they are due."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from onedoor.calendar import local
from onedoor.contracts.core import PERSONAL, Actor, Command, Context, Urgency
from onedoor.contracts.referral_rules import rule_on
from onedoor.notify import almanac, views
from onedoor.notify.domain import duties
from onedoor.notify.domain import referral as verbs
from onedoor.notify.domain.clock import (
    LENGTHENING_REASONS,
    PAUSE_REASONS,
    Clock,
    LengthenClock,
    PauseClock,
    ResumeClock,
    moves,
    pause_left,
)
from onedoor.notify.domain.clock import State as ClockState
from onedoor.notify.domain.referral import AskedExtension, Referral
from onedoor.notify.domain.referral import State as ReferralState
from onedoor.notify.explanation import Explanation, explain
from onedoor.runtime import pages
from onedoor.runtime.access import may
from onedoor.runtime.http import (
    CommandBody,
    Reading,
    allow,
    answer,
    clear,
    etag,
    expected_version,
    granted,
    idempotent,
    not_found,
    note_view,
)
from onedoor.runtime.problems import for_status
from onedoor.runtime.service import Connection
from onedoor.runtime.unit import Outcome, Transaction

router = APIRouter(tags=["notify"])

Reader = Annotated[Actor, Depends(allow("referral.read"))]
Handler = Annotated[Actor, Depends(allow("referral.handle"))]
Verifier = Annotated[Actor, Depends(allow("referral.verify"))]
ClockReader = Annotated[Actor, Depends(allow("clock.read"))]
Pauser = Annotated[Actor, Depends(allow("clock.pause"))]

NO_BODY = CommandBody()


class AnswerBody(CommandBody):
    """`feedback` is needed; `outcome` is its code, `other` if none is given.

    results: the coded feedback that the referral's rule expects, by name; an answer that helped owes it.
    """

    results: dict[str, Any] = Field(default_factory=dict, max_length=12)
    outcome: str = Field(default="other", max_length=40, description=f"one of {', '.join(verbs.OUTCOMES)}")


class SendOnBody(CommandBody):
    """To which department, and which division of it."""

    to: str = Field(max_length=40)
    to_division: str | None = Field(default=None, pattern=r"^\d{6,12}$")


class ClockItem(BaseModel):
    """A clock as lists show it."""

    clock_id: UUID
    duty: str
    subject: UUID
    owner: str
    owner_division: str | None
    due_at: datetime
    warn_at: datetime
    provisional: bool
    state: ClockState
    limit: str
    started_at: datetime
    met_at: datetime | None
    breached_at: datetime | None
    late_seconds: int


class StandstillView(BaseModel):
    """A pause, who approved it and why; `until`: when it ends by itself, `end`: when it did end."""

    start: datetime
    until: datetime
    end: datetime | None
    reason: str
    approver: str


class Move(BaseModel):
    """What the reader may do about a clock now: which reasons it takes; `latest`: `until` at most; `limit`:
    what the clock's limit would be."""

    verb: Literal["pause", "resume", "lengthen"]
    reasons: list[str] = []
    latest: datetime | None = None
    limit: str | None = None


class ClockView(ClockItem):
    """One clock. `step`: rungs of the overdue ladder climbed so far; `extended`: why it has more time."""

    chain_id: UUID
    referral_id: UUID | None
    urgency: Urgency | None
    source: str
    certainty: str
    late_entry: bool
    step: int
    extended: str | None
    pauses: list[StandstillView]
    moves: list[Move]
    version: int


class ReferralItem(BaseModel):
    """A line of the work list. Moments are UTC; `overdue`: one of its clocks is breached and still open."""

    referral_id: UUID
    chain_id: UUID
    application_id: UUID
    case_id: UUID | None
    rule: str
    from_: str = Field(serialization_alias="from")
    to: str
    to_division: str | None
    urgency: Urgency
    state: ReferralState
    sent_at: datetime | None
    due_ack: datetime | None
    due_action: datetime | None
    due_finish: datetime | None
    overdue: bool
    version: int


class Note(BaseModel):
    """Words that belong to a step: a note, a reason, the feedback; on whose behalf, how, by what paper."""

    verb: str
    kind: str
    text: Annotated[str, PERSONAL]
    actor: str
    at: datetime


class ReferralView(ReferralItem):
    """One referral, with the coded facts that travel by its rule, its clocks and the words kept with it.

    since: when the receiver got it last; extension: asked for, not decided; handed_on: another stands in its
    place; settled: the coordinating bureau has decided whose it is; verbs: what the reader may do about it
    now, the next step first; on_behalf: what they may record for the receiver; receivers: to whom it may be
    sent on.
    """

    ground: str
    basis: str | None
    drafted: str | None
    since: datetime | None
    extended: bool
    extension: AskedExtension | None
    replaces: UUID | None
    handed_on: bool
    settled: bool
    verbs: list[str]
    on_behalf: list[str]
    receivers: list[str]
    subjects: tuple[UUID, ...]
    facts: Mapping[str, Any]
    clocks: list[ClockItem]
    notes: list[Note]


class Answered(BaseModel):
    """What a command led to."""

    referral_id: UUID
    state: ReferralState
    due_finish: datetime | None
    version: int


class ClockAnswered(BaseModel):
    """What a command led to."""

    clock_id: UUID
    state: ClockState
    due_at: datetime
    version: int


def _facts(state: Referral, version: int, overdue: bool) -> dict[str, Any]:
    wanted = state.wanted
    assert wanted is not None
    row = rule_on(wanted.rule, local(wanted.sent_at).date())
    return (
        wanted.model_dump()
        | state.model_dump(exclude={"wanted"})
        | {"version": version, "overdue": overdue, "basis": row and row.basis}
    )


def _item(row: asyncpg.Record) -> ReferralItem:
    state = Referral.model_validate_json(row["body"])
    return ReferralItem.model_validate(_facts(state, row["version"], row["overdue"]))


def _clock_facts(clock: Clock) -> dict[str, Any]:
    met = clock.end.at if clock.end and clock.end.ending == "met" else None
    return clock.model_dump() | {"met_at": met}


@router.get("/v1/referrals")
async def referrals(
    request: Request,
    actor: Reader,
    conn: Reading,
    state: Annotated[list[ReferralState] | None, Query(description="only these states")] = None,
    overdue: bool | None = None,
    sent: Annotated[bool, Query(description="what my department sent, not what it received")] = False,
    after: pages.After = None,
    limit: pages.Limit = 50,
) -> pages.Page[ReferralItem]:
    """My list, most pressing first: my department's, or of all departments for roles that see them all."""
    mine = actor.department if granted(request, actor).own_department or sent else None
    key = pages.after(after, datetime, UUID)
    rows = await views.referrals(
        conn,
        receiver=None if sent else mine,
        sender=mine if sent else None,
        states=state,
        overdue=overdue,
        after=key,
        limit=limit + 1,
    )
    return pages.page(rows, limit, _item, lambda row: (row["due"], row["id"]))


@router.get("/v1/referrals/{referral_id}")
async def one_referral(
    request: Request, referral_id: UUID, actor: Reader, conn: Reading, response: Response
) -> ReferralView:
    """One referral; that it was read, and by whom, is recorded."""
    row = await views.referral(conn, referral_id)
    if row is None:
        not_found()
    await note_view(conn, actor, "referral", referral_id, "referral")
    response.headers.update(etag(row["version"]))
    clocks = [_clock_facts(clock) for clock in await views.clocks_of(conn, referral_id)]
    notes = [dict(note) for note in await views.notes(conn, referral_id)]
    state = Referral.model_validate_json(row["body"])
    assert state.wanted is not None
    facts = _facts(state, row["version"], row["overdue"])
    given = _verbs(actor, state, request.app.state.onedoor.clock.now())
    said = {"clocks": clocks, "notes": notes, "receivers": sorted(verbs.receivers(state.wanted))}
    return ReferralView.model_validate(facts | said | given)


def _verbs(actor: Actor, state: Referral, now: datetime) -> dict[str, list[str]]:
    """What the domain and the actor's grants allow."""
    context = Context(actor, now)
    handles, verifies, records = (
        may(actor, f"referral.{action}") is not None for action in ("handle", "verify", "behalf")
    )
    own = [
        verbs.NAMES[kind]
        for kind in verbs.possible(state, context)
        if (handles if kind in verbs.RECEIVERS else verifies)
    ]
    others = [
        verbs.NAMES[kind]
        for kind in verbs.possible(state, context, on_behalf=True)
        if records and kind in verbs.RECEIVERS
    ]
    return {"verbs": own, "on_behalf": others}


@router.post("/v1/referrals/{referral_id}/acknowledge", response_model=Answered)
async def acknowledge(
    referral_id: UUID, request: Request, actor: Handler, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """签收: it has arrived and somebody is responsible."""
    return await _carry_out(request, actor, conn, referral_id, body, verbs.Acknowledge)


@router.post("/v1/referrals/{referral_id}/act", response_model=Answered)
async def act(
    referral_id: UUID, request: Request, actor: Handler, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """处置: somebody is on the spot, or has begun."""
    return await _carry_out(request, actor, conn, referral_id, body, verbs.Act)


@router.post("/v1/referrals/{referral_id}/return", response_model=Answered)
async def return_(
    referral_id: UUID, request: Request, actor: Handler, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """退回: not this unit's matter. `reason` is a code, or words that are kept here with the code `other`."""
    reason = _code(body.reason, verbs.RETURN_REASONS)
    return await _carry_out(request, actor, conn, referral_id, body, verbs.Return, reason=reason)


@router.post("/v1/referrals/{referral_id}/extend", response_model=Answered)
async def extend(
    referral_id: UUID, request: Request, actor: Handler, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """申请延期: once, at most five working days, before it is due; the sender decides (approve, decline)."""
    wish = {"reason": _code(body.reason, verbs.EXTENSION_REASONS), "until": body.until}
    return await _carry_out(request, actor, conn, referral_id, body, verbs.Extend, **wish)


@router.post("/v1/referrals/{referral_id}/answer", response_model=Answered)
async def answer_(
    referral_id: UUID, request: Request, actor: Handler, conn: Reading, body: AnswerBody
) -> Response:
    """反馈: what was found and done, in words that stay here, and as a code that travels."""
    told = bool(body.feedback and body.feedback.strip())
    wish = {"outcome": body.outcome, "told": told, "results": body.results}
    return await _carry_out(request, actor, conn, referral_id, body, verbs.Answer, **wish)


@router.post("/v1/referrals/{referral_id}/send", response_model=Answered)
async def send(
    referral_id: UUID, request: Request, actor: Verifier, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """Send a draft: `note` says on which paper the consent or authorisation stands that it waited for."""
    stands = bool(body.note and body.note.strip())
    return await _carry_out(request, actor, conn, referral_id, body, verbs.Send, stands=stands)


@router.post("/v1/referrals/{referral_id}/send-on", response_model=Answered)
async def send_on(
    referral_id: UUID, request: Request, actor: Verifier, conn: Reading, body: SendOnBody
) -> Response:
    """转交: what was returned goes to another unit of its rule; the coordinating bureau decides among all."""
    wish = {"to": body.to, "to_division": body.to_division}
    return await _carry_out(request, actor, conn, referral_id, body, verbs.SendOn, **wish)


@router.post("/v1/referrals/{referral_id}/approve", response_model=Answered)
async def approve(
    referral_id: UUID, request: Request, actor: Verifier, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """同意延期: the sender grants the time that was asked for, before the present end."""
    return await _carry_out(request, actor, conn, referral_id, body, verbs.Approve)


@router.post("/v1/referrals/{referral_id}/decline", response_model=Answered)
async def decline(
    referral_id: UUID, request: Request, actor: Verifier, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """不同意延期: the end stays where it is."""
    return await _carry_out(request, actor, conn, referral_id, body, verbs.Decline)


@router.post("/v1/referrals/{referral_id}/verify", response_model=Answered)
async def verify(
    referral_id: UUID, request: Request, actor: Verifier, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """The sender has seen that the answer holds."""
    return await _carry_out(request, actor, conn, referral_id, body, verbs.Verify)


@router.post("/v1/referrals/{referral_id}/close", response_model=Answered)
async def close(
    referral_id: UUID, request: Request, actor: Verifier, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """办结: nothing more is to come of it."""
    return await _carry_out(request, actor, conn, referral_id, body, verbs.Close)


@router.post("/v1/referrals/{referral_id}/reopen", response_model=Answered)
async def reopen(
    referral_id: UUID, request: Request, actor: Verifier, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """The receiver goes on: its finish clock is counted anew from now."""
    reason = _code(body.reason, verbs.REOPENING_REASONS)
    return await _carry_out(request, actor, conn, referral_id, body, verbs.Reopen, reason=reason)


@router.post("/v1/referrals/{referral_id}/revoke", response_model=Answered)
async def revoke(
    referral_id: UUID, request: Request, actor: Verifier, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """The sender takes it back; a protection duty stands."""
    reason = _code(body.reason, verbs.REVOCATION_REASONS)
    return await _carry_out(request, actor, conn, referral_id, body, verbs.Revoke, reason=reason)


def _code(reason: str | None, codes: tuple[str, ...]) -> str | None:
    """A code as it is; words become the code `other`, and are kept as a note."""
    if reason is None or not reason.strip():
        return None
    return reason if reason in codes else "other"


async def _carry_out(
    request: Request,
    actor: Actor,
    conn: Connection,
    referral_id: UUID,
    body: CommandBody,
    verb: Callable[..., verbs.ByPerson],
    **wish: Any,
) -> Response:
    """Give a referral the command, if the actor can see the referral at all; else the 404 problem."""
    if body.on_behalf_of is not None:
        await _clear_for_others(conn, actor)
    if await views.referral(conn, referral_id) is None:
        not_found()
    command = verb(target=referral_id, on_behalf=body.on_behalf_of is not None, **wish)

    def answered(outcome: Outcome) -> BaseModel:
        state = outcome.state
        return Answered(
            referral_id=referral_id,
            state=state.state,
            due_finish=state.due_finish,
            version=outcome.version,
        )

    return await _give(request, actor, command, body, answered)


async def _clear_for_others(conn: Connection, actor: Actor) -> None:
    """Recording for another unit reaches as far as that grant, which not everybody has."""
    grant = may(actor, "referral.behalf")
    if grant is None:
        raise for_status(403)
    await clear(conn, actor, grant)


async def _give(
    request: Request,
    actor: Actor,
    command: Command,
    body: CommandBody,
    answered: Callable[[Outcome], BaseModel],
) -> Response:
    version = expected_version(request)

    async def handler(tx: Transaction) -> Response:
        outcome = (await tx.execute(command, actor=actor, expected_version=version))[0]
        if outcome.refusal is not None:
            return answer(outcome)
        await _keep_words(tx, actor, outcome, body)
        return answer(outcome, 200, answered(outcome))

    return await idempotent(request, actor, handler)


async def _keep_words(tx: Transaction, actor: Actor, outcome: Outcome, body: CommandBody) -> None:
    """Keep the words of a command beside its event: they never travel."""
    event = outcome.events[0]
    said = {kind: getattr(body, kind) for kind in ("note", "reason", "feedback")}
    if body.on_behalf_of is not None:
        said |= {f"behalf_{name}": text for name, text in body.on_behalf_of.model_dump().items()}
    for kind, text in said.items():
        if text and text.strip():
            await views.write_note(
                tx.conn,
                subject=outcome.target,
                event_id=event.id,
                verb=event.type.rpartition(".")[2],
                kind=kind,
                text=text.strip(),
                actor=actor,
                at=tx.now,
                classification=event.classification,
            )


@router.get("/v1/clocks/{clock_id}")
async def one_clock(
    request: Request, clock_id: UUID, actor: ClockReader, conn: Reading, response: Response
) -> ClockView:
    """One clock, its pauses, and what I may do about it."""
    clock, version = await _found(conn, clock_id)
    response.headers.update(etag(version))
    offered = _moves(actor, clock, request.app.state.onedoor.clock.now())
    return ClockView.model_validate(_clock_facts(clock) | {"moves": offered, "version": version})


def _moves(actor: Actor, clock: Clock, now: datetime) -> list[Move]:
    """What the domain and the actor's grants allow."""
    if may(actor, "clock.pause") is None:
        return []
    longest = duties.duty(clock.duty, clock.policy).longest
    offers: Mapping[type[Command], Move] = {
        PauseClock: Move(verb="pause", reasons=list(PAUSE_REASONS), latest=now + pause_left(clock)),
        ResumeClock: Move(verb="resume"),
        LengthenClock: Move(
            verb="lengthen", reasons=list(LENGTHENING_REASONS), limit=longest and str(longest)
        ),
    }
    return [offers[kind] for kind in moves(clock, Context(actor, now))]


@router.get("/v1/clocks/{clock_id}/explanation")
async def explanation(clock_id: UUID, actor: ClockReader, conn: Reading) -> Explanation:
    """Why it is due when it is, line by line in Chinese and English, and how sure that is."""
    clock, _ = await _found(conn, clock_id)
    return explain(clock, await almanac.calendar_of(conn, clock.calendar))


@router.post("/v1/clocks/{clock_id}/pause", response_model=ClockAnswered)
async def pause(
    clock_id: UUID, request: Request, actor: Pauser, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """Stand still from now, with a reason, thirty days in all; a critical clock never does."""
    await _found(conn, clock_id)
    command = PauseClock(target=clock_id, reason=_code(body.reason, PAUSE_REASONS), until=body.until)
    return await _give(request, actor, command, body, _clock_answered)


@router.post("/v1/clocks/{clock_id}/lengthen", response_model=ClockAnswered)
async def lengthen(
    clock_id: UUID, request: Request, actor: Pauser, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """特殊情况延长: once, before it is due, to what the limit's own rule allows (dibao: 45 working days)."""
    await _found(conn, clock_id)
    command = LengthenClock(target=clock_id, reason=_code(body.reason, LENGTHENING_REASONS))
    return await _give(request, actor, command, body, _clock_answered)


@router.post("/v1/clocks/{clock_id}/resume", response_model=ClockAnswered)
async def resume(
    clock_id: UUID, request: Request, actor: Pauser, conn: Reading, body: CommandBody = NO_BODY
) -> Response:
    """Run on from now."""
    await _found(conn, clock_id)
    return await _give(request, actor, ResumeClock(target=clock_id), body, _clock_answered)


async def _found(conn: Connection, clock_id: UUID) -> tuple[Clock, int]:
    found = await views.clock(conn, clock_id)
    if found is None:
        not_found()
    return found


def _clock_answered(outcome: Outcome) -> BaseModel:
    clock = outcome.state
    return ClockAnswered(
        clock_id=outcome.target,
        state=clock.state,
        due_at=clock.due_at.astimezone(UTC),
        version=outcome.version,
    )
