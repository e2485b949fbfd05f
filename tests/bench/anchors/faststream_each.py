"""FastStream as one would use it: a handler for each event, one transaction, acknowledged afterwards."""

import asyncio
from uuid import uuid4

import asyncpg
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from tests.bench.anchors.work import row, store_one
from tests.bench.meter import Meter, answer, asked

question = asked()
broker = KafkaBroker(question["kafka"], logger=None)
app = FastStream(broker, logger=None)
meter = Meter(question["count"])
connected: list[asyncpg.Connection] = []


@app.on_startup
async def connect() -> None:
    connected.append(await asyncpg.connect(question["postgres"]))


@broker.subscriber(
    question["topic"], group_id=uuid4().hex, auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR
)
async def handle(message: KafkaMessage) -> None:
    raw = message.raw_message
    await store_one(connected[0], row(raw.topic, raw.partition, raw.offset, raw.value, raw.headers))
    if meter.add(1):
        answer(meter.figures())


if __name__ == "__main__":
    asyncio.run(app.run())
