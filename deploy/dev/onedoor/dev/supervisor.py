"""Programs under circus: watched, restarted when they crash, stopped one after the other.

circus reaps every child of this process itself. So nothing here may wait for a child of its own, and what
only prepares something (downloads, formatting) is done before, by another process.
"""

import asyncio
import os
import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from circus.arbiter import Arbiter
from tornado.ioloop import IOLoop

from onedoor.dev.backoff import Backoff
from onedoor.dev.program import MANAGED, Alive, Program

# How soon a crashed process is noticed and started again.
_CHECK_SECONDS = 0.5
_LOG_BYTES = 20 * 1024**2

Changed = Callable[[str, int], None]
Resting = Callable[[str, float], None]


class Supervisor:
    """One circus arbiter in the running event loop.

    `changed(name, pid)` is told each (re)start, `resting(name, seconds)` that a program which ends soon after
    its start is left alone for a while.
    """

    def __init__(self, home: Path, changed: Changed, resting: Resting) -> None:
        self._home = home
        self._changed = changed
        self._resting = resting
        self._started: dict[str, float] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="onedoor-"))  # short enough for a socket's path
        self._arbiter: Any = None

    async def __aenter__(self) -> "Supervisor":
        self._arbiter = Arbiter(
            [],
            f"ipc://{self._folder}/control",
            f"ipc://{self._folder}/events",
            check_delay=_CHECK_SECONDS,
            loop=IOLoop.current(),
        )
        await self._arbiter.start()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # circus would reload, and a closed terminal sends it
        return self

    async def __aexit__(self, *_: object) -> None:
        self._arbiter.ctrl.caller.stop()
        self._arbiter.stop_controller_and_close_sockets()
        shutil.rmtree(self._folder, ignore_errors=True)

    @asynccontextmanager
    async def watch(self, program: Program) -> AsyncIterator[Alive]:
        """Keep it running while the context is open; gives whether the first process still lives."""
        loop, backoff = asyncio.get_running_loop(), Backoff()

        def ended(watcher: Any, **_: object) -> bool:
            seconds = backoff.rest(time.monotonic() - self._started[program.name])
            if seconds and not watcher.is_stopping():
                watcher.numprocesses = 0
                loop.call_later(seconds, setattr, watcher, "numprocesses", 1)
                self._resting(program.name, seconds)
            return True

        watcher = self._add(program, respawn=True, after_reap=ended)
        try:
            await watcher._start()
            first = next(iter(watcher.processes.values()), None)
            yield lambda: first is not None and first.pid in watcher.processes and first.is_alive()
        finally:
            await watcher._stop(True)

    async def run(self, program: Program) -> int:
        """Run it once to its end; its exit status, negative for a signal."""
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def reaped(exit_code: int, **_: object) -> bool:
            if not ended.done():
                ended.set_result(exit_code)
            return True

        watcher = self._add(program, respawn=False, after_reap=reaped)
        try:
            await watcher._start()
            return await ended
        finally:
            await watcher._stop(True)

    def _add(self, program: Program, respawn: bool, **hooks: Callable[..., bool]) -> Any:
        def spawned(pid: int, **_: object) -> bool:
            self._started[program.name] = time.monotonic()
            self._changed(program.name, pid)
            return True

        program.log.parent.mkdir(parents=True, exist_ok=True)
        return self._arbiter.add_watcher(
            program.name,
            shlex.join(program.leashed),
            env={**program.environment, MANAGED: str(self._home)},
            respawn=respawn,
            stop_signal=program.stop_signal,
            graceful_timeout=program.stop_seconds,
            working_dir=os.getcwd(),
            stdout_stream={
                "class": "FileStream",
                "filename": str(program.log),
                "max_bytes": _LOG_BYTES,
                "backup_count": 2,
            },
            hooks={name: (hook, True) for name, hook in {"after_spawn": spawned, **hooks}.items()},
        )
