"""OpenFisca by itself: five variables over three dated figures, one household of three or very many."""

import time
from typing import Any

import numpy as np
from openfisca_core.entities import build_entity
from openfisca_core.parameters import ParameterNode
from openfisca_core.periods import DateUnit, period
from openfisca_core.simulations import SimulationBuilder
from openfisca_core.taxbenefitsystems import TaxBenefitSystem
from openfisca_core.variables import Variable

from tests.bench.meter import answer, asked, percentiles

VARIABLES = 5
DAY = period("day:2026-03-10")
Person = build_entity(key="person", plural="persons", label="", is_person=True)
Household = build_entity(
    key="household",
    plural="households",
    label="",
    roles=[{"key": "member", "plural": "members", "label": ""}],
)


class income(Variable):  # type: ignore[misc]
    value_type = int
    entity = Person
    definition_period = DateUnit.DAY


class property_ok(Variable):  # type: ignore[misc]
    value_type = bool
    entity = Household
    definition_period = DateUnit.DAY


class income_per_head(Variable):  # type: ignore[misc]
    value_type = int
    entity = Household
    definition_period = DateUnit.DAY

    def formula(household: Any, day: Any) -> Any:
        return household.sum(household.members("income", day)) // household.nb_persons()


class eligible(Variable):  # type: ignore[misc]
    value_type = bool
    entity = Household
    definition_period = DateUnit.DAY

    def formula(household: Any, day: Any, parameters: Any) -> Any:
        below = household("income_per_head", day) < parameters(day).standard * parameters(day).factor
        return below & household("property_ok", day)


class allowance(Variable):  # type: ignore[misc]
    value_type = int
    entity = Household
    definition_period = DateUnit.DAY

    def formula(household: Any, day: Any, parameters: Any) -> Any:
        gap = parameters(day).standard - household("income_per_head", day)
        return household("eligible", day) * np.maximum(gap, parameters(day).least)


def system() -> Any:
    toy = TaxBenefitSystem([Person, Household])
    for variable in (income, property_ok, income_per_head, eligible, allowance):
        toy.add_variable(variable)
    values = {"standard": 77000, "factor": 1, "least": 1000}
    toy.parameters = ParameterNode(
        "", data={name: {"values": {"2020-01-01": {"value": value}}} for name, value in values.items()}
    )
    return toy


SITUATION = {
    "persons": {name: {"income": {str(DAY): 30_000}} for name in ("a", "b", "c")},
    "households": {"home": {"members": ["a", "b", "c"], "property_ok": {str(DAY): True}}},
}


def one(toy: Any) -> float:
    began = time.process_time()
    simulation = SimulationBuilder().build_from_entities(toy, SITUATION)
    for name in ("eligible", "allowance"):
        simulation.calculate(name, DAY)
    return time.process_time() - began


def many(toy: Any, number: int) -> float:
    """Processor seconds to declare, join, set and calculate for so many households of three."""
    began = time.process_time()
    builder = SimulationBuilder()
    builder.create_entities(toy)
    builder.declare_person_entity("person", np.arange(3 * number))
    households = builder.declare_entity("household", np.arange(number))
    builder.join_with_persons(
        households, np.repeat(np.arange(number), 3), np.zeros(3 * number, dtype=np.int64)
    )
    simulation = builder.build(toy)
    simulation.set_input("income", DAY, np.full(3 * number, 30_000))
    simulation.set_input("property_ok", DAY, np.ones(number, dtype=bool))
    simulation.calculate("allowance", DAY)
    return time.process_time() - began


if __name__ == "__main__":
    question, toy = asked(), system()
    seconds = [one(toy) for _ in range(question["count"])]
    whole = min(many(toy, question["households"]) for _ in range(3))
    answer(
        {
            **percentiles(seconds),
            "one_us_per_variable": percentiles(seconds)["p50"] * 1e3 / VARIABLES,
            "many_ns_per_variable": whole * 1e9 / question["households"] / VARIABLES,
        }
    )
