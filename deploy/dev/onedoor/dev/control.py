"""Starting and stopping the development system from the command line."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psutil

from onedoor.dev import jars, resolve
from onedoor.dev.errors import CannotStart
from onedoor.dev.ports import require_free
from onedoor.dev.program import MANAGED, last_words
from onedoor.dev.services import startable
from onedoor.dev.settings import DevSettings
from onedoor.dev.state import Run, State

_STOP_SECONDS = 90.0
_LEFTOVER_SECONDS = 30.0
_OURS = ("kafka", "postgres", "logs", "run")

Part = Callable[[str], AbstractContextManager[jars.Say]]
"""Goes around one part of the start, by its name; what it gives tells what is being done just now."""


def running(settings: DevSettings) -> State:
    """The system that runs in this home. Raises CannotStart when none does."""
    state = Run(settings.root).running()
    if state is None or state.servers is None:
        raise CannotStart("OneDoor is not running: start it with `make up` or `onedoor up --detach`")
    return state


def prepare(settings: DevSettings, part: Part) -> None:
    """What the first start has to fetch and make, and whatever would hinder a start. Raises CannotStart."""
    from onedoor.runtime.tokens import ensure_dev_key

    resolve.require_disk(settings.root)
    for service in startable():
        require_free(service.port, service.name, service.port_variable)
    of_kafka, of_postgres = resolve.backends(settings)
    with part("download") as say:
        if of_kafka == "embedded":
            jars.class_path(settings.downloads, say)
        _fetch_pages(settings, say)
    with part("folders"):
        if of_postgres == "embedded":
            resolve.postgres_program(settings)
        if of_kafka == "embedded":
            resolve.kafka_program(settings)
        ensure_dev_key(settings.dev_key)


def _fetch_pages(settings: DevSettings, say: jars.Say) -> None:
    """Third-party files of the desk's pages."""
    from onedoor.desk import assets

    if not assets.intact(assets.folder(settings.downloads)):
        say("what the desk's pages need")
    try:
        assets.install(settings.downloads)
    except assets.AssetsMissing as problem:
        raise CannotStart(" ".join(str(problem).split())) from None


def start_manager(settings: DevSettings, detached: bool) -> "subprocess.Popen[bytes]":
    """The manager as a process of its own; unless detached it stops everything when we are gone."""
    log = settings.logs / "manager.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "onedoor.dev.manager"]
    leash = [sys.executable, "-m", "onedoor.dev.leash", str(os.getpid()), str(int(signal.SIGTERM)), "-"]
    with log.open("ab") as out:
        return subprocess.Popen(
            command if detached else [*leash, *command],
            env={**os.environ, "ONEDOOR_HOME": str(settings.root), "ONEDOOR_CACHE": str(settings.downloads)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def reports(settings: DevSettings, manager: "subprocess.Popen[bytes]") -> Iterator[dict[str, Any]]:
    """The manager's reports until it is ready. Raises CannotStart when it gives up or ends."""
    run = Run(settings.root)
    known = 0
    while True:
        over = manager.poll() is not None
        state = run.read()
        ours = state is not None and state.manager == manager.pid
        news = run.progress(known) if ours or over else []
        known += len(news)
        for report in news:
            if report["step"] == "failed":
                manager.wait()
                raise CannotStart(report["detail"])
            yield report
            if report["step"] == "ready":
                return
        if over and not news:
            raise CannotStart(f"the manager ended: {last_words(settings.logs / 'manager.log')}")
        time.sleep(0.05)


def stop(settings: DevSettings) -> bool:
    """Stop the manager, and whatever an earlier one left; whether there was anything to stop."""
    run = Run(settings.root)
    state = run.running()
    if state is not None:
        _end(psutil.Process(state.manager), _STOP_SECONDS)
    swept = sweep(settings.root)
    run.forget()
    return state is not None or swept


def _end(process: psutil.Process, patience: float) -> None:
    try:
        process.terminate()
        process.wait(patience)
    except psutil.TimeoutExpired:
        process.kill()
    except psutil.NoSuchProcess:
        return


def sweep(root: Path) -> bool:
    """End what a manager that was killed has left behind; whether there was anything.

    On Linux the kernel has told them already, so most only need a moment.
    """
    left = _leftovers(root)
    for process in left:
        with _unless_gone():
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    _, stubborn = psutil.wait_procs(left, _LEFTOVER_SECONDS)
    for process in stubborn:
        with _unless_gone():
            process.kill()
    psutil.wait_procs(stubborn, 5)
    return bool(left)


def _leftovers(root: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with _unless_gone():
            if process.environ().get(MANAGED) == str(root) and process.pid != os.getpid():
                found.append(process)
    return found


@contextmanager
def _unless_gone() -> Iterator[None]:
    try:
        yield
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return


def wipe(settings: DevSettings) -> None:
    """Remove data, logs and keys; the downloads stay, wherever they are. Raises CannotStart while it runs."""
    if Run(settings.root).running() is not None:
        raise CannotStart("OneDoor is running: stop it first with `onedoor down`")
    sweep(settings.root)
    for name in _OURS:
        shutil.rmtree(settings.root / name, ignore_errors=True)
    for file in (settings.dev_key, settings.samples_loaded):
        file.unlink(missing_ok=True)
