"""A clock alone: every state with every command, the working days, the ladder, and any order of arrival."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from onedoor.calendar import moment
from onedoor.contracts.core import Actor, Command, Context, Event, Refusal, derived_id
from onedoor.contracts.events.notify import AlertEscalated, ClockBreached
from onedoor.notify.domain.clock import (
    CLOCK,
    AcknowledgeAlert,
    CancelClock,
    Clock,
    End,
    ExtendClock,
    HoldClock,
    MeetClock,
    PauseClock,
    ReleaseClock,
    ResumeClock,
    StartClock,
    Strike,
    clock_id,
    pause_left,
    steps,
)
from onedoor.notify.explanation import explain

SUBJECT = derived_id("clock-test")
HEAD = Actor(person="head", role="unit-head", department="education")
FRIDAY = moment("2026-09-18T10:00")
HALF, HOUR, DAY = timedelta(minutes=30), timedelta(hours=1), timedelta(days=1)


def of(duty: str) -> dict[str, Any]:
    return {"target": clock_id(duty, SUBJECT), "chain_id": SUBJECT, "duty": duty, "subject": SUBJECT}


def start(duty: str = "finish", limit: str = "10wd", at: datetime = FRIDAY, **more: Any) -> StartClock:
    return StartClock(
        **of(duty), owner="education", started_at=at, limit=limit, **{"urgency": "ordinary", **more}
    )


def critical(at: datetime = FRIDAY) -> StartClock:
    return start(limit="24h", at=at, urgency="critical")


def meet(at: datetime, duty: str = "finish", mark: bool = True) -> MeetClock:
    return MeetClock(**of(duty), at=at, mark=mark)


def cancel(at: datetime, duty: str = "finish", mark: bool = True) -> CancelClock:
    return CancelClock(**of(duty), at=at, reason="withdrawn", mark=mark)


def acknowledge() -> AcknowledgeAlert:
    return AcknowledgeAlert(target=clock_id("finish", SUBJECT))


def strike() -> Strike:
    return Strike(target=clock_id("finish", SUBJECT))


class Bench:
    """One clock: give it commands at moments, look at what happened."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.events: list[Event] = []

    def give(self, command: Command, now: datetime = FRIDAY) -> Sequence[Event] | Refusal:
        decided = CLOCK.decide(self.clock, command, Context(HEAD, now))
        if not isinstance(decided, Refusal):
            for event in decided:
                self.clock = CLOCK.evolve(self.clock, event)
            self.events += decided
        return decided

    def says(self, command: Command, now: datetime = FRIDAY) -> str:
        decided = self.give(command, now)
        if isinstance(decided, Refusal):
            return decided.code
        return " ".join(event.type for event in decided)

    def sweep(self, now: datetime) -> list[str]:
        """One strike after the other; taken ahead, as the sweep does, they are the same."""
        before = len(self.events)
        for step in steps(self.clock, now):
            given = self.give(Strike(target=clock_id(self.clock.duty, SUBJECT)), step.at)
            assert (step.events, step.clock) == (given, self.clock)
        assert not list(steps(self.clock, now))
        return [event.type for event in self.events[before:]]

    @property
    def due(self) -> datetime:
        assert self.clock.due_at is not None
        return self.clock.due_at


def test_overdue_referral_to_education() -> None:
    """Case 9: due 10-09, reminder 10-10 (a make-up Saturday), notice 10-15, answered 10-16: late."""
    bench = Bench()
    bench.give(start())
    assert bench.due == moment("2026-10-10T00:00")
    assert bench.clock.warn_at is not None
    assert FRIDAY < bench.clock.warn_at < bench.due
    assert bench.sweep(moment("2026-10-20T00:00")) == [
        "clock.warned",
        "clock.breached",
        "alert.escalated",
        "alert.escalated",
    ]
    alerts = [event for event in bench.events if isinstance(event, AlertEscalated)]
    assert [(alert.step, alert.to, alert.at) for alert in alerts] == [
        (1, "unit-head", moment("2026-10-10T09:00")),
        (2, "coordinating-bureau", moment("2026-10-15T09:00")),
    ]
    assert bench.clock.next_at is None
    assert bench.says(meet(moment("2026-10-16T09:00"))) == "clock.met"
    assert bench.clock.state == "met_late"
    assert bench.clock.late_seconds == 6 * 86400 + 9 * 3600


def test_acknowledgement_falls_on_the_make_up_sunday() -> None:
    bench = Bench()
    bench.give(start("ack", "2wd"))
    assert bench.due == moment("2026-09-22T00:00")
    bench = Bench()
    bench.give(start("ack", "1wd"))
    assert bench.due == moment("2026-09-21T00:00")


def test_critical_clock_runs_through_the_night_and_tells_the_duty_person_at_once() -> None:
    bench = Bench()
    bench.give(critical(moment("2026-10-03T02:15")))
    assert bench.due == moment("2026-10-04T02:15")
    assert bench.clock.warn_at == moment("2026-10-03T02:15") + 24 * HOUR * 0.8
    assert bench.sweep(bench.due) == ["clock.warned", "clock.breached", "alert.escalated"]
    assert bench.clock.next_at == bench.due + HALF


def test_a_critical_ladder_climbs_every_half_hour_through_the_night() -> None:
    bench = Bench()
    bench.give(critical(moment("2026-10-03T02:15")))
    bench.sweep(bench.due + DAY)
    told = [(event.to, event.at - bench.due) for event in bench.events if isinstance(event, AlertEscalated)]
    assert told == [
        ("duty-person", 0 * HALF),
        ("unit-head", HALF),
        ("coordinating-bureau", 2 * HALF),
        ("leadership", 3 * HALF),
    ]
    assert bench.clock.next_at is None


def test_a_named_person_stops_the_critical_ladder() -> None:
    bench = Bench()
    bench.give(critical())
    assert bench.says(acknowledge(), FRIDAY) == "alert.none"
    bench.sweep(bench.due + HALF)
    assert bench.says(acknowledge(), bench.due + HALF) == "alert.acknowledged"
    assert (bench.clock.acknowledged_by, bench.clock.acknowledged_at) == ("head", bench.due + HALF)
    assert bench.clock.next_at is None
    assert bench.says(acknowledge(), bench.due + 2 * HALF) == ""
    assert bench.sweep(bench.due + DAY) == []
    assert bench.clock.state == "breached"


def test_who_took_note_of_the_warning_is_told_of_the_breach_all_the_same() -> None:
    bench = Bench()
    bench.give(critical())
    assert bench.clock.warn_at is not None
    bench.sweep(bench.clock.warn_at)
    assert bench.says(acknowledge(), bench.clock.warn_at) == "alert.acknowledged"
    assert bench.sweep(bench.due + HALF)[-2:] == ["alert.escalated", "alert.escalated"]
    assert bench.clock.acknowledged_by is None


def test_an_ordinary_ladder_goes_on_whoever_has_read_it() -> None:
    bench = Bench()
    bench.give(start())
    bench.sweep(moment("2026-10-10T09:00"))
    assert bench.says(acknowledge(), moment("2026-10-10T09:05")) == "alert.acknowledged"
    assert bench.sweep(moment("2026-10-20T00:00")) == ["alert.escalated"]


def test_a_reopened_matter_has_an_alert_of_its_own() -> None:
    bench = Bench()
    bench.give(critical())
    bench.sweep(bench.due)
    bench.says(acknowledge(), bench.due)
    bench.give(start(limit="24h", at=bench.due + DAY, urgency="critical", anew="reopened"))
    assert bench.clock.acknowledged_by is None
    assert bench.sweep(bench.due + HALF)[-2:] == ["alert.escalated", "alert.escalated"]


def test_nobody_acknowledges_what_has_ended() -> None:
    bench = Bench()
    bench.give(critical())
    bench.sweep(bench.due)
    bench.give(meet(bench.due + HOUR))
    assert bench.says(acknowledge(), bench.due + HOUR) == "clock.ended"


def test_a_step_is_not_taken_before_its_moment_nor_twice() -> None:
    bench = Bench()
    bench.give(critical())
    assert bench.clock.warn_at is not None
    assert bench.says(strike(), bench.clock.warn_at - timedelta(seconds=1)) == ""
    assert bench.says(strike(), bench.clock.warn_at) == "clock.warned"
    assert bench.says(strike(), bench.clock.warn_at) == ""
    assert bench.says(strike(), bench.due) == "clock.breached alert.escalated"
    assert bench.says(strike(), bench.due + HALF) == "alert.escalated"
    assert bench.says(strike(), bench.due + HALF) == ""


def test_late_entries_breach_but_tell_nobody() -> None:
    bench = Bench()
    bench.give(start(late_entry=True))
    assert bench.sweep(moment("2027-01-01")) == ["clock.warned", "clock.breached"]
    assert bench.clock.next_at is None


def test_courts_are_informed_and_never_chased() -> None:
    bench = Bench()
    bench.give(start("L26", "72h", urgency=None))
    assert bench.sweep(FRIDAY + 30 * DAY) == ["clock.warned", "clock.breached"]


def test_publicity_is_kept_not_breached() -> None:
    """L3: seven full days; over when they are over."""
    bench = Bench()
    bench.give(start("L3", "7cd", urgency=None))
    assert bench.sweep(FRIDAY + 60 * DAY) == ["clock.met"]
    assert (bench.clock.state, bench.clock.end) == ("met", End(ending="met", at=bench.due))
    assert bench.clock.breached_at is None


def test_small_fast_aid_does_not_wait_for_the_holiday_to_end() -> None:
    bench = Bench()
    bench.give(start("L17", "3cd!", moment("2026-10-03T02:15"), urgency=None))
    assert bench.due == moment("2026-10-07T00:00")
    assert bench.clock.source == "statutory"


def test_an_earlier_meeting_that_arrives_late_corrects_the_breach() -> None:
    bench = Bench()
    bench.give(critical())
    bench.sweep(bench.due)
    assert bench.says(meet(FRIDAY + HOUR)) == "clock.corrected clock.met"
    assert (bench.clock.state, bench.clock.breached_at, bench.clock.step) == ("met", None, 0)


def test_a_meeting_seen_before_the_sweep_records_the_breach_at_its_true_instant() -> None:
    bench = Bench()
    bench.give(critical())
    assert bench.says(meet(bench.due + HOUR)) == "clock.breached clock.met"
    assert bench.clock.breached_at == bench.due
    assert bench.clock.late_seconds == 3600
    assert bench.sweep(bench.due + DAY) == []


def test_met_at_the_due_moment_is_in_time_and_a_moment_later_is_late() -> None:
    for past, state in ((timedelta(), "met"), (timedelta(microseconds=1), "met_late")):
        bench = Bench()
        bench.give(critical())
        bench.give(meet(bench.due + past))
        assert bench.clock.state == state
        assert bool(bench.clock.late_seconds) == (state == "met_late")


def test_ends_before_the_start_are_kept() -> None:
    bench = Bench()
    assert bench.says(meet(FRIDAY + HOUR)) == "clock.end_noted"
    assert bench.clock.state is None
    assert bench.says(start()) == "clock.started clock.met"
    assert bench.clock.state == "met"
    unmarked = Bench()
    assert unmarked.says(meet(FRIDAY + HOUR, mark=False)) == ""
    assert unmarked.events == []


def test_the_limit_is_extended_by_working_days() -> None:
    bench = Bench()
    bench.give(start())
    extension = ExtendClock(target=clock_id("finish", SUBJECT), due_at=moment("2026-10-17"), reason="other")
    assert bench.says(extension) == "clock.rescheduled"
    assert bench.due == moment("2026-10-17")
    assert bench.clock.limit == "16wd"  # the make-up Saturday of 10-10 counts
    assert bench.says(extension) == "clock.not_longer"


def test_pause_moves_the_due_day_and_ends_by_itself() -> None:
    bench = Bench()
    bench.give(start())
    before = bench.due
    pause = PauseClock(target=clock_id("finish", SUBJECT), reason="court")
    assert bench.says(pause, moment("2026-09-21T09:00")) == "clock.paused"
    assert bench.clock.next_at == moment("2026-09-21T09:00") + 30 * DAY
    assert bench.sweep(moment("2026-10-10")) == []
    assert bench.says(ResumeClock(target=pause.target), moment("2026-09-23T09:00")) == "clock.resumed"
    assert bench.due > before
    assert bench.due == moment("2026-10-13")  # two working days later
    assert bench.says(ResumeClock(target=pause.target), moment("2026-09-24")) == "clock.not_paused"
    bench.give(pause, moment("2026-09-25T09:00"))
    assert "clock.resumed" in bench.sweep(moment("2026-12-31"))


def test_all_pauses_together_last_thirty_days_and_those_of_the_rule_do_not_count() -> None:
    bench, id_ = Bench(), clock_id("finish", SUBJECT)
    bench.give(start())
    held = HoldClock(target=id_, at=FRIDAY + HOUR, until=FRIDAY + 5 * DAY)
    bench.give(held, FRIDAY + HOUR)
    bench.give(ReleaseClock(target=id_, at=FRIDAY + 4 * DAY), FRIDAY + 4 * DAY)
    at = FRIDAY + 5 * DAY
    first = PauseClock(target=id_, reason="court", until=at + 20 * DAY)
    assert bench.says(first, at) == "clock.paused"
    bench.give(ResumeClock(target=id_), at + 18 * DAY)
    at += 19 * DAY
    assert pause_left(bench.clock) == 12 * DAY
    assert bench.says(first.model_copy(update={"until": at + 12 * DAY + HOUR}), at) == "clock.until"
    assert bench.says(first.model_copy(update={"until": None}), at) == "clock.paused"
    assert bench.clock.next_at == at + 12 * DAY
    assert bench.sweep(at + 12 * DAY) == ["clock.resumed"]
    assert bench.says(first, at + 12 * DAY) == "clock.pause_used"


def test_what_is_done_in_a_pause_is_done_in_time() -> None:
    bench = Bench()
    bench.give(start())
    bench.give(PauseClock(target=clock_id("finish", SUBJECT), reason="court"), FRIDAY + DAY)
    bench.give(meet(bench.due + DAY))
    assert bench.clock.state == "met"


@pytest.mark.parametrize(
    ("until", "reason", "code"),
    [
        (FRIDAY - DAY, "court", "clock.until"),
        (FRIDAY, "court", "clock.until"),
        (FRIDAY + 31 * DAY, "court", "clock.until"),
        (None, None, "clock.reason"),
        (None, "because", "clock.reason"),
        (FRIDAY + 2 * DAY, "court", "clock.paused"),
    ],
)
def test_pauses_need_a_reason_and_an_end(until: datetime | None, reason: str | None, code: str) -> None:
    bench = Bench()
    bench.give(start())
    pause = PauseClock(target=clock_id("finish", SUBJECT), reason=reason, until=until)
    assert bench.says(pause, FRIDAY) == code


def in_state(state: str) -> Bench:
    """An ordinary finish clock brought into that state, shortly after its start."""
    bench = Bench()
    bench.give(start())
    match state:
        case "paused":
            bench.give(PauseClock(target=clock_id("finish", SUBJECT), reason="court"), FRIDAY + HOUR)
        case "warned":
            assert bench.clock.warn_at is not None
            bench.sweep(bench.clock.warn_at)
        case "breached":
            bench.sweep(bench.due)
        case "met":
            bench.give(meet(FRIDAY + HOUR))
        case "met_late":
            bench.give(meet(bench.due + HOUR))
        case "cancelled":
            bench.give(cancel(FRIDAY + HOUR))
    assert bench.clock.state == state
    return bench


AFTER = FRIDAY + 2 * HOUR
PAUSE = PauseClock(target=clock_id("finish", SUBJECT), reason="court")
RESUME = ResumeClock(target=clock_id("finish", SUBJECT))
EXTEND = ExtendClock(target=clock_id("finish", SUBJECT), due_at=moment("2026-10-14"), reason="other")

CORRECTED, RUNS_ON = "clock.corrected clock.met", "clock.rescheduled"
COMMANDS = (meet(AFTER), cancel(AFTER), PAUSE, RESUME, EXTEND)
TABLE: dict[str, tuple[str, ...]] = {
    # meet, cancel, pause, resume, extend
    "running": ("clock.met", "clock.cancelled", "clock.paused", "clock.not_paused", RUNS_ON),
    "paused": ("clock.met", "clock.cancelled", "clock.paused", "clock.resumed", RUNS_ON),
    "warned": ("clock.met", "clock.cancelled", "clock.paused", "clock.not_paused", RUNS_ON),
    "breached": (CORRECTED, "clock.cancelled", "clock.breached", "clock.not_paused", "clock.breached"),
    "met": ("", "", "clock.ended", "clock.ended", "clock.ended"),
    "met_late": (CORRECTED, "clock.cancelled", "clock.ended", "clock.ended", "clock.ended"),
    "cancelled": ("", "", "clock.ended", "clock.ended", "clock.ended"),
}


@pytest.mark.parametrize("state", list(TABLE))
@pytest.mark.parametrize("column", range(len(COMMANDS)))
def test_every_state_with_every_command(state: str, column: int) -> None:
    assert in_state(state).says(COMMANDS[column], AFTER) == TABLE[state][column]


@pytest.mark.parametrize("state", list(TABLE))
def test_starting_again_is_asking_once_and_anew_runs_again(state: str) -> None:
    bench = in_state(state)
    assert bench.says(start()) == ""
    later = moment("2026-11-02T09:00")
    assert bench.says(start(at=later, anew="reopened"), later) == "clock.rescheduled"
    assert (bench.clock.state, bench.clock.round) == ("running", 2)
    assert (bench.clock.end, bench.clock.breached_at, bench.clock.late_seconds) == (None, None, 0)
    assert bench.due == moment("2026-11-17")
    assert bench.says(meet(FRIDAY + HOUR)) == ""  # of the round before


def test_critical_clocks_are_never_paused() -> None:
    bench = Bench()
    bench.give(critical())
    assert bench.says(PAUSE, FRIDAY + HOUR) == "clock.critical"


def test_next_years_working_days_are_provisional() -> None:
    bench = Bench()
    bench.give(start(at=moment("2026-12-28T09:00")))
    assert bench.clock.provisional
    kinds = [line.kind for line in explain(bench.clock).lines]
    assert "provisional" in kinds


def test_the_limit_of_a_referral_is_called_by_its_name_in_both_languages() -> None:
    bench = Bench()
    bench.give(start())
    rule = explain(bench.clock).lines[0]
    assert rule.zh == "办结反馈时限：10个工作日，系统默认（暂定，待确认）"
    assert rule.en == "limit of the answer: 10 working days, the system's default (assumed, to be confirmed)"


def test_the_explanation_says_the_rule_and_ends_at_the_due_day() -> None:
    bench = Bench()
    bench.give(start("L16", "30wd", urgency=None))
    explanation = explain(bench.clock)
    assert explanation.lines[0].kind == "rule"
    assert "法定" in explanation.lines[0].zh
    assert "民发〔2024〕57号" in (explanation.law or "")
    assert explanation.lines[-1].kind == "due"
    assert explanation.due_at == bench.due
    bench.give(meet(FRIDAY + HOUR, "L16"))
    assert explain(bench.clock).lines[-1].en.startswith("met in time")


MOMENTS = st.integers(-48, 480).map(lambda hours: FRIDAY + hours * HOUR)
ENDS = st.lists(st.tuples(st.booleans(), MOMENTS), max_size=4)


def final(bench: Bench) -> tuple[object, ...]:
    clock = bench.clock
    return clock.state, clock.due_at, clock.end, clock.breached_at, clock.late_seconds


@given(ENDS, st.sampled_from(["24h", "10wd", "3cd!"]), st.booleans(), st.data())
def test_any_order_of_arrival_gives_the_same_clock(
    ends: list[tuple[bool, datetime]], limit: str, sweeps_between: bool, data: st.DataObject
) -> None:
    commands: list[Command] = [start(limit=limit)]
    commands += [meet(at) if met else cancel(at) for met, at in ends]
    finals = set()
    for order in (commands, data.draw(st.permutations(commands)), data.draw(st.permutations(commands))):
        bench = Bench()
        for command in order:
            bench.give(command)
            if sweeps_between:
                bench.sweep(FRIDAY + 900 * HOUR)
        bench.sweep(FRIDAY + 900 * HOUR)
        finals.add(final(bench))
    assert len(finals) == 1


def test_every_pair_in_both_orders_with_a_sweep_anywhere() -> None:
    times = (FRIDAY - HOUR, FRIDAY + HOUR, FRIDAY + 24 * HOUR, FRIDAY + 25 * HOUR)
    for first in times:
        for second in times:
            commands = [critical(), meet(first), cancel(second), None]
            finals = set()
            for order in permutations(commands):
                bench = Bench()
                for command in order:
                    if command is None:
                        bench.sweep(FRIDAY + 100 * HOUR)
                    else:
                        bench.give(command)
                bench.sweep(FRIDAY + 100 * HOUR)
                finals.add(final(bench))
            assert len(finals) == 1, (first, second, finals)


class ClockMachine(RuleBasedStateMachine):
    """Time goes on; people meet, pause, resume, extend, reopen; the sweep comes late or not."""

    @initialize(limit=st.sampled_from(["10wd", "3wd", "24h", "30m"]), urgent=st.booleans())
    def begin(self, limit: str, urgent: bool) -> None:
        self.bench = Bench()
        self.now = FRIDAY
        self.breaches = 0
        self.bench.give(start(limit=limit, urgency="critical" if urgent else "ordinary"))

    @rule(hours=st.integers(1, 200))
    def time_passes(self, hours: int) -> None:
        self.now += hours * HOUR

    @rule()
    def sweep(self) -> None:
        self.bench.sweep(self.now)

    @rule(ago=st.integers(0, 100))
    def met(self, ago: int) -> None:
        self.bench.give(meet(self.now - ago * HOUR), self.now)

    @rule()
    def cancelled(self) -> None:
        self.bench.give(cancel(self.now), self.now)

    @rule(days=st.integers(1, 30))
    def pause(self, days: int) -> None:
        before = self.bench.clock
        self.bench.sweep(self.now)
        wish = PauseClock(target=clock_id("finish", SUBJECT), reason="other", until=self.now + days * DAY)
        paused = not isinstance(self.bench.give(wish, self.now), Refusal)
        assert not (paused and before.urgency == "critical")

    @rule()
    def resume(self) -> None:
        before = self.bench.clock.due_at
        self.bench.sweep(self.now)
        if not isinstance(
            self.bench.give(ResumeClock(target=clock_id("finish", SUBJECT)), self.now), Refusal
        ):
            assert before is not None
            assert self.bench.due >= before, "a pause never shortens"

    @precondition(lambda self: self.bench.clock.state in ("met", "met_late"))
    @rule()
    def reopen(self) -> None:
        self.bench.give(start(limit="10wd", at=self.now, anew="reopened"), self.now)

    @invariant()
    def the_fold_of_the_archive_is_the_state(self) -> None:
        folded = Clock()
        for event in self.bench.events:
            folded = CLOCK.evolve(folded, event)
        assert folded == self.bench.clock

    @invariant()
    def no_step_is_lost_and_none_is_doubled(self) -> None:
        clock = self.bench.clock
        assert (clock.next_at is None) or clock.state in ("running", "warned", "paused", "breached")
        if clock.state in ("running", "warned", "paused"):
            assert clock.next_at is not None, "an open clock always has a next step"
        rounds = self.rounds()
        assert all(sum(isinstance(e, ClockBreached) for e in each) <= 1 for each in rounds)

    def rounds(self) -> list[list[Event]]:
        """Events by round; a correction allows the breach to be recorded again."""
        rounds: list[list[Event]] = [[]]
        for event in self.bench.events:
            if event.type in ("clock.rescheduled", "clock.corrected"):
                rounds.append([])
            rounds[-1].append(event)
        return rounds


TestClockMachine = ClockMachine.TestCase


def test_the_true_instants_after_a_jump() -> None:
    """Notify was down for a month: every step stands at its own moment."""
    bench = Bench()
    bench.give(start())
    moments = [step.at for step in steps(bench.clock, FRIDAY + 60 * DAY)]
    assert moments == sorted(moments)
    assert moments[1] == bench.due
    assert len(moments) == 4
