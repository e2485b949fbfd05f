"""A register under the present figures, then under others: only what a change touches is computed anew."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
from openfisca_core.simulations import Simulation

from onedoor.policy.amounts import COMPUTATIONS
from onedoor.policy.deciding import HOUSEHOLD_PROGRAMMES, PERSON_PROGRAMMES
from onedoor.policy.decisions import Programme
from onedoor.policy.population import Arrays, day_period, simulation_of
from onedoor.policy.rules import CountryTaxBenefitSystem, system_of
from onedoor.policy.rules.values import Outcome, is_, sums, total
from onedoor.policy.simulation.effects import Cells, Effect, Paid, Tally
from onedoor.policy.simulation.register import Chunk, Progress, Register, silent
from onedoor.policy.table import Parameters, packaged_parameters

TIERS = ("dibao", "tekun", "edge", "rigid", "none")
"""A household's tier, the first of these that it has under the present figures."""

COSTED: tuple[Programme, ...] = (
    "dibao",
    "single_person",
    "tekun",
    "unattended_child",
    "orphan",
    "disability_living",
    "disability_nursing",
)
"""Programmes that pay by the month."""


class Study:
    """The arrays of a register with the present answers, ready for many variants."""

    def __init__(
        self,
        register: Register,
        day: date,
        parameters: Parameters | None = None,
        progress: Progress = silent,
    ) -> None:
        """Computes the present answers of the whole register on the day."""
        self.day = day
        self.table = parameters or packaged_parameters()
        self.register = register
        self.households = register.households
        self._present: list[_Present] = []
        self._told: dict[str, tuple[Effect, list[dict[Programme, Paid]]]] = {}
        done = 0
        for chunk in register.chunks:
            self._present.append(_present(chunk, self.table, day))
            done += chunk.arrays.number
            progress("decided", done)

    def effect(self, parameters: Parameters, progress: Progress = silent) -> Effect:
        """Who gains and who loses under another table, and what it costs a month.

        Amounts are entitlements by programme, before any rule on receiving several of them. What this study
        told before hides more: no difference of two variants tells of few households. The same figures are
        told the same way again.
        """
        if parameters.hash in self._told:
            return self._told[parameters.hash][0]
        touched = touched_by(self.table, parameters, self.day)
        earlier = [payments for _, payments in self._told.values()]
        tally = Tally(TIERS, len(earlier))
        payments: list[dict[Programme, Paid]] = []
        done = 0
        for number, present in enumerate(self._present):
            after = present.under(parameters, touched, self.day)
            tally.add(present.cells, present.payments, after, [each[number] for each in earlier])
            payments.append(after)
            done += present.chunk.arrays.number
            progress("varied", done)
        self._told[parameters.hash] = effect, _ = tally.effect(), payments
        return effect


@dataclass(frozen=True)
class _Present:
    """A chunk with all that was computed of it under the present figures."""

    chunk: Chunk
    simulation: Simulation
    cells: Cells
    payments: dict[Programme, Paid]

    def under(self, parameters: Parameters, touched: frozenset[str], day: date) -> dict[Programme, Paid]:
        """The payments under another table; what is not touched is taken over as it is."""
        period = day_period(day)
        varied = simulation_of(self.chunk.arrays.bare, system_of(parameters), day)
        for name in read_by(touched, day):
            varied.set_input(name, period, self.simulation.calculate(name, period))
        return {
            programme: self.payments[programme]
            if not touched & {programme, COMPUTATIONS[programme].variable}
            else _payments(varied, self.chunk.arrays, programme, day)
            for programme in COSTED
        }


def _present(chunk: Chunk, table: Parameters, day: date) -> _Present:
    simulation = simulation_of(chunk.arrays, system_of(table), day)
    period = day_period(day)
    for name in _computed():
        simulation.calculate(name, period)
    payments = {programme: _payments(simulation, chunk.arrays, programme, day) for programme in COSTED}
    cells = Cells(chunk.streets, _tiers(simulation, chunk.arrays, day), len(TIERS))
    return _Present(chunk, simulation, cells, payments)


def _payments(simulation: Simulation, arrays: Arrays, programme: Programme, day: date) -> Paid:
    """What a programme pays each household, fen a month; what no figure is known for is left out."""
    variable = COMPUTATIONS[programme].variable
    assert variable is not None
    due = simulation.calculate(variable, day_period(day))
    if programme in HOUSEHOLD_PROGRAMMES:
        return Paid.of(np.maximum(due, 0))
    paid = np.flatnonzero(due > 0)
    paid = paid[arrays.subjects[paid]]
    return Paid.of(sums(arrays.household_of[paid], due[paid], arrays.number))


def _tiers(simulation: Simulation, arrays: Arrays, day: date) -> Any:
    """The index in TIERS of each household."""
    period = day_period(day)
    tekun = is_(simulation.calculate("tekun", period), Outcome.eligible) & arrays.subjects
    in_tekun = total(simulation.household, tekun) > 0
    found = [
        is_(simulation.calculate("dibao", period), Outcome.eligible, Outcome.taper),
        in_tekun,
        is_(simulation.calculate("dibao_edge", period), Outcome.eligible),
        is_(simulation.calculate("rigid_expenditure", period), Outcome.eligible),
    ]
    return np.select(found, range(len(found)), default=len(found))


def touched_by(before: Parameters, after: Parameters, day: date) -> frozenset[str]:
    """The variables that may differ on the day: they read a figure that differs, or another such variable."""
    changed = {parameter.id for parameter in before if after.on(parameter.id, day) != parameter.on(day)}
    touched: set[str] = set()
    rest = {name for name, (figures, _) in readings(day).items() if figures & changed}
    while rest:
        touched |= rest
        rest = {name for name, (_, read) in readings(day).items() if read & touched} - touched
    return frozenset(touched)


@lru_cache(maxsize=64)
def read_by(touched: frozenset[str], day: date) -> frozenset[str]:
    """What these variables read and are not themselves."""
    return frozenset(name for one in touched for name in readings(day)[one][1]) - touched


@lru_cache(maxsize=8)
def readings(day: date) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Which figures and which other variables each variable reads on the day, by OpenFisca's own trace."""
    system = system_of(packaged_parameters())
    simulation = simulation_of(_one_person(system), system, day)
    simulation.trace = True
    for name in outputs():
        simulation.calculate(name, day_period(day))
    figures: dict[str, set[str]] = {}
    read: dict[str, set[str]] = {}
    for node in simulation.tracer.browse_trace():
        figures.setdefault(node.name, set()).update(one.name.lstrip(".") for one in node.parameters)
        read.setdefault(node.name, set()).update(child.name for child in node.children)
    return {name: (frozenset(figures[name]), frozenset(read[name])) for name in figures}


def _one_person(system: CountryTaxBenefitSystem) -> Arrays:
    nobody = np.zeros(1, dtype=np.int64)
    return Arrays({}, {}, nobody, nobody, nobody, number=1, kinships=1)


def outputs() -> Iterable[str]:
    """The variables that hold the programmes' answers and amounts."""
    for programme in (*HOUSEHOLD_PROGRAMMES, *PERSON_PROGRAMMES):
        yield programme
        if variable := COMPUTATIONS[programme].variable:
            yield variable


@lru_cache(maxsize=1)
def _computed() -> frozenset[str]:
    """The variables with a formula that lead to a programme's answer."""
    system = system_of(packaged_parameters())
    names = readings(date(2026, 1, 1))
    return frozenset(name for name in names if system.variables[name].formulas)
