"""The low-income registry: who stands in which tier, and what rules or other offices' lists say otherwise."""

import asyncio
import csv
from io import StringIO
from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import FormData, UploadFile

from onedoor.calendar import local
from onedoor.desk.pages.cases import yuan
from onedoor.desk.remote import Reply
from onedoor.desk.web import Absent, AtDesk, Desk, badge, uuid_or_absent

router = APIRouter(include_in_schema=False)

ROOT: Final = "/v1/registry"
TIERS: Final = ("tekun", "dibao", "edge", "rigid", "other")
RESULTS: Final = {
    "missing_here": ("visited", "applied", "not_in_need"),
    "missing_there": ("told_them", "not_in_need"),
    "doubtful": ("same_person", "different_person"),
}
"""What may come of looking at a difference of each kind."""
LEADS: Final = {
    "not_enrolled": ("applied", "not_in_need", "facts_wrong"),
    "no_longer": ("reviewed", "facts_wrong"),
}
"""What may come of looking at a lead of each kind."""
ASKED_AT_ONCE: Final = 200
"""Households about which the rules are asked in one request."""
LARGEST: Final = 4_000_000
NAMES: Final = ("name", "姓名")
BIRTHS: Final = ("birth", "出生日期")


@router.get("/registry")
async def page(desk: AtDesk, tier: str = "", after: str = "") -> Response:
    """The households of a tier, the open leads and differences, and the form for another list."""
    desk.need("registry.read")
    asked = {name: value for name, value in (("tier", tier), ("after", after)) if value}
    found, leads, tasks, lists = await asyncio.gather(
        _get(desk, ROOT, limit="50", **asked),
        _get(desk, f"{ROOT}/leads", limit="100"),
        _get(desk, f"{ROOT}/differences", limit="100"),
        _get(desk, f"{ROOT}/lists"),
    )
    return desk.page(
        "registry.html",
        section="registry",
        waiting=await badge(desk),
        tier=tier,
        tiers=TIERS,
        households=found.body["items"] if found.ok else (),
        following=found.body["next"] if found.ok else None,
        refused=None if found.ok else found,
        leads=leads.body["items"] if leads.ok else (),
        lead_results=LEADS,
        tasks=tasks.body["items"] if tasks.ok else (),
        results=RESULTS,
        sources=lists.body if lists.ok else (),
        month=f"{local(desk.now):%Y-%m}",
        manage=desk.may("registry.manage") is not None,
        linked=desk.may("chain.read") is not None,
        work=desk.may("registry.work") is not None,
        yuan=yuan,
        key=uuid4(),
    )


@router.post("/registry/lists")
async def compare(desk: AtDesk) -> Response:
    """Another office's list, as a CSV with the columns name and birth."""
    desk.need("registry.manage")
    form = await desk.request.form(max_part_size=LARGEST)
    body = {name: str(form.get(name, "")) for name in ("source", "month")} | {"rows": await _rows(form)}
    reply = await _post(desk, f"{ROOT}/lists", body, str(form.get("key", "")))
    return _done(desk, reply)


@router.post("/registry/leads")
async def review(desk: AtDesk, after: str = "", asked: int = 0, broken: int = 0) -> Response:
    """Ask the rules about the next households on file; the answer asks for those after them by itself."""
    desk.need("registry.manage")
    path = f"{ROOT}/leads?limit={ASKED_AT_ONCE}" + (f"&after={uuid_or_absent(after)}" if after else "")
    reply = await _post(desk, path, {})
    if not reply.ok:
        return desk.refused(reply)
    page = reply.body
    return desk.page(
        "fragments/leads_asked.html",
        asked=asked + page["cases"],
        broken=broken + len(page["broken"]),
        following=page["next"],
    )


@router.post("/registry/leads/{lead}/{result}")
async def settle_lead(desk: AtDesk, lead: str, result: str) -> Response:
    """Somebody looked at a lead: settle it with what came of it."""
    desk.need("registry.work")
    if not any(result in results for results in LEADS.values()):
        raise Absent
    path = f"{ROOT}/leads/{uuid_or_absent(lead)}/settle"
    return _done(desk, await _post(desk, path, {"result": result}))


@router.post("/registry/differences/{difference}/{result}")
async def settle(desk: AtDesk, difference: str, result: str) -> Response:
    """Settle a difference, or tell the other office of it (R20)."""
    desk.need("registry.read")
    path = f"{ROOT}/differences/{uuid_or_absent(difference)}"
    if result == "refer":
        return _done(desk, await _post(desk, f"{path}/refer", {}))
    if not any(result in results for results in RESULTS.values()):
        raise Absent
    return _done(desk, await _post(desk, f"{path}/settle", {"result": result}))


async def _rows(form: FormData) -> list[dict[str, str | None]]:
    """The list's rows; a file that is no table of names has none, and the registry says so."""
    file = form.get("file")
    if not isinstance(file, UploadFile):
        return []
    text = (await file.read()).decode("utf-8-sig", errors="replace")
    return [
        {"name": _column(row, NAMES), "birth": _column(row, BIRTHS) or None}
        for row in csv.DictReader(StringIO(text))
        if any(row.values())
    ]


def _column(row: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((str(row[name]).strip() for name in names if row.get(name)), "")


def _done(desk: Desk, reply: Reply) -> Response:
    if not reply.ok:
        return desk.refused(reply)
    return Response(status_code=204, headers={"HX-Redirect": "/registry"})


async def _get(desk: Desk, path: str, **params: str) -> Reply:
    return await desk.services.get(desk.session, "assistance", path, **params)


async def _post(desk: Desk, path: str, body: dict[str, Any], key: str = "") -> Reply:
    return await desk.services.post(desk.session, "assistance", path, body, key or None)
