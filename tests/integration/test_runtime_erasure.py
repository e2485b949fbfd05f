"""An erasure that overtakes its person's record in the outbox, and refolding what it nulled."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg
import pytest

from onedoor.contracts.core import SYSTEM, Command, Context, Decider, Event
from onedoor.contracts.events.intake import PersonErased, PersonRecorded
from onedoor.runtime import database as db
from onedoor.runtime.clock import Clock
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.migrate import folded, migrate
from onedoor.runtime.relay import Relay, kafka_producer
from onedoor.runtime.service import Service
from onedoor.runtime.unit import Unit
from tests.harness import read_topic
from tests.integration.toy import MIGRATIONS, Count, Settings
from tests.servers import Servers

PERSON = UUID(int=5)


class Record(Command):
    pass


def decide(state: Count, command: Record, context: Context) -> Sequence[Event]:
    return [PersonRecorded(person_id=command.target, name="Li Invented")]


PEOPLE: Decider[Count] = Decider(
    name="person",
    state=Count,
    initial=Count,
    decide=decide,
    evolve=lambda state, event: Count(seen=state.seen + 1),
    commands=(Record,),
)
SERVICE = Service(name="toy", migrations=MIGRATIONS, deciders=(PEOPLE,))


@pytest.fixture
async def erased(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A database in which a person was recorded, and erased before the relay got to it."""
    settings = Settings(environment="test", postgres=database)
    await migrate(SERVICE, settings)
    pool = await db.pool(SERVICE, settings, "writer")
    async with Unit(SERVICE, pool, Clock("test")).transaction() as tx:
        await tx.execute(Record(target=PERSON), actor=SYSTEM)
    await pool.close()
    owner = await db.connect(SERVICE, settings, "owner")
    await owner.execute("update events set payload = null")
    yield owner
    await owner.close()


async def test_it_travels_as_the_erasure_it_has_become(
    erased: asyncpg.Connection, servers: Servers, topic_suffix: str
) -> None:
    producer = kafka_producer(servers.kafka)

    async def no_connection() -> asyncpg.Connection:
        raise AssertionError("the test gives the connection")

    relay = Relay(SERVICE, no_connection, lambda: producer, Metrics(), topic_suffix)
    try:
        assert await relay.publish_page(erased) == 1
    finally:
        await producer.stop()
    (event,) = await read_topic(servers.kafka, "intake.person" + topic_suffix)
    assert event.data == PersonErased(person_id=PERSON)


async def test_a_nulled_event_folds_to_nothing(erased: asyncpg.Connection) -> None:
    assert await folded(erased, PEOPLE, PERSON) == (Count(seen=0), 1)
