"""Real servers for tests: the resolver of `make up`, free ports, and databases that are cheap to make.

`python -m tests.servers command …` runs a command beside servers that all its processes share.
"""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
from pydantic import BaseModel

from onedoor.dev import ports
from onedoor.dev.postgres import with_database
from onedoor.dev.resolve import Servers, resolve
from onedoor.dev.settings import DevSettings
from tests import nursery

__all__ = ["Servers", "cloned", "empty_database", "migrated_template", "servers_for_tests"]

MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
"""Bytes; a whole run of the tests takes less than half of it."""


SHARED = "ONEDOOR_TEST_SERVERS"
"""The variable that names servers which several test processes share, and a template in them."""


class Shared(BaseModel):
    """Servers with a database in which every service has migrated."""

    servers: Servers
    template: str


def shared() -> Shared | None:
    """What this process shares with others, if it was started so."""
    told = os.environ.get(SHARED)
    return Shared.model_validate_json(told) if told else None


@asynccontextmanager
async def servers_for_tests() -> AsyncIterator[Servers]:
    """Kafka and PostgreSQL: shared ones, else as the environment says, else embedded ones of our own.

    These are on free ports, and their data is thrown away.
    """
    if (given := shared()) is not None:
        yield given.servers
        return
    with tempfile.TemporaryDirectory(
        prefix="onedoor-test-", dir=_in_memory(), ignore_cleanup_errors=True
    ) as home:
        port = ports.free(3)
        settings = DevSettings(home=Path(home), kafka_port=port, postgres_port=port + 2, durable=False)
        async with resolve(settings) as servers:
            yield servers


def _in_memory() -> Path | None:
    """A folder in memory with room enough, if any: databases are made three times as fast there."""
    with suppress(OSError):
        if shutil.disk_usage(MEMORY).free > ROOM and os.access(MEMORY, os.W_OK):
            return MEMORY
    return None


@asynccontextmanager
async def empty_database(server: str) -> AsyncIterator[str]:
    """A new database without anything; gives its DSN, drops it at the end."""
    async with _made(server, "strategy file_copy") as dsn:
        yield dsn


@asynccontextmanager
async def cloned(template: str) -> AsyncIterator[str]:
    """A copy of the database at this DSN, to which nobody may be connected; dropped at the end."""
    name = template.partition("?")[0].rpartition("/")[2]
    async with _made(with_database(template, "postgres"), f'template "{name}" strategy file_copy') as dsn:
        yield dsn


@asynccontextmanager
async def _made(server: str, clause: str) -> AsyncIterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    await _execute(server, f'create database "{name}" {clause}')
    try:
        yield with_database(server, name)
    finally:
        await _execute(server, f'drop database "{name}" with (force)')


async def _execute(dsn: str, statement: str) -> None:
    conn = await asyncpg.connect(dsn)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


@asynccontextmanager
async def migrated_template(servers: Servers, dev_key: Path) -> AsyncIterator[str]:
    """A database in which every service has migrated. Raises RuntimeError with what a migration said."""
    if (given := shared()) is not None and given.servers == servers:
        yield given.template
        return
    async with empty_database(servers.postgres) as dsn:
        settings = {
            "ONEDOOR_ENVIRONMENT": "test",
            "ONEDOOR_KAFKA": servers.kafka,
            "ONEDOOR_POSTGRES": dsn,
            "ONEDOOR_DEV_KEY": str(dev_key),
        }
        log = dev_key.with_name("migrate.log")
        process = nursery.born("onedoor.dev.migrate", os.environ | settings, dev_key.parent, log)
        await asyncio.to_thread(process.join)
        if process.exitcode:
            raise RuntimeError(log.read_text())
        yield dsn


async def _beside_servers(command: Sequence[str]) -> int:
    """Run the command to its end, which SIGTERM hastens; its status."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory(prefix="onedoor-test-") as folder:
        async with (
            servers_for_tests() as servers,
            migrated_template(servers, Path(folder) / "dev.key") as template,
        ):
            print(f"servers: {servers}", flush=True)
            told = Shared(servers=servers, template=template).model_dump_json()
            process = await asyncio.create_subprocess_exec(*command, env={**os.environ, SHARED: told})
            try:
                return await process.wait()
            finally:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(_beside_servers(sys.argv[1:])))
