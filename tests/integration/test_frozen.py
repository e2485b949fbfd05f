"""A process that stood still for longer than its session (a suspended machine) reads on as soon as it can."""

import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from onedoor.contracts.core import Envelope
from onedoor.notify.app import SERVICE
from onedoor.runtime.drivers import SESSION_SECONDS
from tests.harness import Process, eventually, publish, running
from tests.notify import application, planned
from tests.notify_bench import enveloped
from tests.servers import Servers

MIGRATED = (SERVICE,)
pytestmark = pytest.mark.timeout(180)

EACH_TIME = 5


def asked_for_help() -> Envelope:
    now = datetime.now(UTC)
    return enveloped(application(planned(), at=now, application_id=uuid4(), chain_id=uuid4()), now)


async def test_what_came_while_it_stood_still_is_handled_before_another_session_is_over(
    servers: Servers, database: str, topic_suffix: str, tmp_path: Path
) -> None:
    environment = {
        "ONEDOOR_ENVIRONMENT": "test",
        "ONEDOOR_POSTGRES": database,
        "ONEDOOR_KAFKA": servers.kafka,
        "ONEDOOR_TOPIC_SUFFIX": topic_suffix,
    }
    notify = Process("onedoor.notify", environment, tmp_path / "notify.log")
    conn = await asyncpg.connect(database, server_settings={"search_path": "notify"})
    sent = 0

    async def ask() -> None:
        nonlocal sent
        sent += EACH_TIME
        events = [asked_for_help() for _ in range(EACH_TIME)]
        await publish(servers.kafka, f"intake.application{topic_suffix}", events)

    async def all_handled() -> bool:
        return bool(await conn.fetchval("select count(*) from inbox") == sent)

    try:
        async with running(notify):
            await ask()
            await eventually(all_handled, 30, "what comes is handled")
            notify.send(signal.SIGSTOP)
            thawed = asyncio.get_running_loop().time() + SESSION_SECONDS + 1
            while asyncio.get_running_loop().time() < thawed:
                await ask()
                await asyncio.sleep(0.5)
            notify.send(signal.SIGCONT)
            await eventually(all_handled, SESSION_SECONDS, "what came meanwhile is handled")
            await ask()
            await eventually(all_handled, SESSION_SECONDS, "and what comes afterwards")
    finally:
        await conn.close()
