"""Killed between any two steps, a service makes exactly one effect of every event and loses none."""

import asyncio
import signal
from collections import Counter
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.harness import Process, eventually, publish, read_topic
from tests.integration.toy import TOY, withdrawal
from tests.servers import Servers

MIGRATED = (TOY,)
STEPS = ["decide-write", "write-commit", "commit-acknowledge", "before-publish", "publish-delete"]
EVENTS = 300


@pytest.mark.parametrize("step", STEPS)
async def test_killed_between_two_steps_nothing_is_lost_or_doubled(
    step: str, servers: Servers, database: str, topic_suffix: str, tmp_path: Path
) -> None:
    events = [withdrawal(UUID(int=number % 17 + 1), id_=uuid4()) for number in range(EVENTS)]
    await publish(servers.kafka, f"intake.application{topic_suffix}", events)

    process = Process(
        "tests.integration.toy",
        {
            "ONEDOOR_ENVIRONMENT": "test",
            "ONEDOOR_POSTGRES": database,
            "ONEDOOR_KAFKA": servers.kafka,
            "ONEDOOR_TOPIC_SUFFIX": topic_suffix,
            "TOY_CRASH": step,
            "TOY_MARKER": str(tmp_path / "crashed"),
        },
        tmp_path / "toy.log",
    )
    process.start()
    assert await process.ended() == -signal.SIGKILL, process.tail()
    process.start()
    conn = await asyncpg.connect(database, server_settings={"search_path": "toy"})
    try:

        async def settled() -> bool:
            handled = await conn.fetchval("select count(*) from inbox")
            waiting = await conn.fetchval("select count(*) from pending")
            return bool(handled == EVENTS and waiting == 0)

        await eventually(settled, 40, process.tail())
        causes = Counter(row["cause"] for row in await conn.fetch("select cause from events"))
        assert causes == Counter(event.id for event in events)
        published = await read_topic(servers.kafka, f"assistance.case{topic_suffix}")
        assert {event.cause for event in published} == {event.id for event in events}
        assert len({event.id for event in published}) == EVENTS
        if step == "publish-delete":
            assert len(published) > EVENTS, "the kill should have made the relay publish rows again"
        folded = await conn.fetch("select state->>'seen' as seen from aggregates")
        assert sum(int(row["seen"]) for row in folded) == EVENTS
    finally:
        await conn.close()
        await process.stop()
        await asyncio.sleep(0)
