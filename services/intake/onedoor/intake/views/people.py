"""People and households: current identity, apart from the events. A valid number makes a person known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import to_json

from onedoor.contracts.core import Actor
from onedoor.intake.domain import Known, RecordPerson
from onedoor.runtime.service import Connection
from onedoor.runtime.statements import Statement

FIELDS = """
person_id uuid, id_number text, id_valid bool, name text, aliases text[], sex text, birth date, phone text,
address text, guardian text, school_name text, minor bool
"""

UPSERT = f"""
insert into people (person_id, id_number, id_valid, name, aliases, sex, birth, phone, address, guardian,
                    school_name, minor, household_id, divisions, recorded_at, classification)
select row.*, $2::uuid, $3::text[], $4::timestamptz, case when row.minor then 'child' else 'restricted' end
from jsonb_to_recordset($1::jsonb) as row ({FIELDS}) order by row.id_number, row.person_id
on conflict (id_number) where id_valid do update
set name = coalesce(people.name, excluded.name),
  aliases = array(select distinct alias
                  from unnest(people.aliases || excluded.aliases || excluded.name) as alias
                  where alias <> coalesce(people.name, excluded.name)),
  sex = coalesce(people.sex, excluded.sex), birth = coalesce(people.birth, excluded.birth),
  phone = coalesce(excluded.phone, people.phone), address = coalesce(excluded.address, people.address),
  guardian = coalesce(excluded.guardian, people.guardian),
  school_name = coalesce(excluded.school_name, people.school_name), minor = excluded.minor,
  divisions = array(select distinct unnest(people.divisions || excluded.divisions)),
  recorded_at = excluded.recorded_at
returning *
"""  # noqa: S608 - constants only

AMEND = f"""
update people
set id_number = case when fits then row.id_number else people.id_number end,
  id_valid = case when fits then row.id_valid else people.id_valid end,
  name = coalesce(row.name, people.name),
  aliases = array(select distinct alias from unnest(people.aliases || row.aliases || people.name) as alias
                  where alias <> coalesce(row.name, people.name)),
  sex = coalesce(row.sex, people.sex), birth = coalesce(row.birth, people.birth),
  phone = coalesce(row.phone, people.phone), address = coalesce(row.address, people.address),
  guardian = coalesce(row.guardian, people.guardian),
  school_name = coalesce(row.school_name, people.school_name), minor = row.minor or people.minor,
  recorded_at = $2
from (
  select told.*, told.id_number is not null and (not told.id_valid or not exists (
    select from people other where other.id_number = told.id_number and other.id_valid)) as fits
  from jsonb_to_recordset($1::jsonb) as told ({FIELDS})
) as row
where people.person_id = row.person_id
returning people.*
"""  # noqa: S608 - constants only

SETTLE = f"""
with settled as ({UPSERT}), founded as (
  insert into households (household_id, chain_id, created_at)
  select $2::uuid, $5::uuid, $4::timestamptz where not exists (select from settled where household_id <> $2)
)
select * from settled
"""  # noqa: S608 - constants only
"""The household is founded unless somebody lives in another one; that one is looked for by `MOVE_IN`, which
sees what those have committed for whom this statement has waited."""

MOVE_IN = """
with known as (
  select household_id, chain_id from households where household_id = any ($1)
  order by created_at, household_id limit 1
), moved as (
  update people set household_id = known.household_id from known where people.household_id = $2
)
select household_id, chain_id from known
"""
OPEN_FILES = """
update people set classification = 'restricted' where person_id = any ($1) and classification = 'child'
"""

NAME_IN_APPLICATION = """
insert into application_people (application_id, person_id, mark, position)
select $1, * from unnest($2::uuid[], $3::text[], $4::int[])
on conflict (application_id, person_id) do nothing
"""

EARLIER = """
select ap.application_id, array_agg(ap.person_id) as people
from application_people ap join applications a using (application_id)
where ap.person_id = any ($1) and a.application_id <> all ($2) and not a.protection
  and a.state <> 'withdrawn'
  and (not exists (select from progress p where p.application_id = a.application_id)
       or exists (select from progress p where p.application_id = a.application_id and not p.done))
group by ap.application_id, a.received_at order by a.received_at, ap.application_id
"""

NUMBERS = "select id_number, person_id from people where person_id = any ($1) and id_valid"
SEEN = "select * from people where person_id = any ($1) order by person_id"

NOTE_SEEN = """
insert into access_log (at, person, role, department, division, what, subject, purpose)
select $1, $2, $3, $4, $5, 'person', subject, $7 from unnest($6::text[]) as subject
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """What was told of one person. `id_number` normalised, kept even where it is not valid."""

    person_id: UUID
    id_number: str | None = None
    id_valid: bool = False
    name: str | None = None
    aliases: tuple[str, ...] = ()
    sex: str | None = None
    birth: date | None = None
    phone: str | None = None
    address: str | None = None
    guardian: str | None = None
    school_name: str | None = None
    minor: bool = False

    def without_contact(self) -> "Identity":
        """For a sealed report: nothing in it that tells where the person can be found."""
        return replace(self, phone=None, address=None, guardian=None, school_name=None)


@dataclass(frozen=True, slots=True)
class Settled:
    """The people as the registry knows them now, their household and its help chain.

    ids: from the id proposed to the id under which the person is known; new: those whom nobody knew before.
    """

    ids: Mapping[UUID, UUID]
    people: tuple[RecordPerson, ...]
    new: frozenset[UUID]
    household_id: UUID
    chain_id: UUID


async def settle(
    conn: Connection,
    told: Sequence[Identity],
    household_id: UUID,
    chain_id: UUID,
    divisions: Sequence[str],
    now: datetime,
) -> Settled:
    """Insert or recognise the people and find their household: a known person's, else the one proposed.

    Two who report the same unknown person at once: the second waits for the first and finds that one.
    """
    rows = await conn.fetch(SETTLE, _json(told), household_id, divisions, now, chain_id)
    others = {row["household_id"] for row in rows} - {household_id}
    if others:
        known = await conn.fetchrow(MOVE_IN, list(others), household_id)
        assert known is not None
        household_id, chain_id = known["household_id"], known["chain_id"]
    new = {each.person_id for each in told} & {row["person_id"] for row in rows}
    people = tuple(map(recorded, rows))
    return Settled(_ids(told, rows), people, frozenset(new), household_id, chain_id)


def _ids(told: Sequence[Identity], rows: Sequence[asyncpg.Record]) -> dict[UUID, UUID]:
    known = {row["id_number"]: row["person_id"] for row in rows if row["id_valid"]}
    return {
        each.person_id: known[each.id_number] if each.id_valid and each.id_number else each.person_id
        for each in told
    }


async def _upsert(
    conn: Connection,
    told: Sequence[Identity],
    household_id: UUID | None,
    divisions: Sequence[str],
    now: datetime,
) -> list[asyncpg.Record]:
    if not told:
        return []
    return list(await conn.fetch(UPSERT, _json(told), household_id, divisions, now))


async def join(
    conn: Connection,
    told: Sequence[Identity],
    household_id: UUID | None,
    divisions: Sequence[str],
    now: datetime,
) -> tuple[dict[UUID, UUID], tuple[RecordPerson, ...]]:
    """Insert or recognise people who join a household: their ids as in `Settled`, and who they are."""
    rows = await _upsert(conn, told, household_id, divisions, now)
    return _ids(told, rows), tuple(map(recorded, rows))


async def by_number(conn: Connection, people: Sequence[UUID]) -> dict[str, UUID]:
    """Those of the people who have a valid identity number, by it."""
    return {row["id_number"]: row["person_id"] for row in await conn.fetch(NUMBERS, people)}


async def amend(conn: Connection, told: Sequence[Identity], now: datetime) -> tuple[RecordPerson, ...]:
    """Add to what is known of people by their id. A number that another person bears is not taken over."""
    if not told:
        return ()
    return tuple(map(recorded, await conn.fetch(AMEND, _json(told), now)))


def _json(told: Sequence[Identity]) -> str:
    return to_json(told).decode()


def recorded(row: asyncpg.Record) -> RecordPerson:
    """The command that publishes this identity where it is new."""
    names = ("name", "id_number", "birth", "sex", "phone", "address", "minor")
    fields: dict[str, Any] = {name: row[name] for name in names}
    return RecordPerson(target=row["person_id"], aliases=tuple(row["aliases"]), **fields)


def named(application_id: UUID, known: Known) -> Statement:
    """Notes whom the application names, under which mark."""
    people, marks = _ids_of(known), [subject.mark for subject in known.subjects]
    return Statement(NAME_IN_APPLICATION, (application_id, people, marks, list(range(len(people)))))


def files_opened(known: Known) -> Statement:
    """Those whom an application names that is no child file: caseworkers may know who they are."""
    return Statement(OPEN_FILES, (_ids_of(known),))


def _ids_of(known: Known) -> list[UUID]:
    return [subject.person_id for subject in known.subjects]


async def earlier(
    conn: Connection, people: Sequence[UUID], but: Sequence[UUID] = ()
) -> dict[UUID, list[UUID]]:
    """Other applications that stand and name one of the people; sealed ones are never among them."""
    if not people:
        return {}
    rows = await conn.fetch(EARLIER, people, but)
    return {row["application_id"]: row["people"] for row in rows}


async def seen(conn: Connection, ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """The people among `ids` that the connection may see."""
    return list(await conn.fetch(SEEN, ids))


async def note_seen(conn: Connection, actor: Actor, at: datetime, ids: Sequence[UUID], purpose: str) -> None:
    """Log that the actor saw these people's identity, and why; `at` by the system's clock."""
    who = (actor.person, actor.role, actor.department, actor.division)
    await conn.execute(NOTE_SEEN, at, *who, [str(id_) for id_ in ids], purpose)
