"""What is known of a person: a member of the household, or a parent or supporter whom a claim names."""

from datetime import date
from typing import Any

import numpy as np

from onedoor.policy.rules.entities import Person
from onedoor.policy.rules.values import (
    Array,
    Count,
    Enum,
    Fact,
    Money,
    OnTheDay,
    Verdict,
    full_years,
    is_,
    verdict,
)


class Relation(Enum):
    """To the head of the household; `none` for kin outside of it."""

    none = "none"
    head = "head"
    spouse = "spouse"
    child = "child"
    parent = "parent"
    grandparent = "grandparent"
    grandchild = "grandchild"
    sibling = "sibling"
    other = "other"


class Student(Enum):
    """Full-time school or university."""

    none = "none"
    compulsory = "compulsory"
    senior_secondary = "senior_secondary"
    vocational_secondary = "vocational_secondary"
    junior_college = "junior_college"
    undergraduate = "undergraduate"
    postgraduate = "postgraduate"


class Whereabouts(Enum):
    home = "home"
    prison = "prison"
    forced_detox = "forced_detox"
    declared_missing = "declared_missing"
    dead = "dead"


class DisabilityType(Enum):
    none = "none"
    visual = "visual"
    hearing = "hearing"
    speech = "speech"
    physical = "physical"
    intellectual = "intellectual"
    mental = "mental"


class relation(OnTheDay):
    value_type = Enum
    possible_values = Relation
    default_value = Relation.none
    entity = Person
    label = "Relation to the head of the household"


class birth(OnTheDay):
    value_type = date
    entity = Person
    label = "Date of birth"


class student(OnTheDay):
    value_type = Enum
    possible_values = Student
    default_value = Student.none
    entity = Person
    label = "Full-time student"


class independent(OnTheDay):
    value_type = bool
    default_value = True
    entity = Person
    label = "An adult child able to live on their own"


class dependant(Fact):
    entity = Person
    label = "Another relative who lives with the household and is owed support by law"


class whereabouts(OnTheDay):
    value_type = Enum
    possible_values = Whereabouts
    default_value = Whereabouts.home
    entity = Person
    label = "Where the person is"


class disability_type(OnTheDay):
    value_type = Enum
    possible_values = DisabilityType
    default_value = DisabilityType.none
    entity = Person
    label = "Type of the disability certificate"


class disability_level(Count):
    entity = Person
    label = "Level of the disability certificate, 1 the gravest to 4; 0 without one"


class major_illness(Fact):
    entity = Person
    label = "Suffers from a major illness"


class work_costs(Money):
    entity = Person
    label = "Necessary costs of working, fen a month"


class enrolled_tekun(Fact):
    entity = Person
    label = "Is recognised as a person in special hardship"


class member(Fact):
    entity = Person
    label = "Belongs to the household; kin whom a claim names claim nothing themselves"

    def formula(person: Any, period: Any) -> Array:
        return ~is_(person("relation", period), Relation.none)


class alive(Verdict):
    entity = Person
    label = "Is alive: who has died is owed nothing more"
    reference = "54; 62; D24"

    def formula(person: Any, period: Any) -> Array:
        return verdict(~is_(person("whereabouts", period), Whereabouts.dead))


class age(Count):
    entity = Person
    label = "Full years"

    def formula(person: Any, period: Any) -> Array:
        return full_years(person("birth", period), period.start)


class severely_disabled(Fact):
    entity = Person
    label = "Level 1-2 of any type, or level 3 intellectual or mental"
    reference = "57 art. 8"

    def formula(person: Any, period: Any) -> Array:
        level = person("disability_level", period)
        of_mind = is_(person("disability_type", period), DisabilityType.intellectual, DisabilityType.mental)
        return (level >= 1) & ((level <= 2) | ((level == 3) & of_mind))


class counted(Fact):
    entity = Person
    label = "Counts as a member of the household"
    reference = "57 art. 7"

    def formula(person: Any, period: Any) -> Array:
        relation = np.asarray(person("relation", period))
        young = person("age", period) < 18
        studies = is_(
            person("student", period),
            Student.compulsory,
            Student.senior_secondary,
            Student.vocational_secondary,
            Student.junior_college,
            Student.undergraduate,
        )
        by_relation = np.select(
            [
                relation == Relation.none.index,
                is_(relation, Relation.head, Relation.spouse),
                relation == Relation.child.index,
            ],
            [False, True, young | studies | ~person("independent", period)],
            default=person("dependant", period),
        )
        return by_relation & is_(person("whereabouts", period), Whereabouts.home)
