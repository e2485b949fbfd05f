"""`work(batch)`: what happens to what was read, whoever read it (a Faust agent or a bare aiokafka loop).

The effect and the inbox row are one transaction; the caller acknowledges after `work` has returned. Errors
that pass by themselves are waited out; an error of one event sets only that event aside.
"""

import asyncio
import logging
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    retry_if_exception_type,
    wait_random_exponential,
)
from uuid_utils.compat import uuid7

from onedoor.contracts import codec
from onedoor.contracts.core import Command, Context, Envelope
from onedoor.contracts.events.operations import LetterSetAside
from onedoor.contracts.registry import LATEST
from onedoor.runtime import letters, logs, store, tracing
from onedoor.runtime.database import CONFLICTS, PASSING, out_of_reach
from onedoor.runtime.letters import Record
from onedoor.runtime.logs import mask
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.service import Connection, Service
from onedoor.runtime.store import Handled
from onedoor.runtime.tracing import SpanKind
from onedoor.runtime.unit import Directive, Outcome, Unit

log = logging.getLogger(__name__)

LOOK = """
with held as (
  select topic, key from parked
  where consumer = $2 and (topic, key) in (select * from unnest($3::text[], $4::bytea[]))
  for share
)
select event_id, null as topic, null as key from inbox where event_id = any($1::uuid[])
union all
select null, topic, key from held
"""


@dataclass(slots=True)
class State:
    """How the consumer is, for health and the watchdog. connected: its broker answers."""

    connected: bool = False
    retrying: bool = False
    stopped: bool = False
    letters_in_a_row: int = 0

    @property
    def phase(self) -> str:
        """`running`, `waiting` (for the broker) or `stopped` (by the limit)."""
        return "stopped" if self.stopped else "running" if self.connected else "waiting"


class Consumer:
    """Handles records for one consumer group of one service, over a connection of its own.

    alarm: never parks, never stops; every letter is an emergency of its own.
    """

    def __init__(
        self,
        service: Service,
        unit: Unit,
        group: str,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        metrics: Metrics,
        limit: int,
        alarm: bool = False,
    ) -> None:
        self.service = service
        self.unit = unit
        self.group = group
        self.alarm = alarm
        self.state = State()
        self._connect = connect
        self._metrics = metrics
        self._limit = limit
        self._conn: asyncpg.Connection | None = None

    async def work(self, records: Sequence[Record]) -> None:
        """Handle records in order; returns when every one is done, refused, set aside or waiting.

        Raises nothing but cancellation.
        """
        await self._until_resumed()
        wanted = [record for record in records if self._takes(record)]
        if wanted:
            self._metrics.batch_size.labels(self.group).observe(len(wanted))
            with self._metrics.batch_seconds.labels(self.group).time(), self._traced(wanted):
                await self._all(wanted)
        self.state.connected = True

    @contextmanager
    def _traced(self, records: Sequence[Record]) -> Iterator[None]:
        """One span for all of them; its log lines name a trace and, where it is one event, its help chain."""
        causes = (record.header("ce_traceparent") for record in records)
        facts = {"messaging.batch.message_count": len(records)}
        name = f"process {self.group}"
        with tracing.batch(name, SpanKind.CONSUMER, len(records), causes, facts), logs.subject():
            yield

    async def _all(self, records: Sequence[Record]) -> None:
        """All in one transaction; if that fails, each in one of its own."""
        try:
            await self._patiently(records)
        except Exception:
            for record in records:
                await self._one(record)

    async def close(self) -> None:
        """Give the connection back."""
        if self._conn is not None and not self._conn.is_closed():
            await self._conn.close(timeout=2)

    def _takes(self, record: Record) -> bool:
        takes, type_ = self.service.takes, codec.peek_type(record.headers)
        return takes is None or type_ in takes or type_ not in LATEST

    async def _one(self, record: Record) -> None:
        """One record by itself: an error sets it aside with its reason and parks its key."""
        await self._until_resumed()
        with self._traced([record]):
            try:
                await self._patiently([record])
            except Exception as error:
                await self._patiently_set_aside(record, error)

    async def _patiently(self, records: Sequence[Record]) -> None:
        """Wait out an absent PostgreSQL; meet conflicts with a fresh attempt, three in all.

        One event by itself meets deadlocks and the like until they pass: they are not its fault.
        A retrier comes in only where there is something to try again: it costs as much as a statement.
        """

        async def once(conn: asyncpg.Connection) -> None:
            await self._transaction(conn, records)

        def enough(attempt: RetryCallState) -> bool:
            error = attempt.outcome.exception() if attempt.outcome else None
            return attempt.attempt_number >= 2 and not (len(records) == 1 and isinstance(error, PASSING))

        try:
            await self._while_unreachable(once)
        except CONFLICTS:
            async for conflict in AsyncRetrying(
                retry=retry_if_exception_type(CONFLICTS),
                stop=enough,
                wait=wait_random_exponential(multiplier=0.01, max=1),
                reraise=True,
            ):
                with conflict:
                    await self._while_unreachable(once)

    async def _while_unreachable(self, action: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
        try:
            await action(await self.connection())
        except Exception as error:
            if not out_of_reach(error):
                raise
            self._note_retry()
            await self._until_reached(action)

    async def _until_reached(self, action: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception(out_of_reach),
                wait=wait_random_exponential(multiplier=0.1, max=5),
                before_sleep=self._note_retry,
                reraise=True,
            ):
                with attempt:
                    await action(await self.connection())
        finally:
            self.state.retrying = False

    def _note_retry(self, attempt: object = None) -> None:
        """Also let the connection go: what state it was left in nobody knows."""
        self.state.retrying = True
        connection, self._conn = self._conn, None
        if connection is not None:
            connection.terminate()
        log.warning("postgres unreachable, waiting", extra={"consumer": self.group})

    async def connection(self) -> asyncpg.Connection:
        """The consumer's own connection, made anew when it was lost."""
        if self._conn is None or self._conn.is_closed():
            self._conn = await self._connect()
        return self._conn

    async def _transaction(self, conn: asyncpg.Connection, records: Sequence[Record]) -> None:
        async with conn.transaction():
            known, parked = await self._look(conn, records, waits=not self.alarm)
            flowing = records
            if parked:
                waiting = [record for record in records if (record.topic, record.key) in parked]
                await letters.add(conn, self.group, waiting, "waiter")
                flowing = [record for record in records if (record.topic, record.key) not in parked]
            await self._apply(conn, flowing, known)
        if flowing:
            self.state.letters_in_a_row = 0

    async def apply_held(self, conn: Connection, record: Record) -> None:
        """Work one record whose parked key the caller's transaction holds. Raises as `_apply` does."""
        known, _ = await self._look(conn, [record], waits=False)
        await self._apply(conn, [record], known)

    async def _look(
        self, conn: Connection, records: Sequence[Record], waits: bool
    ) -> tuple[set[UUID], set[tuple[str, bytes]]]:
        """Which events the inbox knows, and where they may have to wait, which (topic, key) are parked.

        Those are locked for share, so that a replay cannot end meanwhile. What a replay wrote while this
        waited for its lock is not seen yet: then the inbox refuses the event, and a fresh attempt knows it.
        """
        ids = [id_ for record in records if (id_ := record.event_id) is not None]
        keys = {(record.topic, record.key) for record in records if waits and record.key is not None}
        rows = await conn.fetch(LOOK, ids, self.group, [topic for topic, _ in keys], [key for _, key in keys])
        known = {row["event_id"] for row in rows if row["event_id"] is not None}
        return known, {(row["topic"], row["key"]) for row in rows if row["event_id"] is None}

    async def _apply(self, conn: Connection, records: Sequence[Record], known: Container[UUID]) -> None:
        """Decode, drop what the inbox knows, do the work, write both; in the caller's transaction.

        Raises codec.Undecodable and codec.Unregistered, and whatever the service's own code raises.
        """
        read = [(record, codec.decode(record.key, record.value, record.headers)) for record in records]
        fresh = self._fresh(read, known)
        if not fresh:
            return
        events = [event for _, event in fresh]
        if len(read) == 1:
            logs.about(events[0])
        if self.service.absorb is not None:
            await self.service.absorb(conn, events)
        here = tracing.current()
        directives = {
            event.id: self._directive(event, commands, here)
            for event in events
            if (commands := tuple(self.service.react(event)))
        }
        done = await self.unit.decide(conn, list(directives.values()))
        outcomes = dict(zip(directives, done.outcomes, strict=True))
        handled = [_handled(record, event, outcomes.get(event.id, ())) for record, event in fresh]
        await self.unit.write(conn, done, handled)
        counted = Counter((event.type, row.outcome) for event, row in zip(events, handled, strict=True))
        for (type_, outcome), count in counted.items():
            self._metrics.events_handled_total.labels(self.group, type_, outcome).inc(count)

    def _fresh(
        self, read: Sequence[tuple[Record, Envelope]], known: Container[UUID]
    ) -> list[tuple[Record, Envelope]]:
        """What the inbox does not know, each event once: as it came first."""
        fresh: dict[UUID, tuple[Record, Envelope]] = {}
        for record, event in read:
            if event.id not in known:
                fresh.setdefault(event.id, (record, event))
        self._metrics.inbox_duplicates_total.labels(self.group).inc(len(read) - len(fresh))
        return list(fresh.values())

    def _directive(self, event: Envelope, commands: tuple[Command, ...], here: str | None) -> Directive:
        return Directive(
            commands=commands,
            context=Context(event.actor, self.unit.clock.now()),
            cause=event.id,
            traceparent=tracing.followed(event.traceparent, here),
        )

    async def _patiently_set_aside(self, record: Record, error: Exception) -> None:
        reason, trace = describe(error)
        in_a_row = self.state.letters_in_a_row + 1
        stop = in_a_row >= self._limit and not self.alarm

        async def set_aside(conn: asyncpg.Connection) -> None:
            async with conn.transaction():
                await letters.add(conn, self.group, [record], "letter", reason, trace)
                if record.key is not None and not self.alarm:
                    await letters.park(conn, self.group, record)
                if self.alarm or (record.child and record.key is not None):
                    await self._call_for_somebody(conn, record)
                if stop:
                    await letters.stop(conn, self.group, f"{self._limit} dead letters in a row")

        await self._while_unreachable(set_aside)
        self.state.letters_in_a_row, self.state.stopped = in_a_row, stop
        self._report(record, reason)

    async def _call_for_somebody(self, conn: Connection, record: Record) -> None:
        """An alarm, or a chain with a child that now waits: notify pages who is on duty, once per letter."""
        id_ = letters.letter_id(self.group, record)
        if await conn.fetchval(store.EXISTS, "letter", id_):
            return
        now = self.unit.clock.now()
        event = LetterSetAside(
            letter_id=id_,
            service=self.service.name,
            alarm=self.alarm,
            child=record.child,
            set_aside_at=now,
        )
        envelope = Envelope(uuid7(), self.service.name, id_, now, event.key(), event)
        await self.unit.store.write(conn, [("letter", 1, envelope)])

    def _report(self, record: Record, reason: str) -> None:
        self._metrics.dead_letters_total.labels(self.group).inc()
        level = logging.CRITICAL if self.alarm else logging.ERROR
        log.log(
            level,
            "dead letter",
            extra={
                "consumer": self.group,
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "error": reason,
            },
        )

    async def look_whether_stopped(self) -> None:
        """A restart honours the `stopped` row that an earlier process left."""
        if not self.alarm:
            await self._while_unreachable(self._read_stopped)

    async def _read_stopped(self, conn: asyncpg.Connection) -> None:
        self.note_stopped(await letters.is_stopped(conn, self.group))

    def note_stopped(self, stopped: bool) -> None:
        """What the table says; after a stop the letters are counted anew."""
        if self.state.stopped and not stopped:
            self.state.letters_in_a_row = 0
        self.state.stopped = stopped

    async def _until_resumed(self) -> None:
        while self.state.stopped:
            await asyncio.sleep(0.5)
            await self._while_unreachable(self._read_stopped)


def _handled(record: Record, event: Envelope, outcomes: Sequence[Outcome]) -> Handled:
    reason = _refusal(outcomes)
    outcome = "refused" if reason else "done"
    return Handled(event.id, record.topic, record.partition, record.offset, outcome, reason)


def _refusal(outcomes: Sequence[Outcome]) -> str | None:
    codes = [refusal.code for done in outcomes for refusal in (done.refusal, *done.refusals) if refusal]
    return ", ".join(codes) or None


def describe(error: BaseException) -> tuple[str, str]:
    """The reason of a dead letter and its traceback, without any input value."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    known = isinstance(error, codec.Undecodable | codec.Unregistered)
    reason = mask(f"{type(error).__name__}: {error}") if known else type(error).__name__
    return reason, f"{frames}{reason}"


async def replay(
    consumer: Consumer, pool: asyncpg.Pool, letter_id: int, by: str, discard: bool
) -> "Replayed":
    """Work a letter (or discard it) and then everything that waits behind it, in order of arrival.

    Each in a transaction of its own that holds the parked key, so that new events of the key queue up
    behind; a waiter that fails becomes the letter and the key stays parked. Raises LookupError for a letter
    that is not open or not this consumer's.
    """
    first = await pool.fetchrow("select * from dead_letters where id = $1 and state = 'open'", letter_id)
    if first is None or first["consumer"] != consumer.group or first["kind"] != "letter":
        raise LookupError(letter_id)
    done = 0
    while True:
        async with pool.acquire() as conn, conn.transaction():
            step = await _replay_next(consumer, conn, first, by, discard and done == 0)
        if step == "failed":
            return Replayed(done, failed=True)
        if step == "empty":
            return Replayed(done, failed=False)
        done += 1


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many were settled; failed: one behind them could not be and is the letter now."""

    settled: int
    failed: bool


@contextmanager
def _replayed(record: Record) -> Iterator[None]:
    """A replay goes on in the event's own trace, linked to the request that asked for it."""
    cause, here = record.header("ce_traceparent"), tracing.current()
    with tracing.span("replay", SpanKind.CONSUMER, cause, [here]), logs.subject():
        yield


async def _replay_next(
    consumer: Consumer, conn: Connection, first: asyncpg.Record, by: str, discard: bool
) -> str:
    key = (consumer.group, first["topic"], first["key"])
    if first["key"] is not None:
        await conn.execute(letters.LOCK_KEY, *key)
    row = await conn.fetchrow(letters.NEXT, *key, first["id"])
    if row is None or (first["key"] is None and row["id"] != first["id"]):
        await conn.execute("delete from parked where consumer = $1 and topic = $2 and key = $3", *key)
        return "empty"
    record = letters.stored_record(row)
    if not discard:
        try:
            with _replayed(record):
                async with conn.transaction():
                    await consumer.apply_held(conn, record)
        except Exception as error:
            if out_of_reach(error) or isinstance(error, PASSING):
                raise
            await conn.execute(letters.FAILED_AGAIN, row["id"], *describe(error))
            return "failed"
    elif record.event_id is not None:
        place = (record.topic, record.partition, record.offset)
        await conn.execute(letters.DISCARDED, record.event_id, *place)
    await conn.execute(letters.SETTLE, row["id"], "discarded" if discard else "replayed", by)
    return "settled"
