"""A program to run beside us: how it is called, and how it is stopped."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from onedoor.dev.errors import CannotStart

Alive = Callable[[], bool]

MANAGED = "ONEDOOR_MANAGED"
"""In the environment of every process under a manager: the home folder it works for."""


@dataclass(frozen=True, slots=True)
class Program:
    """argv and the environment it adds to ours; log: where its output goes.

    stop_seconds: patience between stop_signal and SIGKILL; orphan_signal: sent at our sudden death, when
    nobody is left to lose patience, so that it must end the program for sure; user: None for ourselves.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    stop_seconds: float = 20.0
    user: str | None = None

    @property
    def leashed(self) -> tuple[str, ...]:
        """argv that dies with the calling process."""
        leash = (sys.executable, "-m", "onedoor.dev.leash", str(os.getpid()), str(int(self.orphan_signal)))
        return (*leash, self.user or "-", *self.argv)

    @property
    def environment(self) -> dict[str, str]:
        """Ours and its own."""
        return {**os.environ, **self.env}


Launch = Callable[[Program], AbstractAsyncContextManager[Alive]]


@asynccontextmanager
async def running(program: Program) -> AsyncIterator[Alive]:
    """Run it as a child while the context is open; gives whether it still runs."""
    program.log.parent.mkdir(parents=True, exist_ok=True)
    with program.log.open("ab") as log:
        child = subprocess.Popen(  # noqa: ASYNC220  only a fork; the leash needs this thread as the parent
            program.leashed,
            env=program.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield lambda: child.poll() is None
    finally:
        await _stop(child, program)


async def _stop(child: "subprocess.Popen[bytes]", program: Program) -> None:
    if child.poll() is None:
        child.send_signal(program.stop_signal)
        try:
            await asyncio.to_thread(child.wait, program.stop_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
    child.wait()


def last_words(log: Path, lines: int = 3) -> str:
    """The end of a log, in one line."""
    if not log.is_file():
        return "it left no log"
    text = log.read_bytes()[-4000:].decode(errors="replace")
    return " | ".join(line.strip()[:200] for line in text.splitlines()[-lines:] if line.strip())


def fail(program_name: str, log: Path) -> CannotStart:
    """What to say when a program ended before it was ready."""
    return CannotStart(f"{program_name} ended while starting; see {log}: {last_words(log)}")
