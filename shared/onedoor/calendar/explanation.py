"""A deadline explained line by line: each stretch of days, whether it counts, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import groupby

from onedoor.calendar.days import Calendar, Day, Kind
from onedoor.calendar.limits import Limit, Pause, Unit, paused_days, standstills


class StepKind(StrEnum):
    """What a line of the count says."""

    START = "start"
    COUNTED = "counted"
    MAKE_UP = "make_up"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    STATUTORY = "statutory"
    PAUSED = "paused"
    MOVED = "moved"
    LAST_DAY = "last_day"
    PROVISIONAL = "provisional"
    DUE = "due"


@dataclass(frozen=True, slots=True)
class Step:
    """One line: its days (first to last), what they are, and how many of them it counts."""

    kind: StepKind
    first: date
    last: date
    counted: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Count:
    """What a deadline was counted from. `last_day`: of days and months, before it moved off a day off."""

    start: datetime
    limit: Limit
    pauses: tuple[Pause, ...]
    last_day: date | None
    calendar: Calendar


def explain(count: Count, due_on: date, due_at: datetime, provisional: bool) -> tuple[Step, ...]:
    """The lines of one count, in order of time."""
    lines = _hours(count, due_at) if count.last_day is None else _days(count, due_on)
    return (*lines, *_closing(count, due_on, due_at, provisional))


_ZH_WEEKDAY = "一二三四五六日"
_EN_HOLIDAYS = {
    "元旦": "New Year",
    "春节": "Spring Festival",
    "清明节": "Qingming",
    "劳动节": "Labour Day",
    "端午节": "Dragon Boat Festival",
    "中秋节": "Mid-Autumn Festival",
    "国庆节": "National Day",
}
_UNIT_ZH = {
    Unit.MINUTES: "分钟",
    Unit.HOURS: "小时",
    Unit.WORKING_DAYS: "个工作日",
    Unit.CALENDAR_DAYS: "日",
    Unit.MONTHS: "个月",
}
_IN_MONTHS = (Unit.MONTHS, Unit.MONTH_AFTER)


def limit_zh(limit: Limit) -> str:
    """The limit in Chinese words."""
    if limit.unit is Unit.IMMEDIATELY:
        return "立即"
    if limit.unit is Unit.MONTH_AFTER:
        return "次月内" if limit.amount == 1 else f"其后第{limit.amount}个月内"
    amount = f"{limit.amount}{_UNIT_ZH[limit.unit]}"
    return f"不少于{amount}" if limit.keep else f"每{amount}一次" if limit.recurring else amount


_UNIT_EN = {
    Unit.MINUTES: "minute",
    Unit.HOURS: "hour",
    Unit.WORKING_DAYS: "working day",
    Unit.CALENDAR_DAYS: "day",
    Unit.MONTHS: "month",
}


def limit_en(limit: Limit) -> str:
    """The limit in English words."""
    if limit.unit is Unit.IMMEDIATELY:
        return "immediately"
    if limit.unit is Unit.MONTH_AFTER:
        later = "month" if limit.amount == 1 else f"{limit.amount} months"
        return f"by the end of the {later} after"
    amount = f"{limit.amount} {_UNIT_EN[limit.unit]}{'s' if limit.amount > 1 else ''}"
    return f"at least {amount}" if limit.keep else f"once in every {amount}" if limit.recurring else amount


def _zh_day(day: date) -> str:
    return f"{day.month}月{day.day}日({_ZH_WEEKDAY[day.weekday()]})"


def _en_day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}"


def _zh_span(first: date, last: date) -> str:
    if first == last:
        return _zh_day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.month}月{first.day}–{last.day}日"
    return f"{first.month}月{first.day}日–{last.month}月{last.day}日"


def _en_span(first: date, last: date) -> str:
    return _en_day(first) if first == last else f"{_en_day(first)} – {_en_day(last)}"


def _hours(count: Count, due_at: datetime) -> Iterator[Step]:
    start = count.start
    yield Step(
        StepKind.START,
        start.date(),
        start.date(),
        0,
        f"{_zh_day(start.date())}{start:%H:%M}起算，{limit_zh(count.limit)}，昼夜及节假日不停",
        f"runs from {_en_day(start.date())} {start:%H:%M}, {limit_en(count.limit)}, never stops for "
        "nights or holidays",
    )
    for begins, ends in standstills(count.pauses):
        if ends > start and begins < due_at:
            yield Step(
                StepKind.PAUSED,
                begins.date(),
                ends.date(),
                0,
                f"{_zh_day(begins.date())}{begins:%H:%M}至{_zh_day(ends.date())}{ends:%H:%M} 暂停 不计",
                f"paused from {_en_day(begins.date())} {begins:%H:%M} to {_en_day(ends.date())} {ends:%H:%M}",
            )


def _days(count: Count, due_on: date) -> Iterator[Step]:
    start = count.start.date()
    yield Step(
        StepKind.START,
        start,
        start,
        0,
        f"{_zh_day(start)}起算，当日不计",
        f"{_en_day(start)}: start day, not counted",
    )
    last = count.last_day
    counted, told = 0, count.limit.unit is Unit.WORKING_DAYS
    for kind, name, days in _stretches(count, start, due_on):
        if last and not told and days[0] > last:
            yield from _last_day(count, last, due_on)
            told = True
        adds = len(days) if _counts(kind, count.limit.unit) else 0
        yield _stretch(kind, name, days, counted, adds, count.limit.unit)
        counted += adds
    if last and not told:
        yield from _last_day(count, last, due_on)


def _counts(kind: StepKind, unit: Unit) -> bool:
    return kind is StepKind.MAKE_UP or (kind is StepKind.COUNTED and unit not in _IN_MONTHS)


def _last_day(count: Count, last: date, due_on: date) -> Iterator[Step]:
    """Which day a count of calendar days or months ended on, where that is not plain from its lines."""
    months = count.limit.unit in _IN_MONTHS
    if not months and last == due_on:
        return
    zh, en = ("为期满之日", "last day of the months") if months else ("为末日", "last day")
    if last != due_on:
        info = count.calendar.describe(last)
        zh += f"，{info.name}放假" if info.name else "，周末"
        en += ", a holiday" if info.name else ", a weekend"
    yield Step(StepKind.LAST_DAY, last, last, 0, f"{_zh_day(last)} {zh}", f"{_en_day(last)}: {en}")


def _stretches(count: Count, start: date, due_on: date) -> Iterator[tuple[StepKind, str | None, list[date]]]:
    paused = paused_days(count.pauses)
    days = (start + timedelta(days=i) for i in range(1, (due_on - start).days + 1))

    def label(day: date) -> tuple[StepKind, str | None]:
        ordinal = day.toordinal()
        if any(first <= ordinal < end for first, end in paused):
            return StepKind.PAUSED, None
        return _label(count, day)

    for (kind, name), group in groupby(days, label):
        yield kind, name, list(group)


def _label(count: Count, day: date) -> tuple[StepKind, str | None]:
    """How an unpaused day is treated. Working days ask the calendar for each; others only after the last."""
    last = count.last_day
    assert last is not None
    if count.limit.unit is not Unit.WORKING_DAYS:
        if day <= last:
            return StepKind.COUNTED, None
        info = count.calendar.describe(day)
        return (StepKind.MOVED, None) if info.working else _day_off(info)
    info = count.calendar.describe(day)
    if info.kind is Kind.MAKE_UP:
        return StepKind.MAKE_UP, info.name
    return (StepKind.COUNTED, None) if info.working else _day_off(info)


def _day_off(info: Day) -> tuple[StepKind, str | None]:
    return StepKind(info.kind.value), info.name


def _stretch(kind: StepKind, name: str | None, days: list[date], before: int, adds: int, unit: Unit) -> Step:
    first, last = days[0], days[-1]
    zh, en = _reason(kind, name)
    if adds:
        zh += f" 第{before + 1}日" if adds == 1 else f" 第{before + 1}–{before + adds}日"
        en += f", day {before + 1}" if adds == 1 else f", days {before + 1} to {before + adds}"
    if kind is StepKind.COUNTED and unit in _IN_MONTHS:
        zh, en = "计入", "runs"
    if kind is StepKind.COUNTED and unit is Unit.WORKING_DAYS:
        zh, en = f"工作日{zh}", f"working {en.removeprefix(', ')}"
    zh, en = zh.strip(), en.removeprefix(", ")
    return Step(kind, first, last, adds, f"{_zh_span(first, last)} {zh}", f"{_en_span(first, last)}: {en}")


def _reason(kind: StepKind, name: str | None) -> tuple[str, str]:
    english = " and ".join(_EN_HOLIDAYS.get(part, part) for part in (name or "").split("、"))
    texts = {
        StepKind.COUNTED: ("", ""),
        StepKind.MAKE_UP: ("调休上班", "make-up working day"),
        StepKind.WEEKEND: ("周末 不计", "weekend, not counted"),
        StepKind.HOLIDAY: (f"{name}放假 不计", f"{english} holiday, not counted"),
        StepKind.STATUTORY: (
            f"{name}法定节假日（当年放假通知未公布） 不计",
            f"{english}, statutory day off (the year's notice is not out), not counted",
        ),
        StepKind.PAUSED: ("暂停 不计", "paused, not counted"),
        StepKind.MOVED: ("末日遇休息日，顺延至此", "moved here, the last day was a day off"),
    }
    return texts[kind]


def _closing(count: Count, due_on: date, due_at: datetime, provisional: bool) -> Iterator[Step]:
    if provisional:
        yield Step(
            StepKind.PROVISIONAL,
            due_on,
            due_on,
            0,
            "涉及尚未公布放假通知的年份，结果为暂定，通知公布后重算",
            "reaches a year whose holiday notice is not out: provisional, recomputed when it is",
        )
    at_midnight = count.last_day is not None
    zh_at = "24:00" if at_midnight else f"{due_at:%H:%M}"
    yield Step(
        StepKind.DUE,
        due_on,
        due_on,
        0,
        f"{_zh_day(due_on)}{zh_at}届满（{limit_zh(count.limit)}）",
        f"due by {_en_day(due_on)} {zh_at} ({limit_en(count.limit)})",
    )
