"""How long a duty may take, and when its clock stands still: the words of `onedoor due`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from onedoor.calendar.moments import local, moment
from onedoor.calendar.problems import CalendarProblem


class Unit(StrEnum):
    """Minutes and hours never stop for nights or holidays; days end at 24:00 of the last one.

    MONTH_AFTER: until the end of the n-th month after that of the start ("from the month after", L7).
    """

    IMMEDIATELY = "now"
    MINUTES = "m"
    HOURS = "h"
    WORKING_DAYS = "wd"
    CALENDAR_DAYS = "cd"
    MONTHS = "mo"
    MONTH_AFTER = "ma"


_LIMIT = re.compile(r"([0-9]{1,6})(m|h|wd|cd|mo|ma)([!+*]?)", re.ASCII)
_MOST = 9_999
_ELAPSED = {Unit.IMMEDIATELY: timedelta(), Unit.MINUTES: timedelta(minutes=1), Unit.HOURS: timedelta(hours=1)}


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount of a unit.

    fixed: calendar days whose last day never moves off a holiday (L17); keep: no deadline but a time to be
    kept at least (publicity); recurring: once in every such period, the next begins where one ends.
    """

    amount: int
    unit: Unit
    fixed: bool = False
    keep: bool = False
    recurring: bool = False

    def __post_init__(self) -> None:
        least = 0 if self.unit is Unit.IMMEDIATELY else 1
        if not least <= self.amount <= (_MOST if least else 0):
            raise CalendarProblem(
                "limit", f"is {self.amount}", f"give an amount from 1 to {_MOST}",
                f"为{self.amount}", f"请填写1至{_MOST}之间的数",
            )  # fmt: skip
        if self.fixed and self.unit is not Unit.CALENDAR_DAYS:
            raise CalendarProblem(
                "limit", "is fixed", "only calendar days can be, as in 3cd!",
                "标为固定", "只有自然日可以固定，如 3cd!",
            )  # fmt: skip

    @classmethod
    @lru_cache(maxsize=1024)
    def parse(cls, text: str) -> "Limit":
        """From `30m`, `2h`, `3wd`, `10cd`, `6mo`, `1ma` (by the end of the month after) or `now`.

        A mark may follow: `3cd!` fixed, `7cd+` to be kept at least, `3mo*` in every such period.
        Raises CalendarProblem.
        """
        found = _LIMIT.fullmatch(str(text).strip())
        if found is not None:
            mark = found[3]
            return cls(int(found[1]), Unit(found[2]), mark == "!", mark == "+", mark == "*")
        if str(text).strip() == Unit.IMMEDIATELY:
            return cls(0, Unit.IMMEDIATELY)
        raise CalendarProblem(
            "limit", "is not a limit", "write 30m, 2h, 3wd, 10cd, 3cd!, 7cd+, 6mo, 3mo*, 1ma or now",
            "不是时限", "请写作 30m、2h、3wd、10cd、3cd!、7cd+、6mo、3mo*、1ma 或 now",
        )  # fmt: skip

    @property
    def elapsed(self) -> timedelta | None:
        """The running time of minutes and hours (none of what is due immediately); None for days, months."""
        unit = _ELAPSED.get(self.unit)
        return None if unit is None else unit * self.amount

    @property
    def moves(self) -> bool:
        """Whether a last day that is a day off moves to the next working day (民法典 art. 203)."""
        return self.unit in (Unit.CALENDAR_DAYS, Unit.MONTHS) and not self.fixed

    def __str__(self) -> str:
        mark = "!" if self.fixed else "+" if self.keep else "*" if self.recurring else ""
        return f"{self.amount}{self.unit}{mark}" if self.amount else str(self.unit)


@dataclass(frozen=True, slots=True)
class Pause:
    """From start until end the clock stands still; of days, those with date(start) <= day < date(end)."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if local(self.end) < local(self.start):
            raise CalendarProblem(
                "pause", "ends before it starts", "write START/END in that order",
                "结束早于开始", "请按先开始后结束填写",
            )  # fmt: skip

    @classmethod
    def parse(cls, text: str) -> "Pause":
        """From `START/END`, each a date or a moment. Raises CalendarProblem."""
        start, slash, end = str(text).partition("/")
        if not slash:
            raise CalendarProblem(
                "pause", "has no end", "write START/END, as in 2026-07-08/2026-07-10",
                "没有结束时间", "请写作 开始/结束，如 2026-07-08/2026-07-10",
            )  # fmt: skip
        return cls(moment(start, "pause"), moment(end, "pause"))


Span = tuple[int, int]
"""Paused days as ordinals: the first, and the day after the last."""


def paused_days(pauses: Iterable[Pause]) -> list[Span]:
    """The paused days of these pauses, merged, in order."""
    spans = ((local(p.start).toordinal(), local(p.end).toordinal()) for p in pauses)
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def standstills(pauses: Iterable[Pause]) -> list[tuple[datetime, datetime]]:
    """The exact intervals of these pauses, merged, in order; overlapping ones count once."""
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted((local(p.start), local(p.end)) for p in pauses):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif start < end:
            merged.append((start, end))
    return merged
