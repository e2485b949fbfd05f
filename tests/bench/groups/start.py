"""How long `make up` takes, by part: with fresh data, and warm; the download apart (it is not measured)."""

import asyncio
import os
import re
import sys

from onedoor.dev import ports
from onedoor.dev.services import startable
from tests.bench.frame import ROOT, Bench, Figures, Group

PART = re.compile(r"^  (\S+) +([0-9.]+) s", re.M)
_CHOSEN = ("ONEDOOR_KAFKA", "ONEDOOR_POSTGRES")
ALL = re.compile(r"ready after ([0-9.]+) s")


def _environment(bench: Bench) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if name not in _CHOSEN},
        "ONEDOOR_HOME": str(bench.folder / "start"),
        "ONEDOOR_KAFKA_PORT": str(_PORT),
        "ONEDOOR_POSTGRES_PORT": str(_PORT + 2),
        **{service.port_variable: str(port) for service, port in _SERVICES},
    }


_PORT = ports.free(3)
_SERVICES = [(service, ports.free()) for service in startable()]


async def _onedoor(bench: Bench, *argv: str) -> str:
    command = (sys.executable, "-m", "onedoor.dev.cli", *argv)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=_environment(bench), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 180)
    if process.returncode:
        raise RuntimeError(out.decode()[-2000:])
    return out.decode()


async def _started(bench: Bench) -> Figures:
    """Seconds of each part, and of all."""
    try:
        said = await _onedoor(bench, "up", "--detach")
    finally:
        await _onedoor(bench, "down")
    whole = ALL.search(said)
    if whole is None:
        raise RuntimeError(said)
    return {part: float(seconds) for part, seconds in PART.findall(said)} | {"all": float(whole[1])}


async def fresh(bench: Bench) -> Figures:
    """Data folders are made, schemas migrated, samples loaded."""
    return await _started(bench)


async def warm(bench: Bench) -> Figures:
    """All that is there already."""
    return await _started(bench)


GROUP = Group(name="start", rounds=1, runs={"fresh": fresh, "warm": warm})
