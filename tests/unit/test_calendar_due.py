"""Deadlines: tables of the known ones, and properties against a count from day to day."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onedoor.calendar import (
    CHINA,
    SHANGHAI,
    CalendarProblem,
    Limit,
    Pause,
    StepKind,
    announced,
    due,
    is_working,
    limit_en,
    limit_zh,
    moment,
    parse_notice,
    period_start,
)
from tests.notices import NOTICE_2027

# The machine may be busy: how long one example takes says nothing about the rule.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ONE_DAY = timedelta(days=1)
moments = st.datetimes(datetime(2023, 1, 1), datetime(2028, 1, 1), timezones=st.just(SHANGHAI))
near = st.integers(0, 60 * 24 * 90)
amounts = st.integers(1, 60)


@st.composite
def counts(draw: st.DrawFn, unit: str) -> tuple[datetime, Limit, list[Pause]]:
    start = draw(moments)
    pauses = []
    for _ in range(draw(st.integers(0, 3))):
        begin = start + timedelta(minutes=draw(near) - 60 * 24 * 5)
        pauses.append(Pause(begin, begin + timedelta(minutes=draw(near) // 4)))
    return start, Limit.parse(f"{draw(amounts)}{unit}"), pauses


def paused(day: date, pauses: Sequence[Pause]) -> bool:
    return any(pause.start.date() <= day < pause.end.date() for pause in pauses)


@pytest.mark.parametrize(
    ("start", "limit", "due_on"),
    [
        ("2026-02-09T10:15", "3wd", "2026-02-12"),
        ("2026-02-09T10:15", "5wd", "2026-02-14"),
        ("2026-09-18T09:00", "1wd", "2026-09-20"),
        ("2026-09-28T10:00", "7cd", "2026-10-08"),
        ("2026-10-03T02:15", "3cd!", "2026-10-06"),
        ("2026-10-03T02:15", "3cd", "2026-10-08"),
        ("2024-01-31", "1mo", "2024-02-29"),
        ("2026-01-19T10:00", "6mo", "2026-07-20"),
        ("2026-02-09T16:30Z", "1wd", "2026-02-11"),
    ],
)
def test_a_known_deadline(start: str, limit: str, due_on: str) -> None:
    end = due(moment(start), Limit.parse(limit))
    assert end.due_on == date.fromisoformat(due_on)
    assert end.due_at == moment(end.due_on) + ONE_DAY
    assert not end.provisional


@pytest.mark.parametrize(
    ("limit", "pauses", "due_at"),
    [
        ("30m", [], "2026-07-06T10:30"),
        ("2h", [], "2026-07-06T12:00"),
        (
            "2h",
            ["2026-07-06T11:00/2026-07-06T11:30", "2026-07-06T11:15/2026-07-06T12:00"],
            "2026-07-06T13:00",
        ),
        ("2h", ["2026-07-06T12:00/2026-07-06T18:00"], "2026-07-06T12:00"),
        ("2h", ["2026-07-06T09:00/2026-07-06T11:00"], "2026-07-06T13:00"),
        ("2h", ["2026-07-06T10:00/2026-07-06T11:00"], "2026-07-06T13:00"),
        (
            "2h",
            ["2026-07-06T11:59/2026-07-06T12:59", "2026-07-06T12:30/2026-07-06T14:00"],
            "2026-07-06T14:01",
        ),
    ],
)
def test_hours_stand_still_exactly(limit: str, pauses: list[str], due_at: str) -> None:
    end = due(moment("2026-07-06T10:00"), Limit.parse(limit), [Pause.parse(text) for text in pauses])
    assert end.due_at == moment(due_at)
    assert end.due_on == end.due_at.date()
    assert not end.provisional


@patient
@given(counts("wd"))
def test_working_days_agree_with_a_count_from_day_to_day(count: tuple[datetime, Limit, list[Pause]]) -> None:
    start, limit, pauses = count
    day, left = start.date(), limit.amount
    years = set()
    while left:
        day += ONE_DAY
        years.add(day.year)
        left -= is_working(day) and not paused(day, pauses)
    end = due(start, limit, pauses)
    assert (end.due_on, end.provisional) == (day, not all(map(announced, years)))


@patient
@given(counts("cd"))
def test_calendar_days_agree_with_a_count_from_day_to_day(count: tuple[datetime, Limit, list[Pause]]) -> None:
    start, limit, pauses = count
    day, left = start.date(), limit.amount
    while left:
        day += ONE_DAY
        left -= not paused(day, pauses)
    assert due(start, Limit.parse(f"{limit}!"), pauses).due_on == day
    years = {day.year}
    while paused(day, pauses) or not is_working(day):
        day += ONE_DAY
        years.add(day.year)
    end = due(start, limit, pauses)
    assert (end.due_on, end.provisional) == (day, not all(map(announced, years)))


@patient
@given(counts("h"))
def test_hours_run_for_exactly_the_limit(count: tuple[datetime, Limit, list[Pause]]) -> None:
    start, limit, pauses = count
    end = due(start, limit, pauses)
    edges = sorted({start, end.due_at, *(edge for p in pauses for edge in (p.start, p.end))})
    runs = [
        (b - a)
        for a, b in pairwise(edges)
        if start <= a and b <= end.due_at and not any(p.start <= a < p.end for p in pauses)
    ]
    assert sum(runs, timedelta()) == limit.elapsed


@patient
@given(st.one_of(*map(counts, ("wd", "cd", "mo", "h"))))
def test_more_is_never_earlier_and_a_pause_never_shortens(count: tuple[datetime, Limit, list[Pause]]) -> None:
    start, limit, pauses = count
    end = due(start, limit, pauses)
    assert start < end.due_at
    assert end.due_at <= due(start, Limit(limit.amount + 1, limit.unit), pauses).due_at
    assert due(start, limit).due_at <= end.due_at
    assert end.due_at <= due(start + timedelta(hours=7), limit, pauses).due_at


@patient
@given(st.one_of(*map(counts, ("wd", "cd", "mo"))))
def test_the_explanation_agrees_with_the_result(count: tuple[datetime, Limit, list[Pause]]) -> None:
    start, limit, pauses = count
    end = due(start, limit, pauses)
    steps = end.steps
    assert steps[0].kind is StepKind.START
    assert steps[-1].kind is StepKind.DUE
    assert steps[-1].last == end.due_on
    assert any(step.kind is StepKind.PROVISIONAL for step in steps) is end.provisional
    told = {StepKind.LAST_DAY, StepKind.PROVISIONAL, StepKind.DUE}
    lines = [step for step in steps if step.kind not in told]
    assert all(after.first == before.last + ONE_DAY for before, after in pairwise(lines))
    assert lines[-1].last == end.due_on
    if limit.unit != "mo":
        assert sum(step.counted for step in steps) == limit.amount
    assert all(step.zh and step.en for step in steps)


def test_the_explanation_speaks() -> None:
    lines = [step.zh for step in due(moment("2026-09-18T10:00"), Limit.parse("10wd")).steps]
    assert lines[:3] == [
        "9月18日(五)起算，当日不计",
        "9月19日(六) 周末 不计",
        "9月20日(日) 调休上班 第1日",
    ]
    assert "10月1–7日 国庆节放假 不计" in lines
    assert lines[-1] == "10月9日(五)24:00届满（10个工作日）"
    moved = [step.zh for step in due(moment("2026-09-28T10:00"), Limit.parse("7cd")).steps]
    assert "10月5日(一) 为末日，国庆节放假" in moved
    assert "10月8日(四) 末日遇休息日，顺延至此" in moved


def test_an_imported_notice_settles_what_was_provisional() -> None:
    notice = parse_notice(NOTICE_2027.replace("2027-01-01/2027-01-03", "2027-01-01/2027-01-05"))
    start, limit = moment("2026-12-30T10:00"), Limit.parse("2wd")
    assert due(start, limit).provisional
    settled = due(start, limit, calendar=CHINA.with_notice(notice))
    assert (settled.due_on, settled.provisional) == (date(2027, 1, 6), False)


def test_due_at_on_new_year_alone_is_not_provisional() -> None:
    assert not due(moment("2026-12-30"), Limit.parse("1wd")).provisional
    assert due(moment("2026-12-30"), Limit.parse("2wd")).provisional
    assert not due(moment("2026-12-31T20:00"), Limit.parse("24h")).provisional
    assert not due(moment("2026-12-31T20:00"), Limit.parse("3cd!")).provisional


@pytest.mark.parametrize(
    "text",
    ["", "3", "wd", "3 wd", "-1wd", "1.5h", "3WD", "0wd", "0now", "1now", "10000cd", "3wd!", "3cd!+", "３wd"],
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(CalendarProblem, match="limit"):
        Limit.parse(text)


@pytest.mark.parametrize("text", ["30m", "2h", "3wd", "10cd", "3cd!", "7cd+", "6mo", "3mo*", "1ma", "now"])
def test_a_limit_is_written_as_it_was_read(text: str) -> None:
    assert str(Limit.parse(text)) == text


@pytest.mark.parametrize(
    ("start", "limit", "due_at"),
    [
        ("2026-01-31T10:00", "1ma", "2026-03-01T00:00"),
        ("2026-04-14T10:00", "1ma", "2026-06-01T00:00"),
        ("2026-11-30T10:00", "3ma", "2027-03-01T00:00"),
        ("2026-10-03T02:15", "now", "2026-10-03T02:15"),
        ("2026-09-28T10:00", "7cd+", "2026-10-09T00:00"),
        ("2026-03-31T10:00", "3mo*", "2026-07-01T00:00"),
    ],
)
def test_the_month_after_what_is_immediate_what_is_kept_and_what_recurs(
    start: str, limit: str, due_at: str
) -> None:
    """The month after ends on its own last day: 31 May 2026 is a Sunday and moves nothing."""
    found = due(moment(start), Limit.parse(limit))
    assert found.due_at == moment(due_at)
    assert not found.provisional
    assert found.steps[-1].zh.endswith(f"（{limit_zh(Limit.parse(limit))}）")
    assert found.steps[-1].en.endswith(f"({limit_en(Limit.parse(limit))})")


@pytest.mark.parametrize(
    ("limit", "zh", "en"),
    [
        ("30m", "30分钟", "30 minutes"),
        ("1wd", "1个工作日", "1 working day"),
        ("7cd+", "不少于7日", "at least 7 days"),
        ("3cd!", "3日", "3 days"),
        ("3mo*", "每3个月一次", "once in every 3 months"),
        ("1ma", "次月内", "by the end of the month after"),
        ("now", "立即", "immediately"),
    ],
)
def test_a_limit_in_words(limit: str, zh: str, en: str) -> None:
    assert (limit_zh(Limit.parse(limit)), limit_en(Limit.parse(limit))) == (zh, en)


def test_periods_are_counted_from_the_first_one() -> None:
    first = moment("2026-01-31T10:00")
    starts = [period_start(first, Limit.parse("1mo*"), number) for number in (1, 2, 3)]
    assert starts == [first, moment("2026-02-28T10:00"), moment("2026-03-31T10:00")]


@pytest.mark.parametrize("text", ["2026-07-08", "2026-07-10/2026-07-08", "a/b", "2026-07-08/", ""])
def test_what_is_no_pause_is_refused(text: str) -> None:
    with pytest.raises(CalendarProblem, match="pause"):
        Pause.parse(text)


@pytest.mark.parametrize("text", ["2026-02-30", "tomorrow", "", "2026-13-01T10:00"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(CalendarProblem, match="from"):
        moment(text, "from")


def test_moments_are_shanghai_and_never_naive() -> None:
    assert moment("2026-07-06").isoformat() == "2026-07-06T00:00:00+08:00"
    assert moment("2026-07-06T20:00:00Z").isoformat() == "2026-07-07T04:00:00+08:00"
    assert due(datetime(2026, 7, 6, 20, tzinfo=UTC), Limit.parse("1wd")).due_on == date(2026, 7, 8)
    with pytest.raises(CalendarProblem, match="offset"):
        due(datetime(2026, 7, 6), Limit.parse("1wd"))


def test_a_count_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(CalendarProblem, match="9999"):
        due(moment("9999-12-01"), Limit.parse("40wd"))
    with pytest.raises(CalendarProblem, match="9999"):
        due(moment("9999-12-31T23:00"), Limit.parse("2h"))
