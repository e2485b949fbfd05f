"""The event store: the append-only truth that is also the outbox, and the default table of folded states."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from onedoor.contracts.core import Decider, Envelope
from onedoor.runtime.service import Connection, Saved

APPEND = """
with appended as (
  insert into events (id, aggregatetype, aggregateid, version, type, eventversion, payload,
                      topic, key, classification, actor, cause, traceparent, time, chain_id)
  select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::text[], $6::int[], $7::jsonb[],
                       $8::text[], $9::text[], $10::text[], $11::text[], $12::uuid[], $13::text[],
                       $14::timestamptz[], $15::uuid[])
  returning position, topic
), queued as (
  insert into pending (position) select position from appended where topic is not null returning 1
)
select pg_notify($16, '') from (select 1 from queued limit 1) as any_queued
"""

EXISTS = "select exists (select from events where aggregatetype = $1 and aggregateid = $2)"

KNOWN = "select event_id from inbox where event_id = any($1::uuid[])"

LOAD = """
select id, state, version from aggregates
where kind = $1 and id = any($2::uuid[]) order by id for update
"""

SAVE = """
insert into aggregates (kind, id, version, fold, state, chain_id, classification)
select $1::text, id, version, $2::int, state, chain_id, classification
from unnest($3::uuid[], $4::int[], $5::jsonb[], $6::uuid[], $7::text[])
     as row (id, version, state, chain_id, classification)
on conflict (kind, id) do update
set version = excluded.version, fold = excluded.fold, state = excluded.state,
    classification = excluded.classification
"""

HISTORY = """
select id, aggregateid, version, type, eventversion, payload, topic, key, classification, actor, cause,
       traceparent, time
from events where aggregatetype = $1 and aggregateid = $2 order by version
"""


def pending_channel(schema: str) -> str:
    """The NOTIFY channel that wakes the relay of a service."""
    return f"onedoor_pending_{schema}"


async def append(
    conn: Connection, schema: str, events: Sequence[tuple[str, int, Envelope]], max_bytes: int = 900_000
) -> None:
    """Append events, each with its aggregate's kind and version, and queue those that have a topic.

    Raises ValueError where an event is larger than a Kafka message may be, or names a topic that its type
    may not travel on: better now than at the relay.
    asyncpg.UniqueViolationError: somebody else wrote that version.
    """
    rows: list[tuple[Any, ...]] = []
    for kind, version, event in events:
        payload = event.data.model_dump_json(by_alias=True)
        topic = event.data.topic()
        if len(payload.encode()) > max_bytes:
            raise ValueError(f"{event.type} is larger than {max_bytes} bytes")
        if topic is not None and topic not in event.data.topics:
            raise ValueError(f"{event.type} may not travel on {topic}")
        chain = getattr(event.data, "chain_id", None)
        rows.append(
            (
                event.id, kind, event.subject, version, event.type, event.version, payload,
                topic, event.key, event.classification, str(event.actor), event.cause,
                event.traceparent, event.time, chain,
            )
        )  # fmt: skip
    if rows:
        await conn.execute(APPEND, *map(list, zip(*rows, strict=True)), pending_channel(schema))


class JsonStore:
    """The default store: one JSONB row per aggregate in the table `aggregates`."""

    def __init__(self, decider: Decider[Any]) -> None:
        self._decider = decider

    async def load(self, conn: Connection, ids: Sequence[UUID]) -> Mapping[UUID, tuple[Any, int]]:
        read = self._decider.state.model_validate_json
        rows = await conn.fetch(LOAD, self._decider.name, ids)
        return {row["id"]: (read(row["state"]), row["version"]) for row in rows}

    async def save(self, conn: Connection, rows: Sequence[Saved]) -> None:
        await conn.execute(
            SAVE,
            self._decider.name,
            self._decider.fold,
            [row.id for row in rows],
            [row.version for row in rows],
            [row.state.model_dump_json() for row in rows],
            [row.chain_id for row in rows],
            [row.classification for row in rows],
        )
