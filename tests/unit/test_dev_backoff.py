"""A program that ends again and again is started ever more slowly; one that ran steadily at once."""

import json
import subprocess
import sys
from pathlib import Path

from onedoor.dev import backoff
from onedoor.dev.backoff import Backoff

SUPERVISED = """
import asyncio, json, sys, time
from pathlib import Path
from onedoor.dev import backoff
from onedoor.dev.program import Program
from onedoor.dev.supervisor import Supervisor

backoff.FIRST_SECONDS, backoff.LONGEST_SECONDS = 0.4, 1.6
home, spawned, rests = Path(sys.argv[1]), [], []

async def main():
    program = Program("short", (sys.executable, "-c", "pass"), home / "log")
    supervisor = Supervisor(
        home, lambda name, pid: spawned.append(time.monotonic()), lambda name, seconds: rests.append(seconds)
    )
    async with supervisor, supervisor.watch(program):
        async with asyncio.timeout(60):
            while len(spawned) < 5:
                await asyncio.sleep(0.05)
    gaps = [later - earlier for earlier, later in zip(spawned, spawned[1:])]
    print(json.dumps([gaps, rests]))

asyncio.run(main())
"""


def test_short_runs_rest_twice_as_long_each_time_up_to_a_limit() -> None:
    waits = Backoff()
    assert [waits.rest(1) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [waits.rest(0) for _ in range(5000)][-1] == backoff.LONGEST_SECONDS


def test_a_steady_run_is_followed_at_once_and_makes_up_for_short_ones() -> None:
    waits = Backoff()
    assert [waits.rest(ran) for ran in (1, 1, 3600, backoff.STEADY_SECONDS, 1)] == [0.5, 1, 0, 0, 0.5]


def test_under_circus(tmp_path: Path) -> None:
    """In a process of its own: circus reaps every child of the process that it is in."""
    done = subprocess.run(
        [sys.executable, "-c", SUPERVISED, str(tmp_path)], capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    gaps, rests = json.loads(done.stdout)
    assert rests[:4] == [0.4, 0.8, 1.6, 1.6]
    assert [gap >= rest for gap, rest in zip(gaps, rests, strict=False)] == [True] * 4
