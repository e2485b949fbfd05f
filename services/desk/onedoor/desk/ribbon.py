"""The deadline ribbon (时限带): who held a matter how long, when each limit fell, as the calendar counts.

Pure: rows in, a drawing out that the template only has to write down as SVG. Lengths are in the units of a
view box `WIDTH` wide.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg

from onedoor.calendar import Kind, in_force, local, office_time

WIDTH = 1232.0
LEFT = 132.0
TOP = 46.0
LANE = 40.0
BAR = 18.0
FOOT = 20.0
FEW_DAYS = 4
FRESH = timedelta(days=2)
MOST_DAYS = 62
LETTER = 12.0
FLAG_ROOM = 132.0

Row: TypeAlias = Mapping[str, Any] | asyncpg.Record

OFF = frozenset({Kind.WEEKEND, Kind.HOLIDAY, Kind.STATUTORY})


@dataclass(frozen=True, slots=True)
class Tick:
    """A label on the axis; `kind` is the day's, empty for an hour."""

    x: float
    upper: str
    lower: str
    kind: str


@dataclass(frozen=True, slots=True)
class Band:
    """A day that is not an ordinary working day."""

    x: float
    width: float
    kind: str


@dataclass(frozen=True, slots=True)
class Bar:
    """How long an office held something. late: x from which it was overdue (None: never).

    inside: whether the label has room in the bar; end: which side of it the label stands else.
    """

    x: float
    y: float
    width: float
    open: bool
    late: float | None
    referral: Row
    label_x: float
    label_inside: bool
    label_left: bool


@dataclass(frozen=True, slots=True)
class Flag:
    """A limit. passed: it is over and was not met; labelled: there is room to say what it is."""

    x: float
    y: float
    at: datetime
    duty: str
    passed: bool
    met: bool
    label_left: bool
    labelled: bool = True


@dataclass(slots=True)
class Lane:
    """One office: its bars, its flags, and its own working time with them."""

    owner: str
    y: float
    bars: list[Bar] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    held: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Ribbon:
    """The whole drawing."""

    height: float
    ticks: Sequence[Tick]
    bands: Sequence[Band]
    lanes: Sequence[Lane]
    now_x: float
    hours: bool
    cut: bool


@dataclass(frozen=True, slots=True)
class Scale:
    """From moments to x."""

    start: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        share = (at - self.start) / (self.end - self.start)
        return round(LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT), 1)

    @property
    def days(self) -> list[date]:
        first, count = self.start.date(), (self.end - self.start).days
        return [first + timedelta(days=offset) for offset in range(count)]


def ribbon(
    referrals: Sequence[Row], clocks: Sequence[Row], opened_at: datetime, now: datetime
) -> Ribbon | None:
    """The drawing of a chain; None while nobody has held anything and nothing is due."""
    sent = [row for row in referrals if row["sent_at"] is not None]
    statutory = [row for row in clocks if row["referral_id"] is None]
    if not sent and not statutory:
        return None
    scale, cut = _scale(sent, statutory, opened_at, now)
    lanes = _lanes(sent, statutory, scale, now)
    hours = len(scale.days) <= FEW_DAYS
    return Ribbon(
        height=TOP + LANE * len(lanes) + FOOT,
        ticks=_hour_ticks(scale) if hours else _day_ticks(scale),
        bands=_bands(scale),
        lanes=lanes,
        now_x=scale.x(now),
        hours=hours,
        cut=cut,
    )


def _scale(
    sent: Sequence[Row], statutory: Sequence[Row], opened_at: datetime, now: datetime
) -> tuple[Scale, bool]:
    """From the day of the first request to a day after the last limit; far limits are cut off.

    While a matter is fresh its hours count: then what falls due after `FRESH` is left to the list of clocks.
    """
    limits = [row["due_finish"] for row in sent if row["due_finish"] is not None]
    limits += [row["due_at"] for row in statutory]
    fresh = opened_at + FRESH
    soon = [at for at in limits if at <= fresh]
    moments = [opened_at, now, *(soon if soon and now < fresh else limits)]
    far = len(moments) - 2 < len(limits)
    first, last = local(min(moments)).date(), local(max(moments)).date()
    start = _midnight(first, opened_at)
    wanted = (last - first).days + 2
    shown = min(max(wanted, 2), MOST_DAYS)
    shown = max(shown, (local(now).date() - first).days + 2)
    return Scale(start, start + timedelta(days=shown)), far or shown < wanted


def _midnight(day: date, like: datetime) -> datetime:
    return local(like).replace(
        year=day.year, month=day.month, day=day.day, hour=0, minute=0, second=0, microsecond=0
    )


def _lanes(sent: Sequence[Row], statutory: Sequence[Row], scale: Scale, now: datetime) -> list[Lane]:
    lanes: dict[str, Lane] = {}
    for row in sent:
        lane = _lane(lanes, row["to"])
        lane.bars.append(_bar(row, lane.y, scale, now))
        lane.flags.extend(_limits(row, lane.y, scale, now))
        lane.held += office_time(local(row["sent_at"]), local(_end(row, now)))
    for row in statutory:
        lane = _lane(lanes, row["owner"])
        lane.flags.append(_flag(row["due_at"], row["duty"], lane.y, scale, now, _ended(row)))
    for lane in lanes.values():
        lane.flags = _spaced([flag for flag in lane.flags if flag.at < scale.end])
    return list(lanes.values())


def _spaced(flags: Sequence[Flag]) -> list[Flag]:
    """The flags from left to right; one that stands too close behind a label has none, nor has a met one."""
    spaced, free = [], 0.0
    for flag in sorted(flags, key=lambda flag: (flag.met, flag.x)):
        labelled = not flag.met and flag.x >= free
        free = flag.x + FLAG_ROOM if labelled else free
        spaced.append(replace(flag, labelled=labelled))
    return spaced


def _lane(lanes: dict[str, Lane], owner: str) -> Lane:
    if owner not in lanes:
        lanes[owner] = Lane(owner, TOP + LANE * len(lanes))
    return lanes[owner]


def _end(row: Row, now: datetime) -> datetime:
    """Until when the receiver held it: its answer or return, else now."""
    if row["held"]:
        return now
    ends = [row["answered_at"], row["ended_at"], row["state_at"]]
    end: datetime = max(row["sent_at"], min(end for end in ends if end is not None))
    return end


def _bar(row: Row, y: float, scale: Scale, now: datetime) -> Bar:
    start, end = scale.x(row["sent_at"]), scale.x(_end(row, now))
    width = max(end - start, 3.0)
    due = _first_missed(row, _end(row, now))
    late = None if due is None else max(scale.x(due), start)
    room = 26 * LETTER
    left = start + width + room > WIDTH and start - room > LEFT
    return Bar(
        x=start,
        y=y + LANE - BAR - 5,
        width=width,
        open=bool(row["held"]),
        late=late,
        referral=row,
        label_x=start + 7 if width > room else (start - 7 if left else start + width + 7),
        label_inside=width > room,
        label_left=left and width <= room,
    )


def _first_missed(row: Row, end: datetime) -> datetime | None:
    """The limit from which the bar is late: that of an acknowledgement never given, else the finish."""
    never = row["held"] and row["acknowledged_at"] is None and row["due_ack"] is not None
    due: datetime | None = row["due_ack"] if never else row["due_finish"]
    return due if due is not None and due < end else None


def _limits(row: Row, y: float, scale: Scale, now: datetime) -> Iterable[Flag]:
    """The limits of a referral that still stand, and the one of its finish in any case."""
    if row["held"] and row["acknowledged_at"] is None and row["due_ack"] is not None:
        yield _flag(row["due_ack"], "ack", y, scale, now, False)
    if row["due_finish"] is not None:
        yield _flag(row["due_finish"], "finish", y, scale, now, not row["held"])


def _flag(at: datetime, duty: str, y: float, scale: Scale, now: datetime, met: bool) -> Flag:
    x = scale.x(at)
    return Flag(x, y, at, duty, passed=at < now and not met, met=met, label_left=x > WIDTH - 90)


def _ended(row: Row) -> bool:
    return row["state"] in ("met", "met_late", "cancelled")


def _bands(scale: Scale) -> list[Band]:
    """Days off and make-up days. Neighbours of one kind are one band."""
    bands: list[Band] = []
    for day in scale.days:
        kind = in_force().calendar.describe(day).kind
        if kind not in OFF and kind is not Kind.MAKE_UP:
            continue
        x = scale.x(_midnight(day, scale.start))
        width = scale.x(_midnight(day + timedelta(days=1), scale.start)) - x
        last = bands[-1] if bands else None
        if last is not None and last.kind == kind.value and abs(last.x + last.width - x) < 0.5:
            bands[-1] = Band(last.x, last.width + width, last.kind)
        else:
            bands.append(Band(x, width, kind.value))
    return bands


def _day_ticks(scale: Scale) -> list[Tick]:
    days = scale.days
    width = (WIDTH - LEFT) / len(days)
    step = max(1, round(26 / width + 0.49))
    return [
        _day_tick(day, scale.x(_midnight(day, scale.start)) + width / 2, first=index == 0)
        for index, day in enumerate(days)
        if index % step == 0
    ]


def _day_tick(day: date, x: float, first: bool) -> Tick:
    info = in_force().calendar.describe(day)
    month = day.day == 1 or first
    return Tick(x, f"{day.month}/{day.day}" if month else str(day.day), str(day.weekday()), info.kind.value)


def _hour_ticks(scale: Scale) -> list[Tick]:
    """Every third hour of one or two days, every sixth of more."""
    step = 3 if len(scale.days) <= 2 else 6
    ticks = []
    for day in scale.days:
        kind = in_force().calendar.describe(day).kind.value
        for hour in range(0, 24, step):
            at = _midnight(day, scale.start) + timedelta(hours=hour)
            upper = f"{day.month}/{day.day}" if hour == 0 else ""
            ticks.append(Tick(scale.x(at), upper, f"{hour:02d}:00", kind))
    return ticks
