"""What a change does, counted by street and tier, with small groups hidden."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

SMALLEST_GROUP = 5
"""Fewer households are not told apart: they might be recognised."""

HOUSEHOLDS, GAINING, LOSING, GAINED, LOST = range(5)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProgrammeCost(_Part):
    """What a programme pays in a month before and after, fen, and how many households it pays.

    Numbers and sums of too few households are None.
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
    """The effect of a change on a whole register, per month. `cost_fen` is negative where it saves."""

    cost_fen: int
    total: Group
    programmes: tuple[ProgrammeCost, ...]
    by_street: tuple[Group, ...]
    by_tier: tuple[Group, ...]
    by_street_and_tier: tuple[Group, ...]


class Cells:
    """Which cell of street and tier each household of a chunk is in, ready for summing."""

    def __init__(self, streets: Any, tiers: Any, number_of_tiers: int) -> None:
        cell = np.asarray(streets, dtype=np.int64) * number_of_tiers + tiers
        self._order = np.argsort(cell, kind="stable")
        ordered = cell[self._order]
        self._starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        found = ordered[self._starts]
        self.keys = list(
            zip((found // number_of_tiers).tolist(), (found % number_of_tiers).tolist(), strict=True)
        )

    def sums(self, change: Any) -> Any:
        """Per cell: households, gaining, losing, gained, lost."""
        change = change[self._order]
        gained, lost = np.maximum(change, 0), np.maximum(-change, 0)
        columns = (np.ones_like(change), change > 0, change < 0, gained, lost)
        return np.stack([np.add.reduceat(one, self._starts, dtype=np.int64) for one in columns], axis=1)


class Tally:
    """Adds chunk to chunk."""

    def __init__(self, tiers: tuple[str, ...]) -> None:
        self.tiers = tiers
        self._cells: dict[tuple[int, int], np.ndarray[Any, Any]] = {}
        self._programmes: dict[str, np.ndarray[Any, Any]] = {}

    def add(self, cells: Cells, before: dict[Any, Any], after: dict[Any, Any]) -> None:
        """One chunk: payments by programme of each household, fen a month."""
        change = np.zeros(len(next(iter(before.values()))), dtype=np.int64)
        for programme, paid in before.items():
            then = after[programme]
            row = np.array([paid.sum(), then.sum(), (paid > 0).sum(), (then > 0).sum()], dtype=np.int64)
            self._programmes[programme] = self._programmes.get(programme, 0) + row
            if then is not paid:
                change += then - paid
        for key, row in zip(cells.keys, cells.sums(change), strict=True):
            self._cells[key] = self._cells.get(key, 0) + row

    def effect(self) -> Effect:
        """What has been added, with small groups hidden."""
        streets = sorted({street for street, _ in self._cells})
        table = np.zeros((len(streets), len(self.tiers), 5), dtype=np.int64)
        for (street, tier), row in self._cells.items():
            table[streets.index(street), tier] = row
        shown = _shown(_with_margins(table))
        names = [f"{street:09d}" for street in streets]
        cells = [
            _group(shown[row][column], names[row], self.tiers[column])
            for row, column in np.ndindex(table.shape[:2])
            if table[row, column, HOUSEHOLDS] > 0
        ]
        return Effect(
            cost_fen=sum(int(row[1] - row[0]) for row in self._programmes.values()),
            total=_group(shown[-1][-1]),
            programmes=tuple(_cost(name, row) for name, row in self._programmes.items()),
            by_street=tuple(_group(shown[row][-1], street=name) for row, name in enumerate(names)),
            by_tier=tuple(_group(shown[-1][column], tier=name) for column, name in enumerate(self.tiers)),
            by_street_and_tier=tuple(cells),
        )


def _cost(name: str, row: Any) -> ProgrammeCost:
    before, after, paid_before, paid_after = (int(value) for value in row)
    hides_before, hides_after = _small(row[2]), _small(row[3])
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


def _shown(table: Any) -> list[list[list[int | None]]]:
    """The table's values, None where hidden."""
    households = hidden(table[..., HOUSEHOLDS])
    gaining, losing = (hidden(table[..., column], households) for column in (GAINING, LOSING))
    masks = np.stack([households, gaining, losing, gaining, losing], axis=-1)
    return [
        [
            [None if hides else int(value) for value, hides in zip(cell, cell_masks, strict=True)]
            for cell, cell_masks in zip(row, row_masks, strict=True)
        ]
        for row, row_masks in zip(table, masks, strict=True)
    ]


def hidden(counts: Any, also: Any = False) -> Any:
    """Where a table with margins must not be shown: small counts, and what would give one away.

    A lone hidden value of a line could be found by subtraction, so another of the line is hidden with it.
    """
    mask = _small(counts) | also
    while True:
        added = [place for line in _lines(counts.shape) for place in _companion(counts, mask, line)]
        if not added:
            return mask
        mask[added[0]] = True


Place = tuple[int, int]


def _lines(shape: tuple[int, ...]) -> Iterator[list[Place]]:
    rows, columns = shape
    for row in range(rows):
        yield [(row, column) for column in range(columns)]
    for column in range(columns):
        yield [(row, column) for row in range(rows)]


def _companion(counts: Any, mask: Any, line: list[Place]) -> list[Place]:
    """The smallest other count of a line in which one alone is hidden; none if all others are zero."""
    if sum(bool(mask[place]) for place in line) != 1:
        return []
    others = [place for place in line if not mask[place] and counts[place] > 0]
    return [min(others, key=lambda place: int(counts[place]))] if others else []
