"""How far each consumer group is behind, per topic, in events and in seconds, as Kafka itself knows it."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from onedoor.runtime.settings import Settings

PATIENCE = 4.0
OLDEST_WAIT = 1.0

Offsets = Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Lag:
    """One topic as one group reads it. seconds: the age of the oldest event not worked off; None: unknown."""

    topic: str
    group: str
    events: int
    seconds: float | None

    @property
    def state(self) -> str:
        """`steady`, `slow` (behind by seconds) or `stalled` (behind by more than a minute)."""
        if self.events == 0 or self.seconds is None or self.seconds < 5:
            return "steady"
        return "slow" if self.seconds < 60 else "stalled"


async def lags(settings: Settings, groups: Mapping[str, Iterable[str]]) -> list[Lag] | None:
    """The lag of each group on each of its topics; None while Kafka does not answer."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await _lags(settings, groups)
    except (KafkaError, OSError, TimeoutError):
        return None


async def _lags(settings: Settings, groups: Mapping[str, Iterable[str]]) -> list[Lag]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    reader = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False)
    try:
        await asyncio.gather(admin.start(), reader.start())
        found: list[Lag] = []
        for group, topics in groups.items():
            offsets = await admin.list_consumer_group_offsets(group + settings.topic_suffix)
            committed = {tp: held.offset for tp, held in offsets.items() if held.offset >= 0}
            found += await _of_group(reader, group, set(topics), committed, settings.topic_suffix)
        return found
    finally:
        await asyncio.gather(reader.stop(), admin.close(), return_exceptions=True)


async def _of_group(
    reader: AIOKafkaConsumer, group: str, topics: set[str], committed: Offsets, suffix: str
) -> list[Lag]:
    named = {topic + suffix: topic for topic in topics}
    partitions = [tp for tp in committed if tp.topic in named]
    ends: Mapping[TopicPartition, int] = await reader.end_offsets(partitions) if partitions else {}
    behind: dict[str, int] = defaultdict(int)
    late: dict[str, list[TopicPartition]] = defaultdict(list)
    for tp in partitions:
        missing = max(ends[tp] - committed[tp], 0)
        behind[tp.topic] += missing
        if missing:
            late[tp.topic].append(tp)
    return [
        Lag(topic, group, behind[full], await _age(reader, late[full], committed))
        for full, topic in sorted(named.items())
    ]


async def _age(reader: AIOKafkaConsumer, late: list[TopicPartition], committed: Offsets) -> float | None:
    """The age of the oldest event that waits, by the broker's own time stamps."""
    if not late:
        return 0.0
    reader.assign(late)
    for tp in late:
        reader.seek(tp, committed[tp])
    stamps: list[int] = []
    for tp in late:
        batch: Any = await reader.getmany(tp, timeout_ms=int(OLDEST_WAIT * 1000), max_records=1)
        stamps += [message.timestamp for messages in batch.values() for message in messages]
    if not stamps:
        return None
    return max(datetime.now(UTC).timestamp() - min(stamps) / 1000, 0.0)
