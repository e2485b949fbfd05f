"""The least that takes an event in and sends it on: sets as in `aiokafka_sets`, and a relay that NOTIFY
wakes, both in one process. What it sends on is the event itself, so that hops can follow one another.
"""

import asyncio
from contextlib import suppress
from uuid import uuid4

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.bench.anchors.work import row, store_sets
from tests.bench.meter import asked

BATCH = PAGE = 500
CHANNEL = "anchor_outbox"


async def take_in(question: dict[str, str]) -> None:
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
    print("ready", flush=True)
    while True:
        found = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
        rows = [
            row(message.topic, message.partition, message.offset, message.value, message.headers)._replace(
                state=message.value.decode()
            )
            for messages in found.values()
            for message in messages
        ]
        if rows:
            async with conn.transaction():
                await store_sets(conn, rows)
                await conn.execute(f"notify {CHANNEL}")
            await consumer.commit()


async def send_on(question: dict[str, str]) -> None:
    conn = await asyncpg.connect(question["postgres"])
    producer = AIOKafkaProducer(bootstrap_servers=question["kafka"], enable_idempotence=True, linger_ms=0)
    await producer.start()
    wake = asyncio.Event()
    await conn.add_listener(CHANNEL, lambda *_: wake.set())
    while True:
        wake.clear()
        page = await conn.fetch(
            "select position, id, key, payload from anchor.outbox order by position limit $1", PAGE
        )
        if not page:
            with suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), 1)
            continue
        sent = [
            await producer.send(
                question["out"],
                row["payload"].encode(),
                key=row["key"].encode(),
                headers=[("ce_id", str(row["id"]).encode())],
            )
            for row in page
        ]
        await asyncio.gather(*sent)
        positions = [row["position"] for row in page]
        await conn.execute("delete from anchor.outbox where position = any($1::bigint[])", positions)


async def main() -> None:
    question = asked()
    await asyncio.gather(take_in(question), send_on(question))


if __name__ == "__main__":
    uvloop.run(main())
