"""K1 and K2: deadlines counted a second beside a walk from day to day; all provisional ones counted again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg

from onedoor.calendar import moment
from onedoor.contracts.core import SYSTEM, Context
from onedoor.dev.postgres import with_database
from onedoor.notify import almanac
from onedoor.notify.app import SERVICE
from onedoor.notify.settings import Settings
from onedoor.runtime import database
from onedoor.runtime.clock import Clock
from onedoor.runtime.migrate import migrate
from onedoor.runtime.unit import Directive, Unit
from tests.bench.frame import Bar, Bench, Figures, Group
from tests.notices import NOTICE_2027
from tests.notify import application, planned
from tests.notify_bench import enveloped

NAME = "bench_calendar"
START = moment("2027-02-01T10:00").astimezone(UTC)
"""Its deadline lies behind a Spring Festival that is not announced: the notice moves it by three days."""

MODEL = "create table model as select * from clocks where duty = 'finish' limit 1"
FILL = """
insert into clocks
select made.*
from model, lateral (
  select $2::timestamptz + n * interval '1 second' as due from generate_series(1, $1::int) n) as d,
lateral jsonb_populate_record(model, jsonb_build_object(
  'id', gen_random_uuid(), 'chain_id', gen_random_uuid(), 'subject', gen_random_uuid(), 'due_at', due,
  'next_at', due)) as made
"""
FAR = datetime(2099, 1, 1, tzinfo=UTC)


def open_clocks(bench: Bench) -> int:
    return bench.size(100_000, 10_000)


@asynccontextmanager
async def prepared(bench: Bench) -> AsyncIterator[None]:
    """A database with one provisional clock as the model of all others, and the notice imported after it."""
    dsn = with_database(bench.servers.postgres, NAME)
    await _execute(bench.servers.postgres, f'create database "{NAME}"')
    settings = Settings(environment="test", postgres=dsn)
    await migrate(SERVICE, settings)
    pool = await database.pool(SERVICE, settings, "writer")
    unit = Unit(SERVICE, pool, Clock(settings.environment))
    asked = enveloped(application(planned(), at=START, application_id=uuid4(), chain_id=uuid4()), START)
    async with unit.transaction() as tx:
        await unit.run(tx.conn, [Directive(tuple(SERVICE.react(asked)), Context(SYSTEM, START))])
    await _execute(dsn, MODEL)
    async with unit.transaction() as tx:
        await almanac.import_notice(tx, NOTICE_2027, SYSTEM)
    await pool.close()
    yield


async def _execute(dsn: str, *statements: str) -> None:
    conn = await asyncpg.connect(dsn, server_settings={"search_path": "notify,public"})
    try:
        for statement in statements:
            await conn.execute(statement)
    finally:
        await conn.close()


async def count(bench: Bench) -> Figures:
    return await bench.product("counting", mode="count", count=bench.size(1_000_000, 100_000))


async def day_by_day(bench: Bench) -> Figures:
    return await bench.anchor("day_by_day", count=bench.size(20_000, 4_000))


async def recount(bench: Bench) -> Figures:
    dsn = with_database(bench.servers.postgres, NAME)
    await _execute(dsn, "truncate events, pending; delete from clocks")
    conn = await asyncpg.connect(dsn, server_settings={"search_path": "notify,public"})
    await conn.execute(FILL, open_clocks(bench), FAR)
    await conn.close()
    await _execute(dsn, "vacuum analyze clocks", "checkpoint")
    return await bench.product("counting", postgres=dsn, mode="recount", count=open_clocks(bench))


GROUP = Group(
    name="calendar",
    prepare=prepared,
    runs={run.__name__: run for run in (count, day_by_day, recount)},
    bars=(
        Bar("K1", "deadlines counted ÷ walked from day to day", "count.rate", "day_by_day.rate", 5, 10),
        Bar(
            "K2",
            "deadlines counted again and written ÷ walked",
            "recount.rate",
            "day_by_day.rate",
        ),
    ),
)
