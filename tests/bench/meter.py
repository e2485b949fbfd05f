"""The measured side of a run: a program is asked by one JSON argument and answers by one JSON line.

Nothing but the standard library is needed here: the peers' programs use it too.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

DISCARDED = 0.1
"""The first tenth is not measured: connections open, caches fill."""


def asked() -> dict[str, Any]:
    """What the program is to do."""
    question: dict[str, Any] = json.loads(sys.argv[1])
    return question


def answer(figures: Mapping[str, float]) -> NoReturn:
    """Say the figures and leave at once, whatever still runs."""
    print(json.dumps(figures), flush=True)
    os._exit(0)


@dataclass
class Meter:
    """Counts things done until there are `total`; the rate leaves out the first tenth."""

    total: int
    done: int = 0
    _began: tuple[float, float, int] | None = field(default=None, repr=False)

    def add(self, more: int) -> bool:
        """Count; whether all is done."""
        self.done += more
        if self._began is None and self.done >= self.total * DISCARDED:
            self._began = (time.perf_counter(), time.process_time(), self.done)
        return self.done >= self.total

    def figures(self) -> dict[str, float]:
        """rate: per second; cpu_us: this process's microseconds of processor for each."""
        assert self._began is not None
        began, processor, before = self._began
        counted = self.done - before
        seconds = time.perf_counter() - began
        return {"rate": counted / seconds, "cpu_us": (time.process_time() - processor) / counted * 1e6}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and max in milliseconds, without the first tenth; as they came, not sorted."""
    kept = sorted(seconds[int(len(seconds) * DISCARDED) :])

    def at(share: float) -> float:
        return kept[min(int(len(kept) * share), len(kept) - 1)] * 1000

    return {"p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": kept[-1] * 1000}
