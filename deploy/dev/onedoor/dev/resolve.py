"""Which Kafka and which PostgreSQL: the one answer for `make up` and for the tests.

First an address from the environment (ONEDOOR_KAFKA, ONEDOOR_POSTGRES), then containers where they are asked
for (ONEDOOR_SERVERS=testcontainers), else servers of our own.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from onedoor.dev import kafka, postgres
from onedoor.dev.errors import CannotStart
from onedoor.dev.jars import Say
from onedoor.dev.ports import require_free
from onedoor.dev.program import Launch, Program, running
from onedoor.dev.settings import DevSettings

Backend = Literal["environment", "testcontainers", "embedded"]
_NEEDED_BYTES = 2 * 1024**3


class Servers(BaseModel):
    """Where the two servers are, and whose they are. kafka: host:port; postgres: a superuser's DSN."""

    model_config = ConfigDict(frozen=True)

    kafka: str
    kafka_backend: Backend
    postgres: str
    postgres_backend: Backend

    def __str__(self) -> str:
        return (
            f"Kafka {self.kafka} ({self.kafka_backend}), PostgreSQL {self.postgres} ({self.postgres_backend})"
        )


def backends(settings: DevSettings) -> tuple[Backend, Backend]:
    """Kafka's and PostgreSQL's, without starting anything."""
    return (
        "environment" if settings.kafka else settings.servers,
        "environment" if settings.postgres else settings.servers,
    )


@asynccontextmanager
async def resolve(
    settings: DevSettings, launch: Launch = running, say: Say = lambda _: None
) -> AsyncIterator[Servers]:
    """Both servers, answering, until the context ends: what was started here is stopped here, Kafka first.

    launch runs the embedded ones. Raises CannotStart.
    """
    async with AsyncExitStack() as stack:
        of_kafka, of_postgres = backends(settings)
        postgres_dsn = await _POSTGRES[of_postgres](settings, launch, stack)
        bootstrap = await _KAFKA[of_kafka](settings, launch, stack)
        servers = Servers(
            kafka=bootstrap, kafka_backend=of_kafka, postgres=postgres_dsn, postgres_backend=of_postgres
        )
        say(str(servers))
        yield servers


async def _given_kafka(settings: DevSettings, _launch: Launch, _stack: AsyncExitStack) -> str:
    assert settings.kafka
    if not await kafka.answers(settings.kafka):
        raise CannotStart(f"no Kafka answers at {settings.kafka}: start it, or unset ONEDOOR_KAFKA")
    return settings.kafka


async def _given_postgres(settings: DevSettings, _launch: Launch, _stack: AsyncExitStack) -> str:
    assert settings.postgres
    if not await postgres.answers(settings.postgres):
        raise CannotStart("no PostgreSQL answers at ONEDOOR_POSTGRES: start it, or unset the variable")
    return settings.postgres


def require_disk(folder: Path) -> None:
    """Raises CannotStart when the disk has less than the 2 GiB that the servers need to be at ease."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < _NEEDED_BYTES:
        raise CannotStart(
            f"too little disk: {free / 1024**3:.1f} GiB free at {folder}, 2 GiB needed; "
            "free some, or set ONEDOOR_HOME to a folder on another disk"
        )


def kafka_program(settings: DevSettings) -> Program:
    """The embedded broker, prepared; the download happens here. Raises CannotStart."""
    require_free(settings.kafka_port, "Kafka", "ONEDOOR_KAFKA_PORT")
    require_free(settings.kafka_port + 1, "Kafka's controller, the port after Kafka's", "ONEDOOR_KAFKA_PORT")
    return kafka.program(
        settings.root / "kafka", settings.downloads, settings.kafka_port, settings.logs / "kafka.log"
    )


def postgres_program(settings: DevSettings) -> Program:
    """The embedded database server, prepared. Raises CannotStart."""
    require_free(settings.postgres_port, "PostgreSQL", "ONEDOOR_POSTGRES_PORT")
    return postgres.program(
        settings.root / "postgres", settings.postgres_port, settings.logs / "postgres.log", settings.durable
    )


async def _embedded_kafka(settings: DevSettings, launch: Launch, stack: AsyncExitStack) -> str:
    require_disk(settings.root)
    prepared = await asyncio.to_thread(kafka_program, settings)
    bootstrap = f"127.0.0.1:{settings.kafka_port}"
    alive = await stack.enter_async_context(launch(prepared))
    await kafka.ready(bootstrap, alive, prepared.log)
    return bootstrap


async def _embedded_postgres(settings: DevSettings, launch: Launch, stack: AsyncExitStack) -> str:
    require_disk(settings.root)
    prepared = await asyncio.to_thread(postgres_program, settings)
    alive = await stack.enter_async_context(launch(prepared))
    await postgres.ready(settings.postgres_port, alive, prepared.log)
    return postgres.dsn(settings.postgres_port)


async def _container_kafka(settings: DevSettings, _launch: Launch, stack: AsyncExitStack) -> str:
    from onedoor.dev import containers

    return await stack.enter_async_context(containers.kafka(settings.kafka_image))


async def _container_postgres(settings: DevSettings, _launch: Launch, stack: AsyncExitStack) -> str:
    from onedoor.dev import containers

    return await stack.enter_async_context(containers.postgres(settings.postgres_image))


_KAFKA = {"environment": _given_kafka, "testcontainers": _container_kafka, "embedded": _embedded_kafka}
_POSTGRES = {
    "environment": _given_postgres,
    "testcontainers": _container_postgres,
    "embedded": _embedded_postgres,
}
