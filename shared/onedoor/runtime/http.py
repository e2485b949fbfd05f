"""HTTP conventions of every service: who asks, what they may, how they read, how a command is answered."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.responses import Response
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onedoor.contracts.core import PERSONAL, Actor, Refusal
from onedoor.contracts.events.notify import OnBehalf
from onedoor.runtime import idempotency, logs, metrics, tracing
from onedoor.runtime.access import ACTIONS, Grant, listed, may, reach
from onedoor.runtime.description import describe_headers
from onedoor.runtime.idempotency import Answer, Handler, idempotent
from onedoor.runtime.problems import FieldProblem, Problem, for_status
from onedoor.runtime.service import Connection
from onedoor.runtime.tokens import BadToken, verify
from onedoor.runtime.tracing import SpanKind
from onedoor.runtime.unit import Outcome

if TYPE_CHECKING:
    from onedoor.runtime.app import App

log = logging.getLogger(__name__)

__all__ = [
    "ACCESS_LOG_DDL",
    "Answer",
    "CommandBody",
    "Handler",
    "OnBehalfBody",
    "Reading",
    "Staff",
    "allow",
    "answer",
    "describe",
    "etag",
    "expected_version",
    "granted",
    "idempotent",
    "install",
    "not_found",
    "note_view",
    "outcome_headers",
    "reading",
    "refused",
]

ACCESS_LOG_DDL = """
create table if not exists access_log (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  person text not null,
  role text not null,
  department text,
  division text,
  what text not null,
  subject text not null,
  purpose text not null
);
create index if not exists access_log_subject on access_log (what, subject, at);
"""

_NOTE = """
insert into access_log (at, person, role, department, division, what, subject, purpose)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_CLEARANCE = """
select set_config('onedoor.role', $1, true), set_config('onedoor.clearance', $2, true),
       set_config('onedoor.person', $3, true), set_config('onedoor.department', $4, true),
       set_config('onedoor.division', $5, true), set_config('onedoor.own_department', $6, true),
       set_config('onedoor.own_division', $7, true)
"""

_POOL_WAIT = 5.0
_UNTRACED = frozenset({"/health/live", "/health/ready", "/metrics"})
_SHANGHAI = ZoneInfo("Asia/Shanghai")


class SignedIn(SecurityBase):
    """Who asks, by bearer token. Raises a 401 problem."""

    scheme_name = "HTTPBearer"
    model = HTTPBearerModel(description="`onedoor token --role ROLE` in development")

    async def __call__(self, request: Request) -> Actor:
        scheme, token = get_authorization_scheme_param(_header(request.scope, b"authorization"))
        if scheme.lower() != "bearer" or not token:
            raise for_status(401, {"WWW-Authenticate": "Bearer"})
        try:
            return verify(token, request.app.state.onedoor.settings)
        except BadToken:
            raise for_status(401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}) from None


Staff = Annotated[Actor, Depends(SignedIn())]


def allow(action: str) -> Callable[..., Awaitable[Actor]]:
    """A dependency that answers who asks, if their role may do the action at all; else a 403 problem.

    How far it reaches stands in `granted(request)` afterwards, and clears what a `Reading` declared after it
    sees. Raises ValueError at import for an action that access.py does not name.
    """
    if action not in ACTIONS:
        raise ValueError(f"unknown action: {action}")

    async def allowed(request: Request, actor: Staff) -> Actor:
        grant = may(actor, action)
        if grant is None:
            raise for_status(403)
        request.state.grant = grant
        return actor

    return allowed


def granted(request: Request, actor: Actor) -> Grant:
    """How far the action of `allow` reaches; without one, what all grants of the role have in common."""
    grant: Grant | None = getattr(request.state, "grant", None)
    return grant if grant is not None else reach(actor)


async def reading(request: Request, actor: Staff) -> AsyncIterator[Connection]:
    """A connection under the reader role, in a transaction that sees only what the actor is cleared for.

    It ends with the path operation, before the answer is sent. The role itself can write nothing but the
    access log. Declare the `allow` of the endpoint before it.
    """
    pool = request.app.state.onedoor.reader
    async with pool.acquire(timeout=_POOL_WAIT) as conn, conn.transaction():
        await clear(conn, actor, granted(request, actor))
        yield conn


async def clear(conn: Connection, actor: Actor, grant: Grant) -> None:
    """Set the transaction's clearance, which the row-level policies read and the commit forgets."""
    await conn.execute(
        _CLEARANCE,
        actor.role,
        listed(grant.classifications),
        actor.person,
        actor.department or "",
        actor.division or "",
        "1" if grant.own_department else "",
        "1" if grant.own_division else "",
    )


Reading = Annotated[Connection, Depends(reading, scope="function")]


@asynccontextmanager
async def counting(app: "App") -> AsyncIterator[Connection]:
    """A connection that sees every row, for sums that name nobody; nothing can be written in it."""
    async with app.writer.acquire() as conn, conn.transaction(readonly=True):
        yield conn


async def note_view(conn: Connection, actor: Actor, what: str, subject: UUID | str, purpose: str) -> None:
    """Record that the actor saw a personal file, and why (system clock); in the reader's own transaction."""
    await conn.execute(
        _NOTE,
        datetime.now(UTC),
        actor.person,
        actor.role,
        actor.department,
        actor.division,
        what,
        str(subject),
        purpose,
    )


def not_found() -> NoReturn:
    """Raise the 404 problem, the same for what does not exist and for what one may not see."""
    raise for_status(404)


IF_MATCH_PATTERN = r'^\s*(\*|(W/)?"?[0-9]{1,9}"?)\s*$'


def expected_version(request: Request) -> int | None:
    """The version in If-Match; None without the header or for `*`. Raises a 400 problem if malformed."""
    text = request.headers.get("if-match")
    if text is None or text.strip() == "*":
        return None
    number = text.strip().removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise Problem(
            400,
            "if-match-malformed",
            "If-Match is not a version",
            "Send the ETag as it was given.",
            "If-Match 无效，请原样使用收到的 ETag。",
        )
    return int(number)


def etag(version: int) -> dict[str, str]:
    """The header that says which version this is."""
    return {"ETag": f'"{version}"'}


def outcome_headers(outcome: Outcome) -> dict[str, str]:
    """ETag, and the id of the last published event, for which the desk waits."""
    event = outcome.last_published
    return etag(outcome.version) | ({"Onedoor-Event": str(event)} if event else {})


def refused(refusal: Refusal) -> Problem:
    """A refusal as a problem: 422 where a field is at fault, else 409."""
    errors = []
    if field := refusal.field or refusal.of:
        errors = [
            FieldProblem(
                field=field,
                problem=refusal.reason,
                remedy=refusal.reason,
                problem_zh=refusal.reason_zh,
                remedy_zh=refusal.reason_zh,
            )
        ]
    status = 422 if refusal.field else 409
    return Problem(
        status,
        refusal.code,
        "Refused",
        refusal.reason,
        refusal.reason_zh,
        errors,
        extra={"reason": refusal.reason, "reason_zh": refusal.reason_zh},
    )


def answer(
    outcome: Outcome,
    status: int = 200,
    body: BaseModel | Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response to a command: its body with ETag and Onedoor-Event, or the refusal as a problem."""
    if outcome.refusal is not None:
        return refused(outcome.refusal).response()
    all_headers = outcome_headers(outcome) | dict(headers or {})
    return Answer(status, {} if body is None else body, all_headers).response()


class OnBehalfBody(OnBehalf):
    """代签收 as a request carries it: the contract's, with its texts limited and no field besides."""

    model_config = ConfigDict(extra="forbid")

    person: Annotated[str, PERSONAL] = Field(min_length=1, max_length=80)
    means: str = Field(min_length=1, max_length=80)
    document: Annotated[str | None, PERSONAL] = Field(default=None, max_length=200)


class CommandBody(BaseModel):
    """The body of every command. `until` without an offset is Asia/Shanghai, a date alone 00:00 of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    note: Annotated[str | None, PERSONAL] = Field(default=None, max_length=2000)
    reason: Annotated[str | None, PERSONAL] = Field(default=None, max_length=2000)
    until: datetime | None = None
    feedback: Annotated[str | None, PERSONAL] = Field(default=None, max_length=4000)
    on_behalf_of: OnBehalfBody | None = None

    @field_validator("until")
    @classmethod
    def _aware(cls, until: datetime | None) -> datetime | None:
        return until.replace(tzinfo=_SHANGHAI) if until is not None and until.tzinfo is None else until


_HEADERS: Mapping[Callable[..., Any], Mapping[str, Any]] = {
    idempotent: {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A random id. The same request with the same key is done once and answered alike for "
        "three days; the key with another body is a 422 problem.",
        "schema": {"type": "string", "pattern": idempotency.KEY_PATTERN, "minLength": 1, "maxLength": 200},
    },
    expected_version: {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag that was read: where somebody has changed the thing since, nothing is done "
        "and the answer is a 412 problem with what is stored now.",
        "schema": {"type": "string", "pattern": IF_MATCH_PATTERN},
    },
}
"""What the commands read by hand, for the OpenAPI description."""


def describe(routers: Iterable[APIRouter]) -> None:
    """Let the OpenAPI description name the headers Idempotency-Key and If-Match where they are heeded."""
    describe_headers(routers, _HEADERS)


class Tracing:
    """ASGI middleware: a request continues the trace of its `traceparent`, or begins one.

    Its log lines and events carry the trace, and so does the answer, in the header `traceresponse`; what
    makes anything happen leaves a line. Span and line know the route's template, never the path. What
    only looks after the process is not traced.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNTRACED:
            await self.app(scope, receive, send)
            return

        status = 0

        async def traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"traceresponse", here)]
                span.set_attribute("http.response.status_code", message["status"])
            await send(message)

        method = scope["method"]
        asked = {"http.request.method": method}
        with (
            tracing.span(method, SpanKind.SERVER, _header(scope, b"traceparent"), (), asked) as span,
            logs.subject(),
        ):
            here = (tracing.current() or "").encode()
            await self.app(scope, receive, traced)
            route = getattr(scope.get("route"), "path", None)
            if route is not None:
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)
                if logs.changed():
                    log.info("done", extra={"method": method, "route": route, "status": status})


class BodyLimit:
    """ASGI middleware: a body of more bytes than the limit is a 413 problem, announced or not."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = _header(scope, b"content-length") or ""
        if announced.isdecimal() and int(announced[:20]) > self.limit:
            await for_status(413).response()(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.limit:
                raise HTTPException(413)
            return message

        await self.app(scope, counted, send)


def _header(scope: Scope, name: bytes) -> str | None:
    found = next((value for header, value in scope["headers"] if header == name), None)
    return None if found is None else found.decode("latin-1")


def install(app: FastAPI, body_limit: int) -> None:
    """Give the application its metrics, its tracing, the route /metrics and a limit in bytes for bodies."""
    app.add_middleware(BodyLimit, body_limit)
    app.add_middleware(metrics.HttpMetrics)
    app.add_middleware(Tracing)
    app.include_router(metrics.router)
