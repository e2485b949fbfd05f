"""Which numbers may be shown, so that none that is hidden can be computed from others.

The rule is fixed. Numbers are published of one table at a time (by department, by duty or by area) and of
whole months. In a month's table a group of fewer than five clocks is hidden, with as many of the next
smallest as it takes until two are hidden and they are five clocks together: the month's sum gives away no
less. What is said about several months is the sum of what is published of each, and names the months that
are left out.

So every answer is made of the same published numbers, and nothing hidden is in any of them. Two groupings
crossed, a filter, a part of a month would each be another way to the same sum, and are not given; who may see
the clocks themselves finds them at `figures/clocks`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from onedoor.notify.figures.timeliness import By, Key, Tally

SMALLEST = 5
"""A group of fewer clocks than this is hidden: in a village its people would be known."""


class Shown(NamedTuple):
    """The sum of what is published; without: the months in which it is hidden, YYYY-MM."""

    tally: Tally = Tally()
    without: tuple[str, ...] = ()

    @property
    def hidden(self) -> bool:
        """Whether there is something, and none of it may be shown."""
        return bool(self.without) and not self.tally.total


def published(found: Mapping[Key, Tally], by: Sequence[By]) -> tuple[dict[Key, Shown], Shown]:
    """The rows and the sum of all, of counts that are grouped by month and by one thing at most."""
    months: defaultdict[str, dict[Key, Tally]] = defaultdict(dict)
    for key, counts in found.items():
        months[key.month or ""][key] = counts
    rows: dict[Key, Shown] = {}
    total = Shown()
    for month in sorted(months):
        table = months[month]
        small = hidden(table)
        for key in sorted(table, key=key_text):
            name = Key(**{each: getattr(key, each) for each in by})
            rows[name] = _with(rows.get(name, Shown()), month, None if key in small else table[key])
        whole = sum(table.values(), Tally())
        total = _with(total, month, None if 0 < whole.total < SMALLEST else whole)
    return rows, total


def _with(before: Shown, month: str, counts: Tally | None) -> Shown:
    if counts is None:
        return Shown(before.tally, (*before.without, month))
    return Shown(before.tally + counts, before.without)


def hidden(table: Mapping[Key, Tally]) -> frozenset[Key]:
    """The groups of one month's table that may not be shown."""
    by_size = sorted(table, key=lambda key: (table[key].total, key_text(key)))
    small = [key for key in by_size if table[key].total < SMALLEST]
    while small and len(small) < len(by_size) and not _safe([table[key].total for key in small]):
        small = by_size[: len(small) + 1]
    return frozenset(small)


def _safe(sizes: Sequence[int]) -> bool:
    """Whether their sum, which can be told from the others, tells of nobody."""
    return len(sizes) > 1 and sum(sizes) >= SMALLEST


def key_text(key: Key) -> tuple[str, ...]:
    """A key in an order that does not mind what is absent."""
    return tuple(part or "" for part in key)
