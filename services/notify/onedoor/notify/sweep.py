"""The sweep: takes every step that has fallen due, each at its own moment.

It works as of any moment that it is given. In the running service it reads and decides what falls due within
the next second, so that one statement is left for the moment itself; while it waits for those moments it
looks further ahead. It is woken by an earlier clock or by an adjustment of business time. What is overdue it
claims in batches; where more than one is due, two are worked side by side. A clock that cannot take its step
is set aside, so that it holds up no other.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg

from onedoor.contracts.core import SYSTEM, Context
from onedoor.notify import alerts, views
from onedoor.notify.alerts import Due
from onedoor.notify.domain.clock import CLOCK, Clock, steps
from onedoor.runtime import database
from onedoor.runtime.app import App
from onedoor.runtime.consumer import describe
from onedoor.runtime.service import Connection
from onedoor.runtime.unit import Decided, Unit

log = logging.getLogger(__name__)

BATCH = 500
"""With twice as many the collector searches what two batches hold, several times."""
SIDE_BY_SIDE = 2
"""While PostgreSQL writes one batch, the next one is decided."""
LONGEST_SLEEP = timedelta(seconds=1)
AHEAD = 50
"""So many clocks at most are decided before their moment."""
HELD = timedelta(milliseconds=20)
"""What is due and not to be had is in another process' hands: look again soon."""
RETRY_SECONDS = 1.0
EARLY_SECONDS = 0.0005
"""uvloop's timers round to the millisecond: rather too early, and then again, than too late."""

Taken = Literal["taken", "left", "stuck"]
"""What became of one clock: left is what another process holds or what is not due any more."""


async def sweep(unit: Unit, now: datetime, batch: int = BATCH) -> int:
    """Take all steps due at `now` of up to `batch` clocks, in one transaction; how many clocks it took.

    A step missed long ago is recorded at its own moment; alerts are written in the order of their moments,
    then in theirs the steps from which something follows. Clocks that another process holds are left
    to it. If any of them fails, each is worked in a transaction of its own, and those that fail again are set
    aside. Raises what passes by itself (PostgreSQL is away, a deadlock).
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


async def _take(unit: Unit, conn: Connection, claimed: Sequence[asyncpg.Record], now: datetime) -> None:
    """Each clock is decided by itself and once; a step of one never moves another."""
    due: list[Due] = []
    others: list[UUID] = []
    for row in claimed:
        if (alerting := alerts.decided(row, now)) is not None:
            due.append(alerting)
        else:
            others.append(row["id"])
    if due:
        await alerts.write(conn, unit.service.schema, due, locked=True)
    if others:
        await _record(unit, conn, await views.CLOCKS.load(conn, others), now)


async def _record(
    unit: Unit, conn: Connection, clocks: Mapping[UUID, tuple[Clock, int]], now: datetime
) -> None:
    """Steps from which something may follow, in the order of their moments."""
    taken = [(step.at, id_, step) for id_, (clock, _) in clocks.items() for step in steps(clock, now)]
    decided = [
        Decided(id_, step.events, step.clock, Context(SYSTEM, at))
        for at, id_, step in sorted(taken, key=lambda one: one[:2])
    ]
    await unit.record(conn, CLOCK, {id_: version for id_, (_, version) in clocks.items()}, decided)


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
            await _record(unit, tx.conn, {id_: (clock, version)}, now)
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
    lanes = (_while_full(unit, now, batch) for _ in range(SIDE_BY_SIDE))
    total = sum(await asyncio.gather(*lanes))
    while taken := await sweep(unit, now, batch):
        total += taken
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
    woken = asyncio.Event()
    async with _connected(app) as conn, _connected(app) as beside:
        moves = asyncio.create_task(_tell_moves(app, woken))
        try:
            await conn.add_listener(views.SWEEP_CHANNEL, lambda *_: woken.set())
            conn.add_termination_listener(lambda _: woken.set())
            while True:
                woken.clear()
                await _in_turn(app, conn, beside, woken, await _look_ahead(app, conn))
        finally:
            moves.cancel()


@asynccontextmanager
async def _connected(app: App) -> AsyncIterator[asyncpg.Connection]:
    conn = await database.connect(app.service, app.settings)
    try:
        yield conn
    finally:
        conn.terminate()


async def _tell_moves(app: App, woken: asyncio.Event) -> None:
    while True:
        await app.clock.moved()
        woken.set()


class Ahead(NamedTuple):
    """What falls due next, decided before its moment, in order; until: when to look again."""

    due: Sequence[Due]
    until: datetime


async def _look_ahead(app: App, conn: Connection) -> Ahead:
    """Take what is due already; else what falls due within the next second."""
    epoch = app.clock.epoch
    next_at = await _outlook(app, conn)
    now = app.clock.now()
    if next_at is not None and next_at <= now:
        ahead = Ahead((), now if await _sweep_due(app, now) else now + HELD)
    else:
        ahead = await _upcoming(app, conn)
    app.status["swept_epoch"] = epoch
    return ahead


async def _look_again(app: App, conn: Connection) -> Ahead:
    """What falls due within the next second, while what was seen of it is still being written."""
    await _outlook(app, conn)
    return await _upcoming(app, conn)


async def _outlook(app: App, conn: Connection) -> datetime | None:
    """When the next step falls due; the metrics say how it stands."""
    outlook = await views.outlook(conn)
    now = app.clock.now()
    app.metrics.clock_sweep_lag_seconds.set(max((now - (outlook.next_at or now)).total_seconds(), 0.0))
    app.metrics.stuck_clocks.set(outlook.stuck)
    return outlook.next_at


async def _upcoming(app: App, conn: Connection) -> Ahead:
    soon = app.clock.now() + LONGEST_SLEEP
    return _decided(await views.upcoming(conn, soon, AHEAD), soon)


async def _sweep_due(app: App, now: datetime) -> int:
    """One batch; only where it was full can more be due."""
    batch: int = getattr(app.settings, "sweep_batch", BATCH)
    taken = await sweep(app.unit, now, batch)
    return taken if taken < batch else taken + await sweep_all(app.unit, now, batch)


def _decided(rows: Sequence[asyncpg.Record], until: datetime) -> Ahead:
    """The alerts that come next, up to the first clock that takes another step or cannot be read.

    That one is claimed at its moment, by which it takes its step or is set aside.
    """
    due: list[Due] = []
    for row in rows:
        at = row["next_at"]
        try:
            alerting = alerts.decided(row, at)
        except Exception:
            alerting = None
        if alerting is None:
            return Ahead(due, at)
        due.append(alerting)
    return Ahead(due, until if len(rows) < AHEAD else rows[-1]["next_at"])


async def _in_turn(
    app: App, conn: Connection, beside: Connection, woken: asyncio.Event, ahead: Ahead
) -> None:
    """Write each alert at its moment, until nothing is known to come, or something has come between.

    beside: by which it looks further ahead, once half of what it knows is written.
    """
    left = deque(ahead.due)
    written: set[tuple[UUID, int]] = set()
    further: asyncio.Task[Ahead] | None = None
    try:
        while not await _sleep(app, woken, left[0].at if left else ahead.until) and left:
            due, now = [], app.clock.now()
            while left and left[0].at <= now:
                due.append(left.popleft())
            if await _write(app, conn, due) < len(due):
                return
            if any(each.next_at and each.next_at <= now + LONGEST_SLEEP for each in due):
                return
            written.update((each.id, each.version) for each in due)
            if further is None and left and 2 * len(left) <= len(ahead.due):
                written.clear()
                further = asyncio.create_task(_look_again(app, beside))
            elif further is not None and (further.done() or not left):
                ahead, further = await further, None
                left = deque(each for each in ahead.due if (each.id, each.version) not in written)
    finally:
        if further is not None:
            further.cancel()
            await asyncio.gather(further, return_exceptions=True)


async def _write(app: App, conn: Connection, due: Sequence[Due]) -> int:
    """Write these alerts by one statement; of how many clocks. The others have to be looked at again."""
    try:
        return await alerts.write(conn, app.service.schema, due, locked=False)
    except Exception as error:
        if passes(error):
            raise
        log.warning("sweep claims what it had decided ahead", extra={"error": type(error).__name__})
        return 0


async def _sleep(app: App, woken: asyncio.Event, until: datetime) -> bool:
    """Sleep until that business time; whether something woke it before."""
    while not woken.is_set() and (left := (until - app.clock.now()).total_seconds()) > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(left - EARLY_SECONDS, 0.0)):
                await woken.wait()
    return woken.is_set()
