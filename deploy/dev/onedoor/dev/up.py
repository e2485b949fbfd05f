"""`onedoor up`: progress with times, the samples, where to go, then the logs until Ctrl-C."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console

from onedoor.dev import control
from onedoor.dev.errors import CannotStart
from onedoor.dev.follow import Logs
from onedoor.dev.resolve import resolve
from onedoor.dev.samples import post_all
from onedoor.dev.services import by_name
from onedoor.dev.settings import DevSettings
from onedoor.dev.state import Run
from onedoor.dev.topics import ensure_topics

Say = Callable[[str], None]


class Progress:
    """One line per part of the start, with its time; a live line on a terminal."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def say(self, text: str = "") -> None:
        """A line."""
        self._console.print(text, markup=False)

    @contextmanager
    def part(self, name: str) -> Iterator[Say]:
        """Around the work of one part; what is given tells what it is doing just now."""
        began = time.monotonic()
        with self._console.status(name) as live:
            yield lambda text: live.update(f"{name}: {text}")
        self.done(name, time.monotonic() - began)

    def done(self, name: str, seconds: float, detail: str = "") -> None:
        """A part is over."""
        self.say(f"  {name:11} {seconds:5.1f} s  {detail}".rstrip())


def bring_up(settings: DevSettings, detach: bool, samples: bool) -> None:
    """Start everything; follow the logs until Ctrl-C unless detached. Raises CannotStart."""
    progress = Progress()
    already = Run(settings.root).running()
    if already is not None:
        progress.say(f"OneDoor runs already: {_desk()} (`onedoor down` stops it)")
        return
    began = time.monotonic()
    control.sweep(settings.root)
    control.prepare(settings, progress.part)
    logs = Logs(settings.logs)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    manager = control.start_manager(settings, detach)
    try:
        _await_ready(settings, manager, progress)
        if samples:
            _load_samples(settings, progress)
        progress.say(f"ready after {time.monotonic() - began:.1f} s\n")
        _welcome(settings, progress)
        if not detach:
            for line in logs.follow():
                print(line, flush=True)
    except KeyboardInterrupt:
        _stop(settings, progress)
    except CannotStart:
        control.stop(settings)
        raise


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _stop(settings: DevSettings, progress: Progress) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the stopping is under way; a second Ctrl-C changes nothing
    began = time.monotonic()
    progress.say("\nstopping: the services, then Kafka, then PostgreSQL")
    control.stop(settings)
    progress.say(f"stopped after {time.monotonic() - began:.1f} s")


def _await_ready(settings: DevSettings, manager: "subprocess.Popen[bytes]", progress: Progress) -> None:
    began = time.monotonic()
    for report in control.reports(settings, manager):
        if report["step"] == "begin":
            began = time.monotonic()
        elif report["step"] == "done":
            progress.done(report["part"], time.monotonic() - began, report["detail"])


def _load_samples(settings: DevSettings, progress: Progress) -> None:
    if settings.samples_loaded.exists():
        return
    if not any(settings.samples.glob("*.yaml")):
        progress.say("  samples     none in deploy/samples, so none are loaded")
        return
    from onedoor.runtime.access import dev_token

    began = time.monotonic()
    token = dev_token(settings.dev_key, "everything")
    taken, refused = asyncio.run(post_all(settings.samples, by_name("intake").url, token))
    progress.done("samples", time.monotonic() - began, f"{taken} applications")
    for line in refused:
        progress.say(f"              not taken: {line}")
    settings.samples_loaded.touch()


def _desk() -> str:
    return by_name("desk").url


def _welcome(settings: DevSettings, progress: Progress) -> None:
    from onedoor.runtime.people import PEOPLE

    progress.say(f"The desk: {_desk()}   sign in as one of these invented people:")
    for person in PEOPLE:
        progress.say(f"  {person.id:14} {person.title}, {person.name} {person.title_zh}")
    progress.say(f"\nA bearer token for scripts: {sys.argv[0]} token --role everything")


async def hold_servers(settings: DevSettings) -> None:
    """Kafka, with its topics, and PostgreSQL, until SIGINT or SIGTERM. Raises CannotStart."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with resolve(settings, say=print) as servers:
        await ensure_topics(servers.kafka)
        print(f"export ONEDOOR_KAFKA={servers.kafka} ONEDOOR_POSTGRES={servers.postgres}", flush=True)
        await ended.wait()
