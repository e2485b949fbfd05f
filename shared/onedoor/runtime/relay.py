"""The relay: publishes what the event store holds in `pending`, in order per key, at least once.

One is active per service. Lock, LISTEN and page reads share one connection, so that losing it ends this
relay and nothing else; a second process takes over. A row leaves `pending` only when Kafka has it.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTopicError, KafkaError, MessageSizeTooLargeError
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
"""A page's share of one partition fits into one batch: a full batch makes the next send wait for Kafka."""

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

HOPELESS = (MessageSizeTooLargeError, InvalidTopicError, ValueError, TypeError)


class Producer(Protocol):
    """What the relay needs of aiokafka's producer."""

    async def send(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> Awaitable[Any]: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def kafka_producer(bootstrap: str) -> Producer:
    """The real one: idempotent, without linger, since a page is gathered anyway."""
    producer: Producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        max_request_size=2_000_000,
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
    ) -> tuple[list[int], list[tuple[asyncpg.Record, Exception]]]:
        """All keys at once, one key's rows one after another; a key stops at its first failure."""
        published: list[int] = []
        errors: list[tuple[asyncpg.Record, Exception]] = []
        by_key: dict[tuple[str, str], list[asyncpg.Record]] = defaultdict(list)
        for row in page:
            by_key[row["topic"], row["key"] or str(row["position"])].append(row)
        waiting = list(by_key.values())
        while waiting:
            done = await self._send_together(producer, [rows.pop(0) for rows in waiting])
            published += [row["position"] for row, error in done if error is None]
            errors += [(row, error) for row, error in done if error is not None]
            waiting = [rows for rows, (_, error) in zip(waiting, done, strict=True) if rows and error is None]
        return published, errors

    async def _send_together(
        self, producer: Producer, rows: Sequence[asyncpg.Record]
    ) -> list[tuple[asyncpg.Record, Exception | None]]:
        """Rows of different keys, each with its error if it has one."""
        failed: dict[int, Exception] = {}
        sent: list[tuple[asyncpg.Record, Awaitable[Any]]] = []
        for row in rows:
            try:
                sent.append((row, await producer.send(**self._message(row))))
            except Exception as error:
                failed[row["position"]] = error
        answers = await asyncio.gather(*(answer for _, answer in sent), return_exceptions=True)
        for (row, _), answer in zip(sent, answers, strict=True):
            if isinstance(answer, Exception):
                failed[row["position"]] = answer
        return [(row, failed.get(row["position"])) for row in rows]

    def _message(self, row: asyncpg.Record) -> dict[str, Any]:
        """A person's record that was erased before it got out travels as the erasure it has become."""
        erased = row["payload"] is None or row["type"] == "person.erased"
        return {
            "topic": row["topic"] + self._suffix,
            "value": None if erased else row["payload"].encode(),
            "key": row["key"].encode() if row["key"] else None,
            "headers": codec.header_lines(
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
        }

    async def _settle(
        self, conn: asyncpg.Connection, errors: Sequence[tuple[asyncpg.Record, Exception]]
    ) -> None:
        """Park what fails for good; for the rest drop the producer and let the caller start anew."""
        later = [error for _, error in errors if not isinstance(error, HOPELESS)]
        for row, error in errors:
            self._metrics.relay_failed_total.inc()
            if isinstance(error, HOPELESS):
                reason, trace_id = type(error).__name__, tracing.trace_id(row["traceparent"])
                details = {"error": reason, "event_id": row["id"], "trace_id": trace_id}
                log.error("event cannot be published", extra=details)
                await conn.execute(PARK, row["position"], reason)
        if later:
            await self._drop_producer()
            raise later[0]

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(Exception):
                await asyncio.wait_for(producer.stop(), 5)
