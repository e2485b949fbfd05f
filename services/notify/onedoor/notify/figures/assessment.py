"""The month of every unit, and what the coordination meeting has to speak about."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from statistics import median
from uuid import UUID

from onedoor.notify.figures.holdings import Holding, by_subject, holdings
from onedoor.notify.figures.passes import Pass
from onedoor.notify.figures.timeliness import Tally

RETURNS = 3
"""Returned so often, a matter is not found its office by itself: the coordinating bureau decides."""

DEPARTMENTS = 4
"""So many offices in one chain are more than two can settle by telephone: assumed."""


@dataclass(frozen=True, slots=True)
class UnitMonth:
    """One unit in a period. minutes: working minutes in which it held something, within the period;
    median_minutes: of the holdings that ended in it; returned: how often it sent work back.
    """

    department: str
    tally: Tally
    held: int
    minutes: float
    median_minutes: float | None
    returned: int


def assess(
    passes: Sequence[Pass], tallies: Mapping[str, Tally], start: datetime, end: datetime
) -> list[UnitMonth]:
    """Every unit that held something or owed something between the two moments, by its code."""
    by_department: defaultdict[str, list[Holding]] = defaultdict(list)
    for held in holdings(passes):
        if held.since < end and (held.until is None or held.until > start):
            by_department[held.department].append(held)
    returned = returns(passes, start, end)
    return [
        _unit(name, by_department[name], tallies.get(name, Tally()), returned[name], start, end)
        for name in sorted({*by_department, *tallies, *returned})
    ]


def _unit(
    name: str, held: Sequence[Holding], tally: Tally, returned: int, start: datetime, end: datetime
) -> UnitMonth:
    ended = [each.minutes(end) for each in held if each.until is not None and each.until <= end]
    return UnitMonth(
        department=name,
        tally=tally,
        held=len(held),
        minutes=sum(_within(each, start, end) for each in held),
        median_minutes=median(ended) if ended else None,
        returned=returned,
    )


def _within(held: Holding, start: datetime, end: datetime) -> float:
    """Its minutes inside the period: those up to its end without those up to its start."""
    last = min(held.until or end, end)
    before = Holding(held.subject, held.kind, held.department, held.division, held.since, None)
    return before.minutes(last) - before.minutes(max(start, held.since))


def returns(passes: Iterable[Pass], start: datetime, end: datetime) -> Counter[str]:
    """How often each unit sent work back in the period: the unit that held it until then."""
    found: Counter[str] = Counter()
    for _, group in by_subject(passes):
        holder: str | None = None
        for each in group:
            if each.type == "referral.returned" and start <= each.at < end and holder is not None:
                found[holder] += 1
            holder = each.department
    return found


@dataclass(frozen=True, slots=True)
class Item:
    """A chain for the meeting.

    why: stuck, returned, complex; holds: which units hold what of it now or, where nobody does, owe what is
    overdue; overdue: how many of its clocks are open and overdue, `since` the due moment of the oldest.
    """

    chain_id: UUID
    receipt: str | None
    why: tuple[str, ...]
    holds: tuple[str, ...]
    returned: int
    overdue: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Overdue:
    """The open and overdue clocks of a chain: how many, when the oldest fell due, and whose they are."""

    count: int
    since: datetime
    owners: tuple[str, ...] = ()


def agenda(
    passes: Sequence[Pass], overdue: Mapping[UUID, Overdue], stuck: Callable[[datetime], bool]
) -> list[Item]:
    """The chains that need more than one office: the longest overdue first, then the most often returned.
    One that is overdue with nobody holding it is the worst of them.

    stuck: whether a clock that fell due then, and is open still, is overdue for too long.
    """
    ordered = sorted(passes, key=lambda each: each.chain_id)
    items = [
        item
        for chain, group in groupby(ordered, key=lambda each: each.chain_id)
        if (item := _item(chain, list(group), overdue.get(chain), stuck)) is not None
    ]
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(items, key=lambda item: (item.since or never, -item.returned, item.chain_id))


def _item(
    chain: UUID, passes: Sequence[Pass], overdue: Overdue | None, stuck: Callable[[datetime], bool]
) -> Item | None:
    departments = {each.department for each in holdings(passes) if each.until is None}
    if not departments and overdue is None:
        return None
    returned = sum(each.type == "referral.returned" for each in passes)
    told = {
        "stuck": overdue is not None and stuck(overdue.since),
        "returned": returned >= RETURNS,
        "complex": len(departments) >= DEPARTMENTS,
    }
    why = tuple(name for name, holds in told.items() if holds)
    if not why:
        return None
    return Item(
        chain_id=chain,
        receipt=next((each.receipt for each in passes if each.receipt), None),
        why=why,
        holds=tuple(sorted(departments)) or (overdue.owners if overdue else ()),
        returned=returned,
        overdue=overdue.count if overdue else 0,
        since=overdue.since if overdue else None,
    )
