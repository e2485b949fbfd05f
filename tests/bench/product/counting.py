"""Counting deadlines as clocks do: in memory, and again on stored clocks after a notice was imported.

count: working-day deadlines with pauses; recount: open clocks of an older edition, each written with its
event.
"""

import time
from datetime import timedelta
from random import Random
from typing import Any

import uvloop

from onedoor.calendar import Limit, Pause, Unit, due, moment
from onedoor.notify import almanac
from onedoor.notify.app import SERVICE
from onedoor.notify.settings import Settings
from onedoor.runtime import app as apps
from onedoor.runtime import database
from onedoor.runtime.almanac import refresh
from onedoor.runtime.clock import Clock
from onedoor.runtime.unit import Unit as Work
from tests.bench.meter import Meter, answer, asked

CHUNK = 10_000
FIRST, LAST_DAY = moment("2022-01-01T00:00"), 4 * 365


def questions(chance: Random, number: int) -> list[Any]:
    """Start, limit and pauses: a third of them paused once, a third twice."""
    made = []
    for _ in range(number):
        start = FIRST + timedelta(minutes=chance.randrange(LAST_DAY * 24 * 60))
        pauses = []
        for _ in range(chance.randrange(3)):
            begins = start + timedelta(days=chance.randrange(1, 20))
            pauses.append(Pause(begins, begins + timedelta(days=chance.randrange(1, 30))))
        made.append((start, Limit(chance.randrange(1, 46), Unit.WORKING_DAYS), tuple(pauses)))
    return made


def count(total: int) -> dict[str, float]:
    """Deadlines a second, each with its own start and pauses: nothing is counted twice."""
    chance, seconds, processor = Random(1), 0.0, 0.0
    for _ in range(total // CHUNK):
        asked_for = questions(chance, CHUNK)
        began, used = time.perf_counter(), time.process_time()
        for start, limit, pauses in asked_for:
            due(start, limit, pauses)
        seconds += time.perf_counter() - began
        processor += time.process_time() - used
    return {"rate": total / seconds, "cpu_us": processor / total * 1e6}


async def recount(postgres: str, kafka: str, total: int) -> dict[str, float]:
    """Clocks a second that are counted by the new notice and written with their event to the outbox."""
    settings = Settings(environment="test", kafka=kafka, postgres=postgres)
    writer = await database.pool(SERVICE, settings, "writer")
    clock = Clock(settings.environment)
    unit = Work(SERVICE, writer, clock)
    apps._spare_the_collector()
    async with writer.acquire() as conn:
        await refresh(conn)
    meter = Meter(total)
    while done := await almanac.recount(unit, clock.now()):
        if meter.add(done):
            return meter.figures()
    raise RuntimeError(f"only {meter.done} of {total} clocks were counted again")


if __name__ == "__main__":
    question = asked()
    if question["mode"] == "count":
        answer(count(question["count"]))
    answer(uvloop.run(recount(question["postgres"], question["kafka"], question["count"])))
