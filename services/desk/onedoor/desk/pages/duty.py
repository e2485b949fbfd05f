"""Duty: who is on duty where and when, where nobody is, and what became of the messages."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from onedoor.desk.pages.inbox import named
from onedoor.desk.remote import Reply
from onedoor.desk.web import Absent, AtDesk, Desk, badge, uuid_or_absent

router = APIRouter(include_in_schema=False)

FUNCTIONS = ("duty-person", "unit-head", "handler", "coordinating-bureau", "leadership")
STATES = ("failed", "waiting", "sent", "needless")
LARGEST = 1_000_000


@router.get("/duty")
async def page(desk: AtDesk, department: str = "") -> Response:
    """The next fortnight's roster."""
    desk.need("roster.read")
    roster = await _roster(desk, department)
    return desk.page("duty.html", section="duty", waiting=await badge(desk), **roster)


async def _roster(desk: Desk, department: str = "", told: Reply | None = None) -> dict[str, Any]:
    asked = {"department": department} if department else {}
    reply = await desk.services.get(desk.session, "notify", "/v1/roster", **asked)
    manages = desk.may("admin.manage") is not None
    contacts = await desk.services.get(desk.session, "notify", "/v1/contacts") if manages else None
    body: Mapping[str, Any] = reply.body if reply.ok else {"shifts": [], "gaps": [], "without": []}
    return {
        "reply": reply,
        "units": _by_unit(body["shifts"]),
        "gaps": body["gaps"],
        "without": body["without"],
        "contacts": contacts.body if contacts is not None and contacts.ok else [],
        "manages": manages,
        "oversees": desk.may("delivery.read") is not None,
        "functions": FUNCTIONS,
        "department": department,
        "told": told,
    }


def _by_unit(shifts: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """The shifts under their departments, in the order in which they come."""
    units: dict[str, list[Mapping[str, Any]]] = {}
    for shift in shifts:
        units.setdefault(shift["department"], []).append(shift)
    return list(units.items())


@router.post("/duty/import")
async def take(desk: AtDesk) -> Response:
    """Import a roster file, whole or not at all."""
    desk.need("admin.manage")
    form = await desk.request.form()
    file = form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        text = (await file.read(LARGEST)).decode("utf-8-sig", "replace")
        kind = "yaml" if file.filename.endswith((".yaml", ".yml")) else "csv"
    else:
        text, kind = str(form.get("text", "")), str(form.get("format", "csv"))
    reply = await desk.services.put_text(desk.session, "notify", f"/v1/roster?format={kind}", text)
    return desk.page("fragments/duty.html", **await _roster(desk, told=reply))


@router.post("/duty/shifts")
async def add(desk: AtDesk) -> Response:
    """Put one shift in."""
    desk.need("admin.manage")
    form = await desk.request.form()
    said = {
        name: str(form.get(name, "")).strip() for name in ("department", "function", "person", "from", "to")
    }
    reply = await desk.services.post(desk.session, "notify", "/v1/roster/shifts", said)
    return desk.page("fragments/duty.html", **await _roster(desk, told=reply))


@router.post("/duty/shifts/{shift}/remove")
async def remove(desk: AtDesk, shift: str) -> Response:
    """Take one shift out."""
    desk.need("admin.manage")
    reply = await desk.services.delete(desk.session, "notify", f"/v1/roster/shifts/{uuid_or_absent(shift)}")
    return desk.page("fragments/duty.html", **await _roster(desk, told=reply))


@router.get("/duty/deliveries")
async def deliveries(desk: AtDesk, state: str = "") -> Response:
    """What went out, is waiting or has failed."""
    desk.need("delivery.read")
    shown = await _deliveries(desk, state)
    return desk.page("deliveries.html", section="duty", waiting=await badge(desk), **shown)


@router.get("/duty/deliveries/list")
async def delivery_list(desk: AtDesk, state: str = "") -> Response:
    """The list alone."""
    desk.need("delivery.read")
    return desk.page("fragments/deliveries.html", **await _deliveries(desk, state))


async def _deliveries(desk: Desk, state: str, told: Reply | None = None) -> dict[str, Any]:
    if state and state not in STATES:
        raise Absent
    asked = {"state": state} if state else {}
    reply = await desk.services.get(desk.session, "notify", "/v1/deliveries", limit=100, **asked)
    return {
        "reply": reply,
        "items": reply.body["items"] if reply.ok else [],
        "state": state,
        "states": STATES,
        "retries": desk.may("letters.handle") is not None,
        "told": told,
        "named": named,
    }


@router.post("/duty/deliveries/{delivery}/retry")
async def retry(desk: AtDesk, delivery: str, state: str = "") -> Response:
    """Send a failed one once more."""
    desk.need("letters.handle")
    path = f"/v1/deliveries/{uuid_or_absent(delivery)}/retry"
    reply = await desk.services.post(desk.session, "notify", path)
    return desk.page("fragments/deliveries.html", **await _deliveries(desk, state, reply))
