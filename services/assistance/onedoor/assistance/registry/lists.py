"""Other offices' lists against the registry: each difference is a task that somebody settles."""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from onedoor.runtime.service import Connection

Kind = Literal["missing_here", "missing_there", "doubtful"]
"""On their list and in no tier here; in a tier here and not on their list; a person has to look: the same
name, but a birth is missing, or fewer of that name and birth there than here, or no name known here."""


class Listed(NamedTuple):
    """A person on another office's list."""

    name: str
    birth: date | None


def digest(rows: Sequence[Listed]) -> str:
    """Says whether two lists are the same, in whatever order."""
    lines = sorted(f"{row.name}\t{row.birth or ''}" for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


_TAKE = """
insert into lists (id, source, month, digest, rows, loaded_at, loaded_by)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (source, month, digest) do nothing returning id
"""
_KNOWN = "select id from lists where source = $1 and month = $2 and digest = $3"
_COMPARE = """
with theirs as (
  select n, name, birth, row_number() over (partition by name, birth order by n) as k
  from unnest($3::text[], $4::date[]) with ordinality as row (name, birth, n)
), registered as (
  select case_id, person_id as enrolled, min(rank) as tier
  from enrolments join unnest($5::text[], $6::int[]) as ranked (programme, rank) using (programme)
  where ends is null or ends > ($2::timestamptz at time zone 'Asia/Shanghai')::date group by 1, 2
), members as (
  select distinct on (person_id) person_id, case_id, tier, counts, cases.division, cases.classification
  from registered join cases on cases.id = registered.case_id
  cross join lateral (select cases.body #> '{household,people}', cases.body #> '{household,uncounted}')
    as file (people, uncounted)
  cross join lateral (
    select enrolled as person_id, true as counts where enrolled is not null
    union all
    select value::uuid, not coalesce(uncounted ? value, false) from jsonb_each_text(people)
    where enrolled is null
    union all
    select unnest(cases.subjects), true where enrolled is null and people is null
  ) as member
  order by person_id, counts desc, tier, case_id
), ours as (
  select members.*, coalesce(people.name, '') as name, people.birth,
         row_number() over (partition by people.name, people.birth order by counts desc, person_id) as k
  from members left join people using (person_id)
), same as (
  select n, person_id from theirs join ours using (name, birth, k)
), left_here as (
  select *, count(*) over (partition by name) as namesakes from ours
  where person_id not in (select person_id from same)
), maybe as (
  select n, person_id from theirs join left_here using (name)
  where n not in (select n from same) and (theirs.birth is null or left_here.birth is null)
    and theirs.k <= namesakes
), unsure as (
  select distinct person_id, coalesce(theirs.birth, left_here.birth) as birth
  from maybe join theirs using (n) join left_here using (person_id)
  union
  select person_id, birth from left_here
  where counts and (
    exists (select from theirs where theirs.name = left_here.name and theirs.birth = left_here.birth)
    or name = '' and tier = any($7::int[])
  )
), found as (
  select 'doubtful' as kind, case_id, person_id, name, unsure.birth, division, classification
  from unsure join left_here using (person_id)
  union all
  select 'missing_here', null, null, name, birth, null, 'internal' from theirs
  where n not in (select n from same) and n not in (select n from maybe)
  union all
  select 'missing_there', case_id, person_id, name, birth, division, classification from left_here
  where counts and tier = any($7::int[]) and person_id not in (select person_id from unsure)
), numbered as (
  select *, row_number() over (partition by kind, name, birth, person_id) as k from found
)
insert into differences (id, list_id, source, month, kind, case_id, person_id, name, birth, division, state,
                         found_at, classification)
select gen_random_uuid(), $1, $8, $9, kind, case_id, person_id, name, birth, division, 'open', $2,
       classification
from numbered
where k > (
  select count(*) from differences as known
  where known.source = $8 and known.state = 'open' and known.kind = numbered.kind
    and known.name = numbered.name and known.birth is not distinct from numbered.birth
    and known.person_id is not distinct from numbered.person_id
)
"""


class NewList(NamedTuple):
    """A list as it came: whose, of which month (`2026-06`), and how the registry ranks what it meets."""

    source: str
    month: str
    rows: Sequence[Listed]
    programmes: Sequence[str]
    ranks: Sequence[int]
    compared: Sequence[int]
    at: datetime
    by: str


async def compare(conn: Connection, new: NewList) -> tuple[UUID, bool]:
    """Keep that the list came, and write what differs; the same list again changes nothing.

    In a tier is who counts in the household's file, or the one person of a personal programme. Who does not
    count (the dead, prisoners) is known here and looked for on no list.
    Namesakes are counted: who is on one side more often than on the other is a difference too. What is still
    open from an earlier list is not asked a second time. The list itself is not kept.
    """
    told = digest(new.rows)
    id_ = await conn.fetchval(_TAKE, uuid7(), new.source, new.month, told, len(new.rows), new.at, new.by)
    if id_ is None:
        known: UUID = await conn.fetchval(_KNOWN, new.source, new.month, told)
        return known, False
    await conn.execute(
        _COMPARE, id_, new.at, [row.name for row in new.rows], [row.birth for row in new.rows],
        new.programmes, new.ranks, new.compared, new.source, new.month,
    )  # fmt: skip
    return id_, True


_LATEST = "select source, max(month) as month from lists group by source"


async def latest(conn: Connection) -> dict[str, str]:
    """Of which month (`2026-06`) the last list of each source was that came."""
    return {row["source"]: row["month"] for row in await conn.fetch(_LATEST)}


_LIST = """
select id, source, month, kind, case_id, person_id, name, birth, division, state, result, found_at, settled_at
from differences
where ($1::text is null or source = $1) and ($2::text is null or kind = $2) and state = $3
  and ($4::uuid is null or (found_at, id) > ($5, $4)) order by found_at, id limit $6
"""
_ONE = "select * from differences where id = $1"
_SETTLE = """
update differences set state = 'settled', result = $2, settled_at = $3, settled_by = $4
where id = $1 and state = 'open' returning id
"""


async def differences(
    conn: Connection,
    source: str | None,
    kind: Kind | None,
    state: str,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[asyncpg.Record]:
    """Differences that the connection may see, the oldest first."""
    at, id_ = after or (None, None)
    return await conn.fetch(_LIST, source, kind, state, id_, at, limit)


async def difference(conn: Connection, id_: UUID) -> asyncpg.Record | None:
    """One of them, if the connection may see it."""
    return await conn.fetchrow(_ONE, id_)


async def settle(conn: Connection, id_: UUID, result: str, at: datetime, by: str) -> bool:
    """Settle it with a coded result; False where it is settled already."""
    return await conn.fetchval(_SETTLE, id_, result, at, by) is not None
