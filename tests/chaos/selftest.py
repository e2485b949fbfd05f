"""Whether chaos would notice: a short run with a rule of the stream broken must lose or double something.

`make chaos-selftest`; not collected otherwise. The same run with nothing broken is the control.
"""

import random
from pathlib import Path
from typing import get_args

import pytest

from onedoor.contracts.events import intake, notify
from tests.chaos.storm import Moment, seed_of_today, storm, told
from tests.load import under_load

KILLED = ("tally", "notify")
pytestmark = pytest.mark.timeout(1200)


async def problems_with(mutation: str, folder: Path) -> list[str]:
    """What a short run finds, with this rule of mutant.py broken."""
    seed = seed_of_today()
    rng = random.Random(seed)
    async with storm(folder, mutation) as weather, weather.system.client("intake") as client:
        async with under_load(client, seed, per_second=4) as posted:
            for moment in get_args(Moment):
                for name in KILLED:
                    await weather.kill(name, moment)
            for topic in (intake.APPLICATION, notify.REFERRAL):
                await weather.inject(topic, rng)
        found = await weather.problems(posted.accepted, timeout=60)
        print(f"{mutation}: {len(found)} problems, the first: {found[:5]}; {told(posted, weather.evidence)}")
        return found


async def test_nothing_is_found_where_nothing_is_broken(tmp_path: Path) -> None:
    assert await problems_with("sound", tmp_path) == []


async def test_doubling_is_found_without_the_inbox(tmp_path: Path) -> None:
    found = await problems_with("without_inbox", tmp_path)
    assert any("counted" in problem and "0 times" not in problem for problem in found), found


async def test_loss_is_found_where_events_are_acknowledged_first(tmp_path: Path) -> None:
    found = await problems_with("acknowledged_first", tmp_path)
    assert any("counted 0 times" in problem or ": no " in problem for problem in found), found
