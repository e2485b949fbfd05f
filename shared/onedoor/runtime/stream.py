"""How events come in: a Faust agent with its collector, or a bare aiokafka reader; both call `work(batch)`.

Ordinary topics are read by Faust (or, for a projection, by the bulk reader). `intake.alarm` has a bare reader
of its own in a group of its own: Faust's agents share one buffer, and an alarm must never stand behind it.
"""

import asyncio
import logging
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from faust.contrib.asgi import faust_app_running
from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from mode.supervisors import CrashingSupervisor
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_random_exponential,
)

from onedoor.runtime.consumer import Consumer
from onedoor.runtime.letters import Record
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.settings import Settings

log = logging.getLogger(__name__)

QUEUE = 400
PIECES = 2
SESSION_SECONDS = 10.0
HEARTBEAT_SECONDS = 1.0
MAX_POLL_SECONDS = 30 * 24 * 3600.0
"""PostgreSQL may be away for long. Once it passes this, Faust never reads again (it stops its own polling and
waits for it); that nothing moves is found by `watch_progress`, not by Kafka."""
STALLED_EXIT = 70
LOOK_SECONDS = 5.0


def _heedful(reader: AIOKafkaConsumer) -> AIOKafkaConsumer:
    """Have it ask again what is committed while the group's coordinator moves or loads.

    aiokafka overlooks that error: it takes it that nothing is committed, and begins the topic anew.
    """
    client: Any = reader._client
    send = client.send

    async def checked(node: int, request: Any, **more: Any) -> Any:
        answer = await send(node, request, **more)
        code = getattr(answer, "error_code", 0) if isinstance(request, OffsetFetchRequest) else 0
        if code:
            raise for_code(code)
        return answer

    client.send = checked
    return reader


class _Thread(driver.AIOKafkaConsumerThread):
    """Faust drops what it fetches during a rebalance and seeks back to what is committed.

    Where nothing is committed yet it would go on behind what it dropped: there it begins at the beginning.
    """

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> AIOKafkaConsumer:
        return _heedful(super()._create_consumer(loop))

    async def seek_to_committed(self) -> Mapping[TP, int]:
        committed: dict[TP, int] = await self.call_thread(self._seek_to_committed)
        return committed

    async def _seek_to_committed(self) -> dict[TP, int]:
        """In the thread of the consumer, so that no rebalance comes between."""
        reader = self._ensure_consumer()
        committed: dict[TP, int] = await reader.seek_to_committed()
        untouched = [tp for tp, offset in committed.items() if not offset]
        first = await reader.beginning_offsets(untouched)
        for tp in reader.assignment() & first.keys():
            reader.seek(tp, first[tp])
        return committed


class _Consumer(driver.Consumer):
    """Faust's consumer, through which all that a fetch brought of a partition goes as one piece.

    Faust makes four tasks, a lock and several awaits of a message on its way to the agent. Here it takes a
    piece for a message; the messages in it are acknowledged one by one.
    """

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """The next fetch; what a rebalance finds not yet given is dropped, and sought back by `_Thread`."""
        fetched: dict[TP, list[Message]] = defaultdict(list)
        async for tp, message in super().getmany(timeout):
            fetched[tp].append(message)
        for tp, messages in fetched.items():
            await self._note_gaps(tp, messages)
            if not self.flow_active:
                return
            self._read_offset[tp] = messages[-1].offset
            yield tp, _piece(messages)

    async def _note_gaps(self, tp: TP, messages: Sequence[Message]) -> None:
        """Compaction leaves offsets out; noted, they do not stand in the way of a commit."""
        before: int | None = self._read_offset[tp]
        for message in messages:
            if before is not None and message.offset - before > 1:
                await self._add_gap(tp, before + 1, message.offset - 1)
            before = message.offset

    def on_buffer_full(self, tp: TP) -> None:
        """A full buffer holds up the fetching by itself.

        Faust takes the partition out instead, and where none is left it sleeps for a second.
        """

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust only logs here, and crashes where a partition's position is not known at the moment.

        What stalls is found by `watch_progress`.
        """


def _piece(messages: list[Message]) -> Message:
    last, value = messages[-1], cast(Any, messages)
    return Message(
        last.topic,
        last.partition,
        last.offset,
        last.timestamp,
        last.timestamp_type,
        headers=None,
        key=None,
        value=value,
        checksum=None,
        tp=last.tp,
        generation_id=last.generation_id,
    )


class _Transport(driver.Transport):
    Consumer = _Consumer


def faust_app(name: str, settings: Settings) -> faust.App:
    """A Faust app with the settings that keep the house's rules of the stream true."""
    app = faust.App(
        name,
        broker=f"kafka://{settings.kafka}",
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        agent_supervisor=CrashingSupervisor,
        stream_wait_empty=False,
        stream_publish_on_commit=False,
        stream_buffer_maxsize=PIECES,
        broker_commit_interval=1.0,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        broker_max_poll_records=500,
        broker_max_poll_interval=MAX_POLL_SECONDS,
        datadir=Path(tempfile.gettempdir(), f"onedoor-{os.getuid()}-{name}"),
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"{name}-{settings.instance}",
        key_serializer="raw",
        value_serializer="raw",
        loghandlers=[],
    )
    app.transport = _Transport(app.conf.broker_consumer, app)
    return app


class FaustReader:
    """Reads topics with one Faust agent that only hands over; its collector works and acknowledges."""

    def __init__(self, consumer: Consumer, topics: Sequence[str], settings: Settings) -> None:
        self.consumer = consumer
        self._settings = settings
        self._app = faust_app(consumer.group, settings)
        self._queue: asyncio.Queue[Any] = asyncio.Queue(QUEUE)
        channel = self._app.topic(
            *(topic + settings.topic_suffix for topic in topics), key_type=bytes, value_type=bytes
        )
        self._app.agent(channel, name="collect", concurrency=1)(self._hand_over)

    async def _hand_over(self, stream: Any) -> None:
        async for piece in stream.noack():
            for message in piece:
                await self._queue.put(message)

    async def run(self) -> None:
        """Read until cancelled; an unreachable broker is tried again, a crashed app ends in an exception."""
        await self.consumer.look_whether_stopped()
        await wait_for_broker(self._settings.kafka)
        async with faust_app_running(self._app, stop_timeout=10):
            watch = asyncio.create_task(self._crashed())
            collect = asyncio.create_task(self._collect())
            try:
                done, _ = await asyncio.wait({watch, collect}, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in (watch, collect):
                    task.cancel()
                await asyncio.gather(watch, collect, return_exceptions=True)

    async def _crashed(self) -> None:
        """Faust keeps its crash to itself; here it becomes an exception."""
        await self._app.wait_until_stopped()
        raise RuntimeError(f"the Faust app has ended: {self._app.crash_reason!r}")

    async def _collect(self) -> None:
        while True:
            messages = [await self._queue.get()]
            while len(messages) < self._settings.batch_size and not self._queue.empty():
                messages.append(self._queue.get_nowait())
            await self.consumer.work([_record(message) for message in messages])
            for message in messages:
                message.ack(self._app.consumer)

    async def position(self) -> dict[tuple[str, int], tuple[int, int]]:
        """For each partition in hand: what is committed or deleted, and the end of the log."""
        if not self._app.started:  # asking for its consumer would make one, with a thread's loop
            return {}
        consumer: Any = self._app.consumer
        partitions = list(consumer.assignment())
        if not partitions:
            return {}
        ends = await consumer.highwaters(*partitions)
        deleted = await consumer.earliest_offsets(*partitions)
        committed = consumer._committed_offset
        return {
            (tp.topic, tp.partition): (max(committed.get(tp) or 0, deleted[tp]), ends[tp])
            for tp in partitions
        }


class BareReader:
    """Reads topics with aiokafka: larger batches for a projection, or the alarm's own way."""

    def __init__(
        self, consumer: Consumer, topics: Sequence[str], settings: Settings, batch: int = 500
    ) -> None:
        self.consumer = consumer
        self._topics = [topic + settings.topic_suffix for topic in topics]
        self._settings = settings
        self._batch = batch
        self._reader: AIOKafkaConsumer | None = None
        self._in_work: dict[TopicPartition, int] = {}

    async def run(self) -> None:
        """Read until cancelled; a broker that is away is tried again."""
        await self.consumer.look_whether_stopped()
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type((KafkaError, OSError)),
            wait=wait_random_exponential(multiplier=0.2, max=3),
            before_sleep=self._note_retry,
        ):
            with attempt:
                await self._read()

    def _note_retry(self, attempt: RetryCallState) -> None:
        error = attempt.outcome.exception() if attempt.outcome else None
        details = {"consumer": self.consumer.group, "error": type(error).__name__}
        log.warning("reading interrupted, trying again", extra=details)

    async def _read(self) -> None:
        reader = AIOKafkaConsumer(
            *self._topics,
            bootstrap_servers=self._settings.kafka,
            group_id=self.consumer.group,
            group_instance_id=f"{self.consumer.group}-{self._settings.instance}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(SESSION_SECONDS * 1000),
            heartbeat_interval_ms=int(HEARTBEAT_SECONDS * 1000),
            max_poll_records=self._batch,
            max_poll_interval_ms=int(MAX_POLL_SECONDS * 1000),
        )
        _heedful(reader)
        try:
            await reader.start()
            self._reader = reader
            while True:
                found = await reader.getmany(timeout_ms=1000, max_records=self._batch)
                records = [_record(message) for messages in found.values() for message in messages]
                self.consumer.state.connected = True
                if records:
                    self._in_work = {tp: messages[0].offset for tp, messages in found.items()}
                    await self.consumer.work(records)
                    await self._commit(reader, found)
                    self._in_work = {}
        finally:
            self._reader, self._in_work = None, {}
            self.consumer.state.connected = False
            with suppress(Exception):
                await asyncio.wait_for(reader.stop(), 5)

    async def _commit(self, reader: AIOKafkaConsumer, found: dict[TopicPartition, Sequence[Any]]) -> None:
        """Commit what was worked off; after a rebalance somebody else does, and the inbox knows it."""
        assigned = reader.assignment()
        offsets = {tp: messages[-1].offset + 1 for tp, messages in found.items() if tp in assigned}
        with suppress(KafkaError):
            await reader.commit(offsets)

    async def position(self) -> dict[tuple[str, int], tuple[int, int]]:
        """For each partition in hand: what is worked off, and the end of the log."""
        reader = self._reader
        if reader is None:
            return {}
        partitions = list(reader.assignment())
        ends = await reader.end_offsets(partitions)
        read = {tp: await reader.position(tp) for tp in partitions}
        return {(tp.topic, tp.partition): (self._in_work.get(tp, read[tp]), ends[tp]) for tp in partitions}


Reader = FaustReader | BareReader


def _record(message: Any) -> Record:
    return Record(
        message.topic, message.partition, message.offset, message.key, message.value, message.headers or ()
    )


async def wait_for_broker(bootstrap: str) -> None:
    """Until one metadata request is answered. Never raises but on cancellation."""
    while True:
        probe = AIOKafkaClient(bootstrap_servers=bootstrap)
        try:
            await probe.bootstrap()
            return
        except (KafkaError, OSError) as error:
            log.warning("kafka unreachable, waiting", extra={"error": type(error).__name__})
            await asyncio.sleep(1)
        finally:
            await probe.close()


async def watch_progress(
    reader: Reader, metrics: Metrics, limit: float, give_up: Callable[[], Awaitable[None]]
) -> None:
    """End the process when there is lag without progress for `limit` seconds and nothing is being retried."""
    before: dict[tuple[str, int], tuple[int, int]] = {}
    since = time.monotonic()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        state = reader.consumer.state
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                now = await reader.position()
        except (KafkaError, OSError, TimeoutError, ConsumerNotStarted):
            since, state.connected = time.monotonic(), False
            continue
        state.connected = bool(now)
        lag = sum(max(end - done, 0) for done, end in now.values())
        metrics.consumer_lag.labels(reader.consumer.group).set(lag)
        moved = any(before.get(place, (done, 0))[0] != done for place, (done, _) in now.items())
        if moved or not lag or state.retrying or state.stopped or now.keys() != before.keys():
            since = time.monotonic()
        before = now
        if time.monotonic() - since > limit:
            log.critical("no progress", extra={"consumer": reader.consumer.group})
            await give_up()


async def exit_stalled() -> None:
    """Leave at once; the process manager starts the service again."""
    os._exit(STALLED_EXIT)
