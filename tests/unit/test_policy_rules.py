"""The rules' own tables (tests/policy) under OpenFisca's runner, and again to the fen."""

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from openfisca_core.simulations import SimulationBuilder

from onedoor.policy.conditions import CONDITIONS, DIBAO, TAPER
from onedoor.policy.rules import CountryTaxBenefitSystem, system_of
from onedoor.policy.rules.values import Money
from onedoor.policy.simulation.study import readings
from onedoor.policy.table import packaged_parameters

TABLES = Path(__file__).resolve().parents[1] / "policy"


def rows() -> list[Any]:
    found = []
    for file in sorted(TABLES.glob("*.yaml")):
        found += [pytest.param(row, id=row["name"]) for row in yaml.safe_load(file.read_text("utf-8"))]
    return found


@pytest.fixture(scope="module")
def system() -> CountryTaxBenefitSystem:
    return system_of(packaged_parameters())


def test_the_tables_hold_under_openfiscas_own_runner() -> None:
    runner = Path(sys.executable).parent / "openfisca"
    result = subprocess.run(
        [runner, "test", "--country-package", "onedoor.policy.rules", str(TABLES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    assert f"{len(rows())} passed" in result.stdout


@pytest.mark.parametrize("row", rows())
def test_a_row_holds_exactly(row: dict[str, Any], system: CountryTaxBenefitSystem) -> None:
    builder = SimulationBuilder()
    builder.set_default_period(str(row["period"]))
    simulation = builder.build_from_entities(system, _without_merge_keys(row["input"]))
    for name, expected in row["output"].items():
        values = simulation.calculate(name, str(row["period"]))
        if hasattr(values, "decode_to_str"):
            values = values.decode_to_str()
        found = [str(value) if isinstance(value, np.datetime64) else value for value in values]
        wanted = expected if isinstance(expected, list) else [expected]
        assert found == [str(value) if hasattr(value, "isoformat") else value for value in wanted], name


def _without_merge_keys(situation: dict[str, Any]) -> dict[str, Any]:
    return {
        plural: {name: dict(facts) for name, facts in instances.items()}
        for plural, instances in situation.items()
    }


def test_money_is_held_in_64_bits(system: CountryTaxBenefitSystem) -> None:
    money = [variable for variable in system.variables.values() if isinstance(variable, Money)]
    assert len(money) > 25
    assert {np.dtype(variable.dtype) for variable in money} == {np.dtype(np.int64)}
    assert not [name for name, variable in system.variables.items() if variable.value_type is float]


def test_every_variable_with_a_formula_names_its_clause(system: CountryTaxBenefitSystem) -> None:
    plain = {"age", "member", "parents_named"}
    silent = [name for name, one in system.variables.items() if one.formulas and not one.reference]
    assert set(silent) == plain


def read_by(name: str) -> set[str]:
    """What a variable's formula reads, by OpenFisca's trace."""
    return set(readings(date(2026, 3, 10))[name][1])


@pytest.mark.parametrize("programme", sorted(CONDITIONS))
def test_a_programmes_conditions_are_what_its_formula_reads(programme: str) -> None:
    """So that no reason is missing and none is invented."""
    assert {condition.variable for condition in CONDITIONS[programme]} == read_by(programme)


def test_dibaos_conditions_are_those_of_granting_or_those_of_the_taper() -> None:
    assert {condition.variable for condition in DIBAO} == read_by("dibao") - {"tapers"}
    assert {condition.variable for condition in TAPER} == read_by("tapers") - {"on_dibao"}
