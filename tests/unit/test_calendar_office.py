"""Office time: when to warn and how long something was held."""

from datetime import datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onedoor.calendar import (
    OFFICE_HOURS,
    SHANGHAI,
    CalendarProblem,
    Limit,
    OfficeHours,
    Pause,
    due,
    moment,
    office_hours,
    office_minutes,
    office_time,
    parse_office_hours,
    warn_at,
)

# The machine may be busy: how long one example takes says nothing about the rule.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
moments = st.datetimes(datetime(2025, 1, 1), datetime(2027, 3, 1), timezones=st.just(SHANGHAI))
spans = st.integers(0, 60 * 24 * 40).map(lambda minutes: timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ("2026-07-06T10:00", "2026-07-06T11:30", 90),
        ("2026-07-06T11:00", "2026-07-06T15:00", 120),
        ("2026-07-06T17:00", "2026-07-07T10:00", 120),
        ("2026-07-03T17:00", "2026-07-06T10:00", 120),
        ("2026-09-19T08:00", "2026-09-21T00:00", 420),
        ("2026-10-01T08:00", "2026-10-08T00:00", 0),
        ("2026-07-06T10:00", "2026-07-06T09:00", 0),
        ("2026-07-06T12:30", "2026-07-06T13:30", 0),
    ],
)
def test_office_minutes(start: str, end: str, minutes: int) -> None:
    assert office_minutes(moment(start), moment(end)) == minutes


@patient
@given(moments, spans, spans)
def test_office_time_adds_up(start: datetime, first: timedelta, second: timedelta) -> None:
    middle, end = start + first, start + first + second
    assert office_time(start, middle) + office_time(middle, end) == office_time(start, end)


@pytest.mark.parametrize(
    ("start", "limit", "pauses", "warn"),
    [
        ("2026-07-06T10:00", "24h", [], "2026-07-07T05:12"),
        ("2026-07-06T10:00", "30m", [], "2026-07-06T10:24"),
        ("2026-07-06T00:00", "9cd", [], "2026-07-14T00:00"),
        # 180 + 240 minutes of the start day, 420 of the next: 80 % of 840 is 672.
        ("2026-07-06T09:00", "1wd", [], "2026-07-07T15:12"),
        ("2026-09-18T17:00", "1wd", [], "2026-09-20T16:24"),
        ("2026-09-18T20:00", "10wd", [], "2026-09-30T18:00"),
        ("2026-07-06T10:00", "10h", ["2026-07-06T12:00/2026-07-06T13:00"], "2026-07-06T19:00"),
        ("2026-07-06T18:00", "5wd", ["2026-07-08/2026-07-10"], "2026-07-14T18:00"),
    ],
)
def test_the_moment_of_warning(start: str, limit: str, pauses: list[str], warn: str) -> None:
    from_, parsed = moment(start), Limit.parse(limit)
    stood = [Pause.parse(text) for text in pauses]
    assert warn_at(from_, parsed, due(from_, parsed, stood), pauses=stood) == moment(warn)


@patient
@given(
    moments,
    st.sampled_from(["30m", "2h", "1wd", "3wd", "10wd", "45wd", "7cd", "3cd!", "6mo"]),
    st.floats(0.01, 1),
)
def test_a_warning_comes_after_the_start_and_never_after_the_end(
    start: datetime, text: str, fraction: float
) -> None:
    limit = Limit.parse(text)
    end = due(start, limit)
    warned = warn_at(start, limit, end, fraction)
    assert start <= warned <= end.due_at
    assert warned <= warn_at(start, limit, end, 1)
    if limit.unit == "wd":
        expected = office_time(start, end.due_at) * fraction
        assert abs(office_time(start, warned) - expected) <= timedelta(milliseconds=1)


def test_other_hours_move_the_warning() -> None:
    start, limit = moment("2026-07-06T20:00"), Limit.parse("1wd")
    nights = OfficeHours(((time(8), time(18)),))
    assert warn_at(start, limit, due(start, limit), office_hours=nights) == moment("2026-07-07T16:00")
    assert OFFICE_HOURS.length == timedelta(hours=7)


def test_impossible_hours_and_fractions_are_refused() -> None:
    with pytest.raises(CalendarProblem, match="office_hours"):
        OfficeHours(((time(9), time(12)), (time(11), time(18))))
    start, limit = moment("2026-07-06"), Limit.parse("1wd")
    with pytest.raises(CalendarProblem, match="fraction"):
        warn_at(start, limit, due(start, limit), 0)


def test_hours_are_data_per_department() -> None:
    assert office_hours("education") == office_hours() == OFFICE_HOURS
    text = '{default: ["09:00-12:00"], departments: {health: ["08:00-11:00", "13:00-15:00"]}}'
    hours = parse_office_hours(text)
    assert hours["health"].length == timedelta(hours=5)
    for wrong in ('["12:00-09:00"]', '["9 to 12"]', '["09:00-12:00", "11:00-13:00"]', "[]"):
        with pytest.raises(CalendarProblem, match=r"office_hours\.health"):
            parse_office_hours(text.replace('["08:00-11:00", "13:00-15:00"]', wrong))
