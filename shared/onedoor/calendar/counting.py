"""When a duty is due. The rules are 民法典 arts. 201–203 as the district reads them (domain.md section 5)."""

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from onedoor.calendar.almanac import in_force
from onedoor.calendar.days import Calendar
from onedoor.calendar.explanation import Count, Step, explain
from onedoor.calendar.limits import Limit, Pause, Span, Unit, paused_days, standstills
from onedoor.calendar.moments import local, midnight
from onedoor.calendar.problems import CalendarProblem


@dataclass(frozen=True, slots=True)
class Due:
    """The last day and the moment at which the limit ends (Asia/Shanghai).

    provisional: a day that the count asked lies in a year whose notice is not out yet.
    """

    due_on: date
    due_at: datetime
    provisional: bool
    _count: Count = field(repr=False, compare=False)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The count, line by line, in Chinese and English; made when asked for."""
        return explain(self._count, self.due_on, self.due_at, self.provisional)


def due(from_: datetime, limit: Limit, pauses: Iterable[Pause] = (), calendar: Calendar | None = None) -> Due:
    """When `limit`, started at `from_`, ends.

    Hours and minutes run from the moment; for days and months the start day is not counted and the duty may
    be met until 24:00 of `due_on`. Calendar days and months that end on a day off move to the next working
    day, unless the limit is fixed; "the month after" ends with that month. Paused days are not counted and
    never the last one; in months they are added at the end (not laid down anywhere: assumed). What is due
    immediately is due at `from_`. Without a calendar the one in force counts. Raises
    CalendarProblem for a naive moment and for a result beyond the year 9999.
    """
    pauses = tuple(pauses)
    start = local(from_)
    calendar = calendar or in_force().calendar
    try:
        if (elapsed := limit.elapsed) is not None:
            return _elapsed(Count(start, limit, pauses, None, calendar), elapsed)
        return _in_days(start, limit, pauses, calendar)
    except (OverflowError, ValueError) as error:
        if isinstance(error, CalendarProblem):
            raise
        raise CalendarProblem(
            "limit", "ends beyond the year 9999", "give a shorter one", "超过9999年", "请填写更短的时限"
        ) from error


def _elapsed(count: Count, left: timedelta) -> Due:
    at = run_until(count.start, left, standstills(count.pauses))
    return Due(at.date(), at, False, count)


def run_until(start: datetime, left: timedelta, still: Sequence[tuple[datetime, datetime]]) -> datetime:
    """The moment at which `left` of running time is used up, standing still in the given intervals."""
    at = start
    for pause_start, pause_end in still:
        if pause_end <= at:
            continue
        if pause_start > at:
            if pause_start - at >= left:
                break
            left -= pause_start - at
        at = pause_end
    return at + left


def _in_days(start: datetime, limit: Limit, pauses: tuple[Pause, ...], calendar: Calendar) -> Due:
    first = start.toordinal()
    spans = paused_days(pauses) if pauses else []
    if limit.unit is Unit.WORKING_DAYS:
        asked, last = first + 1, nth_working(calendar, first, limit.amount, spans)
        end = last
    else:
        last = asked = _last_day(start.date(), limit, spans)
        end = _moved(calendar, last, spans) if limit.moves else last
    on = date.fromordinal(end)
    asks = limit.moves or limit.unit is Unit.WORKING_DAYS
    provisional = asks and not calendar.all_announced(asked, end)
    count = Count(start, limit, pauses, date.fromordinal(last), calendar)
    return Due(on, midnight(date.fromordinal(end + 1)), provisional, count)


def nth_working(calendar: Calendar, after: int, n: int, paused: Sequence[Span]) -> int:
    """Ordinal of the n-th working day after `after` that is not paused."""
    for start, end in paused:
        if end <= after + 1:
            continue
        free = calendar.count_working(after, start - 1) if start > after + 1 else 0
        if free >= n:
            break
        n -= free
        after = end - 1
    return calendar.nth_working(after, n)


def _last_day(start: date, limit: Limit, paused: Sequence[Span]) -> int:
    if limit.unit in (Unit.MONTHS, Unit.MONTH_AFTER):
        end = months_later(start, limit.amount)
        if limit.unit is Unit.MONTH_AFTER:
            end = end.replace(day=monthrange(end.year, end.month)[1])
        return _nth_day(start.toordinal(), (end - start).days, paused)
    return _nth_day(start.toordinal(), limit.amount, paused)


def _nth_day(after: int, n: int, paused: Sequence[Span]) -> int:
    for start, end in paused:
        if end <= after + 1:
            continue
        free = max(start - 1 - after, 0)
        if free >= n:
            break
        n -= free
        after = end - 1
    return after + n


def months_later(day: date, months: int) -> date:
    """The day with the same number so many months later, or the last day of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    month += 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def period_start(from_: datetime, limit: Limit, number: int) -> datetime:
    """When the period `number` (from 1) of a recurring limit begins, counted from the first one's start.

    Each period is counted from the first, so that the 31st of a month comes back after a short one; one that
    ends on a day off is met later, and the next begins no later for it.
    """
    passed = Limit(limit.amount * (number - 1), limit.unit) if number > 1 else None
    start = local(from_)
    if passed is None:
        return start
    if passed.elapsed is not None:
        return start + passed.elapsed
    if passed.unit is Unit.WORKING_DAYS:
        raise CalendarProblem(
            "limit", "recurs in working days", "give calendar days or months",
            "按工作日循环", "请填写自然日或月",
        )  # fmt: skip
    return datetime.combine(date.fromordinal(_last_day(start.date(), passed, ())), start.timetz())


def _moved(calendar: Calendar, last: int, paused: Sequence[Span]) -> int:
    return nth_working(calendar, last - 1, 1, paused)
