"""The list of help chains."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from onedoor.desk import story, views
from onedoor.desk.web import AtDesk, Desk, badge
from onedoor.runtime import pages

router = APIRouter(include_in_schema=False)

PAGE = 50


@router.get("/chains")
async def page(desk: AtDesk, q: str = "", overdue: bool = False, after: str | None = None) -> Response:
    """Chains, newest first; a whole receipt number goes straight to its chain."""
    listed = await _listed(desk, q, overdue, after)
    if isinstance(listed, UUID):
        return RedirectResponse(f"/chains/{listed}", 303)
    return desk.page("chains.html", section="chains", waiting=await badge(desk), **listed)


@router.get("/chains/list")
async def listing(desk: AtDesk, q: str = "", overdue: bool = False, after: str | None = None) -> Response:
    """The list alone."""
    listed = await _listed(desk, q, overdue, after)
    return desk.page("fragments/chains.html", **(listed if isinstance(listed, dict) else {}))


async def _listed(desk: Desk, q: str, overdue: bool, after: str | None) -> UUID | dict[str, Any]:
    text = q.strip().upper()
    grant = desk.need("chain.read")
    async with desk.reading("chain.read") as conn:
        whole = await views.chain_of_receipt(conn, text) if text and not desk.partial else None
        if whole is not None:
            return whole
        key = pages.after(after, datetime, UUID)
        rows = await views.chains(conn, desk.now, PAGE, key, text, overdue)
    more = pages.cursor(rows[PAGE - 1]["opened_at"], rows[PAGE - 1]["chain_id"]) if len(rows) > PAGE else None
    return {
        "rows": rows[:PAGE],
        "more": more,
        "q": q,
        "overdue": overdue,
        "brief": grant.receipt_only,
        "standing": story.standing,
    }
