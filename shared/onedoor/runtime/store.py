"""The event store: the append-only truth that is also the outbox; folded states and the inbox beside it."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from onedoor.contracts.core import Envelope
from onedoor.runtime.service import Connection, Saved, Service

Key: TypeAlias = tuple[str, UUID]
"""An aggregate: its kind, which is its decider's name, and its id."""

Appended: TypeAlias = tuple[str, int, Envelope]
"""An event with its aggregate's kind and the version that it brings it to."""

MAX_BYTES = 900_000
"""Of an event's fields: Kafka takes messages of a megabyte, headers included."""

LOAD = """
select kind, id, state, version
from aggregates join unnest($1::text[], $2::uuid[]) as asked (kind, id) using (kind, id)
order by kind, id for update of aggregates
"""

INTO_EVENTS = """
insert into events (id, aggregatetype, aggregateid, version, type, eventversion, payload,
                    topic, key, classification, actor, cause, traceparent, time, chain_id)
"""

APPEND = f"""
{INTO_EVENTS}
select * from unnest($2::uuid[], $3::text[], $4::uuid[], $5::int[], $6::text[], $7::int[], $8::jsonb[],
                     $9::text[], $10::text[], $11::text[], $12::text[], $13::uuid[], $14::text[],
                     $15::timestamptz[], $16::uuid[])
returning position, topic
"""  # noqa: S608 - own names

QUEUE = """
insert into pending (position) select position from appended where topic is not null returning position
"""

SAVE = """
insert into aggregates (kind, fold, id, version, state, chain_id, classification)
select * from unnest($17::text[], $18::int[], $19::uuid[], $20::int[], $21::jsonb[], $22::uuid[], $23::text[])
on conflict (kind, id) do update
set version = excluded.version, fold = excluded.fold, state = excluded.state,
    classification = excluded.classification
returning kind, id, version, state, chain_id, classification
"""

REMEMBER = """
insert into inbox (event_id, topic, partition, "offset", outcome, reason)
select * from unnest($24::uuid[], $25::text[], $26::int[], $27::bigint[], $28::text[], $29::text[])
"""

WAKE = "select pg_notify($1, '') from (select from queued limit 1) as any_queued"

EXISTS = "select exists (select from events where aggregatetype = $1 and aggregateid = $2)"

HISTORY = """
select id, aggregateid, version, type, eventversion, payload, topic, key, classification, actor, cause,
       traceparent, time
from events where aggregatetype = $1 and aggregateid = $2 order by version
"""


def pending_channel(schema: str) -> str:
    """The NOTIFY channel that wakes the relay of a service."""
    return f"onedoor_pending_{schema}"


class Handled(NamedTuple):
    """An event read, as the inbox remembers it. reason: the codes of its refusals."""

    event_id: UUID
    topic: str
    partition: int
    offset: int
    outcome: str
    reason: str | None


class EventStore:
    """The tables that runtime keeps for one service; kinds with a `Store` of their own lie there."""

    def __init__(self, service: Service) -> None:
        self._channel = pending_channel(service.schema)
        self._deciders = {
            decider.name: decider for decider in service.deciders if decider.name not in service.stores
        }
        self._write = _writing(service.listing)

    async def load(self, conn: Connection, keys: Sequence[Key]) -> dict[Key, tuple[Any, int]]:
        """The states and versions of those that exist, locked in the order of kind and id."""
        rows = await conn.fetch(LOAD, [kind for kind, _ in keys], [id_ for _, id_ in keys])
        return {(row["kind"], row["id"]): (self._state(row), row["version"]) for row in rows}

    def _state(self, row: Any) -> Any:
        return self._deciders[row["kind"]].state.model_validate_json(row["state"])

    async def write(
        self,
        conn: Connection,
        events: Sequence[Appended],
        states: Sequence[tuple[str, Saved]] = (),
        handled: Sequence[Handled] = (),
    ) -> None:
        """By one statement: events, queue to the relay, states, what the service lists of them, and inbox.

        states: each with its kind, in the order of kind and id.
        Raises ValueError where an event is larger than a Kafka message may be, or names a topic that its type
        may not travel on: better now than at the relay.
        asyncpg.UniqueViolationError: somebody else wrote that version, or handled that event.
        """
        await conn.execute(
            self._write,
            self._channel,
            *_columns(15, [_event_row(*each) for each in events]),
            *_columns(7, [self._state_row(*each) for each in states]),
            *_columns(6, handled),
        )

    def _state_row(self, kind: str, saved: Saved) -> tuple[Any, ...]:
        state = saved.state.model_dump_json()
        fold = self._deciders[kind].fold
        return kind, fold, saved.id, saved.version, state, saved.chain_id, saved.classification


def _writing(listing: str | None) -> str:
    parts = {"appended": APPEND, "queued": QUEUE, "saved": SAVE, "remembered": REMEMBER}
    if listing is not None:
        parts["listed"] = listing
    return f"with {', '.join(f'{name} as ({part})' for name, part in parts.items())} {WAKE}"


def _columns(width: int, rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """As `unnest` takes them: no row gives empty columns."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _event_row(kind: str, version: int, event: Envelope) -> tuple[Any, ...]:
    payload = event.data.model_dump_json(by_alias=True)
    topic = event.data.topic()
    if len(payload.encode()) > MAX_BYTES:
        raise ValueError(f"{event.type} is larger than {MAX_BYTES} bytes")
    if topic is not None and topic not in event.data.topics:
        raise ValueError(f"{event.type} may not travel on {topic}")
    chain = getattr(event.data, "chain_id", None)
    return (
        event.id, kind, event.subject, version, event.type, event.version, payload,
        topic, event.key, event.classification, str(event.actor), event.cause,
        event.traceparent, event.time, chain,
    )  # fmt: skip
