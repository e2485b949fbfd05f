"""Canaries: what faust-streaming does to events, on which the house's rules of the stream rest.

Each pins a bad behaviour. When one fails, Faust has changed: look whether its rule may be simplified.
"""

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faust.contrib.asgi import faust_app_running
from faust.tables.manager import TableManager
from mode.supervisors import CrashingSupervisor

from onedoor.contracts.codec import Message
from tests.harness import eventually, publish_raw
from tests.servers import Servers

Handle = Callable[[Any], Awaitable[None]]

NOTHING_LOGGED = 60
"""Above every level of logging: the crashes are meant."""


def each(stream: Any) -> Any:
    """One event after another."""
    return stream


@dataclass
class Group:
    """One consumer group on one topic with one partition, and what its agents were given."""

    kafka: str
    topic: str
    given: list[Any] = field(default_factory=list)
    begun: int = 0

    async def publish(self, *values: bytes) -> None:
        await publish_raw(self.kafka, self.topic, [Message(None, value, []) for value in values])

    async def committed(self) -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(self.topic)
        finally:
            await admin.close()
        kept = offsets.get(TopicPartition(self.topic, 0))
        return 0 if kept is None else int(kept.offset)

    async def commits(self, offset: int, rule: str) -> None:
        async def reached() -> bool:
            return await self.committed() >= offset

        await eventually(reached, 20, f"offset {offset} is committed; {changed(rule)}")

    @asynccontextmanager
    async def running(
        self,
        handle: Handle,
        *,
        concurrency: int = 1,
        value_type: Any = bytes,
        taken: Callable[[Any], Any] = each,
        **settings: Any,
    ) -> AsyncIterator[faust.App]:
        """Faust as it comes, but for what no test could wait for; taken: what is handled at once."""
        app = faust.App(
            self.topic,
            broker=f"kafka://{self.kafka}",
            store="memory://",
            autodiscover=False,
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            stream_wait_empty=False,
            broker_commit_interval=0.1,
            consumer_auto_offset_reset="earliest",
            key_serializer="raw",
            datadir=Path(tempfile.gettempdir(), self.topic),
            loghandlers=[],
            **settings,
        )
        raw: dict[str, Any] = {"value_serializer": "raw"} if value_type is bytes else {}
        channel = app.topic(self.topic, key_type=bytes, value_type=value_type, **raw)

        async def work(stream: Any) -> None:
            self.begun += 1
            async for value in taken(stream):
                self.given.append(value)
                await handle(value)

        app.agent(channel, name="work", concurrency=concurrency)(work)
        async with faust_app_running(app, stop_timeout=5):
            yield app

    async def given_anew(self) -> list[Any]:
        """What the group is given after a restart, up to a last event published now."""
        self.given.clear()
        await self.publish(b"last")
        async with self.running(done):

            async def came() -> bool:
                return b"last" in self.given

            await eventually(came, 20, "the restarted group reads on")
        return self.given[: self.given.index(b"last")]


async def done(value: Any) -> None:
    """Nothing is to be done."""


@pytest.fixture
async def group(servers: Servers, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Group]:
    caplog.set_level(NOTHING_LOGGED)
    topic = f"canary.{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
        yield Group(servers.kafka, topic)
        await admin.delete_topics([topic])
    finally:
        await admin.close()


def changed(rule: str) -> str:
    return f"Faust {version('faust-streaming')} has changed: the rule '{rule}' may be simplified"


def failing_at(value: bytes) -> Handle:
    async def handle(given: bytes) -> None:
        if given == value:
            raise ValueError

    return handle


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({}, "nothing leaves the loop body"),
        ({"stream_ack_exceptions": False}, "never rely on stream_ack_exceptions"),
    ],
    ids=["default", "stream_ack_exceptions=False"],
)
async def test_an_exception_in_an_agent_acknowledges_and_loses_the_event(
    group: Group, settings: dict[str, Any], rule: str
) -> None:
    values = [b"a", b"b", b"c"]
    await group.publish(*values)
    async with group.running(failing_at(b"b"), **settings):
        await group.commits(3, rule)
        assert (group.given, group.begun) == (values, 2), changed(rule)
    assert await group.given_anew() == [], changed(rule)


async def test_more_than_one_at_a_time_commits_past_an_event_in_work(group: Group) -> None:
    rule = "concurrency=1"
    never = asyncio.Event()

    async def hang_at_first(value: bytes) -> None:
        if value == b"a":
            await never.wait()

    await group.publish(b"a", b"b", b"c", b"d")
    async with group.running(hang_at_first, concurrency=2):
        await group.commits(4, rule)
        assert sorted(group.given) == [b"a", b"b", b"c", b"d"], changed(rule)
    assert await group.given_anew() == [], changed(rule)


class Typed(faust.Record, serializer="json"):
    number: int


async def test_bytes_that_cannot_be_decoded_crash_the_agent_and_are_acknowledged(group: Group) -> None:
    rule = "raw bytes in, decoding inside the loop"
    await group.publish(b'{"number": 1}', b"\xff{", b'{"number": 3}')
    async with group.running(done, value_type=Typed):
        await group.commits(3, rule)
        assert [value.number for value in group.given] == [1, 3], changed(rule)
        assert group.begun > 1, changed(rule)
    assert await group.given_anew() == [], changed(rule)


async def test_stopping_acknowledges_an_event_whose_work_was_cut_off(group: Group) -> None:
    rule = "never rely on stream_ack_cancelled_tasks"
    never = asyncio.Event()

    async def hang(value: bytes) -> None:
        await never.wait()

    async def begun() -> bool:
        return group.given == [b"a"]

    await group.publish(b"a", b"b")
    async with group.running(hang, stream_ack_cancelled_tasks=False):
        await eventually(begun, 20, "the first event is given")
    assert await group.given_anew() == [b"b"], changed(rule)


async def test_events_taken_together_are_acknowledged_though_their_work_failed(group: Group) -> None:
    rule = "a collector of our own instead of take()"

    async def fail(values: list[bytes]) -> None:
        raise ValueError

    await group.publish(b"a", b"b", b"c")
    async with group.running(fail, taken=lambda stream: stream.noack().take(3, within=5)):
        await group.commits(3, rule)
        assert group.given == [[b"a", b"b", b"c"]], changed(rule)
    assert await group.given_anew() == [], changed(rule)


async def test_who_runs_the_app_is_not_told_that_it_crashed(group: Group) -> None:
    rule = "runtime watches the app and ends the process"
    await group.publish(b"a")
    async with group.running(failing_at(b"a"), agent_supervisor=CrashingSupervisor) as app:

        async def crashed() -> bool:
            return app.crash_reason is not None

        await eventually(crashed, 20, f"an agent's exception crashes the app; {changed(rule)}")
        await app.wait_until_stopped()
    assert isinstance(app.crash_reason, ValueError), changed(rule)


async def test_its_producer_may_publish_twice_what_it_sent_once(group: Group) -> None:
    rule = "publish only through the relay, whose producer is idempotent"
    async with group.running(done) as app:
        producer: Any = await app.maybe_start_producer()
        assert producer._producer._txn_manager is None, changed(rule)


async def test_where_nothing_is_committed_it_goes_on_behind_what_it_dropped(group: Group) -> None:
    rule = "runtime seeks to the beginning where nothing is committed"
    never = asyncio.Event()

    async def wait(_: bytes) -> None:
        await never.wait()

    await group.publish(b"a", b"b", b"c")
    async with group.running(wait) as app:
        consumer: Any = app.consumer

        async def fetched() -> bool:
            places = consumer.assignment()
            return bool(places) and await consumer.position(*places) == 3

        await eventually(fetched, 20, "all is fetched")
        await consumer.perform_seek()
        assert await fetched(), changed(rule)


async def test_it_waits_for_a_second_whether_tables_come_whenever_it_starts(group: Group) -> None:
    """The house leaves that out: it has no tables, and nobody reads its partitions meanwhile."""
    waited: list[Any] = []

    class Watched(TableManager):
        async def sleep(self, n: Any) -> None:
            waited.append(n)

    async with group.running(done, TableManager=Watched):
        assert waited == [1.0], changed("drivers._NoTables")
