"""Office hours: when to warn, and how long an office has held something. Deadlines never ask them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from math import ceil

import yaml

from onedoor.calendar.almanac import in_force
from onedoor.calendar.counting import Due, nth_working, run_until
from onedoor.calendar.days import Calendar
from onedoor.calendar.limits import Limit, Pause, Unit, paused_days, standstills
from onedoor.calendar.moments import SHANGHAI, local
from onedoor.calendar.problems import CalendarProblem

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """The spans of a working day in which an office is open, in order, as (opens, closes)."""

    spans: tuple[tuple[time, time], ...]

    def __post_init__(self) -> None:
        edges = [edge for span in self.spans for edge in span]
        if not edges or any(after <= before for before, after in pairwise(edges)):
            raise CalendarProblem(
                "office_hours", "overlap or are out of order", "give spans in order",
                "时段重叠或先后颠倒", "请按先后顺序填写",
            )  # fmt: skip

    def on(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The spans of this day as moments."""
        return (
            (datetime.combine(day, opens, SHANGHAI), datetime.combine(day, closes, SHANGHAI))
            for opens, closes in self.spans
        )

    @property
    def length(self) -> timedelta:
        """Open time of a whole working day."""
        any_day = date(2000, 1, 1)
        return sum((end - start for start, end in self.on(any_day)), timedelta())


def parse_office_hours(text: str) -> Mapping[str | None, OfficeHours]:
    """Office hours by department code, from the text of a data file; under None the default.

    Raises CalendarProblem naming the department whose hours are at fault.
    """
    raw = yaml.safe_load(text)
    hours: dict[str | None, OfficeHours] = {None: _hours("default", raw["default"])}
    return hours | {code: _hours(code, spans) for code, spans in (raw.get("departments") or {}).items()}


def _hours(code: str, spans: Sequence[str]) -> OfficeHours:
    try:
        edges = [[time.fromisoformat(edge) for edge in span.split("-")] for span in spans]
        return OfficeHours(tuple((opens, closes) for opens, closes in edges))
    except ValueError as error:
        raise CalendarProblem(
            f"office_hours.{code}", "are no spans of a day in order", 'write ["09:00-12:00", "14:00-18:00"]',
            "不是按先后排列的时段", '请写作 ["09:00-12:00", "14:00-18:00"]',
        ) from error  # fmt: skip


@cache
def _packaged_hours() -> Mapping[str | None, OfficeHours]:
    return parse_office_hours((files(__package__) / "data" / "office-hours.yaml").read_text("utf-8"))


def office_hours(department: str | None = None) -> OfficeHours:
    """The office hours of a department, or the default's: 09:00–12:00 and 14:00–18:00, assumed."""
    known = _packaged_hours()
    return known.get(department) or known[None]


OFFICE_HOURS = office_hours()


def office_time(
    start: datetime, end: datetime, office_hours: OfficeHours = OFFICE_HOURS, calendar: Calendar | None = None
) -> timedelta:
    """How long the office was open between two moments; nothing if `end` is not after `start`.

    Exact and additive: the times of adjoining intervals add up to that of the whole.
    """
    start, end = local(start), local(end)
    if end <= start:
        return timedelta()
    calendar = calendar or in_force().calendar
    first, last = start.toordinal(), end.toordinal()
    if first == last:
        return _open_between(start, end, office_hours, calendar)
    whole_days = calendar.count_working(first, last - 1)
    return (
        _open_between(start, _midnight_after(start), office_hours, calendar)
        + whole_days * office_hours.length
        + _open_between(end.replace(hour=0, minute=0, second=0, microsecond=0), end, office_hours, calendar)
    )


def office_minutes(
    start: datetime, end: datetime, office_hours: OfficeHours = OFFICE_HOURS, calendar: Calendar | None = None
) -> float:
    """`office_time` in minutes."""
    return office_time(start, end, office_hours, calendar) / _MINUTE


def warn_at(
    from_: datetime,
    limit: Limit,
    due: Due,
    fraction: float = 0.8,
    office_hours: OfficeHours = OFFICE_HOURS,
    pauses: Iterable[Pause] = (),
    calendar: Calendar | None = None,
) -> datetime:
    """The moment at which `fraction` of the limit is used up (Asia/Shanghai).

    For minutes, hours, calendar days and months of the elapsed time; for working days of the owner's office
    time from the start to the close of office on the due day. Give the pauses that gave `due`.
    """
    if not 0 < fraction <= 1:
        raise CalendarProblem(
            "fraction", f"is {fraction}", "give more than 0 and at most 1",
            f"为{fraction}", "请填写大于0、不超过1的数",
        )  # fmt: skip
    start, pauses = local(from_), tuple(pauses)
    calendar = calendar or in_force().calendar
    if limit.unit is Unit.WORKING_DAYS:
        return _warn_in_office_time(start, limit.amount, fraction, office_hours, pauses, calendar)
    still = standstills(pauses)
    stood = sum(
        (max(end - max(begin, start), timedelta()) for begin, end in still if begin < due.due_at), timedelta()
    )
    return run_until(start, (due.due_at - start - stood) * fraction, still)


def _warn_in_office_time(
    start: datetime,
    days: int,
    fraction: float,
    hours: OfficeHours,
    pauses: tuple[Pause, ...],
    calendar: Calendar,
) -> datetime:
    """The due day is the `days`-th counted one: the whole is the rest of the start day and as many days."""
    paused = paused_days(pauses)
    first = start.toordinal()
    starts_paused = any(begin <= first < end for begin, end in paused)
    on_start_day = (
        timedelta() if starts_paused else _open_between(start, _midnight_after(start), hours, calendar)
    )
    target = (on_start_day + days * hours.length) * fraction
    if on_start_day and target <= on_start_day:
        return _into_day(start.date(), target + _open_before(start, hours), hours)
    rest = target - on_start_day
    nth = max(ceil(rest / hours.length), 1)
    day = date.fromordinal(nth_working(calendar, first, nth, paused))
    return _into_day(day, rest - (nth - 1) * hours.length, hours)


def _into_day(day: date, used: timedelta, hours: OfficeHours) -> datetime:
    """The moment of a working day at which `used` of its open time is over."""
    closes = None
    for opens, closes in hours.on(day):
        if used <= closes - opens:
            return opens + used
        used -= closes - opens
    assert closes is not None
    return closes


def _open_before(at: datetime, hours: OfficeHours) -> timedelta:
    return sum(
        (max(min(at, closes) - opens, timedelta()) for opens, closes in hours.on(at.date())), timedelta()
    )


def _open_between(start: datetime, end: datetime, hours: OfficeHours, calendar: Calendar) -> timedelta:
    if not calendar.is_working(start.date()):
        return timedelta()
    return sum(
        (max(min(end, closes) - max(start, opens), timedelta()) for opens, closes in hours.on(start.date())),
        timedelta(),
    )


def _midnight_after(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
