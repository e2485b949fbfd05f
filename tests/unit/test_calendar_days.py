"""Which days are working days, and what a notice may say."""

from datetime import date, timedelta

import chinese_calendar
import pytest

from onedoor.calendar import (
    CHINA,
    Calendar,
    CalendarProblem,
    Kind,
    announced,
    describe,
    is_working,
    parse_notice,
)
from tests.notices import NOTICE_2027


def days_of(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + timedelta(days=i) for i in range((date(year, 12, 31) - first).days + 1)]


@pytest.mark.parametrize("year", range(2020, 2027))
def test_every_day_agrees_with_an_independent_oracle(year: int) -> None:
    assert announced(year)
    assert [day for day in days_of(year) if is_working(day) is not chinese_calendar.is_workday(day)] == []


@pytest.mark.parametrize(
    ("day", "kind", "name"),
    [
        ("2026-09-18", Kind.WORKDAY, None),
        ("2026-09-19", Kind.WEEKEND, None),
        ("2026-09-20", Kind.MAKE_UP, "国庆节"),
        ("2026-09-27", Kind.HOLIDAY, "中秋节"),
        ("2027-02-05", Kind.STATUTORY, "春节"),
        ("2027-02-09", Kind.WORKDAY, None),
        ("2028-10-03", Kind.STATUTORY, "国庆节、中秋节"),
        ("2031-05-02", Kind.STATUTORY, "劳动节"),
    ],
)
def test_a_day_is_described(day: str, kind: Kind, name: str | None) -> None:
    described = describe(date.fromisoformat(day))
    assert (described.kind, described.name, described.working) == (kind, name, kind.working)
    assert described.announced is (described.day.year <= 2026)


def test_a_notice_makes_another_calendar_and_leaves_the_first() -> None:
    known = CHINA.with_notice(parse_notice(NOTICE_2027))
    assert known.announced(2027)
    assert not known.is_working(date(2027, 2, 10))
    assert known.describe(date(2027, 2, 20)).kind is Kind.MAKE_UP
    assert known.is_working(date(2027, 5, 3))
    assert not CHINA.announced(2027)
    assert CHINA.is_working(date(2027, 2, 10))


def test_a_notice_may_touch_the_december_before() -> None:
    text = NOTICE_2027.replace('"2027-01-01/2027-01-03"', '"2026-12-31/2027-01-03", make_up: ["2026-12-27"]')
    known = CHINA.with_notice(parse_notice(text))
    assert known.describe(date(2026, 12, 31)).kind is Kind.HOLIDAY
    assert known.describe(date(2026, 12, 27)).kind is Kind.MAKE_UP


def test_an_unknown_calendar_still_has_weekends_and_fixed_days() -> None:
    nothing = Calendar(lambda year: None)
    assert not nothing.announced(2026)
    assert not nothing.is_working(date(2026, 10, 1))
    assert nothing.is_working(date(2026, 10, 5))


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("year: 2027", "", "year"),
        ('"2027-01-01/2027-01-03"', '"2027-02-30"', "holidays[0].days_off"),
        ('"2027-01-01/2027-01-03"', '"2027-01-03/2027-01-01"', "holidays[0].days_off"),
        ('"2027-01-01/2027-01-03"', '"2026-11-30"', "holidays[0].days_off"),
        ('"2027-01-01/2027-01-03"', '"2027-02-05"', "holidays[1].days_off"),
        ('"2027-02-20"', '"2027-02-10"', "holidays"),
        ('"2027-02-20"', '"2027-02-22"', "make_up"),
        ("number: 测试〔2026〕1号, ", "", "sources[0].number"),
        ("holidays:", "holiday:", "holidays"),
        ("holidays:", "law: 国办发明电\nholidays:", "file.law"),
        ('make_up: ["2027-02-20"]', 'makeup: ["2027-02-20"]', "holidays[1].makeup"),
        ("number: 测试", "page: 1, number: 测试", "sources[0].page"),
        ("year: 2027", "year: [", "file"),
        ("year: 2027", "year: 20270", "year"),
        ('"2027-06-09"', '"2027-06-10"', "holidays"),
        ('"2027-10-01/2027-10-07"', '"2027-10-01/2027-11-07"', "holidays[6].days_off"),
    ],
)
def test_a_wrong_notice_names_the_field_and_the_remedy(old: str, new: str, field: str) -> None:
    with pytest.raises(CalendarProblem) as problem:
        parse_notice(NOTICE_2027.replace(old, new))
    assert problem.value.field == field
    assert problem.value.remedy
    assert problem.value.remedy_zh != "请更正"
