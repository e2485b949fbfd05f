"""Persons in special hardship (特困人员): no capacity to work, no means, no one able to support them."""

from typing import Any

import numpy as np

from onedoor.policy.rules.entities import Kinship, Person
from onedoor.policy.rules.people import DisabilityType, Student, Whereabouts
from onedoor.policy.rules.values import (
    NO_AMOUNT,
    YES,
    Amount,
    Answer,
    Array,
    Count,
    Enum,
    Fact,
    Money,
    OnTheDay,
    Outcome,
    Verdict,
    all_of,
    answer,
    any_of,
    compared,
    is_,
    negated,
    total,
    verdict,
)


class Choice(Enum):
    """Which allowance a minor chose where several fit."""

    none = "none"
    orphan = "orphan"
    unattended_child = "unattended_child"


class SelfCare(Enum):
    unknown = "unknown"
    able = "able"
    partial = "partial"
    total_loss = "total_loss"


class choice(OnTheDay):
    value_type = Enum
    possible_values = Choice
    default_value = Choice.none
    entity = Person
    label = "Allowance that a minor chose"


class failed_activities(Count):
    entity = Person
    default_value = -1
    label = "How many of the six daily activities fail; -1 if not assessed"


class supporter_on_dibao(Fact):
    entity = Person
    label = "The supporter receives dibao"


class supporter_income(Money):
    entity = Person
    default_value = NO_AMOUNT
    label = "The supporter's income, fen a month; NO_AMOUNT if not known"


class supporter_property_low(Fact):
    entity = Person
    label = "The supporter's property is that of a low-income family"


class supporters_on_file(Fact):
    entity = Person
    label = "Who owes the member support is on file, be it no one"


class no_civil_capacity(Fact):
    entity = Person
    label = "The supporter has no capacity for civil conduct"


class unable_to_work(Verdict):
    entity = Person
    label = "No capacity to work"
    reference = "TK art. 5"

    def formula(person: Any, period: Any) -> Array:
        age, level = person("age", period), person("disability_level", period)
        kind = person("disability_type", period)
        by_disability = (level >= 1) & (
            (is_(kind, DisabilityType.intellectual, DisabilityType.mental) & (level <= 3))
            | (is_(kind, DisabilityType.physical) & (level <= 2))
            | (is_(kind, DisabilityType.visual) & (level == 1))
        )
        at_school = is_(
            person("student", period),
            Student.compulsory,
            Student.senior_secondary,
            Student.vocational_secondary,
        )
        keeps_it = person("enrolled_tekun", period) & ((age < 18) | at_school)
        return verdict((age >= 60) | (age < 16) | by_disability | keeps_it)


class without_means(Verdict):
    entity = Person
    label = "Own income below the standard"
    reference = "TK art. 6"

    def formula(person: Any, period: Any) -> Array:
        standard = person.household("standard", period)
        return compared(person("tekun_income", period) < 12 * standard, standard >= 0)


class excused_from_support(Verdict):
    entity = Person
    label = "Cannot support, as a supporter, whatever the means: in special hardship, or old and on dibao"
    reference = "TK art. 8"

    def formula(person: Any, period: Any) -> Array:
        old_on_dibao = (person("age", period) >= 60) & person("supporter_on_dibao", period)
        return verdict(person("enrolled_tekun", period) | old_on_dibao)


class absent_supporter(Verdict):
    entity = Person
    label = "As a supporter, without civil capacity, missing or in prison, and with low property"
    reference = "TK art. 8"

    def formula(person: Any, period: Any) -> Array:
        away = is_(person("whereabouts", period), Whereabouts.prison, Whereabouts.declared_missing)
        absent = person("no_civil_capacity", period) | away
        return verdict(absent & person("supporter_property_low", period))


class means_asked(Verdict):
    entity = Person
    label = "As a supporter, old or severely disabled with low property, so that the income decides"
    reference = "TK art. 8"

    def formula(person: Any, period: Any) -> Array:
        weak = (person("age", period) >= 70) | person("severely_disabled", period)
        return all_of(
            verdict(weak & person("supporter_property_low", period)),
            negated(person("excused_from_support", period)),
            negated(person("absent_supporter", period)),
        )


class unable_to_support(Verdict):
    entity = Person
    label = "Cannot support, as a supporter"
    reference = "TK art. 8"

    def formula(person: Any, period: Any, parameters: Any) -> Array:
        income, average = person("supporter_income", period), parameters(period).last_year_disposable_income
        poor = compared(income < average, (income >= 0) & (average >= 0))
        return any_of(
            person("excused_from_support", period),
            person("absent_supporter", period),
            all_of(person("means_asked", period), poor),
        )


class average_income_asked(Verdict):
    entity = Kinship
    label = "The income of a supporter is compared with last year's average"
    reference = "TK art. 8"

    def formula(kinship: Any, period: Any) -> Array:
        asked = kinship.members("means_asked", period) == YES
        return verdict(total(kinship, asked, kinship.entity.SUPPORTER) > 0)


class no_able_supporter(Verdict):
    entity = Kinship
    label = "No supporter by law, or every one unable"
    reference = "TK art. 8"

    def formula(kinship: Any, period: Any) -> Array:
        supporters = kinship.members_role == Kinship.SUPPORTER
        found = np.full(kinship.count, YES, dtype=np.int8)
        unable = kinship.members("unable_to_support", period)
        np.minimum.at(found, kinship.members_entity_id[supporters], unable[supporters])
        return found


class unsupported(Verdict):
    entity = Person
    label = "No one owes support and is able to give it"
    reference = "TK art. 8"

    def formula(person: Any, period: Any) -> Array:
        member, on_file = person("member", period), person("supporters_on_file", period)
        return all_of(verdict(member), compared(member, on_file), person.kinship("no_able_supporter", period))


class there_to_be_provided_for(Verdict):
    entity = Person
    label = "Neither dead nor declared missing nor in prison, by which special hardship ends"
    reference = "TK art. 25"

    def formula(person: Any, period: Any) -> Array:
        ended = (Whereabouts.dead, Whereabouts.declared_missing, Whereabouts.prison)
        return verdict(~is_(person("whereabouts", period), *ended))


class no_child_allowance_chosen(Verdict):
    entity = Person
    label = "Has not chosen the allowance of orphans or unattended children"
    reference = "TK art. 24"

    def formula(person: Any, period: Any) -> Array:
        return verdict(is_(person("choice", period), Choice.none))


class tekun(Answer):
    entity = Person
    label = "Special hardship (特困)"
    reference = "TK art. 4"

    def formula(person: Any, period: Any) -> Array:
        return answer(
            all_of(
                person("there_to_be_provided_for", period),
                person("no_child_allowance_chosen", period),
                person("unable_to_work", period),
                person("without_means", period),
                person.household("property_fits", period),
                person("unsupported", period),
            )
        )


class tekun_amount(Amount):
    entity = Person
    label = "Basic living standard, fen a month; with income of one's own no rule gives the figure"
    reference = "649 art. 16"

    def formula(person: Any, period: Any, parameters: Any) -> Array:
        due = is_(person("tekun", period), Outcome.eligible) & (person("tekun_income", period) == 0)
        return np.where(due, parameters(period).tekun_basic, NO_AMOUNT)


class self_care(OnTheDay):
    value_type = Enum
    possible_values = SelfCare
    default_value = SelfCare.unknown
    entity = Person
    label = "Grade of self-care out of the six activities"
    reference = "TK art. 22"

    def formula(person: Any, period: Any) -> Array:
        failed = person("failed_activities", period)
        grades = [SelfCare.unknown.index, SelfCare.able.index, SelfCare.partial.index]
        return np.select([failed < 0, failed == 0, failed <= 3], grades, default=SelfCare.total_loss.index)
