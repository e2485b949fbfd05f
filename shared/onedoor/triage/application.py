"""The application as it is sent: over HTTP, by the console's form and in the files of `onedoor triage`.

`ApplicationForm` is what was said; `Application` is what triage evaluates: the same with a time of receipt.
Fields marked PERSONAL identify a person; none of them travels in an application event.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from onedoor.calendar import moment
from onedoor.contracts.codes import (
    Companion,
    DisabilityType,
    EmergencyKind,
    IdProblem,
    ParentStatus,
    SchoolProblem,
    Tier,
)
from onedoor.contracts.core import PERSONAL

Channel = Literal["hotline", "window", "web", "grid", "order-12345"]
CallerRole = Literal[
    "self",
    "relative",
    "neighbour",
    "village_worker",
    "police",
    "urban_management",
    "school",
    "hospital",
    "guardian",
    "staff",
    "anonymous",
    "other",
]
Need = Literal[
    "care",
    "cash",
    "food",
    "lodging",
    "income",
    "medical_cost",
    "education_cost",
    "job",
    "housing",
    "disability_certificate",
    "rehabilitation",
    "remaining_gap",
]
StageKind = Literal[
    "received",
    "accepted",
    "investigation",
    "file_at_district",
    "publicity_posted",
    "objection_received",
    "decided",
    "refused",
    "review",
    "withdrawn",
    "death",
    "ability_report",
    "station_admitted",
    "dna_requested",
    "papers_complete",
    "protection_order_requested",
]
Programme = Literal[
    "dibao",
    "dibao_edge",
    "rigid_expenditure",
    "temporary_small",
    "temporary_expenditure",
    "charity_need",
    "single_person",
    "tekun",
    "unattended_child",
    "orphan",
    "disability_living",
    "disability_nursing",
    "two_subsidies_cross_province",
]
Sex = Literal["male", "female"]
Kind = Literal["application", "report", "lead"]

IGNORED = ("id", "title", "note", "expect")
"""Keys at the top of a case file that are for its reader."""


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("is not a number")
    return value


Moment = Annotated[datetime, BeforeValidator(lambda value: moment(value))]
Day = Annotated[date, BeforeValidator(lambda value: moment(value).date())]
OLDEST = 150
Age = Annotated[int, BeforeValidator(_number), Field(ge=0, le=OLDEST)]
Division = Annotated[str, Field(pattern=r"^[0-9]{6,12}$", description="division code, 6 to 12 digits")]
Words = Annotated[str, Field(max_length=20_000)]
Short = Annotated[str, Field(max_length=200)]


class Part(BaseModel):
    """A part of the form: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Caller(Part):
    """Who rings or writes. Everything that identifies them is sealed."""

    role: CallerRole = Field("other", description="what the caller is to the person in need")
    name: Annotated[Short | None, PERSONAL] = Field(None, description="the caller's name")
    phone: Annotated[Short | None, PERSONAL] = Field(None, description="number to ring back")
    safe_to_call: bool | None = Field(None, description="whether ringing back endangers nobody")
    anonymous: bool = Field(False, description="the caller does not want to be named to anybody")
    wants_reply: bool | None = Field(None, description="whether the caller wants to hear what came of it")


class Place(Part):
    """Where the person in need is now."""

    division: Division | None = None
    address: Annotated[Short | None, PERSONAL] = Field(None, description="address in words")
    landmark: Annotated[Short | None, PERSONAL] = Field(None, description="what is to be seen there")
    lon: Annotated[float | None, PERSONAL] = Field(None, ge=-180, le=180, description="degrees east")
    lat: Annotated[float | None, PERSONAL] = Field(None, ge=-90, le=90, description="degrees north")


class Contact(Part):
    """How to reach the person in need."""

    phone: Annotated[Short | None, PERSONAL] = None
    safe: bool | None = Field(None, description="whether nobody dangerous reads or hears it")
    language: Short | None = Field(None, description="language or dialect, sign language")


class Member(Part):
    """A member of the household who is not a subject."""

    id: Short | None = None
    name: Annotated[Short | None, PERSONAL] = None
    sex: Annotated[Sex | None, PERSONAL] = None
    birth: Annotated[Day | None, PERSONAL] = None
    id_number: Annotated[Short | None, PERSONAL] = None
    phone: Annotated[Short | None, PERSONAL] = None
    relation: Short | None = Field(None, description="to the head of the household")


class Household(Part):
    """The household; its tier is a claim until the bureau has looked."""

    size: Annotated[int, BeforeValidator(_number), Field(ge=0, le=100)] | None = None
    tier: Tier | None = None
    address: Annotated[Short | None, PERSONAL] = None
    members: tuple[Member, ...] = ()


class Consent(Part):
    """What the caller agreed to by word of mouth. Writing is needed before anything is sent."""

    financial_check: bool = False
    charity: bool = False


class Suspected(Part):
    """The unit that is named as suspected, or whose person is: nothing is handed to it, but one level up.

    Without a division the whole department is meant.
    """

    department: Short = Field(description="department code, such as village or public-security")
    division: Division | None = None


class Emergency(Part):
    """A sudden event that makes basic life difficult."""

    kind: EmergencyKind
    at: Moment | None = Field(None, description="when it happened")


class Parent(Part):
    """A parent of a subject, and what has become of them."""

    relation: Short | None = None
    status: ParentStatus
    since: Day | None = Field(None, description="first day of that status")
    police_report_on: Day | None = Field(None, description="day the missing parent was registered by police")


class Disability(Part):
    """A disability certificate: type and level, 1 the most severe, as far as either is known."""

    type: DisabilityType | None = None
    level: Annotated[int, BeforeValidator(_number), Field(ge=1, le=4)] | None = None


class Facts(Part):
    """Coded facts about one subject. Leave out what is not known."""

    alone: bool = Field(False, description="a minor without any adult")
    parents: tuple[Parent, ...] = ()
    school: SchoolProblem | None = None
    suspected_harm: bool = Field(False, description="signs of harm")
    violence: bool = Field(False, description="victim of violence at home")
    begging: bool = False
    street: bool = Field(False, description="no home or food, living or about to live on the street")
    at_station: bool = Field(False, description="at the relief station")
    unidentified: bool = False
    companion: Companion | None = Field(
        None, description="an adult is with the minor; whether the relation is proved"
    )
    cannot_speak: bool = False
    acute_illness: bool = False
    mental_crisis: bool = False
    major_illness: bool = False
    disability: Disability | None = None
    jobless: bool = False
    lives_with_family: bool = False
    lives_alone: bool = False
    no_means: bool = False
    no_able_supporter: bool = False
    failed_activities: Annotated[int, BeforeValidator(_number), Field(ge=0, le=6)] | None = Field(
        None, description="how many of eating, dressing, getting up, toilet, walking, bathing fail"
    )
    id_problem: IdProblem | None = None
    unseen: bool = Field(False, description="a due visit to an elderly person was missed, nobody saw them")


MARKS: tuple[str, ...] = tuple(name for name, field in Facts.model_fields.items() if field.annotation is bool)
"""The facts that are either told or not known, such as `begging`."""


def _codes(annotation: object) -> tuple[str, ...]:
    return next((get_args(part) for part in get_args(annotation) if get_origin(part) is Literal), ())


CHOICES: Mapping[str, tuple[str, ...]] = {
    name: codes for name, field in Facts.model_fields.items() if (codes := _codes(field.annotation))
}
"""The facts that are one code out of a closed list, such as `school`, with their codes."""


class Subject(Part):
    """A person in need. `age` in full years; `age_about` where only a guess can be given."""

    id: Short | None = Field(None, description="any mark that is unique in this application")
    age: Age | None = None
    age_about: Age | None = None
    birth: Annotated[Day | None, PERSONAL] = None
    id_number: Annotated[Short | None, PERSONAL] = None
    name: Annotated[Short | None, PERSONAL] = None
    aliases: Annotated[tuple[Short, ...], PERSONAL] = ()
    sex: Annotated[Sex | None, PERSONAL] = None
    phone: Annotated[Short | None, PERSONAL] = None
    relation: Short | None = Field(None, description="to the caller")
    guardian: Annotated[Short | None, PERSONAL] = None
    school_name: Annotated[Short | None, PERSONAL] = None
    facts: Facts = Facts()

    def age_on(self, day: date) -> int | None:
        """Full years on that day: as told, else from the birth, else as guessed; None if nobody knows.

        A birth so long ago that nobody lives to tell of it is a slip of the pen and tells no age.
        """
        if self.age is not None:
            return self.age
        if self.birth is None:
            return self.age_about
        before_birthday = (day.month, day.day) < (self.birth.month, self.birth.day)
        years = day.year - self.birth.year - before_birthday
        return self.age_about if years > OLDEST else max(years, 0)


class Stage(BaseModel):
    """What has happened to the file so far. Further keys of a stage are let through unread."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: StageKind
    programme: Programme | None = None
    day: Day | None = None
    at: Moment | None = None
    delegated: bool = Field(False, description="the district has delegated the decision to the township")
    urgent: bool = Field(False, description="the court was asked to decide urgently")

    @property
    def moment(self) -> datetime | None:
        """When it happened; of a day alone its 00:00."""
        return self.at or (moment(self.day) if self.day else None)


class EarlierApplication(BaseModel):
    """An application already known. Over HTTP intake asks its own registry instead."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    received_at: Moment | None = None
    division: str | None = None
    programme: str | None = None
    status: str | None = None
    id_numbers: Annotated[tuple[str, ...], PERSONAL] = ()


class ApplicationForm(Part):
    """An application, a report or a lead, as it is sent."""

    kind: Kind | None = Field(None, description="default by caller.role: self, relative: application")
    received_at: Moment | None = Field(None, description="when it was taken; default now")
    channel: Channel = "web"
    statement: Annotated[Words | None, PERSONAL] = Field(None, description="the caller's own words: sealed")
    facts_text: Annotated[Words | None, PERSONAL] = Field(
        None, description="what may travel, without its source"
    )
    caller: Caller = Caller()
    place: Place = Place()
    contact: Contact = Contact()
    registered_division: Division | None = Field(None, description="household registration; absent: unknown")
    household: Household = Household()
    consent: Consent = Consent()
    emergency: Emergency | None = None
    needs: tuple[Need, ...] = ()
    suspected: Suspected | None = Field(
        None, description="sealed: travels to nobody but notify, which keeps it from getting anything"
    )
    relative_of_staff: bool = Field(False, description="near relative of a case worker or village cadre")
    earlier_applications: tuple[EarlierApplication, ...] = ()
    stages: tuple[Stage, ...] = ()
    subjects: tuple[Subject, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _without_reader_keys(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        return {key: value for key, value in raw.items() if key not in IGNORED}

    @property
    def taken_as(self) -> Kind:
        """What it is taken down as: what was said, else by the caller's role."""
        return self.kind or ("application" if self.caller.role in ("self", "relative") else "report")

    @property
    def has_anything_to_go_on(self) -> bool:
        """Whether there is a place, a contact or a fact: one of them is enough."""
        places = (*self.place.__dict__.values(), self.registered_division, self.household.address)
        contacts = (self.contact.phone, self.caller.phone, *(subject.phone for subject in self.subjects))
        facts = (self.statement, self.facts_text, self.emergency, *self._facts_told())
        return any(value is not None for value in (*places, *contacts, *facts))

    def _facts_told(self) -> Sequence[object]:
        return [subject.facts for subject in self.subjects if subject.facts.model_fields_set] + [*self.stages]

    def received(self, at: datetime, **known: Any) -> "Application":
        """The application as triage evaluates it: received then, with what the bureau itself knows.

        known: fields to replace, such as `earlier_applications` from intake's registry or `stages=()`.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return Application.model_construct(**{**values, **known, "received_at": at})


class Application(ApplicationForm):
    """An application with its time of receipt, from which every referral clock runs."""

    received_at: Moment
