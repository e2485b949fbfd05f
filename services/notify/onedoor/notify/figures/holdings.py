"""Holdings: how long each office held a referral or a case, and how long the resident waited in all."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, zip_longest
from uuid import UUID

from onedoor.calendar.office import office_hours, office_minutes
from onedoor.notify.figures.passes import Pass
from onedoor.triage.rules import packaged_rules

HANDED_OVER = frozenset({"referral.sent", "referral.returned", "referral.reopened"})
"""The passes that hand work to another office; an answer brings it home and is none of them."""


@dataclass(frozen=True, slots=True)
class Holding:
    """An office held the subject from `since` to `until`; None: it holds it still."""

    subject: UUID
    kind: str
    department: str
    division: str | None
    since: datetime
    until: datetime | None

    def minutes(self, now: datetime) -> float:
        """Working minutes; for a unit on duty round the clock all minutes."""
        return minutes(self.department, self.since, self.until or now)


def minutes(department: str, since: datetime, until: datetime) -> float:
    """Minutes in which the department was at work between two moments, by its own office hours; additive over
    adjoining spans.
    """
    if department in packaged_rules().round_the_clock:
        return max(until - since, timedelta()) / timedelta(minutes=1)
    return office_minutes(since, until, office_hours(department))


def holdings(passes: Iterable[Pass]) -> list[Holding]:
    """Who held what, from the passes in any order; an application's arrival is nobody's holding.

    Passes to who holds it already (sent again since it became more urgent) change nothing.
    """
    found: list[Holding] = []
    held = (each for each in passes if each.kind != "application")
    for subject, group in by_subject(held):
        found.extend(_of_one(subject, group))
    return sorted(found, key=lambda held: (held.since, held.subject))


def _of_one(subject: UUID, passes: Sequence[Pass]) -> Iterable[Holding]:
    """The division is the first one told: a case's later passes do not repeat it."""
    division = next((each.division for each in passes if each.kind == "case" and each.division), None)
    turns = _turns(passes)
    for turn, after in zip_longest(turns, turns[1:]):
        if turn.department is not None:
            until = after.at if after else None
            yield Holding(subject, turn.kind, turn.department, turn.division or division, turn.at, until)


def _turns(passes: Iterable[Pass]) -> list[Pass]:
    """The passes at which the office is another one."""
    return [next(group) for _, group in groupby(passes, key=lambda each: each.department)]


def by_subject(passes: Iterable[Pass]) -> Iterable[tuple[UUID, list[Pass]]]:
    """The passes of each referral and case, in order of time."""
    ordered = sorted(passes, key=lambda each: (each.subject, each.at, each.event_id))
    return [(subject, list(group)) for subject, group in groupby(ordered, key=lambda each: each.subject)]


@dataclass(frozen=True, slots=True)
class Journey:
    """A chain as the resident lived through it.

    asked_at: when the resident knocked; ended_at: when nobody held anything any more, None while somebody
    does; departments: working minutes of each; hand_overs: how often work went to another office.
    """

    asked_at: datetime | None
    ended_at: datetime | None
    total_minutes: float
    departments: Mapping[str, float]
    hand_overs: int
    holdings: Sequence[Holding]


def journey(passes: Sequence[Pass], now: datetime) -> Journey:
    """One chain's passes as a journey; the resident's time counts every minute, nights too."""
    held = holdings(passes)
    asked = min((each.at for each in passes), default=None)
    ended = None
    if held and all(each.until is not None for each in held):
        ended = max(each.until for each in held if each.until is not None)
    departments: dict[str, float] = defaultdict(float)
    for each in held:
        departments[each.department] += each.minutes(now)
    total = ((ended or now) - asked) / timedelta(minutes=1) if asked else 0.0
    return Journey(asked, ended, max(total, 0.0), dict(departments), hand_overs(passes), held)


def hand_overs(passes: Iterable[Pass]) -> int:
    """How often work went to another office: sent, returned, reopened; sent again to the same one is none."""
    return sum(turn.type in HANDED_OVER for _, group in by_subject(passes) for turn in _turns(group))
