"""A register of households as arrays in chunks, built once and read by every variant."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from onedoor.policy.household import Household
from onedoor.policy.population import Arrays, arrays_of, population_of
from onedoor.policy.rules import system_of
from onedoor.policy.table import packaged_parameters

CHUNK = 100_000
"""Households of one chunk: a calculation's temporary arrays stay within some tens of megabytes."""

Progress = Callable[[str, int], None]
"""Told what is being done and how many households are done."""


def silent(doing: str, done: int) -> None:
    """No progress shown."""


@dataclass(frozen=True)
class Chunk:
    """Some households of a register and the street (nine digits) of each."""

    arrays: Arrays
    streets: Any


@dataclass(frozen=True)
class Register:
    """All households of a district."""

    chunks: tuple[Chunk, ...]

    @property
    def households(self) -> int:
        return sum(chunk.arrays.number for chunk in self.chunks)


def register_of(households: Iterable[Household], progress: Progress = silent, chunk: int = CHUNK) -> Register:
    """The register of some households, whose street is the division of their registration.

    They are read one by one: no more than their facts of one chunk are held beside the arrays.
    """
    rest, done = iter(households), 0
    chunks: list[Chunk] = []
    while (population := population_of(islice(rest, chunk))).households:
        arrays = arrays_of(population, system_of(packaged_parameters()))
        chunks.append(Chunk(arrays, np.asarray(arrays.households["registered_division"])))
        done += arrays.number
        progress("read", done)
    return Register(tuple(chunks))
