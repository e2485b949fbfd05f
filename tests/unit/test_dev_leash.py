"""A program on the leash ends with its parent, however that ends; a state tells a manager from its number."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from onedoor.dev.state import Run, State

PARENT = """
import os, subprocess, sys, time
leash = [sys.executable, "-m", "onedoor.dev.leash", str(os.getpid()), "15", "-", "sleep", "60"]
print(subprocess.Popen(leash).pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's help is Linux's")
def test_a_killed_parent_takes_the_child_along() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        _until(lambda: child.name() == "sleep")
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        child.wait(10)


def test_a_leash_whose_parent_is_gone_already_starts_nothing() -> None:
    gone = 2**22 + 1
    leash = [sys.executable, "-m", "onedoor.dev.leash", str(gone), "15", "-", "sleep", "60"]
    assert subprocess.run(leash, timeout=20, check=False).returncode == 1


def test_a_state_is_alive_only_with_its_very_manager(tmp_path: Path) -> None:
    run = Run(tmp_path)
    mine = run.begin()
    assert run.running() == mine
    run.write(State(manager=os.getpid(), started=mine.started - 100))
    assert run.running() is None
    run.forget()
    assert run.read() is None


def test_progress_is_read_on_from_where_one_was(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.begin()
    run.report("begin", "servers")
    run.report("done", "servers", "both")
    assert [each["step"] for each in run.progress(0)] == ["begin", "done"]
    assert run.progress(1) == [{"step": "done", "part": "servers", "detail": "both"}]


def _until(holds: object) -> None:
    deadline = time.monotonic() + 10
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)
