"""Income: which counts for whom, and the household's income per head as two whole numbers.

All sums are fen per year: monthly and yearly incomes add up exactly, and nothing is divided before the end.
"""

from typing import Any

import numpy as np

from onedoor.policy.rules.entities import Household, Person
from onedoor.policy.rules.values import Array, Count, Money, total


class ordinary_income(Money):
    entity = Person
    label = "Wages, farming, business, rent, support, pensions and every kind not named below, fen a year"


class preferential_pension(Money):
    entity = Person
    label = "Preferential pension (优待抚恤金), fen a year"


class family_planning_reward(Money):
    entity = Person
    label = "Family planning reward (计划生育奖励扶助金), fen a year"


class scholarship(Money):
    entity = Person
    label = "Scholarship, fen a year"


class social_assistance(Money):
    entity = Person
    label = "Social assistance, fen a year"


class disability_allowance(Money):
    entity = Person
    label = "Disability allowance, fen a year"


class basic_pension_floor(Money):
    entity = Person
    label = "Central basic pension (基础养老金), fen a year"


class social_insurance(Money):
    entity = Person
    label = "Benefits of basic medical and other social insurance, fen a year"


class old_age_allowance(Money):
    entity = Person
    label = "Old-age allowance (高龄津贴), fen a year"


EXCEPTED_SOMEWHERE = (
    "preferential_pension",
    "family_planning_reward",
    "scholarship",
    "social_assistance",
    "disability_allowance",
    "basic_pension_floor",
    "social_insurance",
    "old_age_allowance",
)
"""Kinds of income that have a variable of their own, since some programme does not count them."""


def _counting(person: Any, period: Any, exceptions: Any) -> Array:
    """The own income without the excepted kinds; those are read too: what a formula reads is the same
    whatever the figures, so that a variant of them finds all it needs.
    """
    sum_ = person("ordinary_income", period)
    for kind in EXCEPTED_SOMEWHERE:
        amounts = person(kind, period)
        if getattr(exceptions, kind, 0) != 1:
            sum_ = sum_ + amounts
    return sum_


class counted_income(Money):
    entity = Person
    label = "Own income that counts for dibao, fen a year"
    reference = "57 art. 13"

    def formula(person: Any, period: Any, parameters: Any) -> Array:
        return _counting(person, period, parameters(period).not_counted.dibao)


class tekun_income(Money):
    entity = Person
    label = "Own income that counts for special hardship, fen a year"
    reference = "TK art. 6"

    def formula(person: Any, period: Any, parameters: Any) -> Array:
        return _counting(person, period, parameters(period).not_counted.tekun)


class rigid_deduction(Money):
    entity = Household
    label = "Rigid costs that the case worker has allowed, fen a month"


class counted_members(Count):
    entity = Household
    label = "Number of counted members"
    reference = "57 art. 7"

    def formula(household: Any, period: Any) -> Array:
        return total(household, household.members("counted", period))


class gross_income(Money):
    entity = Household
    label = "Counted income of counted members, fen a year"
    reference = "57 art. 13"

    def formula(household: Any, period: Any) -> Array:
        counted = household.members("counted", period)
        return total(household, household.members("counted_income", period) * counted)


class deductions(Money):
    entity = Household
    label = "Work costs of counted members and the allowed rigid costs, fen a year"
    reference = "57 art. 13"

    def formula(household: Any, period: Any) -> Array:
        counted = household.members("counted", period)
        costs = total(household, household.members("work_costs", period) * counted)
        return 12 * (costs + household("rigid_deduction", period))


class household_income(Money):
    entity = Household
    label = "Income of the household after deductions, fen a year; never below zero"
    reference = "57 art. 13"

    def formula(household: Any, period: Any) -> Array:
        return np.maximum(household("gross_income", period) - household("deductions", period), 0)
