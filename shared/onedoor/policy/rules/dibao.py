"""Minimum living (低保), its taper (渐退), the edge (低保边缘) and the single-person household (单人户)."""

from datetime import date
from typing import Any

import numpy as np

from onedoor.policy.rules.entities import Household, Person
from onedoor.policy.rules.values import (
    NO,
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
    compared,
    fraction,
    is_,
    negated,
    rounded,
    verdict,
)

CHONGQING = 50


class Region(Enum):
    urban = "urban"
    rural = "rural"


class Property(Enum):
    ok = "ok"
    not_ok = "not_ok"
    unknown = "unknown"


class region(OnTheDay):
    value_type = Enum
    possible_values = Region
    default_value = Region.urban
    entity = Household
    label = "Which standard applies"


class registered_division(Count):
    entity = Household
    label = "Division of the household registration, nine digits"


class property(OnTheDay):
    value_type = Enum
    possible_values = Property
    default_value = Property.ok
    entity = Household
    label = "Result of the property test"


class on_dibao(Fact):
    entity = Household
    label = "Receives dibao already, taper included"


class in_taper(Fact):
    entity = Household
    label = "Is in its taper already"


class taper_first_month(OnTheDay):
    value_type = date
    entity = Household
    label = "First month of the taper that runs already"


class income_rose_by_work(Fact):
    entity = Household
    label = "Income rose by employment"


class review_decided_on(OnTheDay):
    value_type = date
    entity = Household
    label = "Day of the review decision"


class registered_in_chongqing(Verdict):
    entity = Household
    label = "Household registration in Chongqing"
    reference = "57 art. 4"

    def formula(household: Any, period: Any) -> Array:
        return verdict(household("registered_division", period) // 10_000_000 == CHONGQING)


class property_fits(Verdict):
    entity = Household
    label = "The property test is passed"
    reference = "57 art. 8"

    def formula(household: Any, period: Any) -> Array:
        return np.array([YES, NO, UNKNOWN], dtype=np.int8)[np.asarray(household("property", period))]


class property_not_failed(Verdict):
    entity = Household
    label = "The property test is not failed"
    reference = "57 art. 8"

    def formula(household: Any, period: Any) -> Array:
        return verdict(~is_(household("property", period), Property.not_ok))


class standard(Money):
    entity = Household
    label = "Minimum-living standard that applies, fen a person a month; NO_AMOUNT if none is known"
    reference = "57 art. 23"

    def formula(household: Any, period: Any, parameters: Any) -> Array:
        urban = is_(household("region", period), Region.urban)
        standards = parameters(period).dibao_standard
        return np.where(urban, standards.urban, standards.rural)


def _below(household: Any, period: Any, factor: Any) -> Array:
    """Whether income per head is below the standard times the factor, multiplied out."""
    standard, income = household("standard", period), household("household_income", period)
    members = household("counted_members", period)
    if factor is None:
        return np.full(household.count, UNKNOWN, dtype=np.int8)
    limit = factor.numerator * 12 * standard * members
    return compared(factor.denominator * income < limit, standard >= 0)


class below_standard(Verdict):
    entity = Household
    label = "Income per head below the standard"
    reference = "57 art. 23"

    def formula(household: Any, period: Any) -> Array:
        return _below(household, period, fraction(1))


class below_edge(Verdict):
    entity = Household
    label = "Income per head below the edge"
    reference = "57 art. 8"

    def formula(household: Any, period: Any, parameters: Any) -> Array:
        return _below(household, period, fraction(parameters(period).edge_factor))


class below_taper_limit(Verdict):
    entity = Household
    label = "Income per head below the taper's upper limit"
    reference = "KW"

    def formula(household: Any, period: Any, parameters: Any) -> Array:
        return _below(household, period, fraction(parameters(period).taper_upper_factor))


class taper_starts(OnTheDay):
    value_type = date
    entity = Household
    label = "First day of the taper: of the month after the review decision, or as it was set"
    reference = "SEED; KW"

    def formula(household: Any, period: Any) -> Array:
        decided = household("review_decided_on", period).astype("datetime64[M]") + 1
        running = household("taper_first_month", period).astype("datetime64[M]")
        return np.where(household("in_taper", period), running, decided).astype("datetime64[D]")


class taper_ends(OnTheDay):
    value_type = date
    entity = Household
    label = "The day after the taper's last month"
    reference = "SEED; KW"

    def formula(household: Any, period: Any, parameters: Any) -> Array:
        months = max(int(parameters(period).taper_months), 0)
        starts = household("taper_starts", period).astype("datetime64[M]")
        return (starts + months).astype("datetime64[D]")


class taper_runs(Verdict):
    entity = Household
    label = "The last month of the taper is not over"
    reference = "SEED; KW"

    def formula(household: Any, period: Any) -> Array:
        today = np.datetime64(str(period.start), "D")
        return verdict(today < household("taper_ends", period))


class taper_by_work(Verdict):
    entity = Household
    label = "Income rose by employment, or the taper was granted already"
    reference = "KW"

    def formula(household: Any, period: Any) -> Array:
        return verdict(household("income_rose_by_work", period) | household("in_taper", period))


class tapers(Verdict):
    entity = Household
    label = "Stays in dibao for the taper although income has risen"
    reference = "SEED; KW"

    def formula(household: Any, period: Any) -> Array:
        return all_of(
            household("registered_in_chongqing", period),
            household("property_not_failed", period),
            verdict(household("on_dibao", period)),
            negated(household("below_standard", period)),
            household("below_taper_limit", period),
            household("taper_by_work", period),
            household("taper_runs", period),
        )


class dibao(Answer):
    entity = Household
    label = "Minimum living (低保)"
    reference = "57 art. 23"

    def formula(household: Any, period: Any) -> Array:
        fits = all_of(
            household("registered_in_chongqing", period),
            household("property_fits", period),
            household("below_standard", period),
        )
        return answer(np.where(household("tapers", period) == YES, Outcome.taper.index, fits))


class dibao_amount(Amount):
    entity = Household
    label = "The gap to the standard times the members, fen a month"
    reference = "57 art. 23"

    def formula(household: Any, period: Any) -> Array:
        limit = 12 * household("standard", period) * household("counted_members", period)
        gap = rounded(limit - household("household_income", period), 12)
        return np.where(is_(household("dibao", period), Outcome.eligible), gap, NO_AMOUNT)


class not_in_taper(Verdict):
    entity = Household
    label = "Not kept in dibao by a taper"
    reference = "57 art. 8"

    def formula(household: Any, period: Any) -> Array:
        return verdict(~is_(household("dibao", period), Outcome.taper))


class dibao_edge(Answer):
    entity = Household
    label = "Edge household (低保边缘家庭)"
    reference = "57 art. 8"

    def formula(household: Any, period: Any) -> Array:
        return answer(
            all_of(
                household("registered_in_chongqing", period),
                household("property_fits", period),
                negated(household("below_standard", period)),
                household("below_edge", period),
                household("not_in_taper", period),
            )
        )


class edge_household(Verdict):
    entity = Person
    label = "Lives in an edge household"
    reference = "57 art. 8"

    def formula(person: Any, period: Any) -> Array:
        return np.asarray(person.household("dibao_edge", period)).astype(np.int8)


class counts(Verdict):
    entity = Person
    label = "Counts as a member of the household"
    reference = "57 art. 7"

    def formula(person: Any, period: Any) -> Array:
        return verdict(person("counted", period))


class gravely_afflicted(Verdict):
    entity = Person
    label = "Severe disability or major illness"
    reference = "57 art. 8"

    def formula(person: Any, period: Any) -> Array:
        return verdict(person("severely_disabled", period) | person("major_illness", period))


class own_income_below_standard(Verdict):
    entity = Person
    label = "Own counted income below the standard"
    reference = "57 art. 8"

    def formula(person: Any, period: Any) -> Array:
        standard = person.household("standard", period)
        return compared(person("counted_income", period) < 12 * standard, standard >= 0)


class single_person(Answer):
    entity = Person
    label = "Dibao as if living alone (参照单人户)"
    reference = "57 art. 8"

    def formula(person: Any, period: Any) -> Array:
        return answer(
            all_of(
                person("edge_household", period),
                person("counts", period),
                person("gravely_afflicted", period),
                person("own_income_below_standard", period),
            )
        )


class single_person_amount(Amount):
    entity = Person
    label = "The gap of one person to the standard, fen a month"
    reference = "57 art. 23"

    def formula(person: Any, period: Any) -> Array:
        gap = 12 * person.household("standard", period) - person("counted_income", period)
        return np.where(is_(person("single_person", period), Outcome.eligible), rounded(gap, 12), NO_AMOUNT)
