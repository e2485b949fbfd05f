"""The sweep: takes every step that has fallen due, each at its own moment.

It works as of any moment that it is given. In the running service it sleeps until the next step, a second at
most, and is woken by an earlier clock or by an adjustment of business time. Where more than a batch is due,
two are worked side by side. A clock that cannot take its step is set aside, so that it holds up no other.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import asyncpg

from onedoor.contracts.core import SYSTEM, Context
from onedoor.notify import views
from onedoor.notify.domain.clock import CLOCK, Clock, steps
from onedoor.runtime import database
from onedoor.runtime.app import App
from onedoor.runtime.consumer import describe
from onedoor.runtime.service import Connection
from onedoor.runtime.unit import Decided, Unit

log = logging.getLogger(__name__)

BATCH = 1000
SIDE_BY_SIDE = 2
"""While PostgreSQL writes one batch, the next one is decided."""
LONGEST_SLEEP = 1.0
HELD_SECONDS = 0.02
"""What is due and not to be had is in another process' hands: look again soon."""
RETRY_SECONDS = 1.0

Taken = Literal["taken", "left", "stuck"]
"""What became of one clock: left is what another process holds or what is not due any more."""


async def sweep(unit: Unit, now: datetime, batch: int = BATCH) -> int:
    """Take all steps due at `now` of up to `batch` clocks, in one transaction; how many clocks it took.

    A step missed long ago is recorded at its own moment; steps are taken in the order of their moments.
    Clocks that another process holds are left to it. If any of them fails, each is worked in a transaction of
    its own, and those that fail again are set aside. Raises what passes by itself (PostgreSQL is away, a
    deadlock).
    """
    try:
        return await _together(unit, now, batch)
    except Exception as error:
        if passes(error):
            raise
        log.warning("sweep goes on clock by clock", extra={"error": type(error).__name__})
    return await _clock_by_clock(unit, now, batch)


async def _together(unit: Unit, now: datetime, batch: int) -> int:
    async with unit.transaction() as tx:
        claimed = await views.claim(tx.conn, now, batch)
        await _take(unit, tx.conn, claimed, now)
        return len(claimed)


async def _take(
    unit: Unit, conn: Connection, claimed: Mapping[UUID, tuple[Clock, int]], now: datetime
) -> None:
    """Each clock is decided by itself and once; a step of one never moves another."""
    taken = [(id_, step) for id_, (clock, _) in claimed.items() for step in steps(clock, now)]
    taken.sort(key=lambda each: (each[1].at, each[0]))
    decided = [Decided(id_, step.events, step.clock, Context(SYSTEM, step.at)) for id_, step in taken]
    await unit.record(conn, CLOCK, {id_: version for id_, (_, version) in claimed.items()}, decided)


def passes(error: Exception) -> bool:
    """Whether it passes by itself: PostgreSQL is away, or another transaction came between."""
    return database.out_of_reach(error) or isinstance(error, database.PASSING)


async def _clock_by_clock(unit: Unit, now: datetime, batch: int) -> int:
    async with unit.pool.acquire() as conn:
        due = await views.due(conn, now, batch)
    outcomes = [await _alone(unit, id_, version, now) for id_, version in due]
    return len(outcomes) - outcomes.count("left")


async def _alone(unit: Unit, id_: UUID, version: int, now: datetime) -> Taken:
    """All due steps of one clock; an error sets it aside with its reason."""
    try:
        async with unit.transaction() as tx:
            clock = await views.claim_one(tx.conn, id_, version, now)
            if clock is None:
                return "left"
            await _take(unit, tx.conn, {id_: (clock, version)}, now)
            await views.unstick(tx.conn, id_)
            return "taken"
    except Exception as error:
        if passes(error):
            raise
        await _set_aside(unit, id_, version, error)
        return "stuck"


async def _set_aside(unit: Unit, id_: UUID, version: int, error: Exception) -> None:
    """Hide it from the sweep and say so aloud; which clock of a child it is stays in the database."""
    reason, trace = describe(error)
    async with unit.pool.acquire() as conn:
        kept = await views.set_aside(conn, id_, version, reason, trace, datetime.now(UTC))
    if kept is not None:
        which = {} if kept["child"] else {"clock_id": id_}
        details = {"duty": kept["duty"], "child": kept["child"], "error": reason}
        log.critical("clock set aside", extra=details | which)


@dataclass(frozen=True, slots=True)
class Retried:
    """How many clocks took their steps now, and how many failed again."""

    retried: int
    failed: int


async def retry(unit: Unit, now: datetime, stuck: Iterable[tuple[UUID, int]]) -> Retried:
    """Let clocks that were set aside (id and version) take their due steps again, each by itself."""
    outcomes = [await _alone(unit, id_, version, now) for id_, version in stuck]
    return Retried(outcomes.count("taken"), outcomes.count("stuck"))


async def sweep_all(unit: Unit, now: datetime, batch: int = BATCH) -> int:
    """Sweep as of `now` until nothing is due; how many clocks it took.

    The steps of one clock are taken in their order; those of clocks in different batches may be written in
    any.
    """
    total = 0
    while taken := await sweep(unit, now, batch):
        total += taken
        if taken >= batch:
            lanes = (_while_full(unit, now, batch) for _ in range(SIDE_BY_SIDE))
            total += sum(await asyncio.gather(*lanes))
    return total


async def _while_full(unit: Unit, now: datetime, batch: int) -> int:
    """Batch after batch until one is not full; how many clocks it took.

    An error ends it too and is told: nothing of that batch is written, and whoever sweeps on alone meets what
    does not pass by itself.
    """
    total, taken = 0, batch
    try:
        while taken >= batch:
            taken = await _together(unit, now, batch)
            total += taken
    except Exception as error:
        log.warning("sweep goes on with one batch at a time", extra={"error": type(error).__name__})
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
            if seconds := await _sweep_as_of_now(app, conn):
                await _sleep(app, earlier, seconds)
    finally:
        conn.terminate()


async def _sweep_as_of_now(app: App, conn: asyncpg.Connection) -> float:
    """Take what is due; how many seconds there is nothing to do afterwards, as far as is known."""
    epoch = app.clock.epoch
    ahead = await views.outlook(conn)
    now = app.clock.now()
    seconds = LONGEST_SLEEP if ahead.next_at is None else (ahead.next_at - now).total_seconds()
    app.metrics.clock_sweep_lag_seconds.set(max(-seconds, 0.0))
    app.metrics.stuck_clocks.set(ahead.stuck)
    if seconds <= 0:
        seconds = 0.0 if await _sweep_due(app, now) else HELD_SECONDS
    app.status["swept_epoch"] = epoch
    return min(seconds, LONGEST_SLEEP)


async def _sweep_due(app: App, now: datetime) -> int:
    """One batch; only where it was full can more be due."""
    batch: int = getattr(app.settings, "sweep_batch", BATCH)
    taken = await sweep(app.unit, now, batch)
    return taken if taken < batch else taken + await sweep_all(app.unit, now, batch)


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
