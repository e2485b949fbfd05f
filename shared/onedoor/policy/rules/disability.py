"""The two disability subsidies (残疾人两项补贴)."""

from typing import Any

import numpy as np

from onedoor.policy.rules.entities import Person
from onedoor.policy.rules.values import (
    NO_AMOUNT,
    Amount,
    Answer,
    Array,
    Fact,
    Outcome,
    Verdict,
    all_of,
    answer,
    any_of,
    is_,
    verdict,
)


class unattended_child_paid_in_full(Fact):
    entity = Person
    label = "Receives the full allowance of an unattended child"


class disabled(Verdict):
    entity = Person
    label = "Holds a disability certificate"
    reference = "D24"

    def formula(person: Any, period: Any) -> Array:
        return verdict(person("disability_level", period) >= 1)


class on_minimum_living(Verdict):
    entity = Person
    label = "Counted in a household that has dibao, or has it as a single person"
    reference = "D24"

    def formula(person: Any, period: Any) -> Array:
        in_household = all_of(
            verdict(person("counted", period)), _eligible(person.household("dibao", period))
        )
        return any_of(in_household, _eligible(person("single_person", period)))


def _eligible(outcome: Any) -> Array:
    """The verdict in an outcome; a taper is none."""
    verdicts = np.asarray(outcome).astype(np.int8)
    return np.where(is_(outcome, Outcome.taper), np.int8(0), verdicts)


class no_full_child_allowance(Verdict):
    entity = Person
    label = "Is not paid the full allowance of an unattended child"
    reference = "62"

    def formula(person: Any, period: Any) -> Array:
        return verdict(~person("unattended_child_paid_in_full", period))


class disability_living(Answer):
    entity = Person
    label = "Living allowance of disabled persons in hardship (困难残疾人生活补贴)"
    reference = "D24"

    def formula(person: Any, period: Any) -> Array:
        return answer(
            all_of(
                person("disabled", period),
                person("no_full_child_allowance", period),
                person("on_minimum_living", period),
            )
        )


class disability_living_amount(Amount):
    entity = Person
    label = "Living allowance, fen a month"
    reference = "D24"

    def formula(person: Any, period: Any, parameters: Any) -> Array:
        due = is_(person("disability_living", period), Outcome.eligible)
        return np.where(due, parameters(period).disability_living, NO_AMOUNT)


class needs_nursing(Verdict):
    entity = Person
    label = "Disability of level 1 or 2"
    reference = "D24"

    def formula(person: Any, period: Any) -> Array:
        level = person("disability_level", period)
        return verdict(person("member", period) & ((level == 1) | (level == 2)))


class disability_nursing(Answer):
    entity = Person
    label = "Nursing allowance of severely disabled persons (重度残疾人护理补贴)"
    reference = "D24"

    def formula(person: Any, period: Any) -> Array:
        return answer(all_of(person("alive", period), person("needs_nursing", period)))


class disability_nursing_amount(Amount):
    entity = Person
    label = "Nursing allowance, fen a month"
    reference = "D24"

    def formula(person: Any, period: Any, parameters: Any) -> Array:
        rates = parameters(period).disability_nursing
        rate = np.where(person("disability_level", period) == 1, rates["1"], rates["2"])
        return np.where(is_(person("disability_nursing", period), Outcome.eligible), rate, NO_AMOUNT)
