"""The sender: takes deliveries that are due, sends each, and records what became of it.

A delivery is held by a row lock from its claim until its outcome is stored, in one transaction: no two
processes send it at once, and one that is killed lets it go. Killed between the sending and the commit, it
is sent once more with the same id: at least once, recognisable as the same.
"""

import logging
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from onedoor.notify import views
from onedoor.notify.telling import times, wake
from onedoor.notify.telling.channels import NotDelivered, Ways
from onedoor.notify.telling.message import Line, Message, bare_line, line_of, message_of
from onedoor.notify.telling.notices import TELL_CHANNEL
from onedoor.notify.telling.teller import SEND_CHANNEL
from onedoor.runtime.app import App
from onedoor.runtime.service import Connection

log = logging.getLogger(__name__)

RETRIES = (5.0, 30.0, 120.0, 600.0, 1800.0)
CRITICAL_RETRIES = (2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0)
"""Seconds (system time) before each further try; after the last one it has failed for everybody to see."""

_CLAIM = """
select d.*, a.address, a.secret from deliveries d
left join addresses a on a.person = d.person and a.channel = d.channel
where d.state = 'waiting' and d.not_before <= $1 and (d.retry_at is null or d.retry_at <= $2)
  and (d.critical or not $3)
order by d.critical desc, d.attempts, d.not_before, d.id limit 1 for update of d skip locked
"""
"""What has failed before comes last: a receiver that hangs holds up its own messages before others'."""
_NOTICES = """
select * from notices where id = any($1::uuid[]) and ended_at is null
  and not (critical and acknowledged_at is not null)
"""
_CLOCKS = "select * from clocks where id = any($1::uuid[]) and state is not null"
_NAMED_ONLY = "update deliveries set unwritten = $2 where id = $1 and unwritten <> $2"
_SETTLE = """
update deliveries set state = $2, attempts = attempts + $3::int, settled_at = $4, error = $5, retry_at = $6
where id = $1
"""
_ATTEMPT = "insert into attempts (delivery_id, number, at, error) values ($1, $2, $3, $4)"


async def send_one(
    conn: Connection, ways: Ways, now: datetime, system: datetime, desk_url: str, critical_only: bool = False
) -> str | None:
    """Send the most pressing delivery that is due, in the caller's transaction: its outcome, None for none.

    In quiet hours only critical ones are due, whatever has waited till then and why.
    now: business time; system: the system's clock, by which retries are counted.
    """
    row = await conn.fetchrow(_CLAIM, now, system, critical_only or not times.awake(now))
    if row is None:
        return None
    try:
        message = await compose(conn, row["notices"], now, desk_url)
        if message is None:
            await conn.execute(_SETTLE, row["id"], "needless", 0, system, None, None)
            return "needless"
        await conn.execute(_NAMED_ONLY, row["id"], message.unwritten)
        if row["address"] is None:
            raise NotDelivered("no address any more", final=True)
        await ways.send(row["channel"], row["address"], row["secret"], row["id"], message)
    except NotDelivered as failed:
        return await _settle(conn, row, failed, datetime.now(UTC))
    except (asyncpg.PostgresError, asyncpg.InterfaceError):
        raise
    except Exception as error:
        # Whatever goes wrong is this delivery's own failure, and no other's.
        return await _settle(conn, row, NotDelivered(type(error).__name__), datetime.now(UTC))
    return await _settle(conn, row, None, datetime.now(UTC))


async def compose(conn: Connection, notice_ids: list[UUID], now: datetime, desk_url: str) -> Message | None:
    """The message of these notices as things stand now; None where all are dealt with or stand still.

    One that cannot be written out is named without details and holds up no other.
    """
    found = await conn.fetch(_NOTICES, notice_ids)
    rows = await conn.fetch(_CLOCKS, [notice["subject"] for notice in found])
    clocks = {row["id"]: row for row in rows}
    lines: list[Line] = []
    for notice in found:
        try:
            line = _line(notice, clocks.get(notice["subject"]), now, desk_url)
        except Exception as error:
            line = bare_line(dict(notice), desk_url)
            about = {"event_id": notice["id"], "kind": notice["kind"], "error": type(error).__name__}
            log.error("a notice cannot be written out", extra=about)
        if line is not None:
            lines.append(line)
    return message_of(lines) if lines else None


def _line(notice: asyncpg.Record, row: asyncpg.Record | None, now: datetime, desk_url: str) -> Line | None:
    """The notice's line, tried in both languages; None while its clock stands still."""
    clock = None if row is None else views.clock_of(row)
    if clock is not None and clock.state == "paused":
        return None
    line = line_of(dict(notice), clock, now, desk_url)
    return line if line.zh and line.en else None


async def _settle(conn: Connection, row: asyncpg.Record, error: NotDelivered | None, system: datetime) -> str:
    number, reason = row["attempts"] + 1, error and error.reason
    await conn.execute(_ATTEMPT, row["id"], number, system, reason)
    if error is None:
        await conn.execute(_SETTLE, row["id"], "sent", 1, system, None, None)
        return "sent"
    retries = CRITICAL_RETRIES if row["critical"] else RETRIES
    if error.final or number > len(retries):
        await conn.execute(_SETTLE, row["id"], "failed", 1, system, reason, None)
        level = logging.CRITICAL if row["critical"] else logging.ERROR
        details: dict[str, Any] = {"kind": row["channel"], "attempt": number, "error": reason}
        log.log(level, "a delivery has failed for good", extra=details)
        await wake.wake(conn, TELL_CHANNEL)
        return "failed"
    wait = timedelta(seconds=retries[number - 1] * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
    await conn.execute(_SETTLE, row["id"], "waiting", 1, None, reason, system + wait)
    return "again"


async def _keep(app: App, critical_only: bool) -> None:
    settings: Any = app.settings
    ways = Ways(settings.channels, settings.delivery_timeout, settings.webhook_networks)

    async def work(app: App, conn: asyncpg.Connection) -> bool:
        async with conn.transaction():
            outcome = await send_one(
                conn, ways, app.clock.now(), datetime.now(UTC), settings.desk_url, critical_only
            )
        if outcome is not None:
            app.metrics.deliveries_total.labels(outcome).inc()
        return outcome is not None

    try:
        await wake.keep(app, SEND_CHANNEL, work)
    finally:
        await ways.close()


async def keep_sending(app: App) -> None:
    """Send whatever is due, critical first."""
    await _keep(app, critical_only=False)


async def keep_sending_too(app: App) -> None:
    """A second one, so that one receiver that hangs does not hold up the others."""
    await _keep(app, critical_only=False)


async def keep_sending_alarms(app: App) -> None:
    """One that critical deliveries have to themselves."""
    await _keep(app, critical_only=True)
