"""The least relay: read a page of the outbox, send all of it, wait for Kafka, delete it."""

import asyncio

import asyncpg
from aiokafka import AIOKafkaProducer

from tests.bench.meter import Meter, answer, asked

PAGE = 500


async def main() -> None:
    question = asked()
    conn = await asyncpg.connect(question["postgres"])
    producer = AIOKafkaProducer(bootstrap_servers=question["kafka"], enable_idempotence=True, linger_ms=0)
    await producer.start()
    meter = Meter(question["count"])
    while True:
        page = await conn.fetch(
            "select position, id, type, key, payload from anchor.outbox order by position limit $1", PAGE
        )
        sent = [
            await producer.send(
                question["topic"],
                row["payload"].encode(),
                key=row["key"].encode(),
                headers=[("id", row["id"].bytes), ("type", row["type"].encode())],
            )
            for row in page
        ]
        await asyncio.gather(*sent)
        positions = [row["position"] for row in page]
        await conn.execute("delete from anchor.outbox where position = any($1::bigint[])", positions)
        if meter.add(len(page)):
            answer(meter.figures())


if __name__ == "__main__":
    asyncio.run(main())
