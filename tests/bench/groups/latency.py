"""L1 to L4: how long an application takes through one service and out again, two hops of Kafka."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from onedoor.assistance.app import SERVICE
from onedoor.dev.topics import ensure_topics
from onedoor.runtime.migrate import migrate
from onedoor.runtime.settings import Settings
from tests.bench.bare import database, hops
from tests.bench.frame import Bar, Bench, Figures, Group
from tests.harness import Process

MODULES = {"notified": "onedoor.assistance", "polled": "tests.bench.product.polling"}
"""By the suffix of their topics and the name of their database."""
BARE: dict[str, str] = {}
"""The topics of the bare pipeline."""


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
        BARE.update(await hops(bench, stack, "latency", 1))
        yield


async def _environment(bench: Bench, name: str) -> dict[str, str]:
    dsn = await database(bench, f"bench_{name}")
    await migrate(SERVICE, Settings(environment="test", postgres=dsn))
    await ensure_topics(bench.servers.kafka, f".{name}")
    return {
        "ONEDOOR_ENVIRONMENT": "test",
        "ONEDOOR_KAFKA": bench.servers.kafka,
        "ONEDOOR_POSTGRES": dsn,
        "ONEDOOR_TOPIC_SUFFIX": f".{name}",
    }


def _topics(name: str) -> dict[str, str]:
    return {"topic": f"intake.application.{name}", "out": f"assistance.case.{name}"}


async def _flow(bench: Bench, topics: dict[str, str], rate: int) -> Figures:
    return await bench.generator("flow", rate=rate, count=rate * bench.size(10, 4), **topics)


async def at_100(bench: Bench) -> Figures:
    return await _flow(bench, _topics("notified"), 100)


async def at_300(bench: Bench) -> Figures:
    return await _flow(bench, _topics("notified"), 300)


async def bare_at_100(bench: Bench) -> Figures:
    return await _flow(bench, BARE, 100)


async def polled_at_100(bench: Bench) -> Figures:
    return await _flow(bench, _topics("polled"), 100)


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
