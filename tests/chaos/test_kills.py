"""While applications are posted, every process is killed and started again: nothing is lost or doubled."""

import asyncio
import random
from itertools import cycle
from pathlib import Path
from typing import get_args

import pytest

from tests.chaos.storm import MODULES, Moment, Storm, seed_of_today, storm, told
from tests.load import under_load

PER_SECOND = 4
pytestmark = pytest.mark.timeout(900)


async def kill_each(weather: Storm, rng: random.Random) -> None:
    """Every process once, each at a moment; while one starts again the next is killed."""
    names = rng.sample(list(MODULES), len(MODULES))
    kills = [weather.kill(name, moment) for name, moment in zip(names, cycle(get_args(Moment)))]
    kills += [weather.kill_kafka(), weather.kill_postgres()]
    rng.shuffle(kills)
    async with asyncio.TaskGroup() as group:
        for kill in kills:
            group.create_task(kill)


async def test_every_process_is_killed_in_turn_and_every_receipt_arrives_exactly_once(tmp_path: Path) -> None:
    seed = seed_of_today()
    async with storm(tmp_path) as weather, weather.system.client("intake") as client:
        async with under_load(client, seed, PER_SECOND) as posted:
            await asyncio.sleep(3)
            await kill_each(weather, random.Random(seed))
        found = await weather.problems(posted.accepted, timeout=120)
        print(told(posted, weather.evidence))
        assert not found, f"{len(found)} problems: {found[:20]}"
        assert len({accepted.receipt for accepted in posted.accepted}) == posted.posted
        assert posted.unanswered or posted.refused, "the kills should have hit requests"
        assert not weather.evidence.lacks()
