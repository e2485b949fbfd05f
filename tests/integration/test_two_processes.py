"""Two processes of one service share the work; one is killed, the other takes over, nothing doubles."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from onedoor.contracts import codec
from onedoor.contracts.core import Envelope
from onedoor.notify.app import SERVICE
from onedoor.runtime.drivers import HEARTBEAT_SECONDS, SESSION_SECONDS
from tests.harness import Process, eventually, read_topic, running
from tests.notify import application, planned
from tests.notify_bench import enveloped
from tests.servers import Servers

MIGRATED = (SERVICE,)
PAGES, PAGE = 40, 10
SLACK_SECONDS = 4.0
"""For joining, and for a machine that does other things too."""


def overdue_application() -> Envelope:
    """Its two clocks are breached the moment they start: both sweeps want them."""
    then = datetime.now(UTC) - timedelta(days=90)
    event = application(planned(), at=then, application_id=uuid4(), chain_id=uuid4())
    return enveloped(event, then)


async def flow(bootstrap: str, topic: str, events: list[Envelope]) -> None:
    """Publish page after page, ten pages a second."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        for start in range(0, len(events), PAGE):
            for message in map(codec.encode, events[start : start + PAGE]):
                await producer.send(topic, message.value, key=message.key, headers=message.headers)
            await asyncio.sleep(0.1)
    finally:
        await producer.stop()


@asynccontextmanager
async def members_of(bootstrap: str, group: str) -> AsyncIterator[Callable[[], Awaitable[Counter[str]]]]:
    """How many partitions each member of the group has, by its static name."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()

    async def partitions() -> Counter[str]:
        (answer,) = await admin.describe_consumer_groups([group])
        found: Counter[str] = Counter()
        for _, _, _, _, _, members, *_ in answer.groups:
            for member_id, *_, assignment in members:
                topics = ConsumerProtocolMemberAssignment.decode(assignment).assignment if assignment else ()
                found[member_id] += sum(len(numbers) for _, numbers in topics)
        return found

    try:
        yield partitions
    finally:
        await admin.close()


RELAYS = """
select count(*) from pg_locks where locktype = 'advisory' and granted
  and database = (select oid from pg_database where datname = current_database())
  and objid = (hashtext('onedoor.relay.notify')::bigint & 4294967295)::oid
"""
HANDLED = "select count(*) from inbox"
WAITING = "select count(*) from pending"
OPEN = "select count(*) from clocks where state <> 'breached'"


async def test_one_of_two_is_killed_while_events_flow(
    servers: Servers, database: str, topic_suffix: str, tmp_path: Path
) -> None:
    events = [overdue_application() for _ in range(PAGES * PAGE)]
    environment = {
        "ONEDOOR_ENVIRONMENT": "test",
        "ONEDOOR_POSTGRES": database,
        "ONEDOOR_KAFKA": servers.kafka,
        "ONEDOOR_TOPIC_SUFFIX": topic_suffix,
    }
    first, second = (
        Process("onedoor.notify", environment | {"ONEDOOR_INSTANCE": str(n)}, tmp_path / f"notify{n}.log")
        for n in range(2)
    )
    async with AsyncExitStack() as stack:
        partitions = await stack.enter_async_context(members_of(servers.kafka, f"notify{topic_suffix}"))
        conn = await asyncpg.connect(database, server_settings={"search_path": "notify"})
        stack.push_async_callback(conn.close)
        await stack.enter_async_context(running(first))
        await stack.enter_async_context(running(second))

        async def shared() -> bool:
            return len(+await partitions()) == 2

        await eventually(shared, 30, f"both have partitions: {first.tail()} {second.tail()}")
        all_partitions = (await partitions()).total()
        flowing = asyncio.create_task(flow(servers.kafka, f"intake.application{topic_suffix}", events))

        async def a_quarter() -> bool:
            return bool(await conn.fetchval(HANDLED) > len(events) // 4)

        await eventually(a_quarter, 20, "events are handled")
        assert await conn.fetchval(RELAYS) == 1
        first.send(signal.SIGKILL)
        killed = time.monotonic()

        async def taken_over() -> bool:
            return [*(+await partitions()).values()] == [all_partitions]

        await eventually(taken_over, SESSION_SECONDS + HEARTBEAT_SECONDS + SLACK_SECONDS, second.tail())
        print(f"taken over {time.monotonic() - killed:.1f} s after the kill")
        await flowing

        async def all_done() -> bool:
            handled = await conn.fetchval(HANDLED) == len(events)
            return handled and not await conn.fetchval(OPEN) and not await conn.fetchval(WAITING)

        await eventually(all_done, 60, f"everything is handled, swept and published; {second.tail()}")
        assert await conn.fetchval(RELAYS) == 1

    await each_event_has_one_effect(servers.kafka, topic_suffix, events)


async def each_event_has_one_effect(bootstrap: str, suffix: str, events: list[Envelope]) -> None:
    """One referral of every application, two clocks of each, one breach of each clock; seen on the topics."""
    referrals = ids_by_subject(await read_topic(bootstrap, f"notify.referral{suffix}"), "referral.sent")
    assert [len(ids) for ids in referrals.values()] == [1] * len(events)
    clocks = await read_topic(bootstrap, f"notify.clock{suffix}")
    for type_ in ("clock.started", "clock.warned", "clock.breached"):
        assert [len(ids) for ids in ids_by_subject(clocks, type_).values()] == [1] * 2 * len(events), type_


def ids_by_subject(events: list[Envelope], type_: str) -> dict[UUID, set[UUID]]:
    """The ids under which a fact stands, by what it is about; one id twice is only delivered twice."""
    found: dict[UUID, set[UUID]] = {}
    for event in events:
        if event.type == type_:
            found.setdefault(event.subject, set()).add(event.id)
    return found
