"""Business time: the system's clock, in development with an adjustable offset.

The offset lies in one row of schema `onedoor_dev`, with an epoch that counts the adjustments; services LISTEN
for it. In production the row is never read and the offset is zero.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

Connect = Callable[[], Awaitable["asyncpg.Connection[asyncpg.Record]"]]

CHANNEL = "onedoor_clock"
DDL = """
create schema if not exists onedoor_dev;
create table if not exists onedoor_dev.clock (
  only_row boolean primary key default true check (only_row),
  epoch bigint not null,
  "offset" interval not null,
  changed_at timestamptz not null default now()
);
insert into onedoor_dev.clock (epoch, "offset") values (0, interval '0') on conflict do nothing;
grant usage on schema onedoor_dev to public;
grant select on onedoor_dev.clock to public;
"""

_READ = 'select epoch, "offset" from onedoor_dev.clock'
_MOVE = """
update onedoor_dev.clock
set epoch = epoch + 1, "offset" = case when $2 then "offset" else interval '0' end + $1, changed_at = now()
returning epoch, "offset"
"""
_REREAD_SECONDS = 5.0
_RETRY_SECONDS = 1.0
_DELTA = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<days>\d{1,4})d)?(?:(?P<hours>\d{1,5})h)?(?:(?P<minutes>\d{1,6})m)?(?:(?P<seconds>\d{1,7})s)?"
)
_SHANGHAI = ZoneInfo("Asia/Shanghai")
_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)

log = logging.getLogger(__name__)


class ClockRefused(Exception):
    """The clock cannot be adjusted here: this database belongs to no development system."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """How far business time is ahead of the system's clock, after how many adjustments."""

    epoch: int = 0
    offset: timedelta = timedelta()

    @property
    def now(self) -> datetime:
        """Business time, UTC."""
        return datetime.now(UTC) + self.offset


class Clock:
    """The business time of one process. `environment` as in settings: only dev and test may be adjusted."""

    def __init__(self, environment: str) -> None:
        self._adjustable = environment in ("dev", "test")
        self._adjustment = Adjustment()
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        """Business time, aware, UTC."""
        return self._adjustment.now

    @property
    def epoch(self) -> int:
        """How many adjustments this process knows of."""
        return self._adjustment.epoch

    @property
    def offset(self) -> timedelta:
        """How far business time is ahead of the system's clock."""
        return self._adjustment.offset

    async def moved(self) -> None:
        """Wait for the next adjustment."""
        await self._moved.wait()

    async def follow(self, connect: Connect | str) -> None:
        """Keep up with the adjustments until cancelled. `connect` makes a connection of its own, or is a DSN.

        An unreachable database is retried; until then the last known adjustment holds.
        """
        if not self._adjustable:
            await asyncio.Event().wait()
        while True:
            try:
                await self._listen(connect)
            except _AWAY as error:
                log.warning("clock waits for postgres", extra={"error": type(error).__name__})
                await asyncio.sleep(_RETRY_SECONDS)

    async def _listen(self, connect: Connect | str) -> None:
        told = asyncio.Event()
        async with _connection(connect) as conn:
            await conn.add_listener(CHANNEL, lambda *_: told.set())
            conn.add_termination_listener(lambda _: told.set())
            while True:
                told.clear()
                self._take(await _read(conn))
                try:
                    await asyncio.wait_for(told.wait(), _REREAD_SECONDS)
                except TimeoutError:
                    continue

    def _take(self, adjustment: Adjustment) -> None:
        if adjustment.epoch == self._adjustment.epoch:
            return
        self._adjustment = adjustment
        self._moved.set()
        self._moved = asyncio.Event()


@asynccontextmanager
async def _connection(connect: Connect | str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    conn = await (asyncpg.connect(connect, timeout=5) if isinstance(connect, str) else connect())
    try:
        yield conn
    finally:
        conn.terminate()


async def _read(conn: "asyncpg.Connection[asyncpg.Record]") -> Adjustment:
    row = await conn.fetchrow(_READ)
    return Adjustment() if row is None else Adjustment(row["epoch"], row["offset"])


async def set_to(dsn: str, moment: datetime) -> Adjustment:
    """Make business time the given moment (aware). Raises ClockRefused."""
    return await _move(dsn, moment - datetime.now(UTC), relative=False)


async def advance(dsn: str, delta: timedelta) -> Adjustment:
    """Move business time by delta, backwards if negative: that undoes nothing. Raises ClockRefused."""
    return await _move(dsn, delta, relative=True)


async def reset(dsn: str) -> Adjustment:
    """Make business time the system's again. Raises ClockRefused."""
    return await _move(dsn, timedelta(), relative=False)


async def show(dsn: str) -> Adjustment:
    """The adjustment in force. Raises ClockRefused."""
    async with _adjustable(dsn) as conn:
        return await _read(conn)


async def _move(dsn: str, delta: timedelta, relative: bool) -> Adjustment:
    async with _adjustable(dsn) as conn, conn.transaction():
        row: Any = await conn.fetchrow(_MOVE, delta, relative)
        await conn.execute("select pg_notify($1, $2)", CHANNEL, str(row["epoch"]))
        return Adjustment(row["epoch"], row["offset"])


@asynccontextmanager
async def _adjustable(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    async with _connection(dsn) as conn:
        if await conn.fetchval("select to_regclass('onedoor_dev.clock')") is None:
            raise ClockRefused("the clock can be adjusted in development only")
        yield conn


def parse_delta(text: str) -> timedelta:
    """`3d`, `2h`, `30m`, `1d12h`, `-1d` as a duration. Raises ValueError."""
    found = _DELTA.fullmatch(text.strip())
    parts = {} if found is None else {name: value for name, value in found.groupdict().items() if value}
    sign = parts.pop("sign", "+")
    if not parts:
        raise ValueError("a duration is written as 3d, 2h, 30m or 1d12h")
    delta = timedelta(**{name: int(value) for name, value in parts.items()})
    return -delta if sign == "-" else delta


def parse_moment(text: str) -> datetime:
    """An ISO moment; without an offset Asia/Shanghai, a date alone 00:00 of it. Raises ValueError."""
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=_SHANGHAI)
