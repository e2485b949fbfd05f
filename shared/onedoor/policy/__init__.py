"""Policy: from a household's facts to decisions with reasons, computed from dated law by OpenFisca.

    household = parse_household(yaml_or_json_mapping)     # or HouseholdProblems, field by field
    decisions = decide(household)                          # pure; as of household.as_of
    decisions.of("dibao").outcome, decisions.of("tekun", "m1").amount_fen

OpenFisca and numpy are imported by the first `decide`, not by this package.
"""

from typing import TYPE_CHECKING

from onedoor.policy.decisions import Appeal, Decision, Decisions, Programme, Reason, RuleVersion, Threshold
from onedoor.policy.household import Household, Member, as_file, parse_household
from onedoor.policy.problems import FieldProblem, HouseholdProblems
from onedoor.policy.table import Parameters, TableProblem, packaged_parameters, read_table

if TYPE_CHECKING:
    from onedoor.policy.deciding import decide as decide

__all__ = [
    "Appeal",
    "Decision",
    "Decisions",
    "FieldProblem",
    "Household",
    "HouseholdProblems",
    "Member",
    "Parameters",
    "Programme",
    "Reason",
    "RuleVersion",
    "TableProblem",
    "Threshold",
    "as_file",
    "decide",
    "packaged_parameters",
    "parse_household",
    "read_table",
]


def __getattr__(name: str) -> object:
    if name == "decide":
        from onedoor.policy.deciding import decide

        return decide
    raise AttributeError(name)
