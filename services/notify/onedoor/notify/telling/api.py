"""Notices, deliveries and duty rosters over HTTP."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from onedoor.contracts.core import PERSONAL, Actor, Refusal
from onedoor.notify.domain.clock import AcknowledgeAlert
from onedoor.notify.telling import notices, roster
from onedoor.notify.telling.teller import SEND_CHANNEL
from onedoor.notify.telling.wake import wake
from onedoor.runtime import pages
from onedoor.runtime.http import Answer, Reading, allow, answer, granted, idempotent, not_found, refused
from onedoor.runtime.problems import FieldProblem, invalid
from onedoor.runtime.unit import Transaction

router = APIRouter(prefix="/v1", tags=["notices"])

Reader = Annotated[Actor, Depends(allow("notice.read"))]
Responder = Annotated[Actor, Depends(allow("notice.handle"))]
Rostered = Annotated[Actor, Depends(allow("roster.read"))]
Overseer = Annotated[Actor, Depends(allow("delivery.read"))]
Handler = Annotated[Actor, Depends(allow("letters.handle"))]
Admin = Annotated[Actor, Depends(allow("admin.manage"))]

CLOCK_KINDS = ("warned", "breached", "escalated")
LONGEST_VIEW = timedelta(days=100)
AHEAD = timedelta(days=14)


class Told(BaseModel):
    """Somebody who was told, and in which function."""

    person: str
    name: Annotated[str, PERSONAL]
    function: str


class Way(BaseModel):
    """How a notice went out to somebody; settled_at by the system's clock, not_before business time."""

    model_config = ConfigDict(extra="ignore")

    delivery_id: UUID = Field(validation_alias="id")
    person: str
    channel: str
    state: Literal["waiting", "sent", "failed", "needless"]
    attempts: int
    not_before: datetime
    settled_at: datetime | None
    error: str | None


class Notice(BaseModel):
    """What somebody is told. gap: nobody was on duty where it should have gone; unwritten: a message named it
    without details.

    at, due_at: business time; ended_at: it was dealt with; acknowledged_by: the named person who took it up.
    """

    model_config = ConfigDict(extra="ignore")

    notice_id: UUID = Field(validation_alias="id")
    kind: str
    subject: UUID
    step: int
    at: datetime
    function: str
    critical: bool
    chain_id: UUID | None
    referral_id: UUID | None
    receipt: str | None
    owner: str | None
    duty: str | None
    due_at: datetime | None
    service: str | None
    gap: bool
    unwritten: bool
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    ended_at: datetime | None
    seen_at: datetime | None
    told: list[Told]
    ways: list[Way]


class Waiting(BaseModel):
    """How much waits for me: critical ones that nobody has acknowledged, and all that I have not seen."""

    critical: int
    unseen: int


class Acknowledged(BaseModel):
    """Who has taken it up, and when."""

    notice_id: UUID
    acknowledged_by: str
    acknowledged_at: datetime


class Ids(BaseModel):
    model_config = ConfigDict(extra="forbid")

    notices: list[UUID] = Field(max_length=200)


@router.get("/notices")
async def my_notices(
    actor: Reader,
    conn: Reading,
    opened: Annotated[bool | None, Query(alias="open", description="only those not dealt with")] = None,
    after: pages.After = None,
    limit: pages.Limit = 50,
) -> pages.Page[Notice]:
    """What I was told, newest first: to me by name, or to my function."""
    key = pages.after(after, datetime, UUID)
    rows = await notices.listed(conn, actor.person, opened, key, limit + 1)
    ways = await notices.ways(conn, [row["id"] for row in rows])
    return pages.page(rows, limit, lambda row: _notice(row, ways), lambda row: (row["at"], row["id"]))


def _notice(row: asyncpg.Record, ways: Sequence[asyncpg.Record]) -> Notice:
    told = json.loads(row["told"]) if row["told"] else []
    own = [dict(way) for way in ways if row["id"] in way["notices"]]
    unwritten = any(row["id"] in way["unwritten"] for way in own)
    return Notice.model_validate(dict(row) | {"told": told, "ways": own, "unwritten": unwritten})


@router.get("/notices/waiting")
async def waiting(actor: Reader, conn: Reading) -> Waiting:
    """The numbers for the badge."""
    row = await notices.waiting(conn, actor.person)
    assert row is not None
    return Waiting(critical=row["critical"], unseen=row["unseen"])


@router.post("/notices/seen")
async def seen(request: Request, actor: Responder, conn: Reading, body: Ids) -> Waiting:
    """I have seen these; ids that I may not see are let by."""
    visible = [id_ for id_ in body.notices if await notices.one(conn, id_) is not None]
    async with request.app.state.onedoor.unit.transaction() as tx:
        await notices.see(tx.conn, visible, actor.person, tx.now)
    row = await notices.waiting(conn, actor.person)
    assert row is not None
    return Waiting(critical=row["critical"], unseen=row["unseen"])


_ACKNOWLEDGE = """
update notices set acknowledged_by = $2, acknowledged_at = $3, ended_at = $3
where id = $1 and acknowledged_at is null
"""
"""A letter's notice is over when somebody sees to the letter: the letter itself stays until it is settled."""
_CALL = Refusal(
    "notice.call",
    "Nobody sees to a call by reading of it: ring, and record who was reached.",
    "电话任务须实际拨打：请拨打并登记联系到的人员。",
)


@router.post("/notices/{notice_id}/acknowledge", response_model=Acknowledged)
async def acknowledge(notice_id: UUID, request: Request, actor: Responder, conn: Reading) -> Response:
    """I, a named person, have heard it and see to it. A critical ladder stops here."""
    row = await notices.one(conn, notice_id)
    if row is None:
        not_found()
    if row["kind"] == "ring":
        return refused(_CALL).response()

    async def handler(tx: Transaction) -> Response:
        if row["kind"] in CLOCK_KINDS:
            outcome = (await tx.execute(AcknowledgeAlert(target=row["subject"]), actor=actor))[0]
            if outcome.refusal is not None:
                return answer(outcome)
            clock = outcome.state
            body = Acknowledged(
                notice_id=notice_id,
                acknowledged_by=clock.acknowledged_by,
                acknowledged_at=clock.acknowledged_at,
            )
            return answer(outcome, 200, body)
        await tx.conn.execute(_ACKNOWLEDGE, notice_id, actor.person, tx.now)
        now = await notices.one(tx.conn, notice_id)
        assert now is not None
        body = Acknowledged(
            notice_id=notice_id,
            acknowledged_by=now["acknowledged_by"],
            acknowledged_at=now["acknowledged_at"],
        )
        return Answer(200, body, {}).response()

    return await idempotent(request, actor, handler)


class Delivery(Way):
    """A delivery as those see it who look after them; unwritten: the notices it names without details."""

    critical: bool
    unwritten: list[UUID]
    decided_at: datetime
    notices: list[UUID]


_DELIVERIES = """
select * from deliveries
where ($1::text is null or state = $1) and ($2::timestamptz is null or (decided_at, id) < ($2, $3::uuid))
order by decided_at desc, id desc limit $4
"""
_RETRY = """
update deliveries set state = 'waiting', retry_at = null, settled_at = null, fold = id::text, followed = false
where id = $1 and state = 'failed'
"""


@router.get("/deliveries")
async def deliveries(
    actor: Overseer,
    conn: Reading,
    state: Literal["waiting", "sent", "failed", "needless"] | None = None,
    after: pages.After = None,
    limit: pages.Limit = 50,
) -> pages.Page[Delivery]:
    """What went out, is waiting or has failed, newest first; no addresses."""
    at, id_ = pages.after(after, datetime, UUID) or (None, None)
    rows = await conn.fetch(_DELIVERIES, state, at, id_, limit + 1)
    return pages.page(
        rows,
        limit,
        lambda row: Delivery.model_validate(dict(row)),
        lambda row: (row["decided_at"], row["id"]),
    )


@router.post("/deliveries/{delivery_id}/retry", status_code=204)
async def retry(delivery_id: UUID, request: Request, actor: Handler) -> None:
    """Send a failed delivery once more, under the same id."""
    async with request.app.state.onedoor.unit.transaction() as tx:
        done = await tx.conn.execute(_RETRY, delivery_id)
        if not done.endswith(" 1"):
            not_found()
        await wake(tx.conn, SEND_CHANNEL)


class ShiftView(BaseModel):
    """Somebody on duty. ways: by which they can be reached."""

    shift_id: UUID = Field(validation_alias="id")
    department: str
    division: str | None
    function: str
    person: str
    name: Annotated[str, PERSONAL]
    starts_at: datetime
    ends_at: datetime
    ways: list[str]


class RosterView(BaseModel):
    """The shifts of some days and the gaps between them; without: departments that have no roster at all."""

    shifts: list[ShiftView]
    gaps: list[roster.Gap]
    without: list[str]


class ContactView(BaseModel):
    """Somebody who can be told. The addresses themselves are not shown."""

    person: str
    name: Annotated[str, PERSONAL]
    ways: list[str]


class Imported(BaseModel):
    """What an import put into force, and the gaps that it leaves in the next fortnight."""

    people: int
    shifts: int
    gaps: list[roster.Gap]


class ShiftBody(roster.Shift):
    """One shift, of a person whose contact is known."""


@router.get("/roster")
async def show_roster(
    request: Request,
    actor: Rostered,
    department: Annotated[str | None, Query(max_length=60)] = None,
    from_: Annotated[datetime | None, Query(alias="from")] = None,
    to: datetime | None = None,
) -> RosterView:
    """Who is on duty, the next fortnight by default, and where nobody is; of my own department, or of all."""
    if granted(request, actor).own_department:
        department = actor.department or ""
    now = request.app.state.onedoor.clock.now()
    start, end = _aware(from_ or now), _aware(to or _aware(from_ or now) + AHEAD)
    if not timedelta() < end - start <= LONGEST_VIEW:
        raise invalid(
            [
                FieldProblem(
                    field="to",
                    problem="is not within a hundred days after `from`",
                    remedy="Ask for a shorter time.",
                    problem_zh="超出起始日期后一百天",
                    remedy_zh="请缩短查询时段。",
                )
            ]
        )
    async with request.app.state.onedoor.unit.transaction() as tx:
        rows = await roster.shifts_between(tx.conn, start, end, department)
        everybody = {
            row["department"] for row in await tx.conn.fetch("select distinct department from shifts")
        }
    wanted = None if department is None else {department}
    gaps = [
        gap
        for gap in roster.gaps([dict(row) for row in rows], start, end)
        if wanted is None or gap.department in wanted
    ]
    without = sorted(roster.departments() - everybody) if department is None else []
    return RosterView(shifts=[_shift(row) for row in rows], gaps=gaps, without=without)


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _shift(row: asyncpg.Record) -> ShiftView:
    return ShiftView.model_validate(dict(row))


@router.put("/roster")
async def import_roster(
    request: Request,
    actor: Admin,
    text: Annotated[str, Body(media_type="text/plain", max_length=1_000_000)],
    format_: Annotated[Literal["csv", "yaml"], Query(alias="format")] = "csv",
) -> Imported:
    """Take a roster (CSV or YAML) whole or not at all; it replaces its units' shifts of its time."""
    app = request.app.state.onedoor
    try:
        parsed = roster.parse(text, format_)
        async with app.unit.transaction() as tx:
            await roster.take(tx.conn, parsed)
            rows = await roster.shifts_between(tx.conn, tx.now, tx.now + AHEAD)
    except roster.Faulty as faulty:
        raise invalid(faulty.errors[:50]) from None
    gaps = roster.gaps([dict(row) for row in rows], tx.now, tx.now + AHEAD)
    return Imported(people=len(parsed.people), shifts=len(parsed.shifts), gaps=gaps)


@router.post("/roster/shifts", status_code=201)
async def add_shift(request: Request, actor: Admin, body: ShiftBody) -> ShiftView:
    """Put one shift in."""
    async with request.app.state.onedoor.unit.transaction() as tx:
        known = await tx.conn.fetchval("select true from contacts where person = $1", body.person)
        if not known:
            raise invalid(
                [
                    FieldProblem(
                        field="person",
                        problem="is not known",
                        remedy="Enter their contact first.",
                        problem_zh="人员未登记",
                        remedy_zh="请先登记联系人。",
                    )
                ]
            )
        (id_,) = await roster.add(tx.conn, [body])
        rows = await roster.shifts_between(tx.conn, body.starts_at, body.ends_at, body.department)
    return next(_shift(row) for row in rows if row["id"] == id_)


@router.delete("/roster/shifts/{shift_id}", status_code=204)
async def remove_shift(shift_id: UUID, request: Request, actor: Admin) -> None:
    """Take one shift out."""
    async with request.app.state.onedoor.unit.transaction() as tx:
        if not await roster.remove(tx.conn, shift_id):
            not_found()


@router.get("/contacts")
async def contacts(request: Request, actor: Admin) -> list[ContactView]:
    """Everybody who can be told, without the addresses."""
    async with request.app.state.onedoor.unit.transaction() as tx:
        return [ContactView.model_validate(dict(row)) for row in await roster.contacts(tx.conn)]


@router.put("/contacts")
async def put_contact(request: Request, actor: Admin, body: roster.Contact) -> ContactView:
    """Say how somebody is reached, by exactly these ways."""
    async with request.app.state.onedoor.unit.transaction() as tx:
        await roster.put_contacts(tx.conn, [body])
    return ContactView(person=body.person, name=body.name, ways=sorted(way for way, *_ in body.ways()))
