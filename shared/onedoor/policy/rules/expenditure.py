"""Rigid expenditure (刚性支出困难家庭), temporary aid (临时救助) and the need for charity (慈善)."""

from typing import Any

import numpy as np

from onedoor.policy.rules.dibao import CHONGQING
from onedoor.policy.rules.entities import Household
from onedoor.policy.rules.values import (
    NO_AMOUNT,
    UNKNOWN,
    Amount,
    Answer,
    Array,
    Count,
    Fact,
    Money,
    Outcome,
    Verdict,
    all_of,
    answer,
    any_of,
    compared,
    fraction,
    is_,
    negated,
    total,
    verdict,
)


class income_12mo(Money):
    entity = Household
    default_value = NO_AMOUNT
    label = "Income of the last 12 months, whole household, fen; NO_AMOUNT if not known"


class rigid_costs_12mo(Money):
    entity = Household
    default_value = NO_AMOUNT
    label = "Rigid costs of the last 12 months, whole household, fen; NO_AMOUNT if not known"


class expenditure_hardship(Fact):
    entity = Household
    label = "Sudden necessary spending makes basic life difficult"


class emergency_division(Count):
    entity = Household
    label = "Division where an emergency happened, nine digits; 0 without one"


class basic_life_in_difficulty(Fact):
    entity = Household
    label = "The emergency makes basic life difficult"


class charity_gap(Money):
    entity = Household
    label = "What is uncovered after all public aid, fen"


class charity_received(Money):
    entity = Household
    label = "What charities gave, fen"


class charity_consent(Fact):
    entity = Household
    label = "Signed consent to look for charity"


class without_dibao(Verdict):
    entity = Household
    label = "Neither dibao nor its taper"
    reference = "GX art. 4"

    def formula(household: Any, period: Any) -> Array:
        return verdict(~is_(household("dibao", period), Outcome.eligible, Outcome.taper))


class no_one_in_tekun(Verdict):
    entity = Household
    label = "No member is recognised as in special hardship"
    reference = "GX art. 4"

    def formula(household: Any, period: Any) -> Array:
        enrolled = household.members("enrolled_tekun", period)
        return verdict(total(household, enrolled, household.entity.MEMBER) == 0)


class twelve_months_known(Verdict):
    entity = Household
    label = "Income and rigid costs of the last 12 months are known"
    reference = "GX art. 4"

    def formula(household: Any, period: Any) -> Array:
        return verdict((household("income_12mo", period) >= 0) & (household("rigid_costs_12mo", period) >= 0))


class below_average_income(Verdict):
    entity = Household
    label = "Income of 12 months per head below last year's local disposable income"
    reference = "GX art. 4"

    def formula(household: Any, period: Any, parameters: Any) -> Array:
        average = parameters(period).last_year_disposable_income
        limit = 12 * average * household("counted_members", period)
        income = household("income_12mo", period)
        return compared(income < limit, (income >= 0) & (average >= 0))


class costs_above_ratio(Verdict):
    entity = Household
    label = "Rigid costs above their ratio to income"
    reference = "GX art. 4"

    def formula(household: Any, period: Any, parameters: Any) -> Array:
        ratio = fraction(parameters(period).rigid_ratio)
        costs, income = household("rigid_costs_12mo", period), household("income_12mo", period)
        if ratio is None:
            return np.full(household.count, UNKNOWN, dtype=np.int8)
        above = ratio.denominator * costs > ratio.numerator * income
        return compared(above, (costs >= 0) & (income >= 0))


class rigid_expenditure(Answer):
    entity = Household
    label = "Household with rigid expenditure (刚性支出困难家庭)"
    reference = "GX art. 4"

    def formula(household: Any, period: Any) -> Array:
        return answer(
            all_of(
                household("registered_in_chongqing", period),
                household("without_dibao", period),
                household("no_one_in_tekun", period),
                negated(household("below_edge", period)),
                household("twelve_months_known", period),
                household("below_average_income", period),
                household("costs_above_ratio", period),
                household("property_fits", period),
            )
        )


class struck_in_chongqing(Verdict):
    entity = Household
    label = "An emergency in Chongqing that makes basic life difficult"
    reference = "XE; 39"

    def formula(household: Any, period: Any) -> Array:
        here = household("emergency_division", period) // 10_000_000 == CHONGQING
        return verdict(here & household("basic_life_in_difficulty", period))


class temporary_small(Answer):
    entity = Household
    label = "Small fast aid (小额快救)"
    reference = "XE"

    def formula(household: Any, period: Any) -> Array:
        return answer(household("struck_in_chongqing", period))


class spending_hardship(Verdict):
    entity = Household
    label = "Sudden necessary spending makes basic life difficult"
    reference = "XE"

    def formula(household: Any, period: Any) -> Array:
        return verdict(household("expenditure_hardship", period))


class edge_or_rigid(Verdict):
    entity = Household
    label = "An edge household or one with rigid expenditure"
    reference = "XE"

    def formula(household: Any, period: Any) -> Array:
        both = (household(name, period) for name in ("dibao_edge", "rigid_expenditure"))
        return any_of(*(np.asarray(outcome).astype(np.int8) for outcome in both))


class temporary_expenditure(Answer):
    entity = Household
    label = "Expenditure aid (支出型临时救助)"
    reference = "XE"

    def formula(household: Any, period: Any) -> Array:
        return answer(all_of(household("spending_hardship", period), household("edge_or_rigid", period)))


class gap_left(Verdict):
    entity = Household
    label = "A gap is left after public aid and charity"
    reference = "CS"

    def formula(household: Any, period: Any) -> Array:
        return verdict(household("charity_gap", period) > household("charity_received", period))


class consented(Verdict):
    entity = Household
    label = "Consent to look for charity is signed; without it the question is open"
    reference = "CS"

    def formula(household: Any, period: Any) -> Array:
        return np.where(household("charity_consent", period), np.int8(2), np.int8(UNKNOWN))


class charity_need(Answer):
    entity = Household
    label = "Need for charity (慈善需求)"
    reference = "CS"

    def formula(household: Any, period: Any) -> Array:
        return answer(all_of(household("gap_left", period), household("consented", period)))


class charity_need_amount(Amount):
    entity = Household
    label = "What is still uncovered, fen"
    reference = "CS"

    def formula(household: Any, period: Any) -> Array:
        left = household("charity_gap", period) - household("charity_received", period)
        return np.where(is_(household("charity_need", period), Outcome.eligible), left, NO_AMOUNT)
