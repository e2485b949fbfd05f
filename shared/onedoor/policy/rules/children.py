"""De facto unattended children (事实无人抚养儿童) and orphans (孤儿)."""

from datetime import date
from typing import Any

import numpy as np

from onedoor.policy.rules.entities import Kinship, Person
from onedoor.policy.rules.people import DisabilityType, Student
from onedoor.policy.rules.values import (
    NO_AMOUNT,
    UNKNOWN,
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
    is_,
    lasted,
    total,
    verdict,
)

CUSTODY_MONTHS = 6


class ParentStatus(Enum):
    present = "present"
    dead = "dead"
    declared_missing = "declared_missing"
    untraceable = "untraceable"
    prison = "prison"
    forced_detox = "forced_detox"
    detention = "detention"
    lost_contact = "lost_contact"
    guardianship_revoked = "guardianship_revoked"
    deported = "deported"


class PoliceSlip(Enum):
    """The police's reply to the report of a lost parent."""

    none = "none"
    not_found = "not_found"
    other = "other"


class Placement(Enum):
    unknown = "unknown"
    institution = "institution"
    scattered = "scattered"


class parent_status(OnTheDay):
    value_type = Enum
    possible_values = ParentStatus
    default_value = ParentStatus.present
    entity = Person
    label = "Where the parent is, as a parent"


class parent_status_since(OnTheDay):
    value_type = date
    entity = Person
    label = "First day of the parent's status"


class parent_status_dated(Fact):
    entity = Person
    label = "The first day of the parent's status is known"


class term_months(Count):
    entity = Person
    default_value = -1
    label = "Length of custody, months; -1 if not known"


class serious_illness_listed(Fact):
    entity = Person
    label = "The parent has a serious illness of the local list"


class police_report(Fact):
    entity = Person
    label = "The parent is reported to the police as lost"


class police_slip(OnTheDay):
    value_type = Enum
    possible_values = PoliceSlip
    default_value = PoliceSlip.none
    entity = Person
    label = "The police's reply slip"


class placement(OnTheDay):
    value_type = Enum
    possible_values = Placement
    default_value = Placement.unknown
    entity = Person
    label = "Where an orphan lives"


class already_paid(Money):
    entity = Person
    label = "What other programmes pay for the child, fen a month"


class cannot_care(Verdict):
    entity = Person
    label = "As a parent, gone or unable to bring up a child; UNKNOWN while the police search"
    reference = "62; 125"

    def formula(person: Any, period: Any) -> Array:
        status, level = person("parent_status", period), person("disability_level", period)
        of_mind = is_(person("disability_type", period), DisabilityType.intellectual, DisabilityType.mental)
        disabled = (level >= 1) & ((level <= 2) | of_mind)
        held = is_(status, ParentStatus.prison, ParentStatus.forced_detox, ParentStatus.detention)
        since = person("parent_status_since", period)
        six_months = (person("term_months", period) >= CUSTODY_MONTHS) | (
            person("parent_status_dated", period) & lasted(since, CUSTODY_MONTHS, period.start)
        )
        lost = is_(status, ParentStatus.lost_contact)
        slip = person("police_slip", period)
        sure = (
            disabled
            | person("serious_illness_listed", period)
            | is_(
                status,
                ParentStatus.dead,
                ParentStatus.declared_missing,
                ParentStatus.guardianship_revoked,
                ParentStatus.deported,
            )
            | (held & six_months)
            | (lost & is_(slip, PoliceSlip.not_found))
        )
        searched = lost & person("police_report", period) & is_(slip, PoliceSlip.none)
        return np.where(sure, np.int8(YES), np.where(searched, np.int8(UNKNOWN), np.int8(0)))


class gone(Fact):
    entity = Person
    label = "As a parent, dead or declared missing"
    reference = "62"

    def formula(person: Any, period: Any) -> Array:
        return is_(person("parent_status", period), ParentStatus.dead, ParentStatus.declared_missing)


class parents_named(Count):
    entity = Kinship
    label = "How many parents the claim names"

    def formula(kinship: Any, period: Any) -> Array:
        return total(kinship, np.ones(kinship.members.count, dtype=np.int64), Kinship.PARENT)


class no_parent_cares(Verdict):
    entity = Kinship
    label = "Neither parent can bring up the child"
    reference = "62; 125"

    def formula(kinship: Any, period: Any) -> Array:
        parents = kinship.members_role == Kinship.PARENT
        found = verdict(kinship("parents_named", period) > 0)
        np.minimum.at(
            found,
            kinship.members_entity_id[parents],
            kinship.members("cannot_care", period)[parents],
        )
        return found


class a_parent_is_left(Verdict):
    entity = Kinship
    label = "Not both parents are dead or missing"
    reference = "62"

    def formula(kinship: Any, period: Any) -> Array:
        gone = total(kinship, kinship.members("gone", period), Kinship.PARENT)
        return verdict(gone < 2)


class parents_lost(Verdict):
    entity = Kinship
    label = "Both parents dead, or both untraceable"
    reference = "54"

    def formula(kinship: Any, period: Any) -> Array:
        status = kinship.members("parent_status", period)
        both = [
            total(kinship, is_(status, one), Kinship.PARENT) == 2
            for one in (ParentStatus.dead, ParentStatus.untraceable)
        ]
        return verdict(both[0] | both[1])


class minor(Verdict):
    entity = Person
    label = "Under 18"
    reference = "54"

    def formula(person: Any, period: Any) -> Array:
        return verdict(person("age", period) < 18)


class minor_or_at_school(Verdict):
    entity = Person
    label = "Under 18, or in full-time secondary or vocational school"
    reference = "125"

    def formula(person: Any, period: Any) -> Array:
        at_school = is_(person("student", period), Student.senior_secondary, Student.vocational_secondary)
        return verdict((person("age", period) < 18) | at_school)


class unattended_child(Answer):
    entity = Person
    label = "De facto unattended child (事实无人抚养儿童)"
    reference = "62; 125"

    def formula(person: Any, period: Any) -> Array:
        return answer(
            all_of(
                person("alive", period),
                person.household("registered_in_chongqing", period),
                person("minor_or_at_school", period),
                person.kinship("a_parent_is_left", period),
                person.kinship("no_parent_cares", period),
            )
        )


class unattended_child_amount(Amount):
    entity = Person
    label = "The allowance less what is paid already, fen a month"
    reference = "62"

    def formula(person: Any, period: Any, parameters: Any) -> Array:
        allowance = parameters(period).unattended_child
        due = is_(person("unattended_child", period), Outcome.eligible) & (allowance >= 0)
        return np.where(due, np.maximum(allowance - person("already_paid", period), 0), NO_AMOUNT)


class orphan(Answer):
    entity = Person
    label = "Orphan (孤儿)"
    reference = "54"

    def formula(person: Any, period: Any) -> Array:
        return answer(
            all_of(
                person("alive", period),
                person("minor", period),
                person.kinship("parents_lost", period),
            )
        )


class orphan_amount(Amount):
    entity = Person
    label = "The allowance by placement, fen a month"
    reference = "54"

    def formula(person: Any, period: Any, parameters: Any) -> Array:
        rates = parameters(period).orphan
        by_placement = np.array([NO_AMOUNT, rates.institution, rates.scattered], dtype=np.int64)
        rate = by_placement[np.asarray(person("placement", period))]
        return np.where(is_(person("orphan", period), Outcome.eligible), rate, NO_AMOUNT)
