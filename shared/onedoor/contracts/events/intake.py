"""Events of intake: applications (the facts, without identity) and people (the identity, apart)."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from onedoor.contracts.core import PERSONAL, Classification, Event
from onedoor.contracts.plan import Plan

APPLICATION = "intake.application"
ALARM = "intake.alarm"
PERSON = "intake.person"
SUSPICION = "intake.suspicion"


class Subject(BaseModel):
    """A person in trouble, by id: age in full years if known, and coded facts only."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    person_id: UUID
    age: int | None = None
    facts: dict[str, Any] = Field(default_factory=dict)

    @property
    def minor(self) -> bool:
        return self.age is not None and self.age < 18

    @property
    def coded(self) -> dict[str, Any]:
        """Everything coded about the person, flat, by the names of `referral_rules.FACTS`."""
        disability = self.facts.get("disability") or {}
        flat = {
            **self.facts,
            "age": self.age,
            "disability_type": disability.get("type"),
            "disability_level": disability.get("level"),
            **_absent_parent(self.facts.get("parents") or ()),
        }
        return {name: value for name, value in flat.items() if value is not None}


_IN_CUSTODY = ("detention", "prison", "forced_detox")


def _absent_parent(parents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The first parent who is not there: status, and since when in custody or reported missing."""
    absent: Mapping[str, Any] = next((parent for parent in parents if parent.get("status") != "present"), {})
    status = absent.get("status")
    return {
        "parent_status": status,
        "custody_since": absent.get("since") if status in _IN_CUSTODY else None,
        "police_report_on": absent.get("police_report_on"),
    }


class Emergency(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str
    at: AwareDatetime | None = None


class _ApplicationFacts(Event):
    """What both `application.received` and `application.supplemented` carry: the facts and the whole plan.

    guarded: a unit is named as suspected; which one, notify alone learns (`application.unit_suspected`).
    """

    topics = (APPLICATION, ALARM)

    application_id: UUID
    chain_id: UUID
    receipt: str
    kind: Literal["application", "report", "lead"]
    channel: str
    caller_role: str
    reporter: Literal["sealed"] = "sealed"
    received_at: AwareDatetime
    recorded_at: AwareDatetime
    late_entry: bool = False
    place_division: str | None = None
    registered_division: str | None = None
    household_id: UUID | None = None
    household_size: int | None = None
    household_tier: str | None = None
    consent_financial_check: bool = False
    consent_charity: bool = False
    needs: tuple[str, ...] = ()
    emergency: Emergency | None = None
    subjects: tuple[Subject, ...] = ()
    protection: bool = False
    guarded: bool = False
    plan: Plan

    def topic(self) -> str:
        return ALARM if self.plan.critical else APPLICATION

    def key(self) -> str:
        return str(self.application_id if self.plan.critical else self.chain_id)

    def classification(self) -> Classification:
        if any(subject.minor for subject in self.subjects):
            return "child"
        return "restricted" if self.protection else "internal"


class ApplicationReceived(_ApplicationFacts):
    """A request for help was taken down (登记), with the plan that triage made of it once."""

    type = "application.received"


class ApplicationSupplemented(_ApplicationFacts):
    """More became known; the plan is the whole plan anew, derived ids make what exists already harmless."""

    type = "application.supplemented"


class ApplicationWithdrawn(Event):
    """The applicant withdrew. A protection duty stands whatever anyone signs."""

    type = "application.withdrawn"
    topics = (APPLICATION,)

    application_id: UUID
    chain_id: UUID
    withdrawn_at: AwareDatetime
    protection_stands: bool = False
    reason: str | None = None


class UnitSuspected(Event):
    """The unit that is named as suspected, or whose person is: nothing may be handed to it.

    Without a division the whole department is meant. It travels on a topic of its own, which notify alone
    reads, so that no referral goes there, whoever asks for it.
    """

    type = "application.unit_suspected"
    topics = (SUSPICION,)

    application_id: UUID
    chain_id: UUID
    department: str
    division: str | None = None
    child: bool = False

    def classification(self) -> Classification:
        return "child" if self.child else "restricted"


class PersonRecorded(Event):
    """The present identity of one person; the only event that may identify anybody."""

    type = "person.recorded"
    topics = (PERSON,)

    person_id: UUID
    name: Annotated[str | None, PERSONAL] = None
    id_number: Annotated[str | None, PERSONAL] = None
    birth: Annotated[date | None, PERSONAL] = None
    sex: Literal["male", "female"] | None = None
    phone: Annotated[str | None, PERSONAL] = None
    address: Annotated[str | None, PERSONAL] = None
    aliases: Annotated[tuple[str, ...], PERSONAL] = ()
    minor: bool = False

    def key(self) -> str:
        return str(self.person_id)

    def classification(self) -> Classification:
        return "child" if self.minor else "restricted"


class PersonErased(Event):
    """The identity was erased by law or by wish; published as a tombstone for the key."""

    type = "person.erased"
    topics = (PERSON,)

    person_id: UUID

    def key(self) -> str:
        return str(self.person_id)
