"""A clock: one duty of one subject, from its start to its end, and what happens on the way.

Order-free: a start, a meeting and a cancelling count at their own times, whatever the order of arrival. Of
several ends the earliest counts (a meeting before a cancelling of the same moment). A breach is recorded at
the due moment, once per round; a reopened referral or a raised urgency begins a new round.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import ceil
from typing import Any, Literal, NamedTuple, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from onedoor.calendar import (
    Almanac,
    Calendar,
    Limit,
    Pause,
    Unit,
    due,
    in_force,
    local,
    office_hours,
    warn_at,
)
from onedoor.contracts.core import Command, Context, Decider, Event, Refusal, Urgency, derived_id, trusted
from onedoor.contracts.events.notify import (
    AlertAcknowledged,
    AlertEscalated,
    ClockBreached,
    ClockCancelled,
    ClockCorrected,
    ClockMarked,
    ClockMet,
    ClockPaused,
    ClockRecomputed,
    ClockRescheduled,
    ClockResumed,
    ClockStarted,
    ClockWarned,
    Kept,
)
from onedoor.contracts.referral_rules import directory
from onedoor.notify.domain import duties, ladder
from onedoor.notify.domain.duties import Certainty, Source
from onedoor.notify.domain.ladder import Rung
from onedoor.triage.duties import DutyRow

E = TypeVar("E", bound=Event)

State = Literal["running", "paused", "warned", "breached", "met", "met_late", "cancelled"]
Ending = Literal["met", "cancelled"]
OPEN: frozenset[State] = frozenset({"running", "paused", "warned", "breached"})

PAUSE_REASONS = ("waiting_for_applicant", "waiting_for_others", "court", "force_majeure", "other")
"""The codes that travel; the words that go with them stay in notify."""

LENGTHENING_REASONS = ("special_case", "waiting_for_others", "more_facts_needed", "other")

BY_RULE = "publicity"
"""The reason of a standstill that the rule itself orders: no person decides it."""

LONGEST_PAUSE = timedelta(days=30)
"""So long a clock may stand still in all by decision of a person: assumed, nothing says so."""


@lru_cache(maxsize=4096)
def clock_id(duty: str, subject: UUID) -> UUID:
    """The one clock that a duty of a subject (a referral, an application) can have."""
    return derived_id("clock", duty, subject)


class Standstill(BaseModel):
    """A pause: `until` is when it ends by itself, `end` when it did end."""

    model_config = ConfigDict(frozen=True)

    start: datetime
    until: datetime
    end: datetime | None = None
    reason: str
    approver: str
    warned_before: bool = False


class Recount(BaseModel):
    """What an imported notice changed, and which one it was."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    notice: str
    calendar: int
    previous_due_at: datetime
    due_at: datetime
    previously_provisional: bool


class End(BaseModel):
    """How and when a clock came to its end, at that event's own time."""

    model_config = ConfigDict(frozen=True)

    ending: Ending
    at: datetime
    reason: str = ""

    def before(self, other: "End") -> bool:
        """Whether this end counts and not the other one."""
        return (self.at, self.ending == "cancelled") < (other.at, other.ending == "cancelled")


class Clock(BaseModel):
    """The folded state. `state` is None while only a mark is there: an end that came before the start.

    next_at: when the next step falls due; step: rungs of the ladder climbed; round: 1, and one more for each
    reopening or raised urgency; acknowledged_by: who has taken the alert of this round upon themselves;
    policy: the version of the duty it started under; calendar: the edition of the calendar it was counted by,
    None where it never asks for days; yields_to: the earlier rule for the same duty, which warns;
    beside_due: when the other rule's time ends, None while it stands still or is not known.
    """

    model_config = ConfigDict(frozen=True)

    clock_id: UUID | None = None
    chain_id: UUID | None = None
    duty: str = ""
    subject: UUID | None = None
    owner: str = ""
    owner_division: str | None = None
    referral_id: UUID | None = None
    child: bool = False
    sealed: bool = False
    state: State | None = None
    started_at: datetime | None = None
    limit: str = ""
    due_at: datetime | None = None
    warn_at: datetime | None = None
    next_at: datetime | None = None
    provisional: bool = False
    source: Source = "default"
    certainty: Certainty = "assumed"
    urgency: Urgency | None = None
    late_entry: bool = False
    pauses: tuple[Standstill, ...] = ()
    extended: str | None = None
    step: int = 0
    round: int = 0
    end: End | None = None
    breached_at: datetime | None = None
    late_seconds: int = 0
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    policy: str | None = None
    calendar: int | None = None
    yields_to: str | None = None
    beside_due: datetime | None = None
    recounts: tuple[Recount, ...] = ()


class _OfClock(Command):
    """A command that may come before the clock's start, and so says which clock it means."""

    chain_id: UUID
    duty: str
    subject: UUID


class StartClock(_OfClock):
    """Open the clock. `anew`: if it is open already, count it anew from `started_at`, for this reason.

    programme: whose version of the duty applies; beside: the limit of the other rule for the same duty, where
    it is not the usual one.
    """

    owner: str
    owner_division: str | None = None
    referral_id: UUID | None = None
    child: bool = False
    sealed: bool = False
    started_at: datetime
    limit: str
    urgency: Urgency | None = None
    late_entry: bool = False
    anew: Literal["reopened", "urgency_raised", "told_again"] | None = None
    programme: str | None = None
    beside: str | None = None


class MarkClock(_OfClock):
    """It has to be kept more closely: about a child, or sealed. owner, owner_division: another unit's from
    now on.
    """

    child: bool = False
    sealed: bool = False
    owner: str | None = None
    owner_division: str | None = None


class MeetClock(_OfClock):
    """The duty was done at `at`. `mark`: keep it if the clock has not been started yet."""

    at: datetime
    mark: bool = False


class CancelClock(_OfClock):
    """The duty fell away at `at`. `mark`: keep it if the clock has not been started yet."""

    at: datetime
    reason: str
    mark: bool = False


class ExtendClock(Command):
    """More working days, up to the day of `due_at`."""

    due_at: datetime
    reason: str


class LengthenClock(Command):
    """Give it the longest time that its rule allows in special cases, by decision of whoever asks."""

    reason: str | None = None


class PauseClock(Command):
    """Stand still from now, by decision of whoever asks. `until`: at the latest; thirty days in all."""

    reason: str | None = None
    until: datetime | None = None


class ResumeClock(Command):
    """Run on from now."""


class HoldClock(Command):
    """The rule itself lets the time stand still from `at`, until `until` at the latest."""

    at: datetime
    until: datetime | None = None


class ReleaseClock(Command):
    """What the rule waited for ended at `at`."""

    at: datetime


class NoteBeside(Command):
    """The time of the other rule for this duty ends at `due_at`; None: it stands still."""

    due_at: datetime | None


class Recompute(Command):
    """Count again by the calendar in force, which `notice` changed."""

    notice: str


class AcknowledgeAlert(Command):
    """Whoever asks, a named person, has heard the alert and sees to it: a critical ladder stops."""


class Strike(Command):
    """Take the step that falls due at the context's moment: warn, breach, tell the next rung, end a pause."""


COMMANDS: tuple[type[Command], ...] = (
    StartClock,
    MarkClock,
    MeetClock,
    CancelClock,
    ExtendClock,
    LengthenClock,
    PauseClock,
    ResumeClock,
    HoldClock,
    ReleaseClock,
    NoteBeside,
    Recompute,
    AcknowledgeAlert,
    Strike,
)


class EndNoted(Event):
    """An end that came before its clock's start. Concerns nobody outside."""

    type = "clock.end_noted"

    clock_id: UUID
    chain_id: UUID
    duty: str
    subject: UUID
    end: End


class BesideNoted(Kept):
    """When the other rule for this duty ends now, and when this one does: the earlier warns."""

    type = "clock.beside_noted"

    clock_id: UUID
    chain_id: UUID
    duty: str
    subject: UUID
    beside_due: datetime | None
    due_at: datetime


INTERNAL: tuple[type[Event], ...] = (EndNoted, BesideNoted)

Decided = Sequence[Event] | Refusal


def decide(clock: Clock, command: Command, context: Context) -> Decided:
    """The events of a command, or why not. What is done already, or no longer due, gives no event."""
    match command:
        case StartClock():
            return _start(clock, command)
        case MarkClock():
            return _mark(clock, command)
        case MeetClock():
            return _end(clock, command, End(ending="met", at=command.at))
        case CancelClock():
            return _end(clock, command, End(ending="cancelled", at=command.at, reason=command.reason))
        case Strike():
            return _strike(clock, context.now)
        case ExtendClock():
            return _extend(clock, command, context.now)
        case LengthenClock():
            return _lengthen(clock, command, context.now)
        case PauseClock():
            return _pause(clock, command, context)
        case ResumeClock():
            return _resume(clock, context.now)
        case HoldClock():
            return _hold(clock, command)
        case ReleaseClock():
            return _release(clock, command)
        case NoteBeside():
            return _note_beside(clock, command)
        case Recompute():
            return _recompute(clock, command, context)
        case AcknowledgeAlert():
            return _acknowledge(clock, context)
    raise TypeError(type(command).__name__)


def moves(clock: Clock, context: Context) -> list[type[Command]]:
    """Of pausing, resuming and lengthening what would not be refused now, if all it asks for is given."""
    assert clock.clock_id is not None
    whole: tuple[Command, ...] = (
        PauseClock(target=clock.clock_id, reason=PAUSE_REASONS[0]),
        ResumeClock(target=clock.clock_id),
        LengthenClock(target=clock.clock_id, reason=LENGTHENING_REASONS[0]),
    )
    return [type(each) for each in whole if not isinstance(decide(clock, each, context), Refusal)]


def _start(clock: Clock, command: StartClock) -> Decided:
    if clock.state is None:
        started = _started(command)
        opened = evolve(clock, started)
        return (started, *(() if clock.end is None else _ended(opened, clock.end)))
    if command.anew is None:
        return ()
    counted = _count(clock.duty, clock.policy, clock.owner, command.started_at, command.limit, ())
    assert clock.due_at is not None
    return (
        ClockRescheduled(
            **identity(clock),
            **counted,
            previous_due_at=clock.due_at,
            reason=command.anew,
            started_at=command.started_at,
            limit=command.limit,
            urgency=command.urgency,
        ),
        *_mark(clock, command),
    )


def _started(command: StartClock) -> ClockStarted:
    known = duties.version_at(command.duty, command.programme, command.started_at)
    return ClockStarted(
        clock_id=command.target,
        chain_id=command.chain_id,
        duty=command.duty,
        subject=command.subject,
        owner=command.owner,
        owner_division=command.owner_division,
        referral_id=command.referral_id,
        child=command.child,
        sealed=command.sealed,
        started_at=command.started_at,
        limit=command.limit,
        **_count(command.duty, known.version, command.owner, command.started_at, command.limit, ()),
        source=known.kind,
        certainty=known.certainty,
        late_entry=command.late_entry,
        urgency=command.urgency,
        policy=known.version if known.id else None,
        yields_to=_earlier_rule(command, known),
    )


def _earlier_rule(command: StartClock, known: DutyRow) -> str | None:
    """Of two rules for one duty the one that ends earlier, if that is not this one; equal ones both warn."""
    if known.beside is None:
        return None
    other = duties.version_at(known.beside, command.programme, command.started_at)
    limit = Limit.parse(command.beside) if command.beside else other.limit
    earlier = duties.due_at(command.started_at, limit) < duties.due_at(
        command.started_at, Limit.parse(command.limit)
    )
    return known.beside if earlier else None


def _mark(clock: Clock, command: MarkClock | StartClock) -> Sequence[Event]:
    """A clock that has not been started gets its marks from its start."""
    marked = identity(clock) | {
        "child": clock.child or command.child,
        "sealed": clock.sealed or command.sealed,
    }
    if isinstance(command, MarkClock):
        marked |= {
            "owner": command.owner or clock.owner,
            "owner_division": command.owner_division or clock.owner_division,
        }
    return () if clock.state is None or marked == identity(clock) else (ClockMarked(**marked),)


def _end(clock: Clock, command: MeetClock | CancelClock, end: End) -> Decided:
    if clock.end is not None and not end.before(clock.end):
        return ()
    if clock.state is not None:
        return _ended(clock, end)
    if not command.mark:
        return ()
    return (
        EndNoted(
            clock_id=command.target,
            chain_id=command.chain_id,
            duty=command.duty,
            subject=command.subject,
            end=end,
        ),
    )


def _ended(clock: Clock, end: End) -> Sequence[Event]:
    """The events of an end, with the breach that nobody had recorded yet, or the correction of one."""
    assert clock.due_at is not None
    assert clock.started_at is not None
    if clock.round > 1 and end.at < clock.started_at:
        return ()
    late = end.at > clock.due_at and not _stood_still(clock, end.at)
    if late and _keep(clock):
        return (_met(clock, clock.due_at),)
    events: list[Event] = []
    if late and clock.breached_at is None:
        events.append(_breached(clock))
    if end.ending == "cancelled":
        events.append(ClockCancelled(**identity(clock), reason=end.reason, cancelled_at=end.at))
        return events
    if not late and clock.breached_at is not None:
        events.append(ClockCorrected(**identity(clock), met_at=end.at, breached_at=clock.breached_at))
    events.append(_met(clock, end.at, late))
    return events


def _stood_still(clock: Clock, at: datetime) -> bool:
    return clock.state == "paused" and at >= clock.pauses[-1].start


def _met(clock: Clock, at: datetime, late: bool = False) -> ClockMet:
    assert clock.due_at is not None
    seconds = ceil((at - clock.due_at).total_seconds()) if late else 0
    return ClockMet(**identity(clock), met_at=at, late_seconds=seconds)


def _breached(clock: Clock) -> ClockBreached:
    assert clock.due_at is not None
    return _alert(ClockBreached, clock, due_at=clock.due_at)


def _strike(clock: Clock, now: datetime) -> Decided:
    """One step. Another process may have taken it already: then nothing is due and nothing happens."""
    if clock.next_at is None or clock.next_at > now:
        return ()
    assert clock.due_at is not None
    if clock.state == "paused":
        return _resume(clock, clock.next_at)
    if clock.state == "running" and _warns(clock):
        return (_alert(ClockWarned, clock, due_at=clock.due_at),)
    if clock.state == "breached":
        return (_escalated(clock, clock.step + 1),)
    if _keep(clock):
        return (_met(clock, clock.due_at),)
    rungs = _ladder(clock)
    at_once = [_escalated(clock, step) for step, rung in enumerate(rungs, 1) if rung.after is None]
    return (_breached(clock), *at_once)


class Step(NamedTuple):
    """A step that fell due: its moment, its events, and the clock after them."""

    at: datetime
    events: Sequence[Event]
    clock: Clock


def steps(clock: Clock, until: datetime) -> Iterator[Step]:
    """All steps that fall due up to `until`, in order, if nothing else happens: as `Strike` decides each."""
    while clock.next_at is not None and clock.next_at <= until:
        at = clock.next_at
        events = _strike(clock, at)
        assert not isinstance(events, Refusal)
        for event in events:
            clock = evolve(clock, event)
        yield Step(at, events, clock)


class Standing(NamedTuple):
    """What the next step of a clock depends on, but for its own moments: those that agree in it do alike.

    Not of a clock that stands still. heard: whether somebody has taken its alert upon themselves; ladder:
    from when on its ladder is in force.
    """

    state: State
    duty: str
    policy: str | None
    owner: str
    urgency: Urgency | None
    late_entry: bool
    yields_to: str | None
    step: int
    heard: bool
    ladder: datetime


class Course(NamedTuple):
    """The next step of all clocks that stand alike: the moments and ids in its events are nobody's.

    rung: what they wait for after it, where that is a rung of the ladder.
    """

    events: Sequence[Event]
    after: Standing
    rung: Rung | None

    def next_at(self, due_at: datetime) -> datetime | None:
        """When the step after this one falls due, of a clock that is due then."""
        if self.after.state == "warned":
            return due_at
        return None if self.rung is None else self.rung.at(due_at)


@lru_cache(maxsize=4096)
def course(standing: Standing) -> Course:
    """What `Strike` decides for whatever stands like this, at its moment: decided once, of a sample."""
    known = standing._asdict()
    at, heard = known.pop("ladder"), known.pop("heard")
    known |= {"started_at": at, "warn_at": at, "due_at": at, "next_at": at}
    known["acknowledged_at"] = at if heard else None
    step = next(steps(trusted(Clock, _BLANK | known, set()), at))
    clock = step.clock
    assert clock.state is not None
    left = _rungs_left(clock) if clock.state == "breached" else ()
    heard = clock.acknowledged_at is not None
    after = standing._replace(state=clock.state, step=clock.step, heard=heard)
    return Course(step.events, after, left[0] if left else None)


_BLANK = Clock().__dict__ | dict.fromkeys(("clock_id", "chain_id", "subject"), UUID(int=0))


def _escalated(clock: Clock, step: int) -> AlertEscalated:
    rung = _ladder(clock)[step - 1]
    assert clock.due_at is not None
    return _alert(AlertEscalated, clock, step=step, to=rung.to, at=rung.at(clock.due_at))


def _alert(type_: type[E], clock: Clock, **facts: Any) -> E:
    """An alert of what the clock knows, so that nothing has to be validated again: they come by thousands."""
    told = identity(clock) | facts
    return trusted(type_, told, set(told))


def _ladder(clock: Clock) -> tuple[Rung, ...]:
    """The rungs of this clock: none where a late entry or a court is not chased."""
    assert clock.started_at is not None
    if clock.late_entry or not _chased(clock.duty, clock.policy, clock.owner):
        return ()
    return ladder.rungs(clock.urgency, clock.started_at)


@lru_cache(maxsize=4096)
def _chased(duty: str, policy: str | None, owner: str) -> bool:
    """A court is informed only."""
    return duties.duty(duty, policy).chased and owner not in directory().inform_only


def _rungs_left(clock: Clock) -> tuple[Rung, ...]:
    """A critical ladder stops at an acknowledgement."""
    if clock.urgency == "critical" and clock.acknowledged_at is not None:
        return ()
    return _ladder(clock)[clock.step :]


def _acknowledge(clock: Clock, context: Context) -> Decided:
    if refusal := _not_open(clock):
        return refusal
    if clock.state not in ("warned", "breached"):
        return Refusal("alert.none", "No alert has been given yet.", "尚未发出提醒，无需确认。")
    if clock.acknowledged_at is not None:
        return ()
    return (
        AlertAcknowledged(
            **identity(clock),
            person=context.actor.person,
            role=context.actor.role,
            step=clock.step,
            acknowledged_at=context.now,
        ),
    )


def last_moment(due_at: datetime) -> datetime:
    """The last moment that still counts as in time by days: 24:00 of a day belongs to that day."""
    return due_at - timedelta(microseconds=1)


def _extend(clock: Clock, command: ExtendClock, now: datetime) -> Decided:
    if refusal := _not_open(clock) or _overdue(clock, now):
        return refusal
    assert clock.due_at is not None
    assert clock.started_at is not None
    last, new = (local(last_moment(at)).toordinal() for at in (clock.due_at, command.due_at))
    more = in_force().calendar.count_working(last, new) if new > last else 0
    limit = Limit.parse(clock.limit)
    if more == 0 or limit.unit is not Unit.WORKING_DAYS:
        return Refusal(
            "clock.not_longer",
            "Name a later working day; only limits in working days are extended.",
            "请填写更晚的工作日；只有按工作日计算的时限可以延期。",
            "until",
        )
    return _longer(clock, str(Limit(limit.amount + more, Unit.WORKING_DAYS)), command.reason)


def _lengthen(clock: Clock, command: LengthenClock, now: datetime) -> Decided:
    if refusal := _not_open(clock):
        return refusal
    longest = duties.duty(clock.duty, clock.policy).longest
    if longest is None:
        return Refusal(
            "clock.no_longer",
            "The rule of this limit knows no extension: meet it, or pause it if others hold it up.",
            "该时限依规不得延长：请按期办理；确因他方原因受阻的，可申请暂停。",
        )
    if clock.extended is not None:
        return Refusal(
            "clock.extended", "It was extended once; there is no second time.", "已延长一次，不能再次延长。"
        )
    if refusal := _overdue(clock, now):
        return refusal
    if command.reason not in LENGTHENING_REASONS:
        codes = ", ".join(LENGTHENING_REASONS)
        return Refusal(
            "clock.reason", f"Give the reason as one of: {codes}.", f"请填写原因（取值：{codes}）。", "reason"
        )
    return _longer(clock, str(longest), command.reason)


def _longer(clock: Clock, longer: str, reason: str) -> Decided:
    assert clock.due_at is not None
    return (
        ClockRescheduled(
            **identity(clock),
            **_recounted(clock, limit=longer),
            previous_due_at=clock.due_at,
            reason=reason,
            limit=longer,
        ),
    )


def _pause(clock: Clock, command: PauseClock, context: Context) -> Decided:
    if refusal := _not_open(clock) or _not_pausable(clock, context.now):
        return refusal
    if command.reason not in PAUSE_REASONS:
        codes = ", ".join(PAUSE_REASONS)
        return Refusal(
            "clock.reason", f"Give the reason as one of: {codes}.", f"请填写原因（取值：{codes}）。", "reason"
        )
    latest = context.now + pause_left(clock)
    until = command.until or latest
    if not context.now < until <= latest:
        return Refusal(
            "clock.until",
            "A pause ends later than now; all pauses of a clock together last thirty days at most.",
            "暂停的截止时间应晚于现在；同一时限的暂停累计不超过三十日。",
            "until",
        )
    approver = context.actor.person
    return (
        ClockPaused(
            **identity(clock), reason=command.reason, approver=approver, until=until, paused_at=context.now
        ),
    )


def _not_open(clock: Clock) -> Refusal | None:
    if clock.state in OPEN:
        return None
    return Refusal("clock.ended", "The clock has ended; nothing moves it.", "该时钟已结束，不能再变更。")


def _fallen_due(clock: Clock, now: datetime) -> bool:
    """Whether it is overdue, be it that no sweep has recorded that yet."""
    if clock.state == "breached":
        return True
    return clock.state in ("running", "warned") and clock.due_at is not None and clock.due_at < now


def _overdue(clock: Clock, now: datetime) -> Refusal | None:
    if not _fallen_due(clock, now):
        return None
    return Refusal(
        "clock.breached",
        "The clock is overdue; it is neither paused nor extended any more: answer the referral.",
        "时限已超期，不能再暂停或延期：请尽快反馈。",
    )


def _not_pausable(clock: Clock, now: datetime) -> Refusal | None:
    if clock.urgency == "critical":
        return Refusal(
            "clock.critical",
            "A critical clock is never paused: act, or hand the matter to the unit head on duty.",
            "特急时钟不得暂停：请立即处置，或报值班负责人。",
        )
    if refusal := _overdue(clock, now):
        return refusal
    if clock.state == "paused":
        return Refusal("clock.paused", "The clock is paused already.", "该时钟已处于暂停状态。")
    if _keep(clock):
        return Refusal(
            "clock.keep",
            "This time must be kept in full; it cannot be paused.",
            "该期间须足额保持，不能暂停。",
        )
    if not pause_left(clock):
        return Refusal(
            "clock.pause_used",
            "The clock has stood still for thirty days in all; it is not paused any more.",
            "该时限已累计暂停三十日，不能再次暂停。",
        )
    return None


def pause_left(clock: Clock) -> timedelta:
    """How long a person may still let it stand still, of thirty days in all."""
    stood = ((each.end or each.until) - each.start for each in clock.pauses if each.reason != BY_RULE)
    return max(LONGEST_PAUSE - sum(stood, timedelta()), timedelta())


def _resume(clock: Clock, at: datetime) -> Decided:
    if clock.state != "paused":
        return _not_open(clock) or Refusal(
            "clock.not_paused", "The clock is not paused.", "该时钟未处于暂停状态。"
        )
    ended = clock.pauses[-1].model_copy(update={"end": at})
    counted = _recounted(clock, pauses=(*clock.pauses[:-1], ended))
    return (ClockResumed(**identity(clock), **counted, resumed_at=at),)


def _hold(clock: Clock, command: HoldClock) -> Decided:
    """Nothing to hold where it has ended, is overdue or stands still already: the rule waits for nobody."""
    if clock.state not in ("running", "warned") or clock.due_at is None or command.at >= clock.due_at:
        return ()
    return (
        ClockPaused(
            **identity(clock),
            reason=BY_RULE,
            approver="system",
            until=command.until or command.at + LONGEST_PAUSE,
            paused_at=command.at,
        ),
    )


def _release(clock: Clock, command: ReleaseClock) -> Decided:
    if clock.state != "paused" or clock.pauses[-1].reason != BY_RULE:
        return ()
    return _resume(clock, max(command.at, clock.pauses[-1].start))


def _note_beside(clock: Clock, command: NoteBeside) -> Decided:
    """Nobody is warned any more of what has ended or is overdue."""
    if clock.state not in ("running", "warned", "paused") or clock.beside_due == command.due_at:
        return ()
    assert clock.due_at is not None
    return (BesideNoted(**identity(clock), beside_due=command.due_at, due_at=clock.due_at),)


def _recompute(clock: Clock, command: Recompute, context: Context) -> Decided:
    """Never one that has ended or is overdue; nothing where the count gives what is known already."""
    if clock.state not in ("running", "warned", "paused") or clock.calendar is None:
        return ()
    if _fallen_due(clock, context.now):
        return ()
    counted = _recounted(clock)
    assert clock.due_at is not None
    same = (clock.due_at, clock.warn_at, clock.provisional)
    if (counted["due_at"], counted["warn_at"], counted["provisional"]) == same:
        return ()
    return (
        ClockRecomputed(
            **identity(clock),
            **counted,
            previous_due_at=clock.due_at,
            previously_provisional=clock.provisional,
            notice=command.notice,
            recomputed_at=context.now,
        ),
    )


def _recounted(
    clock: Clock, *, limit: str | None = None, pauses: tuple[Standstill, ...] | None = None
) -> dict[str, Any]:
    """What an event says of a count of this clock by the calendar in force, with another limit or pauses."""
    assert clock.started_at is not None
    return _count(
        clock.duty,
        clock.policy,
        clock.owner,
        clock.started_at,
        limit or clock.limit,
        clock.pauses if pauses is None else pauses,
    )


def _count(
    duty: str,
    policy: str | None,
    owner: str,
    started_at: datetime,
    limit: str,
    pauses: tuple[Standstill, ...],
) -> dict[str, Any]:
    now = in_force()
    fraction = duties.duty(duty, policy).warn
    at, warn, provisional = _moments(started_at, limit, standstills(pauses), fraction, owner, now.calendar)
    return {"due_at": at, "warn_at": warn, "provisional": provisional, "calendar": _edition(limit, now)}


def _edition(limit: str, now: Almanac) -> int | None:
    """None where no day is asked: neither the due moment nor the warning can change with the calendar."""
    parsed = Limit.parse(limit)
    return now.edition if parsed.moves or parsed.unit is Unit.WORKING_DAYS else None


@lru_cache(maxsize=4096)
def _moments(
    started_at: datetime,
    limit: str,
    pauses: tuple[Pause, ...],
    fraction: float,
    owner: str,
    calendar: Calendar,
) -> tuple[datetime, datetime, bool]:
    """Due moment and warning moment (UTC), and whether they are provisional."""
    parsed = Limit.parse(limit)
    if pauses:
        result = due(started_at, parsed, pauses, calendar)
    else:
        result = duties.counted(started_at, parsed, calendar)
    warn = warn_at(started_at, parsed, result, fraction, office_hours(owner), pauses, calendar)
    return result.due_at.astimezone(UTC), warn.astimezone(UTC), result.provisional


def standstills(pauses: Sequence[Standstill]) -> tuple[Pause, ...]:
    """The pauses that are over, as the calendar takes them."""
    return tuple(Pause(pause.start, pause.end) for pause in pauses if pause.end is not None)


def identity(clock: Clock) -> dict[str, Any]:
    """What every event of this clock says, in the order of its fields."""
    return {
        "child": clock.child,
        "sealed": clock.sealed,
        "clock_id": clock.clock_id,
        "chain_id": clock.chain_id,
        "duty": clock.duty,
        "subject": clock.subject,
        "owner": clock.owner,
        "owner_division": clock.owner_division,
        "referral_id": clock.referral_id,
    }


def evolve(clock: Clock, event: Event) -> Clock:
    """The state after the event."""
    change = _CHANGES.get(type(event))
    changes = change(clock, event) if change else {}
    changed = trusted(Clock, clock.__dict__ | changes, {"next_at", *changes, *clock.model_fields_set})
    object.__setattr__(changed, "next_at", _next_at(changed))  # nobody has seen this copy yet
    return changed


def _yielding(clock: Clock, due_at: datetime) -> dict[str, Any]:
    """Whether it leaves the warning to the other rule, ending at `due_at` itself; equal ones both warn."""
    if clock.beside_due is None:
        return {}
    other = duties.duty(clock.duty, clock.policy).beside
    return {"yields_to": other if clock.beside_due < due_at else None}


def _beside_noted(clock: Clock, event: BesideNoted) -> dict[str, Any]:
    known = clock.model_copy(update={"beside_due": event.beside_due})
    return {"beside_due": event.beside_due, "yields_to": None, **_yielding(known, event.due_at)}


def _unheard(clock: Clock) -> dict[str, Any]:
    """Whoever took note of the warning has not heard of the breach."""
    return {} if clock.acknowledged_at is None else {"acknowledged_by": None, "acknowledged_at": None}


def _end_noted(clock: Clock, event: EndNoted) -> dict[str, Any]:
    known = ("clock_id", "chain_id", "duty", "subject", "end")
    return {name: getattr(event, name) for name in known}


def _has_started(clock: Clock, event: ClockStarted) -> dict[str, Any]:
    fields = {name: getattr(event, name) for name in ClockStarted.model_fields}
    return fields | {"state": "running", "round": 1, "end": None}


def _has_met(clock: Clock, event: ClockMet) -> dict[str, Any]:
    end = End(ending="met", at=event.met_at)
    state = "met_late" if event.late_seconds else "met"
    return {"state": state, "end": end, "late_seconds": event.late_seconds}


def _recomputed(clock: Clock, event: ClockRecomputed) -> dict[str, Any]:
    """A warning that was given stands, unless its moment is still to come now."""
    recount = Recount(
        at=event.recomputed_at,
        notice=event.notice,
        calendar=event.calendar,
        previous_due_at=event.previous_due_at,
        due_at=event.due_at,
        previously_provisional=event.previously_provisional,
    )
    early = clock.state == "warned" and event.warn_at > event.recomputed_at
    return {
        "state": "running" if early else clock.state,
        "due_at": event.due_at,
        "warn_at": event.warn_at,
        "provisional": event.provisional,
        "calendar": event.calendar,
        "recounts": (*clock.recounts, recount),
        **_yielding(clock, event.due_at),
    }


def _cancelled(clock: Clock, event: ClockCancelled) -> dict[str, Any]:
    assert event.cancelled_at is not None
    assert clock.due_at is not None
    end = End(ending="cancelled", at=event.cancelled_at, reason=event.reason)
    changes: dict[str, Any] = {"state": "cancelled", "end": end, "late_seconds": 0}
    in_time = event.cancelled_at <= clock.due_at
    return changes | ({"breached_at": None, "step": 0} if in_time else {})


def _paused(clock: Clock, event: ClockPaused) -> dict[str, Any]:
    assert event.until is not None
    assert event.paused_at is not None
    pause = Standstill(
        start=event.paused_at,
        until=event.until,
        reason=event.reason,
        approver=event.approver,
        warned_before=clock.state == "warned",
    )
    return {"state": "paused", "pauses": (*clock.pauses, pause)}


def _resumed(clock: Clock, event: ClockResumed) -> dict[str, Any]:
    pause = clock.pauses[-1].model_copy(update={"end": event.resumed_at})
    warned = pause.warned_before and event.resumed_at is not None and event.warn_at <= event.resumed_at
    return {
        "state": "warned" if warned else "running",
        "pauses": (*clock.pauses[:-1], pause),
        "due_at": event.due_at,
        "warn_at": event.warn_at,
        "provisional": event.provisional,
        "calendar": event.calendar,
        **_yielding(clock, event.due_at),
    }


def _rescheduled(clock: Clock, event: ClockRescheduled) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "state": "running" if event.started_at or clock.state != "paused" else "paused",
        "due_at": event.due_at,
        "warn_at": event.warn_at,
        "provisional": event.provisional,
        "limit": event.limit or clock.limit,
        "calendar": event.calendar,
        **_yielding(clock, event.due_at),
    }
    if event.started_at is None:
        return changes | {"extended": event.reason}
    breached = event.due_at == clock.breached_at
    return (
        changes
        | {
            "started_at": event.started_at,
            "urgency": event.urgency,
            "round": clock.round + 1,
            "pauses": (),
            "extended": None,
            "late_entry": False,
            "step": clock.step if breached else 0,
            "end": None,
            "breached_at": clock.breached_at if breached else None,
            "late_seconds": 0,
        }
        | ({"state": "breached"} if breached else {})
        | _unheard(clock)
    )


_CHANGES: Mapping[type[Event], Callable[[Clock, Any], dict[str, Any]]] = {
    EndNoted: _end_noted,
    ClockStarted: _has_started,
    ClockMarked: lambda _, event: {
        name: getattr(event, name) for name in ("child", "sealed", "owner", "owner_division")
    },
    BesideNoted: _beside_noted,
    ClockWarned: lambda _, event: {"state": "warned"},
    ClockBreached: lambda clock, event: {"state": "breached", "breached_at": event.due_at} | _unheard(clock),
    AlertEscalated: lambda _, event: {"step": event.step},
    AlertAcknowledged: lambda _, event: {
        "acknowledged_by": event.person,
        "acknowledged_at": event.acknowledged_at,
    },
    ClockCorrected: lambda clock, _: {"breached_at": None, "step": 0} | _unheard(clock),
    ClockMet: _has_met,
    ClockCancelled: _cancelled,
    ClockPaused: _paused,
    ClockResumed: _resumed,
    ClockRescheduled: _rescheduled,
    ClockRecomputed: _recomputed,
}
"""By type, since a `match` asks for each of them in turn: what the event changes in the state."""


def _keep(clock: Clock) -> bool:
    """Whether it is no deadline but a time to be kept."""
    return _kept(clock.duty, clock.policy)


@lru_cache(maxsize=4096)
def _kept(duty: str, policy: str | None) -> bool:
    return duties.duty(duty, policy).keep


def _warns(clock: Clock) -> bool:
    """Of two rules for one duty only the earlier warns; a time to be kept warns nobody."""
    return clock.yields_to is None and not _keep(clock)


def _next_at(clock: Clock) -> datetime | None:
    match clock.state:
        case "running":
            return clock.warn_at if _warns(clock) else clock.due_at
        case "warned":
            return clock.due_at
        case "paused":
            return clock.pauses[-1].until
        case "breached":
            rungs = _rungs_left(clock)
            return rungs[0].at(clock.due_at) if rungs and clock.due_at else None
    return None


CLOCK: Decider[Clock] = Decider(
    name="clock",
    state=Clock,
    initial=Clock,
    decide=decide,
    evolve=evolve,
    commands=COMMANDS,
    internal=INTERNAL,
)
