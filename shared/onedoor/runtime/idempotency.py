"""The header Idempotency-Key: the same request sent again, or twice at once, is done once.

The first statement of the transaction inserts (actor, route, key, hash of the body). A twin's insert waits in
PostgreSQL for the first one's end: after its commit the twin reads the stored answer, after its rollback the
twin is the first.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel
from pydantic_core import to_json

from onedoor.contracts.core import Actor
from onedoor.runtime.database import CONFLICTS, UNREACHABLE
from onedoor.runtime.problems import FieldProblem, Problem
from onedoor.runtime.service import Connection
from onedoor.runtime.statements import Statement
from onedoor.runtime.unit import Transaction

DDL = """
create table if not exists idempotency (
  actor text not null,
  route text not null,
  key text not null,
  body_hash bytea not null,
  status smallint,
  headers jsonb,
  body bytea,
  created_at timestamptz not null,
  primary key (actor, route, key)
);
create index if not exists idempotency_created_at on idempotency (created_at);
"""

KEEP = timedelta(days=3)
_TIDY_SECONDS = 3600
ATTEMPTS = 3

_CLAIM = """
insert into idempotency (actor, route, key, body_hash, created_at) values ($1, $2, $3, $4, $5)
on conflict do nothing returning true
"""
_STORED = "select body_hash, status, headers, body from idempotency where (actor, route, key) = ($1, $2, $3)"
_REMEMBER = """
update idempotency set status = $4, headers = $5, body = $6 where (actor, route, key) = ($1, $2, $3)
"""
_FORGET = "delete from idempotency where created_at < $1"

KEY_PATTERN = "^[!-~]{1,200}$"
_KEY = re.compile(KEY_PATTERN[1:-1])
_OURS = ("content-type", "etag", "location", "onedoor-event", "retry-after")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler answers: status, a model or plain JSON data, further headers."""

    status: int = 200
    body: BaseModel | Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """The answer as a JSON response; without a body an empty one."""
        if self.body is None:
            return Response(None, self.status, dict(self.headers))
        body = self.body
        content = (
            body.model_dump_json(by_alias=True).encode() if isinstance(body, BaseModel) else to_json(body)
        )
        return Response(content, self.status, dict(self.headers), "application/json")


Handler = Callable[[Transaction], Awaitable[Answer | Response]]


@dataclass(frozen=True, slots=True)
class _Claim:
    """One request as the table knows it."""

    actor: str
    route: str
    key: str
    body_hash: bytes

    @property
    def row(self) -> tuple[str, str, str]:
        return (self.actor, self.route, self.key)


class _Gone(Exception):
    """The stored row was forgotten between two statements: claim anew."""


_AGAIN: tuple[type[BaseException], ...] = (_Gone, *CONFLICTS)


async def idempotent(request: Request, actor: Actor, handler: Handler, body: bytes | None = None) -> Response:
    """Run the handler in one unit-of-work transaction, once per Idempotency-Key; its answer is stored.

    Without the header the handler just runs. A conflict with another writer is tried again, three times at
    most. `body` is needed only where the request's stream was read as a form. Whatever the handler raises
    rolls everything back and leaves the key free. Raises a 400 problem for a malformed key, a 422 problem
    where the key came with another body before.
    """
    claim = await _claim(request, actor, body)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await _once(request, claim, handler)
        except _AGAIN:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


async def _claim(request: Request, actor: Actor, body: bytes | None) -> _Claim | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise _malformed()
    content = body if body is not None else await request.body()
    route = f"{request.method} {request.url.path}"
    return _Claim(str(actor), route, key, hashlib.sha256(content).digest())


async def _once(request: Request, claim: _Claim | None, handler: Handler) -> Response:
    async with request.app.state.onedoor.unit.transaction() as tx:
        if claim is not None:
            stored = await _claimed_before(tx.conn, claim)
            if stored is not None:
                return stored
        answer = await handler(tx)
        response = answer.response() if isinstance(answer, Answer) else answer
        if claim is not None:
            tx.last.append(Statement(_REMEMBER, (*claim.row, *_stored_form(response))))
    return response


async def _claimed_before(conn: Connection, claim: _Claim) -> Response | None:
    """None: the key is ours now. Waits while another transaction holds it."""
    if await conn.fetchval(_CLAIM, *claim.row, claim.body_hash, datetime.now(UTC)):
        return None
    row = await conn.fetchrow(_STORED, *claim.row)
    if row is None or row["status"] is None:
        raise _Gone
    if row["body_hash"] != claim.body_hash:
        raise _other_body()
    return Response(row["body"] or None, row["status"], json.loads(row["headers"]))


def _stored_form(response: Response) -> tuple[int, str, bytes]:
    headers = {name: value for name, value in response.headers.items() if name in _OURS}
    return response.status_code, json.dumps(headers), bytes(response.body)


async def forget(pool: asyncpg.Pool) -> int:
    """Delete answers older than three days (system clock); how many went."""
    done = await pool.execute(_FORGET, datetime.now(UTC) - KEEP)
    return int(done.split()[-1])


async def keep_tidy(pool: asyncpg.Pool) -> None:
    """Forget old answers once an hour, until cancelled."""
    while True:
        with suppress(*UNREACHABLE):
            await forget(pool)
        await asyncio.sleep(_TIDY_SECONDS)


def _malformed() -> Problem:
    field = FieldProblem(
        field="Idempotency-Key",
        problem="is not 1 to 200 printable ASCII characters",
        remedy="Send a random id, for instance a UUID.",
        problem_zh="应为 1 至 200 个可打印的 ASCII 字符",
        remedy_zh="请使用随机编号，例如 UUID。",
    )
    return Problem(
        400,
        "idempotency-key-malformed",
        "The Idempotency-Key cannot be used",
        "Send a random id as Idempotency-Key.",
        "Idempotency-Key 无效，请使用随机编号。",
        [field],
    )


def _other_body() -> Problem:
    return Problem(
        422,
        "idempotency-key-reused",
        "The Idempotency-Key belongs to another request",
        "The same key came with another body before. Use a new key for a new request.",
        "同一 Idempotency-Key 已用于内容不同的请求，新的请求请使用新的编号。",
    )
