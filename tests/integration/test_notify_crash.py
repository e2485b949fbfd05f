"""notify killed in the middle of its own work: every step is taken afterwards, once, at its own moment."""

import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from onedoor.notify.app import SERVICE
from onedoor.notify.domain.clock import clock_id
from onedoor.runtime.migrate import migrate
from tests.harness import Process, eventually, publish, read_topic
from tests.integration.dying_notify import STEPS
from tests.notify import application, of_plan, planned
from tests.notify_bench import enveloped, settings_for
from tests.servers import Servers

HOUR = timedelta(hours=1)
R1 = of_plan("R1", "public-security")
BREACHED = "select aggregateid, time from events where type = 'clock.breached'"


@pytest.mark.parametrize("step", STEPS)
async def test_killed_around_the_commit_of_a_sweep_every_breach_is_published_once(
    step: str, servers: Servers, database: str, topic_suffix: str, tmp_path: Path
) -> None:
    await migrate(SERVICE, settings_for(servers, database, tmp_path / "dev.key"))
    now = datetime.now(UTC)
    report = application(planned("R1", "public-security", "critical"), at=now - 3 * HOUR)
    await publish(servers.kafka, f"intake.alarm{topic_suffix}", [enveloped(report, now)])
    process = Process(
        "tests.integration.dying_notify",
        {
            "ONEDOOR_ENVIRONMENT": "test",
            "ONEDOOR_POSTGRES": database,
            "ONEDOOR_KAFKA": servers.kafka,
            "ONEDOOR_TOPIC_SUFFIX": topic_suffix,
            "NOTIFY_CRASH": step,
            "NOTIFY_MARKER": str(tmp_path / "crashed"),
        },
        tmp_path / "notify.log",
    )
    expected = {
        clock_id("ack", R1): now - 3 * HOUR + timedelta(minutes=30),
        clock_id("action", R1): now - HOUR,
    }
    conn = await asyncpg.connect(database, server_settings={"search_path": "notify"})
    try:
        process.start()
        assert await process.ended() == -signal.SIGKILL, process.tail()
        committed = await conn.fetch(BREACHED)
        assert len(committed) == (0 if step == "writes-commit" else 2)
        process.start()

        async def settled() -> bool:
            breached = await conn.fetch(BREACHED)
            return len(breached) >= 2 and not await conn.fetchval("select count(*) from pending")

        await eventually(settled, 30, process.tail())
        assert Counter(map(tuple, await conn.fetch(BREACHED))) == Counter(expected.items())
        events = await read_topic(servers.kafka, f"notify.clock{topic_suffix}")
        breached = {
            event.id: (event.subject, event.time) for event in events if event.type == "clock.breached"
        }
        assert sorted(breached.values()) == sorted(expected.items()), (
            "one event each, however often delivered"
        )
    finally:
        await conn.close()
        await process.stop()
