"""From households to the arrays that the rules compute on: members first, then the kin whom claims name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
from openfisca_core.indexed_enums import Enum, EnumArray
from openfisca_core.periods import DateUnit, Instant, Period
from openfisca_core.simulations import Simulation

from onedoor.policy.household import Disability, Household, Member, Parent, Supporter
from onedoor.policy.rules import CountryTaxBenefitSystem
from onedoor.policy.rules.children import ParentStatus, Placement, PoliceSlip
from onedoor.policy.rules.dibao import Property, Region
from onedoor.policy.rules.entities import Household as HouseholdEntity
from onedoor.policy.rules.entities import Kinship
from onedoor.policy.rules.income import EXCEPTED_SOMEWHERE
from onedoor.policy.rules.people import DisabilityType, Relation, Student, Whereabouts
from onedoor.policy.rules.tekun import Choice

Row = dict[str, Any]
SUBJECT, PARENT, SUPPORTER = range(3)
MEMBER, OUTSIDER = range(2)


@dataclass
class Population:
    """Rows of persons and households, and who belongs to whom, ready to become a simulation."""

    households: list[Row] = field(default_factory=list)
    persons: list[Row] = field(default_factory=list)
    household_of: list[int] = field(default_factory=list)
    kinship_of: list[int] = field(default_factory=list)
    kin_role: list[int] = field(default_factory=list)
    member_rows: list[list[int]] = field(default_factory=list)

    def add(self, household: Household) -> None:
        """One more household with its members and their kin."""
        number = len(self.households)
        self.households.append(household_row(household))
        self.member_rows.append([])
        for member in household.members:
            kinship = self.kinships
            self.member_rows[-1].append(len(self.persons))
            self._person(member_row(member), number, kinship, SUBJECT)
            for parent in member.parents or ():
                self._person(parent_row(parent), number, kinship, PARENT)
            for supporter in member.supporters or ():
                self._person(supporter_row(supporter), number, kinship, SUPPORTER)

    @property
    def kinships(self) -> int:
        return self.kinship_of[-1] + 1 if self.kinship_of else 0

    def _person(self, row: Row, household: int, kinship: int, role: int) -> None:
        self.persons.append(row)
        self.household_of.append(household)
        self.kinship_of.append(kinship)
        self.kin_role.append(role)


def population_of(households: Iterable[Household]) -> Population:
    """The rows of some households, in their order."""
    population = Population()
    for household in households:
        population.add(household)
    return population


def household_row(household: Household) -> Row:
    """A household's input variables that differ from their defaults."""
    row: Row = {
        "region": Region[household.region].index,
        "registered_division": int(household.registered_division),
        "property": Property[household.property].index,
        "rigid_deduction": household.rigid_deduction,
        "expenditure_hardship": household.expenditure_hardship,
        "income_rose_by_work": household.income_change == "employment",
    }
    if household.income_12mo is not None:
        row["income_12mo"] = household.income_12mo
    if household.rigid_costs_12mo is not None:
        row["rigid_costs_12mo"] = household.rigid_costs_12mo
    if (dibao := household.dibao_enrolment()) is not None:
        row |= {
            "on_dibao": True,
            "in_taper": dibao.status == "taper",
            "taper_first_month": dibao.taper_first_month or household.as_of,
            "review_decided_on": household.review_decided_on or household.as_of,
        }
    if household.emergency is not None:
        row["emergency_division"] = int(household.emergency.place_division)
        row["basic_life_in_difficulty"] = household.emergency.basic_life_in_difficulty
    if household.charity is not None:
        row["charity_gap"] = household.charity.gap
        row["charity_received"] = household.charity.received
        row["charity_consent"] = household.charity.consent
    return row


def member_row(member: Member) -> Row:
    """A member's input variables that differ from their defaults."""
    row: Row = {
        "relation": Relation[member.relation].index,
        "birth": member.birth,
        "work_costs": member.work_costs,
        "major_illness": member.major_illness,
        "student": Student[member.student].index,
        "independent": member.independent,
        "dependant": member.dependant,
        "whereabouts": Whereabouts[member.whereabouts.status].index,
        **_disability(member.disability),
    }
    for income in member.incomes:
        kind = income.kind if income.kind in EXCEPTED_SOMEWHERE else "ordinary_income"
        row[kind] = row.get(kind, 0) + income.fen_per_year
    if member.supporters is not None:
        row["supporters_on_file"] = True
    if member.enrolled("tekun"):
        row["enrolled_tekun"] = True
    if (child := member.enrolled("unattended_child")) and child.payment == "full":
        row["unattended_child_paid_in_full"] = True
    if member.choice:
        row["choice"] = Choice[member.choice].index
    if member.placement:
        row["placement"] = Placement[member.placement].index
    if member.already_paid:
        row["already_paid"] = sum(member.already_paid.values())
    if member.failed_activities is not None:
        row["failed_activities"] = member.failed_activities
    return row


def parent_row(parent: Parent) -> Row:
    """The input variables of a parent."""
    row: Row = {
        "parent_status": ParentStatus[parent.status].index,
        "serious_illness_listed": parent.serious_illness_listed,
        "police_report": parent.police_report_on is not None,
        **_disability(parent.disability),
    }
    if parent.since is not None:
        row |= {"parent_status_since": parent.since, "parent_status_dated": True}
    if parent.term_months is not None:
        row["term_months"] = parent.term_months
    if parent.police_slip is not None:
        slip = PoliceSlip.not_found if parent.police_slip == "not_found" else PoliceSlip.other
        row["police_slip"] = slip.index
    return row


def supporter_row(supporter: Supporter) -> Row:
    """The input variables of a supporter."""
    row: Row = {
        "birth": supporter.birth,
        "enrolled_tekun": supporter.tekun,
        "supporter_on_dibao": supporter.on_dibao,
        "supporter_property_low": supporter.property == "low_income",
        "no_civil_capacity": supporter.civil_capacity == "none",
        **_disability(supporter.disability),
    }
    if supporter.income is not None:
        row["supporter_income"] = supporter.income
    if supporter.status != "present":
        row["whereabouts"] = Whereabouts[supporter.status].index
    return row


def _disability(disability: Disability | None) -> Row:
    if disability is None:
        return {}
    return {
        "disability_type": DisabilityType[disability.type].index,
        "disability_level": disability.level,
    }


def day_period(day: date) -> Period:
    """OpenFisca's period of one day."""
    return Period((DateUnit.DAY, Instant((day.year, day.month, day.day)), 1))


@dataclass(frozen=True)
class Arrays:
    """A population as the rules compute on it: one array per input variable, and who belongs to whom.

    Variables that are not named have their defaults everywhere.
    """

    persons: Mapping[str, Any]
    households: Mapping[str, Any]
    household_of: Any
    kinship_of: Any
    kin_role: Any
    number: int
    kinships: int

    @cached_property
    def subjects(self) -> Any:
        """Where a person is a member of a household, not only kin of one."""
        return self.kin_role == SUBJECT

    @cached_property
    def roles(self) -> tuple[Any, Any]:
        """Each person's role in the household and in the kinship, as OpenFisca's own objects."""
        in_household = np.where(self.subjects, MEMBER, OUTSIDER)
        return (
            np.array(HouseholdEntity.flattened_roles, dtype=object)[in_household],
            np.array(Kinship.flattened_roles, dtype=object)[self.kin_role],
        )

    @property
    def bare(self) -> "Arrays":
        """The same population without any input."""
        bare = replace(self, persons={}, households={})
        bare.__dict__.update(subjects=self.subjects, roles=self.roles)
        return bare


def arrays_of(population: Population, system: CountryTaxBenefitSystem) -> Arrays:
    """The population's rows as arrays."""
    return Arrays(
        persons=_columns(population.persons, system),
        households=_columns(population.households, system),
        household_of=np.array(population.household_of, dtype=np.int64),
        kinship_of=np.array(population.kinship_of, dtype=np.int64),
        kin_role=np.array(population.kin_role, dtype=np.int8),
        number=len(population.households),
        kinships=population.kinships,
    )


def simulation_of(arrays: Arrays, system: CountryTaxBenefitSystem, day: date) -> Simulation:
    """A simulation with all inputs of a population set on the day; the arrays are shared, not copied."""
    populations = system.instantiate_entities()
    person, household, kinship = (populations[key] for key in ("person", "household", "kinship"))
    _sized(person, len(arrays.household_of))
    _sized(household, arrays.number)
    _sized(kinship, arrays.kinships)
    household.members_entity_id, kinship.members_entity_id = arrays.household_of, arrays.kinship_of
    household._members_role, kinship._members_role = arrays.roles
    simulation = Simulation(system, populations)
    period = day_period(day)
    for columns in (arrays.persons, arrays.households):
        for name, array in columns.items():
            simulation.set_input(name, period, array)
    return simulation


def _sized(population: Any, count: int) -> None:
    population.count = count
    population.ids = range(count)


def _columns(rows: Sequence[Row], system: CountryTaxBenefitSystem) -> dict[str, Any]:
    """Per input variable that any row names, an array over all rows with defaults where a row is silent."""
    names = {name for row in rows for name in row}
    return {name: _column(rows, name, system.variables[name]) for name in sorted(names)}


def _column(rows: Sequence[Row], name: str, variable: Any) -> Any:
    default = getattr(variable.default_value, "index", variable.default_value)
    return column(variable, [row.get(name, default) for row in rows])


def column(variable: Any, values: Any) -> Any:
    """Plain values, enumerations by their index, as the variable's array."""
    array = np.asarray(values, dtype=variable.dtype)
    return EnumArray(array, variable.possible_values) if variable.value_type is Enum else array
