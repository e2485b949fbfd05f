"""Many minutes of everything that may befall the system, under steady load: nothing is lost or doubled.

`make chaos`; not collected otherwise. ONEDOOR_CHAOS_MINUTES (10 if not given) and ONEDOOR_CHAOS_SEED.
"""

import asyncio
import os
import random
import time
from collections.abc import Coroutine, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.chaos.storm import MODULES, Moment, Storm, seed_of_today, storm, told
from tests.conservation import TOPICS
from tests.killable import Disk
from tests.load import under_load

MINUTES = float(os.environ.get("ONEDOOR_CHAOS_MINUTES", "10"))
PER_SECOND = 4
SERVERS = ("kafka", "postgres", "disk")
FIRST_ROUND = 2 * (len(MODULES) + len(SERVERS))
"""What a run must have seen however slow the machine is: each process struck once, copies between."""
DISK_MEBIBYTES = 1536
"""PostgreSQL's data of an hour, and its log of up to 512 MiB."""
pytestmark = pytest.mark.timeout(MINUTES * 60 + 1200)

Fault = partial[Coroutine[Any, Any, None]]


def faults(weather: Storm, rng: random.Random) -> Iterator[Fault]:
    """Without end, decided by the seed: each process once, a service by a kill, then each by any fault.

    Between them, copies and reversals on the topics.
    """
    moments = cycle(get_args(Moment))
    kills = [partial(weather.kill, name, next(moments)) for name in rng.sample(list(MODULES), len(MODULES))]
    servers = [rng.choice(_possible(name, weather, rng.uniform(0.5, 4))) for name in SERVERS]
    turn = rng.sample([*kills, *servers], len(kills) + len(servers))
    while True:
        for fault in turn:
            yield fault
            yield rng.choice(
                (
                    partial(weather.inject, rng.choice(TOPICS), rng),
                    partial(weather.reorder, rng.choice(("intake", "notify", "assistance", "child-welfare"))),
                )
            )
        names = rng.sample([*MODULES, *SERVERS], len(MODULES) + len(SERVERS))
        turn = [rng.choice(_possible(name, weather, rng.uniform(0.5, 4))) for name in names]


def _possible(name: str, weather: Storm, seconds: float) -> list[Fault]:
    match name:
        case "kafka":
            return [
                partial(weather.kill_kafka, seconds),
                partial(weather.stop_kafka, seconds),
                partial(weather.freeze_kafka, 3 * seconds),
            ]
        case "postgres":
            return [
                partial(weather.kill_postgres, seconds),
                partial(weather.stop_postgres, seconds),
                partial(weather.freeze_postgres, 3 * seconds),
            ]
        case "disk":
            return [partial(weather.fill_disk, 2 * seconds)]
    return [
        *(partial(weather.kill, name, moment) for moment in get_args(Moment)),
        partial(weather.terminate, name),
        partial(weather.freeze, name, 4 * seconds),
    ]


async def test_whatever_befalls_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    seed = seed_of_today()
    rng = random.Random(seed)
    disk = DISK_MEBIBYTES if Disk.possible() else None
    if disk is None:
        print("SKIPPED: the full disk. No small disk can be mounted here; that takes root on Linux.")
    async with storm(tmp_path, disk_mebibytes=disk) as weather, weather.system.client("intake") as client:
        began = time.monotonic()
        async with under_load(client, seed, PER_SECOND) as posted:
            for number, fault in enumerate(faults(weather, rng)):
                passed = time.monotonic() - began
                if passed > MINUTES * 60 and number >= FIRST_ROUND:
                    break
                if fault.func == weather.fill_disk and disk is None:
                    continue
                what = [each for each in fault.args if not isinstance(each, random.Random)]
                print(f"{passed:6.1f} s ", fault.func.__name__, *what, flush=True)
                await fault()
                await asyncio.sleep(rng.uniform(0.2, 2))
        found = await weather.problems(posted.accepted, timeout=180)
        print(f"{passed / 60:.1f} minutes; {told(posted, weather.evidence)}")
        assert not found, f"seed {seed}: {len(found)} problems: {found[:20]}"
        assert len({accepted.receipt for accepted in posted.accepted}) == posted.posted
        assert not weather.evidence.lacks(), f"seed {seed} proved nothing: {weather.evidence.lacks()}"
