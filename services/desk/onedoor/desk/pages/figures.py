"""Figures for those who lead: what was met in time, where and by whom; the month, the agenda."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from onedoor.calendar import local
from onedoor.desk import documents
from onedoor.desk.divisions import division_name
from onedoor.desk.remote import Reply
from onedoor.desk.web import Absent, AtDesk, Desk, badge
from onedoor.runtime import exports

router = APIRouter(include_in_schema=False)

GROUPS: Final = ("department", "duty", "area")
MONTHS_BACK: Final = 11
TIMELINESS, ASSESSMENT, AGENDA = "/v1/figures/timeliness", "/v1/figures/assessment", "/v1/figures/agenda"


@router.get("/figures")
async def page(desk: AtDesk, month: str = "", as_of: str = "") -> Response:
    """A month: the groups, the last twelve months, the units, and what the meeting has to speak about."""
    desk.need("figures.read")
    shown = _month(desk, month)
    first, after = _span(shown)
    asked = _asked(as_of)
    *groups, course, units, meeting = await asyncio.gather(
        *(_ask(desk, TIMELINESS, first, after, **asked, by=by) for by in GROUPS),
        _ask(desk, TIMELINESS, _back(first), after, by="month", **asked),
        desk.services.get(desk.session, "notify", ASSESSMENT, month=shown, **asked),
        desk.services.get(desk.session, "notify", AGENDA, **asked),
    )
    return desk.page(
        "figures.html",
        section="figures",
        waiting=await badge(desk),
        month=shown,
        as_of=as_of,
        refused=next((reply for reply in groups if not reply.ok), None),
        groups=[(by, _body(reply)) for by, reply in zip(GROUPS, groups, strict=True)],
        course=[row for row in _body(course).get("rows", ()) if not row["hidden"]],
        units=_body(units).get("units", ()),
        items=_body(meeting).get("items", ()),
        unseen=_body(meeting).get("unseen", 0),
        name=lambda by, row: _name(desk, by, row),
        linked=desk.may("chain.read") is not None,
        counts=desk.may("clock.read") is not None,
    )


@router.get("/figures/clocks")
async def clocks(
    desk: AtDesk,
    by: str = "department",
    value: str = "",
    month: str = "",
    as_of: str = "",
    after: str = "",
) -> Response:
    """The clocks behind one row of a month, of those that the person may see."""
    desk.need("clock.read")
    if by not in GROUPS or not value:
        raise Absent
    shown = _month(desk, month)
    first, end = _span(shown)
    asked = {by: value} | _asked(as_of) | ({"after": after} if after else {})
    reply = await _ask(desk, "/v1/figures/clocks", first, end, **asked)
    body = _body(reply)
    return desk.page(
        "figure_clocks.html",
        section="figures",
        waiting=await badge(desk),
        reply=reply,
        items=body.get("items", ()),
        following=body.get("next"),
        by=by,
        value=value,
        month=shown,
        kept=f"&as_of={quote(as_of)}" if as_of else "",
        named=_name(desk, by, {by: value}),
        linked=desk.may("chain.read") is not None,
    )


@router.get("/figures/timeliness.{kind}")
async def timeliness(
    desk: AtDesk, kind: str, by: str = "department", month: str = "", as_of: str = ""
) -> Response:
    """One grouping of a month as a spreadsheet."""
    desk.need("figures.read")
    if kind not in ("csv", "xlsx") or by not in GROUPS:
        raise Absent
    shown = _month(desk, month)
    first, after = _span(shown)
    body = _given(await _ask(desk, TIMELINESS, first, after, by=by, **_asked(as_of)))
    heading = [
        desk.words(text)
        for text in (by.capitalize(), "Met in time", "Met late", "Open and overdue", "In time")
    ]
    rows = [[_name(desk, by, row), *_numbers(desk, row)] for row in body["rows"]]
    title = f"{desk.words('Timeliness')} {shown}"
    return exports.download(kind, f"timeliness-{by}-{shown}", title, heading, rows)  # type: ignore[arg-type]


@router.get("/figures/assessment.{kind}")
async def assessment(desk: AtDesk, kind: str, month: str = "", as_of: str = "") -> Response:
    """The units' month as a spreadsheet or a document."""
    desk.need("figures.read")
    shown = _month(desk, month)
    body = _given(await desk.services.get(desk.session, "notify", ASSESSMENT, month=shown, **_asked(as_of)))
    heading = [desk.words(text) for text in UNIT_HEADING]
    rows = [_unit(desk, unit) for unit in body["units"]]
    title = f"{desk.words('Monthly assessment by unit')} {shown}"
    if kind == "docx":
        return documents.download(
            f"assessment-{shown}", title, _intro(desk, body["as_of"]), [(None, heading, rows)]
        )
    if kind not in ("csv", "xlsx"):
        raise Absent
    return exports.download(kind, f"assessment-{shown}", desk.words("Assessment"), heading, rows)  # type: ignore[arg-type]


@router.get("/figures/agenda.docx")
async def agenda(desk: AtDesk, as_of: str = "") -> Response:
    """What the coordination meeting has to speak about, as a document, one table for each reason."""
    desk.need("figures.read")
    body = _given(await desk.services.get(desk.session, "notify", AGENDA, **_asked(as_of)))
    heading = [desk.words(text) for text in AGENDA_HEADING]
    tables = [
        (desk.words.label("meeting", why), heading, rows)
        for why in WHY
        if (rows := [_item(desk, item) for item in body["items"] if item["why"][0] == why])
    ]
    day = local(desk.words.parse(body["as_of"])).date().isoformat()
    title = f"{desk.words('Agenda of the coordination meeting')} {day}"
    nothing = desk.words("Nothing is stuck, returned three times or with four offices at once.")
    told = [nothing] if not tables else []
    if body["unseen"]:
        told.append(_unseen(desk, body["unseen"]))
    return documents.download(f"agenda-{day}", title, " ".join(told), tables)


def _unseen(desk: Desk, count: int) -> str:
    return desk.words("{n} more chains are for the meeting that you may not see.", n=count)


UNIT_HEADING: Final = ("Unit", "Met in time", "Met late", "Open and overdue", "In time", "Held",
                       "Working minutes", "Median working minutes", "Returned")  # fmt: skip
AGENDA_HEADING: Final = ("Receipt number", "Why", "With", "Overdue clocks", "Since", "Returned")
WHY: Final = ("stuck", "returned", "complex")


def _unit(desk: Desk, unit: Mapping[str, Any]) -> list[object]:
    owed = [_name(desk, "department", unit["timeliness"]), *_numbers(desk, unit["timeliness"])]
    if unit["held"] is None:
        return [*owed, desk.words("hidden"), None, None, None]
    middle = unit["median_minutes"]
    return [
        *owed,
        unit["held"],
        round(unit["minutes"]),
        None if middle is None else round(middle),
        unit["returned"],
    ]


def _item(desk: Desk, item: Mapping[str, Any]) -> list[object]:
    since = desk.words.parse(item["since"]) if item["since"] else None
    return [
        item["receipt"],
        desk.words.labels("meeting", item["why"]),
        desk.words.labels("department", item["holds"]),
        item["overdue"],
        desk.words.deadline(since, desk.now) if since else "",
        item["returned"],
    ]


def _intro(desk: Desk, as_of: str) -> str:
    rules = desk.words(
        "Of the duties that fell due in the month. Paused clocks and late entries are left out; groups under "
        "five are hidden. Minutes are working minutes; of units on duty round the clock, all minutes."
    )
    at = desk.words.moment(desk.words.parse(as_of), desk.now)
    return f"{desk.words('As it stood on')} {at}. {rules}"


def _numbers(desk: Desk, row: Mapping[str, Any]) -> Sequence[object]:
    if row["hidden"]:
        return [desk.words("hidden"), None, None, None]
    share = None if row["share"] is None else f"{row['share']:.1%}"
    return [row["met"], row["late"], row["overdue"], share]


def _name(desk: Desk, by: str, row: Mapping[str, Any]) -> str:
    code = row[by]
    if code is None:
        return desk.words("all divisions") if by == "area" else desk.words("not known")
    if by == "area":
        return division_name(code)
    return desk.words.label(by, code)


async def _ask(desk: Desk, path: str, first: date, after: date, **more: str) -> Reply:
    span = {"from": first.isoformat(), "to": after.isoformat()}
    return await desk.services.get(desk.session, "notify", path, **span, **more)


def _asked(as_of: str) -> dict[str, str]:
    return {"as_of": _moment(as_of)} if as_of else {}


def _given(reply: Reply) -> Mapping[str, Any]:
    """What a file is made of: a file without it would say that there was nothing. Raises HTTPException."""
    if not reply.ok:
        raise HTTPException(reply.status or 503)
    return _body(reply)


def _body(reply: Reply) -> Mapping[str, Any]:
    return reply.body if reply.ok and isinstance(reply.body, dict) else {}


def _month(desk: Desk, month: str) -> str:
    """The month that was asked for, else the present one."""
    return month if re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", month) else f"{local(desk.now):%Y-%m}"


def _span(month: str) -> tuple[date, date]:
    first = date(int(month[:4]), int(month[5:]), 1)
    return first, (first + timedelta(days=31)).replace(day=1)


def _back(first: date) -> date:
    months = first.year * 12 + first.month - 1 - MONTHS_BACK
    return date(months // 12, months % 12 + 1, 1)


def _moment(text: str) -> str:
    """What a date field sends has no offset: it is Shanghai's."""
    return text if re.search(r"(Z|[+-]\d\d:\d\d)$", text) else f"{text}+08:00"
