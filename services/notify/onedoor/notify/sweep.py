"""The sweep: takes every step that has fallen due, each at its own moment.

It works as of any moment that it is given. In the running service it sleeps until the next step, a second at
most, and is woken by an earlier clock or by an adjustment of business time.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime

import asyncpg

from onedoor.contracts.core import SYSTEM, Context
from onedoor.notify import views
from onedoor.notify.domain.clock import Strike, strikes
from onedoor.runtime import database
from onedoor.runtime.app import App
from onedoor.runtime.unit import Directive, Unit

log = logging.getLogger(__name__)

BATCH = 1000
SHORTEST_SLEEP, LONGEST_SLEEP = 0.02, 1.0
RETRY_SECONDS = 1.0


async def sweep(unit: Unit, now: datetime, batch: int = BATCH) -> int:
    """Take all steps due at `now` of up to `batch` clocks, in one transaction; how many clocks it took.

    A step missed long ago is recorded at its own moment; steps are taken in the order of their moments.
    Clocks that another process holds are left to it.
    """
    async with unit.transaction() as tx:
        claimed = await views.claim(tx.conn, now, batch)
        steps = sorted((at, id_) for id_, clock in claimed.items() for at in strikes(clock, now))
        directives = [Directive((Strike(target=id_),), Context(SYSTEM, at)) for at, id_ in steps]
        if directives:
            await unit.run(tx.conn, directives)
    return len(claimed)


async def sweep_all(unit: Unit, now: datetime, batch: int = BATCH) -> int:
    """Sweep as of `now` until nothing is due; how many clocks it took."""
    total = 0
    while taken := await sweep(unit, now, batch):
        total += taken
    return total


async def keep_sweeping(app: App) -> None:
    """Sweep for ever, and say up to which epoch; an unreachable database or a conflict is tried again."""
    while True:
        try:
            await _while_connected(app)
        except (*database.UNREACHABLE, *database.CONFLICTS) as error:
            log.warning("sweep waits", extra={"error": type(error).__name__})
            await asyncio.sleep(RETRY_SECONDS)


async def _while_connected(app: App) -> None:
    earlier = asyncio.Event()
    conn = await database.connect(app.service, app.settings)
    try:
        await conn.add_listener(views.SWEEP_CHANNEL, lambda *_: earlier.set())
        conn.add_termination_listener(lambda _: earlier.set())
        while True:
            earlier.clear()
            await _sweep_as_of_now(app, conn)
            await _sleep(app, earlier, await _until_next(app, conn))
    finally:
        conn.terminate()


async def _sweep_as_of_now(app: App, conn: asyncpg.Connection) -> None:
    epoch, now = app.clock.epoch, app.clock.now()
    first = await views.next_moment(conn)
    late = (now - first).total_seconds() if first is not None else 0.0
    app.metrics.clock_sweep_lag_seconds.set(max(late, 0.0))
    if late >= 0 and first is not None:
        await sweep_all(app.unit, now, getattr(app.settings, "sweep_batch", BATCH))
    app.status["swept_epoch"] = epoch


async def _until_next(app: App, conn: asyncpg.Connection) -> float:
    """Seconds until the next step falls due, at most one; never none, since another may hold it."""
    moment = await views.next_moment(conn)
    if moment is None:
        return LONGEST_SLEEP
    return min(max((moment - app.clock.now()).total_seconds(), SHORTEST_SLEEP), LONGEST_SLEEP)


async def _sleep(app: App, earlier: asyncio.Event, seconds: float) -> None:
    moved = asyncio.create_task(app.clock.moved())
    woken = asyncio.create_task(earlier.wait())
    try:
        await asyncio.wait({moved, woken}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (moved, woken):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
