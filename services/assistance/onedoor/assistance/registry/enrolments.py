"""Who is enrolled in what, since when, until when: written from decisions alone, so any day can be asked."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

import asyncpg

from onedoor.assistance.registry.tiers import Registry
from onedoor.calendar import local
from onedoor.contracts.core import Classification, Envelope
from onedoor.contracts.events.assistance import (
    Determined,
    JurisdictionChanged,
    ProceedingEnded,
    TermStated,
)
from onedoor.runtime.service import Connection

ENROLS = frozenset({"grant", "adjust", "taper"})
ENDS = frozenset({"stop", "refuse"})


class Enrolment(NamedTuple):
    """From `since` on, at most until `expires`; a proceeding that is granted again after its end has a second
    one.
    """

    proceeding_id: UUID
    case_id: UUID
    chain_id: UUID
    programme: str
    person_id: UUID | None
    since: date
    expires: date | None
    taper: bool
    classification: str


_ENROL = f"""
insert into enrolments ({", ".join(Enrolment._fields)}, division)
select row.*, cases.division
from (select $1::uuid, $2::uuid, $3::uuid, $4::text, $5::uuid, $6::date, $7::date, $8::boolean,
              $9::text)
     as row ({", ".join(Enrolment._fields)})
left join cases on cases.id = row.case_id
on conflict (proceeding_id) where until is null do update
set taper = excluded.taper, expires = excluded.expires
"""  # noqa: S608 - own names
_END = "update enrolments set until = greatest(since, $2) where proceeding_id = $1 and until is null"
_LIMIT = "update enrolments set expires = $2 where proceeding_id = $1 and until is null"
_MOVE = "update enrolments set division = $2 where case_id = $1"


async def record(conn: Connection, events: Sequence[Envelope]) -> None:
    """Bring the enrolments to what these new events of cases say, in the order of the events."""
    for event in events:
        match event.data:
            case Determined(kind=kind) as told if kind in ENROLS:
                await conn.execute(_ENROL, *_enrolment(event.classification, told))
            case Determined(kind=kind) as told if kind in ENDS:
                await conn.execute(_END, told.proceeding_id, local(told.at).date())
            case ProceedingEnded() as told:
                await conn.execute(_END, told.proceeding_id, local(told.at).date())
            case TermStated() as told:
                await conn.execute(_LIMIT, told.proceeding_id, local(told.valid_until).date())
            case JurisdictionChanged() as told:
                await conn.execute(_MOVE, told.case_id, told.to_division)


def _enrolment(classification: Classification, told: Determined) -> Enrolment:
    expires = None if told.valid_until is None else local(told.valid_until).date()
    return Enrolment(
        told.proceeding_id, told.case_id, told.chain_id, told.programme, told.person_id,
        local(told.at).date(), expires, told.kind == "taper", classification,
    )  # fmt: skip


_UNLIMITED = """
select case_id, proceeding_id from enrolments
where programme = any($1::text[]) and expires is null and until is null
  and ($2::uuid is null or proceeding_id > $2) order by proceeding_id limit $3
"""


async def unlimited(
    conn: Connection, programmes: Sequence[str], after: UUID | None, limit: int
) -> Sequence[asyncpg.Record]:
    """A page of what runs without a last day in these programmes: case_id, proceeding_id."""
    return await conn.fetch(_UNLIMITED, programmes, after, limit)


_HOUSEHOLDS = """
with told as (
  select case_id, chain_id, division, programme, since, ends, taper, enrolments.classification, rank
  from enrolments join unnest($1::text[], $2::int[]) as ranked (programme, rank) using (programme)
  where since <= $3 and (ends is null or ends > $4)
), ranked as (
  select case_id, min(chain_id::text)::uuid as chain_id, min(division) as division,
         coalesce(min(rank) filter (where ends is null or ends > $3), $5) as rank,
         array_agg(distinct programme order by programme) filter (where ends is null or ends > $3)
           as programmes,
         bool_or(taper and (ends is null or ends > $3)) as taper, min(since) as since
  from told group by case_id
)
"""
_LIST = f"""{_HOUSEHOLDS}
select * from ranked
where ($6::int is null or rank = $6) and ($7::text is null or division = $7)
  and ($8::uuid is null or case_id > $8)
order by case_id limit $9
"""  # noqa: S608
_COUNT = f"""{_HOUSEHOLDS}
select rank, division, count(*) as households from ranked group by 1, 2 order by 1, 2
"""  # noqa: S608


def _ranking(registry: Registry, day: date) -> tuple[list[str], list[int], date, date, int]:
    months = day.year * 12 + day.month - 1 - registry.watched_months.months
    watched = date(months // 12, months % 12 + 1, min(day.day, 28))
    return [*registry.rank], [*registry.rank.values()], day, watched, len(registry.tiers) - 1


async def households(
    conn: Connection,
    registry: Registry,
    day: date,
    tier: str | None = None,
    division: str | None = None,
    after: UUID | None = None,
    limit: int = 50,
) -> Sequence[asyncpg.Record]:
    """The households of the registry on that day, of those that the connection may see: case_id, chain_id,
    division, rank, programmes (None: only watched), taper, since; one more than `limit`.
    """
    rank = next((place for place, row in enumerate(registry.tiers) if row.tier == tier), None)
    return await conn.fetch(_LIST, *_ranking(registry, day), rank, division, after, limit + 1)


async def counts(conn: Connection, registry: Registry, day: date) -> Sequence[asyncpg.Record]:
    """Households by tier (rank) and division on that day."""
    return await conn.fetch(_COUNT, *_ranking(registry, day))
