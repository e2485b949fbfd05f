"""`onedoor up`, `status`, `down`, as a person types them, on ports and in a home of their own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from onedoor.dev import ports
from onedoor.dev.program import MANAGED
from onedoor.dev.services import SERVICES

pytestmark = pytest.mark.timeout(600)

OUT_OF_REACH = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}


class Command:
    """`onedoor` with a home and ports that nobody else uses."""

    def __init__(self, home: Path) -> None:
        self.home = home
        first = ports.free(len(SERVICES) + 3)
        own = {service.port_variable: str(first + 3 + nth) for nth, service in enumerate(SERVICES)}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ONEDOOR_")},
            **({"ONEDOOR_CACHE": os.environ["ONEDOOR_CACHE"]} if "ONEDOOR_CACHE" in os.environ else {}),
            **own,
            "ONEDOOR_HOME": str(home),
            "ONEDOOR_KAFKA_PORT": str(first),
            "ONEDOOR_POSTGRES_PORT": str(first + 2),
        }

    def start(self, *words: str, **more: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("onedoor")), *words],
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *words: str, status: int = 0, **more: str) -> str:
        """Run it to its end; what it printed."""
        with self.start(*words, **more) as process:
            output, _ = process.communicate(timeout=300)
        assert process.returncode == status, output
        return output

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("status", "--json"))
        return found

    def left(self) -> list[str]:
        """Processes that still work for this home."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MANAGED) == str(self.home):
                    found.append(" ".join(process.cmdline())[-80:])
            except psutil.Error:
                continue
        return found


@pytest.fixture
def onedoor() -> Iterator[Command]:
    with tempfile.TemporaryDirectory(prefix="onedoor-test-", ignore_cleanup_errors=True) as folder:
        command = Command(Path(folder))
        yield command
        command("down")


def _until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _nothing_left(onedoor: Command) -> None:
    """Soon nothing is: not even what would like to stop in peace, since nobody is there to lose patience."""
    deadline = time.monotonic() + 30
    while left := onedoor.left():
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.2)


def _started_in_the_foreground(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(line)
        if "bearer token" in line:
            return
    raise AssertionError("".join(told))


def test_a_system_starts_mends_itself_starts_again_without_network_and_leaves_nothing(
    onedoor: Command,
) -> None:
    assert "ready after" in onedoor("up", "--detach", "--no-samples")
    found = onedoor.status()
    assert found["kafka"]["backend"] == found["postgres"]["backend"] == "embedded"
    assert {"intake", "assistance", "child-welfare", "notify", "desk"} <= set(found["services"])
    assert all(service["ready"] for service in found["services"].values())

    crashed = found["services"]["intake"]["pid"]
    os.kill(crashed, signal.SIGKILL)
    _until(lambda: onedoor.status()["services"]["intake"]["pid"] != crashed)
    _until(lambda: bool(onedoor.status()["services"]["intake"]["ready"]))
    assert "was started again" in onedoor("logs", "manager")

    assert "3 days" in onedoor("clock", "advance", "3d")
    assert "the system's time" in onedoor("clock", "reset")
    assert "stop it first" in onedoor("reset", "--yes", status=1)
    assert "runs already" in onedoor("up", "--detach")
    assert onedoor("token", "--role", "everything").count(".") == 2

    assert "stopped" in onedoor("down")
    assert onedoor.left() == []
    assert "not running" in onedoor("status", status=3)

    for number, ending in ((signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)):
        with onedoor.start("up", "--no-samples", **OUT_OF_REACH) as process:
            _started_in_the_foreground(process)
            assert onedoor.left()
            process.send_signal(number)
            assert process.stdout is not None
            process.stdout.read()
            assert process.wait(120) == ending
        _nothing_left(onedoor)
        assert "not running" in onedoor("status", status=3)

    onedoor("reset", "--yes")
    assert not (onedoor.home / "postgres").exists()


def test_a_taken_port_ends_the_start_in_one_line(onedoor: Command) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        told = onedoor("up", "--detach", status=1, ONEDOOR_DESK_PORT=port)
    assert told.count("\n") == 1
    assert f"port {port} (desk) is taken" in told
    assert onedoor.left() == []
