"""What operators see and do about events that Kafka would not take: reasons without content, and release."""

import logging
from typing import Annotated

import asyncpg
from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel

from onedoor.contracts.core import Actor
from onedoor.runtime import tracing
from onedoor.runtime.http import allow, not_found
from onedoor.runtime.letters import WIDELY_READ
from onedoor.runtime.store import pending_channel

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1/outbox", tags=["stream"])

UNPUBLISHABLE = """
select p.position, p.failed, e.type, e.topic, e.key, e.classification, e.traceparent, e.recorded_at,
       octet_length(e.payload::text) as size,
       (select count(*) from pending w join events f using (position)
        where w.failed is null and f.topic = e.topic and f.key = e.key) as waiting
from pending p join events e using (position)
where p.failed is not null order by p.position limit 200
"""

RELEASE = """
with released as (
  update pending set failed = null where position = $1 and failed is not null returning position
)
select pg_notify($2, '') from released
"""


class Unpublishable(BaseModel):
    """An event that was set aside, as an operator may see it: without key where a child may be concerned.

    position: its number in the event store; size: of its content, in bytes; waiting: later events of its key.
    """

    position: int
    type: str
    topic: str
    key: str | None
    child: bool
    error: str
    size: int | None
    trace_id: str | None
    recorded_at: str
    waiting: int


class Released(BaseModel):
    position: int


@router.get("/unpublishable")
async def unpublishable(
    request: Request, actor: Annotated[Actor, Depends(allow("letters.read"))]
) -> list[Unpublishable]:
    """The events that were set aside because Kafka will never take them, oldest first."""
    rows = await request.app.state.onedoor.writer.fetch(UNPUBLISHABLE)
    return [_shown(row) for row in rows]


@router.post("/{position}/release")
async def release(
    request: Request,
    position: Annotated[int, Path(ge=1, lt=2**63)],
    actor: Annotated[Actor, Depends(allow("letters.handle"))],
) -> Released:
    """Let the relay try an event again, and after it what waits behind it, in order.

    Mend the cause first (a larger limit, a missing topic): what still cannot be published is set aside again.
    """
    app = request.app.state.onedoor
    if await app.writer.fetchrow(RELEASE, position, pending_channel(app.service.schema)) is None:
        not_found()
    log.info("event released", extra={"offset": position, "role": actor.role})
    return Released(position=position)


def _shown(row: asyncpg.Record) -> Unpublishable:
    child = row["classification"] not in WIDELY_READ
    return Unpublishable(
        position=row["position"],
        type=row["type"],
        topic=row["topic"],
        key=None if child else row["key"],
        child=child,
        error=row["failed"],
        size=row["size"],
        trace_id=tracing.trace_id(row["traceparent"]),
        recorded_at=row["recorded_at"].isoformat(),
        waiting=row["waiting"],
    )
