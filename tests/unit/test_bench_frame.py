"""The frame of `make bench`: what is run for which bar, and how a bar is judged."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from onedoor.dev.resolve import Servers
from tests.bench.frame import Bar, Belief, Bench, Group, NotMeasured, Run, believe, judge, measure
from tests.bench.meter import Meter, percentiles
from tests.bench.report import document, table

NOWHERE = Servers(kafka="-", kafka_backend="environment", postgres="-", postgres_backend="environment")
BENCH = Bench(NOWHERE, Path(), quick=True, peers=None)
FASTER = Bar("F", "ours ÷ theirs", "ours.rate", "theirs.rate", 0.5, 0.8)
SLOWER = Bar("S", "ours ÷ theirs", "ours.p99", "theirs.p99", 2, 1.5, least=False)


@pytest.mark.parametrize(
    ("bar", "ours", "verdict"),
    [
        (FASTER, [9, 9, 9], "stretch"),
        (FASTER, [6, 6, 6], "holds"),
        (FASTER, [4, 4, 4], "MISSED"),
        (FASTER, [4, 6, 8], "too noisy"),
        (SLOWER, [14, 14, 14], "stretch"),
        (SLOWER, [19, 20, 19], "holds"),
        (SLOWER, [21, 21, 21], "MISSED"),
    ],
)
def test_a_bar_is_judged_by_the_median_of_the_rounds(bar: Bar, ours: list[float], verdict: str) -> None:
    assert judge(bar, {bar.over: ours, bar.under: [10, 10, 10]}).verdict == verdict


def test_a_drift_of_the_machine_that_meets_both_alike_changes_no_ratio() -> None:
    judged = judge(FASTER, {"ours.rate": [6, 7, 8], "theirs.rate": [10, 35 / 3, 40 / 3]})
    assert judged.ratio is not None
    assert judged.ratio.low == pytest.approx(judged.ratio.high) == pytest.approx(0.6)


def test_what_was_not_measured_is_not_judged() -> None:
    assert judge(FASTER, {"ours.rate": [6, 6, 6]}).verdict == "not measured"


@pytest.mark.parametrize(("ours", "holds"), [(5, False), (20, True), (27, False)])
def test_anchors_are_believed_only_in_their_known_range(ours: float, holds: bool) -> None:
    belief = Belief("ours ÷ theirs", "ours.rate", "theirs.rate", 1.8, 2.6)
    assert believe(belief, {"ours.rate": [ours], "theirs.rate": [10]}).holds is holds


async def test_a_run_that_fails_in_a_later_round_is_not_measured_and_the_others_are() -> None:
    rounds = 0

    async def steady(bench: Bench) -> Mapping[str, float]:
        return {"rate": 10.0}

    async def breaks(bench: Bench) -> Mapping[str, float]:
        nonlocal rounds
        rounds += 1
        if rounds == 2:
            raise OSError("gone")
        return {"rate": 10.0}

    group = Group("g", {"ours": steady, "theirs": breaks}, (FASTER,))
    outcome = await measure(BENCH, group, ())
    assert outcome is not None
    assert outcome.values == {"ours.rate": [10.0] * 3}
    assert outcome.missing == {"theirs": "OSError: gone"}
    assert [judged.verdict for judged in outcome.judged] == ["not measured"]


async def test_only_the_runs_that_a_chosen_bar_needs_take_turns_and_what_fails_leaves_the_others() -> None:
    order: list[str] = []

    def run(name: str) -> Run:
        async def go(bench: Bench) -> Mapping[str, float]:
            order.append(name)
            if name == "absent":
                raise NotMeasured("no peers")
            return {"rate": 10.0, "p99": 10.0}

        return go

    runs = {name: run(name) for name in ("ours", "unused", "theirs", "absent")}
    absent = Bar("A", "ours ÷ absent", "ours.rate", "absent.rate", 1)
    group = Group("g", runs, (FASTER, absent))
    assert await measure(BENCH, group, {"other"}) is None
    outcome = await measure(BENCH, group, {"F", "A"})
    assert outcome is not None
    assert order == ["ours", "theirs", "absent", "theirs", "ours", "ours", "theirs"]
    assert [judged.verdict for judged in outcome.judged] == ["stretch", "not measured"]
    assert "no peers" in table([outcome])
    assert document([outcome], quick=True)["figures"]["g.ours.rate"] == [10.0] * 3


def test_the_first_tenth_counts_neither_in_rates_nor_in_percentiles() -> None:
    meter = Meter(100)
    assert not meter.add(10)
    assert meter.add(90)
    assert meter.figures()["rate"] > 0
    assert percentiles([9.0] * 10 + [0.001] * 90)["max"] == pytest.approx(1)
