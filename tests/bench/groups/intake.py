"""H1 to H3: requests a second at the door, and what the house's conventions cost."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from onedoor.dev import ports
from onedoor.dev.program import Program, running
from onedoor.dev.topics import ensure_topics
from onedoor.intake.app import SERVICE
from onedoor.runtime.migrate import migrate
from onedoor.runtime.settings import Settings
from onedoor.runtime.tokens import dev_token, ensure_dev_key
from tests.bench.frame import ROOT, Bar, Bench, Figures, Group
from tests.harness import Process, eventually

SUFFIX = ".door"
CLOSED, OPEN = 32, 64
"""Connections."""


@dataclass
class Door:
    """Where the two servers listen, and the token that opens the product's."""

    product: str = ""
    anchor: str = ""
    token: str = ""


DOOR = Door()


@asynccontextmanager
async def prepared(bench: Bench) -> AsyncIterator[None]:
    """Intake and the bare application, both running throughout; who is not asked rests."""
    key = ensure_dev_key(bench.folder / "dev-key")
    await ensure_topics(bench.servers.kafka, SUFFIX)
    await migrate(SERVICE, Settings(environment="test", postgres=bench.servers.postgres))
    environment = {
        "ONEDOOR_ENVIRONMENT": "test",
        "ONEDOOR_KAFKA": bench.servers.kafka,
        "ONEDOOR_POSTGRES": bench.servers.postgres,
        "ONEDOOR_TOPIC_SUFFIX": SUFFIX,
        "ONEDOOR_DEV_KEY": str(key),
    }
    intake = Process("tests.bench.product.intake", environment, bench.folder / "intake.log")
    async with AsyncExitStack() as stack:
        intake.start()
        stack.push_async_callback(intake.stop)
        DOOR.anchor = await stack.enter_async_context(_bare(bench.folder / "fastapi.log"))
        await intake.ready()
        DOOR.product, DOOR.token = intake.url, dev_token(key, "everything")
        yield


@asynccontextmanager
async def _bare(log: Path) -> AsyncIterator[str]:
    port = ports.free()
    argv = (sys.executable, "-m", "tests.bench.anchors.fastapi_null", json.dumps({"port": port}))
    program = Program("fastapi", argv, log, env={"PYTHONPATH": str(ROOT)})
    async with running(program) as alive:

        async def listens() -> bool:
            assert alive(), log.read_text()
            return await _answers(port)

        await eventually(listens, 20, "the bare application listens")
        yield f"http://127.0.0.1:{port}"


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _closed(bench: Bench, url: str, count: int) -> Figures:
    return await bench.generator("http", url=url, token=DOOR.token, count=count, connections=CLOSED)


async def _open(bench: Bench, rate: int) -> Figures:
    count = rate * bench.size(8, 4)
    url = f"{DOOR.product}/v1/applications"
    return await bench.generator("http", url=url, token=DOOR.token, count=count, connections=OPEN, rate=rate)


async def applications(bench: Bench) -> Figures:
    return await _closed(bench, f"{DOOR.product}/v1/applications", bench.size(3_000, 800))


async def triage(bench: Bench) -> Figures:
    """The same form, read and planned by the same code, and nothing stored."""
    return await _closed(bench, f"{DOOR.product}/v1/triage", bench.size(6_000, 1_600))


async def null(bench: Bench) -> Figures:
    return await _closed(bench, f"{DOOR.product}/null", bench.size(12_000, 3_000))


async def bare_null(bench: Bench) -> Figures:
    return await _closed(bench, f"{DOOR.anchor}/null", bench.size(12_000, 3_000))


async def at_50(bench: Bench) -> Figures:
    return await _open(bench, 50)


async def at_200(bench: Bench) -> Figures:
    return await _open(bench, 200)


GROUP = Group(
    name="intake",
    prepare=prepared,
    runs={run.__name__: run for run in (applications, triage, null, bare_null, at_50, at_200)},
    bars=(
        Bar("H1", "applications ÷ the same form planned and not stored",
            "applications.rate", "triage.rate", 0.28, 0.45),
        Bar("H2", "p99 of applications at 200 a second ÷ at 50",
            "at_200.p99", "at_50.p99", 2.5, 1.5, least=False),
        Bar("H3", "null route in the house ÷ bare null route", "null.rate", "bare_null.rate", 0.5, 0.7),
    ),
)  # fmt: skip
