"""One clock: why it is due then, and pausing, resuming or lengthening it for those who decide that."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from onedoor.desk.pages import chain, work
from onedoor.desk.pages.inbox import named
from onedoor.desk.remote import Reply, wish
from onedoor.desk.web import Absent, AtDesk, Desk, uuid_or_absent

router = APIRouter(include_in_schema=False)

VERBS: Final = ("pause", "resume", "lengthen")
SAID: Final = ("reason", "until", "note")
IN_DIALOG: Final = {"HX-Retarget": "#dialog-body", "HX-Reswap": "innerHTML"}


@router.get("/clocks/{clock}/why")
async def why(desk: AtDesk, clock: str) -> Response:
    """Why this date: notify's explanation, line by line."""
    desk.need("clock.read")
    clock_id = uuid_or_absent(clock)
    reply = await desk.services.get(desk.session, "notify", f"/v1/clocks/{clock_id}/explanation")
    lines = reply.body.get("lines", ()) if reply.ok and isinstance(reply.body, dict) else ()
    return desk.page("fragments/why.html", reply=reply, lines=lines)


@router.get("/clocks/{clock}")
async def standing(desk: AtDesk, clock: str, tab: str = "") -> Response:
    """Where the clock stands, its pauses, and what one may do about it."""
    desk.need("clock.read")
    return _standing(desk, await _one(desk, uuid_or_absent(clock)), tab)


@router.get("/clocks/{clock}/{verb}")
async def dialog(desk: AtDesk, clock: str, verb: str, tab: str = "") -> Response:
    """The questions that a verb asks; what notify would refuse now is not asked for."""
    desk.need("clock.pause")
    if verb not in VERBS:
        raise Absent
    return _asked(desk, await _one(desk, uuid_or_absent(clock)), verb, tab)


@router.post("/clocks/{clock}/{verb}")
async def move(desk: AtDesk, clock: str, verb: str, tab: str = "") -> Response:
    """Do it with one's own token, wait until the desk has seen it, and show the page anew."""
    desk.need("clock.pause")
    if verb not in VERBS:
        raise Absent
    clock_id = uuid_or_absent(clock)
    form = await desk.request.form()
    said = {name: text for name in SAID if (text := str(form.get(name, "")).strip())}
    version = str(form.get("version", "")) or None
    reply = await desk.services.post(
        desk.session, "notify", f"/v1/clocks/{clock_id}/{verb}", said, wish(form.get("key"), said), version
    )
    if reply.away:
        return desk.refused(reply)
    if reply.status == 412:
        return _standing(desk, await _one(desk, clock_id), tab, overtaken=True)
    if not reply.ok:
        return _asked(desk, await _one(desk, clock_id), verb, tab, said, reply)
    return await _page(desk, clock_id, tab, {"verb": verb, "settled": await desk.settled(reply)})


async def _one(desk: Desk, clock_id: UUID) -> Reply:
    """The clock as notify tells it to this person. Raises Absent."""
    reply = await desk.services.get(desk.session, "notify", f"/v1/clocks/{clock_id}")
    if reply.status == 404:
        raise Absent
    return reply


def _asked(
    desk: Desk,
    reply: Reply,
    verb: str,
    tab: str,
    said: dict[str, str] | None = None,
    refused: Reply | None = None,
) -> Response:
    """The form, with what was said before and why that was refused."""
    offers = reply.body["moves"] if reply.ok else ()
    offer = next((offer for offer in offers if offer["verb"] == verb), None)
    if offer is None:
        return _standing(desk, reply, tab, refused)
    return desk.page(
        "fragments/clock_move.html",
        headers=IN_DIALOG if refused else None,
        clock=reply.body,
        offer=offer,
        tab=tab,
        said=dict.fromkeys(SAID) | (said or {}),
        refused=refused,
        named=named,
    )


def _standing(
    desk: Desk, reply: Reply, tab: str, refused: Reply | None = None, overtaken: bool = False
) -> Response:
    return desk.page(
        "fragments/clock_standing.html",
        headers=IN_DIALOG if refused or overtaken else None,
        reply=reply,
        clock=reply.body if reply.ok else None,
        tab=tab,
        refused=refused,
        overtaken=overtaken,
        named=named,
    )


async def _page(desk: Desk, clock_id: UUID, tab: str, told: Mapping[str, Any]) -> Response:
    """The list from which the clock was looked at, else its chain."""
    headers = {"HX-Trigger": "desk-done"}
    if tab:
        lists = await work.lists(desk, tab)
        return desk.page("fragments/work.html", headers=headers, **lists | {"told": told})
    reply = await _one(desk, clock_id)
    if not reply.ok:
        return desk.refused(reply)
    content = await chain.content(desk, UUID(reply.body["chain_id"]))
    return desk.page("fragments/chain.html", headers=headers, **content | {"told": told})
