"""What a case is at every specialised service: its states, the commands that any case knows, how they fold.

What a service decides beyond that (its outcomes and reasons, its own guards and commands) stands in its own
domain module, which hands its `Rules` to `decide` here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from onedoor.contracts import referral_rules
from onedoor.contracts.core import Command, Context, Event, Refusal, Urgency, derived_id
from onedoor.contracts.events.case import (
    CaseClosed,
    CaseDecided,
    CaseEvent,
    CaseOpened,
    CaseReopened,
    CaseTakenUp,
    CaseTransferred,
    CaseUrgencyRaised,
    CaseWithdrawn,
    ReferralRequested,
)
from onedoor.contracts.events.notify import ReferralEvent
from onedoor.contracts.plan import Plan

ServiceName = Literal["assistance", "child-welfare"]
CaseState = Literal["opened", "in_work", "decided", "closed", "withdrawn", "transferred"]
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

ENDED: frozenset[CaseState] = frozenset({"closed", "withdrawn", "transferred"})
_SETTLED: frozenset[ReferralState] = frozenset({"answered", "verified", "closed", "revoked"})


def case_id(application_id: UUID, service: ServiceName) -> UUID:
    """The one case that an application can have at a service."""
    return derived_id("case", application_id, service)


def planned_urgency(plan: Plan, service: ServiceName) -> Urgency | None:
    """How urgent the plan wants this service; None: not at all."""
    return next((planned.urgency for planned in plan.services if planned.name == service), None)


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


class Case(BaseModel):
    """The folded state. `state` is None while only marks are there: events that came before the opening."""

    model_config = ConfigDict(frozen=True)

    state: CaseState | None = None
    chain_id: UUID | None = None
    application_id: UUID | None = None
    child: bool = False
    sealed: bool = False
    urgency: Urgency = "ordinary"
    opened_at: datetime | None = None
    division: str | None = None
    programmes: tuple[str, ...] = ()
    subjects: tuple[UUID, ...] = ()
    worker: str | None = None
    outcome: str | None = None
    reason: str | None = None
    transferred_to: str | None = None
    withdrawal_marked: bool = False
    referrals: dict[UUID, Part] = Field(default_factory=dict)
    requests: tuple[UUID, ...] = ()


class FromEvent(Command):
    """A command that may come before the case is there, and so says whose case it is."""

    application_id: UUID
    chain_id: UUID


class OpenCase(FromEvent):
    """Open the case, or make known what a supplement added."""

    urgency: Urgency
    child: bool = False
    sealed: bool = False
    division: str | None = None
    programmes: tuple[str, ...] = ()
    subjects: tuple[UUID, ...] = ()


class WithdrawCase(FromEvent):
    reason: str | None = None


class NoteReferral(FromEvent):
    """A referral of this case has come to another state."""

    referral_id: UUID
    rule: str
    to: str
    urgency: Urgency
    state: ReferralState


class TakeUp(Command):
    worker: str


class Decide(Command):
    outcome: str
    reason: str


class Close(Command):
    reason: str


class Transfer(Command):
    """To another district or division, by its code."""

    to: str
    reason: str


class Reopen(Command):
    reason: str


class RequestReferral(Command):
    """A person asks for a further referral; `request_id` is the same for the same wish."""

    request_id: UUID
    rule: str
    to: str
    to_division: str | None = None
    urgency: Urgency
    subjects: tuple[UUID, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)


COMMANDS: tuple[type[Command], ...] = (
    OpenCase,
    WithdrawCase,
    NoteReferral,
    TakeUp,
    Decide,
    Close,
    Transfer,
    Reopen,
    RequestReferral,
)

ALLOWED: Mapping[type[Command], frozenset[CaseState]] = {
    TakeUp: frozenset({"opened", "in_work"}),
    Decide: frozenset({"in_work"}),
    Close: frozenset({"decided"}),
    WithdrawCase: frozenset({"opened", "in_work"}),
    Transfer: frozenset({"opened", "in_work"}),
    Reopen: frozenset({"decided", "closed"}),
    RequestReferral: frozenset({"opened", "in_work", "decided"}),
}
"""In which states of a case a command may be given."""


class KeptEvent(CaseEvent):
    """An event of a case that concerns nobody outside its service."""

    topics = ()

    def topic(self) -> None:
        return None


class CaseSupplemented(KeptEvent):
    """More became known: these are all programmes, subjects and the division from now on."""

    type = "case.supplemented"

    programmes: tuple[str, ...] = ()
    subjects: tuple[UUID, ...] = ()
    division: str | None = None
    sealed: bool = False


class WithdrawalMarked(KeptEvent):
    """The application was withdrawn before its case was opened."""

    type = "case.withdrawal_marked"

    reason: str | None = None


class ReferralNoted(KeptEvent):
    """A referral of this case came to another state."""

    type = "case.referral_noted"

    referral_id: UUID
    rule: str
    to: str
    urgency: Urgency
    state: ReferralState


INTERNAL: tuple[type[Event], ...] = (CaseSupplemented, WithdrawalMarked, ReferralNoted)

C = TypeVar("C", bound=Case)
Guard = Callable[[C, Any, Context], Refusal | None]


@dataclass(frozen=True)
class Rules(Generic[C]):
    """What one service adds. outcomes: outcome to its reasons; reasons: command to its reasons.

    guards: further conditions by command, asked in order; revives: from which ended states a higher urgency
    opens the case again.
    """

    service: ServiceName
    outcomes: Mapping[str, frozenset[str]]
    reasons: Mapping[type[Command], frozenset[str]]
    guards: Mapping[type[Command], tuple[Guard[C], ...]] = field(default_factory=dict)
    revives: frozenset[CaseState] = frozenset()


def decide(rules: Rules[C], case: C, command: Command, context: Context) -> Sequence[Event] | Refusal:
    """The events of a command that any case knows, or why not. The same wish twice is no second event."""
    identity = identity_of(rules.service, case, command)
    match command:
        case OpenCase():
            return _open(rules, case, command, context, identity)
        case NoteReferral():
            return _note(case, command, identity)
        case WithdrawCase() if case.state is None:
            return _mark_withdrawal(case, command, identity)
    refusal = _refusal(rules, case, command, context)
    if refusal is _REPEATED:
        return ()
    return refusal or (_event(case, command, context, identity),)


def identity_of(service: ServiceName, case: Case, command: Command) -> dict[str, Any]:
    """The fields that every event of this case carries."""
    source = command if isinstance(command, FromEvent) else case
    child = case.child or (isinstance(command, OpenCase) and command.child)
    return {
        "service": service,
        "case_id": command.target,
        "chain_id": source.chain_id,
        "application_id": source.application_id,
        "child": child or service == "child-welfare",
    }


def _open(
    rules: Rules[C], case: C, command: OpenCase, context: Context, identity: dict[str, Any]
) -> Sequence[Event] | Refusal:
    if case.state is not None:
        return _supplement(rules, case, command, identity)
    opened = CaseOpened(
        **identity,
        urgency=command.urgency,
        opened_at=context.now,
        programmes=command.programmes,
        subjects=command.subjects,
        division=command.division,
    )
    events: list[Event] = [opened]
    if command.sealed:
        events.append(_known(case, command, identity))
    if case.withdrawal_marked:
        events.append(CaseWithdrawn(**identity, reason=case.reason))
    return events


def _supplement(
    rules: Rules[C], case: C, command: OpenCase, identity: dict[str, Any]
) -> Sequence[Event] | Refusal:
    raised = referral_rules.RANK[command.urgency] > referral_rules.RANK[case.urgency]
    if case.state in ENDED:
        if not raised:
            return ()
        if case.state not in rules.revives:
            return case_ended(case.state)
    events: list[Event] = []
    known = _known(case, command, identity)
    if (known.programmes, known.subjects, known.division, known.sealed) != (
        case.programmes,
        case.subjects,
        case.division,
        case.sealed,
    ):
        events.append(known)
    if raised:
        events.append(CaseUrgencyRaised(**identity, urgency=command.urgency))
    if raised and case.state in ENDED:
        events.append(CaseReopened(**identity, reason="urgency_raised"))
    return events


def _known(case: Case, command: OpenCase, identity: dict[str, Any]) -> CaseSupplemented:
    """Both together, so that received and supplemented may come in either order."""
    return CaseSupplemented(
        **identity,
        programmes=_joined(case.programmes, command.programmes),
        subjects=_joined(case.subjects, command.subjects),
        division=case.division or command.division,
        sealed=case.sealed or command.sealed,
    )


T = TypeVar("T")


def _joined(known: tuple[T, ...], new: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*known, *new)))


def _note(case: Case, command: NoteReferral, identity: dict[str, Any]) -> Sequence[Event]:
    part = Part(rule=command.rule, to=command.to, urgency=command.urgency, state=command.state)
    if case.referrals.get(command.referral_id) == part:
        return ()
    return (ReferralNoted(**identity, referral_id=command.referral_id, **part.model_dump()),)


def _mark_withdrawal(case: Case, command: WithdrawCase, identity: dict[str, Any]) -> Sequence[Event]:
    return () if case.withdrawal_marked else (WithdrawalMarked(**identity, reason=command.reason),)


_REPEATED = Refusal("case.repeated", "It is already so.", "已经如此。")


def _refusal(rules: Rules[C], case: C, command: Command, context: Context) -> Refusal | None:
    if case.state is None:
        return Refusal("case.unknown", "There is no such case; check its id.", "没有该个案，请核对编号。")
    if _repeated(case, command):
        return _REPEATED
    if case.state not in ALLOWED[type(command)]:
        return _wrong_state(case.state)
    checks: tuple[Guard[C], ...] = (
        lambda case, command, context: _coded(rules, case, command),
        *rules.guards.get(type(command), ()),
    )
    return next((no for check in checks if (no := check(case, command, context)) is not None), None)


def _repeated(case: Case, command: Command) -> bool:
    match command:
        case TakeUp():
            return case.state == "in_work" and case.worker == command.worker
        case Decide():
            return case.state == "decided" and (case.outcome, case.reason) == (
                command.outcome,
                command.reason,
            )
        case Close():
            return case.state == "closed"
        case WithdrawCase():
            return case.state == "withdrawn"
        case Transfer():
            return case.state == "transferred" and case.transferred_to == command.to
        case RequestReferral():
            return command.request_id in case.requests
    return False


def _wrong_state(state: CaseState) -> Refusal:
    if state in ENDED:
        return case_ended(state)
    return Refusal(
        "case.state",
        f"The case is {state}; this step does not follow from there.",
        f"个案当前状态为 {state}，不能进行此操作。",
    )


def case_ended(state: CaseState) -> Refusal:
    """Why nothing more is done with a case that came to its end."""
    return Refusal(
        "case.ended",
        f"The case is {state}; open it again, or take down a new application.",
        f"个案已结束（{state}），请重新启动个案或另行登记求助。",
    )


def not_coded(field: str, allowed: frozenset[str]) -> Refusal:
    """A code that is not in its list."""
    codes = ", ".join(sorted(allowed))
    return Refusal(
        "case.not_coded", f"{field} must be one of: {codes}.", f"{field} 应为下列之一：{codes}。", field
    )


def _coded(rules: Rules[Any], case: Case, command: Command) -> Refusal | None:
    match command:
        case RequestReferral() if not set(command.subjects) <= set(case.subjects):
            return Refusal(
                "referral.subjects",
                "Only people of this case can be named in its referral.",
                "转介只能涉及本案的求助对象。",
                "subjects",
            )
        case Decide():
            if command.outcome not in rules.outcomes:
                return not_coded("outcome", frozenset(rules.outcomes))
            reasons = rules.outcomes[command.outcome]
            return None if command.reason in reasons else not_coded("reason", reasons)
        case RequestReferral():
            return referral_rules.check(
                rules.service, command.rule, command.to, command.urgency, command.facts
            )
        case Close() | Transfer() | Reopen():
            reasons = rules.reasons[type(command)]
            return None if command.reason in reasons else not_coded("reason", reasons)
    return None


def _event(case: Case, command: Command, context: Context, identity: dict[str, Any]) -> Event:
    match command:
        case TakeUp():
            return CaseTakenUp(**identity, worker=command.worker)
        case Decide():
            return CaseDecided(**identity, outcome=command.outcome, reason=command.reason)
        case Close():
            return CaseClosed(**identity, reason=command.reason)
        case WithdrawCase():
            return CaseWithdrawn(**identity, reason=command.reason)
        case Transfer():
            return CaseTransferred(**identity, to=command.to, reason=command.reason)
        case Reopen():
            return CaseReopened(**identity, reason=command.reason)
        case RequestReferral():
            return ReferralRequested(
                **identity,
                request_id=command.request_id,
                rule=command.rule,
                to=command.to,
                to_division=command.to_division,
                urgency=command.urgency,
                requested_at=context.now,
                subjects=command.subjects,
                facts=command.facts,
            )
    raise TypeError(f"a case knows no {type(command).__name__}")


def evolve(case: C, event: Event) -> C:
    """Fold one event into the state. Events that are not a case's change nothing."""
    if not isinstance(event, CaseEvent):
        return case
    common = {"chain_id": event.chain_id, "application_id": event.application_id, "child": event.child}
    return case.model_copy(update=common | _change(case, event))


def _change(case: Case, event: CaseEvent) -> dict[str, Any]:
    match event:
        case CaseOpened():
            return {
                "state": "opened",
                **event.model_dump(include={"urgency", "opened_at", "programmes", "subjects", "division"}),
            }
        case CaseSupplemented():
            return event.model_dump(include={"programmes", "subjects", "division", "sealed"})
        case CaseUrgencyRaised():
            return {"urgency": event.urgency}
        case CaseTakenUp():
            return {"state": "in_work", "worker": event.worker}
        case CaseDecided():
            return {"state": "decided", "outcome": event.outcome, "reason": event.reason}
        case CaseClosed():
            return {"state": "closed"}
        case CaseWithdrawn():
            return {"state": "withdrawn", "reason": event.reason}
        case WithdrawalMarked():
            return {"withdrawal_marked": True, "reason": event.reason}
        case CaseTransferred():
            return {"state": "transferred", "transferred_to": event.to, "reason": event.reason}
        case CaseReopened():
            return {
                "state": "in_work" if case.worker else "opened",
                "outcome": None,
                "reason": None,
                "transferred_to": None,
            }
        case ReferralRequested():
            return {"requests": (*case.requests, event.request_id)}
        case ReferralNoted():
            part = Part(rule=event.rule, to=event.to, urgency=event.urgency, state=event.state)
            return {"referrals": case.referrals | {event.referral_id: part}}
    return {}


def note_of(event: ReferralEvent, service: ServiceName, receives: frozenset[str]) -> NoteReferral | None:
    """What a case notes of a referral's event: where it asked for it, or where its service receives it."""
    target = case_id(event.application_id, service)
    if event.case_id != target and event.to not in receives:
        return None
    return NoteReferral.model_validate(
        {
            "target": target,
            "application_id": event.application_id,
            "chain_id": event.chain_id,
            "referral_id": event.referral_id,
            "rule": event.rule,
            "to": event.to,
            "urgency": event.urgency,
            "state": event.type.removeprefix("referral."),
        }
    )
