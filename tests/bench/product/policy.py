"""The policy package at work: single decisions, with reasons and bare, and a register under variants."""

import resource
import sys
import time
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from openfisca_core.simulations import SimulationBuilder

from onedoor.policy import Household, decide, packaged_parameters, parse_household
from onedoor.policy.answers import answers
from onedoor.policy.population import arrays_of, day_period, population_of, simulation_of
from onedoor.policy.rules import system_of
from onedoor.policy.simulation import Study, generated
from onedoor.policy.simulation.study import outputs, readings
from tests.bench.meter import answer, asked, percentiles

DAY = date(2026, 9, 1)
CASE = parse_household(
    {
        "as_of": DAY.isoformat(),
        "region": "urban",
        "registered_division": "500112016",
        "members": [
            {
                "id": "m1",
                "relation": "head",
                "birth": "1980-05-06",
                "incomes": [{"kind": "wages", "amount": 900, "per": "month"}],
            },
            {"id": "m2", "relation": "spouse", "birth": "1982-08-09"},
            {"id": "m3", "relation": "child", "birth": "2014-03-12", "student": "compulsory"},
        ],
    }
)


def reasoned(count: int) -> dict[str, float]:
    """Milliseconds of one decision with all its reasons."""
    return percentiles([_timed(lambda: decide(CASE)) for _ in range(count)])


def bare(count: int) -> dict[str, float]:
    """Milliseconds of OpenFisca's own way to the same variables: from a dictionary, without a reason."""
    system, situation, names = system_of(packaged_parameters()), _situation(CASE), tuple(outputs())
    period = day_period(DAY)

    def calculate() -> None:
        simulation = SimulationBuilder().build_from_entities(system, situation)
        for name in names:
            simulation.calculate(name, period)

    found = percentiles([_timed(calculate) for _ in range(count)])
    return {**found, "us_per_variable": found["p50"] * 1e3 / _variables()}


def many(households: int) -> dict[str, float]:
    """Nanoseconds a household and variable, from arrays that are declared and set to all answers."""
    system, period = system_of(packaged_parameters()), day_period(DAY)
    arrays = generated(households, DAY, chunk=households).chunks[0].arrays

    def calculate() -> None:
        simulation = simulation_of(replace(arrays), system, DAY)
        for name in outputs():
            simulation.calculate(name, period)

    seconds = min(_timed(calculate) for _ in range(3))
    return {"ns_per_variable": seconds * 1e9 / households / _variables()}


def variants(households: int) -> dict[str, float]:
    """Processor seconds of the first variant, arrays included, and of the next; memory in MiB."""
    table, began = packaged_parameters(), time.process_time()
    study = Study(generated(households, DAY), DAY)
    present = time.process_time() - began
    study.effect(table.changed("dibao_standard.urban", DAY, 800))
    first = time.process_time() - began
    following = []
    for value in (801, 802, 803):
        began = time.process_time()
        study.effect(table.changed("dibao_standard.urban", DAY, value))
        following.append(time.process_time() - began)
    second = sorted(following)[1]
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "present": present,
        "first": first,
        "second": second,
        "rate": households / second,
        "bare_rate": households / _calculation(study),
        "mib": mib,
        "limit_mib": 2048,
    }


def _calculation(study: Any) -> float:
    """Processor seconds of nothing but calculating all answers on arrays that are built."""
    system, period, spent = system_of(study.table), day_period(DAY), 0.0
    for chunk in study.register.chunks:
        simulation = simulation_of(chunk.arrays, system, DAY)
        began = time.process_time()
        for name in outputs():
            simulation.calculate(name, period)
        spent += time.process_time() - began
    return spent


def register(households: int) -> dict[str, float]:
    """Households a second from filed facts to bare answers."""
    cases = [CASE] * households
    return {"rate": households / _timed(lambda: answers(cases))}


def _timed(work: Any) -> float:
    """Processor seconds: all of this is computation in one thread."""
    began = time.process_time()
    work()
    return time.process_time() - began


def _variables() -> int:
    """How many variables the answers take, inputs included."""
    return len(readings(DAY))


def _situation(household: Household) -> dict[str, Any]:
    """The household as OpenFisca's builder reads it."""
    system, population = system_of(packaged_parameters()), population_of([household])
    arrays = arrays_of(population, system)

    def facts(columns: Any, row: int) -> dict[str, Any]:
        return {name: {DAY.isoformat(): _plain(array, row)} for name, array in columns.items()}

    people = [member.id for member in household.members]
    return {
        "persons": {name: facts(arrays.persons, row) for row, name in enumerate(people)},
        "households": {"home": {"members": people, **facts(arrays.households, 0)}},
        "kinships": {name: {"subject": [name]} for name in people},
    }


def _plain(array: Any, row: int) -> Any:
    if hasattr(array, "decode_to_str"):
        return str(array.decode_to_str()[row])
    value = array[row]
    return str(value) if isinstance(value, np.datetime64) else value.item()


MODES = {"reasoned": reasoned, "bare": bare, "many": many, "variants": variants, "register": register}

if __name__ == "__main__":
    question = asked()
    figures = MODES[question["mode"]](question["count"])
    sys.stdout.flush()
    answer(figures)
