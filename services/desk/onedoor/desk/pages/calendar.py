"""The calendar: which notices count, and the import of another year's, for the admin."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from onedoor.desk.remote import Reply
from onedoor.desk.web import AtDesk, Desk, badge

router = APIRouter(include_in_schema=False)

LARGEST = 100_000


@router.get("/calendar")
async def page(desk: AtDesk) -> Response:
    """The years and where their days come from."""
    desk.need("admin.manage")
    known = await _known(desk)
    return desk.page("calendar.html", section="calendar", waiting=await badge(desk), **known)


@router.get("/calendar/years")
async def years(desk: AtDesk) -> Response:
    """The list alone: it asks again while open deadlines are being counted."""
    desk.need("admin.manage")
    return desk.page("fragments/calendar.html", **await _known(desk))


@router.post("/calendar/import")
async def take(desk: AtDesk) -> Response:
    """Import a notice; one that cannot be right is refused with the field and the remedy."""
    desk.need("admin.manage")
    form = await desk.request.form()
    file = form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        text = (await file.read(LARGEST)).decode("utf-8-sig", "replace")
    else:
        text = str(form.get("text", ""))
    reply = await desk.services.post_text(desk.session, "notify", "/v1/calendar/notices", text)
    return desk.page("fragments/calendar.html", **await _known(desk, reply))


async def _known(desk: Desk, told: Reply | None = None) -> dict[str, Any]:
    reply = await desk.services.get(desk.session, "notify", "/v1/calendar")
    body: Mapping[str, Any] = reply.body if reply.ok else {"years": [], "recounting": 0, "edition": 0}
    return {"reply": reply, "years": body["years"], "recounting": body["recounting"], "told": told}
