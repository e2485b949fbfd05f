"""The two servers from images, where a container engine is at hand."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

from onedoor.dev import kafka as broker
from onedoor.dev import ports
from onedoor.dev import postgres as database
from onedoor.dev.errors import CannotStart

_SECONDS = 90.0
_SOCKET = Path("/var/run/docker.sock")


def engine_problem(*images: str) -> str | None:
    """Why containers cannot be used here, None if they can.

    Fetches an image that is not here yet.
    """
    try:
        import docker  # type: ignore[import-untyped]  # comes with testcontainers
    except ImportError:
        return "testcontainers is not installed"
    if not os.environ.get("DOCKER_HOST") and not _SOCKET.is_socket():
        return f"no container engine: DOCKER_HOST is not set and {_SOCKET} is not there"
    try:
        with closing(docker.from_env(timeout=10)) as client:
            for image in images:
                if not client.images.list(name=image):
                    client.images.pull(image)
    except docker.errors.DockerException as error:
        return f"no container engine or image: {str(error).splitlines()[0][:150]}"
    return None


@asynccontextmanager
async def kafka(image: str) -> AsyncIterator[str]:
    """A broker from an image that follows apache/kafka; gives its bootstrap address. Raises CannotStart."""
    port = ports.free()
    with _started(image, {9092: port}, _kafka_environment(port)):
        bootstrap = f"127.0.0.1:{port}"
        await _until(lambda: broker.answers(bootstrap), f"{image} at {bootstrap}")
        yield bootstrap


@asynccontextmanager
async def postgres(image: str) -> AsyncIterator[str]:
    """A database server from an image that follows the official postgres; gives a superuser's DSN."""
    port = ports.free()
    environment = {"POSTGRES_HOST_AUTH_METHOD": "trust", "POSTGRES_DB": database.DATABASE}
    with _started(image, {5432: port}, environment, "postgres -c max_connections=300"):
        dsn = database.dsn(port)
        await _until(lambda: database.answers(dsn), f"{image} at port {port}")
        yield dsn


def _kafka_environment(port: int) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "2",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_LOG_RETENTION_MS": "-1",
    }


@contextmanager
def _started(
    image: str, published: dict[int, int], environment: dict[str, str], command: str | None = None
) -> Iterator[Any]:
    from testcontainers.core.container import DockerContainer

    try:
        container = DockerContainer(image)
        for inside, outside in published.items():
            # Its own method knows no address and would open the port to the whole network.
            container.ports[str(inside)] = ("127.0.0.1", outside)  # type: ignore[assignment]
        for name, value in environment.items():
            container = container.with_env(name, value)
        if command is not None:
            container = container.with_command(command)
        container.start()
    except Exception as error:
        raise CannotStart(
            f"cannot start a container of {image} ({type(error).__name__}): start a container engine, "
            "or unset ONEDOOR_SERVERS to use embedded servers"
        ) from error
    try:
        yield container
    finally:
        container.stop()


async def _until(answers: Any, what: str) -> None:
    try:
        async with asyncio.timeout(_SECONDS):
            while not await answers():  # noqa: ASYNC110  a container tells nobody
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise CannotStart(f"{what} did not answer within {_SECONDS:.0f} s") from None
