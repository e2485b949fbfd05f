"""The calendar in force in this process: the packaged notices, and those imported since.

It is the one thing that counting asks besides its arguments, where none is given; it changes only where a
notice is imported. A clock keeps the edition it was counted by, so that one counted by an older edition is
found and counted again.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from onedoor.calendar.days import CHINA, Calendar
from onedoor.calendar.notices import Notice


@dataclass(frozen=True, slots=True)
class Almanac:
    """A calendar and its edition: 0 as packaged, then the number of the last imported notice.

    imported: how many imported notices it holds; where fewer than the edition, others are still to be told.
    """

    calendar: Calendar
    edition: int
    imported: int = 0


PACKAGED = Almanac(CHINA, 0)
_in_force = PACKAGED


def in_force() -> Almanac:
    """The almanac by which this process counts."""
    return _in_force


def put_in_force(almanac: Almanac) -> None:
    """Count by this almanac from now on."""
    global _in_force
    _in_force = almanac


def almanac_of(imported: Iterable[tuple[int, Notice]]) -> Almanac:
    """The packaged calendar with these notices, given in the order of their editions."""
    calendar, last, count = CHINA, 0, 0
    for edition, notice in imported:
        calendar, last, count = calendar.with_notice(notice), edition, count + 1
    return Almanac(calendar, last, count)
