"""Every condition of every programme: which variable of the rules holds its verdict, and how to say it.

The order within a programme is the order in which the law asks. A figure enters a decision if its condition
was asked before the answer was settled, that is up to the first condition that is not met.
"""

from collections.abc import Mapping

from onedoor.policy.case import Case
from onedoor.policy.conditions import children, dibao, disability, expenditure, tekun
from onedoor.policy.conditions.condition import Condition, Words
from onedoor.policy.conditions.dibao import taper_months
from onedoor.policy.conditions.words import alive

__all__ = ["CONDITIONS", "DIBAO", "TAPER", "Condition", "Words", "conditions_of", "taper_months"]

DIBAO = (dibao.REGISTERED, dibao.PROPERTY, dibao.BELOW_STANDARD)
TAPER = (
    dibao.REGISTERED,
    dibao.PROPERTY_FOR_TAPER,
    dibao.FROM_STANDARD,
    dibao.BELOW_TAPER_LIMIT,
    dibao.BY_WORK,
    dibao.TAPER_RUNS,
)

CONDITIONS: Mapping[str, tuple[Condition, ...]] = {
    "dibao_edge": (
        dibao.REGISTERED,
        dibao.PROPERTY,
        dibao.FROM_STANDARD,
        dibao.BELOW_EDGE,
        dibao.NOT_IN_TAPER,
    ),
    "rigid_expenditure": (
        dibao.REGISTERED,
        expenditure.WITHOUT_DIBAO,
        expenditure.FROM_EDGE,
        expenditure.NO_ONE_IN_TEKUN,
        expenditure.TWELVE_MONTHS,
        expenditure.BELOW_AVERAGE,
        dibao.PROPERTY,
        expenditure.COSTS_ABOVE_RATIO,
    ),
    "temporary_small": (expenditure.STRUCK,),
    "temporary_expenditure": (expenditure.SPENDING_HARDSHIP, expenditure.EDGE_OR_RIGID),
    "charity_need": (expenditure.GAP_LEFT, expenditure.CONSENTED),
    "single_person": (dibao.EDGE_HOUSEHOLD, dibao.COUNTS, dibao.AFFLICTED, dibao.OWN_INCOME),
    "tekun": (
        tekun.THERE,
        tekun.NO_OTHER_CHOICE,
        tekun.UNABLE_TO_WORK,
        tekun.WITHOUT_MEANS,
        tekun.TEKUN_PROPERTY,
        tekun.UNSUPPORTED,
    ),
    "unattended_child": (
        alive("62"),
        dibao.REGISTERED,
        children.CHILD_AGE,
        children.A_PARENT_LEFT,
        children.NO_PARENT_CARES,
    ),
    "orphan": (alive("54"), children.MINOR, children.PARENTS_LOST),
    "disability_living": (
        disability.DISABLED,
        disability.NO_FULL_CHILD_ALLOWANCE,
        disability.ON_MINIMUM_LIVING,
    ),
    "disability_nursing": (alive("D24"), disability.NURSING_LEVEL),
}


def conditions_of(programme: str, case: Case) -> tuple[Condition, ...]:
    """The conditions that decide a programme, in the law's order.

    Those of dibao depend on the case: a household on dibao whose income has reached the standard is asked
    whether it tapers.
    """
    if programme != "dibao":
        return CONDITIONS[programme]
    asks_taper = case["on_dibao"] and case["below_standard"] == 0
    return TAPER if asks_taper else DIBAO
