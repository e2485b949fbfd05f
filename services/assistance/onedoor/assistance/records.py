"""The tables beside a case's proceedings: the household's file, evidence of decisions, and written words."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from onedoor.runtime.service import Connection
from onedoor.runtime.unit import StaleVersion

_FILE = "select digest, file, draft, changed_at, revision from households where case_id = $1"

_PUT_FILE = """
insert into households (case_id, digest, file, draft, changed_at, classification)
select id, $3, $4::jsonb, null, $5, classification from cases where id = $1
on conflict (case_id) do update
set digest = excluded.digest, file = excluded.file, draft = null, changed_at = excluded.changed_at,
    revision = households.revision + 1
where $2::int is null or households.revision = $2
returning revision
"""

_PUT_DRAFT = """
insert into households (case_id, draft, changed_at, classification)
select id, $3::jsonb, $4, classification from cases where id = $1
on conflict (case_id) do update
set draft = excluded.draft, changed_at = excluded.changed_at, revision = households.revision + 1
where $2::int is null or households.revision = $2
returning revision
"""

_REVISION = "select revision from households where case_id = $1"

_FORGET_MEMBERS = "delete from household_members where case_id = $1 and not person_id = any($2::uuid[])"

_PUT_MEMBERS = """
insert into household_members (case_id, person_id) select $1, unnest($2::uuid[]) on conflict do nothing
"""

_ELSEWHERE = """
select distinct person_id from household_members
join cases on cases.id = household_members.case_id
where person_id = any($2::uuid[]) and case_id <> $1
  and cases.state not in ('closed', 'withdrawn', 'transferred')
"""

_ONE_AT_A_TIME = """
select pg_advisory_xact_lock(hashtextextended('aid ' || person::text, 0))
from (select unnest($1::uuid[]) as person order by 1) as people
"""
_AIDED = """
with theirs as (
  select id from cases where subjects && $3::uuid[]
  union
  select case_id from household_members where person_id = any($3::uuid[])
)
select accounts.case_id, max(decisions.at) as at
from theirs join accounts on accounts.case_id = theirs.id
join spans using (proceeding_id) join decisions using (decision_id)
where accounts.case_id <> $1 and accounts.programme = $2 and spans.amount_fen > 0 and decisions.at > $4
group by 1 order by at desc
"""

_PUT_EVIDENCE = """
insert into evidence (case_id, digest, decision, content, classification)
select id, $2, $3::jsonb, $4, classification from cases where id = $1
on conflict do nothing
"""

_EVIDENCE = "select digest, decision, content from evidence where case_id = $1 and digest = any($2::text[])"

_PUT_WORDS = """
insert into words (case_id, proceeding_id, step, words, person, at, classification)
select id, $2, $3, $4, $5, $6, classification from cases where id = $1
"""

_WORDS = "select proceeding_id, step, words, person, at from words where case_id = $1 order by id"


async def file(conn: Connection, case_id: UUID) -> asyncpg.Record | None:
    """The household's file with its draft, as far as the connection may see the case."""
    return await conn.fetchrow(_FILE, case_id)


async def put_file(
    conn: Connection,
    case_id: UUID,
    seen: int | None,
    digest: str,
    content: Mapping[str, Any],
    people: Sequence[UUID],
    now: datetime,
) -> int:
    """The file as it is from now on, in place of a draft too, and whom it names; its revision.

    seen: the revision that is replaced; None: whichever stands. Raises StaleVersion.
    """
    revision = await _put(conn, _PUT_FILE, case_id, seen, digest, json.dumps(content), now)
    await conn.execute(_FORGET_MEMBERS, case_id, people)
    await conn.execute(_PUT_MEMBERS, case_id, people)
    return revision


async def put_draft(conn: Connection, case_id: UUID, seen: int | None, content: Any, now: datetime) -> int:
    """What cannot stand yet, kept to be worked on; the file itself stays as it was. As `put_file`."""
    return await _put(conn, _PUT_DRAFT, case_id, seen, json.dumps(content), now)


async def _put(conn: Connection, statement: str, case_id: UUID, seen: int | None, *content: Any) -> int:
    revision: int | None = await conn.fetchval(statement, case_id, seen, *content)
    if revision is None:
        raise StaleVersion(case_id, seen or 0, await conn.fetchval(_REVISION, case_id), None)
    return revision


async def elsewhere(conn: Connection, case_id: UUID, people: Sequence[UUID]) -> set[UUID]:
    """Those of these people who stand in the household of another case that has not ended."""
    return {row["person_id"] for row in await conn.fetch(_ELSEWHERE, case_id, people)}


async def aided(
    conn: Connection, case_id: UUID, programme: str, people: Iterable[UUID], since: datetime
) -> list[asyncpg.Record]:
    """Other cases in which some of these people were given this aid since then, the latest first:
    case_id, at.

    Until the transaction ends nobody else is told the same of these people, so that two cases cannot both
    give it at once.
    """
    known = sorted(people)
    await conn.execute(_ONE_AT_A_TIME, known)
    return await conn.fetch(_AIDED, case_id, programme, known, since)


async def put_evidence(
    conn: Connection, case_id: UUID, digest: str, decision: Mapping[str, Any], content: bytes
) -> None:
    """What something was computed from, once."""
    await conn.execute(_PUT_EVIDENCE, case_id, digest, json.dumps(decision), content)


async def evidence(conn: Connection, case_id: UUID, digests: Sequence[str]) -> dict[str, asyncpg.Record]:
    """Evidence by its digest."""
    return {row["digest"]: row for row in await conn.fetch(_EVIDENCE, case_id, digests)}


async def put_words(
    conn: Connection,
    case_id: UUID,
    proceeding_id: UUID | None,
    step: str,
    words: str,
    person: str,
    now: datetime,
) -> None:
    """What was written with a step of a proceeding, or of the case."""
    await conn.execute(_PUT_WORDS, case_id, proceeding_id, step, words, person, now)


async def words(conn: Connection, case_id: UUID) -> list[asyncpg.Record]:
    """Everything written in the case's steps, oldest first."""
    return await conn.fetch(_WORDS, case_id)
