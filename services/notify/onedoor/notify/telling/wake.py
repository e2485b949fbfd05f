"""A background task that has something to do now and then: it sleeps until it is woken, a second at most."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg

from onedoor.runtime import database
from onedoor.runtime.app import App
from onedoor.runtime.service import Connection

log = logging.getLogger(__name__)

LONGEST_SLEEP = 1.0
RETRY_SECONDS = 1.0

_WAKE = "select pg_notify($1, '')"


async def wake(conn: Connection, channel: str) -> None:
    """Wake whoever waits on the channel, once the transaction is committed."""
    await conn.execute(_WAKE, channel)


async def keep(app: App, channel: str, work: Callable[[App, asyncpg.Connection], Awaitable[bool]]) -> None:
    """Do the work for ever, over a connection of its own. `work` answers whether there may be more at once.

    What passes by itself (PostgreSQL is away, a conflict) is waited out; anything else ends the task.
    """
    while True:
        try:
            await _while_connected(app, channel, work)
        except (*database.UNREACHABLE, *database.CONFLICTS) as error:
            log.warning("waits for the database", extra={"error": type(error).__name__})
            await asyncio.sleep(RETRY_SECONDS)


async def _while_connected(
    app: App, channel: str, work: Callable[[App, asyncpg.Connection], Awaitable[bool]]
) -> None:
    woken = asyncio.Event()
    conn = await database.connect(app.service, app.settings)
    try:
        await conn.add_listener(channel, lambda *_: woken.set())
        conn.add_termination_listener(lambda _: woken.set())
        while True:
            woken.clear()
            if not await work(app, conn):
                await _sleep(app, woken)
    finally:
        conn.terminate()


async def _sleep(app: App, woken: asyncio.Event) -> None:
    waits = {asyncio.create_task(app.clock.moved()), asyncio.create_task(woken.wait())}
    try:
        await asyncio.wait(waits, timeout=LONGEST_SLEEP, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
