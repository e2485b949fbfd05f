"""The relay: publishes what the event store holds in `pending`, in order per key, at least once.

One is active per service. Lock, LISTEN and page reads share one connection, so that losing it ends this
relay and nothing else; a second process takes over. A row leaves `pending` only when Kafka has it.

What a page holds for a partition goes as one batch, or as several in turn: a batch is written whole or not at
all, so that order stands whatever fails, and readers get together what happened together.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTopicError, KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from onedoor.contracts import codec
from onedoor.runtime import tracing
from onedoor.runtime.database import UNREACHABLE
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.service import Service
from onedoor.runtime.store import pending_channel
from onedoor.runtime.tracing import SpanKind

log = logging.getLogger(__name__)

PAGE_SIZE = 500
BATCH_BYTES = 256 * 1024
"""A page's share of one partition fits into one batch, as a rule."""

PAGE = """
select p.position, e.id, e.aggregateid, e.type, e.eventversion, e.payload, e.topic, e.key, e.classification,
       e.actor, e.cause, e.traceparent, e.time
from pending p join events e using (position)
where p.failed is null and not exists (
  select 1 from pending bad join events f using (position)
  where bad.failed is not null and f.topic = e.topic and f.key = e.key)
order by p.position limit $1
"""

PUBLISHED = "delete from pending where position = any($1::bigint[])"

PARK = "update pending set failed = $2 where position = $1"

PARTITION = DefaultPartitioner()
"""Which partition a key lies in, as for every producer of the topics."""

HOPELESS = (MessageSizeTooLargeError, InvalidTopicError, ValueError, TypeError)


class Batch(Protocol):
    """Messages for one partition, as aiokafka builds them."""

    def append(
        self,
        *,
        timestamp: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
    ) -> object | None:
        """None where it is full; an empty one takes a message of any size."""


class Producer(Protocol):
    """What the relay needs of aiokafka's producer."""

    async def partitions_for(self, topic: str) -> set[int]: ...

    def create_batch(self) -> Batch: ...

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Awaitable[Any]: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Message:
    """A row of the page as it goes to Kafka."""

    row: asyncpg.Record
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]

    def joins(self, batch: Batch) -> bool:
        """Whether the batch had room for it."""
        return batch.append(timestamp=None, key=self.key, value=self.value, headers=self.headers) is not None


_Failed = tuple[asyncpg.Record, Exception]


def kafka_producer(bootstrap: str) -> Producer:
    """The real one: idempotent, without linger, since a page is gathered anyway."""
    producer: Producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        request_timeout_ms=15_000,
    )
    return producer


class Lost(Exception):
    """Somebody else holds the lock, or the connection is gone."""


class Relay:
    """Runs until cancelled; survives the absence of Kafka and PostgreSQL."""

    def __init__(
        self,
        service: Service,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        producer: Callable[[], Producer],
        metrics: Metrics,
        topic_suffix: str = "",
    ) -> None:
        self.service = service
        self._connect = connect
        self._new_producer = producer
        self._metrics = metrics
        self._suffix = topic_suffix
        self._producer: Producer | None = None
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Lead whenever possible; every error but cancellation only ends one attempt."""
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type((asyncpg.PostgresError, *UNREACHABLE, KafkaError, Lost)),
                wait=wait_random_exponential(multiplier=0.2, max=3),
            ):
                with attempt:
                    await self._attempt()
        finally:
            await self._drop_producer()

    async def _attempt(self) -> None:
        conn = await self._connect()
        try:
            await self._lead(conn)
        except Exception as error:
            log.warning("relay interrupted", extra={"error": type(error).__name__})
            raise
        finally:
            with suppress(Exception):
                await conn.close(timeout=1)

    async def _lead(self, conn: asyncpg.Connection) -> None:
        """Take the lock, then publish page after page until the connection or Kafka fails."""
        lock = f"onedoor.relay.{self.service.schema}"
        while True:
            if await conn.fetchval("select pg_try_advisory_lock(hashtext($1))", lock):
                break
            await asyncio.sleep(1)
        await conn.add_listener(pending_channel(self.service.schema), lambda *_: self._wake.set())
        while True:
            self._wake.clear()
            if not await self.publish_page(conn):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), 1)

    async def publish_page(self, conn: asyncpg.Connection) -> int:
        """Publish one page and forget what Kafka has; how many rows it held.

        Raises the first error of a send that may succeed later, after the successful rows are deleted.
        """
        page = await conn.fetch(PAGE, PAGE_SIZE)
        if not page:
            return 0
        if self._producer is None:
            self._producer = await self._started()
        causes = (row["traceparent"] for row in page)
        with tracing.batch("publish", SpanKind.PRODUCER, len(page), causes):
            published, errors = await self._send(self._producer, page)
        await conn.execute(PUBLISHED, published)
        self._metrics.relay_published_total.inc(len(published))
        await self._settle(conn, errors)
        return len(page)

    async def _started(self) -> Producer:
        producer = self._new_producer()
        try:
            await producer.start()
        except BaseException:
            with suppress(Exception):
                await producer.stop()
            raise
        return producer

    async def _send(
        self, producer: Producer, page: Sequence[asyncpg.Record]
    ) -> tuple[list[int], list[_Failed]]:
        """All partitions at once, each in order; each stops at its first failure."""
        errors: list[_Failed] = []
        by_place: dict[tuple[str, int], list[_Message]] = defaultdict(list)
        stopped: set[tuple[str, str | None]] = set()
        partitions: dict[str, list[int]] = {}
        for row in page:
            topic = row["topic"] + self._suffix
            if (topic, row["key"]) in stopped:
                continue
            try:
                message = self._message(row)
                if topic not in partitions:
                    partitions[topic] = sorted(await producer.partitions_for(topic))
                place = PARTITION(message.key, partitions[topic], partitions[topic])
            except Exception as error:
                errors.append((row, error))
                stopped.add((topic, row["key"]))
            else:
                by_place[topic, place].append(message)
        published: list[int] = []
        sending = (
            self._in_order(producer, place, messages, published) for place, messages in by_place.items()
        )
        for failed in await asyncio.gather(*sending):
            errors += failed
        return published, errors

    async def _in_order(
        self, producer: Producer, place: tuple[str, int], messages: Sequence[_Message], published: list[int]
    ) -> list[_Failed]:
        """One batch after another, until one fails. Of what Kafka refuses for good the culprit is found."""
        topic, partition = place
        for batch, held in _batches(producer, messages):
            try:
                await (await producer.send_batch(batch, topic, partition=partition))
            except HOPELESS as error:
                if len(held) == 1:
                    return [(held[0].row, error)]
                for each in held:
                    if failed := await self._in_order(producer, place, [each], published):
                        return failed
            except Exception as error:
                return [(message.row, error) for message in held]
            else:
                published += [message.row["position"] for message in held]
        return []

    def _message(self, row: asyncpg.Record) -> _Message:
        """A person's record that was erased before it got out travels as the erasure it has become."""
        erased = row["payload"] is None or row["type"] == "person.erased"
        return _Message(
            row,
            key=row["key"].encode() if row["key"] else None,
            value=None if erased else row["payload"].encode(),
            headers=codec.header_lines(
                id=row["id"],
                source=self.service.name,
                type_="person.erased" if erased else row["type"],
                version=1 if erased else row["eventversion"],
                subject=row["aggregateid"],
                time=row["time"],
                key=row["key"],
                classification=row["classification"],
                actor=row["actor"],
                cause=row["cause"],
                traceparent=row["traceparent"],
            ),
        )

    async def _settle(self, conn: asyncpg.Connection, errors: Sequence[_Failed]) -> None:
        """Park what fails for good, and let the caller start anew for the rest.

        A producer whose batch failed is let go: Kafka expects the next one with that batch's number.
        """
        later = [error for _, error in errors if not isinstance(error, HOPELESS)]
        for row, error in errors:
            self._metrics.relay_failed_total.inc()
            if isinstance(error, HOPELESS):
                reason, trace_id = type(error).__name__, tracing.trace_id(row["traceparent"])
                details = {"error": reason, "event_id": row["id"], "trace_id": trace_id}
                log.error("event cannot be published", extra=details)
                await conn.execute(PARK, row["position"], reason)
        if errors:
            await self._drop_producer()
        if later:
            raise later[0]

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(Exception):
                await asyncio.wait_for(producer.stop(), 5)


def _batches(producer: Producer, messages: Sequence[_Message]) -> Iterator[tuple[Batch, Sequence[_Message]]]:
    """The messages in their order, in as few batches as hold them. Each is made when it is its turn."""
    batch, held = producer.create_batch(), list[_Message]()
    for message in messages:
        if not message.joins(batch):
            yield batch, held
            batch, held = producer.create_batch(), []
            message.joins(batch)
        held.append(message)
    yield batch, held
