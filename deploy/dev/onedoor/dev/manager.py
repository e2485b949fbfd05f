"""The process that holds the development system: `python -m onedoor.dev.manager`, started by `onedoor up`.

It brings the servers up, makes the topics, migrates, starts the services, and stops all of it in the reverse
order on SIGTERM or SIGINT.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime

import httpx

from onedoor.dev.errors import CannotStart
from onedoor.dev.program import Alive, Program, fail
from onedoor.dev.resolve import Servers, resolve
from onedoor.dev.services import ServiceProcess, environment, startable
from onedoor.dev.settings import DevSettings
from onedoor.dev.state import Run, ServiceState, State
from onedoor.dev.supervisor import Supervisor
from onedoor.dev.topics import ensure_topics

_READY_SECONDS = 120.0


class Manager:
    """One system in one home folder."""

    def __init__(self, settings: DevSettings) -> None:
        self._settings = settings
        self._run = Run(settings.root)
        self._state = self._run.begin()
        self._pids: dict[str, int] = {}
        self._services: tuple[ServiceProcess, ...] = ()

    async def serve(self) -> None:
        """Start everything, then hold it until cancelled. Raises CannotStart."""
        supervising = Supervisor(self._settings.root, self._spawned, self._rests)
        async with supervising as supervisor, AsyncExitStack() as stack:
            self._run.report("begin", "servers")
            servers = await stack.enter_async_context(resolve(self._settings, supervisor.watch))
            self._write(servers=servers)
            self._run.report(
                "done", "servers", f"Kafka {servers.kafka_backend}, PostgreSQL {servers.postgres_backend}"
            )
            await self._topics(servers)
            self._services = startable()
            await self._migrate(supervisor, servers)
            await stack.enter_async_context(self._running(supervisor, servers))
            self._run.report("ready")
            await asyncio.Event().wait()

    async def _topics(self, servers: Servers) -> None:
        self._run.report("begin", "topics")
        made = await ensure_topics(servers.kafka)
        self._run.report("done", "topics", f"{len(made)} new" if made else "all there")

    async def _migrate(self, supervisor: Supervisor, servers: Servers) -> None:
        self._run.report("begin", "migrations")
        program = Program(
            name="migrations",
            argv=(sys.executable, "-m", "onedoor.dev.migrate"),
            log=self._settings.logs / "migrations.log",
            env=self._shared(servers),
        )
        if await supervisor.run(program):
            raise fail("the migration", program.log)
        self._run.report("done", "migrations", _count(self._services))

    @asynccontextmanager
    async def _running(self, supervisor: Supervisor, servers: Servers) -> AsyncIterator[None]:
        self._run.report("begin", "services")
        stacks = [AsyncExitStack() for _ in self._services]
        try:
            programs = [self._program(service, servers) for service in self._services]
            alive = [
                await stack.enter_async_context(supervisor.watch(program))
                for stack, program in zip(stacks, programs, strict=True)
            ]
            async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
                await _all(*map(_until_ready, [client] * len(programs), self._services, programs, alive))
            self._run.report("done", "services", _count(self._services))
            yield
        finally:
            await asyncio.gather(*(stack.aclose() for stack in stacks))

    def _shared(self, servers: Servers) -> Mapping[str, str]:
        return environment(servers.kafka, servers.postgres, str(self._settings.dev_key))

    def _program(self, service: ServiceProcess, servers: Servers) -> Program:
        return Program(
            name=service.name,
            argv=(sys.executable, "-m", service.module, "run"),
            log=self._settings.logs / f"{service.name}.log",
            env={**self._shared(servers), "ONEDOOR_PORT": str(service.port)},
        )

    def _spawned(self, name: str, pid: int) -> None:
        if name in self._pids:
            _log("warning", "a process ended by itself and was started again", service=name, pid=pid)
        self._pids[name] = pid
        self._write()

    def _rests(self, name: str, seconds: float) -> None:
        _log(
            "warning", "a process ended soon after its start and is left alone", service=name, seconds=seconds
        )

    def _write(self, servers: Servers | None = None) -> None:
        services = {
            service.name: ServiceState(url=service.url, pid=self._pids.get(service.name))
            for service in self._services
        }
        self._state = State(
            manager=self._state.manager,
            started=self._state.started,
            servers=servers or self._state.servers,
            services=services,
        )
        self._run.write(self._state)

    def failed(self, message: str) -> None:
        """Tell the waiting command why there is no system."""
        self._run.report("failed", detail=message)

    def ended(self) -> None:
        """Nothing runs any more."""
        self._run.forget()


def _log(level: str, event: str, **facts: object) -> None:
    line = {"timestamp": datetime.now(UTC).isoformat(), "level": level, "event": event, **facts}
    print(json.dumps(line), flush=True)


def _count(services: Sequence[ServiceProcess]) -> str:
    return ", ".join(service.name for service in services)


async def _all(*work: object) -> None:
    """All of it at once; the first failure cancels the rest and is raised as it is."""
    tasks = [asyncio.ensure_future(each) for each in work]  # type: ignore[call-overload]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until_ready(
    client: httpx.AsyncClient, service: ServiceProcess, program: Program, alive: Alive
) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not await is_ready(client, service.url):
        if not alive():
            raise fail(service.name, program.log)
        if time.monotonic() > deadline:
            raise CannotStart(
                f"{service.name} was not ready within {_READY_SECONDS:.0f} s; see {program.log}"
            )
        await asyncio.sleep(0.1)


async def is_ready(client: httpx.AsyncClient, url: str) -> bool:
    """Whether the service at this address can serve requests."""
    try:
        return (await client.get(f"{url}/health/ready")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


async def _main() -> int:
    manager = Manager(DevSettings())
    work = asyncio.create_task(manager.serve())
    # circus has set handlers of its own by the time that the first signal may come; the loop's replace them.
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if not work.cancelling():  # a second signal must not disturb the stopping
            work.cancel()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        loop.add_signal_handler(number, stop)
    try:
        with suppress(asyncio.CancelledError):
            await work
    except CannotStart as problem:
        manager.failed(str(problem))
        return 1
    except Exception as problem:
        manager.failed(f"{type(problem).__name__}: {problem}")
        raise
    finally:
        manager.ended()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
