"""The least that could do it in batches: aiokafka's getmany(500), one set statement, one commit for each."""

import asyncio
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer

from tests.bench.anchors.work import row, store_sets
from tests.bench.meter import Meter, answer, asked

BATCH = 500


async def main() -> None:
    question = asked()
    conn = await asyncpg.connect(question["postgres"])
    consumer = AIOKafkaConsumer(
        question["topic"],
        bootstrap_servers=question["kafka"],
        group_id=uuid4().hex,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=BATCH,
    )
    await consumer.start()
    meter = Meter(question["count"])
    while True:
        found = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
        rows = [
            row(message.topic, message.partition, message.offset, message.value, message.headers)
            for messages in found.values()
            for message in messages
        ]
        if rows:
            await store_sets(conn, rows)
            await consumer.commit()
            if meter.add(len(rows)):
                answer(meter.figures())


if __name__ == "__main__":
    asyncio.run(main())
