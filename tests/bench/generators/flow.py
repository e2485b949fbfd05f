"""Publishes applications at random moments, `rate` a second, and waits for what becomes of each on `out`.

The time of one counts from the moment at which it was due to the moment at which its case is in hand here.
"""

import asyncio
import json
import random
import time

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from onedoor.contracts import codec
from onedoor.dev.topics import declared
from tests.bench.generators.preload import application, chains
from tests.bench.meter import answer, asked, percentiles

PATIENCE = 60


class Arrivals:
    """When each application was due, and how long its case took."""

    def __init__(self, count: int) -> None:
        self.due: dict[str, float] = {}
        self.took: list[float] = []
        self.all = asyncio.Event()
        self._count = count

    async def watch(self, consumer: AIOKafkaConsumer) -> None:
        async for message in consumer:
            due = self.due.pop(json.loads(message.value)["application_id"], None)
            if due is not None:
                self.took.append(time.perf_counter() - due)
            if len(self.took) == self._count:
                self.all.set()
                return


async def send(producer: AIOKafkaProducer, topic: str, rate: float, count: int, arrivals: Arrivals) -> None:
    """Publish `count` applications, each when it is due."""
    rng, due, known = random.Random(), time.perf_counter(), chains()
    for _ in range(count):
        due += rng.expovariate(rate)
        await asyncio.sleep(due - time.perf_counter())
        event = application(rng.choice(known))
        message = codec.encode(event)
        arrivals.due[str(event.subject)] = due
        await producer.send(topic, message.value, key=message.key, headers=message.headers)


async def main() -> None:
    question = asked()
    consumer = AIOKafkaConsumer(bootstrap_servers=question["kafka"])
    producer = AIOKafkaProducer(bootstrap_servers=question["kafka"], enable_idempotence=True, linger_ms=0)
    await consumer.start()
    partitions = [TopicPartition(question["out"], number) for number in range(declared().partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_end(*partitions)
    for partition in partitions:
        await consumer.position(partition)
    await producer.start()
    arrivals = Arrivals(question["count"])
    watching = asyncio.create_task(arrivals.watch(consumer))
    await send(producer, question["topic"], question["rate"], question["count"], arrivals)
    await asyncio.wait_for(arrivals.all.wait(), PATIENCE)
    await watching
    answer(percentiles(arrivals.took))


if __name__ == "__main__":
    uvloop.run(main())
