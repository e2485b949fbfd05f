"""Timeliness: of the duties that fell due in a period, how many were met in time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from onedoor.calendar import local
from onedoor.notify.domain import duties
from onedoor.notify.domain.clock import Clock, last_moment

Verdict = Literal["met", "late", "overdue"]
By = Literal["department", "duty", "area", "month"]

VERDICTS: Mapping[str, Verdict] = {"met": "met", "met_late": "late", "breached": "overdue"}
"""What counts, by a clock's state. What is paused, cancelled or not yet due does not."""


class Key(NamedTuple):
    """What a count is grouped by; None where it is not. `month`: YYYY-MM of the due moment."""

    department: str | None = None
    duty: str | None = None
    area: str | None = None
    month: str | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Clocks of one group that fell due in the period: met in time, met late, open and overdue."""

    met: int = 0
    late: int = 0
    overdue: int = 0

    @property
    def total(self) -> int:
        return self.met + self.late + self.overdue

    @property
    def share(self) -> float | None:
        """Met in time of all, 0 to 1; None where nothing fell due."""
        return self.met / self.total if self.total else None

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.met + other.met, self.late + other.late, self.overdue + other.overdue)


def verdict(clock: Clock) -> Verdict | None:
    """How a clock counts; None: not at all.

    Left out are times to be kept at least, which nobody can miss, and entries made so late that the office
    had no chance.
    """
    if clock.late_entry or clock.state is None or duties.duty(clock.duty).keep:
        return None
    return VERDICTS.get(clock.state)


def key_of(clock: Clock, by: Sequence[By]) -> Key:
    """The group of a clock."""
    assert clock.due_at is not None
    values = {
        "department": clock.owner,
        "duty": clock.duty,
        "area": clock.owner_division,
        "month": f"{local(last_moment(clock.due_at)):%Y-%m}",
    }
    return Key(**{name: values[name] for name in by})


def tally(clocks: Iterable[Clock], by: Sequence[By]) -> dict[Key, Tally]:
    """Count clocks in groups; what the table of clocks is counted to by SQL, for clocks of any past day."""
    found: defaultdict[Key, Tally] = defaultdict(Tally)
    for clock in clocks:
        if (counts := verdict(clock)) is not None:
            found[key_of(clock, by)] += Tally(**{counts: 1})
    return dict(found)
