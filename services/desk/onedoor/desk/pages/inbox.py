"""Alerts: what I was told and nobody has dealt with yet, who was told besides, and the hotline's calls."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from onedoor.desk.remote import Reply
from onedoor.desk.web import AtDesk, Desk, badge, uuid_or_absent
from onedoor.runtime.people import BY_ID

router = APIRouter(include_in_schema=False)

CALL_OUTCOMES = ("reached", "no_answer", "refused")


@router.get("/inbox")
async def page(desk: AtDesk, everything: bool = False) -> Response:
    """The open alerts; with `everything` those that are over as well."""
    desk.need("notice.read")
    listed = await _list(desk, everything)
    return desk.page("inbox.html", section="inbox", waiting=await badge(desk), **listed)


@router.get("/inbox/list")
async def listing(desk: AtDesk, everything: bool = False) -> Response:
    """The list alone."""
    return desk.page("fragments/inbox.html", **await _list(desk, everything))


@router.get("/inbox/count")
async def count(desk: AtDesk) -> Response:
    """The badge: how many alerts I have not seen, critical ones until somebody sees to them."""
    desk.need("notice.read")
    reply = await desk.services.get(desk.session, "notify", "/v1/notices/waiting")
    body = reply.body if reply.ok else {"critical": 0, "unseen": 0}
    return desk.page("fragments/inbox_count.html", counted=body)


async def _list(desk: Desk, everything: bool) -> dict[str, Any]:
    desk.need("notice.read")
    asked = {} if everything else {"open": "true"}
    reply = await desk.services.get(desk.session, "notify", "/v1/notices", limit=100, **asked)
    items = reply.body["items"] if reply.ok else []
    unseen = [item["notice_id"] for item in items if item["seen_at"] is None]
    if unseen:
        await desk.services.post(desk.session, "notify", "/v1/notices/seen", {"notices": unseen})
    calls = await _calls(desk)
    shown = [item for item in items if everything or not calls or item["kind"] != "ring"]
    return {
        "reply": reply,
        "items": sorted(shown, key=_pressing),
        "calls": calls,
        "everything": everything,
        "told": None,
        "linked": desk.may("chain.read") is not None,
        "named": named,
    }


def named(person: str) -> str:
    """How a member of staff is called, where the desk knows them; else their id."""
    known = BY_ID.get(person)
    return known.name if known else person


def _pressing(item: dict[str, Any]) -> tuple[bool, bool, str]:
    """What is open first, then critical ones that nobody has taken up, then what is due first."""
    over = item["ended_at"] is not None
    loud = item["critical"] and item["acknowledged_at"] is None
    return over, not loud, item["due_at"] or item["at"]


async def _calls(desk: Desk) -> list[dict[str, Any]]:
    if desk.may("ring.handle") is None:
        return []
    reply = await desk.services.get(desk.session, "notify", "/v1/rings")
    return reply.body if reply.ok and isinstance(reply.body, list) else []


@router.post("/inbox/{notice}/acknowledge")
async def acknowledge(desk: AtDesk, notice: str, everything: bool = False) -> Response:
    """I see to it: recorded with my name; a critical ladder stops."""
    desk.need("notice.read")
    path = f"/v1/notices/{uuid_or_absent(notice)}/acknowledge"
    return await _done(desk, await desk.services.post(desk.session, "notify", path), everything)


@router.get("/inbox/calls/{ring}")
async def call(desk: AtDesk, ring: str) -> Response:
    """The questions about a call."""
    desk.need("ring.handle")
    ring_id = str(uuid_or_absent(ring))
    found = next((each for each in await _calls(desk) if each["ring_id"] == ring_id), None)
    return desk.page("fragments/call.html", call=found, outcomes=CALL_OUTCOMES)


@router.post("/inbox/calls/{ring}")
async def record_call(desk: AtDesk, ring: str, everything: bool = False) -> Response:
    """Record how the call went and who was reached."""
    desk.need("ring.handle")
    form = await desk.request.form()
    said = {name: str(form.get(name, "")).strip() for name in ("outcome", "reached", "note")}
    body = {name: value for name, value in said.items() if value}
    path = f"/v1/rings/{uuid_or_absent(ring)}/record"
    reply = await desk.services.post(desk.session, "notify", path, body)
    if not reply.ok:
        return desk.refused(reply)
    return await _done(desk, reply, everything)


async def _done(desk: Desk, reply: Reply, everything: bool) -> Response:
    settled = reply.ok and await desk.settled(reply)
    listed = await _list(desk, everything)
    told = {"reply": reply, "settled": settled}
    return desk.page("fragments/inbox.html", headers={"HX-Trigger": "desk-done"}, **{**listed, "told": told})
