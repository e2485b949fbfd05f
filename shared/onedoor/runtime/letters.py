"""Dead letters, parked keys and the stopping limit: what could not be handled, and what waits behind it.

A letter parks its (consumer, topic, key): later events of that key become waiters, all others flow. Replay
works the letter and its waiters in order of arrival; only when none is left is the key free again.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from onedoor.contracts.core import derived_id
from onedoor.runtime.service import Connection

DDL = """
create table dead_letters (
  id bigint generated always as identity primary key,
  consumer text not null,
  topic text not null,
  partition integer not null,
  "offset" bigint not null,
  key bytea,
  value bytea,
  headers bytea not null,
  type text,
  child boolean not null default false,
  kind text not null check (kind in ('letter', 'waiter')),
  state text not null default 'open' check (state in ('open', 'replayed', 'discarded')),
  error text,
  traceback text,
  arrived_at timestamptz not null default now(),
  settled_at timestamptz,
  settled_by text,
  unique (consumer, topic, partition, "offset")
);
create index dead_letters_open on dead_letters (consumer, topic, key, id) where state = 'open';
create table parked (
  consumer text not null,
  topic text not null,
  key bytea not null,
  since timestamptz not null default now(),
  primary key (consumer, topic, key)
);
create table stopped (
  consumer text primary key,
  reason text not null,
  since timestamptz not null default now()
);
"""

ADD = """
insert into dead_letters
  (consumer, topic, partition, "offset", key, value, headers, type, child, kind, error, traceback)
select $1, topic, partition, "offset", key, value, headers, type, child, $2, $3, $4
from unnest($5::text[], $6::int[], $7::bigint[], $8::bytea[], $9::bytea[], $10::bytea[], $11::text[],
            $12::bool[]) as row (topic, partition, "offset", key, value, headers, type, child)
on conflict do nothing
"""

PARK = """
insert into parked (consumer, topic, key)
select consumer, topic, key from dead_letters
where consumer = $1 and topic = $2 and partition = $3 and "offset" = $4 and state = 'open'
on conflict do nothing
"""

LOCK_KEY = "select 1 from parked where consumer = $1 and topic = $2 and key = $3 for update"

NEXT = """
select * from dead_letters
where consumer = $1 and topic = $2 and key is not distinct from $3 and state = 'open' and id >= $4
order by id limit 1 for update
"""

SETTLE = """
update dead_letters set state = $2, value = null, settled_at = now(), settled_by = $3 where id = $1
"""
"""What was settled needs its bytes no more, and they may hold what erasure would not find."""

DISCARDED = """
insert into inbox (event_id, topic, partition, "offset", outcome)
values ($1, $2, $3, $4, 'discarded') on conflict do nothing
"""
"""So that the same event, delivered again, is not taken after all."""

FAILED_AGAIN = """
update dead_letters set kind = 'letter', error = $2, traceback = $3 where id = $1
"""


WIDELY_READ = ("public", "internal", "restricted")
"""Classifications of what concerns no child."""


class Record(NamedTuple):
    """One message as it lay on the topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]

    def header(self, name: str) -> str | None:
        found = dict(self.headers).get(name)
        return None if found is None else found.decode("utf-8", "replace").replace("\0", "\ufffd")

    @property
    def event_id(self) -> UUID | None:
        """The event's id, if the message has one."""
        try:
            return UUID(self.header("ce_id") or "")
        except ValueError:
            return None

    @property
    def child(self) -> bool:
        """Whether it may concern a child: what does not say how widely it may be read is hidden."""
        return self.header("ce_dataclassification") not in WIDELY_READ


def letter_id(consumer: str, record: Record) -> UUID:
    """The id of the letter that this record becomes with that consumer."""
    return derived_id("letter", consumer, record.topic, record.partition, record.offset)


def _stored_headers(record: Record) -> bytes:
    """As JSON in bytes: neither jsonb nor text holds every header that Kafka does."""
    lines = [[name, None if value is None else b64encode(value).decode()] for name, value in record.headers]
    return json.dumps(lines).encode()


def stored_record(row: Any) -> Record:
    """The record of a stored letter, byte for byte."""
    headers = [
        (name, None if value is None else b64decode(value)) for name, value in json.loads(row["headers"])
    ]
    return Record(row["topic"], row["partition"], row["offset"], row["key"], row["value"], headers)


async def add(
    conn: Connection,
    consumer: str,
    records: Sequence[Record],
    kind: str,
    error: str | None = None,
    traceback: str | None = None,
) -> None:
    """Keep the records with their bytes, in order; one that is kept already stays as it is."""
    await conn.execute(
        ADD,
        consumer,
        kind,
        error,
        traceback,
        [record.topic for record in records],
        [record.partition for record in records],
        [record.offset for record in records],
        [record.key for record in records],
        [record.value for record in records],
        [_stored_headers(record) for record in records],
        [record.header("ce_type") for record in records],
        [record.child for record in records],
    )


async def park(conn: Connection, consumer: str, record: Record) -> None:
    """From now on events of this key wait; not behind a letter that an operator has settled already."""
    await conn.execute(PARK, consumer, record.topic, record.partition, record.offset)


OUTBOX = """
select count(*) as pending, count(p.failed) as failed,
       coalesce(extract(epoch from clock_timestamp() - min(e.recorded_at) filter (where p.failed is null)), 0)
         ::float as oldest
from pending p join events e using (position)
"""

COUNTS = """
select consumer, count(distinct (topic, key)) filter (where kind = 'letter') as parked,
       count(distinct (topic, key)) filter (where kind = 'letter' and child) as children,
       count(*) filter (where kind = 'waiter') as waiting
from dead_letters where state = 'open' group by consumer
"""


async def stop(conn: Connection, consumer: str, reason: str) -> None:
    """The consumer takes nothing more, over restarts too, until an operator resumes it."""
    await conn.execute(
        "insert into stopped (consumer, reason) values ($1, $2) on conflict do nothing", consumer, reason
    )


async def is_stopped(conn: Connection, consumer: str) -> bool:
    return bool(await conn.fetchval("select 1 from stopped where consumer = $1", consumer))


async def resume(conn: Connection, consumer: str) -> bool:
    """Let a stopped consumer go on; False: it was not stopped."""
    done = await conn.execute("delete from stopped where consumer = $1", consumer)
    return bool(done.endswith(" 1"))
