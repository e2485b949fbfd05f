"""The bare answers for many households at once, without reasons: for registers, comparisons and leads."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from openfisca_core.simulations import Simulation

from onedoor.policy.amounts import COMPUTATIONS
from onedoor.policy.deciding import HOUSEHOLD_PROGRAMMES, OUTCOMES, PERSON_PROGRAMMES
from onedoor.policy.decisions import OutcomeName, Programme
from onedoor.policy.household import Household
from onedoor.policy.population import arrays_of, day_period, population_of, simulation_of
from onedoor.policy.rules import system_of
from onedoor.policy.rules.values import NO_AMOUNT
from onedoor.policy.table import Parameters, packaged_parameters


class Answer(NamedTuple):
    """A programme's outcome and amount in fen, None where none is due or known."""

    outcome: OutcomeName
    amount_fen: int | None


Answers = dict[tuple[Programme, str | None], Answer]


def answers(households: Sequence[Household], parameters: Parameters | None = None) -> list[Answers]:
    """What `decide` answers for each household, in order; all must have the same day.

    Raises ValueError if their days differ.
    """
    if not households:
        return []
    day = households[0].as_of
    if any(household.as_of != day for household in households):
        raise ValueError("the households are of different days")
    population, system = population_of(households), system_of(parameters or packaged_parameters())
    simulation = simulation_of(arrays_of(population, system), system, day)
    columns = {
        programme: _column(simulation, programme, day)
        for programme in (*HOUSEHOLD_PROGRAMMES, *PERSON_PROGRAMMES)
    }
    return [
        _of(household, number, rows, columns)
        for number, (household, rows) in enumerate(zip(households, population.member_rows, strict=True))
    ]


def _column(simulation: Simulation, programme: Programme, day: date) -> list[Answer]:
    period, amount = day_period(day), COMPUTATIONS[programme].variable
    outcomes = np.asarray(simulation.calculate(programme, period)).tolist()
    amounts = simulation.calculate(amount, period).tolist() if amount else [NO_AMOUNT] * len(outcomes)
    return [
        Answer(OUTCOMES[outcome], None if fen == NO_AMOUNT else fen)
        for outcome, fen in zip(outcomes, amounts, strict=True)
    ]


def _of(
    household: Household, number: int, rows: Sequence[int], columns: dict[Programme, list[Answer]]
) -> Answers:
    found: Answers = {(programme, None): columns[programme][number] for programme in HOUSEHOLD_PROGRAMMES}
    for member, row in zip(household.members, rows, strict=True):
        for programme in PERSON_PROGRAMMES:
            if programme != "tekun" or member.supporters is not None:
                found[programme, member.id] = columns[programme][row]
    return found
