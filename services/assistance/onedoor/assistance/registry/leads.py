"""Leads: households that look eligible and are not enrolled (应保尽保), and enrolled ones that do not fit.

The rules are asked about every household's file as of a day, page by page, and what they say is held against
the enrolments. A machine enrols and ends nobody: a lead is for a person to look at.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import asyncpg

from onedoor.assistance.assessment import decided
from onedoor.assistance.registry.tiers import OTHER, Registry
from onedoor.policy import HouseholdProblems
from onedoor.runtime.service import Connection

Kind = Literal["not_enrolled", "no_longer"]
FITS = frozenset({"eligible", "taper"})


class Lead(NamedTuple):
    """What the rules say otherwise of a programme (and person). amount_fen: what would be due, if known."""

    case_id: UUID
    programme: str
    person_id: UUID | None
    kind: Kind
    amount_fen: int | None


STANDING = """
file is not null and cases.state <> 'transferred' and not (cases.state in ('closed', 'withdrawn') and exists (
  select from household_members as mine join household_members as theirs using (person_id)
  join households as newer on newer.case_id = theirs.case_id
  where mine.case_id = households.case_id and theirs.case_id <> mine.case_id and newer.file is not null
    and newer.changed_at >= households.changed_at
))
"""
"""Of households joined with their cases: whose file still speaks of a household here, each person once."""
_FILES = f"""
select households.case_id, households.file, cases.division, households.classification
from households join cases on cases.id = households.case_id
where {STANDING} and ($1::uuid is null or case_id > $1)
order by case_id limit $2
"""  # noqa: S608 - own words
_ENROLLED = """
select case_id, programme, person_id from enrolments
where (ends is null or ends > $2) and case_id = any($1::uuid[])
"""
_FOUND = """
insert into leads (id, case_id, programme, person_id, kind, amount_fen, state, found_at, seen_at, division,
                   classification)
select gen_random_uuid(), row.case_id, row.programme, row.person_id, row.kind, row.amount_fen, 'open', $6, $6,
       cases.division, households.classification
from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::bigint[])
     as row (case_id, programme, person_id, kind, amount_fen)
join cases on cases.id = row.case_id join households on households.case_id = row.case_id
where not exists (
  select from leads as known
  where known.case_id = row.case_id and known.programme = row.programme and known.kind = row.kind
    and known.person_id is not distinct from row.person_id and known.settled_by <> 'system'
    and known.settled_at > $6::timestamptz - make_interval(days => $7)
    and known.settled_at >= households.changed_at
)
on conflict (case_id, programme, coalesce(person_id, case_id), kind) where state = 'open'
do update set seen_at = excluded.seen_at, amount_fen = excluded.amount_fen, division = excluded.division
"""
_GONE = """
update leads set state = 'settled', result = 'no_longer_so', settled_at = $6, settled_by = 'system'
where state = 'open' and case_id = any($1::uuid[]) and not exists (
  select from unnest($2::uuid[], $3::text[], $4::uuid[], $5::text[])
    as found (case_id, programme, person_id, kind)
  where found.case_id = leads.case_id and found.programme = leads.programme and found.kind = leads.kind
    and found.person_id is not distinct from leads.person_id
)
"""


def leads(
    case_id: UUID,
    file: Mapping[str, Any],
    enrolled: Iterable[tuple[str, UUID | None]],
    registry: Registry,
    day: date,
) -> list[Lead]:
    """What the rules say otherwise of one household than its enrolments do. Raises HouseholdProblems.

    Aid in an emergency is not judged: the file tells of a day that is over.
    """
    household, decisions = decided(file, day)
    people = {member.id: member.person for member in household.members}
    standing = [tier for tier in registry.tiers if tier.tier != OTHER]
    programmes = frozenset[str]().union(*(tier.programmes for tier in standing))
    here = set(enrolled)
    found = []
    for each in decisions.decisions:
        if each.programme not in programmes:
            continue
        person = people.get(each.member) if each.member else None
        is_enrolled = (each.programme, person) in here
        if each.outcome in FITS and not is_enrolled:
            found.append(Lead(case_id, each.programme, person, "not_enrolled", each.amount_fen))
        if each.outcome == "not_eligible" and is_enrolled:
            found.append(Lead(case_id, each.programme, person, "no_longer", None))
    return found


async def files(conn: Connection, after: UUID | None, limit: int) -> Sequence[asyncpg.Record]:
    """A page of households' files, in the order of their cases."""
    return await conn.fetch(_FILES, after, limit)


async def enrolled(
    conn: Connection, cases: Sequence[UUID], day: date
) -> dict[UUID, list[tuple[str, UUID | None]]]:
    """The enrolments of these cases on a day: programme and person."""
    found: dict[UUID, list[tuple[str, UUID | None]]] = {case: [] for case in cases}
    for row in await conn.fetch(_ENROLLED, cases, day):
        found[row["case_id"]].append((row["programme"], row["person_id"]))
    return found


def judged(
    rows: Sequence[asyncpg.Record],
    standing: Mapping[UUID, Sequence[tuple[str, UUID | None]]],
    registry: Registry,
    day: date,
) -> tuple[list[Lead], list[UUID]]:
    """The leads of a page of files, and the cases whose file is broken. It computes: keep it off the loop."""
    found: list[Lead] = []
    broken: list[UUID] = []
    for row in rows:
        case_id = row["case_id"]
        try:
            found.extend(leads(case_id, json.loads(row["file"]), standing[case_id], registry, day))
        except HouseholdProblems:
            broken.append(case_id)
    return found, broken


async def keep(
    conn: Connection, cases: Sequence[UUID], found: Sequence[Lead], at: datetime, rest_days: int
) -> None:
    """Write the leads of these cases; what was open and is not so any more is settled by itself.

    What somebody has settled is not asked again for so many days, unless the file has changed since.
    """
    columns = [list(column) for column in zip(*found, strict=True)] or [[]] * len(Lead._fields)
    await conn.execute(_FOUND, *columns, at, rest_days)
    await conn.execute(_GONE, cases, *columns[:4], at)


_LIST = """
select id, case_id, programme, person_id, kind, amount_fen, state, result, found_at, seen_at, division
from leads where state = $1 and ($2::text is null or kind = $2)
  and ($3::uuid is null or (found_at, id) > ($4, $3)) order by found_at, id limit $5
"""
_ONE = "select * from leads where id = $1"
_SETTLE = """
update leads set state = 'settled', result = $2, settled_at = $3, settled_by = $4
where id = $1 and state = 'open' returning id
"""


async def listed(
    conn: Connection, state: str, kind: Kind | None, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[asyncpg.Record]:
    """Leads that the connection may see, the oldest first."""
    at, id_ = after or (None, None)
    return await conn.fetch(_LIST, state, kind, id_, at, limit)


async def one(conn: Connection, id_: UUID) -> asyncpg.Record | None:
    """One lead, if the connection may see it."""
    return await conn.fetchrow(_ONE, id_)


async def settle(conn: Connection, id_: UUID, result: str, at: datetime, by: str) -> bool:
    """Settle it with a coded result; False where it is settled already."""
    return await conn.fetchval(_SETTLE, id_, result, at, by) is not None
