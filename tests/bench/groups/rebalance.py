"""R1 to R3: two processes of one service; one is killed, or restarted as planned, while events flow."""

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupCoordinatorNotAvailableError

from onedoor.assistance.app import SERVICE
from onedoor.contracts import codec
from onedoor.dev.postgres import with_database
from onedoor.dev.topics import ensure_topics
from onedoor.runtime.drivers import HEARTBEAT_SECONDS, SESSION_SECONDS
from onedoor.runtime.migrate import migrate
from onedoor.runtime.settings import Settings
from tests.bench.frame import Bar, Bench, Figures, Group
from tests.bench.generators.preload import application, chains
from tests.harness import Process, eventually

SUFFIX = ".rebalance"
TOPIC = f"intake.application{SUFFIX}"
RATE = 40
COMMIT_SECONDS = 1.0
HANDLED_AFTER = """
select min(handled_at) from inbox where topic = $1 and partition = any($2) and handled_at > $3
"""
HANDLED_BEFORE = """
select max(handled_at) from inbox where topic = $1 and partition = any($2) and handled_at <= $3
"""
DUPLICATES = re.compile(r"^onedoor_inbox_duplicates_total\{.*\} ([0-9.]+)$", re.M)


@dataclass
class Pair:
    """The two processes and the database they share."""

    kafka: str = ""
    conn: Any = None
    processes: list[Process] = field(default_factory=list)
    sent: int = 0

    async def partitions(self) -> list[list[int]]:
        """The partitions of applications that each of the two has; empty while the group is not at rest."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            (answer,) = await admin.describe_consumer_groups([f"{SERVICE.name}{SUFFIX}"])
        except GroupCoordinatorNotAvailableError:
            return [[], []]
        finally:
            await admin.close()
        found: list[list[int]] = [[], []]
        for _, _, _, _, _, members, *_ in answer.groups:
            for member_id, *_, assignment in members:
                topics = ConsumerProtocolMemberAssignment.decode(assignment).assignment if assignment else ()
                which = found[int(re.findall(rf"{SUFFIX}-(\d)", member_id)[0])]
                which += [number for topic, numbers in topics if topic == TOPIC for number in numbers]
        return found

    async def both_read(self) -> list[list[int]]:
        """Wait until all partitions are read, and each process has some of them."""

        async def shared() -> bool:
            first, second = await self.partitions()
            return bool(first and second and len(first) + len(second) == 6)

        await eventually(shared, 60, "both read")
        return await self.partitions()

    async def duplicates(self) -> float:
        """How many events those that run now were given again, since they started."""
        found = 0.0
        async with httpx.AsyncClient() as client:
            for process in self.processes:
                if process.returncode() is None:
                    text = (await client.get(f"{process.url}/metrics")).text
                    found += sum(map(float, DUPLICATES.findall(text)))
        return found

    async def first_handled(self, partitions: list[int], after: datetime) -> datetime:
        """When an event of these partitions is handled again after that moment."""

        async def again() -> bool:
            return await self.conn.fetchval(HANDLED_AFTER, TOPIC, partitions, after) is not None

        await eventually(again, 60, "somebody takes over")
        found: datetime = await self.conn.fetchval(HANDLED_AFTER, TOPIC, partitions, after)
        return found

    async def nothing_lost(self) -> None:
        async def all_handled() -> bool:
            handled: int = await self.conn.fetchval("select count(*) from inbox where topic = $1", TOPIC)
            return handled == self.sent

        await eventually(all_handled, 30, f"all {self.sent} are handled")


PAIR = Pair()


@asynccontextmanager
async def prepared(bench: Bench) -> AsyncIterator[None]:
    dsn = with_database(bench.servers.postgres, "bench_rebalance")
    conn = await asyncpg.connect(bench.servers.postgres)
    await conn.execute('create database "bench_rebalance"')
    await conn.close()
    await migrate(SERVICE, Settings(environment="test", postgres=dsn))
    await ensure_topics(bench.servers.kafka, SUFFIX)
    environment = {
        "ONEDOOR_ENVIRONMENT": "test",
        "ONEDOOR_KAFKA": bench.servers.kafka,
        "ONEDOOR_POSTGRES": dsn,
        "ONEDOOR_TOPIC_SUFFIX": SUFFIX,
    }
    PAIR.kafka = bench.servers.kafka
    PAIR.conn = await asyncpg.connect(dsn, server_settings={"search_path": SERVICE.schema})
    PAIR.processes = [
        Process("onedoor.assistance", environment | {"ONEDOOR_INSTANCE": str(n)}, bench.folder / f"r{n}.log")
        for n in range(2)
    ]
    try:
        yield
    finally:
        await asyncio.gather(*(process.stop() for process in PAIR.processes))
        await PAIR.conn.close()


async def _started() -> list[list[int]]:
    """Both run, and share the partitions."""
    for process in PAIR.processes:
        await process.stop()
        process.start()
    await asyncio.gather(*(process.ready() for process in PAIR.processes))
    return await PAIR.both_read()


@asynccontextmanager
async def _flow() -> AsyncIterator[None]:
    """Events at a steady rate while the context is open; in the end every one of them is handled."""
    producer = AIOKafkaProducer(bootstrap_servers=PAIR.kafka, enable_idempotence=True)
    await producer.start()
    known, over = chains(), asyncio.Event()

    async def go_on() -> None:
        while not over.is_set():
            message = codec.encode(application(known[PAIR.sent % len(known)]))
            await producer.send_and_wait(TOPIC, message.value, key=message.key, headers=message.headers)
            PAIR.sent += 1
            await asyncio.sleep(1 / RATE)

    flowing = asyncio.create_task(go_on())
    try:
        yield
        over.set()
        await flowing
        await PAIR.nothing_lost()
    finally:
        flowing.cancel()
        await producer.stop()


async def _now() -> datetime:
    now: datetime = await PAIR.conn.fetchval("select clock_timestamp()")
    return now


async def kill(bench: Bench) -> Figures:
    """Seconds until the victim's partitions are worked again; events that came twice, and how many may."""
    victim, _ = await _started()
    async with _flow():
        await asyncio.sleep(3)
        PAIR.processes[0].send(signal.SIGKILL)
        killed = await _now()
        taken_over = await PAIR.first_handled(victim, killed)
        await asyncio.sleep(2)
        duplicates = await PAIR.duplicates()
    return {
        "takeover": (taken_over - killed).total_seconds(),
        "limit": SESSION_SECONDS + HEARTBEAT_SECONDS,
        "duplicates": duplicates,
        "produced": RATE * (COMMIT_SECONDS + HEARTBEAT_SECONDS),
    }


async def _reads(process: Process) -> None:
    """Wait until the process says that it has its partitions."""
    async with httpx.AsyncClient() as client:

        async def runs() -> bool:
            answer = await client.get(f"{process.url}/health/ready")
            return bool(answer.json()["stream"] == "running")

        await eventually(runs, 60, "it reads")


async def restart(bench: Bench) -> Figures:
    """Seconds without work on its partitions; those from its stop until it has them again; events that came
    twice."""
    partitions, _ = await _started()
    process = PAIR.processes[0]
    async with _flow():
        await asyncio.sleep(3)
        before, began = await PAIR.duplicates(), time.monotonic()
        await process.stop()
        gone = await _now()
        last: datetime = await PAIR.conn.fetchval(HANDLED_BEFORE, TOPIC, partitions, gone)
        process.start()
        await process.ready()
        await _reads(process)
        took = time.monotonic() - began
        again = await PAIR.first_handled(partitions, gone)
        await asyncio.sleep(2)
        duplicates = await PAIR.duplicates() - before
    return {"pause": (again - last).total_seconds(), "restart": took, "duplicates": duplicates}


GROUP = Group(
    name="rebalance",
    prepare=prepared,
    runs={"kill": kill, "restart": restart},
    bars=(
        Bar("R1", "takeover after kill -9 ÷ session timeout and one heartbeat",
            "kill.takeover", "kill.limit", 1.1, least=False, steady=False),
        Bar("R2", "events that came twice ÷ those of a commit interval and a heartbeat; none lost",
            "kill.duplicates", "kill.produced", 1, least=False, steady=False),
        Bar("R3", "pause of a planned restart ÷ stop of the process and start until it has its partitions",
            "restart.pause", "restart.restart", 1.2, least=False, steady=False),
    ),
)  # fmt: skip
