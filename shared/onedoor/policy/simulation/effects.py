"""What a change does, counted by street and tier, with small groups hidden."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from onedoor.policy.rules.values import sums

SMALLEST_GROUP = 5
"""Fewer households are not told apart: they might be recognised."""

HOUSEHOLDS, GAINING, LOSING, GAINED, LOST = range(5)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProgrammeCost(_Part):
    """What a programme pays in a month before and after, fen, and how many households it pays.

    What is None is hidden: it counts too few, or would tell by subtraction what so few gain or lose.
    """

    programme: str
    before_fen: int | None
    after_fen: int | None
    households_before: int | None
    households_after: int | None


class Group(_Part):
    """Some households: how many gain and lose, and how much a month, fen.

    What is None is hidden: it counts too few, or would tell by subtraction what does.
    """

    street: str | None = None
    tier: str | None = None
    households: int | None
    gaining: int | None
    losing: int | None
    gained_fen: int | None
    lost_fen: int | None


class Effect(_Part):
    """The effect of a change on a whole register, per month.

    `cost_fen` is negative where it saves, and None where it would tell what too few gain or lose.
    """

    cost_fen: int | None
    total: Group
    programmes: tuple[ProgrammeCost, ...]
    by_street: tuple[Group, ...]
    by_tier: tuple[Group, ...]
    by_street_and_tier: tuple[Group, ...]


class Paid(NamedTuple):
    """What a programme pays each household of a chunk, fen a month, how much that is, and to how many."""

    fen: Any
    total: int
    households: int

    @classmethod
    def of(cls, fen: Any) -> "Paid":
        return cls(fen, int(fen.sum()), int(np.count_nonzero(fen)))


class Cells:
    """Which cell of street and tier each household of a chunk is in, ready for summing."""

    def __init__(self, streets: Any, tiers: Any, number_of_tiers: int) -> None:
        cell = np.asarray(streets, dtype=np.int64) * number_of_tiers + tiers
        found, self._cell, self._households = np.unique(cell, return_inverse=True, return_counts=True)
        self.keys = list(
            zip((found // number_of_tiers).tolist(), (found % number_of_tiers).tolist(), strict=True)
        )

    def sums(self, change: Any) -> Any:
        """Per cell: households, gaining, losing, gained, lost."""
        gaining, losing = np.flatnonzero(change > 0), np.flatnonzero(change < 0)
        cells, number = (self._cell[gaining], self._cell[losing]), len(self.keys)
        columns = (
            self._households,
            *(np.bincount(each, minlength=number) for each in cells),
            sums(cells[0], change[gaining], number),
            sums(cells[1], -change[losing], number),
        )
        return np.stack(columns, axis=1)

    def counts(self, marked: Any) -> Any:
        """Per cell: how many of the marked households."""
        return np.bincount(self._cell[np.flatnonzero(marked)], minlength=len(self.keys))


class Tally:
    """Adds chunk to chunk. `others`: how many variants were told before and may be subtracted from this."""

    def __init__(self, tiers: tuple[str, ...], others: int = 0) -> None:
        self.tiers = tiers
        self._cells: dict[tuple[int, int], np.ndarray[Any, Any]] = {}
        self._programmes: dict[str, np.ndarray[Any, Any]] = {}
        self._apart: list[Counter[tuple[int, int]]] = [Counter() for _ in range(2 * others)]
        self._paid_apart: list[Counter[str]] = [Counter() for _ in range(2 * others)]

    def add(
        self,
        cells: Cells,
        before: Mapping[Any, Paid],
        after: Mapping[Any, Paid],
        others: Sequence[Mapping[Any, Paid]] = (),
    ) -> None:
        """One chunk: payments by programme, now, by this variant and by each that was told before."""
        change = np.zeros(len(next(iter(before.values())).fen), dtype=np.int64)
        for programme, paid in before.items():
            then, changed = after[programme], 0
            if then is not paid:
                difference = then.fen - paid.fen
                changed = int(np.count_nonzero(difference))
                change += difference
            row = (paid.total, then.total, paid.households, then.households, changed)
            self._programmes[programme] = self._programmes.get(programme, 0) + np.array(row, dtype=np.int64)
        for key, row in zip(cells.keys, cells.sums(change), strict=True):
            self._cells[key] = self._cells.get(key, 0) + row
        for number, other in enumerate(others):
            self._compare(number, cells, change, before, after, other)

    def _compare(
        self,
        number: int,
        cells: Cells,
        change: Any,
        before: Mapping[Any, Paid],
        after: Mapping[Any, Paid],
        other: Mapping[Any, Paid],
    ) -> None:
        """Whom this variant pays otherwise than another one, and who is paid, gains or loses by one of them
        alone: by cell and by programme. change: what each household gains by this one, fen a month."""
        amounts, paid_by_one = self._paid_apart[2 * number : 2 * number + 2]
        apart = np.zeros(len(change), dtype=bool)
        theirs = np.zeros_like(change)
        for programme, paid in after.items():
            then = other[programme]
            if then is paid is before[programme]:
                continue
            theirs += then.fen - before[programme].fen
            differs = paid.fen != then.fen
            amounts[programme] += int(np.count_nonzero(differs))
            paid_by_one[programme] += int(np.count_nonzero((paid.fen > 0) != (then.fen > 0)))
            apart |= differs
        ways_apart = np.sign(change) != np.sign(theirs)
        for place, marked in enumerate((apart, ways_apart), start=2 * number):
            for key, count in zip(cells.keys, cells.counts(marked).tolist(), strict=True):
                self._apart[place][key] += count

    def effect(self) -> Effect:
        """What has been added, with small groups hidden."""
        streets = sorted({street for street, _ in self._cells})
        table = np.zeros((len(streets), len(self.tiers), 5), dtype=np.int64)
        aparts = np.zeros((len(self._apart), len(streets), len(self.tiers)), dtype=np.int64)
        for (street, tier), row in self._cells.items():
            table[streets.index(street), tier] = row
            for number, counted in enumerate(self._apart):
                aparts[number, streets.index(street), tier] = counted[street, tier]
        shown = _shown(_with_margins(table), [_with_margins(each) for each in aparts])
        names = [f"{street:09d}" for street in streets]
        cells = [
            _group(shown[row][column], names[row], self.tiers[column])
            for row, column in np.ndindex(table.shape[:2])
            if table[row, column, HOUSEHOLDS] > 0
        ]
        total = _group(shown[-1][-1])
        paid_apart = [[each[name] for name in self._programmes] for each in self._paid_apart]
        programmes, cost = _costs(self._programmes, paid_apart, total.gaining is None or total.losing is None)
        return Effect(
            cost_fen=cost,
            total=total,
            programmes=programmes,
            by_street=tuple(_group(shown[row][-1], street=name) for row, name in enumerate(names)),
            by_tier=tuple(_group(shown[-1][column], tier=name) for column, name in enumerate(self.tiers)),
            by_street_and_tier=tuple(cells),
        )


def _costs(
    rows: dict[str, Any], paid_apart: Sequence[Sequence[int]], hide_sum: bool
) -> tuple[tuple[ProgrammeCost, ...], int | None]:
    """What each programme costs and what all of them cost more, hidden where too few are paid or changed, or
    paid otherwise than by an earlier variant.

    A programme's difference is hidden with one of its sides; all differences add up to the whole one.
    """
    table = np.array(list(rows.values()))
    paid_before, paid_after, changed = table[:, 2], table[:, 3], table[:, 4]
    own = (changed > 0) & (_small(paid_before) | _small(paid_after))
    lines = [np.array([[*each, sum(each)]]) for each in (changed.tolist(), *paid_apart)]
    hides = hidden_together(lines, np.append(own, hide_sum)[np.newaxis])[0]
    programmes = tuple(
        _cost(name, row, bool(hide)) for (name, row), hide in zip(rows.items(), hides[:-1], strict=True)
    )
    return programmes, None if hides[-1] else int((table[:, 1] - table[:, 0]).sum())


def _cost(name: str, row: Any, hides_difference: bool) -> ProgrammeCost:
    before, after, paid_before, paid_after = (int(value) for value in row[:4])
    hides_before = bool(_small(paid_before))
    hides_after = bool(_small(paid_after)) or (hides_difference and not hides_before)
    return ProgrammeCost(
        programme=name,
        before_fen=None if hides_before else before,
        after_fen=None if hides_after else after,
        households_before=None if hides_before else paid_before,
        households_after=None if hides_after else paid_after,
    )


def _group(values: list[int | None], street: str | None = None, tier: str | None = None) -> Group:
    return Group(
        street=street,
        tier=tier,
        households=values[HOUSEHOLDS],
        gaining=values[GAINING],
        losing=values[LOSING],
        gained_fen=values[GAINED],
        lost_fen=values[LOST],
    )


def _small(count: Any) -> Any:
    return (count > 0) & (count < SMALLEST_GROUP)


def _with_margins(table: Any) -> Any:
    """The table with the sums of its lines as last row and column."""
    rows = np.concatenate([table, table.sum(axis=0, keepdims=True)], axis=0)
    return np.concatenate([rows, rows.sum(axis=1, keepdims=True)], axis=1)


def _shown(table: Any, aparts: Sequence[Any]) -> list[list[list[int | None]]]:
    """The table's values, None where hidden; `aparts` count whom variants told before pay otherwise."""
    households = hidden(table[..., HOUSEHOLDS])
    gaining, losing = (
        hidden_together([table[..., column], *aparts], households) for column in (GAINING, LOSING)
    )
    masks = np.stack([households, gaining, losing, gaining, losing], axis=-1)
    return [
        [
            [None if hides else int(value) for value, hides in zip(cell, cell_masks, strict=True)]
            for cell, cell_masks in zip(row, row_masks, strict=True)
        ]
        for row, row_masks in zip(table, masks, strict=True)
    ]


Place = tuple[int, int]
Line = list[Place]
Node = tuple[str, int]


def hidden_together(tables: Sequence[Any], also: Any) -> Any:
    """Where nothing must be shown so that no small count of any of the tables is given away."""
    mask, before = np.array(also, dtype=bool), None
    while before is None or not np.array_equal(mask, before):
        before = mask
        for counts in tables:
            mask = hidden(counts, mask)
    return mask


def hidden(counts: Any, also: Any = False) -> Any:
    """Where a table with margins must not be shown: small counts, and what would give them away.

    From a line's margin and what is shown of it follows the sum of what is hidden in it; that sum is no small
    one. From several lines no single hidden value follows.
    """
    mask = _small(counts) | also
    while told := _telling(counts, mask):
        added = {place for line in told if (place := _companion(counts, mask, line)) is not None}
        if not added:
            break
        for place in added:
            mask[place] = True
    return mask


def _telling(counts: Any, mask: Any) -> list[Line]:
    """The lines in which more must be hidden."""
    rows, columns = _lines(counts.shape)
    small = [line for line in (*rows, *columns) if _tells_few(counts, mask, line)]
    return small or [_wider(counts, mask, rows[row], columns[column]) for row, column in following(mask)]


def _lines(shape: tuple[int, ...]) -> tuple[list[Line], list[Line]]:
    rows, columns = shape
    return (
        [[(row, column) for column in range(columns)] for row in range(rows)],
        [[(row, column) for row in range(rows)] for column in range(columns)],
    )


def _tells_few(counts: Any, mask: Any, line: Line) -> bool:
    *inner, margin = line
    return not mask[margin] and bool(_small(sum(int(counts[place]) for place in inner if mask[place])))


def _wider(counts: Any, mask: Any, row: Line, column: Line) -> Line:
    """Of a place's row and column the one with fewer hidden that can hide more."""
    able = [line for line in (row, column) if _companion(counts, mask, line) is not None]
    return min(able, key=lambda line: sum(bool(mask[place]) for place in line), default=row)


def _companion(counts: Any, mask: Any, line: Line) -> Place | None:
    """The smallest other count of a line that is shown; None if all others are zero."""
    others = [place for place in line if not mask[place] and counts[place] > 0]
    return min(others, key=lambda place: int(counts[place]), default=None)


def following(mask: Any) -> list[Place]:
    """The hidden places whose values follow from the margins and all that is shown.

    Rows and columns are nodes, hidden places edges: a value is free if its edge lies on a circle. Every edge
    beside a spanning tree closes one; a tree's edge over which no such one reaches lies on none.
    """
    edges: dict[Node, list[tuple[Node, Place]]] = {}
    for row, column in np.argwhere(mask).tolist():
        for here, there in ((("row", row), ("column", column)), (("column", column), ("row", row))):
            edges.setdefault(here, []).append((there, (row, column)))
    order, way_in = _spanning(edges)
    tree = {place for place, _ in way_in.values()}
    reach = dict.fromkeys(edges, 0)
    for number, (row, column) in enumerate(
        sorted({place for ways in edges.values() for _, place in ways} - tree)
    ):
        reach["row", row] ^= 1 << number
        reach["column", column] ^= 1 << number
    found = []
    for node in reversed(order):
        if node in way_in:
            place, before = way_in[node]
            reach[before] ^= reach[node]
            if reach[node] == 0:
                found.append(place)
    return sorted(found)


def _spanning(
    edges: dict[Node, list[tuple[Node, Place]]],
) -> tuple[list[Node], dict[Node, tuple[Place, Node]]]:
    """The nodes, each after the one from which it is reached, and by which edge that is."""
    order: list[Node] = []
    way_in: dict[Node, tuple[Place, Node]] = {}
    reached: set[Node] = set()
    for start in edges:
        waiting = [] if start in reached else [start]
        reached.add(start)
        while waiting:
            node = waiting.pop()
            order.append(node)
            for there, place in edges[node]:
                if there not in reached:
                    reached.add(there)
                    way_in[there] = (place, node)
                    waiting.append(there)
    return order, way_in
