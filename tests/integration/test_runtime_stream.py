"""The readers: what counts as worked off, what as a stall, and Faust's own ways around compaction."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NotCoordinatorForGroupError
from aiokafka.protocol.commit import OffsetFetchRequest, OffsetFetchResponse_v3
from aiokafka.structs import ConsumerRecord
from faust.types import TP

from onedoor.dev.topics import delete_topics, ensure_topics
from onedoor.runtime import drivers, stream
from onedoor.runtime.consumer import State
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.stream import QUEUE, BareReader, FaustReader, watch_progress
from tests.harness import eventually, no_faust, publish
from tests.integration.toy import Settings, withdrawal
from tests.servers import Servers

TOPIC = "intake.application"
PLACES = 6


class Worker:
    """Stands where the consumer stands; holds what it is given until it may go on."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.state = State()
        self.seen: list[int] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def look_whether_stopped(self) -> None: ...

    async def work(self, records: Any) -> None:
        self.seen += [record.offset for record in records]
        await self.may_go_on.wait()


@pytest.fixture
def settings(servers: Servers, topic_suffix: str) -> Settings:
    return Settings(environment="test", kafka=servers.kafka, topic_suffix=topic_suffix)


@asynccontextmanager
async def reading(kind: type[Any], settings: Settings, *also: str) -> AsyncIterator[tuple[Any, Worker]]:
    worker = Worker("reader" + settings.topic_suffix)
    reader = kind(worker, [TOPIC, *also], settings)
    task = asyncio.create_task(reader.run())
    try:

        async def assigned() -> bool:
            try:
                return len(await reader.position()) == PLACES
            except Exception:
                return False

        await eventually(assigned, 20, "partitions assigned")
        yield reader, worker
    finally:
        worker.may_go_on.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await no_faust()


async def lag(reader: Any) -> int:
    return sum(end - done for done, end in (await reader.position()).values())


async def in_work(worker: Worker) -> None:
    """Wait until something is in the worker's hands."""

    async def begun() -> bool:
        return bool(worker.seen)

    await eventually(begun, 10, "something is in work")


async def worked_off(reader: Any, worker: Worker, timeout: float = 10) -> None:
    """Wait until something has been worked, and nothing is left."""

    async def done() -> bool:
        return bool(worker.seen) and await lag(reader) == 0

    await eventually(done, timeout, "all is committed")


async def delete_all(settings: Settings) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        topic = TOPIC + settings.topic_suffix
        await admin.delete_records({TopicPartition(topic, n): RecordsToDelete(-1) for n in range(PLACES)})
    finally:
        await admin.close()


@pytest.mark.parametrize("kind", [FaustReader, BareReader])
async def test_a_log_whose_events_are_deleted_is_no_lag(settings: Settings, kind: type[Any]) -> None:
    topic = TOPIC + settings.topic_suffix
    await publish(settings.kafka, topic, [withdrawal(UUID(int=n), None, uuid4()) for n in range(30)])
    await delete_all(settings)
    async with reading(kind, settings) as (reader, worker):

        async def none_lags() -> bool:
            return await lag(reader) == 0

        await eventually(none_lags, 10, "no lag")
        assert worker.seen == []


@pytest.mark.parametrize("kind", [FaustReader, BareReader])
async def test_what_is_in_work_is_not_worked_off(settings: Settings, kind: type[Any]) -> None:
    topic = TOPIC + settings.topic_suffix
    async with reading(kind, settings) as (reader, worker):
        worker.may_go_on.clear()
        await publish(settings.kafka, topic, [withdrawal(UUID(int=1), None, uuid4()) for _ in range(3)])
        await in_work(worker)
        assert await lag(reader) == 3
        worker.may_go_on.set()
        await worked_off(reader, worker)


@pytest.mark.parametrize("kind", [FaustReader, BareReader])
async def test_a_reader_that_has_its_partitions_says_so_before_any_event(
    settings: Settings, kind: type[Any]
) -> None:
    async with reading(kind, settings) as (_, worker):

        async def connected() -> bool:
            return worker.state.phase == "running"

        await eventually(connected, 5, "it says that it runs")
        assert not worker.seen


@pytest.mark.parametrize("kind", [FaustReader, BareReader])
async def test_a_topic_that_is_made_while_its_reader_starts_is_read(
    servers: Servers, kind: type[Any]
) -> None:
    suffix = f".late-{uuid4().hex[:8]}"
    settings = Settings(environment="test", kafka=servers.kafka, topic_suffix=suffix)
    making = asyncio.create_task(made_later(settings))
    try:
        async with reading(kind, settings):
            await making
    finally:
        await making
        await delete_topics(servers.kafka, suffix)


async def made_later(settings: Settings) -> None:
    await asyncio.sleep(0.3)
    await ensure_topics(settings.kafka, settings.topic_suffix)


async def test_a_topic_that_is_missing_does_not_keep_the_others_from_being_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "TOPICS_SECONDS", 2.0)
    async with reading(FaustReader, settings, "no.such.topic") as (reader, _):
        assert {topic for topic, _ in await reader.position()} == {TOPIC + settings.topic_suffix}


@pytest.mark.parametrize("kind", [FaustReader, BareReader])
async def test_an_orderly_stop_ends_what_is_in_hand_and_begins_nothing_more(
    settings: Settings, kind: type[Any]
) -> None:
    topic = TOPIC + settings.topic_suffix
    async with reading(kind, settings) as (reader, worker):
        worker.may_go_on.clear()
        await publish(settings.kafka, topic, [withdrawal(UUID(int=1), None, uuid4()) for _ in range(3)])
        await in_work(worker)
        begun = list(worker.seen)
        await publish(settings.kafka, topic, [withdrawal(UUID(int=1), None, uuid4())])
        finishing = asyncio.create_task(reader.finish())
        await asyncio.sleep(0.1)
        assert not finishing.done(), "the batch is still in hand"
        worker.may_go_on.set()
        await finishing
        assert await lag(reader) > 0
        assert worker.seen == begun, "nothing is begun after it"
    async with reading(kind, settings) as (reader, worker):
        await worked_off(reader, worker)
        assert begun + worker.seen == [0, 1, 2, 3], "nothing is given again, nothing is passed over"


@pytest.mark.parametrize("kind", [FaustReader, BareReader])
async def test_an_orderly_stop_does_not_wait_for_ever(
    settings: Settings, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "FINISH_SECONDS", 0.1)
    reader = kind(Worker("reader"), [TOPIC], settings)
    await reader.finish()
    await asyncio.wait_for(reader.finish(), 5)


@pytest.mark.parametrize("kind", [FaustReader, BareReader])
async def test_a_topic_is_not_begun_anew_while_the_coordinator_does_not_know_what_is_committed(
    settings: Settings, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = TOPIC + settings.topic_suffix
    async with reading(kind, settings) as (reader, worker):
        await publish(settings.kafka, topic, [withdrawal(UUID(int=1), None, uuid4()) for _ in range(3)])
        await worked_off(reader, worker)

    refusals, send = ["not the coordinator"] * 12, AIOKafkaClient.send

    async def moving(self: AIOKafkaClient, node: int, request: Any, **more: Any) -> Any:
        if isinstance(request, OffsetFetchRequest) and refusals:
            refusals.pop()
            return OffsetFetchResponse_v3(0, [], NotCoordinatorForGroupError.errno)
        return await send(self, node, request, **more)

    monkeypatch.setattr(AIOKafkaClient, "send", moving)
    async with reading(kind, settings) as (reader, worker):
        await publish(settings.kafka, topic, [withdrawal(UUID(int=1), None, uuid4())])
        await worked_off(reader, worker, 20)
        assert worker.seen == [3]
        assert not refusals


# aiokafka leaves connections unclosed where its start is cut short; they are met here, not in a later test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("moment", [0.0, 0.01, 0.03, 0.1, 0.3])
async def test_stopped_while_it_starts_it_leaves_no_thread(settings: Settings, moment: float) -> None:
    """Such a thread keeps the process from ending. The moment: seconds from the begin of Faust's start."""
    reader: Any = FaustReader(Worker("early" + settings.topic_suffix), [TOPIC], settings)  # type: ignore[arg-type]
    task = asyncio.create_task(reader.run())
    while not reader._app.started:
        await asyncio.sleep(0)
    await asyncio.sleep(moment)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await no_faust()
    gc.collect()


async def test_a_partition_whose_position_is_not_known_at_the_moment_crashes_nothing(
    settings: Settings,
) -> None:
    """Faust's own watch over partitions asserts that there is one."""
    async with reading(FaustReader, settings) as (reader, _):
        consumer = reader._app.consumer
        tp = TopicPartition(TOPIC + settings.topic_suffix, 0)
        state = consumer._thread._consumer._subscription.subscription.assignment.state_value(tp)
        known, state._position = state._position, None
        try:
            consumer.verify_event_path(time.monotonic(), TP(tp.topic, tp.partition))
        finally:
            state._position = known


async def test_what_was_fetched_before_anything_is_committed_is_read_again_after_a_rebalance(
    settings: Settings,
) -> None:
    """Faust's canary for the same: test_where_nothing_is_committed_it_goes_on_behind_what_it_dropped."""
    topic = TOPIC + settings.topic_suffix
    async with reading(FaustReader, settings) as (reader, worker):
        worker.may_go_on.clear()
        await publish(settings.kafka, topic, [withdrawal(UUID(int=1), None, uuid4()) for _ in range(3)])
        consumer = reader._app.consumer

        async def all_read() -> bool:
            return 2 in consumer._read_offset.values()

        await eventually(all_read, 10, "all is read")
        consumer.stop_flow()
        await consumer.perform_seek()
        consumer.resume_flow()

        async def handed_over_again() -> bool:
            return len(worker.seen) + reader._queue.qsize() >= 6

        await eventually(handed_over_again, 10, "given again")


async def test_a_rebalance_while_a_piece_is_under_way_passes_nothing_over(settings: Settings) -> None:
    """It is larger than the queue: part of it is in work, part waits for room, and more is behind it."""
    topic, events = TOPIC + settings.topic_suffix, 3 * QUEUE
    async with reading(FaustReader, settings) as (reader, worker):
        worker.may_go_on.clear()
        await publish(settings.kafka, topic, [withdrawal(UUID(int=1), None, uuid4()) for _ in range(events)])
        app = reader._app

        async def full() -> bool:
            return bool(reader._queue.full())

        await eventually(full, 10, "more is fetched than can be taken")
        app.consumer.stop_flow()
        app.flow_control.suspend()
        app.flow_control.clear()
        await asyncio.sleep(0.1)
        await app.consumer.perform_seek()
        app.flow_control.resume()
        app.consumer.resume_flow()
        assert await lag(reader) == events, "nothing is committed of what is in work or dropped"
        worker.may_go_on.set()
        await worked_off(reader, worker, 20)
        assert set(worker.seen) == set(range(events))


@pytest.fixture
def consumer(settings: Settings) -> Any:
    """Faust's consumer as the reader has it, never started: fetches are given to it by `fetched`."""
    reader: Any = FaustReader(Worker("reader"), [TOPIC], settings)  # type: ignore[arg-type]
    made = reader._app.consumer
    made._thread.thread_loop.close()
    made.highwater = lambda tp: 0
    made.app.topics.acking_topics.add(TOPIC)
    made._set_active_tps({TP(TOPIC, n) for n in range(PLACES)})
    return made


def fetched(
    consumer: Any, *, meanwhile: Callable[[], None] = lambda: None, **offsets: list[int]
) -> AsyncIterator[Any]:
    """The pieces of a fetch that brings these offsets by partition; meanwhile: what befalls as it waits."""
    records = {
        TP(TOPIC, int(name[1:])): [
            ConsumerRecord(TOPIC, int(name[1:]), offset, 0, 0, None, b"", None, 0, 0, ()) for offset in those
        ]
        for name, those in offsets.items()
    }

    async def next_records(timeout: float) -> Any:
        meanwhile()
        return records, set(records)

    consumer._wait_next_records = next_records
    pieces: AsyncIterator[Any] = consumer.getmany(1.0)
    return pieces


async def test_faust_commits_past_a_gap_that_compaction_left_after_offset_0(consumer: Any) -> None:
    tp = TP(TOPIC, 0)
    for offsets, commits in (([0], 1), ([5, 6, 9], 10)):
        async for _, piece in fetched(consumer, p0=offsets):
            for message in piece.value:
                message.ack(consumer)
        consumer._committed_offset[tp] = consumer._new_offset(tp)
        assert consumer._committed_offset[tp] == commits


async def test_a_gap_lets_nothing_be_committed_that_is_still_in_work(consumer: Any) -> None:
    async for tp, piece in fetched(consumer, p0=[3, 7, 8]):
        first, seventh, last = piece.value
        for message, commits in ((first, 4), (last, 7), (seventh, 9)):
            message.ack(consumer)
            assert consumer._new_offset(tp) == commits
            consumer._committed_offset[tp] = commits


async def test_what_is_not_yet_given_when_a_rebalance_begins_counts_as_not_read(consumer: Any) -> None:
    pieces = fetched(consumer, p0=[0, 1], p1=[0, 1])
    _, piece = await anext(pieces)
    assert [message.offset for message in piece.value] == [0, 1]
    consumer.stop_flow()
    assert [left async for left in pieces] == []
    assert dict(consumer._read_offset) == {TP(TOPIC, 0): 1, TP(TOPIC, 1): None}


async def test_a_fetch_that_began_before_a_rebalance_and_ends_after_it_is_given(consumer: Any) -> None:
    """Nobody seeks back any more: what it brought would be passed over, and later committed as a gap."""

    def dealt_out_anew() -> None:
        consumer.app.consumer_generation_id += 1

    pieces = fetched(consumer, meanwhile=dealt_out_anew, p0=[7, 8])
    assert [[message.offset for message in piece.value] async for _, piece in pieces] == [[7, 8]]


def test_kafka_never_ends_a_reader_that_waits_for_postgres(settings: Settings) -> None:
    """Blocked for longer than this, Faust gives up its partitions and never reads again."""
    assert drivers.faust_app("reader", settings).conf.broker_max_poll_interval >= 7 * 24 * 3600


class Standing:
    """A reader whose position is given."""

    def __init__(self, **state: bool) -> None:
        self.consumer = SimpleNamespace(group="g", state=State(**state))
        self.places: dict[tuple[str, int], tuple[int, int]] | Exception = {("t", 0): (3, 5)}

    async def position(self) -> dict[tuple[str, int], tuple[int, int]]:
        if isinstance(self.places, Exception):
            raise self.places
        return self.places


async def gives_up(reader: Any, monkeypatch: pytest.MonkeyPatch, limit: float = 0.1) -> bool:
    monkeypatch.setattr(stream, "LOOK_SECONDS", 0.02)
    given_up = asyncio.Event()

    async def give_up() -> None:
        given_up.set()

    task = asyncio.create_task(watch_progress(reader, Metrics(), limit, give_up))
    try:
        await asyncio.wait_for(given_up.wait(), 0.6)
    except TimeoutError:
        return False
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return True


async def test_lag_without_progress_is_a_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await gives_up(Standing(), monkeypatch)


@pytest.mark.parametrize("reason", ["retrying", "stopped"])
async def test_who_waits_for_postgres_or_for_an_operator_is_not_stalled(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    assert not await gives_up(Standing(**{reason: True}), monkeypatch)


async def test_nothing_to_do_is_not_a_stall_and_the_broker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Standing()
    reader.places = {("t", 0): (5, 5)}
    assert not await gives_up(reader, monkeypatch)
    assert reader.consumer.state.phase == "running"


async def test_a_broker_that_is_away_is_not_a_stall_and_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Standing(connected=True)
    reader.places = ConnectionRefusedError()
    assert not await gives_up(reader, monkeypatch)
    assert reader.consumer.state.phase == "waiting"
