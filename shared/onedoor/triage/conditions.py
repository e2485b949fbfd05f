"""The conditions that the rules name: each a small pure question about one application.

Where a subject's age is unknown, facts that speak of minors only (alone, parents, school, begging, suspected
harm) are read as those of a minor: the duty asks afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import get_args

from onedoor.triage.application import Application, Facts, Need, Parent

ADULT = 18
CHONGQING = "50"
IN_CUSTODY = frozenset({"detention", "prison", "forced_detox"})
JUST_DETAINED_DAYS = 7
NATURAL_DISASTERS = frozenset({"flood", "earthquake", "landslide", "storm"})
NEEDS_OF_ASSISTANCE = frozenset({"cash", "income", "medical_cost", "education_cost", "housing", "job"})
NEEDS_MET_BY_CARE = frozenset({"food", "lodging"})


@dataclass(frozen=True, slots=True)
class Person:
    """A subject as the rules see them."""

    age: int | None
    facts: Facts
    minor: bool

    def younger_than(self, years: int) -> bool:
        """Whether certainly or, for a minor of unknown age, possibly younger."""
        return self.minor if self.age is None else self.age < years

    @property
    def adult(self) -> bool:
        return not self.minor

    @property
    def parents(self) -> tuple[Parent, ...]:
        return self.facts.parents

    @property
    def without_parent(self) -> bool:
        """Parents are named and none of them is there."""
        return bool(self.parents) and all(parent.status != "present" for parent in self.parents)

    @property
    def severely_disabled(self) -> bool:
        level = self.facts.disability.level if self.facts.disability else None
        return level is not None and level <= 2


@dataclass(frozen=True, slots=True)
class Reading:
    """One application, read once: the people in it and what was asked."""

    application: Application
    people: tuple[Person, ...]
    minors: tuple[Person, ...]
    needs: frozenset[str]
    stages: frozenset[str]
    programmes: frozenset[str]
    duplicates: tuple[str, ...]

    @property
    def received_on(self) -> date:
        return self.application.received_at.date()


def read(application: Application, duplicates: tuple[str, ...]) -> Reading:
    """The reading of an application; `duplicates`: ids of earlier ones by the same people."""
    people = tuple(_people(application))
    stages = application.stages
    return Reading(
        application=application,
        people=people,
        minors=tuple(person for person in people if person.minor),
        needs=frozenset(application.needs),
        stages=frozenset(stage.kind for stage in stages),
        programmes=frozenset(stage.programme for stage in stages if stage.programme),
        duplicates=duplicates,
    )


def _people(application: Application) -> list[Person]:
    day = application.received_at.date()
    return [_person(subject.age_on(day), subject.facts) for subject in application.subjects]


def _person(age: int | None, facts: Facts) -> Person:
    if age is not None:
        return Person(age, facts, age < ADULT)
    speaks_of_minor = (facts.alone, facts.parents, facts.school, facts.begging, facts.suspected_harm)
    return Person(age, facts, any(speaks_of_minor))


Condition = Callable[[Reading], bool]
CONDITIONS: dict[str, Condition] = {}


def condition(function: Condition) -> Condition:
    """Makes the function known to the rules under its name."""
    CONDITIONS[function.__name__] = function
    return function


@condition
def minor_in_danger(reading: Reading) -> bool:
    """Harm or violence to a minor, violence beside one, a child alone, an older one alone and in trouble."""
    if not reading.minors:
        return False
    victims = [person for person in reading.people if person.facts.violence]
    return any(_in_danger(person, victims) for person in reading.minors)


def _in_danger(person: Person, victims: list[Person]) -> bool:
    facts = person.facts
    if facts.suspected_harm or victims:
        return True
    return facts.alone and (person.younger_than(16) or facts.acute_illness or facts.mental_crisis)


@condition
def older_minor_alone(reading: Reading) -> bool:
    """A minor of 16 or 17 alone, without more (more makes it `minor_in_danger`)."""
    return any(person.facts.alone and not person.younger_than(16) for person in reading.minors)


@condition
def minor_on_street(reading: Reading) -> bool:
    """A minor begs or lives on the street."""
    return any(person.facts.begging or person.facts.street for person in reading.minors)


@condition
def guardian_just_detained(reading: Reading) -> bool:
    """A minor's parent is held, since at most 7 days or an unknown day, or no parent is left."""
    return any(
        parent.status in IN_CUSTODY and (person.without_parent or _just_now(parent, reading.received_on))
        for person in reading.minors
        for parent in person.parents
    )


def _just_now(parent: Parent, day: date) -> bool:
    return parent.since is None or (day - parent.since).days <= JUST_DETAINED_DAYS


@condition
def no_parent_present(reading: Reading) -> bool:
    """A minor's parents are named and none is there."""
    return any(person.without_parent for person in reading.minors)


@condition
def unattended_child_asked(reading: Reading) -> bool:
    """No parent is there and the allowance for unattended children has been asked for."""
    return "unattended_child" in reading.programmes and no_parent_present(reading)


@condition
def school_problem(reading: Reading) -> bool:
    """Somebody dropped out, is not enrolled, or may stop going."""
    return any(person.facts.school for person in reading.people)


@condition
def adult_vagrant(reading: Reading) -> bool:
    """An adult lives on the street or is at the relief station."""
    return any(map(_vagrant, reading.people))


def _vagrant(person: Person) -> bool:
    return person.adult and (person.facts.street or person.facts.at_station)


@condition
def unidentified_at_station(reading: Reading) -> bool:
    """An adult at the relief station whose identity nobody knows."""
    return any(
        person.adult and person.facts.at_station and person.facts.unidentified for person in reading.people
    )


@condition
def anyone_unidentified(reading: Reading) -> bool:
    """Somebody's identity is not known."""
    return any(person.facts.unidentified for person in reading.people)


@condition
def violence(reading: Reading) -> bool:
    """Somebody is a victim of violence at home."""
    return any(person.facts.violence for person in reading.people)


@condition
def acute(reading: Reading) -> bool:
    """Somebody is acutely ill or in a mental crisis."""
    return any(person.facts.acute_illness or person.facts.mental_crisis for person in reading.people)


@condition
def emergency(reading: Reading) -> bool:
    """A sudden event made basic life difficult."""
    return reading.application.emergency is not None


@condition
def natural_disaster(reading: Reading) -> bool:
    """The sudden event is the emergency office's."""
    event = reading.application.emergency
    return event is not None and event.kind in NATURAL_DISASTERS


@condition
def nowhere_to_sleep(reading: Reading) -> bool:
    """An emergency, and a bed is needed tonight."""
    return emergency(reading) and "lodging" in reading.needs


@condition
def assistance_asked(reading: Reading) -> bool:
    """A need that assistance meets, or a programme beyond one that was only withdrawn."""
    if reading.needs & NEEDS_OF_ASSISTANCE or any(
        stage.programme and stage.kind != "withdrawn" for stage in reading.application.stages
    ):
        return True
    return bool(reading.needs & NEEDS_MET_BY_CARE) and not _all_in_care(reading)


def _all_in_care(reading: Reading) -> bool:
    """Whether the relief station or child welfare feeds and lodges every one of them already."""
    if not reading.people:
        return False
    minors_in_care = any(
        rule(reading) for rule in (minor_in_danger, older_minor_alone, minor_on_street, no_parent_present)
    )
    return all(_vagrant(person) or (person.minor and minors_in_care) for person in reading.people)


@condition
def remaining_gap_with_consent(reading: Reading) -> bool:
    """Need is left after all public aid, and charities may be asked."""
    return "remaining_gap" in reading.needs and reading.application.consent.charity


@condition
def financial_check_agreed(reading: Reading) -> bool:
    """A means-tested programme is asked for once, stands, and a financial check was agreed to."""
    return (
        "income" in reading.needs
        and reading.application.consent.financial_check
        and not reading.duplicates
        and "withdrawn" not in reading.stages
    )


@condition
def photo_differs(reading: Reading) -> bool:
    """A paper shows somebody else."""
    return any(person.facts.id_problem == "photo_differs" for person in reading.people)


@condition
def id_number_wrong(reading: Reading) -> bool:
    """An ID number fails its check digit."""
    return any(person.facts.id_problem == "check_digit" for person in reading.people)


@condition
def registered_elsewhere(reading: Reading) -> bool:
    """The household is registered outside Chongqing."""
    division = reading.application.registered_division
    return division is not None and not division.startswith(CHONGQING)


@condition
def income_asked_elsewhere(reading: Reading) -> bool:
    """A means-tested programme is asked for that another district decides."""
    return "income" in reading.needs and registered_elsewhere(reading)


@condition
def unseen(reading: Reading) -> bool:
    """A due visit was missed and nobody has seen the person."""
    return any(person.facts.unseen for person in reading.people)


@condition
def severely_disabled(reading: Reading) -> bool:
    """Somebody has a disability of level 1 or 2."""
    return any(person.severely_disabled for person in reading.people)


@condition
def severely_disabled_at_home(reading: Reading) -> bool:
    """A jobless adult with a disability of level 1 or 2 lives with the family."""
    return any(
        person.adult and person.severely_disabled and person.facts.jobless and person.facts.lives_with_family
        for person in reading.people
    )


@condition
def old_without_support(reading: Reading) -> bool:
    """Somebody of 60 or more has no means and no one able to support them."""
    return any(
        person.age is not None
        and person.age >= 60
        and person.facts.no_means
        and person.facts.no_able_supporter
        for person in reading.people
    )


@condition
def relative_of_staff(reading: Reading) -> bool:
    """A near relative of those who decide."""
    return reading.application.relative_of_staff


@condition
def age_unknown(reading: Reading) -> bool:
    """Somebody's age is not known, so that whether they are a minor has to be asked."""
    return any(person.age is None for person in reading.people)


@condition
def minor_at_station(reading: Reading) -> bool:
    """A minor is at the relief station, where minors do not belong."""
    return any(person.facts.at_station for person in reading.minors)


def _needs(need: str) -> Condition:
    return lambda reading: need in reading.needs


CONDITIONS.update({f"need {need}": _needs(need) for need in get_args(Need)})
