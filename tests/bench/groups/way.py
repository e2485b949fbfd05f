"""The whole way: from a POST at intake to the referral and its clock in the desk, against three bare hops."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

from onedoor.dev.topics import ensure_topics
from tests.bench.bare import hops
from tests.bench.frame import Bar, Bench, Figures, Group
from tests.servers import migrated_template
from tests.system import System, running_system

RATES = (20, 50, 100)


class Whole:
    """The running system, and the topics of the three bare hops."""

    system: System
    postgres: str
    topics: dict[str, str]


WHOLE = Whole()


@asynccontextmanager
async def whole_system(bench: Bench) -> AsyncIterator[None]:
    """Every service, on topics and a database of this call."""
    suffix = f".{uuid4().hex[:8]}"
    await ensure_topics(bench.servers.kafka, suffix)
    async with migrated_template(bench.servers, bench.folder / "dev.key") as dsn:
        WHOLE.postgres = dsn
        async with running_system(bench.servers.kafka, dsn, suffix, bench.folder) as WHOLE.system:
            yield


@asynccontextmanager
async def prepared(bench: Bench) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        WHOLE.topics = await hops(bench, stack, "way", 3)
        await stack.enter_async_context(whole_system(bench))
        yield


async def post(bench: Bench, rate: int, count: int) -> Figures:
    """So many reports at that rate on the average; percentiles of their way, in milliseconds."""
    system = WHOLE.system
    return await bench.generator(
        "way",
        url=system.processes["intake"].url,
        token=system.token("everything"),
        postgres=WHOLE.postgres,
        rate=rate,
        count=count,
    )


def _at(rate: int) -> Callable[[Bench], Awaitable[Figures]]:
    async def run(bench: Bench) -> Figures:
        return await post(bench, rate, rate * bench.size(10, 4))

    return run


def _bare_at(rate: int) -> Callable[[Bench], Awaitable[Figures]]:
    async def run(bench: Bench) -> Figures:
        return await bench.generator("flow", rate=rate, count=rate * bench.size(10, 4), **WHOLE.topics)

    return run


GROUP = Group(
    name="way",
    prepare=prepared,
    runs={f"at_{rate}": _at(rate) for rate in RATES} | {f"bare_at_{rate}": _bare_at(rate) for rate in RATES},
    bars=[
        Bar(f"W{rate}{name}", f"whole way ÷ three bare hops, {figure} at {rate} a second",
            f"at_{rate}.{figure}", f"bare_at_{rate}.{figure}", limit, least=False)
        for rate in RATES
        for name, figure, limit in (("", "p50", 2), ("t", "p99", 3))
    ],
)  # fmt: skip
