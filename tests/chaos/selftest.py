"""Whether chaos would notice: a short run with a rule of the stream broken must lose or double something.

`make chaos-selftest`; not collected otherwise. The same run with nothing broken is the control.
"""

import asyncio
import random
from pathlib import Path
from typing import get_args

import pytest

from onedoor.contracts.events import intake, notify
from tests.chaos.storm import Moment, seed_of_today, storm, told
from tests.load import steady

SECONDS = 25
KILLED = ("tally", "notify", "child-welfare", "assistance")
pytestmark = pytest.mark.timeout(300)


async def problems_with(mutation: str, folder: Path) -> list[str]:
    """What a short run finds, with this rule of mutant.py broken."""
    seed = seed_of_today()
    rng = random.Random(seed)
    async with storm(folder, mutation) as weather, weather.system.client("intake") as client:
        load = asyncio.create_task(steady(client, seed, 4, SECONDS))
        async with asyncio.TaskGroup() as group:
            for moment in get_args(Moment):
                for name in rng.sample(KILLED, len(KILLED)):
                    group.create_task(weather.kill(name, moment))
                    await asyncio.sleep(2)
                await asyncio.sleep(4)
        for topic in (intake.APPLICATION, notify.REFERRAL):
            await weather.inject(topic, rng)
        posted = await load
        found = await weather.problems(posted.accepted, timeout=20)
        print(f"{mutation}: {len(found)} problems, the first: {found[:5]}; {told(posted, weather.evidence)}")
        return found


async def test_nothing_is_found_where_nothing_is_broken(tmp_path: Path) -> None:
    assert await problems_with("sound", tmp_path) == []


async def test_doubling_is_found_without_the_inbox(tmp_path: Path) -> None:
    found = await problems_with("without_inbox", tmp_path)
    assert any("counted 2 times" in problem for problem in found), found


async def test_loss_is_found_where_events_are_acknowledged_first(tmp_path: Path) -> None:
    found = await problems_with("acknowledged_first", tmp_path)
    assert any("counted 0 times" in problem or ": no " in problem for problem in found), found
