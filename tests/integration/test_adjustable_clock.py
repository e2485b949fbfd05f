"""Business time follows the row of schema onedoor_dev."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from onedoor.runtime import clock as clocks
from onedoor.runtime.clock import Clock, ClockRefused
from tests.harness import eventually


@pytest.fixture
async def dsn(database: str) -> str:
    conn = await asyncpg.connect(database)
    await conn.execute(clocks.DDL)
    await conn.execute(clocks.DDL)
    await conn.close()
    return database


@pytest.fixture
async def clock(dsn: str) -> AsyncIterator[Clock]:
    clock = Clock("test")
    following = asyncio.create_task(clock.follow(dsn))
    yield clock
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def reaches(clock: Clock, epoch: int, timeout: float = 1.0) -> None:
    async def reached() -> bool:
        return clock.epoch == epoch

    await eventually(reached, timeout, f"epoch {epoch}")


def near(clock: Clock, moment: datetime) -> bool:
    return abs(clock.now() - moment) < timedelta(seconds=5)


async def test_set_advance_reset(dsn: str, clock: Clock) -> None:
    moment = datetime(2026, 9, 18, 1, tzinfo=UTC)
    await reaches(clock, 0)
    await clocks.set_to(dsn, moment)
    await reaches(clock, 1)
    assert near(clock, moment)
    await clocks.advance(dsn, timedelta(days=3, hours=2))
    await reaches(clock, 2)
    assert near(clock, moment + timedelta(days=3, hours=2))
    await clocks.advance(dsn, timedelta(days=-4))
    await reaches(clock, 3)
    assert near(clock, moment - timedelta(hours=22))
    shown = await clocks.show(dsn)
    assert (shown.epoch, shown.offset) == (3, clock.offset)
    assert (await clocks.reset(dsn)).offset == timedelta()
    await reaches(clock, 4)
    assert near(clock, datetime.now(UTC))


async def test_a_lost_connection_is_made_again(dsn: str, clock: Clock) -> None:
    await clocks.advance(dsn, timedelta(hours=1))
    await reaches(clock, 1)
    conn = await asyncpg.connect(dsn)
    await conn.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where query like '%onedoor_dev.clock%' and pid <> pg_backend_pid() and datname = current_database()"
    )
    await clocks.advance(dsn, timedelta(hours=1))
    await reaches(clock, 2, timeout=5)
    await conn.close()


async def test_an_adjustment_made_earlier_is_known_from_the_start(dsn: str) -> None:
    await clocks.advance(dsn, timedelta(days=1))
    clock = Clock("dev")
    following = asyncio.create_task(clock.follow(lambda: asyncpg.connect(dsn)))
    await reaches(clock, 1)
    following.cancel()


async def test_where_no_development_is_the_clock_is_refused(database: str) -> None:
    for adjust in (
        clocks.reset(database),
        clocks.show(database),
        clocks.advance(database, timedelta(days=1)),
    ):
        with pytest.raises(ClockRefused):
            await adjust
