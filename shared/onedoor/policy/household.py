"""A household as the case worker files it: the facts from which every programme is decided.

Money is written as yuan with at most two decimals and held as whole fen (int). Days are dates of China.
`parse_household` reads a decoded YAML or JSON mapping into a household, or says what is wrong with it.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, DecimalException
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints
from pydantic_core import PydanticCustomError

LARGEST_AMOUNT = 10_000_000_000
"""Fen: a hundred million yuan. More is a slip of the pen, and the sums below stay far within 64 bits."""


WRITTEN_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _fen(value: object) -> int:
    """Whole fen of an amount in yuan."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise PydanticCustomError("money", "is not an amount of money")
    try:
        fen = Decimal(str(value)) * 100
    except DecimalException:
        raise PydanticCustomError("money", "is not an amount of money") from None
    if not fen.is_finite():
        raise PydanticCustomError("money", "is not an amount of money")
    if fen < 0:
        raise PydanticCustomError("negative", "is negative")
    if fen > LARGEST_AMOUNT:
        raise PydanticCustomError("absurd", "is more than a hundred million yuan")
    if fen != int(fen):
        raise PydanticCustomError("fraction", "has more than two decimals")
    return int(fen)


def _yuan(fen: int) -> float | int:
    return fen // 100 if fen % 100 == 0 else float(Decimal(fen) / 100)


def _day(value: object) -> date:
    if isinstance(value, date) and type(value) is date:
        return value
    if not (isinstance(value, str) and WRITTEN_DAY.fullmatch(value)):
        raise PydanticCustomError("day", "is not a day")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("day", "is not a day") from None


def _month(value: object) -> date:
    """The first day of a month written as 2026-06."""
    try:
        return _day(f"{value}-01")
    except PydanticCustomError:
        raise PydanticCustomError("month", "is not a month") from None


def _day_of_moment(value: object) -> date:
    """The day in China of a moment, which may be written with or without an offset."""
    from onedoor.calendar import CalendarProblem, moment

    try:
        return moment(value).date()
    except (CalendarProblem, OverflowError):
        raise PydanticCustomError("moment", "is not a day or moment") from None


def _known(*codes: str) -> Any:
    """The codes that a form offers for a field which takes any other word too."""
    return Field(json_schema_extra={"examples": list(codes)})


Fen = Annotated[
    int,
    BeforeValidator(_fen),
    PlainSerializer(_yuan, when_used="json"),
    Field(json_schema_extra={"format": "yuan"}),
]
Day = Annotated[date, BeforeValidator(_day)]
Month = Annotated[
    date,
    BeforeValidator(_month),
    PlainSerializer(lambda day: f"{day:%Y-%m}", when_used="json"),
    Field(json_schema_extra={"format": "month"}),
]
DayOfMoment = Annotated[date, BeforeValidator(_day_of_moment)]
Division = Annotated[
    str, StringConstraints(pattern="^[0-9]{9}$"), Field(json_schema_extra={"format": "division"})
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Months = Annotated[int, Field(strict=True, ge=0, le=1200)]
Level = Annotated[int, Field(strict=True, ge=1, le=4)]
Flag = Annotated[bool, Field(strict=True)]

ParentStatus = Literal[
    "present",
    "dead",
    "declared_missing",
    "untraceable",
    "prison",
    "forced_detox",
    "detention",
    "lost_contact",
    "guardianship_revoked",
    "deported",
]
EmergencyKind = Literal[
    "fire",
    "traffic",
    "sudden_illness",
    "flood",
    "earthquake",
    "landslide",
    "storm",
    "other_sudden",
]
Relation = Literal["head", "spouse", "child", "parent", "grandparent", "grandchild", "sibling", "other"]
Student = Literal[
    "none",
    "compulsory",
    "senior_secondary",
    "vocational_secondary",
    "junior_college",
    "undergraduate",
    "postgraduate",
]


INCOME_KINDS = (
    "wages",
    "farming",
    "business",
    "rent",
    "interest",
    "support",
    "pension",
    "preferential_pension",
    "family_planning_reward",
    "scholarship",
    "social_assistance",
    "disability_allowance",
    "basic_pension_floor",
    "social_insurance",
    "old_age_allowance",
    "other",
)
KIN = ("son", "daughter", "father", "mother", "spouse", "grandson", "granddaughter", "sibling", "other")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Income(_Part):
    """Money that a member receives regularly; every kind counts that the law does not except."""

    kind: Annotated[Name, _known(*INCOME_KINDS)]
    amount: Fen
    per: Literal["month", "year"]

    @property
    def fen_per_year(self) -> int:
        return self.amount * (12 if self.per == "month" else 1)


class Disability(_Part):
    """A disability certificate."""

    type: Literal["visual", "hearing", "speech", "physical", "intellectual", "mental"]
    level: Level


class Whereabouts(_Part):
    """Where a member is, and since when."""

    status: Literal["home", "prison", "forced_detox", "declared_missing", "dead"]
    since: Day | None = None
    term_months: Months | None = None


class Parent(_Part):
    """One of the two parents of a child, wherever they are."""

    relation: Annotated[Name, _known("father", "mother")]
    status: ParentStatus
    since: Day | None = None
    term_months: Months | None = None
    disability: Disability | None = None
    serious_illness_listed: Flag = False
    police_report_on: Day | None = None
    police_slip: Annotated[Name | None, _known("not_found", "found")] = None
    police_slip_on: Day | None = None


class Supporter(_Part):
    """A person who owes a member support by law."""

    relation: Annotated[Name, _known(*KIN)]
    birth: Day
    tekun: Flag = False
    on_dibao: Flag = False
    disability: Disability | None = None
    income: Fen | None = None
    property: Literal["low_income", "above"] = "above"
    civil_capacity: Literal["none"] | None = None
    status: Literal["present", "prison", "declared_missing"] = "present"


class PersonEnrolment(_Part):
    """A programme that a member already receives."""

    programme: Literal["tekun", "unattended_child", "orphan"]
    since: Day
    payment: Literal["full", "top_up"] | None = None


class HouseholdEnrolment(_Part):
    """A programme that the household already receives."""

    programme: Literal["dibao"]
    since: Day
    status: Literal["taper"] | None = None
    taper_first_month: Month | None = None


class Emergency(_Part):
    """What struck the household, where and when."""

    kind: EmergencyKind
    at: DayOfMoment
    place_division: Division
    basic_life_in_difficulty: Flag = False


class Charity(_Part):
    """What is still uncovered after all public aid, and what charities gave."""

    gap: Fen
    received: Fen = 0
    consent: Flag = False


class Member(_Part):
    """One person of the household. `person` is the id under which the services know them."""

    id: Name
    relation: Relation
    birth: Day
    person: UUID | None = None
    name: Name | None = None
    id_number: Name | None = None
    incomes: Annotated[tuple[Income, ...], Field(max_length=50)] = ()
    work_costs: Fen = 0
    disability: Disability | None = None
    major_illness: Flag = False
    work: str | int | None = None
    student: Student = "none"
    independent: Flag = True
    dependant: Flag = False
    lives_together: Flag = True
    whereabouts: Whereabouts = Whereabouts.model_construct(status="home")
    enrolments: tuple[PersonEnrolment, ...] = ()
    supporters: Annotated[tuple[Supporter, ...], Field(max_length=50)] | None = None
    failed_activities: Annotated[int, Field(strict=True, ge=0, le=6)] | None = None
    parents: Annotated[tuple[Parent, ...], Field(min_length=2, max_length=2)] | None = None
    placement: Literal["institution", "scattered"] | None = None
    choice: Literal["orphan", "unattended_child"] | None = None
    already_paid: Annotated[Mapping[Name, Fen], _known("dibao", "tekun", "disability_living")] = {}

    def enrolled(self, programme: str) -> PersonEnrolment | None:
        """The member's enrolment in the programme."""
        return next((one for one in self.enrolments if one.programme == programme), None)


class Household(_Part):
    """A household on the day of the decision."""

    as_of: Day
    region: Literal["urban", "rural"]
    registered_division: Division
    property: Literal["ok", "not_ok", "unknown"] = "ok"
    rigid_deduction: Fen = 0
    enrolments: tuple[HouseholdEnrolment, ...] = ()
    income_change: Annotated[Name | None, _known("employment", "other")] = None
    review_decided_on: Day | None = None
    income_12mo: Fen | None = None
    rigid_costs_12mo: Fen | None = None
    expenditure_hardship: Flag = False
    emergency: Emergency | None = None
    charity: Charity | None = None
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=50)]

    def dibao_enrolment(self) -> HouseholdEnrolment | None:
        """The household's enrolment in dibao."""
        return next(iter(self.enrolments), None)


READER_KEYS = frozenset({"id", "title", "note", "expect"})
"""Keys at the top of a file that are for its reader."""


UNSTORED = frozenset({"name", "id_number"})
"""What identifies a member and no rule asks for: compared when it is entered, and kept nowhere."""


def parse_household(raw: object, latest: date | None = None) -> Household:
    """The household that a decoded YAML or JSON mapping describes. Raises HouseholdProblems.

    With `latest` a decision on a later day is refused.
    """
    from onedoor.policy.checks import contradictions
    from onedoor.policy.problems import HouseholdProblems

    household = read_household(raw)
    if found := contradictions(household, latest):
        raise HouseholdProblems(found)
    return household


def read_household(raw: object) -> Household:
    """The household as `parse_household` reads it, whatever contradicts itself. Raises HouseholdProblems."""
    from pydantic import ValidationError

    from onedoor.policy.checks import as_problems
    from onedoor.policy.problems import HouseholdProblems

    facts = {key: raw[key] for key in raw if key not in READER_KEYS} if isinstance(raw, Mapping) else raw
    try:
        return Household.model_validate(facts)
    except ValidationError as error:
        raise HouseholdProblems(as_problems(error)) from None


def as_file(household: Household, identified: bool = True) -> dict[str, Any]:
    """The household as a file says it, so that `parse_household` reads the same one again.

    Without `identified` names and identity numbers stay out: no rule asks for them.
    """
    left_out = None if identified else {"members": {"__all__": set(UNSTORED)}}
    return household.model_dump(mode="json", exclude_defaults=True, exclude=left_out)
