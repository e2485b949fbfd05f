"""Figures over HTTP: timeliness by department, duty and area, who held what, the month, the agenda.

Sums count everybody's clocks, children's too, and name nobody; what names a chain is read as the asker.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict

from onedoor.calendar import SHANGHAI, Limit, Unit
from onedoor.contracts.core import Actor
from onedoor.notify.domain import duties
from onedoor.notify.domain.clock import Clock, last_moment
from onedoor.notify.figures import assessment, queries
from onedoor.notify.figures.holdings import Journey, journey
from onedoor.notify.figures.published import SMALLEST, Shown, key_text, published
from onedoor.notify.figures.queries import Wanted
from onedoor.notify.figures.timeliness import By, Key, Tally, tally, verdict
from onedoor.runtime import pages
from onedoor.runtime.app import App
from onedoor.runtime.http import Reading, allow, counting, not_found
from onedoor.runtime.problems import FieldProblem, invalid
from onedoor.runtime.service import Connection

router = APIRouter(prefix="/v1", tags=["figures"])

Counter = Annotated[Actor, Depends(allow("figures.read"))]
ClockReader = Annotated[Actor, Depends(allow("clock.read"))]

LONGEST = timedelta(days=5 * 366)
STUCK = Limit(5, Unit.WORKING_DAYS)
"""Overdue for longer than this, a chain is for the meeting: the ladder's notice (due+5 wd) did not help."""

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
From = Annotated[date, Query(alias="from", ge=FIRST_DAY, le=LAST_DAY, description="first day, Asia/Shanghai")]
To = Annotated[date, Query(alias="to", ge=FIRST_DAY, le=LAST_DAY, description="the day after the last")]
Department = Annotated[str | None, Query(max_length=60)]
Duty = Annotated[str | None, Query(max_length=60)]
Area = Annotated[str | None, Query(max_length=12, description="division code")]
AsOf = Annotated[
    datetime | None,
    Query(description="count as things stood at this moment, out of the archive; absent: now"),
]
Month = Annotated[str, Query(pattern=r"^2[01][0-9]{2}-(0[1-9]|1[0-2])$", description="YYYY-MM")]


class Row(BaseModel):
    """One group. What is `hidden` for being small has no numbers; `share`: met in time of all, 0 to 1.

    without: the months whose numbers are hidden and not in the sum, YYYY-MM.
    """

    department: str | None = None
    duty: str | None = None
    area: str | None = None
    month: str | None = None
    hidden: bool = False
    without: list[str] = []
    met: int | None = None
    late: int | None = None
    overdue: int | None = None
    share: float | None = None


class Timeliness(BaseModel):
    """The groups, and all of them together. Duties that fell due in the period; see `timeliness.verdict`."""

    as_of: datetime
    rows: list[Row]
    total: Row


class ClockLine(BaseModel):
    """A clock behind a count. Moments UTC; `late_seconds` is frozen when it was met."""

    model_config = ConfigDict(extra="ignore")

    clock_id: UUID
    chain_id: UUID
    duty: str
    owner: str
    owner_division: str | None
    due_at: datetime
    state: str
    ended_at: datetime | None
    late_seconds: int


class HoldingLine(BaseModel):
    """An office held a referral or a case; minutes: in which the office was at work."""

    subject: UUID
    kind: Literal["referral", "case"]
    department: str
    division: str | None
    since: datetime
    until: datetime | None
    minutes: float


class JourneyView(BaseModel):
    """A chain as the resident lived through it: every minute counts for them; offices by working minutes."""

    asked_at: datetime | None
    ended_at: datetime | None
    total_minutes: float
    departments: dict[str, float]
    hand_overs: int
    holdings: list[HoldingLine]


class UnitLine(BaseModel):
    """A unit's month. Where few clocks fell due, their numbers are hidden; where it held little, how long."""

    timeliness: Row
    held: int | None
    minutes: float | None
    median_minutes: float | None
    returned: int | None


class Assessment(BaseModel):
    """The units' month as it stood at `as_of`."""

    month: str
    as_of: datetime
    units: list[UnitLine]


class AgendaLine(BaseModel):
    """A chain for the meeting; see `assessment.Item`."""

    chain_id: UUID
    receipt: str | None
    why: list[Literal["stuck", "returned", "complex"]]
    holds: list[str]
    returned: int
    overdue: int
    since: datetime | None


class AgendaView(BaseModel):
    """unseen: how many chains are for the meeting besides, that the asker may not see."""

    as_of: datetime
    items: list[AgendaLine]
    unseen: int


@router.get("/figures/timeliness")
async def timeliness(
    request: Request,
    actor: Counter,
    from_: From,
    to: To,
    by: Annotated[
        list[By], Query(description="what to group by: department, duty or area, month, or one with month")
    ] = ["department"],  # noqa: B006
    as_of: AsOf = None,
) -> Timeliness:
    """Met in time ÷ (met + late + open and overdue), of the duties that fell due in these whole months.

    Paused clocks, entries made late and times to be kept are left out; groups under five are hidden, with
    what would give them away (`figures/published.py` has the rule).
    """
    app: App = request.app.state.onedoor
    start, end = _period(from_, to)
    groups = {*by} - {"month"}
    if faults := _faults(request, from_, to, groups):
        raise invalid(faults)
    async with counting(app) as conn:
        found = await _counted(conn, Wanted(start, end), [*groups, "month"], as_of)
    rows, total = published(found, by)
    return Timeliness(
        as_of=as_of or app.clock.now(),
        rows=[_row(key, rows[key]) for key in sorted(rows, key=key_text)],
        total=_row(Key(), total),
    )


def _faults(request: Request, first: date, after: date, groups: Collection[By]) -> list[FieldProblem]:
    """What would be another way to a hidden number. A filter is refused: let by, it would seem to hold."""
    filters = [_no_filter(name) for name in ("department", "duty", "area") if name in request.query_params]
    parts = [_NO_MONTH] if first.day != 1 or after.day != 1 else []
    return [*filters, *parts, *([_CROSSED] if len(groups) > 1 else [])]


async def _counted(
    conn: Connection, wanted: Wanted, by: list[By], as_of: datetime | None
) -> dict[Key, Tally]:
    if as_of is None:
        return await queries.tallies(conn, wanted, by)
    return tally(await _clocks_then(conn, as_of, wanted), by)


@router.get("/figures/clocks")
async def clocks(
    request: Request,
    actor: ClockReader,
    conn: Reading,
    from_: From,
    to: To,
    department: Department = None,
    duty: Duty = None,
    area: Area = None,
    as_of: AsOf = None,
    after: pages.After = None,
    limit: pages.Limit = 50,
) -> pages.Page[ClockLine]:
    """The clocks behind a count, of those that I may see."""
    wanted, key = Wanted(*_period(from_, to), department, duty, area), pages.after(after, datetime, UUID)
    if as_of is None:
        rows = [dict(row) for row in await queries.counted(conn, wanted, key, limit + 1)]
    else:
        async with counting(request.app.state.onedoor) as all_seeing:
            then = await _clocks_then(all_seeing, as_of, wanted)
        rows = await _counted_then(conn, then, key, limit + 1)
    return pages.page(
        rows,
        limit,
        lambda row: ClockLine.model_validate({**row, "clock_id": row["id"]}),
        lambda row: (row["due_at"], row["id"]),
    )


async def _counted_then(
    conn: Connection, clocks: list[Clock], after: tuple[datetime, UUID] | None, limit: int
) -> list[dict[str, Any]]:
    """As `queries.counted`, of clocks as they stood on a past day."""
    counted = await queries.seen(conn, [clock for clock in clocks if verdict(clock) is not None])
    rows = [
        clock.model_dump() | {"id": clock.clock_id, "ended_at": clock.end and clock.end.at}
        for clock in counted
    ]
    ordered = sorted(rows, key=lambda row: (row["due_at"], row["id"]))
    return [row for row in ordered if after is None or (row["due_at"], row["id"]) > after][:limit]


@router.get("/chains/{chain_id}/holdings")
async def chain_holdings(chain_id: UUID, request: Request, actor: ClockReader, conn: Reading) -> JourneyView:
    """Who held what of a chain for how long, and how long the resident has waited in all."""
    passes = await queries.passes_of(conn, chain_id)
    if not passes:
        not_found()
    now = request.app.state.onedoor.clock.now()
    return _journey(journey(passes, now), now)


def _journey(lived: Journey, now: datetime) -> JourneyView:
    fields = ("subject", "kind", "department", "division", "since", "until")
    held = [
        {name: getattr(each, name) for name in fields} | {"minutes": each.minutes(now)}
        for each in lived.holdings
    ]
    return JourneyView.model_validate(
        {
            "asked_at": lived.asked_at,
            "ended_at": lived.ended_at,
            "total_minutes": lived.total_minutes,
            "departments": lived.departments,
            "hand_overs": lived.hand_overs,
            "holdings": held,
        }
    )


@router.get("/figures/assessment")
async def month_of_units(request: Request, actor: Counter, month: Month, as_of: AsOf = None) -> Assessment:
    """The month of every unit: its timeliness, what it held and for how long, what it sent back."""
    app: App = request.app.state.onedoor
    start, end = _month(month)
    at = as_of or app.clock.now()
    async with counting(app) as conn:
        found = await _counted(conn, Wanted(start, end), ["department", "month"], as_of)
        passes = await queries.passes_between(conn, start, min(end, at))
    rows, _ = published(found, ["department"])
    tallies = {key.department: counts for key, counts in found.items() if key.department}
    units = assessment.assess(passes, tallies, start, min(end, at))
    return Assessment(month=month, as_of=at, units=[_unit(unit, rows) for unit in units])


def _unit(unit: assessment.UnitMonth, rows: Mapping[Key, Shown]) -> UnitLine:
    key = Key(department=unit.department)
    row = _row(key, rows.get(key, Shown()))
    if 0 < unit.held < SMALLEST:
        return UnitLine(timeliness=row, held=None, minutes=None, median_minutes=None, returned=None)
    names = ("held", "minutes", "median_minutes", "returned")
    return UnitLine.model_validate({"timeliness": row, **{name: getattr(unit, name) for name in names}})


@router.get("/figures/agenda")
async def meeting(request: Request, actor: Counter, conn: Reading, as_of: AsOf = None) -> AgendaView:
    """The chains that the coordination meeting has to speak about, of those that I may see: stuck (overdue
    for more than five working days), returned three times, or lying with four offices at once."""
    app: App = request.app.state.onedoor
    at = as_of or app.clock.now()
    async with counting(app) as all_seeing:
        then = None if as_of is None else await _clocks_then(all_seeing, as_of, _fallen_due(as_of))
        everything = await _agenda(all_seeing, at, then)
    items = await _agenda(conn, at, then)
    return AgendaView.model_validate(
        {
            "as_of": at,
            "items": [{name: getattr(item, name) for name in AgendaLine.model_fields} for item in items],
            "unseen": len({item.chain_id for item in everything} - {item.chain_id for item in items}),
        }
    )


async def _clocks_then(conn: Connection, as_of: datetime, wanted: Wanted) -> list[Clock]:
    """The clocks as they stood at a past moment. Raises a 422 problem where it has no offset."""
    if as_of.tzinfo is None:
        raise invalid([_NO_OFFSET])
    return await queries.clocks_as_of(conn, as_of, wanted)


def _fallen_due(at: datetime) -> Wanted:
    """Whatever had fallen due by then."""
    return Wanted(datetime.combine(FIRST_DAY, datetime.min.time(), SHANGHAI), at)


async def _agenda(conn: Connection, at: datetime, then: list[Clock] | None) -> list[assessment.Item]:
    """The agenda at a moment; `then`: the clocks as they stood, where it is a past one."""
    late = await (queries.overdue(conn) if then is None else queries.overdue_of(conn, then))
    passes = await queries.open_passes(conn, late, None if then is None else at)
    return assessment.agenda(passes, late, lambda due: duties.due_at(last_moment(due), STUCK) <= at)


def _row(key: Key, shown: Shown) -> Row:
    named: dict[str, Any] = {**key._asdict(), "without": list(shown.without)}
    if shown.hidden:
        return Row(**named, hidden=True)
    counts = shown.tally
    return Row(**named, met=counts.met, late=counts.late, overdue=counts.overdue, share=counts.share)


def _period(first: date, after: date) -> tuple[datetime, datetime]:
    if not first < after <= first + LONGEST:
        raise invalid([_NO_PERIOD])
    start, end = (datetime.combine(day, datetime.min.time(), SHANGHAI) for day in (first, after))
    return start.astimezone(UTC), end.astimezone(UTC)


def _month(month: str) -> tuple[datetime, datetime]:
    first = date(int(month[:4]), int(month[5:]), 1)
    return _period(first, (first + timedelta(days=31)).replace(day=1))


_NO_PERIOD = FieldProblem(
    field="to",
    problem="is not after `from`, or more than five years after it",
    remedy="give the day after the last one to be counted",
    problem_zh="应晚于起始日期，且相距不超过五年",
    remedy_zh="请填写统计末日的次日",
)
_NO_MONTH = FieldProblem(
    field="from",
    problem="is not the first day of a month, or `to` is not",
    remedy="give whole months: the first day of one, and of the month after the last",
    problem_zh="须按整月统计",
    remedy_zh="起始日期与截止日期均请填写某月一日",
)
_CROSSED = FieldProblem(
    field="by",
    problem="crosses two groupings, which would give small groups away",
    remedy="group by department, duty or area, alone or with month",
    problem_zh="不能同时按两种方式分组，否则会泄露人数过少的组",
    remedy_zh="请按部门、时限或区域之一分组，可另加按月",
)


def _no_filter(name: str) -> FieldProblem:
    return FieldProblem(
        field=name,
        problem="cannot be filtered by, since that would give small groups away",
        remedy=f"group by {name} and read its row; the clocks themselves are at /v1/figures/clocks",
        problem_zh="不能按此筛选，否则会泄露人数过少的组",
        remedy_zh="请按此分组后查看相应行；逐条时限见 /v1/figures/clocks",
    )


_NO_OFFSET = FieldProblem(
    field="as_of",
    problem="has no offset",
    remedy="give it as 2026-09-30T18:00:00+08:00",
    problem_zh="缺少时区",
    remedy_zh="请按 2026-09-30T18:00:00+08:00 填写",
)
