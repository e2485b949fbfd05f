"""L1 to L4: how long an application takes through one service and out again, two hops of Kafka."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from onedoor.assistance.app import SERVICE
from onedoor.dev.postgres import with_database
from onedoor.dev.program import Program, running
from onedoor.dev.topics import ensure_topics
from onedoor.runtime.migrate import migrate
from onedoor.runtime.settings import Settings
from tests.bench.anchors.work import TABLES
from tests.bench.frame import ROOT, Bar, Bench, Figures, Group
from tests.harness import Process, eventually

MODULES = {"notified": "onedoor.assistance", "polled": "tests.bench.product.polling"}
"""By the suffix of their topics and the name of their database."""
ANCHOR = "bare"


@asynccontextmanager
async def prepared(bench: Bench) -> AsyncIterator[None]:
    """The service woken by NOTIFY, the same that polls, and the bare pipeline, all running throughout."""
    async with AsyncExitStack() as stack:
        for name, module in MODULES.items():
            environment = await _environment(bench, name)
            process = Process(module, environment, bench.folder / f"{name}.log")
            process.start()
            stack.push_async_callback(process.stop)
            await process.ready()
        await _bare(bench, stack)
        yield


async def _environment(bench: Bench, name: str) -> dict[str, str]:
    conn = await asyncpg.connect(bench.servers.postgres)
    try:
        await conn.execute(f'create database "bench_{name}"')
    finally:
        await conn.close()
    dsn = with_database(bench.servers.postgres, f"bench_{name}")
    await migrate(SERVICE, Settings(environment="test", postgres=dsn))
    await ensure_topics(bench.servers.kafka, f".{name}")
    return {
        "ONEDOOR_ENVIRONMENT": "test",
        "ONEDOOR_KAFKA": bench.servers.kafka,
        "ONEDOOR_POSTGRES": dsn,
        "ONEDOOR_TOPIC_SUFFIX": f".{name}",
    }


async def _bare(bench: Bench, stack: AsyncExitStack) -> None:
    await ensure_topics(bench.servers.kafka, f".{ANCHOR}")
    conn = await asyncpg.connect(bench.servers.postgres)
    try:
        await conn.execute(TABLES + "truncate anchor.outbox")
    finally:
        await conn.close()
    question = {"kafka": bench.servers.kafka, "postgres": bench.servers.postgres, **_topics(ANCHOR)}
    log = bench.folder / "bare.log"
    module = "tests.bench.anchors.aiokafka_pipeline"
    program = Program("bare", (sys.executable, "-m", module, json.dumps(question)), log,
                      env={"PYTHONPATH": str(ROOT)})  # fmt: skip
    alive = await stack.enter_async_context(running(program))

    async def ready() -> bool:
        assert alive(), log.read_text()
        return "ready" in log.read_text()

    await eventually(ready, 30, "the bare pipeline reads")


def _topics(name: str) -> dict[str, str]:
    return {"topic": f"intake.application.{name}", "out": f"assistance.case.{name}"}


async def _flow(bench: Bench, name: str, rate: int) -> Figures:
    count = rate * bench.size(10, 4)
    return await bench.generator("flow", rate=rate, count=count, **_topics(name))


async def at_100(bench: Bench) -> Figures:
    return await _flow(bench, "notified", 100)


async def at_300(bench: Bench) -> Figures:
    return await _flow(bench, "notified", 300)


async def bare_at_100(bench: Bench) -> Figures:
    return await _flow(bench, ANCHOR, 100)


async def polled_at_100(bench: Bench) -> Figures:
    return await _flow(bench, "polled", 100)


GROUP = Group(
    name="latency",
    prepare=prepared,
    runs={run.__name__: run for run in (at_100, bare_at_100, polled_at_100, at_300)},
    bars=(
        Bar("L1", "p50 at 100 a second ÷ bare pipeline",
            "at_100.p50", "bare_at_100.p50", 1.5, 1.2, least=False),
        Bar("L2", "p99 at 100 a second ÷ bare pipeline",
            "at_100.p99", "bare_at_100.p99", 1.75, 1.2, least=False),
        Bar("L3", "p99 at 300 a second ÷ at 100", "at_300.p99", "at_100.p99", 4, 2.5, least=False),
        Bar("L4", "p50 woken by NOTIFY ÷ looking every 50 ms",
            "at_100.p50", "polled_at_100.p50", 0.3, 0.2, least=False),
    ),
)  # fmt: skip
