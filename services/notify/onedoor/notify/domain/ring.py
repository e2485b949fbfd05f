"""The hotline's task to ring: a critical referral that nobody has acknowledged within five minutes.

Order-free like clocks: an end that comes before its start is kept, so that a late start asks for no call.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from onedoor.contracts.core import Command, Context, Decider, Event, Refusal, derived_id
from onedoor.contracts.events.notify import Kept, RingAsked, RingRecorded

State = Literal["waiting", "asked", "done"]
PATIENCE = timedelta(minutes=5)
"""From the sending to the call: the district's rule."""

OUTCOMES = ("reached", "no_answer", "refused")
"""Only `reached` ends the task: the hotline goes on ringing until somebody answers."""


def ring_id(referral_id: UUID) -> UUID:
    """The one task to ring that a referral has."""
    return derived_id("ring", referral_id)


class Ring(BaseModel):
    """The folded state. sent_at: of the latest sending; open_at: when to ask for a call (None: not at all).

    ended_at: the latest end that is known, of that sending or an earlier one; calls: how often somebody rang.
    """

    model_config = ConfigDict(frozen=True)

    referral_id: UUID | None = None
    chain_id: UUID | None = None
    to: str = ""
    to_division: str | None = None
    child: bool = False
    sealed: bool = False
    state: State | None = None
    sent_at: datetime | None = None
    open_at: datetime | None = None
    ended_at: datetime | None = None
    calls: int = 0


class _OfReferral(Command):
    """It may come before the referral's sending, and so says which referral it means."""

    referral_id: UUID
    chain_id: UUID
    to: str
    to_division: str | None = None
    child: bool = False
    sealed: bool = False


class ExpectAcknowledgement(_OfReferral):
    """A critical referral was sent: ring in five minutes if nobody acknowledges."""

    sent_at: datetime


class DropRing(_OfReferral):
    """Acknowledged, returned, answered or revoked at that moment: nobody needs to be rung any more."""

    at: datetime


class AskForCall(Command):
    """Five minutes are over."""


class RecordCall(Command):
    """Somebody has rung. `named`: whether the person reached was named; the name stays outside the events."""

    outcome: str | None = None
    named: bool = False


COMMANDS: tuple[type[Command], ...] = (ExpectAcknowledgement, DropRing, AskForCall, RecordCall)


class RingKept(Kept):
    """An event of the task that concerns nobody outside."""

    referral_id: UUID
    chain_id: UUID
    to: str
    to_division: str | None = None


class RingExpected(RingKept):
    type = "ring.expected"

    sent_at: datetime


class RingDropped(RingKept):
    type = "ring.dropped"

    at: datetime


INTERNAL: tuple[type[Event], ...] = (RingExpected, RingDropped)

Decided = Sequence[Event] | Refusal


def decide(ring: Ring, command: Command, context: Context) -> Decided:
    """The events of a command, or why not; what is known already gives none."""
    match command:
        case ExpectAcknowledgement():
            known = ring.sent_at is not None and command.sent_at <= ring.sent_at
            return () if known else (RingExpected(**_of(command), sent_at=command.sent_at),)
        case DropRing():
            known = ring.ended_at is not None and command.at <= ring.ended_at
            return () if known else (RingDropped(**_of(command), at=command.at),)
        case AskForCall():
            if ring.state != "waiting" or ring.open_at is None or context.now < ring.open_at:
                return ()
            return (RingAsked(**_of(ring), asked_at=ring.open_at),)
        case RecordCall():
            return _record(ring, command)
    raise TypeError(type(command).__name__)


def _record(ring: Ring, command: RecordCall) -> Decided:
    if ring.state != "asked":
        return Refusal("ring.none", "There is no call to make.", "没有待拨打的电话任务。")
    if command.outcome not in OUTCOMES:
        codes = ", ".join(OUTCOMES)
        return Refusal(
            "ring.outcome", f"Give the outcome as one of: {codes}.", f"结果取值：{codes}。", "outcome"
        )
    if command.outcome == "reached" and not command.named:
        return Refusal(
            "ring.reached",
            "Say who was reached: name or duty number.",
            "请填写联系到的人员（姓名或值班号）。",
            "reached",
        )
    return (RingRecorded(**_of(ring), outcome=command.outcome),)


def _of(source: Ring | _OfReferral) -> dict[str, Any]:
    names = ("referral_id", "chain_id", "to", "to_division", "child", "sealed")
    return {name: getattr(source, name) for name in names}


def evolve(ring: Ring, event: Event) -> Ring:
    """The state after the event."""
    return ring.model_copy(update=dict(_changes(ring, event)))


def _changes(ring: Ring, event: Event) -> Mapping[str, Any]:
    match event:
        case RingExpected():
            return _of_event(event) | _standing(event.sent_at, ring.ended_at)
        case RingDropped():
            before = ring.sent_at is not None and event.at < ring.sent_at
            standing = {} if before else _standing(ring.sent_at, event.at)
            return _of_event(event) | {"ended_at": event.at} | standing
        case RingAsked():
            return {"state": "asked"}
        case RingRecorded():
            done: State = "done" if event.outcome == "reached" else "asked"
            return {"state": done, "calls": ring.calls + 1}
    return {}


def _of_event(event: RingKept) -> dict[str, Any]:
    names = ("referral_id", "chain_id", "to", "to_division", "child", "sealed")
    return {name: getattr(event, name) for name in names}


def _standing(sent_at: datetime | None, ended_at: datetime | None) -> dict[str, Any]:
    """An end counts for what was sent before it, or at that very moment."""
    if sent_at is None:
        return {"state": None, "open_at": None}
    if ended_at is not None and ended_at >= sent_at:
        return {"state": "done", "sent_at": sent_at, "open_at": None}
    return {"state": "waiting", "sent_at": sent_at, "open_at": sent_at + PATIENCE}


RING: Decider[Ring] = Decider(
    name="ring",
    state=Ring,
    initial=Ring,
    decide=decide,
    evolve=evolve,
    commands=COMMANDS,
    internal=INTERNAL,
)
