"""How long a duty may take, and when its clock stands still: the words of `onedoor due`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from onedoor.calendar.moments import local, moment
from onedoor.calendar.problems import CalendarProblem


class Unit(StrEnum):
    """Minutes and hours never stop for nights or holidays; days end at 24:00 of the last one."""

    MINUTES = "m"
    HOURS = "h"
    WORKING_DAYS = "wd"
    CALENDAR_DAYS = "cd"
    MONTHS = "mo"


_LIMIT = re.compile(r"([0-9]{1,6})(m|h|wd|cd|mo)(!?)", re.ASCII)
_MOST = 9_999


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount of a unit. `fixed`: calendar days whose last day never moves off a holiday (L17)."""

    amount: int
    unit: Unit
    fixed: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.amount <= _MOST:
            raise CalendarProblem("limit", f"is {self.amount}", f"give an amount from 1 to {_MOST}")
        if self.fixed and self.unit is not Unit.CALENDAR_DAYS:
            raise CalendarProblem("limit", "is fixed", "only calendar days can be, as in 3cd!")

    @classmethod
    def parse(cls, text: str) -> "Limit":
        """From `30m`, `2h`, `3wd`, `10cd`, `3cd!` (fixed) or `6mo`. Raises CalendarProblem."""
        found = _LIMIT.fullmatch(str(text).strip())
        if found is None:
            raise CalendarProblem("limit", "is not a limit", "write 30m, 2h, 3wd, 10cd, 3cd! or 6mo")
        return cls(int(found[1]), Unit(found[2]), bool(found[3]))

    @property
    def elapsed(self) -> timedelta | None:
        """The running time of minutes and hours; None for days and months."""
        if self.unit is Unit.MINUTES:
            return timedelta(minutes=self.amount)
        return timedelta(hours=self.amount) if self.unit is Unit.HOURS else None

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}{'!' if self.fixed else ''}"


@dataclass(frozen=True, slots=True)
class Pause:
    """From start until end the clock stands still; of days, those with date(start) <= day < date(end)."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if local(self.end) < local(self.start):
            raise CalendarProblem("pause", "ends before it starts", "write START/END in that order")

    @classmethod
    def parse(cls, text: str) -> "Pause":
        """From `START/END`, each a date or a moment. Raises CalendarProblem."""
        start, slash, end = str(text).partition("/")
        if not slash:
            raise CalendarProblem("pause", "has no end", "write START/END, as in 2026-07-08/2026-07-10")
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
