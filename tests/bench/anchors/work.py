"""The work that every pipeline anchor does for one application: inbox, case and outbox, in three tables."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid5

from pydantic import BaseModel

TABLES = """
create schema if not exists anchor;
create table if not exists anchor.inbox (
  event_id uuid primary key, topic text, partition int, "offset" bigint);
create table if not exists anchor.cases (id uuid primary key, chain_id uuid, version int, state jsonb);
create table if not exists anchor.outbox (
  position bigint generated always as identity primary key, id uuid, type text, key text, payload jsonb);
"""

INBOX = """
insert into anchor.inbox values ($1, $2, $3, $4) on conflict do nothing
"""
CASE = """
insert into anchor.cases values ($1, $2, 1, $3)
on conflict (id) do update set version = cases.version + 1, state = excluded.state
"""
OUTBOX = """
insert into anchor.outbox (id, type, key, payload) values ($1, 'case.opened', $2, $3)
"""
SETS = """
with known as (
  insert into anchor.inbox select * from unnest($1::uuid[], $2::text[], $3::int[], $4::bigint[])
  on conflict do nothing
), cases as (
  insert into anchor.cases
  select id, chain, 1, state from unnest($5::uuid[], $6::uuid[], $7::jsonb[]) as row (id, chain, state)
  on conflict (id) do update set version = cases.version + 1, state = excluded.state
)
insert into anchor.outbox (id, type, key, payload)
select id, 'case.opened', key, payload
from unnest($1::uuid[], $8::text[], $7::jsonb[]) as row (id, key, payload)
"""


class Subject(BaseModel):
    person_id: UUID
    age: int | None = None
    facts: dict[str, Any] = {}


class PlannedService(BaseModel):
    name: str
    urgency: str


class Plan(BaseModel):
    services: tuple[PlannedService, ...] = ()


class Application(BaseModel):
    """The fields of an application's event that a bare program would name."""

    application_id: UUID
    chain_id: UUID
    receipt: str
    channel: str
    caller_role: str
    received_at: datetime
    recorded_at: datetime
    place_division: str | None = None
    subjects: tuple[Subject, ...]
    plan: Plan


class Row(NamedTuple):
    """What one event becomes."""

    event_id: UUID
    topic: str
    partition: int
    offset: int
    case_id: UUID
    chain_id: UUID
    key: str
    state: str


class Case(BaseModel):
    case_id: UUID
    chain_id: UUID
    application_id: UUID
    urgency: str
    opened_at: datetime


def row(topic: str, partition: int, offset: int, value: bytes, headers: Iterable[tuple[str, bytes]]) -> Row:
    """Decode the event and say what is to be written."""
    event = Application.model_validate_json(value)
    id_ = UUID(dict(headers)["ce_id"].decode())
    case = Case(
        case_id=uuid5(NAMESPACE_OID, event.application_id.hex),
        chain_id=event.chain_id,
        application_id=event.application_id,
        urgency=event.plan.services[0].urgency,
        opened_at=event.received_at,
    )
    key = str(event.chain_id)
    return Row(id_, topic, partition, offset, case.case_id, event.chain_id, key, case.model_dump_json())


async def store_one(conn: Any, row: Row) -> None:
    """Three statements in one transaction."""
    async with conn.transaction():
        await conn.execute(INBOX, row.event_id, row.topic, row.partition, row.offset)
        await conn.execute(CASE, row.case_id, row.chain_id, row.state)
        await conn.execute(OUTBOX, row.event_id, row.key, row.state)


async def store_sets(conn: Any, rows: Sequence[Row]) -> None:
    """All of them in one statement. No case may occur twice."""
    ids, topics, partitions, offsets, cases, chains, keys, states = map(list, zip(*rows, strict=True))
    await conn.execute(SETS, ids, topics, partitions, offsets, cases, chains, states, keys)
