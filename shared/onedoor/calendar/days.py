"""Which days are working days: one numbered table a year, built when a day of it is first asked.

The n-th working day after another is found by looking up two numbers, without a walk from day to day.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, date
from enum import StrEnum
from itertools import accumulate

from onedoor.calendar.notices import Notice, packaged_notice, statutory_days


class Kind(StrEnum):
    """What a day is. `statutory`: off by regulation, in a year whose notice is not out yet."""

    WORKDAY = "workday"
    MAKE_UP = "make_up"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    STATUTORY = "statutory"

    @property
    def working(self) -> bool:
        return self in (Kind.WORKDAY, Kind.MAKE_UP)


@dataclass(frozen=True, slots=True)
class Day:
    """A day explained: its kind, the holiday it belongs to, and whether its year is announced."""

    day: date
    kind: Kind
    name: str | None
    announced: bool

    @property
    def working(self) -> bool:
        return self.kind.working


@dataclass(frozen=True, slots=True)
class YearTable:
    """One year. `rank[i]`: working days up to and with day i; `ordinals[k]`: the k-th working day, from 0."""

    year: int
    first: int
    announced: bool
    kinds: tuple[Kind, ...]
    names: dict[date, str]
    rank: tuple[int, ...]
    ordinals: tuple[int, ...]


class Calendar:
    """Working days of every year, from notices as they are known now.

    notice_of: the notice of a year, or None while it is not out. A calendar never changes; `with_notice`
    gives another one, so that a count can be made before and after an import.
    """

    def __init__(self, notice_of: Callable[[int], Notice | None] = packaged_notice) -> None:
        self._notice_of = notice_of
        self._tables: dict[int, YearTable] = {}

    def notice(self, year: int) -> Notice | None:
        """The notice of this year, as it is known."""
        return self._notice_of(year)

    def with_notice(self, notice: Notice) -> "Calendar":
        """The same calendar, with this notice in place of what was known of its year."""
        known = self._notice_of
        return Calendar(lambda year: notice if year == notice.year else known(year))

    def table(self, year: int) -> YearTable:
        """The table of a year, built once. Raises OverflowError beyond the year 9999."""
        table = self._tables.get(year)
        if table is None:
            if year > MAXYEAR:
                raise OverflowError(f"year {year}")
            table = self._tables[year] = self._build(year)
        return table

    def is_working(self, day: date) -> bool:
        """Whether offices work: a weekday that is not off, or a make-up day (调休)."""
        table = self.table(day.year)
        return table.kinds[day.toordinal() - table.first].working

    def announced(self, year: int) -> bool:
        """Whether the State Council's notice of this year is known."""
        return self.table(year).announced

    def describe(self, day: date) -> Day:
        """The day with its kind and the name of its holiday."""
        table = self.table(day.year)
        kind = table.kinds[day.toordinal() - table.first]
        return Day(day, kind, table.names.get(day), table.announced)

    def nth_working(self, after: int, n: int) -> int:
        """Ordinal of the n-th working day (n >= 1) after the day with ordinal `after`."""
        table = self.table(date.fromordinal(after).year)
        rank = table.rank[after - table.first] + n
        while rank > len(table.ordinals):
            rank -= len(table.ordinals)
            table = self.table(table.year + 1)
        return table.ordinals[rank - 1]

    def count_working(self, after: int, upto: int) -> int:
        """How many working days lie after the day with ordinal `after`, up to and with `upto`."""
        start, end = date.fromordinal(after).year, date.fromordinal(upto).year
        between = sum(len(self.table(year).ordinals) for year in range(start, end))
        return between + self._rank(upto) - self._rank(after)

    def all_announced(self, first: int, last: int) -> bool:
        """Whether the notice of every year from the one ordinal's to the other's is known."""
        start, end = date.fromordinal(first).year, date.fromordinal(last).year
        return all(self.table(year).announced for year in range(start, end + 1))

    def _rank(self, ordinal: int) -> int:
        table = self.table(date.fromordinal(ordinal).year)
        return table.rank[ordinal - table.first]

    def _build(self, year: int) -> YearTable:
        notice, following = self._notice_of(year), self._notice_of(year + 1)
        make_up = _of_year(year, notice.make_up if notice else {}, following.make_up if following else {})
        # The regulation's own days stand until a notice for the year replaces them by its full list.
        own_off = notice.off if notice else statutory_days(year)
        off = _of_year(year, own_off, following.off if following else {})
        kind_off = Kind.HOLIDAY if notice else Kind.STATUTORY
        first = date(year, 1, 1).toordinal()
        days = [date.fromordinal(i) for i in range(first, date(year, 12, 31).toordinal() + 1)]
        kinds = tuple(_kind(day, off, make_up, kind_off) for day in days)
        working = [kind.working for kind in kinds]
        return YearTable(
            year=year,
            first=first,
            announced=notice is not None,
            kinds=kinds,
            names={**off, **make_up},
            rank=tuple(accumulate(map(int, working))),
            ordinals=tuple(first + i for i, works in enumerate(working) if works),
        )


def _of_year(year: int, *notices: Mapping[date, str]) -> dict[date, str]:
    """What several notices say of the days of one year; a later notice may touch the December before."""
    return {day: name for days in notices for day, name in days.items() if day.year == year}


def _kind(day: date, off: dict[date, str], make_up: dict[date, str], kind_off: Kind) -> Kind:
    if day in make_up:
        return Kind.MAKE_UP
    if day in off:
        return kind_off
    return Kind.WEEKEND if day.weekday() >= 5 else Kind.WORKDAY


CHINA = Calendar()
is_working = CHINA.is_working
announced = CHINA.announced
describe = CHINA.describe
