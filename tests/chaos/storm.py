"""The whole system on servers of its own, and what may befall it.

Every fault comes from outside: signals, a full disk, copies on the topics, and locks that hold a service's
transactions or its relay, so that a kill finds work in hand. Nothing in the product knows of it.
"""

import asyncio
import os
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from typing import Any, Literal

import asyncpg
import httpx

from onedoor.contracts import codec
from onedoor.contracts.core import Envelope
from onedoor.dev.postgres import with_database
from onedoor.dev.topics import ensure_topics
from onedoor.runtime import relay
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.migrate import migrate
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings
from tests import conservation
from tests.chaos.evidence import (
    COPY,
    Evidence,
    Found,
    ends_of,
    messages,
    published_again,
    unacknowledged,
)
from tests.chaos.tally import COUNTED, TALLY
from tests.conservation import Accepted
from tests.harness import Process, eventually, publish_raw
from tests.killable import KillableServers, killable_servers
from tests.load import Load
from tests.migrated import migrate_all
from tests.system import SERVICES, System, running_system

MODULES = {**SERVICES, TALLY.name: "tests.chaos.tally"}
Moment = Literal["within", "after"]
"""Of a kill: within transactions, or after them and before the acknowledgement."""
Conn = asyncpg.Connection
HELD_SECONDS = 2.0
"""Longer than the interval at which offsets are committed: an acknowledgement that came too early is sent."""
DUPLICATES = re.compile(rb"^onedoor_inbox_duplicates_total\{.*\} (\S+)$", re.MULTILINE)

WAITING = """
select count(distinct pid) filter (where query like 'delete from pending%') as relays,
       count(distinct pid) filter (where query not like 'delete from pending%') as writers
from pg_locks join pg_stat_activity using (pid)
where not granted and backend_type = 'client backend' and relation = any($1::regclass[])
"""
END_WAITING = """
select pg_terminate_backend(pid) from pg_locks where not granted and relation = any($1::regclass[])
"""
"""Of a dead process: it would still do the one statement that it waits with, as if that had come in time."""
END_RELAY = """
select pg_terminate_backend(pid) from pg_locks
where locktype = 'advisory' and granted and pid <> pg_backend_pid()
  and objid = (hashtext($1)::bigint & 4294967295)::oid
"""


def seed_of_today() -> int:
    """ONEDOOR_CHAOS_SEED, or one drawn now. Printed, so that a run can be had again."""
    seed = int(os.environ.get("ONEDOOR_CHAOS_SEED") or random.SystemRandom().randrange(10**8))
    print(f"\nseed: ONEDOOR_CHAOS_SEED={seed}")
    return seed


def definition(name: str) -> Service:
    """The service as it describes itself."""
    if name == TALLY.name:
        return TALLY
    found: Service = import_module(f"{SERVICES[name]}.app").SERVICE
    return found


class Storm:
    """The system, its servers and what can be done to them, one fault after another."""

    def __init__(self, servers: KillableServers, system: System) -> None:
        self.servers = servers
        self.system = system
        self.evidence = Evidence()
        self._hands = {name: asyncio.Lock() for name in system.processes}
        self._striking = asyncio.Lock()

    async def kill(self, name: str, moment: Moment) -> None:
        """SIGKILL at that moment, and a new process; again where it has not hit what it was to hit.

        within: its transactions are open, and its relay has published what it could not yet delete; after:
        they have just ended, and what they did is not yet acknowledged. Some acknowledge too soon to be met
        then: where two tries have missed, the last is within.
        """
        for at in (moment, moment, "within"):
            found = await self._kill(name, at)
            wanted = found.handled if at == "after" else found.relays or not _publishes(definition(name))
            if found.hit and wanted:
                return

    async def _kill(self, name: str, moment: Moment) -> Found:
        self.evidence.faults[f"kill {name} {moment}"] += 1
        async with self._in_hand(name) as process:
            async with self._striking:
                found = await self._strike(name, process, moment)
            self.evidence.kills[name].append(found)
            process.start()
            await up(process)
            if found.handled:
                await self._note_redelivered(name, found.handled)
        return found

    async def _strike(self, name: str, process: Process, moment: Moment) -> Found:
        service = definition(name)
        await self.servers.kafka_ready()
        await self.servers.postgres_ready()
        async with self._connected() as conn, self._connected() as watching:
            await _until_handled(watching, service, 60, pause=0.1)
            await self._hold(conn, service)
            open_, relays = await self._work_waits(watching, service)
            ends = await ends_of(self.servers.kafka, service)
            if moment == "after":
                open_, relays = 0, 0
                await _until_handled(watching, service, 20, pause=0.002, first=conn.terminate)
            else:
                await asyncio.sleep(HELD_SECONDS)
            process.send(SIGKILL)
            await process.ended()
            await watching.fetch(END_WAITING, _tables(service))
        lag = await unacknowledged(self.servers.kafka, self.system.postgres, service, ends)
        return Found(open_, relays, *lag)

    async def _hold(self, conn: Conn, service: Service) -> None:
        """No transaction of the service can end, from a moment on at which its outbox held something."""
        deadline = asyncio.get_running_loop().time() + 8
        tables = ", ".join(_tables(service))
        while True:
            await conn.execute(f"begin; lock table {tables} in share mode")
            late = asyncio.get_running_loop().time() > deadline
            if late or not _publishes(service):
                return
            if await conn.fetchval(f"select exists (select from {service.schema}.pending)"):
                return
            await conn.execute("rollback")
            await asyncio.sleep(0.005)

    async def _work_waits(self, conn: Conn, service: Service) -> tuple[int, int]:
        """Wait until a transaction is open and the relay cannot delete; how many of both there are."""
        writers = relays = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(30):
                while True:
                    ((relays, writers),) = await conn.fetch(WAITING, _tables(service))
                    if writers and (relays or not _publishes(service)):
                        break
                    await asyncio.sleep(0.02)
        return writers, relays

    async def terminate(self, name: str) -> None:
        """SIGTERM, and a new process; one that does not end within 30 s fails the run."""
        self.evidence.faults[f"terminate {name}"] += 1
        async with self._in_hand(name) as process:
            process.send(SIGTERM)
            await process.ended()
            process.start()
            await up(process)

    async def freeze(self, name: str, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after a while."""
        self.evidence.faults[f"freeze {name}"] += 1
        async with self._in_hand(name) as process:
            process.send(SIGSTOP)
            await asyncio.sleep(seconds)
            process.send(SIGCONT)

    async def kill_kafka(self, seconds: float = 1) -> None:
        """SIGKILL, and started again after so many seconds."""
        async with self._fault("kill kafka"):
            self.servers.kafka_server.kill()
            await asyncio.sleep(seconds)
            await self.servers.kafka_ready()

    async def stop_kafka(self, seconds: float = 1) -> None:
        """SIGTERM, and started again after so many seconds."""
        async with self._fault("terminate kafka"):
            await asyncio.to_thread(self.servers.kafka_server.stop)
            await asyncio.sleep(seconds)
            await self.servers.kafka_ready()

    async def freeze_kafka(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after so many seconds."""
        async with self._fault("freeze kafka"):
            self.servers.kafka_server.freeze()
            await asyncio.sleep(seconds)
            self.servers.kafka_server.thaw()

    async def kill_postgres(self, seconds: float = 1) -> None:
        """SIGKILL, and started again after so many seconds."""
        async with self._fault("kill postgres"):
            self.servers.postgres_server.kill()
            await asyncio.sleep(seconds)
            await self.servers.postgres_ready()

    async def stop_postgres(self, seconds: float = 1) -> None:
        """In its orderly way, and started again after so many seconds."""
        async with self._fault("terminate postgres"):
            await asyncio.to_thread(self.servers.postgres_server.stop)
            await asyncio.sleep(seconds)
            await self.servers.postgres_ready()

    async def freeze_postgres(self, seconds: float) -> None:
        """SIGSTOP to all its processes, and SIGCONT after so many seconds."""
        async with self._fault("freeze postgres"):
            self.servers.postgres_server.freeze()
            await asyncio.sleep(seconds)
            self.servers.postgres_server.thaw()

    async def fill_disk(self, seconds: float) -> None:
        """PostgreSQL cannot write; where that ends it, it is started again once there is room."""
        assert self.servers.disk is not None
        async with self._fault("fill disk"):
            await asyncio.to_thread(self.servers.disk.fill)
            await asyncio.sleep(seconds)
            self.servers.disk.free()
            if not self.servers.postgres_server.runs:
                self.evidence.ended["postgres"] += 1
            await self.servers.postgres_ready()

    async def inject(self, topic: str, rng: random.Random) -> None:
        """Copies of some of the topic's newest events, in another order, on their topic once more."""
        async with self._fault("duplicate"):
            newest = [each for each in await messages(self.servers.kafka, topic, tail=20) if each.value]
            copies = rng.sample(newest, min(len(newest), 20))
            await publish_raw(self.servers.kafka, topic, [_marked(copy) for copy in copies])

    async def reorder(self, name: str) -> None:
        """What the service has to publish reaches its topics backwards, before its relay brings it in order.

        The relay is kept away from its lock until some events have gathered.
        """
        service, lock = definition(name), f"onedoor.relay.{definition(name).schema}"
        recorder = Recorder()
        async with self._fault("reorder"), self._connected() as conn:
            while not await conn.fetchval("select pg_try_advisory_lock(hashtext($1))", lock):
                await conn.fetch(END_RELAY, lock)
                await asyncio.sleep(0.01)
            await conn.execute(f"set search_path to {service.schema}")
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    while await conn.fetchval("select count(*) from pending") < 10:
                        await asyncio.sleep(0.05)
            await conn.execute("begin")
            await relay.Relay(service, self._no_connection, lambda: recorder, Metrics()).publish_page(conn)
            await conn.execute("rollback")
            for topic in {topic for topic, _ in recorder.sent}:
                backwards = [_marked(message) for where, message in reversed(recorder.sent) if where == topic]
                await publish_raw(self.servers.kafka, topic, backwards)

    async def _no_connection(self) -> Conn:
        raise AssertionError("this relay is given its connection")

    async def keep_running(self) -> None:
        """What the process manager does: start again what has ended by itself. Until cancelled."""
        while True:
            for name, process in self.system.processes.items():
                if not self._hands[name].locked() and process.returncode() is not None:
                    self.evidence.ended[name] += 1
                    print(f"{name} has ended by itself, {process.returncode()}:\n{process.tail()}")
                    process.start()
            await asyncio.sleep(0.2)

    @asynccontextmanager
    async def _in_hand(self, name: str) -> AsyncIterator[Process]:
        """One fault of a process at a time; meanwhile the process manager leaves it alone."""
        async with self._hands[name]:
            yield self.system.processes[name]

    @asynccontextmanager
    async def _fault(self, what: str) -> AsyncIterator[None]:
        """A fault of the servers or the topics: never while a kill waits for its moment."""
        self.evidence.faults[what] += 1
        async with self._striking:
            yield

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Conn]:
        conn = await asyncpg.connect(self.system.postgres)
        try:
            yield conn
        finally:
            conn.terminate()

    async def _note_redelivered(self, name: str, handled: int) -> None:
        """What the new process, which counts from nothing, drops of what was handled before the kill."""

        async def dropped() -> bool:
            with suppress(httpx.TransportError):
                told = await client.get(f"{self.system.processes[name].url}/metrics")
                count = sum(int(float(value)) for value in DUPLICATES.findall(told.content))
                if count:
                    self.evidence.redelivered[name] += min(count, handled)
                return count > 0
            return False

        async with httpx.AsyncClient(timeout=5) as client:
            with suppress(AssertionError):
                await eventually(dropped, 8)

    async def problems(self, accepted: Sequence[Accepted], timeout: float = 60) -> list[str]:
        """What is lost, doubled or set aside, once all faults are over; notes what was published again."""
        async with AsyncExitStack() as stack:
            clients = {
                name: await stack.enter_async_context(self.system.client(name))
                for name in self.system.processes
            }
            found = await conservation.problems(clients["desk"], self.servers.kafka, "", accepted, timeout)
            found += await self._miscounted(clients[TALLY.name])
            found += await conservation.set_aside(clients)
        self.evidence.republished = await published_again(self.servers.kafka)
        return found

    async def _miscounted(self, tally: httpx.AsyncClient) -> list[str]:
        """Events that the tally did not count exactly once."""
        there: dict[str, Envelope] = {
            str(event.id): event
            for event in await conservation.all_events(self.servers.kafka, "")
            if event.type in COUNTED
        }
        counts: dict[str, int] = {}

        async def all_counted() -> bool:
            nonlocal counts
            counts = (await tally.get("/v1/tally")).raise_for_status().json()
            return counts.keys() >= there.keys()

        with suppress(AssertionError):
            await eventually(all_counted, 60)
        wrong = {id_: counts.get(id_, 0) for id_ in there if counts.get(id_, 0) != 1}
        return [f"tally: {there[id_].type} {id_} counted {count} times" for id_, count in wrong.items()]


class Recorder:
    """In a relay's hands in place of a producer: keeps what would be sent, in order."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, codec.Message]] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> Awaitable[Any]:
        self.sent.append((topic, codec.Message(key, value, list(headers))))
        return asyncio.sleep(0)


def _marked(message: codec.Message) -> codec.Message:
    return message._replace(headers=[*message.headers, COPY])


def _publishes(service: Service) -> bool:
    return bool(service.deciders) and service is not TALLY


def _tables(service: Service) -> list[str]:
    """The tables that a transaction writes last."""
    tables = ("pending", "inbox") if service.deciders else ("inbox",)
    return [f"{service.schema}.{table}" for table in tables]


async def _until_handled(
    conn: Conn, service: Service, seconds: float, pause: float, first: Callable[[], None] = lambda: None
) -> None:
    """Do something first; wait until the service has then handled an event, but no longer than that."""
    count = f"select count(*) from {service.schema}.inbox"
    before = await conn.fetchval(count)
    first()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while await conn.fetchval(count) == before:
                await asyncio.sleep(pause)


async def up(process: Process, timeout: float = 180) -> None:
    """Wait until it answers and its stream runs, or waits for a broker that is away."""
    async with httpx.AsyncClient(timeout=5) as client:

        async def runs() -> bool:
            if process.returncode() is not None:
                process.start()
            try:
                answer = await client.get(f"{process.url}/health/ready")
            except httpx.TransportError:
                return False
            return answer.status_code == httpx.codes.OK

        await eventually(runs, timeout, f"{process.module} ready; {process.tail()}")


@asynccontextmanager
async def storm(
    folder: Path, mutation: str | None = None, disk_mebibytes: int | None = None
) -> AsyncIterator[Storm]:
    """The whole system and the tally, ready, kept running; mutation: a rule of mutant.py that is broken."""
    async with killable_servers(disk_mebibytes) as servers:
        conn = await asyncpg.connect(servers.postgres)
        await conn.execute("create database chaos")
        await conn.close()
        database = with_database(servers.postgres, "chaos")
        await ensure_topics(servers.kafka)
        await migrate_all(database)
        await migrate(TALLY, Settings(environment="test", postgres=database))
        more = {"wrapper": "tests.chaos.mutant", "ONEDOOR_MUTATION": mutation} if mutation else {}
        async with running_system(servers.kafka, database, "", folder, MODULES, **more) as system:
            storm = Storm(servers, system)
            keeper = asyncio.create_task(storm.keep_running())
            try:
                yield storm
            finally:
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)


def told(load: Load, evidence: Evidence) -> str:
    """The figures of a run."""
    return (
        f"accepted {len(load.accepted)} of {load.posted}, refused {dict(load.refused)}, "
        f"cut {load.unanswered}\n"
        f"{evidence}"
    )
