"""The tables beside the events of a service that works on cases: its work list, and the people it may name.

`cases` is written from the folded states of its cases (at vagrancy stays, at charity needs), as one set per
batch; `people` from the topic `intake.person`.
Both lie in the service's own schema (its migration makes them) behind row-level security.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter

from onedoor.contracts.core import Command, Decider, Envelope, Urgency
from onedoor.contracts.events.intake import PERSON, PersonErased, PersonRecorded
from onedoor.runtime.service import Connection, Service

CASES = """
create table cases (
  id uuid primary key,
  chain_id uuid not null,
  application_id uuid not null,
  state text not null,
  urgency text not null,
  rank smallint not null,
  division text,
  worker text,
  opened_at timestamptz not null,
  subjects uuid[] not null,
  sealed boolean not null,
  body jsonb not null,
  version integer not null,
  classification text not null
);
create index cases_order on cases (rank, opened_at, id);
"""
PEOPLE = """
create index cases_subjects on cases using gin (subjects);
create table people (
  person_id uuid primary key,
  name text,
  birth date,
  sex text,
  phone text,
  classification text not null
);
"""
PEOPLE_OF_VISIBLE_CASES = "exists (select 1 from cases where cases.subjects @> array[people.person_id])"
"""For the services' first migrations. Released, they are never changed: what is new comes beside them."""

_LISTING = """
insert into cases (id, chain_id, application_id, state, urgency, rank, division, worker, opened_at, subjects,
                   sealed, body, version, classification)
select id, chain_id, (state->>'application_id')::uuid, state->>'state', state->>'urgency',
       array_position(array['critical', 'urgent', 'ordinary'], state->>'urgency'),
       state->>'division', state->>'worker', (state->>'opened_at')::timestamptz,
       array(select value::uuid from jsonb_array_elements_text(state->'subjects')),
       (state->>'sealed')::boolean, state, version, classification
from saved where kind = '{kind}' and state->>'state' is not null
order by id
on conflict (id) do update
set state = excluded.state, urgency = excluded.urgency, rank = excluded.rank, division = excluded.division,
    worker = excluded.worker, subjects = excluded.subjects, sealed = excluded.sealed, body = excluded.body,
    version = excluded.version, classification = excluded.classification
"""

_RECORD = """
insert into people (person_id, name, birth, sex, phone, classification)
select * from unnest($1::uuid[], $2::text[], $3::date[], $4::text[], $5::text[], $6::text[])
on conflict (person_id) do update
set name = excluded.name, birth = excluded.birth, sex = excluded.sex, phone = excluded.phone,
    classification = excluded.classification
"""

_ERASE = "delete from people where person_id = any($1::uuid[])"

_LIST = """
select id, body, version, rank, opened_at from cases
where ($1::text is null or state = $1) and ($2::text is null or urgency = $2)
  and ($3::text is null or division = $3) and ($4::text is null or worker = $4)
  and ($5::smallint is null or (rank, opened_at, id) > ($5, $6::timestamptz, $7::uuid))
order by rank, opened_at, id limit $8
"""

_FIND = "select id, body, version from cases where id = $1"

_FIRST_NAMES = """
select distinct on (cases.id) cases.id, people.name
from cases cross join unnest(subjects) with ordinality as listed (person_id, place)
join people using (person_id)
where cases.id = any($1::uuid[]) and people.name is not null order by cases.id, place
"""

_PEOPLE = "select person_id, name, birth, sex, phone from people where person_id = any($1::uuid[])"


def specialised_service(
    name: str,
    migrations: Path,
    decider: Decider[Any],
    reads: tuple[str, ...],
    react: Callable[[Envelope], Sequence[Command]],
    router: APIRouter,
) -> Service:
    """A service whose work list shows what `decider` decides; one that reads `intake.person` keeps names."""
    return Service(
        name=name,
        migrations=migrations,
        deciders=(decider,),
        reads=reads,
        react=react,
        absorb=_absorb if PERSON in reads else None,
        listing=_LISTING.format(kind=decider.name),
        routers=(router,),
    )


async def _absorb(conn: Connection, events: Sequence[Envelope]) -> None:
    """Keep the present identity of people, and forget who was erased; other events say nothing of it."""
    latest = {
        event.data.person_id: event.data
        for event in events
        if isinstance(event.data, PersonRecorded | PersonErased)
    }
    people = [person for _, person in sorted(latest.items()) if isinstance(person, PersonRecorded)]
    erased = [id_ for id_, person in sorted(latest.items()) if isinstance(person, PersonErased)]
    if people:
        await conn.execute(
            _RECORD,
            [person.person_id for person in people],
            [person.name for person in people],
            [person.birth for person in people],
            [person.sex for person in people],
            [person.phone for person in people],
            [person.classification() for person in people],
        )
    if erased:
        await conn.execute(_ERASE, erased)


async def listed(
    conn: Connection,
    *,
    state: str | None,
    urgency: Urgency | None,
    division: str | None,
    worker: str | None,
    after: tuple[int, datetime, UUID] | None,
    limit: int,
) -> list[asyncpg.Record]:
    """The cases that the connection may see, most urgent and oldest first; one more than `limit`."""
    place = after or (None, None, None)
    return await conn.fetch(_LIST, state, urgency, division, worker, *place, limit + 1)


async def found(conn: Connection, case_id: UUID) -> asyncpg.Record | None:
    """One case, if the connection's clearance shows it."""
    return await conn.fetchrow(_FIND, case_id)


async def first_names(conn: Connection, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The name of each of these cases: of its first person whose name the connection's clearance shows."""
    return {row["id"]: row["name"] for row in await conn.fetch(_FIRST_NAMES, ids)}


async def people(conn: Connection, ids: Sequence[UUID]) -> dict[UUID, asyncpg.Record]:
    """Who these people are, as far as the connection's clearance shows them."""
    return {row["person_id"]: row for row in await conn.fetch(_PEOPLE, ids)}
