"""How a page is answered: who may see it, in which language, as HTML, with the headers that keep it safe."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onedoor.contracts.core import Actor
from onedoor.desk import live, views
from onedoor.desk.divisions import division_name
from onedoor.desk.remote import Reply, Services
from onedoor.desk.session import NotSignedIn, Session, current, signed_in
from onedoor.desk.words import LOCALES, Words
from onedoor.runtime import database
from onedoor.runtime.access import Grant, may
from onedoor.runtime.app import App
from onedoor.runtime.http import clear
from onedoor.runtime.problems import problem_of
from onedoor.runtime.service import Connection

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html", "svg"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals["division_name"] = division_name

LANGUAGE = "onedoor_language"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SAFE = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
POOL_WAIT = 5.0


class Barred(Exception):
    """The signed-in person's role does not have this page."""


class Absent(Exception):
    """There is no such thing, or it may not be seen: the page is the same."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a page has in its hands: the request, who sits there, the words, the services, business time."""

    request: Request
    session: Session
    words: Words

    @property
    def app(self) -> App:
        app: App = self.request.app.state.onedoor
        return app

    @property
    def services(self) -> Services:
        services: Services = self.request.app.state.services
        return services

    @property
    def actor(self) -> Actor:
        return self.session.actor

    @property
    def now(self) -> datetime:
        return self.app.clock.now()

    @property
    def partial(self) -> bool:
        """Whether htmx asks, which wants a fragment."""
        return "hx-request" in self.request.headers

    def may(self, action: str) -> Grant | None:
        return may(self.actor, action)

    def need(self, action: str) -> Grant:
        """How far the action reaches. Raises Barred."""
        grant = self.may(action)
        if grant is None:
            raise Barred
        return grant

    @property
    def assists(self) -> bool:
        """Whether they have assistance's cases: of those who read cases, who may see what is paid on them."""
        return self.may("case.read") is not None and self.may("payment.read") is not None

    @asynccontextmanager
    async def reading(self, action: str) -> AsyncIterator[Connection]:
        """A connection that sees what the person may see for this action. Raises Barred."""
        grant = self.need(action)
        async with self.app.reader.acquire(timeout=POOL_WAIT) as conn, conn.transaction():
            await clear(conn, self.actor, grant)
            yield conn

    async def settled(self, reply: Reply) -> bool:
        """Whether what a command led to is in the desk's own tables by now."""
        if reply.event is None:
            return True
        return await live.arrived(self.app, reply.event, self.app.settings.command_wait)  # type: ignore[attr-defined]

    def refused(self, reply: Reply, place: str = "#refused") -> HTMLResponse:
        """Why a service refused, at the page's place for that; the form keeps what was typed."""
        headers = {"HX-Retarget": place, "HX-Reswap": "innerHTML"}
        return self.page("fragments/refused.html", reply=reply, headers=headers)

    def page(self, template: str, status: int = 200, headers: Any = None, **values: Any) -> HTMLResponse:
        """The template as a page or fragment."""
        text = render(template, self.words, self.now, desk=self, **values)
        return HTMLResponse(text, status, headers)


def render(template: str, words: Words, now: datetime, **values: Any) -> str:
    """A template with what every template may use."""
    return TEMPLATES.get_template(template).render(_=words, w=words, label=words.label, now=now, **values)


def language(request: Request) -> str:
    """The reader's language: by cookie, else Chinese."""
    chosen = request.cookies.get(LANGUAGE, "zh")
    return chosen if chosen in LOCALES else "zh"


async def _desk(request: Request, session: Annotated[Session, Depends(signed_in)]) -> Desk:
    return Desk(request, session, Words(language(request)))


AtDesk = Annotated[Desk, Depends(_desk)]


HOMES: Mapping[str, str] = {
    "application.enter": "/console",
    "referral.handle": "/work",
    "chain.read": "/chains",
    "stream.read": "/stream",
    "payment.list": "/payments",
    "figures.read": "/figures",
    "roster.read": "/duty",
    "notice.read": "/inbox",
}
FIRST: Mapping[str, str] = {"hotline": "/console", "window": "/console", "everything": "/console",
                            "child-duty": "/work"}  # fmt: skip


def home(actor: Actor) -> str:
    """The page where the role's day begins."""
    if actor.role in FIRST:
        return FIRST[actor.role]
    pages = (HOMES[action] for action in ("referral.handle", "chain.read", "application.enter", "stream.read",
                                          "payment.list", "figures.read", "roster.read", "notice.read")
             if may(actor, action))  # fmt: skip
    return next(pages, "/nothing")


async def badge(desk: Desk) -> int:
    """How many referrals wait for the person's unit."""
    if desk.may("referral.handle") is None:
        return 0
    async with desk.reading("referral.handle") as conn:
        department, division = unit(desk)
        return len(await views.work(conn, desk.now, department, division))


def unit(desk: Desk) -> tuple[str | None, str | None]:
    """Whose list is one's own: department and division; None for those who belong to none."""
    return desk.actor.department, desk.actor.division


def uuid_or_absent(text: str) -> UUID:
    """The id in an address; anything else does not exist."""
    try:
        return UUID(text)
    except ValueError:
        raise Absent from None


class Guard:
    """ASGI middleware: safe headers on every answer; no command from another site's page.

    The pages' commands carry the session cookie, which is SameSite=Strict; the browser's own word for where
    a request comes from is asked besides. The API under /v1 takes bearer tokens and no cookie.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] not in READING_METHODS and not scope["path"].startswith("/v1/") and foreign(scope):
            await Response("cross-site request refused", 403)(scope, receive, send)
            return

        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_headers(scope, message)]}
            await send(message)

        await self.app(scope, receive, safe)


def _headers(scope: Scope, message: Message) -> list[tuple[bytes, bytes]]:
    named = {name.lower() for name, _ in message["headers"]}
    headers = [(name, value) for name, value in SAFE.items() if name not in named]
    if not scope["path"].startswith("/static/") and b"cache-control" not in named:
        headers.append((b"cache-control", b"no-store"))
    return headers


def foreign(scope: Scope) -> bool:
    """Whether the request does not come from a page of this very host."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    if origin is not None:
        return bool(origin.partition(b"://")[2] != headers.get(b"host"))
    return headers.get(b"sec-fetch-site") != b"same-origin"


def install(app: FastAPI) -> None:
    """Errors of pages as pages, errors of the API as they are; and the guard."""
    known = dict(app.exception_handlers)

    async def to_sign_in(request: Request, error: Exception) -> Response:
        if "hx-request" in request.headers:
            return Response(status_code=204, headers={"HX-Redirect": "/signin"})
        return RedirectResponse("/signin", 303)

    async def as_page(request: Request, error: Exception) -> Response:
        if request.url.path.startswith(("/v1/", "/health", "/metrics")) and HTTPException in known:
            return problem_of(error).response()
        return error_page(request, error)

    app.add_exception_handler(NotSignedIn, to_sign_in)
    for kind in (Barred, Absent, HTTPException, *_AWAY):
        app.add_exception_handler(kind, as_page)
    app.add_middleware(Guard)


_AWAY: tuple[type[Exception], ...] = tuple(
    kind
    for kind in database.UNREACHABLE
    if issubclass(kind, Exception) and kind is not asyncpg.InterfaceError
)


def error_page(request: Request, error: Exception) -> Response:
    """A page that says what is the matter and what to do."""
    match error:
        case Barred():
            status = 403
        case Absent():
            status = 404
        case HTTPException():
            status = error.status_code
        case _:
            status = 503
    words = Words(language(request))
    app: App = request.app.state.onedoor
    session = current(request)
    desk = Desk(request, session, words) if session else None
    template = "fragments/problem.html" if "hx-request" in request.headers else "error.html"
    text = render(template, words, app.clock.now(), desk=desk, status=status, waiting=0, section="")
    return HTMLResponse(text, status)
