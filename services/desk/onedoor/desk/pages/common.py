"""What all pages share: the way home, the language, and the stream of changes."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sse_starlette.sse import EventSourceResponse

from onedoor.desk import views
from onedoor.desk.live import CHANGES
from onedoor.desk.web import LANGUAGE, Absent, AtDesk, home
from onedoor.desk.words import LOCALES

router = APIRouter(include_in_schema=False)

YEAR = 365 * 24 * 3600
PING_SECONDS = 15


@router.get("/")
async def start(desk: AtDesk) -> RedirectResponse:
    """To the page where one's day begins."""
    return RedirectResponse(home(desk.actor), 303)


@router.get("/nothing")
async def nothing(desk: AtDesk) -> Response:
    """For roles whose pages are not built yet."""
    return desk.page("nothing.html", section="", waiting=0)


@router.get("/clock")
async def clock(desk: AtDesk) -> Response:
    """Business time, as the bar shows it."""
    return desk.page("fragments/clock.html")


@router.post("/language/{language}")
async def choose_language(request: Request, language: str) -> RedirectResponse:
    """Speak another language, and go back to where one was."""
    before = urlsplit(request.headers.get("referer", "/"))
    answer = RedirectResponse(before.path or "/", 303)
    if language in LOCALES:
        answer.set_cookie(LANGUAGE, language, max_age=YEAR, samesite="strict", httponly=True)
    return answer


@router.get("/events")
async def events(desk: AtDesk, chain: UUID | None = None) -> EventSourceResponse:
    """`changed` whenever what the page shows may have changed: one chain's, or anything's."""
    if chain is not None:
        async with desk.reading("chain.read") as conn:
            if await views.chain(conn, chain) is None:
                raise Absent
    return EventSourceResponse(_changes(str(chain) if chain else None), ping=PING_SECONDS)


async def _changes(chain: str | None) -> AsyncIterator[dict[str, str]]:
    with CHANGES.watching(*((chain,) if chain else ())) as watcher:
        yield {"event": "ready", "data": ""}
        async for _ in watcher.changes():
            yield {"event": "changed", "data": ""}
