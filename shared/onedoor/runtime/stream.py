"""How events come in: a Faust agent with its collector, or a bare aiokafka reader; both call `work(batch)`.

Ordinary topics are read by Faust (or, for a projection, by the bulk reader). `intake.alarm` has a bare reader
of its own in a group of its own: Faust's agents share one buffer, and an alarm must never stand behind it.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_random_exponential,
)

from onedoor.runtime import drivers
from onedoor.runtime.consumer import Consumer
from onedoor.runtime.drivers import HEARTBEAT_SECONDS, MAX_POLL_SECONDS, SESSION_SECONDS
from onedoor.runtime.letters import Record
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.settings import Settings

log = logging.getLogger(__name__)

QUEUE = 400
STALLED_EXIT = 70
LOOK_SECONDS = 5.0
TOPICS_SECONDS = 10.0
FINISH_SECONDS = 2.0
"""How long an orderly stop waits for the batch in hand: without PostgreSQL it would wait for ever."""


class _Hand:
    """The batch in hand. What is begun is worked off and acknowledged before an orderly stop."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def finish(self) -> None:
        """Wait until nothing is in hand, `FINISH_SECONDS` at the most; nothing is begun afterwards."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                await self._lock.acquire()


class FaustReader(_Hand):
    """Reads topics with one Faust agent that only hands over; its collector works and acknowledges."""

    def __init__(self, consumer: Consumer, topics: Sequence[str], settings: Settings) -> None:
        super().__init__()
        self.consumer = consumer
        self._settings = settings
        self._topics = [topic + settings.topic_suffix for topic in topics]
        self._app = drivers.faust_app(consumer.group, settings)
        self._queue: asyncio.Queue[Any] = asyncio.Queue(QUEUE)
        drivers.add_agent(self._app, "collect", self._topics, self._hand_over)
        self._app.on_partitions_assigned.connect(self._assigned)

    async def _assigned(self, *_: Any, **__: Any) -> None:
        self.consumer.state.connected = True

    async def _hand_over(self, stream: Any) -> None:
        async for piece in stream.noack():
            for message in piece:
                await self._queue.put(message)

    async def run(self) -> None:
        """Read until cancelled; an unreachable broker is tried again, a crashed app ends in an exception."""
        await self.consumer.look_whether_stopped()
        await wait_for_topics(self._settings.kafka, self._topics)
        async with drivers.running(self._app):
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
            async with self._lock:
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


class BareReader(_Hand):
    """Reads topics with aiokafka: larger batches for a projection, or the alarm's own way."""

    def __init__(
        self, consumer: Consumer, topics: Sequence[str], settings: Settings, batch: int = 500
    ) -> None:
        super().__init__()
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
            fetch_max_wait_ms=1500,
            max_poll_interval_ms=int(MAX_POLL_SECONDS * 1000),
        )
        drivers.heedful(reader)
        try:
            await reader.start()
            self._reader = reader
            self.consumer.state.connected = True
            while True:
                found = await reader.getmany(timeout_ms=1000, max_records=self._batch)
                records = [_record(message) for messages in found.values() for message in messages]
                if records:
                    self._in_work = {tp: messages[0].offset for tp, messages in found.items()}
                    async with self._lock:
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


async def wait_for_topics(bootstrap: str, topics: Collection[str]) -> None:
    """Until the broker answers; and, `TOPICS_SECONDS` at the most, until it knows these topics.

    Where one is not known as the group is dealt out, Faust gives nobody its partitions for the next minutes.
    Never raises but on cancellation.
    """
    while True:
        probe = AIOKafkaClient(bootstrap_servers=bootstrap)
        try:
            await probe.bootstrap()
            await _known(probe, topics)
            return
        except (KafkaError, OSError) as error:
            log.warning("kafka unreachable, waiting", extra={"error": type(error).__name__})
            await asyncio.sleep(1)
        finally:
            await probe.close()


async def _known(probe: AIOKafkaClient, topics: Collection[str]) -> None:
    missing = set(topics)
    try:
        async with asyncio.timeout(TOPICS_SECONDS):
            await probe.set_topics(topics)
            while missing := {topic for topic in topics if not probe.cluster.partitions_for_topic(topic)}:
                await asyncio.sleep(0.1)
                await probe.force_metadata_update()
    except TimeoutError:
        log.error("topics are missing, reading the others", extra={"topics": sorted(missing)})


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
