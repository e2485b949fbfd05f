"""A register of invented households, the same for the same seed, to try a policy before data are there."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np

from onedoor.policy.population import SUBJECT, Arrays, column
from onedoor.policy.rules import system_of
from onedoor.policy.rules.dibao import Property, Region
from onedoor.policy.rules.people import DisabilityType, Relation, Student
from onedoor.policy.simulation.register import CHUNK, Chunk, Progress, Register, silent
from onedoor.policy.table import packaged_parameters

STREETS = np.array(
    [500112001, 500112004, 500112008, 500112012, 500112016, 500112133, 500112138, 500112144, 500112150]
)
SHARE_RURAL = 0.35
MEDIAN_INCOME, SPREAD = 180_000, 1.1
"""Of a working adult: fen a month, and the standard deviation of its logarithm."""


def generated(
    number: int, day: date, seed: int = 1, progress: Progress = silent, chunk: int = CHUNK
) -> Register:
    """`number` invented households as of the day. Raises ValueError unless it is positive."""
    if number <= 0:
        raise ValueError("a register has at least one household")
    chunks = []
    for index, size in enumerate(_sizes(number, chunk)):
        chunks.append(_chunk(np.random.default_rng([seed, index]), size, day))
        progress("generated", min((index + 1) * chunk, number))
    return Register(tuple(chunks))


def _sizes(number: int, chunk: int) -> Iterator[int]:
    while number > 0:
        yield min(number, chunk)
        number -= chunk


def _chunk(rng: Any, number: int, day: date) -> Chunk:
    """Couples and singles of 20 to 90, children, and now and then a parent who lives with them."""
    couple, children = rng.random(number) < 0.6, rng.choice(4, number, p=[0.4, 0.35, 0.2, 0.05])
    parent = rng.random(number) < 0.15
    sizes = 1 + couple + children + parent
    household_of = np.repeat(np.arange(number), sizes)
    place = np.arange(len(household_of)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    relation = _relations(place, couple[household_of], children[household_of])
    head_age = rng.integers(20, 90, number)
    age = _ages(rng, relation, head_age[household_of])
    streets = rng.choice(STREETS, number)
    persons = {
        "relation": relation,
        "birth": _births(rng, age, day),
        "ordinary_income": _incomes(rng, relation, age),
        "student": np.where((age >= 6) & (age < 16), Student.compulsory.index, Student.none.index),
        "dependant": relation == Relation.parent.index,
        "major_illness": rng.random(len(age)) < 0.01,
        **_disabilities(rng, len(age)),
        "supporters_on_file": (age >= 60) & (place == 0) & (sizes[household_of] == 1),
    }
    households = {
        "region": np.where(rng.random(number) < SHARE_RURAL, Region.rural.index, Region.urban.index),
        "registered_division": streets,
        "property": np.where(rng.random(number) < 0.06, Property.not_ok.index, Property.ok.index),
        "on_dibao": rng.random(number) < 0.03,
    }
    variables = system_of(packaged_parameters()).variables
    arrays = Arrays(
        persons={name: column(variables[name], values) for name, values in persons.items()},
        households={name: column(variables[name], values) for name, values in households.items()},
        household_of=household_of,
        kinship_of=np.arange(len(household_of)),
        kin_role=np.full(len(household_of), SUBJECT, dtype=np.int8),
        number=number,
        kinships=len(household_of),
    )
    return Chunk(arrays, streets)


def _relations(place: Any, couple: Any, children: Any) -> Any:
    first_child = 1 + couple
    return np.select(
        [place == 0, couple & (place == 1), place < first_child + children],
        [Relation.head.index, Relation.spouse.index, Relation.child.index],
        default=Relation.parent.index,
    )


def _ages(rng: Any, relation: Any, head_age: Any) -> Any:
    near = head_age + rng.integers(-5, 6, len(head_age))
    child = np.maximum(head_age - rng.integers(20, 40, len(head_age)), 0)
    return np.select(
        [
            relation == Relation.head.index,
            relation == Relation.spouse.index,
            relation == Relation.child.index,
        ],
        [head_age, np.maximum(near, 20), child],
        default=np.minimum(head_age + rng.integers(20, 35, len(head_age)), 105),
    )


def _births(rng: Any, age: Any, day: date) -> Any:
    days = np.round(age * 365.25).astype(int) + rng.integers(0, 365, len(age))
    return np.datetime64(day, "D") - days


def _incomes(rng: Any, relation: Any, age: Any) -> Any:
    """Fen a year: adults of working age earn, or not; the old have a pension, or not."""
    wages = np.exp(rng.normal(np.log(MEDIAN_INCOME), SPREAD, len(age))).astype(np.int64)
    pension = rng.integers(15_000, 200_000, len(age))
    works, has_pension = rng.random(len(age)) < 0.75, rng.random(len(age)) < 0.8
    grown = (age >= 20) & (relation != Relation.child.index)
    return 12 * np.where(age >= 60, pension * has_pension, wages * (works & grown))


def _disabilities(rng: Any, number: int) -> dict[str, Any]:
    disabled = rng.random(number) < 0.06
    return {
        "disability_type": np.where(disabled, rng.integers(1, len(DisabilityType), number), 0),
        "disability_level": np.where(disabled, rng.integers(1, 5, number), 0),
    }
