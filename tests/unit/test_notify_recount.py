"""What an imported notice does to a clock: both values, once, and never to what has ended or is overdue."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onedoor.calendar import (
    PACKAGED,
    SHANGHAI,
    almanac_of,
    moment,
    parse_notice,
    put_in_force,
)
from onedoor.contracts.events.notify import ClockRecomputed
from onedoor.notify.domain.clock import Clock, PauseClock, Recompute, ResumeClock, clock_id
from onedoor.notify.explanation import explain
from tests.notices import NOTICE_2027
from tests.unit.test_notify_clock import SUBJECT, Bench, cancel, meet, start

DAY = timedelta(days=1)
IMPORTED = almanac_of([(1, parse_notice(NOTICE_2027))])
NOTICE = "关于2027年部分节假日安排的通知（测试〔2026〕1号）"
BEFORE = moment("2027-02-01T10:00")
AFTER = BEFORE + DAY
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(autouse=True)
def packaged() -> Iterator[None]:
    yield
    put_in_force(PACKAGED)


def recount(duty: str = "finish") -> Recompute:
    return Recompute(target=clock_id(duty, SUBJECT), notice=NOTICE)


def counted(limit: str = "10wd", at: datetime = BEFORE, urgency: str = "ordinary") -> Bench:
    """A clock counted before the notice of 2027 came."""
    put_in_force(PACKAGED)
    bench = Bench()
    bench.give(start(limit=limit, at=at, urgency=urgency), at)
    put_in_force(IMPORTED)
    return bench


def test_both_values_are_published_and_the_clock_keeps_which_notice_it_was() -> None:
    bench = counted()
    assert bench.clock.provisional
    assert bench.due == moment("2027-02-18T00:00")
    assert bench.says(recount(), AFTER) == "clock.recomputed"
    (event,) = [event for event in bench.events if isinstance(event, ClockRecomputed)]
    assert (event.previous_due_at, event.due_at) == (moment("2027-02-18T00:00"), moment("2027-02-21T00:00"))
    assert (event.previously_provisional, event.provisional) == (True, False)
    assert (event.reason, event.notice, event.calendar) == ("calendar", NOTICE, 1)
    assert (bench.due, bench.clock.calendar) == (event.due_at, 1)
    told = explain(bench.clock)
    line = next(line for line in told.lines if line.kind == "recomputed")
    assert NOTICE in line.zh
    assert "由2027-02-17改为2027-02-20" in line.zh
    assert told.lines[-1].zh.startswith("2月20日(六)")


def test_a_count_that_stays_is_published_once_as_settled() -> None:
    bench = counted("2wd")
    due = bench.due
    assert bench.says(recount(), AFTER) == "clock.recomputed"
    assert (bench.due, bench.clock.provisional) == (due, False)
    assert bench.says(recount(), AFTER) == ""


@pytest.mark.parametrize("limit", ["24h", "30m", "3cd!", "1ma"])
def test_what_asks_for_no_day_is_not_touched(limit: str) -> None:
    bench = counted(limit)
    assert bench.clock.calendar is None
    assert bench.says(recount(), AFTER) == ""


def test_the_ended_and_the_overdue_are_never_rewritten() -> None:
    met = counted()
    met.give(meet(AFTER), AFTER)
    gone = counted()
    gone.give(cancel(AFTER), AFTER)
    overdue = counted("2wd")
    overdue.sweep(BEFORE + 10 * DAY)
    assert [bench.clock.state for bench in (met, gone, overdue)] == ["met", "cancelled", "breached"]
    for bench in (met, gone, overdue):
        before = bench.clock
        assert bench.says(recount(), BEFORE + 11 * DAY) == ""
        assert bench.clock == before


def test_a_warning_that_came_too_early_is_given_again_at_its_new_moment() -> None:
    bench = counted("6wd")
    assert bench.clock.warn_at is not None
    early = bench.clock.warn_at
    bench.sweep(early)
    assert bench.clock.state == "warned"
    bench.give(recount(), early + timedelta(hours=1))
    assert bench.clock.state == "running"
    assert bench.clock.next_at == bench.clock.warn_at > early  # type: ignore[operator]
    bench.sweep(bench.due)
    types = [event.type for event in bench.events]
    assert types.count("clock.warned") == 2
    assert types.count("clock.breached") == 1


def test_a_paused_clock_is_counted_again_and_goes_on_standing_still() -> None:
    bench = counted()
    until = BEFORE + 20 * DAY
    bench.give(PauseClock(target=clock_id("finish", SUBJECT), reason="court", until=until), AFTER)
    assert bench.says(recount(), AFTER + DAY) == "clock.recomputed"
    assert (bench.clock.state, bench.clock.next_at) == ("paused", until)
    bench.give(ResumeClock(target=clock_id("finish", SUBJECT)), BEFORE + 14 * DAY)
    fresh = Bench()
    fresh.give(start(at=BEFORE), BEFORE)
    assert bench.due > fresh.due
    assert not bench.clock.provisional


def test_an_amended_notice_moves_what_was_certain_before() -> None:
    """As in 2020, when the Spring Festival was made longer while it lasted."""
    bench = counted()
    bench.give(recount(), AFTER)
    longer = NOTICE_2027.replace("2027-02-05/2027-02-11", "2027-02-05/2027-02-14")
    put_in_force(almanac_of([(1, parse_notice(NOTICE_2027)), (2, parse_notice(longer))]))
    assert bench.says(recount(), AFTER + DAY) == "clock.recomputed"
    assert [recounted.calendar for recounted in bench.clock.recounts] == [1, 2]
    assert bench.due == moment("2027-02-23T00:00")


@patient
@given(
    limit=st.builds("{}{}".format, st.integers(1, 60), st.sampled_from(["wd", "cd", "mo"])),
    at=st.datetimes(datetime(2026, 10, 1), datetime(2027, 12, 1), timezones=st.just(SHANGHAI)),
)
def test_counting_again_gives_what_a_fresh_count_gives_and_nothing_the_second_time(
    limit: str, at: datetime
) -> None:
    bench = counted(limit, at)
    bench.give(recount(), at)
    fresh = Bench()
    fresh.give(start(limit=limit, at=at), at)
    assert moments(bench.clock) == moments(fresh.clock)
    assert bench.says(recount(), at) == ""
    told = explain(bench.clock)
    assert told.due_at == bench.due


def moments(clock: Clock) -> tuple[object, ...]:
    return (clock.due_at, clock.warn_at, clock.next_at, clock.provisional)
