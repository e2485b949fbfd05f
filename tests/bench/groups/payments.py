"""The monthly payment list over 100,000 accounts, against one statement that inserts as many plain rows."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from onedoor.assistance.app import SERVICE
from onedoor.assistance.domain.approval import packaged
from onedoor.assistance.payments import runs
from onedoor.assistance.payments.schedule import month_number
from onedoor.runtime.migrate import migrate
from onedoor.runtime.settings import Settings
from tests.bench.frame import Bar, Bench, Figures, Group

MONTH = month_number("2026-06")
AT = datetime(2026, 6, 20, 2, tzinfo=UTC)
FILL = """
insert into cases (id, chain_id, application_id, state, urgency, rank, division, opened_at, subjects, sealed,
                   body, version, classification)
select id, id, id, 'decided', 'ordinary', 3, '500112015', now(), '{}', false, '{}', 1, 'internal'
from (select gen_random_uuid() as id from generate_series(1, $1::int)) as made
"""
ACCOUNTS = """
insert into accounts (proceeding_id, case_id, application_id, chain_id, programme, division, changed_at,
                      suspended, paid_fen, classification)
select gen_random_uuid(), id, id, id, 'dibao', division, $1, false, 0, 'internal' from cases
"""
PEOPLE = "insert into account_people select proceeding_id, gen_random_uuid() from accounts"
DECISIONS = """
insert into decisions (decision_id, proceeding_id, kind, per, amount_fen, first_month, at)
select gen_random_uuid(), proceeding_id, 'grant', 'month', 47000, $1, $2 from accounts
"""
SPANS = """
insert into spans (proceeding_id, decision_id, first_month, amount_fen)
select proceeding_id, decision_id, first_month, amount_fen from decisions
"""
PAYEES = """
insert into payees (case_id, holder, bank, account, changed_at, changed_by, classification)
select id, 'invented', 'invented', '6200000000001234', $1, 'bench', 'internal' from cases
"""
BARE = """
create table if not exists bare (
  run_id uuid, proceeding_id uuid, case_id uuid, division text, regular_fen bigint, arrears_fen bigint,
  amount_fen bigint, classification text, primary key (run_id, proceeding_id)
)
"""
BARE_INSERT = """
insert into bare select $1, proceeding_id, case_id, division, 47000, 0, 47000, classification from accounts
"""


def count(bench: Bench) -> int:
    return bench.size(100_000, 20_000)


@asynccontextmanager
async def prepared(bench: Bench) -> AsyncIterator[None]:
    """A register of households that are all granted dibao and have a bank account."""
    await migrate(SERVICE, Settings(environment="test", postgres=bench.servers.postgres))
    conn = await _connected(bench)
    await conn.execute(
        "truncate lines, entries, runs, spans, decisions, account_people, payees, accounts, cases cascade"
    )
    await conn.execute(FILL, count(bench))
    await conn.execute(ACCOUNTS, AT)
    await conn.execute(PEOPLE)
    await conn.execute(DECISIONS, MONTH - 5, AT)
    await conn.execute(SPANS)
    await conn.execute(PAYEES, AT)
    await conn.execute(BARE)
    await conn.execute("analyze")
    await conn.close()
    yield


async def _connected(bench: Bench) -> asyncpg.Connection:
    return await asyncpg.connect(bench.servers.postgres, server_settings={"search_path": "assistance"})


async def built(bench: Bench) -> Figures:
    """Build the list: everything owed, arrears, holds and stacking rules."""
    conn = await _connected(bench)
    await conn.execute("truncate lines, entries, runs")
    start = time.perf_counter()
    async with conn.transaction():
        new = runs.NewRun("dibao", MONTH, 1, AT, "bench")
        await runs.waiting(conn, new.programme, new.month, new.number)
        await runs.build(conn, new, packaged().stacking)
    seconds = time.perf_counter() - start
    lines = await conn.fetchval("select count(*) from lines where held is null")
    assert lines == count(bench), "every account has its line"
    await conn.close()
    return {"cases_per_second": lines / seconds}


async def bare(bench: Bench) -> Figures:
    """As many rows by one set-based statement that decides nothing."""
    conn = await _connected(bench)
    await conn.execute("truncate bare")
    start = time.perf_counter()
    await conn.execute(BARE_INSERT, UUID(int=1))
    seconds = time.perf_counter() - start
    await conn.close()
    return {"cases_per_second": count(bench) / seconds}


GROUP = Group(
    name="payments",
    runs={"list": built, "bare": bare},
    bars=(
        Bar(
            "PAY",
            "monthly payment list ÷ a bare set-based insert of as many rows",
            over="list.cases_per_second",
            under="bare.cases_per_second",
            bar=0.3,
        ),
    ),
    prepare=prepared,
)
