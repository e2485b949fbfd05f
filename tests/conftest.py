import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from xdist.scheduler import LoadFileScheduling

from onedoor.dev.topics import delete_topics, ensure_topics
from tests.migrated import Templates
from tests.servers import Servers, cloned, empty_database, migrated_template, servers_for_tests

sys.modules["sniffio"] = None  # type: ignore[assignment]
"""Not installed. httpx tries to import it with every request of an application in this process, and each time
Python would look through its whole path."""

LONGEST = (
    "tests/e2e",
    "tests/integration/test_up.py",
    "tests/integration/test_schemathesis.py",
    "tests/chaos/test_kills.py",
    "tests/integration/test_replay.py",
    "tests/integration/test_notify_telling.py",
    "tests/integration/test_runtime_stream.py",
)
"""What takes longest: begun first, so that no process is left alone with it at the end."""


def part(nodeid: str) -> str:
    """What one process does in one go: a file, or all walks, which share a system and a browser."""
    file = nodeid.partition("::")[0]
    return "tests/e2e" if file.startswith("tests/e2e/") else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest parts first; otherwise in their order."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(part(item.nodeid), len(rank)))


class ByPart(LoadFileScheduling):  # type: ignore[misc]
    """Gives each process one part after another."""

    def _split_scope(self, nodeid: str) -> str:
        return part(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByPart | None:
    return ByPart(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[Servers]:
    """Kafka and PostgreSQL, started once for the session, or those that the environment names."""
    async with servers_for_tests() as servers:
        print(f"\nservers: {servers}")
        yield servers


@pytest.fixture
async def topic_suffix(servers: Servers) -> AsyncIterator[str]:
    """A suffix with which all topics exist, for one test alone."""
    suffix = "." + uuid.uuid4().hex[:8]
    await ensure_topics(servers.kafka, suffix)
    yield suffix
    await delete_topics(servers.kafka, suffix)


@pytest.fixture(scope="session")
async def templates(servers: Servers) -> AsyncIterator[Templates]:
    async with AsyncExitStack() as stack:
        yield Templates(servers.postgres, stack)


@pytest.fixture
async def database(
    request: pytest.FixtureRequest, servers: Servers, templates: Templates
) -> AsyncIterator[str]:
    """The DSN of a database for one test alone, where the services in its module's MIGRATED have migrated."""
    services = getattr(request.module, "MIGRATED", ())
    made = cloned(await templates.of(*services)) if services else empty_database(servers.postgres)
    async with made as dsn:
        yield dsn


@pytest.fixture(scope="session")
async def template_database(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The DSN of a database in which every service has migrated once; to be cloned, never to be used."""
    async with migrated_template(servers, tmp_path_factory.mktemp("keys") / "dev.key") as dsn:
        yield dsn


@pytest.fixture
async def migrated_database(template_database: str) -> AsyncIterator[str]:
    """The DSN of a database in which every service has migrated, for one test alone."""
    async with cloned(template_database) as dsn:
        yield dsn
