"""The district's rules as an OpenFisca country package, over any table of parameters.

`CountryTaxBenefitSystem` is the name by which OpenFisca's own tools find it:
`openfisca test --country-package onedoor.policy.rules tests/policy`.
"""

from copy import copy
from fractions import Fraction
from functools import cache, lru_cache
from types import ModuleType
from typing import Any

from openfisca_core.parameters import ParameterNode
from openfisca_core.taxbenefitsystems import TaxBenefitSystem
from openfisca_core.variables import Variable

from onedoor.policy.rules import children, dibao, disability, expenditure, income, people, tekun
from onedoor.policy.rules.entities import ENTITIES
from onedoor.policy.table import Parameter, Parameters, packaged_parameters

MODULES = (people, income, dibao, tekun, children, disability, expenditure)

NO_FIGURE = -1
"""In OpenFisca's tree, for a day on which no figure is known: no amount, factor or ratio is negative."""

BEFORE_ALL = "0001-01-01"


class CountryTaxBenefitSystem(TaxBenefitSystem):
    """All variables of the rules with the packaged table of parameters."""

    def __init__(self) -> None:
        super().__init__(ENTITIES)
        for module in MODULES:
            for variable in _variables(module):
                self.add_variable(variable)
        self.parameters = ParameterNode("", data=_tree(packaged_parameters()))

    def over(self, table: Parameters) -> "CountryTaxBenefitSystem":
        """The same variables over another table."""
        system = copy(self)
        system.parameters = ParameterNode("", data=_tree(table))
        return system


def _variables(module: ModuleType) -> list[type[Variable]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Variable) and value.__module__ == module.__name__
    ]


def _tree(table: Parameters) -> dict[str, Any]:
    """OpenFisca's nested form: amounts in fen, factors as written, NO_FIGURE where none is known."""
    tree: dict[str, Any] = {}
    for parameter in table:
        *path, last = parameter.id.split(".")
        node = tree
        for name in path:
            node = node.setdefault(name, {})
        node[last] = {"values": _values(parameter)}
    return tree


def _values(parameter: Parameter) -> dict[str, Any]:
    first = 0 if parameter.unit == "flag" else NO_FIGURE
    values: dict[str, Any] = {BEFORE_ALL: {"value": first}}
    for entry in parameter.entries:
        values[entry.since.isoformat()] = {"value": _number(entry.value)}
    return values


def _number(value: int | Fraction | None) -> int | float:
    if value is None:
        return NO_FIGURE
    return value if isinstance(value, int) else float(value)


@lru_cache(maxsize=8)
def system_of(table: Parameters) -> CountryTaxBenefitSystem:
    """The system over this very table, built once."""
    return _packaged_system().over(table)


@cache
def _packaged_system() -> CountryTaxBenefitSystem:
    return CountryTaxBenefitSystem()
