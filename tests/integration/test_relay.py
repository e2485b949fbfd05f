"""The relay keeps order per key and completeness whatever fails, at least once."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, OutOfOrderSequenceNumber
from fastapi import FastAPI

from onedoor.contracts.core import SYSTEM
from onedoor.runtime import database as db
from onedoor.runtime import outbox_api, problems
from onedoor.runtime.access import dev_token
from onedoor.runtime.clock import Clock
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.relay import PARTITION, Relay, kafka_producer
from onedoor.runtime.tokens import ensure_dev_key
from onedoor.runtime.unit import Unit
from tests.harness import PARTITIONS, eventually, read_topic
from tests.integration.toy import TOY, CountIt, Settings
from tests.servers import Servers

MIGRATED = (TOY,)


Message = tuple[str, str]
"""Key and event id."""


class Batch:
    """Takes four messages."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Sequence[Any]
    ) -> object | None:
        if len(self.messages) == 4:
            return None
        self.messages.append(((key or b"").decode(), dict(headers)["ce_id"].decode()))
        return self


class Kafka:
    """A log per key that fails when told: what it took, in order.

    As the real one it takes a batch whole or not at all, and none after a failed one until it starts anew.
    """

    def __init__(self, partitions: int = 6) -> None:
        self.log: dict[str, list[str]] = defaultdict(list)
        self.batches: list[list[Message]] = []
        self.failures: list[tuple[str, Exception]] = []
        self._partitions = set(range(partitions))
        self._broken: set[int] = set()

    async def start(self) -> None:
        self._broken.clear()

    async def stop(self) -> None: ...

    async def partitions_for(self, topic: str) -> set[int]:
        return self._partitions

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> Any:
        async def delivered() -> None:
            await asyncio.sleep(0)
            for key, error in self.failures:
                if any(key == name for name, _ in batch.messages):
                    self._failed(partition, key, error, batch)
            if partition in self._broken:
                raise OutOfOrderSequenceNumber
            self.batches.append(batch.messages)
            for name, id_ in batch.messages:
                self.log[name].append(id_)

        return delivered()

    def _failed(self, partition: int, key: str, error: Exception, batch: Batch) -> None:
        """What is too large is refused for as long as it is not alone: then its failure has been met."""
        if not isinstance(error, MessageSizeTooLargeError):
            self._broken.add(partition)
        if len(batch.messages) == 1 or not isinstance(error, MessageSizeTooLargeError):
            self.failures.remove((key, error))
        raise error


@pytest.fixture
async def kafka() -> Kafka:
    return Kafka()


@pytest.fixture
async def toy_unit(database: str) -> AsyncIterator[tuple[Unit, Settings]]:
    settings = Settings(environment="test", postgres=database)
    pool = await db.pool(TOY, settings, "writer")
    yield Unit(TOY, pool, Clock("test")), settings
    await pool.close()


async def append(unit: Unit, chains: Sequence[UUID], each: int) -> dict[str, list[str]]:
    """Events of several chains interleaved; their ids per key in order."""
    ids: dict[str, list[str]] = defaultdict(list)
    for number in range(each):
        async with unit.transaction() as tx:
            commands = [
                CountIt(target=chain, application_id=chain, chain_id=chain, reason=str(number))
                for chain in chains
            ]
            for outcome in await tx.execute(*commands, actor=SYSTEM):
                ids[str(outcome.target)] += [str(event.id) for event in outcome.events]
    return ids


def relay(settings: Settings, kafka: Kafka) -> Relay:
    return Relay(TOY, lambda: db.connect(TOY, settings), lambda: kafka, Metrics())


async def test_the_first_of_two_sends_of_a_key_fails_and_order_holds(
    toy_unit: tuple[Unit, Settings], kafka: Kafka
) -> None:
    unit, settings = toy_unit
    chains = [UUID(int=number) for number in (1, 2, 3)]
    expected = await append(unit, chains, each=5)
    kafka.failures = [(str(chains[0]), KafkaTimeoutError()), (str(chains[1]), KafkaTimeoutError())]
    task = asyncio.create_task(relay(settings, kafka).run())
    try:
        await eventually(lambda: _empty(unit.pool), 20)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert kafka.log == expected


async def test_the_connection_is_killed_in_mid_page_and_nothing_is_lost(
    toy_unit: tuple[Unit, Settings], kafka: Kafka
) -> None:
    unit, settings = toy_unit
    chains = [UUID(int=number) for number in range(1, 11)]
    expected = await append(unit, chains, each=20)
    working: Any = relay(settings, kafka)
    sending = working._send
    killed = asyncio.Event()

    async def kill_while_sending(*args: Any) -> Any:
        done = await sending(*args)
        if not killed.is_set():
            killed.set()
            await _kill_relay(settings)
        return done

    working._send = kill_while_sending
    task = asyncio.create_task(working.run())
    try:
        await eventually(lambda: _empty(unit.pool), 20)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert killed.is_set()
    for key, ids in expected.items():
        first_seen = list(dict.fromkeys(kafka.log[key]))
        assert first_seen == ids
        assert len(kafka.log[key]) > len(ids), "the page killed after its sends is published again"


async def test_what_happened_together_goes_together(toy_unit: tuple[Unit, Settings]) -> None:
    unit, settings = toy_unit
    expected = await append(unit, [UUID(int=1)], each=7)
    kafka = Kafka()
    conn = await db.connect(TOY, settings)
    try:
        assert await relay(settings, kafka).publish_page(conn) == 7
    finally:
        await conn.close()
    assert kafka.log == expected
    assert [len(batch) for batch in kafka.batches] == [4, 3]


@pytest.mark.parametrize("known", [False, True], ids=["by a new producer", "by one that Kafka knows there"])
async def test_what_is_too_large_for_kafka_takes_nothing_beside_it_along(
    toy_unit: tuple[Unit, Settings], servers: Servers, known: bool
) -> None:
    """All chains lie in one partition: the large event's companions are refused with it at first.

    known: Kafka then expects the number of the batch that it refused, and takes nothing of this producer.
    """
    unit, settings = toy_unit
    suffix = f".{uuid4().hex[:8]}"
    topic, chains = "assistance.case" + suffix, _in_one_partition(3)
    producer = partial(kafka_producer, servers.kafka)
    working = Relay(TOY, lambda: db.connect(TOY, settings), producer, Metrics(), suffix)

    async def told() -> tuple[str, dict[str, str]]:
        """At once, so that it is one batch: the large event of the second chain, then one of each."""
        said = [(chains[1], "x" * 150_000), *((chain, "small") for chain in chains)]
        commands = [
            CountIt(target=chain, application_id=chain, chain_id=chain, reason=reason)
            for chain, reason in said
        ]
        async with unit.transaction() as tx:
            large, *others = await tx.execute(*commands, actor=SYSTEM)
        return str(large.events[0].id), {str(each.target): str(each.events[0].id) for each in others}

    async def only_the_large_ones_key_waits() -> bool:
        waiting = await unit.pool.fetch(
            "select e.id, p.failed from pending p join events e using (position) order by position"
        )
        return [(str(row["id"]), row["failed"]) for row in waiting] == [
            (large, "MessageSizeTooLargeError"),
            (after[str(chains[1])], None),
        ]

    expected = await append(unit, chains, each=2)
    async with _narrow(servers.kafka, topic, most=100_000):
        if not known:
            large, after = await told()
        task = asyncio.create_task(working.run())
        try:
            if known:
                await eventually(lambda: _empty(unit.pool), 20)
                large, after = await told()
            await eventually(only_the_large_ones_key_waits, 20)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        events = await read_topic(servers.kafka, topic)
    published: dict[str, list[str]] = defaultdict(list)
    for event in events:
        published[str(event.key)].append(str(event.id))
    del after[str(chains[1])]
    assert published == {key: ids + ([after[key]] if key in after else []) for key, ids in expected.items()}


@asynccontextmanager
async def _narrow(kafka: str, topic: str, most: int) -> AsyncIterator[None]:
    """While this topic is there, which takes batches of so many bytes at the most."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        limit = {"max.message.bytes": str(most)}
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=limit)])
        yield
        await admin.delete_topics([topic])
    finally:
        await admin.close()


def _in_one_partition(count: int) -> list[UUID]:
    numbers = list(range(PARTITIONS))
    found = (UUID(int=number) for number in itertools.count(1))
    return list(
        itertools.islice((id_ for id_ in found if not PARTITION(str(id_).encode(), numbers, numbers)), count)
    )


@pytest.mark.parametrize("partitions", [1, 6])
async def test_what_can_never_be_published_parks_its_key_visibly_and_the_others_flow(
    toy_unit: tuple[Unit, Settings], partitions: int
) -> None:
    unit, settings = toy_unit
    kafka = Kafka(partitions)
    chains = [UUID(int=1), UUID(int=2)]
    expected = await append(unit, chains, each=3)
    kafka.failures = [(str(chains[0]), MessageSizeTooLargeError())]
    task = asyncio.create_task(relay(settings, kafka).run())

    async def other_flowed() -> bool:
        return kafka.log[str(chains[1])] == expected[str(chains[1])]

    async def parked() -> bool:
        found = await unit.pool.fetch("select failed from pending order by position")
        return [row["failed"] for row in found] == ["MessageSizeTooLargeError", None, None]

    try:
        await eventually(other_flowed, 20)
        await eventually(parked, 20)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert kafka.log[str(chains[0])] == []


@asynccontextmanager
async def operators(unit: Unit, key: Path) -> AsyncIterator[Callable[[str], httpx.AsyncClient]]:
    """The outbox's API over this database, asked in a role."""
    app = FastAPI()
    problems.install(app)
    app.include_router(outbox_api.router)
    settings = Settings(environment="test", dev_key=ensure_dev_key(key))
    app.state.onedoor = SimpleNamespace(settings=settings, writer=unit.pool, service=TOY)
    async with AsyncExitStack() as stack:
        clients = {
            role: await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app),
                    base_url="http://toy/v1/outbox",
                    headers={"authorization": f"Bearer {dev_token(key, role)}"},
                )
            )
            for role in ("ops", "hotline")
        }
        yield clients.__getitem__


async def test_what_was_set_aside_is_listed_and_once_released_its_key_flows_in_order(
    toy_unit: tuple[Unit, Settings], kafka: Kafka, tmp_path: Path
) -> None:
    unit, settings = toy_unit
    chain = UUID(int=1)
    expected = await append(unit, [chain], each=3)
    kafka.failures = [(str(chain), MessageSizeTooLargeError()), (str(chain), MessageSizeTooLargeError())]
    failing = len(kafka.failures)

    async def set_aside() -> bool:
        parked = await unit.pool.fetchval("select count(*) from pending where failed is not null")
        return bool(parked) and len(kafka.failures) < failing

    task = asyncio.create_task(relay(settings, kafka).run())
    try:
        async with operators(unit, tmp_path / "key") as client:
            await eventually(set_aside, 20)
            (row,) = (await client("ops").get("unpublishable")).json()
            assert row["size"] > 0
            assert (row["error"], row["waiting"]) == ("MessageSizeTooLargeError", 2)
            assert (row["key"], row["child"]) == (str(chain), False)
            assert row["trace_id"] is not None
            where = f"{row['position']}/release"
            assert (await client("hotline").post(where)).status_code == 403

            failing = len(kafka.failures)
            assert (await client("ops").post(where)).json() == {"position": row["position"]}
            await eventually(set_aside, 20)
            assert kafka.log[str(chain)] == [], "what is not mended is set aside again"

            assert (await client("ops").post(where)).status_code == 200
            await eventually(lambda: _empty(unit.pool), 20)
            assert kafka.log[str(chain)] == expected[str(chain)]
            assert (await client("ops").post(where)).status_code == 404
            assert (await client("ops").get("unpublishable")).json() == []
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_waits_for_its_turn_is_not_released_and_a_childs_key_is_not_shown(
    toy_unit: tuple[Unit, Settings], tmp_path: Path
) -> None:
    unit, settings = toy_unit
    await append(unit, [UUID(int=1)], each=1)
    async with operators(unit, tmp_path / "key") as client:
        assert (await client("ops").post("1/release")).status_code == 404
        await unit.pool.execute("update pending set failed = 'E'")
        owner = await db.connect(TOY, settings, "owner")
        await owner.execute("update events set classification = 'child'")
        await owner.close()
        (row,) = (await client("ops").get("unpublishable")).json()
        assert (row["key"], row["child"]) == (None, True)
        assert str(UUID(int=1)) not in str(row)


async def _empty(pool: asyncpg.Pool) -> bool:
    return not await pool.fetchval("select count(*) from pending")


async def _kill_relay(settings: Settings) -> None:
    conn = await asyncpg.connect(settings.postgres)
    try:
        await conn.execute(
            """select pg_terminate_backend(pid) from pg_locks
               where locktype = 'advisory' and pid <> pg_backend_pid()
                 and database = (select oid from pg_database where datname = current_database())"""
        )
    finally:
        await conn.close()
