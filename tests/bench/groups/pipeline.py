"""P1 to P8: how many events a second consumer, per-event path, relay and the desk's projection work off."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from onedoor.assistance.app import SERVICE
from onedoor.desk.app import SERVICE as DESK
from onedoor.dev.topics import ensure_topics
from onedoor.runtime.migrate import migrate
from onedoor.runtime.settings import Settings
from tests.bench.anchors.work import TABLES
from tests.bench.frame import Bar, Belief, Bench, Figures, Group

SUFFIX = ".bench"
TOPIC = f"intake.application{SUFFIX}"
OUT = f"assistance.case{SUFFIX}"

EMPTY = """
truncate anchor.inbox, anchor.cases, anchor.outbox,
         assistance.inbox, assistance.events, assistance.pending, assistance.aggregates, assistance.cases,
         desk.inbox, desk.chains, desk.applications, desk.timeline
"""
FILL_ANCHOR = """
insert into anchor.outbox (id, type, key, payload)
select gen_random_uuid(), 'case.opened', 'key-' || n % 10000, jsonb_build_object(
  'case_id', gen_random_uuid(), 'chain_id', gen_random_uuid(), 'application_id', gen_random_uuid(),
  'service', 'assistance', 'urgency', 'ordinary', 'opened_at', now())
from generate_series(1, $1::int) as n
"""
FILL_PRODUCT = """
with filled as (
  insert into assistance.events (id, aggregatetype, aggregateid, version, type, eventversion, payload, topic,
                                 key, classification, actor, time)
  select gen_random_uuid(), 'assistance', gen_random_uuid(), 1, 'case.opened', 1, jsonb_build_object(
    'case_id', gen_random_uuid(), 'chain_id', gen_random_uuid(), 'application_id', gen_random_uuid(),
    'service', 'assistance', 'urgency', 'ordinary', 'opened_at', now()),
    'assistance.case', 'key-' || n % 10000, 'internal', 'system/-/-/system', now()
  from generate_series(1, $1::int) as n
  returning position
)
insert into assistance.pending (position) select position from filled
"""


def batches(bench: Bench) -> int:
    return bench.size(60_000, 12_000)


def events(bench: Bench) -> int:
    return bench.size(6_000, 1_500)


@asynccontextmanager
async def prepared(bench: Bench) -> AsyncIterator[None]:
    """The topic full of applications, and empty tables for both sides."""
    await ensure_topics(bench.servers.kafka, SUFFIX)
    for service in (SERVICE, DESK):
        await migrate(service, Settings(environment="test", postgres=bench.servers.postgres))
    await _execute(bench, TABLES)
    await bench.generator("preload", topic=TOPIC, count=batches(bench) + 5_000)
    yield


async def _execute(bench: Bench, *statements: str, count: int | None = None) -> None:
    conn = await asyncpg.connect(bench.servers.postgres)
    try:
        for statement in statements:
            await conn.execute(statement, *(() if count is None else (count,)))
    finally:
        await conn.close()


async def _count(bench: Bench, table: str) -> int:
    conn = await asyncpg.connect(bench.servers.postgres)
    try:
        count: int = await conn.fetchval(f"select count(*) from {table}")
        return count
    finally:
        await conn.close()


async def _drained(bench: Bench, kind: str, program: str, count: int, into: str, **more: object) -> Figures:
    """Let the program drain `count` events of the topic; its figures count only if the outbox proves them."""
    await _execute(bench, EMPTY, "checkpoint")
    figures: Figures = await getattr(bench, kind)(program, topic=TOPIC, count=count, **more)
    if into and (written := await _count(bench, into)) < count:
        raise RuntimeError(f"{program} was to write {count} rows into {into}, there are {written}")
    return figures


async def _consumed(bench: Bench, count: int, into: str, service: str, batch: int) -> Figures:
    return await _drained(bench, "product", "consumer", count, into, service=service, batch=batch)


async def default_consumer(bench: Bench) -> Figures:
    return await _consumed(bench, batches(bench), "assistance.events", "assistance", 200)


async def per_event(bench: Bench) -> Figures:
    return await _consumed(bench, events(bench), "assistance.events", "assistance", 1)


async def projection(bench: Bench) -> Figures:
    return await _consumed(bench, batches(bench), "desk.timeline", "desk", 500)


async def aiokafka_sets(bench: Bench) -> Figures:
    return await _drained(bench, "anchor", "aiokafka_sets", batches(bench), "anchor.outbox")


async def faust_decode(bench: Bench) -> Figures:
    return await _drained(bench, "anchor", "faust_decode", batches(bench), "", uvloop=True)


async def faust_decode_asyncio(bench: Bench) -> Figures:
    return await _drained(bench, "anchor", "faust_decode", batches(bench), "", uvloop=False)


async def faststream_each(bench: Bench) -> Figures:
    return await _drained(bench, "peer", "faststream_each", events(bench), "anchor.outbox")


async def asyncpg_each(bench: Bench) -> Figures:
    return await _drained(bench, "anchor", "asyncpg_each", events(bench), "anchor.outbox")


async def dbos_each(bench: Bench) -> Figures:
    return await _drained(bench, "peer", "dbos_each", bench.size(1_500, 400), "anchor.outbox")


async def relay(bench: Bench) -> Figures:
    await _execute(bench, EMPTY)
    await _execute(bench, FILL_PRODUCT, count=batches(bench))
    await _execute(bench, "vacuum analyze assistance.events, assistance.pending", "checkpoint")
    return await bench.product("relay", suffix=SUFFIX, count=batches(bench))


async def relay_loop(bench: Bench) -> Figures:
    await _execute(bench, EMPTY)
    await _execute(bench, FILL_ANCHOR, count=batches(bench))
    await _execute(bench, "vacuum analyze anchor.outbox", "checkpoint")
    return await bench.anchor("relay_loop", topic=OUT, count=batches(bench))


GROUP = Group(
    name="pipeline",
    prepare=prepared,
    runs={
        run.__name__: run
        for run in (
            default_consumer,
            aiokafka_sets,
            faust_decode,
            faust_decode_asyncio,
            per_event,
            asyncpg_each,
            faststream_each,
            dbos_each,
            relay,
            relay_loop,
            projection,
        )
    },
    bars=(
        Bar("P1", "default consumer ÷ aiokafka sets of 500",
            "default_consumer.rate", "aiokafka_sets.rate", 0.30, 0.40),
        Bar("P2", "default consumer ÷ Faust that only decodes, same loop",
            "default_consumer.rate", "faust_decode.rate", 0.65, 0.80),
        Bar("P3", "default consumer ÷ FastStream event by event",
            "default_consumer.rate", "faststream_each.rate", 8, 11),
        Bar("P4", "event by event ÷ bare asyncpg transactions",
            "per_event.rate", "asyncpg_each.rate", 0.70, 0.80),
        Bar("P5", "event by event ÷ FastStream event by event",
            "per_event.rate", "faststream_each.rate", 1.3, 1.5),
        Bar("P6", "relay ÷ bare relay loop", "relay.rate", "relay_loop.rate", 0.6, 0.8),
        Bar("P6b", "relay ÷ default consumer", "relay.rate", "default_consumer.rate", 3),
        Bar("P7", "default consumer ÷ DBOS kafka_consumer",
            "default_consumer.rate", "dbos_each.rate", 40, 55),
        Bar("P8", "projection of the desk ÷ aiokafka sets of 500",
            "projection.rate", "aiokafka_sets.rate", 0.6),
    ),
    beliefs=(
        Belief("aiokafka sets ÷ Faust that only decodes (asyncio)",
               "aiokafka_sets.rate", "faust_decode_asyncio.rate", 1.8, 2.6),
        Belief("FastStream event by event ÷ bare asyncpg transactions",
               "faststream_each.rate", "asyncpg_each.rate", 0.4, 0.65),
    ),
)  # fmt: skip
