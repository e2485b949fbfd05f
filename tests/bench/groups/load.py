"""What the whole system uses at rest, with ten times as many chains, and where the way gets too long."""

import asyncio
import time
from collections.abc import Mapping

import psutil

from tests.bench.frame import Bar, Bench, Figures, Group
from tests.bench.groups import way

RAMP = (50, 100, 150, 200, 300, 400)
A_SECOND = 1000.0
_SERVERS = {"java": "kafka", "postgres": "postgres"}


def processes(bench: Bench) -> Mapping[str, list[psutil.Process]]:
    """The running processes by what they are: each service, Kafka, PostgreSQL."""
    found = {name: [psutil.Process(process.pid)] for name, process in way.WHOLE.system.processes.items()}
    for each in psutil.process_iter(["name", "cmdline"]):
        line = " ".join(each.info["cmdline"] or ())
        kind = _SERVERS.get(each.info["name"] or "")
        if kind is not None and (str(bench.folder) in line or _within(each, bench)):
            found.setdefault(kind, []).append(each)
    return found


def _within(process: psutil.Process, bench: Bench) -> bool:
    """PostgreSQL's own children do not name their folder; their parent does."""
    parent = process.parent()
    return parent is not None and str(bench.folder) in " ".join(parent.cmdline())


def processors(found: Mapping[str, list[psutil.Process]]) -> dict[str, float]:
    """Seconds of processor used so far."""
    used: dict[str, float] = {}
    for name, those in found.items():
        for process in those:
            if process.is_running():
                times = process.cpu_times()
                used[name] = used.get(name, 0.0) + times.user + times.system
    return used


def megabytes(found: Mapping[str, list[psutil.Process]]) -> float:
    """Of memory in all; PostgreSQL's shared buffers count in each process that uses them."""
    resident: int = sum(each.memory_info().rss for those in found.values() for each in those)
    return resident / 2**20


async def _at_rest(bench: Bench) -> Figures:
    found, seconds = processes(bench), bench.size(20, 8)
    await asyncio.sleep(3)
    before, began = processors(found), time.monotonic()
    await asyncio.sleep(seconds)
    took, after = time.monotonic() - began, processors(found)
    cores = {f"cores_{name}": (after[name] - before[name]) / took for name in before}
    return {"cores": sum(cores.values()), "megabytes": megabytes(found), **cores}


async def idle(bench: Bench) -> Figures:
    """After the first chains."""
    await way.post(bench, rate=50, count=bench.size(200, 50))
    return await _at_rest(bench)


async def idle_tenfold(bench: Bench) -> Figures:
    """After ten times as many."""
    await way.post(bench, rate=50, count=bench.size(1800, 450))
    return await _at_rest(bench)


async def breaking(bench: Bench) -> Figures:
    """The first rate of the ramp at which p99 passes a second, and the cores of each process there."""
    found = processes(bench)
    for rate in RAMP:
        before, began = processors(found), time.monotonic()
        figures = await way.post(bench, rate, rate * bench.size(10, 4))
        took, after = time.monotonic() - began, processors(found)
        if figures["p99"] > A_SECOND or rate == RAMP[-1]:
            break
    cores = {f"cores_{name}": (after[name] - before[name]) / took for name in before}
    return {"rate": rate, "p99": figures["p99"], **cores}


GROUP = Group(
    name="load",
    prepare=way.whole_system,
    rounds=1,
    runs={"idle": idle, "idle_tenfold": idle_tenfold, "breaking": breaking},
    bars=(
        Bar("I1", "cores at rest with ten times as many chains ÷ with few",
            "idle_tenfold.cores", "idle.cores", 1.25, least=False),
    ),
)  # fmt: skip
