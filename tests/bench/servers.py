"""The benchmarks' own Kafka and PostgreSQL: free ports, a folder that is thrown away, room to work."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from onedoor.dev import ports
from onedoor.dev.program import Alive, Program, running
from onedoor.dev.resolve import Servers, resolve
from onedoor.dev.settings import DevSettings

_POSTGRES = ("-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB", "-c", "max_connections=200")
_KAFKA = {"-Xmx512m": "-Xmx768m", "-XX:TieredStopAtLevel=1": "-XX:+TieredCompilation"}
"""A long load: the quick start of a development broker would cost throughput."""


@asynccontextmanager
async def servers_for_bench(folder: Path) -> AsyncIterator[Servers]:
    """Both servers, durable, under the folder; stopped at the end."""
    port = ports.free(3)
    settings = DevSettings(
        home=folder, kafka=None, postgres=None, kafka_port=port, postgres_port=port + 2, durable=True
    )
    async with resolve(settings, _roomy) as servers:
        yield servers


def _roomy(program: Program) -> AbstractAsyncContextManager[Alive]:
    argv = tuple(_KAFKA.get(part, part) for part in program.argv)
    return running(replace(program, argv=argv + (_POSTGRES if program.name == "postgres" else ())))


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for the servers' data and the logs; PostgreSQL's own user may write there."""
    return tempfile.TemporaryDirectory(prefix="onedoor-bench-", ignore_cleanup_errors=True)
