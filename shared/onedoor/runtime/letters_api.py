"""What operators see and do about dead letters: reasons and masked payloads, replay, discard, resume."""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel

from onedoor.contracts.core import Actor
from onedoor.contracts.registry import EVENTS
from onedoor.runtime import letters, tracing
from onedoor.runtime.consumer import Consumer, replay
from onedoor.runtime.http import allow, not_found

router = APIRouter(prefix="/v1", tags=["stream"])

Looker = Annotated[Actor, Depends(allow("letters.read"))]
Handler = Annotated[Actor, Depends(allow("letters.handle"))]
LetterId = Annotated[int, Path(ge=1, lt=2**63)]

SHAPE_DEPTH = 12

OPEN = """
select l.*, (select count(*) from dead_letters w
             where w.consumer = l.consumer and w.topic = l.topic and w.key = l.key
               and w.state = 'open' and w.kind = 'waiter') as waiting
from dead_letters l
where l.kind = 'letter' and l.state = 'open' order by l.child desc, l.id limit 200
"""


class Letter(BaseModel):
    """A dead letter as an operator may see it: no key and no offset where a child may be concerned.

    trace_id: under which the logs tell how it came here.
    """

    id: int
    consumer: str
    topic: str
    type: str | None
    key: str | None
    child: bool
    error: str | None
    traceback: str | None
    trace_id: str | None
    arrived_at: str
    waiting: int
    shape: Any


class Settled(BaseModel):
    settled: int
    failed: bool


class ConsumerView(BaseModel):
    name: str
    phase: str
    stopped: str | None
    parked: int
    waiting: int
    parked_children: int


class StreamView(BaseModel):
    """How a service's streams are: consumers, and the oldest event that Kafka does not have yet."""

    consumers: list[ConsumerView]
    pending: int
    oldest_pending_seconds: float
    unpublishable: int


@router.get("/dead-letters")
async def dead_letters(request: Request, actor: Looker) -> list[Letter]:
    """The open letters, children first."""
    rows = await request.app.state.onedoor.writer.fetch(OPEN)
    return [_letter(row) for row in rows]


@router.post("/dead-letters/{letter_id}/replay")
async def replay_letter(request: Request, letter_id: LetterId, actor: Handler) -> Settled:
    """Work the letter again, then what waits behind it, in order."""
    return await _settle(request, letter_id, actor, discard=False)


@router.post("/dead-letters/{letter_id}/discard")
async def discard_letter(request: Request, letter_id: LetterId, actor: Handler) -> Settled:
    """Give the letter up, then work what waits behind it, in order."""
    return await _settle(request, letter_id, actor, discard=True)


@router.get("/streams")
async def streams(request: Request, actor: Annotated[Actor, Depends(allow("stream.read"))]) -> StreamView:
    """Consumers, parked keys and the outbox, in figures."""
    app = request.app.state.onedoor
    counts = await app.writer.fetch(letters.COUNTS)
    by_consumer = {row["consumer"]: row for row in counts}
    stopped = dict(await app.writer.fetch("select consumer, reason from stopped"))
    outbox = await app.writer.fetchrow(letters.OUTBOX)
    return StreamView(
        consumers=[_consumer(consumer, by_consumer, stopped) for consumer in app.consumers],
        pending=outbox["pending"],
        oldest_pending_seconds=outbox["oldest"],
        unpublishable=outbox["failed"],
    )


@router.post("/consumers/{name}/resume")
async def resume(request: Request, name: str, actor: Handler) -> ConsumerView:
    """Let a stopped consumer go on."""
    app = request.app.state.onedoor
    consumer = next((consumer for consumer in app.consumers if consumer.group == name), None)
    if consumer is None or not await letters.resume(app.writer, name):
        not_found()
    consumer.note_stopped(False)
    return _consumer(consumer, {}, {})


def _consumer(consumer: Consumer, counts: dict[str, asyncpg.Record], stopped: dict[str, str]) -> ConsumerView:
    row = counts.get(consumer.group)
    return ConsumerView(
        name=consumer.group,
        phase=consumer.state.phase,
        stopped=stopped.get(consumer.group),
        parked=row["parked"] if row else 0,
        waiting=row["waiting"] if row else 0,
        parked_children=row["children"] if row else 0,
    )


async def _settle(request: Request, letter_id: int, actor: Actor, discard: bool) -> Settled:
    app = request.app.state.onedoor
    group = await app.writer.fetchval("select consumer from dead_letters where id = $1", letter_id)
    consumer = next((consumer for consumer in app.consumers if consumer.group == group), None)
    if consumer is None:
        not_found()
    try:
        done = await replay(consumer, app.writer, letter_id, str(actor), discard)
    except LookupError:
        not_found()
    return Settled(settled=done.settled, failed=done.failed)


def _letter(row: asyncpg.Record) -> Letter:
    return Letter(
        id=row["id"],
        consumer=row["consumer"],
        topic=row["topic"],
        type=row["type"],
        key=None if row["child"] else _key(row["key"]),
        child=row["child"],
        error=row["error"],
        traceback=row["traceback"],
        trace_id=tracing.trace_id(letters.stored_record(row).header("ce_traceparent")),
        arrived_at=row["arrived_at"].isoformat(),
        waiting=row["waiting"],
        shape=_shape(row["value"]),
    )


def _key(key: bytes | None) -> str | None:
    """An id; whatever else somebody wrote as a key is not shown."""
    try:
        return None if key is None else str(UUID(key.decode()))
    except ValueError:
        return None


def _shape(value: bytes | None) -> Any:
    """The payload with every value replaced by its type."""
    try:
        return _masked(json.loads(value or b"null"), SHAPE_DEPTH)
    except (ValueError, RecursionError):
        return f"{len(value or b'')} bytes, not JSON"


def _masked(value: Any, depth: int) -> Any:
    """Only names of fields are shown: what else stands as a name may be a person's, or say what happened."""
    if depth and isinstance(value, dict):
        return {
            key if key in _field_names() else "(unknown)": _masked(inner, depth - 1)
            for key, inner in value.items()
        }
    if depth and isinstance(value, list):
        return [_masked(inner, depth - 1) for inner in value[:3]]
    return type(value).__name__


@lru_cache(maxsize=1)
def _field_names() -> frozenset[str]:
    """The names of all fields of all events, of the models inside them too."""
    return frozenset(name for event in EVENTS for name in _properties(event.model_json_schema()))


def _properties(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for inner in schema.values():
            yield from _properties(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _properties(inner)
