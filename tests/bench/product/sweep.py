"""notify's sweep on real clocks: state, event and escalation step are written, as in the running service.

drain: as fast as it goes; empty: a claim that finds nothing, beside `select 1`; lateness: its own loop, with
clocks that fall due one by one, beside the commit of one row.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import asyncpg
import uvloop

from onedoor.notify import alerts, views
from onedoor.notify import sweep as sweeping
from onedoor.notify.app import SERVICE
from onedoor.notify.settings import Settings
from onedoor.runtime import app as apps
from onedoor.runtime import database
from onedoor.runtime.clock import Clock
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.service import Connection
from onedoor.runtime.unit import Unit
from tests.bench.meter import DISCARDED, Meter, answer, asked, percentiles

REPEATS = 300


TENTH = """
select next_at from clocks where next_at <= now() order by next_at offset $1 limit 1
"""


async def drain(app: apps.App, conn: asyncpg.Connection, count: int) -> dict[str, float]:
    """Clocks a second that take their step: swept as of the first tenth's moments, then as of now."""
    meter = Meter(count)
    tenth = await conn.fetchval(TENTH, int(count * DISCARDED))
    for moment in (tenth, app.clock.now()):
        if meter.add(await sweeping.sweep_all(app.unit, moment)):
            return meter.figures()
    raise RuntimeError(f"only {meter.done} of {count} clocks were due")


async def empty(app: apps.App, conn: asyncpg.Connection) -> dict[str, float]:
    """Microseconds of a claim without anything due, and of the least statement there is; medians."""

    async def claim() -> None:
        assert not await views.claim(conn, app.clock.now(), sweeping.BATCH)

    async def nothing() -> None:
        await conn.fetch("select 1")

    times: dict[str, list[float]] = {"claim": [], "select": []}
    for _ in range(REPEATS):
        for name, action in (("claim", claim), ("select", nothing)):
            times[name].append(await _timed(action))
    return {name: sorted(found)[len(found) // 2] * 1e6 for name, found in times.items()}


async def lateness(app: apps.App, conn: asyncpg.Connection, count: int, apart: float) -> dict[str, float]:
    """Milliseconds from the due moment to the end of the commit; and those of a commit of one row.

    apart: seconds between two clocks. Between them, as far apart, come the commits that they are compared
    with; those without a pause between them (`hot`) are told beside it.
    """
    late: list[float] = []
    claimed: ContextVar[list[alerts.Due]] = ContextVar("claimed")
    done = asyncio.Event()
    replaced: Any = sweeping
    original_write, original_together = alerts.write, replaced._together

    def committed(due: Iterable[alerts.Due]) -> None:
        late.extend((app.clock.now() - each.at).total_seconds() for each in due)
        if len(late) >= count:
            done.set()

    async def write(conn: Connection, schema: str, due: Sequence[alerts.Due], *, locked: bool) -> int:
        taken = await original_write(conn, schema, due, locked=locked)
        assert taken == len(due), "nobody else takes them"
        claimed.get().extend(due) if locked else committed(due)
        return taken

    async def together(unit: Unit, now: datetime, batch: int) -> int:
        """Of a batch nothing is written before its transaction ends; each lane is a task with its own."""
        claimed.set([])
        taken: int = await original_together(unit, now, batch)
        committed(claimed.get())
        return taken

    alerts.write, replaced._together = write, together
    commits: list[float] = []

    async def commit() -> float:
        return await _timed(lambda: conn.execute("insert into bench_commits values (1)"))

    async def keep_committing() -> None:
        while True:
            await asyncio.sleep(apart)
            commits.append(await commit())

    tasks = [asyncio.create_task(work) for work in (sweeping.keep_sweeping(app), keep_committing())]
    await done.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    hot = [await commit() for _ in range(REPEATS)]
    return {
        **percentiles(late[int(count * DISCARDED) :]),
        **{f"commit_{name}": value for name, value in percentiles(commits).items()},
        **{f"hot_{name}": value for name, value in percentiles(hot).items()},
    }


async def _timed(action: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await action()
    return time.perf_counter() - began


async def main() -> None:
    question = asked()
    settings = Settings(environment="test", kafka=question["kafka"], postgres=question["postgres"])
    writer = await database.pool(SERVICE, settings, "writer")
    clock = Clock(settings.environment)
    app = apps.App(SERVICE, settings, writer, writer, Unit(SERVICE, writer, clock), clock, Metrics())
    conn = await database.connect(SERVICE, settings)
    apps._spare_the_collector()
    match question["mode"]:
        case "drain":
            answer(await drain(app, conn, question["count"]))
        case "empty":
            answer(await empty(app, conn))
        case "lateness":
            answer(await lateness(app, conn, question["count"], question["apart"]))


if __name__ == "__main__":
    uvloop.run(main())
