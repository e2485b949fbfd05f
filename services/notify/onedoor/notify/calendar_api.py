"""The working-day calendar over HTTP: which notices are known, and the import of another one."""

from datetime import date, datetime
from typing import Annotated, Literal

import asyncpg
from fastapi import APIRouter, Body, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel

from onedoor.calendar import CalendarProblem, in_force, local
from onedoor.contracts.core import Actor
from onedoor.notify import almanac, views
from onedoor.runtime import almanac as imported_notices
from onedoor.runtime.app import App
from onedoor.runtime.http import Answer, allow, idempotent
from onedoor.runtime.problems import FieldProblem, invalid
from onedoor.runtime.unit import Transaction

router = APIRouter(prefix="/v1/calendar", tags=["calendar"])

Admin = Annotated[Actor, Depends(allow("admin.manage"))]

FIRST_YEAR = 2020
AHEAD = 2
"""How many years beyond this one are shown, known or not."""


class SourceView(BaseModel):
    title: str
    number: str
    issued: date
    url: str


class YearView(BaseModel):
    """One year. `origin`: the notice came with the program, was imported, or is not out (provisional)."""

    year: int
    origin: Literal["packaged", "imported", "provisional"]
    sources: list[SourceView]
    days_off: int
    make_up: int
    imported_by: str | None = None
    imported_at: datetime | None = None


class CalendarView(BaseModel):
    """edition: 0 as packaged, one more for each import; recounting: open clocks not counted by it yet."""

    edition: int
    recounting: int
    years: list[YearView]


class Imported(BaseModel):
    """new: False where this very notice was in force already; recounting: open clocks to be counted again."""

    year: int
    edition: int
    new: bool
    recounting: int


@router.get("")
async def calendar(request: Request, actor: Admin) -> CalendarView:
    """The years from 2020 on, and where their days come from."""
    app: App = request.app.state.onedoor
    async with app.writer.acquire() as conn:
        edition = await imported_notices.refresh(conn)
        rows = {row["year"]: row for row in await views.notice_rows(conn)}
        recounting = await views.outdated_count(conn, edition)
    last = max(local(app.clock.now()).year + AHEAD, *rows, FIRST_YEAR)
    years = [_year(year, rows.get(year)) for year in range(FIRST_YEAR, last + 1)]
    return CalendarView(edition=edition, recounting=recounting, years=years)


def _year(year: int, imported: asyncpg.Record | None) -> YearView:
    notice = in_force().calendar.notice(year)
    if notice is None:
        return YearView(year=year, origin="provisional", sources=[], days_off=0, make_up=0)
    by_whom = {name: imported[name] for name in ("imported_by", "imported_at")} if imported else {}
    return YearView(
        year=year,
        origin="imported" if imported else "packaged",
        sources=[SourceView.model_validate(each, from_attributes=True) for each in notice.sources],
        days_off=len(notice.off),
        make_up=len(notice.make_up),
        **by_whom,
    )


@router.post("/notices", status_code=201, response_model=Imported)
async def import_notice(
    request: Request,
    actor: Admin,
    text: Annotated[str, Body(media_type="text/plain", max_length=100_000)],
) -> Response:
    """Take the State Council's notice of a year: the text of a data file, as YAML.

    It takes effect in every process; open deadlines that it changes are counted again and both values
    published. Sent twice it changes nothing. A notice that cannot be right is refused whole.
    """

    async def handler(tx: Transaction) -> Response:
        try:
            imported = await almanac.import_notice(tx, text, actor)
        except CalendarProblem as problem:
            raise invalid([_field(problem)]) from None
        return Answer(201 if imported.new else 200, await _told(tx, imported)).response()

    return await idempotent(request, actor, handler)


async def _told(tx: Transaction, imported: almanac.Imported) -> Imported:
    return Imported(
        year=imported.notice.year,
        edition=imported.edition,
        new=imported.new,
        recounting=await views.outdated_count(tx.conn, imported.edition),
    )


def _field(problem: CalendarProblem) -> FieldProblem:
    return FieldProblem(
        field=problem.field,
        problem=problem.problem,
        remedy=problem.remedy,
        problem_zh=problem.problem_zh,
        remedy_zh=problem.remedy_zh,
    )
