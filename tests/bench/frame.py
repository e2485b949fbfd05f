"""The frame of all benchmarks: groups of runs, measured in turn, and bars judged from ratios alone."""

import asyncio
import json
import os
import statistics
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from onedoor.dev.resolve import Servers

ROOT = Path(__file__).parents[2]
NOISY = 0.40
"""A side whose range is more than this share of its median gives no verdict."""

Figures: TypeAlias = Mapping[str, float]
Run: TypeAlias = Callable[["Bench"], Awaitable[Figures]]


@dataclass(frozen=True)
class Bench:
    """What a run has at hand. folder: for logs; peers: the Python that has the peers installed, if any."""

    servers: Servers
    folder: Path
    quick: bool
    peers: Path | None

    def size(self, full: int, quick: int) -> int:
        """How much is to be done in this call."""
        return quick if self.quick else full

    async def product(self, program: str, **question: Any) -> Figures:
        """Run a program of `tests.bench.product` in a process of its own."""
        return await self._run(Path(sys.executable), f"tests.bench.product.{program}", question)

    async def generator(self, program: str, **question: Any) -> Figures:
        """Run a program of `tests.bench.generators`; where it measures, it is from the client's side."""
        return await self._run(Path(sys.executable), f"tests.bench.generators.{program}", question)

    async def anchor(self, program: str, **question: Any) -> Figures:
        """Run an anchor program that needs no more than what the product has installed."""
        return await self._run(Path(sys.executable), f"tests.bench.anchors.{program}", question)

    async def peer(self, program: str, **question: Any) -> Figures:
        """Run an anchor program in the peers' environment. Raises NotMeasured where there is none."""
        if self.peers is None:
            raise NotMeasured("the peers are not installed; `make bench` does it")
        return await self._run(self.peers, f"tests.bench.anchors.{program}", question)

    async def _run(self, python: Path, module: str, question: Mapping[str, Any]) -> Figures:
        common = {"kafka": self.servers.kafka, "postgres": self.servers.postgres}
        process = await asyncio.create_subprocess_exec(
            str(python), "-m", module, json.dumps({**common, **question}),
            cwd=ROOT,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(180):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        lines = out.decode().splitlines()
        if process.returncode or not lines:
            raise RuntimeError(f"{module} ended with {process.returncode}: {err.decode()[-3000:]}")
        figures: dict[str, float] = json.loads(lines[-1])
        return figures


class NotMeasured(Exception):
    """This run cannot be had here; its bars are left open."""


@dataclass(frozen=True)
class Bar:
    """A ratio that must hold. over and under: `run.figure`; least: whether it must be at least the bar.

    steady: whether a wide range of a side forbids a verdict (not where the figure is a count of few).
    """

    id: str
    what: str
    over: str
    under: str
    bar: float | None = None
    stretch: float | None = None
    least: bool = True
    steady: bool = True

    def runs(self) -> set[str]:
        return {self.over.partition(".")[0], self.under.partition(".")[0]}


@dataclass(frozen=True)
class Belief:
    """A ratio of two anchors that must lie in a known range, or the anchors themselves are in doubt."""

    what: str
    over: str
    under: str
    low: float
    high: float

    def runs(self) -> set[str]:
        return {self.over.partition(".")[0], self.under.partition(".")[0]}


def _nothing(bench: Bench) -> AbstractAsyncContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Group:
    """Runs that are measured in turn, and what is judged from them; prepare: once, around all rounds.

    rounds: how many where it is not 5 (quick: 3).
    """

    name: str
    runs: Mapping[str, Run]
    bars: Sequence[Bar] = ()
    beliefs: Sequence[Belief] = ()
    prepare: Callable[[Bench], AbstractAsyncContextManager[None]] = _nothing
    rounds: int | None = None


@dataclass(frozen=True)
class Spread:
    """One figure over all rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))

    @property
    def noisy(self) -> bool:
        return self.high - self.low > NOISY * abs(self.median)

    def __str__(self) -> str:
        return f"{short(self.median)} [{short(self.low)}–{short(self.high)}]"


def short(value: float) -> str:
    """Three digits that matter."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


Verdict = Literal["holds", "stretch", "MISSED", "too noisy", "not measured", "shown"]


@dataclass(frozen=True)
class Judged:
    """What became of a bar: the ratio of each round, median and range, and the verdict."""

    bar: Bar
    verdict: Verdict
    ratio: Spread | None = None


@dataclass(frozen=True)
class Believed:
    belief: Belief
    ratio: Spread
    holds: bool


@dataclass(frozen=True)
class Outcome:
    """Everything that one group gave. values: of each `run.figure`, round by round."""

    group: str
    values: Mapping[str, Sequence[float]]
    judged: Sequence[Judged]
    believed: Sequence[Believed]
    missing: Mapping[str, str]


async def measure(bench: Bench, group: Group, only: Collection[str]) -> Outcome | None:
    """Measure what the chosen bars need (or the whole group); None where nothing of it is chosen."""
    chosen = group.name in only or not only
    bars = [bar for bar in group.bars if chosen or bar.id in only]
    if not bars and not chosen:
        return None
    wanted = set(group.runs) if chosen else set().union(*(bar.runs() for bar in bars))
    beliefs = [belief for belief in group.beliefs if belief.runs() <= wanted]
    names = [name for name in group.runs if name in wanted]
    values: dict[str, list[float]] = {}
    missing: dict[str, str] = {}
    try:
        await _rounds(bench, group, names, values, missing)
    except Exception as reason:  # what other groups have to say is not lost with this one
        missing |= {name: _told(group, name, reason) for name in names if name not in missing}
    return Outcome(
        group.name,
        values,
        [judge(bar, values) for bar in bars],
        [believe(belief, values) for belief in beliefs if {belief.over, belief.under} <= values.keys()],
        missing,
    )


def _told(group: Group, name: str, reason: Exception) -> str:
    """The reason why a run gave nothing; said at once, too."""
    told = f"{type(reason).__name__}: {reason}"
    print(f"  {group.name} {name}: {told}", file=sys.stderr, flush=True)
    return told


async def _rounds(
    bench: Bench,
    group: Group,
    names: Sequence[str],
    values: dict[str, list[float]],
    missing: dict[str, str],
) -> None:
    """All runs in turn, every other round backwards, so that a drift of the machine meets all alike."""
    rounds = group.rounds or bench.size(5, 3)
    async with group.prepare(bench):
        for number in range(rounds):
            for name in names if number % 2 == 0 else reversed(names):
                if name in missing:
                    continue
                try:
                    figures = await group.runs[name](bench)
                except Exception as reason:
                    missing[name] = _told(group, name, reason)
                    for figure in [each for each in values if each.startswith(f"{name}.")]:
                        del values[figure]  # rounds are compared with rounds
                    continue
                for figure, value in figures.items():
                    values.setdefault(f"{name}.{figure}", []).append(value)
                said = ", ".join(f"{figure} {short(value)}" for figure, value in figures.items())
                print(f"  {group.name} {number + 1}/{rounds} {name}: {said}", file=sys.stderr, flush=True)


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Round by round, since the machine drifts between rounds."""
    return Spread.of([a / b for a, b in zip(over, under, strict=True)])


def judge(bar: Bar, values: Mapping[str, Sequence[float]]) -> Judged:
    """What the figures say of a bar."""
    over, under = values.get(bar.over), values.get(bar.under)
    if not over or not under:
        return Judged(bar, "not measured")
    found = ratio(over, under)
    if bar.steady and (Spread.of(over).noisy or Spread.of(under).noisy):
        return Judged(bar, "too noisy", found)
    if bar.bar is None:
        return Judged(bar, "shown", found)
    if _reaches(bar, found.median, bar.stretch):
        return Judged(bar, "stretch", found)
    return Judged(bar, "holds" if _reaches(bar, found.median, bar.bar) else "MISSED", found)


def _reaches(bar: Bar, value: float, limit: float | None) -> bool:
    return limit is not None and (value >= limit if bar.least else value <= limit)


def believe(belief: Belief, values: Mapping[str, Sequence[float]]) -> Believed:
    """Whether the anchors stand to each other as they are known to."""
    found = ratio(values[belief.over], values[belief.under])
    return Believed(belief, found, belief.low <= found.median <= belief.high)
