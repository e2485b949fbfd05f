"""People and households: current identity, apart from the events. A valid number makes a person known."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from onedoor.contracts.core import Actor
from onedoor.intake.domain import RecordPerson
from onedoor.runtime.service import Connection

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

HOUSEHOLD_OF = """
select h.household_id, h.chain_id from households h where h.household_id = any ($1)
order by h.created_at, h.household_id limit 1
"""
FOUND_HOUSEHOLD = "insert into households (household_id, chain_id, created_at) values ($1, $2, $3)"
MOVE_IN = "update people set household_id = $2 where household_id = $1"
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

    ids: from the id proposed to the id under which the person is known.
    """

    ids: Mapping[UUID, UUID]
    people: tuple[RecordPerson, ...]
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
    rows = await _upsert(conn, told, household_id, divisions, now)
    known = await conn.fetchrow(HOUSEHOLD_OF, list({row["household_id"] for row in rows} - {household_id}))
    if known is None:
        await conn.execute(FOUND_HOUSEHOLD, household_id, chain_id, now)
    else:
        await conn.execute(MOVE_IN, household_id, known["household_id"])
        household_id, chain_id = known["household_id"], known["chain_id"]
    return Settled(_ids(told, rows), tuple(map(recorded, rows)), household_id, chain_id)


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
    return json.dumps([asdict(each) for each in told], default=str)


def recorded(row: asyncpg.Record) -> RecordPerson:
    """The command that publishes this identity where it is new."""
    names = ("name", "id_number", "birth", "sex", "phone", "address", "minor")
    fields: dict[str, Any] = {name: row[name] for name in names}
    return RecordPerson(target=row["person_id"], aliases=tuple(row["aliases"]), **fields)


async def name_in_application(
    conn: Connection, application_id: UUID, people: Sequence[tuple[UUID, str | None]]
) -> None:
    """Note whom the application names, under which mark."""
    ids, marks = [id_ for id_, _ in people], [mark for _, mark in people]
    await conn.execute(NAME_IN_APPLICATION, application_id, ids, marks, list(range(len(people))))


async def open_files(conn: Connection, people: Sequence[UUID]) -> None:
    """These are named in an application that is no child file: caseworkers may know who they are."""
    await conn.execute(OPEN_FILES, people)


async def earlier(
    conn: Connection, people: Sequence[UUID], but: Sequence[UUID] = ()
) -> dict[UUID, list[UUID]]:
    """Other applications that stand and name one of the people; sealed ones are never among them."""
    rows = await conn.fetch(EARLIER, people, but)
    return {row["application_id"]: row["people"] for row in rows}


async def seen(conn: Connection, ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """The people among `ids` that the connection may see."""
    return list(await conn.fetch(SEEN, ids))


async def note_seen(conn: Connection, actor: Actor, at: datetime, ids: Sequence[UUID], purpose: str) -> None:
    """Log that the actor saw these people's identity, and why; `at` by the system's clock."""
    who = (actor.person, actor.role, actor.department, actor.division)
    await conn.execute(NOTE_SEEN, at, *who, [str(id_) for id_ in ids], purpose)
