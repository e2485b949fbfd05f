"""What reaches a consumer is done, waits or is set aside, whatever its bytes and whatever PostgreSQL does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from onedoor.contracts import codec
from onedoor.contracts.core import SYSTEM, Context, Envelope
from onedoor.runtime import database as db
from onedoor.runtime import letters
from onedoor.runtime.app import service_app
from onedoor.runtime.clock import Clock
from onedoor.runtime.consumer import Consumer, replay
from onedoor.runtime.letters import Record
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.service import Service
from onedoor.runtime.unit import Directive, Unit
from tests.harness import eventually, publish
from tests.integration.toy import TOY, Settings, withdrawal
from tests.servers import Servers

MIGRATED = (TOY,)
LIMIT = 3


def record(event: Envelope, offset: int) -> Record:
    return Record("intake.application", 0, offset, *codec.encode(event))


@pytest.fixture
async def settings(database: str) -> Settings:
    return Settings(environment="test", postgres=database)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    pool = await db.pool(TOY, settings, "writer")
    yield pool
    await pool.close()


@pytest.fixture
async def made(settings: Settings, pool: asyncpg.Pool) -> AsyncIterator[Callable[..., Consumer]]:
    consumers: list[Consumer] = []

    def make(service: Service = TOY, alarm: bool = False) -> Consumer:
        unit = Unit(service, pool, Clock("test"))
        consumer = Consumer(service, unit, "toy", lambda: db.connect(TOY, settings), Metrics(), LIMIT, alarm)
        consumers.append(consumer)
        return consumer

    yield make
    for consumer in consumers:
        await consumer.close()


def absorbing(*errors: BaseException) -> Service:
    """The toy, whose `absorb` raises these errors one after the other before it succeeds."""
    left = list(errors)

    async def absorb(conn: Any, events: Sequence[Envelope]) -> None:
        if left:
            raise left.pop(0)

    return replace(TOY, absorb=absorb)


async def outcomes(pool: asyncpg.Pool) -> tuple[int, int, int]:
    """Events done, open letters and parked keys."""
    return (
        await pool.fetchval("select count(*) from inbox where outcome <> 'discarded'"),
        await pool.fetchval("select count(*) from dead_letters where state = 'open'"),
        await pool.fetchval("select count(*) from parked"),
    )


@pytest.mark.parametrize(
    "headers",
    [
        [("ce_type", None)],
        [("ce_type", b"a\0b")],
        [("a\0b", b"x")],
        [("content-type", None), *codec.encode_headers(withdrawal(UUID(int=9)))[:2]],
    ],
)
async def test_headers_that_postgres_cannot_hold_as_text_are_kept_byte_for_byte(
    made: Callable[..., Consumer], pool: asyncpg.Pool, headers: list[tuple[str, bytes | None]]
) -> None:
    await made().work([Record("t", 0, 1, b"k", b"\0", headers), record(withdrawal(UUID(int=1)), 2)])
    assert await outcomes(pool) == (1, 1, 1)
    row = await pool.fetchrow("select * from dead_letters")
    assert letters.stored_record(row) == Record("t", 0, 1, b"k", b"\0", headers)


async def test_a_long_outage_while_setting_aside_is_one_letter_not_many(
    made: Callable[..., Consumer], pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, failures = letters.add, [OSError(), OSError(), ConnectionResetError()]

    async def add_after_outage(*args: Any) -> None:
        if failures:
            raise failures.pop()
        await add(*args)

    monkeypatch.setattr(letters, "add", add_after_outage)
    consumer = made()
    await consumer.work([record(withdrawal(UUID(int=1), "boom"), 1)])
    assert (consumer.state.letters_in_a_row, consumer.state.phase) == (1, "running")
    assert await outcomes(pool) == (0, 1, 1)


async def test_the_limit_stops_and_says_so_at_once(made: Callable[..., Consumer], pool: asyncpg.Pool) -> None:
    consumer = made()
    await consumer.work([record(withdrawal(UUID(int=n), "boom"), n) for n in range(LIMIT)])
    assert consumer.state.phase == "stopped"
    assert await pool.fetchval("select count(*) from stopped") == 1
    consumer.note_stopped(False)
    assert (consumer.state.letters_in_a_row, consumer.state.phase) == (0, "running")


async def test_deadlocks_are_never_the_fault_of_one_event(
    made: Callable[..., Consumer], pool: asyncpg.Pool
) -> None:
    consumer = made(absorbing(*(asyncpg.DeadlockDetectedError() for _ in range(5))))
    await consumer.work([record(withdrawal(UUID(int=1)), 1)])
    assert await outcomes(pool) == (1, 0, 0)


async def test_a_misuse_of_the_connection_is_not_waited_out(
    made: Callable[..., Consumer], pool: asyncpg.Pool
) -> None:
    misuse = [asyncpg.InterfaceError("another operation is in progress") for _ in range(2)]
    await made(absorbing(*misuse)).work([record(withdrawal(UUID(int=1)), 1)])
    assert await outcomes(pool) == (0, 1, 1)


async def test_a_lost_connection_is_let_go(made: Callable[..., Consumer], pool: asyncpg.Pool) -> None:
    consumer = made(absorbing(TimeoutError()))
    before = await consumer.connection()
    await consumer.work([record(withdrawal(UUID(int=1)), 1)])
    assert before.is_closed()
    assert await outcomes(pool) == (1, 0, 0)
    assert not consumer.state.retrying


async def settle(consumer: Consumer, pool: asyncpg.Pool, discard: bool) -> None:
    letter_id = await pool.fetchval("select id from dead_letters where kind = 'letter' and state = 'open'")
    await replay(consumer, pool, letter_id, "ops", discard)


async def test_a_discarded_event_delivered_again_neither_parks_its_key_nor_is_taken(
    made: Callable[..., Consumer], pool: asyncpg.Pool
) -> None:
    bad, consumer = record(withdrawal(UUID(int=1), "boom"), 1), made()
    await consumer.work([bad])
    await settle(consumer, pool, discard=True)
    await consumer.work([bad, record(withdrawal(UUID(int=1), "after"), 2)])
    assert await outcomes(pool) == (1, 0, 0)


async def test_undecodable_and_discarded_it_does_not_park_its_key_for_ever(
    made: Callable[..., Consumer], pool: asyncpg.Pool
) -> None:
    bad, consumer = Record("intake.application", 0, 1, str(UUID(int=1)).encode(), b"rubbish", []), made()
    await consumer.work([bad])
    await settle(consumer, pool, discard=True)
    await consumer.work([bad])
    await consumer.work([record(withdrawal(UUID(int=1), "after"), 2)])
    assert await outcomes(pool) == (1, 0, 0)


@pytest.mark.parametrize("discard", [True, False])
async def test_a_settled_letter_keeps_no_payload(
    made: Callable[..., Consumer], pool: asyncpg.Pool, discard: bool
) -> None:
    consumer = made(absorbing(RuntimeError(), RuntimeError()))
    await consumer.work([record(withdrawal(UUID(int=1)), 1)])
    await settle(consumer, pool, discard)
    row = await pool.fetchrow("select state, value from dead_letters")
    assert tuple(row or ()) == ("discarded" if discard else "replayed", None)


async def test_two_operators_who_replay_at_once_settle_it_once(
    made: Callable[..., Consumer], pool: asyncpg.Pool
) -> None:
    consumer = made(absorbing(RuntimeError(), RuntimeError()))
    keyless = record(withdrawal(UUID(int=1)), 1)._replace(key=None)
    await consumer.work([keyless])
    letter_id = await pool.fetchval("select id from dead_letters")
    both = await asyncio.gather(*(replay(consumer, pool, letter_id, who, False) for who in "ab"))
    assert sorted(done.settled for done in both) == [0, 1]


async def test_what_waits_behind_a_letter_keeps_its_order(
    made: Callable[..., Consumer], pool: asyncpg.Pool
) -> None:
    consumer = made(absorbing(RuntimeError(), RuntimeError()))
    events = [withdrawal(UUID(int=1), f"{n}", uuid4()) for n in range(6)]
    records = [record(event, n) for n, event in enumerate(events)]
    await consumer.work(records[:1])
    await consumer.work(records[1:])
    await settle(consumer, pool, discard=False)
    rows = await pool.fetch("select cause from events order by version")
    assert [row["cause"] for row in rows] == [event.id for event in events]


CALLS = "select payload, topic, key from events where type = 'letter.set_aside'"


@pytest.mark.parametrize(
    ("alarm", "child", "calls"), [(False, False, 0), (False, True, 1), (True, False, 1), (True, True, 1)]
)
async def test_a_letter_among_alarms_or_of_a_child_calls_for_somebody_once(
    made: Callable[..., Consumer], pool: asyncpg.Pool, alarm: bool, child: bool, calls: int
) -> None:
    """Delivered again it is the same letter; the call names the service, and no chain."""
    chain = uuid4()
    event = replace(withdrawal(chain), classification="child" if child else "internal")
    errors = [RuntimeError("boom") for _ in range(4)]
    for _ in range(2):
        consumer = made(absorbing(*errors), alarm)
        await consumer.work([record(event, 7)])
    rows = await pool.fetch(CALLS)
    assert [(row["topic"], row["key"]) for row in rows] == [("ops.letter", "toy")] * calls
    for row in rows:
        assert str(chain) not in row["payload"]
        assert f'"alarm": {"true" if alarm else "false"}' in row["payload"]


async def parked_behind_a_letter(made: Callable[..., Consumer]) -> tuple[Consumer, Record]:
    consumer, letter = made(absorbing(RuntimeError(), RuntimeError())), record(withdrawal(UUID(int=1)), 1)
    await consumer.work([letter])
    return consumer, letter


WAITED_FOR = """
select exists (select from pg_locks where not granted and transactionid = pg_current_xact_id()::xid)
"""


async def stands(task: asyncio.Task[Any], conn: Any) -> None:
    """Until the task waits for the transaction of this connection, or is done without."""

    async def stood() -> bool:
        return task.done() or bool(await conn.fetchval(WAITED_FOR))

    await eventually(stood, 10, "the one waits for the other")


@asynccontextmanager
async def at_the_end_of_a_replay(
    pool: asyncpg.Pool, consumer: Consumer, *records: Record
) -> AsyncIterator[None]:
    """These records come while a replay holds their key, and wait; after the block it frees the key."""
    assert records[0].key is not None
    key = (consumer.group, records[0].topic, records[0].key)
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute(letters.LOCK_KEY, *key)
        work = asyncio.create_task(consumer.work(records))
        await stands(work, conn)
        yield
        await conn.execute("update dead_letters set state = 'discarded'")
        await conn.execute("delete from parked")
    await work


async def test_what_comes_while_a_replay_ends_is_not_left_waiting_for_it(
    made: Callable[..., Consumer], pool: asyncpg.Pool
) -> None:
    consumer, _ = await parked_behind_a_letter(made)
    async with at_the_end_of_a_replay(pool, consumer, record(withdrawal(UUID(int=1), "next"), 2)):
        pass
    assert await outcomes(pool) == (1, 0, 0)


async def test_what_a_replay_settles_while_it_is_delivered_again_is_not_taken_twice(
    made: Callable[..., Consumer], pool: asyncpg.Pool
) -> None:
    """The consumer has looked into the inbox before it waited: only the inbox itself can know."""
    consumer, letter = await parked_behind_a_letter(made)
    async with at_the_end_of_a_replay(pool, consumer, letter):
        await pool.execute(letters.DISCARDED, letter.event_id, letter.topic, letter.partition, letter.offset)
    assert await outcomes(pool) == (0, 0, 0)
    assert await pool.fetchval("select count(*) from events") == 0


async def test_an_alarm_waits_for_no_parked_key(made: Callable[..., Consumer], pool: asyncpg.Pool) -> None:
    _, letter = await parked_behind_a_letter(made)
    alarm = made(alarm=True)
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute(letters.LOCK_KEY, alarm.group, letter.topic, letter.key)
        async with asyncio.timeout(10):
            await alarm.work([letter])
    assert await outcomes(pool) == (1, 1, 1)


async def test_an_id_that_stands_there_twice_is_looked_for_as_it_is_decoded(
    made: Callable[..., Consumer], pool: asyncpg.Pool
) -> None:
    once = record(withdrawal(UUID(int=1)), 1)
    twice = once._replace(headers=[("ce_id", str(uuid4()).encode()), *once.headers])
    consumer = made()
    for _ in range(2):
        await consumer.work([twice])
    assert await outcomes(pool) == (1, 0, 0)


async def test_who_waits_for_an_aggregate_decides_on_what_the_other_has_made_of_it(
    pool: asyncpg.Pool,
) -> None:
    unit, event = Unit(TOY, pool, Clock("test")), withdrawal(UUID(int=1))
    directive = Directive(tuple(TOY.react(event)), Context(SYSTEM, event.time))
    async with unit.transaction() as tx:
        await unit.run(tx.conn, [directive])

    async def second() -> int:
        async with unit.transaction() as tx:
            return (await unit.run(tx.conn, [directive]))[0][0].version

    async with unit.transaction() as tx:
        await unit.run(tx.conn, [directive])
        other = asyncio.create_task(second())
        await stands(other, tx.conn)
    assert await other == 3


STANDS_HERE = """
select exists (select from pg_locks where not granted and relation = 'inbox'::regclass
               and database = (select oid from pg_database where datname = current_database()))
"""


async def test_a_service_that_is_stopped_ends_what_is_in_hand(
    settings: Settings, servers: Servers, topic_suffix: str
) -> None:
    """Cut short it would be rolled back, and be given again after every planned restart."""
    stopping = settings.model_copy(update={"kafka": servers.kafka, "topic_suffix": topic_suffix})
    other = await asyncpg.connect(settings.postgres, server_settings={"search_path": TOY.schema})

    async def in_hand() -> bool:
        return bool(await other.fetchval(STANDS_HERE))

    try:
        async with other.transaction():
            app = service_app(TOY, stopping)
            life = app.router.lifespan_context(app)
            await life.__aenter__()
            await other.execute("lock table inbox in access exclusive mode")
            await publish(servers.kafka, f"intake.application{topic_suffix}", [withdrawal(UUID(int=1))])
            await eventually(in_hand, 20, "the event is in hand")
            ending = asyncio.create_task(life.__aexit__(None, None, None))
            await asyncio.sleep(0)
        await ending
        assert await other.fetchval("select count(*) from inbox") == 1
    finally:
        await other.close()
