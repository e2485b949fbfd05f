"""What a condition is: a verdict of the rules, and how to say it."""

from collections.abc import Callable
from dataclasses import dataclass

from onedoor.policy.case import Case

Words = tuple[str, str]
"""Chinese and English."""


def _no_parameters(case: Case) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Condition:
    """One condition: its code, its clause, the verdict's variable, and its words about a case.

    `says` states value and threshold; `change` what would have to be otherwise. With `negated` the variable
    says the opposite. `within` are programmes whose own figures enter through this condition.
    """

    code: str
    clause: str
    variable: str
    says: Callable[[Case], Words]
    change: Callable[[Case], Words]
    parameters: Callable[[Case], tuple[str, ...]] = _no_parameters
    negated: bool = False
    within: tuple[str, ...] = ()

    def verdict(self, case: Case) -> int:
        """NO, UNKNOWN or YES (0, 1, 2)."""
        value = int(case[self.variable])
        return 2 - value if self.negated else value


def fixed(zh: str, en: str) -> Callable[[Case], Words]:
    return lambda case: (zh, en)
