"""The low-income registry over HTTP: who stands in it, how many, and what other offices' lists say."""

import asyncio
from collections import Counter
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

import asyncpg
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from onedoor.assistance.payments.schedule import month_number
from onedoor.assistance.registry import enrolments, leads, lists, simulation
from onedoor.assistance.registry.tiers import Certainty, OutsideList, packaged
from onedoor.calendar import local
from onedoor.contracts.case import RequestReferral
from onedoor.contracts.core import PERSONAL, Actor, Refusal
from onedoor.policy import TableProblem, packaged_parameters
from onedoor.runtime import pages
from onedoor.runtime.app import App
from onedoor.runtime.http import Reading, allow, counting, idempotent, not_found, refused
from onedoor.runtime.idempotency import Answer
from onedoor.runtime.problems import FieldProblem, invalid
from onedoor.runtime.unit import Transaction

router = APIRouter(prefix="/v1/registry", tags=["registry"])

Reader = Annotated[Actor, Depends(allow("registry.read"))]
Worker = Annotated[Actor, Depends(allow("registry.work"))]
Manager = Annotated[Actor, Depends(allow("registry.manage"))]
Leader = Annotated[Actor, Depends(allow("figures.read"))]
Simulator = Annotated[Actor, Depends(allow("figures.simulate"))]

Tier = Literal["tekun", "dibao", "edge", "rigid", "other"]
Day = Annotated[date | None, Query(description="as it stood on this day; absent: today")]
SMALLEST = 5
"""Fewer households than this are not counted out: in a village they would be known."""
MOST_ROWS = 20_000


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class ListedPerson(_Body):
    name: Annotated[str, PERSONAL, Field(min_length=1, max_length=80)]
    birth: Annotated[date | None, PERSONAL] = None


class NewList(_Body):
    """Another office's list of a month. It is compared and not kept."""

    source: Annotated[str, Field(max_length=40)]
    month: Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="YYYY-MM")]
    rows: Annotated[list[ListedPerson], Field(min_length=1, max_length=MOST_ROWS)]


class Settlement(_Body):
    result: Literal["same_person", "different_person", "visited", "applied", "not_in_need", "told_them"]


class HouseholdView(BaseModel):
    """A household of the registry. `programmes` empty: it is only watched, after what it had has ended."""

    case_id: UUID
    chain_id: UUID
    division: str | None
    tier: str
    programmes: list[str]
    taper: bool
    since: date


class CountView(BaseModel):
    """How many households; None where there are too few to say."""

    tier: str
    division: str | None
    households: int | None


class SourceView(BaseModel):
    """An office whose list is compared every so many months. last: as 2026-06; due: it is owed by now."""

    source: str
    every: int
    certainty: Certainty
    last: str | None
    due: bool


class ListView(BaseModel):
    """`fresh`: false where the very same list came before; then nothing changed."""

    list_id: UUID
    fresh: bool
    open: dict[str, int]


class DifferenceView(BaseModel):
    """A difference to settle. The name is theirs where the person is on their list."""

    model_config = ConfigDict(extra="ignore")

    id: UUID
    source: str
    month: str
    kind: str
    case_id: UUID | None
    person_id: UUID | None
    name: Annotated[str, PERSONAL]
    birth: Annotated[date | None, PERSONAL]
    division: str | None
    state: str
    result: str | None
    found_at: datetime
    settled_at: datetime | None


class Simulation(_Body):
    """Figures as they would be from a day on: id of the table's figure, and its value in its own unit."""

    on: date
    changes: Annotated[dict[Annotated[str, Field(max_length=80)], float], Field(min_length=1, max_length=20)]


class LeadSettlement(_Body):
    result: Literal["applied", "not_in_need", "reviewed", "facts_wrong"]


class LeadView(BaseModel):
    """A lead to look at. amount_fen: what would be due by the rules, where a figure is known."""

    model_config = ConfigDict(extra="ignore")

    id: UUID
    case_id: UUID
    programme: str
    person_id: UUID | None
    kind: leads.Kind
    amount_fen: int | None
    state: str
    result: str | None
    found_at: datetime
    seen_at: datetime
    division: str | None


class ReviewView(BaseModel):
    """One page of the review: how many cases were asked about, how many leads they gave, whose file the rules
    cannot read, and where to go on.
    """

    cases: int
    leads: int
    broken: list[UUID]
    next: UUID | None


@router.get("")
async def households(
    request: Request,
    actor: Reader,
    conn: Reading,
    tier: Tier | None = None,
    division: Annotated[str | None, Query(max_length=12)] = None,
    day: Day = None,
    after: pages.After = None,
    limit: pages.Limit = 50,
) -> pages.Page[HouseholdView]:
    """The households of the registry, as it stood on a day."""
    key = pages.after(after, UUID)
    rows = await enrolments.households(
        conn, packaged(), day or _today(request), tier, division, key[0] if key else None, limit
    )
    return pages.page(rows, limit, _household, lambda row: (row["case_id"],))


def _household(row: asyncpg.Record) -> HouseholdView:
    tier = packaged().tiers[row["rank"]].tier
    return HouseholdView.model_validate(dict(row) | {"tier": tier, "programmes": row["programmes"] or []})


@router.get("/counts")
async def counts(request: Request, actor: Leader, day: Day = None) -> list[CountView]:
    """How many households by tier and division, also those that one may not see; small numbers hidden."""
    async with counting(request.app.state.onedoor) as conn:
        rows = await enrolments.counts(conn, packaged(), day or _today(request))
    return [
        CountView(
            tier=packaged().tiers[row["rank"]].tier,
            division=row["division"],
            households=row["households"] if row["households"] >= SMALLEST else None,
        )
        for row in rows
    ]


@router.get("/lists")
async def compared(request: Request, actor: Reader) -> list[SourceView]:
    """Whose lists are compared, when that was done last, and whether it is due."""
    async with counting(request.app.state.onedoor) as conn:
        last = await lists.latest(conn)
    now = month_number(f"{_today(request):%Y-%m}")
    return [
        SourceView(
            source=row.source,
            every=row.every,
            certainty=row.certainty,
            last=last.get(row.source),
            due=row.source not in last or now - month_number(last[row.source]) >= row.every,
        )
        for row in packaged().lists
    ]


@router.post("/lists", response_model=ListView)
async def compare(request: Request, actor: Manager, body: NewList) -> Response:
    """Compare a list with the registry; each difference is a task. The same list again changes nothing."""
    source = _source(body.source)
    registry = packaged()
    people = [lists.Listed(row.name, row.birth) for row in body.rows]

    async def handler(tx: Transaction) -> Answer:
        new = lists.NewList(
            source=source.source,
            month=body.month,
            rows=people,
            programmes=[*registry.rank],
            ranks=[*registry.rank.values()],
            compared=[place for place, row in enumerate(registry.tiers) if row.tier in source.compared],
            at=tx.now,
            by=str(actor),
        )
        list_id, fresh = await lists.compare(tx.conn, new)
        found = await lists.differences(tx.conn, source.source, None, "open", None, MOST_ROWS)
        view = ListView(list_id=list_id, fresh=fresh, open=Counter(row["kind"] for row in found))
        return Answer(201 if fresh else 200, view)

    return await idempotent(request, actor, handler)


@router.get("/differences")
async def differences(
    actor: Reader,
    conn: Reading,
    source: Annotated[str | None, Query(max_length=40)] = None,
    kind: lists.Kind | None = None,
    state: Literal["open", "settled"] = "open",
    after: pages.After = None,
    limit: pages.Limit = 50,
) -> pages.Page[DifferenceView]:
    """What differs, the oldest first."""
    rows = await lists.differences(conn, source, kind, state, pages.after(after, datetime, UUID), limit + 1)
    return pages.page(
        rows,
        limit,
        lambda row: DifferenceView.model_validate(dict(row)),
        lambda row: (row["found_at"], row["id"]),
    )


@router.post("/differences/{difference_id}/settle", response_model=DifferenceView)
async def settle(
    difference_id: UUID, request: Request, actor: Worker, conn: Reading, body: Settlement
) -> Response:
    """Somebody looked: settle it with what came of it."""
    if await lists.difference(conn, difference_id) is None:
        not_found()

    async def handler(tx: Transaction) -> Answer:
        return await _settled(tx, difference_id, body.result, actor)

    return await idempotent(request, actor, handler)


@router.post("/simulations")
async def simulate(request: Request, actor: Simulator, body: Simulation) -> dict[str, Any]:
    """Who of the households on file gains or loses by other figures, and the monthly cost; nothing is kept.

    By programme, street and tier; groups under five, and what would give them away, are hidden.
    """
    app: App = request.app.state.onedoor
    async with counting(app) as conn:
        stored = await simulation.files(conn)
    try:
        return await asyncio.to_thread(simulation.effect, stored, body.on, body.changes)
    except TableProblem as problem:
        raise invalid([_no_figure(str(problem))]) from None


def _no_figure(said: str) -> FieldProblem:
    return FieldProblem(
        field="changes",
        problem=said,
        remedy="name figures of the table, as dibao_standard.urban, with a number in their own unit",
        problem_zh="参数名称或数值不正确",
        remedy_zh="请填写参数表中的参数（如 dibao_standard.urban）及其单位下的数值",
        allowed=sorted(parameter.id for parameter in packaged_parameters()),
    )


@router.post("/leads", response_model=ReviewView)
async def review(
    request: Request,
    actor: Manager,
    after: Annotated[UUID | None, Query(description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="how many households at most")] = 200,
) -> Response:
    """Ask the rules about a page of households' files as of today; call it again until `next` is null.

    Asked twice on one day, nothing is found twice. What is not so any more is settled by itself.
    """
    today, rest = _today(request), packaged().leads_rest.days

    async def handler(tx: Transaction) -> Answer:
        rows = await leads.files(tx.conn, after, limit)
        cases = [row["case_id"] for row in rows]
        standing = await leads.enrolled(tx.conn, cases, today)
        found, broken = await asyncio.to_thread(leads.judged, rows, standing, packaged(), today)
        await leads.keep(tx.conn, [case for case in cases if case not in broken], found, tx.now, rest)
        following = cases[-1] if len(cases) == limit else None
        view = ReviewView(cases=len(cases), leads=len(found), broken=broken, next=following)
        return Answer(200, view)

    return await idempotent(request, actor, handler)


@router.get("/leads")
async def found(
    actor: Reader,
    conn: Reading,
    kind: leads.Kind | None = None,
    state: Literal["open", "settled"] = "open",
    after: pages.After = None,
    limit: pages.Limit = 50,
) -> pages.Page[LeadView]:
    """The leads, the oldest first."""
    rows = await leads.listed(conn, state, kind, pages.after(after, datetime, UUID), limit + 1)
    return pages.page(
        rows, limit, lambda row: LeadView.model_validate(dict(row)), lambda row: (row["found_at"], row["id"])
    )


@router.post("/leads/{lead_id}/settle", response_model=LeadView)
async def settle_lead(
    lead_id: UUID, request: Request, actor: Worker, conn: Reading, body: LeadSettlement
) -> Response:
    """Somebody looked: settle it with what came of it."""
    if await leads.one(conn, lead_id) is None:
        not_found()

    async def handler(tx: Transaction) -> Answer:
        if not await leads.settle(tx.conn, lead_id, body.result, tx.now, str(actor)):
            raise refused(_SETTLED)
        row: Any = await leads.one(tx.conn, lead_id)
        return Answer(200, LeadView.model_validate(dict(row)))

    return await idempotent(request, actor, handler)


@router.post("/differences/{difference_id}/refer", response_model=DifferenceView)
async def refer(difference_id: UUID, request: Request, actor: Manager, conn: Reading) -> Response:
    """R20: tell the other office that this household is in a tier and not on its list; settles it."""
    row = await lists.difference(conn, difference_id)
    if row is None:
        not_found()
    if row["kind"] != "missing_there" or row["source"] != "agriculture":
        raise refused(_NOT_TO_REFER)
    found = await enrolments.households(
        conn, packaged(), _today(request), after=_before(row["case_id"]), limit=0
    )
    household = next((each for each in found if each["case_id"] == row["case_id"]), None)
    if household is None or household["programmes"] is None:
        raise refused(_LEFT)
    wish = RequestReferral(
        target=row["case_id"],
        request_id=uuid5(difference_id, "R20"),
        rule="R20",
        to="agriculture",
        urgency="ordinary",
        subjects=(row["person_id"],),
        facts={"tier": packaged().tiers[household["rank"]].tier},
    )

    async def handler(tx: Transaction) -> Answer:
        answer = await _settled(tx, difference_id, "told_them", actor)
        (outcome,) = await tx.execute(wish, actor=actor)
        if outcome.refusal is not None:
            raise refused(outcome.refusal)
        return answer

    return await idempotent(request, actor, handler)


async def _settled(tx: Transaction, difference_id: UUID, result: str, actor: Actor) -> Answer:
    if not await lists.settle(tx.conn, difference_id, result, tx.now, str(actor)):
        raise refused(_SETTLED)
    row: Any = await lists.difference(tx.conn, difference_id)
    return Answer(200, DifferenceView.model_validate(dict(row)))


def _before(case_id: UUID) -> UUID:
    return UUID(int=case_id.int - 1)


def _today(request: Request) -> date:
    return local(request.app.state.onedoor.clock.now()).date()


def _source(name: str) -> OutsideList:
    found = next((row for row in packaged().lists if row.source == name), None)
    if found is None:
        codes = ", ".join(row.source for row in packaged().lists)
        raise refused(
            Refusal(
                "registry.source",
                f"{name} has no list here; name one of: {codes}.",
                f"{name} 没有比对名单，请填写下列之一：{codes}。",
                "source",
            )
        )
    return found


_SETTLED = Refusal("registry.settled", "It is settled already.", "该差异已处理。")
_LEFT = Refusal(
    "registry.left",
    "The household has left the registry meanwhile: settle it otherwise.",
    "该家庭已退出低收入人口库，请另行处理。",
)
_NOT_TO_REFER = Refusal(
    "registry.not_to_refer",
    "Only a household that agriculture's list lacks is told to them; settle this one otherwise.",
    "只有农业农村名单中缺少的家庭才需转告，请另行处理。",
)
