"""What a case, a stay and a need share: whose they are, the referrals they asked for, and how both fold.

A service's own states and commands stand beside this: those of a case in `onedoor.contracts.case`, those of a
stay and a need in their services' domain modules.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from onedoor.contracts import referral_rules
from onedoor.contracts.core import Command, Context, Event, Refusal, Urgency, derived_id
from onedoor.contracts.events.case import CaseEvent, CaseUrgencyRaised, ReferralRequested

ReferralState = Literal[
    "drafted",
    "sent",
    "acknowledged",
    "acted",
    "returned",
    "extended",
    "answered",
    "verified",
    "closed",
    "reopened",
    "revoked",
]

_SETTLED: frozenset[ReferralState] = frozenset({"answered", "verified", "closed", "revoked"})


def case_id(application_id: UUID, service: str) -> UUID:
    """The one case that an application can have at a service."""
    return derived_id("case", application_id, service)


def referral_id(origin: UUID, rule: str, to: str) -> UUID:
    """The one referral that an application or a request leads to, by this rule, to this receiver."""
    return derived_id("referral", origin, rule, to)


class Part(BaseModel):
    """What a case remembers of one referral that it asked for or that came to its service."""

    model_config = ConfigDict(frozen=True)

    rule: str
    to: str
    urgency: Urgency
    state: ReferralState

    @property
    def open(self) -> bool:
        """Whether somebody still owes it an answer."""
        return self.state not in _SETTLED


class Work(BaseModel):
    """The shared part of the folded state.

    told_at: when the newest plan that names it was made; withdrawn_at: the last withdrawal that is known.
    A service adds its `state`, None while only marks are there: events that came before the opening.
    """

    model_config = ConfigDict(frozen=True)

    chain_id: UUID | None = None
    application_id: UUID | None = None
    child: bool = False
    sealed: bool = False
    urgency: Urgency = "ordinary"
    opened_at: datetime | None = None
    division: str | None = None
    subjects: tuple[UUID, ...] = ()
    reason: str | None = None
    told_at: datetime | None = None
    withdrawal_marked: bool = False
    withdrawn_at: datetime | None = None
    referrals: dict[UUID, Part] = Field(default_factory=dict)
    requests: tuple[UUID, ...] = ()


T = TypeVar("T")
W = TypeVar("W", bound=Work)


class FromEvent(Command):
    """A command that may come before the case is there, and so says whose case it is."""

    application_id: UUID
    chain_id: UUID


class Opening(FromEvent):
    """Open the case, or make known what a supplement added. A service adds its own fields.

    told_at: when the plan was made; it opens the case again where it was withdrawn before that (ADR 4).
    """

    urgency: Urgency
    told_at: datetime | None = None
    sealed: bool = False
    division: str | None = None


class WithdrawCase(FromEvent):
    """The application was withdrawn, at `at`: what was told later is not withdrawn."""

    reason: str | None = None
    at: datetime | None = None


class NoteReferral(FromEvent):
    """A referral of this case has come to another state. outcome, results: of an answer, as it is coded."""

    referral_id: UUID
    rule: str
    to: str
    urgency: Urgency
    state: ReferralState
    outcome: str | None = None
    results: dict[str, Any] = Field(default_factory=dict)


class RequestReferral(Command):
    """A person asks for a further referral; `request_id` is the same for the same wish."""

    request_id: UUID
    rule: str
    to: str
    to_division: str | None = None
    urgency: Urgency
    subjects: tuple[UUID, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)


class KeptEvent(CaseEvent):
    """An event of a case that concerns nobody outside its service."""

    topics = ()

    def topic(self) -> None:
        return None


class Supplemented(KeptEvent):
    """More became known: these are all facts of the application from now on. A service adds its own."""

    division: str | None = None
    told_at: datetime | None = None

    def told(self) -> dict[str, Any]:
        """What it says beyond whose case it is, as the state has it too."""
        return self.model_dump(exclude=set(KeptEvent.model_fields))


class WithdrawalMarked(KeptEvent):
    """The application was withdrawn before its case was opened."""

    type = "case.withdrawal_marked"

    reason: str | None = None
    withdrawn_at: datetime | None = None


class ReferralNoted(KeptEvent):
    """A referral of this case came to another state."""

    type = "case.referral_noted"

    referral_id: UUID
    rule: str
    to: str
    urgency: Urgency
    state: ReferralState


INTERNAL: tuple[type[Event], ...] = (WithdrawalMarked, ReferralNoted)


def identity_of(service: str, work: Work, command: Command) -> dict[str, Any]:
    """The fields that every event of this case carries."""
    source = command if isinstance(command, FromEvent) else work
    return {
        "service": service,
        "case_id": command.target,
        "chain_id": source.chain_id,
        "application_id": source.application_id,
        "child": work.child or bool(getattr(command, "child", False)) or service == "child-welfare",
        "sealed": work.sealed or bool(getattr(command, "sealed", False)),
    }


def joined(known: tuple[T, ...], new: tuple[T, ...]) -> tuple[T, ...]:
    """Both without repetition, what was known first."""
    return tuple(dict.fromkeys((*known, *new)))


def raises(command: Opening, work: Work) -> bool:
    """Whether it is more urgent than was known."""
    return referral_rules.RANK[command.urgency] > referral_rules.RANK[work.urgency]


def supplement(work: Work, command: Opening, known: Supplemented, identity: dict[str, Any]) -> list[Event]:
    """What is new to an opened case: `known`, if it says more than the state does, and a higher urgency."""
    said = known.told() | {"sealed": known.sealed}
    new = any(getattr(work, name) != fact for name, fact in said.items())
    events: list[Event] = [known] if new else []
    if raises(command, work):
        events.append(CaseUrgencyRaised(**identity, urgency=command.urgency))
    return events


def note(work: Work, command: NoteReferral, identity: dict[str, Any]) -> Sequence[Event]:
    """What is remembered of a referral's new state."""
    part = Part.model_validate(command.model_dump(include=set(Part.model_fields)))
    if work.referrals.get(command.referral_id) == part:
        return ()
    return (ReferralNoted(**identity, referral_id=command.referral_id, **part.model_dump()),)


def mark_withdrawal(work: Work, command: WithdrawCase, identity: dict[str, Any]) -> Sequence[Event]:
    """The mark of a withdrawal that came before the opening."""
    if work.withdrawal_marked and not _later(command.at, work.withdrawn_at):
        return ()
    return (WithdrawalMarked(**identity, reason=command.reason, withdrawn_at=command.at),)


def told_since(work: Work, command: WithdrawCase) -> bool:
    """Whether more was told after this withdrawal: a new knock at the door, which it does not take back."""
    return command.at is not None and _later(work.told_at, command.at)


def knocks_again(work: Work, command: Opening) -> bool:
    """Whether this was told after the withdrawal that is known."""
    return work.withdrawn_at is not None and _later(command.told_at, work.withdrawn_at)


def last_told(work: Work, command: Opening) -> datetime | None:
    """When the newest plan was made, of those known and this one."""
    return command.told_at if _later(command.told_at, work.told_at) else work.told_at


def _later(moment: datetime | None, than: datetime | None) -> bool:
    return moment is not None and (than is None or moment > than)


def not_referred(service: str, work: Work, command: RequestReferral) -> Refusal | None:
    """Why this referral is not asked for: about strangers, or not as its rule has it."""
    if not set(command.subjects) <= set(work.subjects):
        return Refusal(
            "referral.subjects",
            "Only people of this case can be named in its referral.",
            "转介只能涉及本案的求助对象。",
            "subjects",
        )
    return referral_rules.check(service, command.rule, command.to, command.urgency, command.facts)


def requested(command: RequestReferral, context: Context, identity: dict[str, Any]) -> ReferralRequested:
    """The wish as an event."""
    return ReferralRequested(**identity, **command.model_dump(exclude={"target"}), requested_at=context.now)


def evolve(work: W, event: Event, change: Callable[[W, CaseEvent], dict[str, Any]]) -> W:
    """The state after the event: what any case folds, and what `change` folds of the service's own events.

    Events that are not a case's change nothing.
    """
    if not isinstance(event, CaseEvent):
        return work
    update: dict[str, Any] = {
        "chain_id": event.chain_id,
        "application_id": event.application_id,
        "child": event.child,
        "sealed": work.sealed or event.sealed,
    }
    said = vars(event)  # asking a model for a field that it lacks is slow
    for name in ("told_at", "withdrawn_at"):
        if _later(moment := said.get(name), getattr(work, name)):
            update[name] = moment
    match event:
        case ReferralRequested():
            update["requests"] = (*work.requests, event.request_id)
        case ReferralNoted():
            part = Part(rule=event.rule, to=event.to, urgency=event.urgency, state=event.state)
            update["referrals"] = work.referrals | {event.referral_id: part}
        case WithdrawalMarked():
            update |= {"withdrawal_marked": True, "reason": event.reason}
        case Supplemented():
            update |= event.told()
        case CaseUrgencyRaised():
            update["urgency"] = event.urgency
    return work.model_copy(update=update | change(work, event))


def not_coded(field: str, allowed: frozenset[str]) -> Refusal:
    """A code that is not in its list."""
    codes = ", ".join(sorted(allowed))
    return Refusal(
        "case.not_coded", f"{field} must be one of: {codes}.", f"{field} 应为下列之一：{codes}。", field
    )
