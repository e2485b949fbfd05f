"""Once an hour: drop what is over for long, and say aloud where nobody is on duty; that is counted too."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files

import yaml

from onedoor.calendar import local
from onedoor.notify.telling import roster
from onedoor.runtime import database
from onedoor.runtime.app import App
from onedoor.runtime.service import Connection

log = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
SOON = timedelta(minutes=1)
AT_ONCE = 1000

_OLD_DELIVERIES = """
select id from deliveries d where state <> 'waiting' and decided_at < $1
  and not exists (select from notices n
                  where n.id = any(d.notices) and (n.ended_at is null or n.ended_at >= $1))
order by decided_at limit $2 for update skip locked
"""
_OLD_NOTICES = """
select id from notices n where ended_at < $1
  and not exists (select from deliveries d where d.notices @> array[n.id])
order by ended_at limit $2 for update skip locked
"""
_OLD_SHIFTS = "delete from shifts where ends_at < $1"


@cache
def _retention() -> tuple[tuple[date, timedelta], ...]:
    """From which day on, how long; the latest first."""
    text = files("onedoor.notify").joinpath("data/retention.yaml").read_text("utf-8")
    rows = [(row["valid_from"], timedelta(days=row["days"])) for row in yaml.safe_load(text)["retention"]]
    return tuple(sorted(rows, reverse=True))


def kept_since(now: datetime) -> datetime:
    """What was over before this moment is dropped."""
    return now - next(span for since, span in _retention() if since <= local(now).date())


async def purge(conn: Connection, now: datetime) -> int:
    """Drop settled deliveries and notices that are over for longer than they are kept, in the caller's
    transaction, a thousand of each at most; how many. What is still open or waiting stays, however old."""
    since = kept_since(now)
    deliveries = [row["id"] for row in await conn.fetch(_OLD_DELIVERIES, since, AT_ONCE)]
    await conn.execute("delete from attempts where delivery_id = any($1::uuid[])", deliveries)
    await conn.execute("delete from deliveries where id = any($1::uuid[])", deliveries)
    notices = [row["id"] for row in await conn.fetch(_OLD_NOTICES, since, AT_ONCE)]
    for table in ("tellings", "seen"):
        await conn.execute(f"delete from {table} where notice_id = any($1::uuid[])", notices)  # noqa: S608
    await conn.execute("delete from notices where id = any($1::uuid[])", notices)
    await conn.execute(_OLD_SHIFTS, since)
    return len(deliveries) + len(notices)


async def gaps_now(conn: Connection, now: datetime) -> list[roster.Gap]:
    """Where nobody is on duty now, of the places where somebody has to be and of units with a roster."""
    rows = await roster.shifts_between(conn, now, now + EVERY)
    found = roster.gaps([dict(row) for row in rows], now, now + EVERY)
    return [gap for gap in found if gap.starts_at == now]


async def say_gaps(conn: Connection, now: datetime) -> list[roster.Gap]:
    """Log where nobody is on duty now."""
    found = await gaps_now(conn, now)
    if not await conn.fetchval("select exists (select from shifts where ends_at > $1)", now):
        log.critical("there is no duty roster: alerts reach nobody but by the inbox")
    for gap in found:
        log.error("nobody is on duty", extra={"department": gap.department, "kind": gap.function})
    return found


async def count_gaps(app: App) -> None:
    """How many places have nobody on duty now, for the metric."""
    async with app.writer.acquire() as conn:
        app.metrics.roster_gaps.set(len(await gaps_now(conn, app.clock.now())))


async def put_in_order(app: App) -> None:
    """Say aloud where nobody is on duty, and drop what is over for long."""
    async with app.writer.acquire() as conn:
        await say_gaps(conn, app.clock.now())
        dropped = AT_ONCE
        while dropped >= AT_ONCE:
            async with conn.transaction():
                dropped = await purge(conn, app.clock.now())


async def keep_in_order(app: App) -> None:
    """At the start and once an hour."""
    await _keep(app, EVERY, put_in_order)


async def keep_counting_gaps(app: App) -> None:
    """At the start and once a minute: a shift ends and a roster is imported at any time."""
    await _keep(app, SOON, count_gaps)


async def _keep(app: App, every: timedelta, work: Callable[[App], Awaitable[None]]) -> None:
    """Again and again, by the system's clock; what passes by itself waits for the next time."""
    while True:
        try:
            await work(app)
        except (*database.UNREACHABLE, *database.CONFLICTS) as error:
            log.warning("waits for the database", extra={"error": type(error).__name__})
        await asyncio.sleep(every.total_seconds())
