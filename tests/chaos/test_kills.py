"""While applications are posted, every process is killed and started again: nothing is lost or doubled."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg

from onedoor.dev.topics import ensure_topics
from tests.conservation import conserved
from tests.killable import KillableServers, killable_servers
from tests.load import steady
from tests.migrated import migrate_all
from tests.system import System, running_system

SEED = int(os.environ.get("ONEDOOR_CHAOS_SEED", "20260303"))
PER_SECOND = 5
SECONDS = 60


async def kill_service(system: System, name: str) -> None:
    """SIGKILL, then a new process, as the process manager would."""
    process = system.processes[name]
    process.send(9)
    await process.ended()
    process.start()
    await process.ready()


async def kill_kafka(servers: KillableServers) -> None:
    servers.kafka_server.kill()
    await asyncio.sleep(2)
    servers.kafka_server.start()
    await servers.kafka_ready()


async def kill_postgres(servers: KillableServers) -> None:
    servers.postgres_server.kill()
    await asyncio.sleep(2)
    servers.postgres_server.start()
    await servers.postgres_ready()


async def test_every_process_is_killed_in_turn_and_every_receipt_arrives_exactly_once(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    async with killable_servers() as servers:
        conn = await asyncpg.connect(servers.postgres)
        await conn.execute("create database chaos")
        await conn.close()
        database = servers.postgres.rpartition("/")[0] + "/chaos"
        await ensure_topics(servers.kafka)
        await migrate_all(database)
        async with running_system(servers.kafka, database, "", tmp_path) as system:
            kills: list[Callable[[], Awaitable[None]]] = [
                *(lambda name=name: kill_service(system, name) for name in system.processes),
                lambda: kill_kafka(servers),
                lambda: kill_postgres(servers),
            ]
            async with system.client("intake") as client:
                load = asyncio.create_task(steady(client, SEED, PER_SECOND, SECONDS))
                for kill in kills:
                    await asyncio.sleep(3)
                    await kill()
                posted = await load
            assert len(posted.accepted) == PER_SECOND * SECONDS
            assert len({accepted.receipt for accepted in posted.accepted}) == len(posted.accepted)
            assert posted.unanswered, "the kills should have hit requests"
            async with system.client("desk") as desk:
                await conserved(desk, servers.kafka, "", posted.accepted, timeout=60)
            print(f"accepted {len(posted.accepted)}, refused {dict(posted.refused)}, cut {posted.unanswered}")
