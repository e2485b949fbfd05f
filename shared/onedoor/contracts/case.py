"""What a case is at every specialised service: its states, the commands that any case knows, how they fold.

What a service decides beyond that (its outcomes and reasons, its own guards and commands) stands in its own
domain module, which hands its `Rules` to `decide` here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

from onedoor.contracts import work
from onedoor.contracts.core import Command, Context, Event, Refusal
from onedoor.contracts.events.case import (
    ENDED,
    CaseClosed,
    CaseDecided,
    CaseEvent,
    CaseOpened,
    CaseReopened,
    CaseState,
    CaseTakenUp,
    CaseTransferred,
    CaseWithdrawn,
)
from onedoor.contracts.work import (
    FromEvent,
    KeptEvent,
    NoteReferral,
    Opening,
    Part,
    ReferralState,
    RequestReferral,
    Supplemented,
    WithdrawCase,
    Work,
    case_id,
    identity_of,
    not_coded,
)

__all__ = [
    "ALLOWED",
    "COMMANDS",
    "ENDED",
    "INTERNAL",
    "Case",
    "CaseState",
    "Close",
    "Decide",
    "FromEvent",
    "KeptEvent",
    "NoteReferral",
    "OpenCase",
    "Part",
    "ReferralState",
    "Reopen",
    "RequestReferral",
    "Rules",
    "TakeUp",
    "Transfer",
    "WithdrawCase",
    "Work",
    "case_ended",
    "case_id",
    "decide",
    "evolve",
    "identity_of",
    "not_coded",
]


class Case(Work):
    """The folded state of a case that is decided."""

    state: CaseState | None = None
    programmes: tuple[str, ...] = ()
    worker: str | None = None
    outcome: str | None = None
    transferred_to: str | None = None


class OpenCase(Opening):
    child: bool = False
    programmes: tuple[str, ...] = ()
    subjects: tuple[UUID, ...] = ()


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


class CaseSupplemented(Supplemented):
    type = "case.supplemented"

    programmes: tuple[str, ...] = ()
    subjects: tuple[UUID, ...] = ()


INTERNAL: tuple[type[Event], ...] = (CaseSupplemented, *work.INTERNAL)

C = TypeVar("C", bound=Case)
Guard = Callable[[C, Any, Context], Refusal | None]


@dataclass(frozen=True)
class Rules(Generic[C]):
    """What one service adds. outcomes: outcome to its reasons; reasons: command to its reasons.

    guards: further conditions by command, asked in order; revives: from which ended states a higher urgency
    opens the case again.
    """

    service: str
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
            return work.note(case, command, identity)
        case WithdrawCase() if case.state is None:
            return work.mark_withdrawal(case, command, identity)
        case WithdrawCase() if work.told_since(case, command):
            return ()
    refusal = _refusal(rules, case, command, context)
    if refusal is _REPEATED:
        return ()
    return refusal or (_event(case, command, context, identity),)


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
        told_at=command.told_at,
    )
    events: list[Event] = [opened]
    if case.withdrawal_marked and not work.knocks_again(case, command):
        events.append(CaseWithdrawn(**identity, reason=case.reason, withdrawn_at=case.withdrawn_at))
    return events


def _supplement(
    rules: Rules[C], case: C, command: OpenCase, identity: dict[str, Any]
) -> Sequence[Event] | Refusal:
    again = case.state == "withdrawn" and work.knocks_again(case, command)
    if case.state in ENDED and not again:
        if not work.raises(command, case):
            return ()
        if case.state not in rules.revives:
            return case_ended(case.state)
    events = work.supplement(case, command, _known(case, command, identity), identity)
    if case.state in ENDED:
        events.append(CaseReopened(**identity, reason="told_again" if again else "urgency_raised"))
    return events


def _known(case: Case, command: OpenCase, identity: dict[str, Any]) -> CaseSupplemented:
    """Both together, so that received and supplemented may come in either order."""
    return CaseSupplemented(
        **identity,
        programmes=work.joined(case.programmes, command.programmes),
        subjects=work.joined(case.subjects, command.subjects),
        division=case.division or command.division,
        told_at=work.last_told(case, command),
    )


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


def _coded(rules: Rules[Any], case: Case, command: Command) -> Refusal | None:
    match command:
        case Decide():
            if command.outcome not in rules.outcomes:
                return not_coded("outcome", frozenset(rules.outcomes))
            reasons = rules.outcomes[command.outcome]
            return None if command.reason in reasons else not_coded("reason", reasons)
        case RequestReferral():
            return work.not_referred(rules.service, case, command)
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
            return CaseWithdrawn(**identity, reason=command.reason, withdrawn_at=command.at)
        case Transfer():
            return CaseTransferred(**identity, to=command.to, reason=command.reason)
        case Reopen():
            return CaseReopened(**identity, reason=command.reason)
        case RequestReferral():
            return work.requested(command, context, identity)
    raise TypeError(f"a case knows no {type(command).__name__}")


def evolve(case: C, event: Event) -> C:
    """Fold one event into the state. Events that are not a case's change nothing."""
    return work.evolve(case, event, _change)


def _change(case: Case, event: CaseEvent) -> dict[str, Any]:
    match event:
        case CaseOpened():
            return {
                "state": "opened",
                "reason": None,
                "urgency": event.urgency,
                "opened_at": event.opened_at,
                "programmes": event.programmes,
                "subjects": event.subjects,
                "division": event.division,
            }
        case CaseTakenUp():
            return {"state": "in_work", "worker": event.worker}
        case CaseDecided():
            return {"state": "decided", "outcome": event.outcome, "reason": event.reason}
        case CaseClosed():
            return {"state": "closed"}
        case CaseWithdrawn():
            return {"state": "withdrawn", "reason": event.reason}
        case CaseTransferred():
            return {"state": "transferred", "transferred_to": event.to, "reason": event.reason}
        case CaseReopened():
            return {
                "state": "in_work" if case.worker else "opened",
                "outcome": None,
                "reason": None,
                "transferred_to": None,
            }
    return {}
