"""What finance sees: lists with their sums, lines, accounts, the bank's file, the budget."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from onedoor.runtime.service import Connection

_RUNS = """
select runs.*, coalesce(sum(amount_fen) filter (where held is null), 0)::bigint as total_fen,
       count(*) filter (where held is null and proceeding_id is not null) as paid_lines,
       count(*) filter (where held is not null) as held_lines,
       count(*) filter (where returned is not null) as returned_lines
from runs left join lines on lines.run_id = runs.id
where ($1::uuid is null or runs.id = $1) and ($2::text is null or programme = $2)
group by runs.id order by month desc, programme, number limit $3
"""
_LINES = """
select proceeding_id, case_id, division, regular_fen, arrears_fen, amount_fen, held, returned
from lines where run_id = $1 and ($2::text is null or held = $2)
  and ($3::uuid is null or proceeding_id > $3) order by proceeding_id limit $4
"""
_ACCOUNT = "select * from accounts where proceeding_id = $1"
_SPANS = "select * from spans where proceeding_id = $1 order by first_month, decision_id"
_ENTRIES = """
select month, kind, amount_fen, run_id, at from entries where proceeding_id = $1 order by position
"""
_BANK = """
select row_number() over (order by division, proceeding_id) as sequence, holder as name, account, bank,
       amount_fen, proceeding_id as reference
from lines where run_id = $1 and held is null order by 1
"""
_SPENT = """
select programme, sum(amount_fen)::bigint as fen from entries join accounts using (proceeding_id)
where month between $1 and $2 group by programme
"""


async def runs(
    conn: Connection, run_id: UUID | None, programme: str | None = None, limit: int = 200
) -> Sequence[asyncpg.Record]:
    """Lists with their sums over the lines that the connection may see, the newest month first."""
    return await conn.fetch(_RUNS, run_id, programme, limit)


async def lines(
    conn: Connection, run_id: UUID, held: str | None, after: UUID | None, limit: int
) -> Sequence[asyncpg.Record]:
    """The lines of a list that the connection may see, in order of their proceedings."""
    return await conn.fetch(_LINES, run_id, held, after, limit)


async def account(conn: Connection, proceeding_id: UUID) -> asyncpg.Record | None:
    """An account, if the connection may see it."""
    return await conn.fetchrow(_ACCOUNT, proceeding_id)


async def spans(conn: Connection, proceeding_id: UUID) -> Sequence[asyncpg.Record]:
    """What an account owes for which months."""
    return await conn.fetch(_SPANS, proceeding_id)


async def entries(conn: Connection, proceeding_id: UUID) -> Sequence[asyncpg.Record]:
    """The ledger of an account, in the order in which it was written."""
    return await conn.fetch(_ENTRIES, proceeding_id)


async def bank(conn: Connection, run_id: UUID) -> Sequence[asyncpg.Record]:
    """What the bank needs of an approved list, with names and accounts as they were when it was built."""
    return await conn.fetch(_BANK, run_id)


async def spent(conn: Connection, first: int, last: int) -> dict[str, int]:
    """What was paid between two months, by programme, less what came back (fen)."""
    return {row["programme"]: row["fen"] for row in await conn.fetch(_SPENT, first, last)}
