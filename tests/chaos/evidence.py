"""What a run proves: whether its kills hit work, as seen from outside in Kafka's offsets and the inbox."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from onedoor.contracts import codec
from onedoor.runtime.service import Service
from tests.conservation import TOPICS
from tests.harness import PARTITIONS

COPY = ("chaos", b"copy")
"""The header that tells our copies from what a relay published again."""

HANDLED = """
select count(*) from {schema}.inbox
join unnest($1::text[], $2::int[], $3::bigint[]) as kept (topic, partition, done) using (topic, partition)
where "offset" >= done
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a kill found.

    open: transactions that had not ended; relays: those that had published rows and not deleted them;
    uncommitted: events that the consumer had not acknowledged; handled: of these, what its inbox held.
    """

    open: int
    relays: int
    uncommitted: int
    handled: int

    @property
    def hit(self) -> bool:
        """Whether there was uncommitted work: events in hand, or done and not acknowledged."""
        return self.uncommitted > 0 and (self.open > 0 or self.handled > 0)

    def __str__(self) -> str:
        return f"{self.open}/{self.relays}/{self.uncommitted}/{self.handled}"


@dataclass
class Evidence:
    """What was done, and whether the kills hit work.

    kills: by consumer, what each kill found; redelivered: what its inbox dropped afterwards; republished:
    rows that a relay published again; ended: processes that went down by themselves.
    """

    faults: Counter[str] = field(default_factory=Counter)
    kills: dict[str, list[Found]] = field(default_factory=lambda: defaultdict(list))
    redelivered: Counter[str] = field(default_factory=Counter)
    republished: int = 0
    ended: Counter[str] = field(default_factory=Counter)

    def lacks(self) -> list[str]:
        """What the run did not prove."""
        lacks = [
            f"no kill of {name} found uncommitted work"
            for name, kills in self.kills.items()
            if not any(found.hit for found in kills)
        ]
        if not self.kills:
            lacks.append("nothing was killed")
        if not self.redelivered.total():
            lacks.append("no inbox dropped anything that was delivered again")
        if not self.republished:
            lacks.append("no relay published a row again")
        return lacks

    def __str__(self) -> str:
        kills = {name: ", ".join(map(str, found)) for name, found in self.kills.items()}
        return (
            f"{self.faults.total()} faults {dict(self.faults)}\n"
            f"kills (open transactions/relays in between/unacknowledged events/of these handled) {kills}\n"
            f"dropped by inboxes after kills {dict(self.redelivered)}\n"
            f"published again {self.republished}; ended by themselves {dict(self.ended)}"
        )


async def acknowledged(bootstrap: str, service: Service) -> Mapping[TopicPartition, int]:
    """How far the service's consumer groups have acknowledged each partition that it reads."""
    done = {TopicPartition(topic, number): 0 for topic in service.reads for number in range(PARTITIONS)}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        for group in (service.name, f"{service.name}-alarm"):
            kept = await admin.list_consumer_group_offsets(group)
            done |= {tp: each.offset for tp, each in kept.items() if each.offset > 0}
    finally:
        await admin.close()
    return done


async def unacknowledged(
    bootstrap: str, postgres: str, service: Service, ends: Mapping[TopicPartition, int]
) -> tuple[int, int]:
    """What a dead service had not acknowledged up to these ends, and how much of it its inbox holds."""
    done = await acknowledged(bootstrap, service)
    conn = await asyncpg.connect(postgres)
    try:
        columns = ([tp.topic for tp in done], [tp.partition for tp in done], list(done.values()))
        handled = await conn.fetchval(HANDLED.format(schema=service.schema), *columns)
    finally:
        await conn.close()
    return sum(max(end - done[tp], 0) for tp, end in ends.items()), handled


async def ends_of(bootstrap: str, service: Service) -> Mapping[TopicPartition, int]:
    """Where the topics that the service reads end now."""
    partitions = [TopicPartition(topic, number) for topic in service.reads for number in range(PARTITIONS)]
    async with _reader(bootstrap) as consumer:
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
        return ends


async def published_again(bootstrap: str) -> int:
    """How many events stand on the topics more than once, our own copies left out."""
    ids: Counter[bytes] = Counter()
    for topic in TOPICS:
        for message in await messages(bootstrap, topic):
            headers = dict(message.headers)
            if COPY[0] not in headers:
                ids[headers["ce_id"]] += 1
    return sum(count - 1 for count in ids.values())


async def messages(bootstrap: str, topic: str, tail: int | None = None) -> list[codec.Message]:
    """What is on the topic as it travels, partition by partition; tail: at most so many of each."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    found: list[codec.Message] = []
    async with _reader(bootstrap) as consumer:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for tp in partitions:
            consumer.seek(tp, 0 if tail is None else max(ends[tp] - tail, 0))
        for tp in partitions:
            while await consumer.position(tp) < ends[tp]:
                batch = (await consumer.getmany(tp, timeout_ms=1000)).get(tp, ())
                found += [codec.Message(each.key, each.value, list(each.headers)) for each in batch]
    return found


@asynccontextmanager
async def _reader(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
