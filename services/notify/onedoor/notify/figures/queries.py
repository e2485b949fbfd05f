"""What figures read: passes, clocks as they stand, and clocks as they stood on any past day."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from onedoor.contracts.referral_rules import directory
from onedoor.notify.domain import duties
from onedoor.notify.domain.clock import CLOCK, Clock
from onedoor.notify.figures.assessment import Overdue
from onedoor.notify.figures.passes import Pass
from onedoor.notify.figures.timeliness import VERDICTS, By, Key, Tally, verdict
from onedoor.runtime.migrate import event_model
from onedoor.runtime.service import Connection


class Wanted(NamedTuple):
    """Which clocks: of one department, duty or area, that fell due after `start` and not after `end`.

    24:00 of a day is 00:00 of the next one and belongs to the day that it ends.
    """

    start: datetime
    end: datetime
    department: str | None = None
    duty: str | None = None
    area: str | None = None


_COLUMNS = {
    "department": "owner",
    "duty": "duty",
    "area": "owner_division",
    "month": "to_char(due_at at time zone 'Asia/Shanghai' - interval '1 microsecond', 'YYYY-MM')",
}
_WANTED = """
due_at > $1 and due_at <= $2 and ($3::text is null or owner = $3) and ($4::text is null or duty = $4)
and ($5::text is null or owner_division = $5)
"""
_COUNTS = f"state = any($6) and not late_entry and duty <> all($7) and {_WANTED}"


async def tallies(conn: Connection, wanted: Wanted, by: Sequence[By]) -> dict[Key, Tally]:
    """Count the clocks as they stand; as `timeliness.tally` does."""
    names = {name: _COLUMNS[name] if name in by else "null::text" for name in Key._fields}
    query = (
        f"select {', '.join(f'{column} as {name}' for name, column in names.items())}, "  # noqa: S608
        "count(*) filter (where state = 'met') as met, count(*) filter (where state = 'met_late') as late, "
        "count(*) filter (where state = 'breached') as overdue "
        f"from clocks where {_COUNTS} group by 1, 2, 3, 4"
    )
    rows = await conn.fetch(query, *wanted, list(VERDICTS), _kept())
    return {
        Key(*(row[name] for name in Key._fields)): Tally(row["met"], row["late"], row["overdue"])
        for row in rows
    }


_CLOCKS = f"""
select id, version, duty, owner, owner_division, chain_id, due_at, state, ended_at, late_seconds, breached_at
from clocks where {_COUNTS} and ($8::timestamptz is null or (due_at, id) > ($8, $9::uuid))
order by due_at, id limit $10
"""  # noqa: S608


async def counted(
    conn: Connection, wanted: Wanted, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[asyncpg.Record]:
    """The clocks behind a count, of those that the connection may see, the first due first."""
    due, id_ = after or (None, None)
    return await conn.fetch(_CLOCKS, *wanted, list(VERDICTS), _kept(), due, id_, limit)


def _kept() -> list[str]:
    return list(duties.kept())


_ARCHIVE = """
select aggregateid, type, eventversion, payload from events
where aggregatetype = $1 and time <= $2 order by aggregateid, version
"""


async def clocks_as_of(conn: Connection, at: datetime, wanted: Wanted) -> list[Clock]:
    """The clocks as they stood at `at`, folded from the archive; only those wanted."""
    states: dict[UUID, Clock] = {}
    async with conn.transaction():
        async for row in conn.cursor(_ARCHIVE, CLOCK.name, at, prefetch=5000):
            id_, model = row["aggregateid"], event_model(CLOCK, row["type"], row["eventversion"])
            event = model.model_validate_json(row["payload"])
            states[id_] = CLOCK.evolve(states.get(id_, CLOCK.initial()), event)
    return [clock for clock in states.values() if _is_wanted(clock, wanted)]


def _is_wanted(clock: Clock, wanted: Wanted) -> bool:
    return (
        clock.due_at is not None
        and wanted.start < clock.due_at <= wanted.end
        and wanted.department in (None, clock.owner)
        and wanted.duty in (None, clock.duty)
        and wanted.area in (None, clock.owner_division)
    )


_FIELDS = ", ".join(Pass._fields)
_OF_CHAIN = f"select {_FIELDS} from passes where chain_id = $1"  # noqa: S608
_OF_PERIOD = f"""
select {_FIELDS} from passes
where at < $2 and chain_id in (
  select chain_id from passes where at >= $1 and at < $2
  union
  select chain_id from (
    select distinct on (subject) chain_id, department from passes
    where kind <> 'application' and at < $1 order by subject, at desc, event_id desc
  ) as latest where department is not null
)
"""  # noqa: S608


async def passes_of(conn: Connection, chain_id: UUID) -> list[Pass]:
    """The passes of a chain that the connection may see."""
    return [Pass(*row) for row in await conn.fetch(_OF_CHAIN, chain_id)]


async def passes_between(conn: Connection, start: datetime, end: datetime) -> list[Pass]:
    """All passes up to `end` of the chains in which something changed hands from `start` on, or lay with
    somebody at `start`: an office that touches nothing holds it all the same."""
    return [Pass(*row) for row in await conn.fetch(_OF_PERIOD, start, end)]


_OPEN = f"""
select {_FIELDS} from passes
where ($2::timestamptz is null or at <= $2) and (chain_id = any($1) or chain_id in (
  select chain_id from (
    select distinct on (subject) chain_id, department from passes
    where kind <> 'application' and ($2::timestamptz is null or at <= $2)
    order by subject, at desc, event_id desc
  ) as latest where department is not null
))
"""  # noqa: S608
_OVERDUE = """
select chain_id, count(*) as count, min(due_at) as since, array_agg(distinct owner order by owner) as owners
from clocks
where state = 'breached' and not late_entry and duty <> all($1) and owner <> all($2) group by chain_id
"""


async def open_passes(conn: Connection, also: Iterable[UUID], at: datetime | None) -> list[Pass]:
    """The passes up to `at` (None: now) of all chains in which somebody held something then, and of `also`,
    as far as the connection may see them."""
    return [Pass(*row) for row in await conn.fetch(_OPEN, list(also), at)]


async def overdue(conn: Connection) -> dict[UUID, Overdue]:
    """The open and overdue clocks by chain, of those that the connection may see; courts are not chased."""
    rows = await conn.fetch(_OVERDUE, _kept(), list(directory().inform_only))
    return {row["chain_id"]: Overdue(row["count"], row["since"], tuple(row["owners"])) for row in rows}


_SEEN = "select id from clocks where id = any($1::uuid[])"


async def seen(conn: Connection, clocks: Sequence[Clock]) -> list[Clock]:
    """Those of them that the connection may see."""
    ids = {row["id"] for row in await conn.fetch(_SEEN, [clock.clock_id for clock in clocks])}
    return [clock for clock in clocks if clock.clock_id in ids]


async def overdue_of(conn: Connection, clocks: Sequence[Clock]) -> dict[UUID, Overdue]:
    """As `overdue`, of clocks as they stood on a past day."""
    late = [each for each in clocks if verdict(each) == "overdue"]
    chased = [each for each in late if each.owner not in directory().inform_only]
    by_chain: defaultdict[UUID, list[Clock]] = defaultdict(list)
    for clock in await seen(conn, chased):
        if clock.chain_id is not None:
            by_chain[clock.chain_id].append(clock)
    return {chain: _overdue(own) for chain, own in by_chain.items()}


def _overdue(clocks: Sequence[Clock]) -> Overdue:
    since = min(clock.due_at for clock in clocks if clock.due_at is not None)
    return Overdue(len(clocks), since, tuple(sorted({clock.owner for clock in clocks})))
