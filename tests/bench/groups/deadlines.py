"""D1 to D6: how many late clocks a second notify breaches, how late, and that open ones cost nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg

from onedoor.contracts.core import SYSTEM, Context
from onedoor.dev.postgres import with_database
from onedoor.notify.app import SERVICE
from onedoor.notify.settings import Settings
from onedoor.runtime import database
from onedoor.runtime.clock import Clock
from onedoor.runtime.migrate import migrate
from onedoor.runtime.unit import Directive, Unit
from tests.bench.anchors.breach import TABLES
from tests.bench.frame import Bar, Bench, Figures, Group
from tests.notify import application, planned
from tests.notify_bench import enveloped

FEW = 10_000
DATABASES = {"bench_many": 0, "bench_few": FEW}
SPREAD_SECONDS = 5
READY = timedelta(seconds=10)
"""By when the process that sweeps has started: what falls due before is late by that, not by the sweep."""

MODEL = """
create table model as select * from clocks where duty like '%finish%' limit 1;
update model set state = 'warned';
create table bench_commits (n int);
grant select, insert on bench_commits to onedoor_notify_writer;
delete from pending;
delete from clocks
"""
OPEN = """
insert into clocks
select made.*
from model, lateral (
  select $1::timestamptz + n * $2::interval as due from generate_series(1, $3::int) n) as d,
lateral jsonb_populate_record(model, jsonb_build_object(
  'id', gen_random_uuid(), 'chain_id', gen_random_uuid(), 'subject', gen_random_uuid(), 'due_at', due,
  'next_at', due)) as made
"""
OPEN_ANCHOR = """
insert into anchor.clocks (id, chain_id, duty, owner, due_at)
select gen_random_uuid(), gen_random_uuid(), 'finish', 'education', $1::timestamptz + n * $2::interval
from generate_series(1, $3::int) n
"""
EMPTY = """
truncate events, pending, notices cascade; delete from clocks where state = 'breached';
truncate anchor.breaches, anchor.clock_outbox; delete from anchor.clocks where state = 1
"""
_MINUTE = timedelta(minutes=1)
_A_YEAR = timedelta(days=365)


def open_clocks(bench: Bench) -> int:
    return bench.size(1_000_000, 50_000)


def due_clocks(bench: Bench) -> int:
    return bench.size(30_000, 6_000)


@asynccontextmanager
async def prepared(bench: Bench) -> AsyncIterator[None]:
    """Two databases, one with very many open clocks that are not due, one with few."""
    for name, few in DATABASES.items():
        dsn = with_database(bench.servers.postgres, name)
        await _execute(bench.servers.postgres, f'create database "{name}"')
        settings = Settings(environment="test", postgres=dsn)
        await migrate(SERVICE, settings)
        await _one_real_clock(settings)
        await _execute(dsn, MODEL, TABLES)
        future, apart = datetime.now(UTC) + _A_YEAR, timedelta(seconds=1)
        for statement in (OPEN, OPEN_ANCHOR):
            await _execute(dsn, statement, args=(future, apart, few or open_clocks(bench)))
        await _execute(dsn, "vacuum analyze clocks", "vacuum analyze anchor.clocks")
    yield


async def _one_real_clock(settings: Settings) -> None:
    """What notify makes of one application: the model of all others."""
    pool = await database.pool(SERVICE, settings, "writer")
    unit = Unit(SERVICE, pool, Clock(settings.environment))
    now = datetime.now(UTC)
    event = enveloped(application(planned(), at=now, application_id=uuid4(), chain_id=uuid4()), now)
    async with unit.transaction() as tx:
        await unit.run(tx.conn, [Directive(tuple(SERVICE.react(event)), Context(SYSTEM, now))])
    await pool.close()


async def _execute(dsn: str, *statements: str, args: tuple[Any, ...] = ()) -> None:
    conn = await asyncpg.connect(dsn, server_settings={"search_path": "notify,public"})
    try:
        for statement in statements:
            await conn.execute(statement, *args)
    finally:
        await conn.close()


async def _fall_due(dsn: str, statement: str, count: int) -> None:
    """So many fell due within the last minute."""
    await _execute(dsn, EMPTY, "vacuum analyze clocks", "vacuum analyze anchor.clocks", "checkpoint")
    await _execute(dsn, statement, args=(datetime.now(UTC) - _MINUTE, _MINUTE / (count + 1), count))


async def _swept(bench: Bench, name: str) -> Figures:
    dsn = with_database(bench.servers.postgres, name)
    await _fall_due(dsn, OPEN, due_clocks(bench))
    return await bench.product("sweep", postgres=dsn, mode="drain", count=due_clocks(bench))


async def sweep(bench: Bench) -> Figures:
    return await _swept(bench, "bench_many")


async def sweep_few(bench: Bench) -> Figures:
    return await _swept(bench, "bench_few")


async def sql_claims(bench: Bench) -> Figures:
    dsn = with_database(bench.servers.postgres, "bench_many")
    await _fall_due(dsn, OPEN_ANCHOR, due_clocks(bench))
    return await bench.anchor("sql_claims", postgres=dsn, count=due_clocks(bench))


async def _peer(bench: Bench, program: str, count: int, **more: object) -> Figures:
    dsn = with_database(bench.servers.postgres, "bench_few")
    await _execute(dsn, EMPTY)
    return await bench.peer(program, postgres=dsn, count=count, **more)


async def pgqueuer(bench: Bench) -> Figures:
    return await _peer(bench, "pgqueuer_jobs", bench.size(30_000, 6_000), writes=False)


async def pgqueuer_writes(bench: Bench) -> Figures:
    return await _peer(bench, "pgqueuer_jobs", bench.size(10_000, 3_000), writes=True)


async def procrastinate(bench: Bench) -> Figures:
    return await _peer(bench, "procrastinate_jobs", bench.size(3_000, 1_000))


async def empty(bench: Bench) -> Figures:
    dsn = with_database(bench.servers.postgres, "bench_many")
    await _execute(dsn, EMPTY, "delete from clocks where due_at <= now()", "vacuum analyze clocks")
    return await bench.product("sweep", postgres=dsn, mode="empty")


async def spread(bench: Bench) -> Figures:
    dsn = with_database(bench.servers.postgres, "bench_many")
    count = bench.size(2_000, 600)
    await _execute(dsn, EMPTY, "delete from clocks where due_at <= now()", "vacuum analyze clocks")
    soon, apart = datetime.now(UTC) + READY, timedelta(seconds=SPREAD_SECONDS) / count
    await _execute(dsn, OPEN, args=(soon, apart, count))
    return await bench.product(
        "sweep", postgres=dsn, mode="lateness", count=count, apart=apart.total_seconds()
    )


RUNS = (sweep, sql_claims, sweep_few, pgqueuer, pgqueuer_writes, procrastinate, empty, spread)
GROUP = Group(
    name="deadlines",
    prepare=prepared,
    runs={run.__name__: run for run in RUNS},
    bars=(
        Bar("D1", "sweep ÷ claims in one SQL statement", "sweep.rate", "sql_claims.rate", 0.5, 0.7),
        Bar("D2", "sweep ÷ pgqueuer, jobs that do nothing", "sweep.rate", "pgqueuer.rate", 1.3, 1.8),
        Bar("D3", "sweep ÷ pgqueuer, two rows written", "sweep.rate", "pgqueuer_writes.rate", 5, 8),
        Bar("D3b", "sweep ÷ procrastinate, two rows written", "sweep.rate", "procrastinate.rate", 30, 45),
        Bar("D4", "empty claim ÷ select 1", "empty.claim", "empty.select", 3, least=False),
        Bar("D5", "p99 lateness of spread clocks ÷ p99 of one-row commits between them",
            "spread.p99", "spread.commit_p99", 5, least=False, steady=False),
        Bar("D6", "sweep among few open clocks ÷ among very many",
            "sweep_few.rate", "sweep.rate", 1.5, least=False),
    ),
)  # fmt: skip
