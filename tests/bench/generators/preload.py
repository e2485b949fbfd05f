"""The generator: publishes applications that concern assistance, as intake's relay would."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer
from uuid_utils.compat import uuid7

from onedoor.contracts import codec
from onedoor.contracts.core import Envelope
from onedoor.contracts.events.intake import ApplicationReceived, Subject
from onedoor.contracts.plan import Plan, PlannedService
from tests.bench.meter import answer, asked

CHAINS = 10_000
PLAN = Plan(services=(PlannedService(name="assistance", urgency="ordinary"),))


def application(chain_id: UUID) -> Envelope:
    """A new application of that chain, whose plan names assistance."""
    now, id_ = datetime.now(UTC), uuid4()
    event = ApplicationReceived(
        application_id=id_,
        chain_id=chain_id,
        receipt="QZ-20260303-ABCDEF-7",
        kind="application",
        channel="hotline",
        caller_role="self",
        received_at=now,
        recorded_at=now,
        place_division="500112015",
        subjects=(Subject(person_id=uuid4(), age=9), Subject(person_id=uuid4(), age=40)),
        plan=PLAN,
    )
    return Envelope(
        id=uuid7(),
        source="intake",
        subject=id_,
        time=now,
        key=event.key(),
        data=event,
        classification=event.classification(),
        traceparent=f"00-{id_.hex}-{id_.hex[:16]}-00",
    )


def chains() -> list[UUID]:
    """The help chains whose applications take turns."""
    return [uuid4() for _ in range(CHAINS)]


def messages(count: int) -> Iterator[codec.Message]:
    known = chains()
    for number in range(count):
        yield codec.encode(application(known[number % CHAINS]))


async def main() -> None:
    question = asked()
    producer = AIOKafkaProducer(bootstrap_servers=question["kafka"], enable_idempotence=True, linger_ms=5)
    await producer.start()
    size = 0
    for message in messages(question["count"]):
        await producer.send(question["topic"], message.value, key=message.key, headers=message.headers)
        size += len(message.value or b"")
    await producer.stop()
    answer({"mean_bytes": size / question["count"]})


if __name__ == "__main__":
    asyncio.run(main())
