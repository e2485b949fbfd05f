"""The ladder of an overdue duty: whom it reaches, step by step. Dated data (`data/ladders.yaml`).

A critical one climbs every thirty minutes, round the clock, until a named person acknowledges its alert; any
other goes its way whoever has read it: a reminder (催办), then the notice (督办).
"""

from datetime import UTC, date, datetime, time
from functools import cache, cached_property, lru_cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

from onedoor.calendar import OFFICE_HOURS, SHANGHAI, Calendar, Limit, Unit, due, in_force, local
from onedoor.contracts.core import Urgency


class Rung(BaseModel):
    """A step: so long after the due moment (None: at it), and whom it reaches (a function, no name)."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    to: str
    after: Limit | None = None

    @field_validator("after", mode="before")
    @classmethod
    def _parsed(cls, text: object) -> Limit | None:
        limit = None if text is None else Limit.parse(str(text))
        if limit is not None and limit.unit not in (Unit.MINUTES, Unit.WORKING_DAYS):
            raise ValueError("write minutes or working days, as in 30m or 1wd")
        return limit

    def at(self, due_at: datetime) -> datetime:
        """When it is climbed (UTC): minutes to the minute, a working day when offices open."""
        if self.after is None:
            return due_at
        if self.after.elapsed is not None:
            return due_at + self.after.elapsed
        return _opening(local(due_at - _MOMENT).date(), self.after.amount, in_force().calendar)


class Ladder(BaseModel):
    """The rungs for critical duties and for all others, from a day on; `source`: who set them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    valid_from: date
    source: str
    critical: tuple[Rung, ...]
    ordinary: tuple[Rung, ...]

    @cached_property
    def since(self) -> datetime:
        """The moment (UTC) at which that day begins."""
        return datetime.combine(self.valid_from, time.min, SHANGHAI).astimezone(UTC)


_MOMENT = datetime.resolution
"""24:00 of a day belongs to that day."""


@lru_cache(maxsize=4096)
def _opening(day: date, working_days: int, calendar: Calendar) -> datetime:
    """When offices open (UTC), so many working days after `day`: the same for all that were due on it."""
    after = Limit(working_days, Unit.WORKING_DAYS)
    opens = due(datetime.combine(day, time.min, SHANGHAI), after, calendar=calendar).due_on
    return next(OFFICE_HOURS.on(opens))[0].astimezone(UTC)


@cache
def packaged_ladders() -> tuple[Ladder, ...]:
    """All ladders, the latest first."""
    text = files("onedoor.notify").joinpath("data/ladders.yaml").read_text("utf-8")
    found = [Ladder.model_validate(each) for each in yaml.safe_load(text)["ladders"]]
    return tuple(sorted(found, key=lambda ladder: ladder.valid_from, reverse=True))


def rungs(urgency: Urgency | None, started_at: datetime) -> tuple[Rung, ...]:
    """The ladder of a duty of this urgency that began then; a statutory limit (None) is not critical."""
    ladder = ladder_of(started_at)
    return ladder.critical if urgency == "critical" else ladder.ordinary


def ladder_of(started_at: datetime) -> Ladder:
    """The ladders of what began then."""
    for ladder in packaged_ladders():
        if ladder.since <= started_at:
            return ladder
    raise LookupError(f"no ladder of {started_at}")


def functions() -> frozenset[str]:
    """Everyone whom any ladder reaches."""
    return frozenset(rung.to for each in packaged_ladders() for rung in (*each.critical, *each.ordinary))
