"""What is known of an application in coded form, without identity: what triage sees and events carry."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from onedoor.calendar import local
from onedoor.contracts.codes import Tier
from onedoor.contracts.plan import Plan, PlannedDuty, PlannedReferral
from onedoor.contracts.referral_rules import PROTECTION
from onedoor.triage import Application as TriageApplication
from onedoor.triage import ApplicationForm, evaluate
from onedoor.triage.application import (
    Caller,
    Channel,
    Consent,
    EarlierApplication,
    Emergency,
    Facts,
    Household,
    Kind,
    Place,
    Stage,
    Subject,
    Suspected,
)

PROTECTION_STAGE = "protection_order_requested"
_URGENCIES = ("critical", "urgent", "ordinary")


class KnownSubject(BaseModel):
    """A person in need by id: the mark of the form, full years if known, coded facts."""

    model_config = ConfigDict(frozen=True)

    person_id: UUID
    mark: str | None = None
    age: int | None = None
    facts: dict[str, Any] = {}


class Known(BaseModel):
    """The coded facts. `stages` and `household_tier` are only those that are believed.

    protection_claimed: somebody without the import permission says that the court was asked for protection.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    channel: Channel
    caller_role: str
    received_at: datetime
    recorded_at: datetime
    late_entry: bool = False
    place_division: str | None = None
    registered_division: str | None = None
    household_id: UUID | None = None
    household_size: int | None = None
    household_tier: Tier | None = None
    consent_financial_check: bool = False
    consent_charity: bool = False
    needs: tuple[str, ...] = ()
    emergency: Emergency | None = None
    suspected: Suspected | None = None
    relative_of_staff: bool = False
    stages: tuple[Stage, ...] = ()
    protection_claimed: bool = False
    subjects: tuple[KnownSubject, ...] = ()

    @property
    def minors(self) -> bool:
        """Whether a minor is certainly among the subjects."""
        return any(subject.age is not None and subject.age < 18 for subject in self.subjects)

    def with_people(self, ids: Mapping[UUID, UUID], household_id: UUID | None) -> "Known":
        """The same with the ids under which the registry knows the people and their household."""
        subjects = tuple(
            subject.model_copy(update={"person_id": ids.get(subject.person_id, subject.person_id)})
            for subject in self.subjects
        )
        return self.model_copy(update={"subjects": subjects, "household_id": household_id})

    def told(self) -> dict[str, Any]:
        """The fields of the application events, which say that a unit is suspected and not which one."""
        left_out = {"suspected", "relative_of_staff", "stages", "protection_claimed", "subjects", "emergency"}
        subjects = tuple(subject.model_dump(exclude={"mark"}) for subject in self.subjects)
        emergency = None if self.emergency is None else self.emergency.model_dump()
        own = {"subjects": subjects, "emergency": emergency, "guarded": self.suspected is not None}
        return self.model_dump(exclude=left_out) | own


def coded(
    form: ApplicationForm,
    person_ids: Sequence[UUID],
    *,
    received_at: datetime,
    recorded_at: datetime,
    late_entry: bool,
    believed: bool,
) -> Known:
    """The coded facts of a form, one person id per subject.

    believed: whether stages and tier are taken as facts (the import permission) or are only claims.
    """
    day = local(received_at).date()
    return Known(
        kind=form.taken_as,
        channel=form.channel,
        caller_role=form.caller.role,
        received_at=received_at,
        recorded_at=recorded_at,
        late_entry=late_entry,
        place_division=form.place.division,
        registered_division=form.registered_division,
        household_size=form.household.size,
        household_tier=form.household.tier if believed else None,
        consent_financial_check=form.consent.financial_check,
        consent_charity=form.consent.charity,
        needs=tuple(dict.fromkeys(form.needs)),
        emergency=form.emergency,
        suspected=form.suspected,
        relative_of_staff=form.relative_of_staff,
        stages=form.stages if believed else (),
        protection_claimed=not believed and any(stage.kind == PROTECTION_STAGE for stage in form.stages),
        subjects=tuple(
            KnownSubject(
                person_id=person_id,
                mark=subject.id,
                age=subject.age_on(day),
                facts=subject.facts.model_dump(mode="json", exclude_defaults=True),
            )
            for person_id, subject in zip(person_ids, form.subjects, strict=True)
        ),
    )


def evaluated(known: Known, at: datetime, earlier: Mapping[UUID, Iterable[UUID]]) -> Plan:
    """The plan: referral clocks run from `at`.

    earlier: other applications that stand, each with the people it names. The registry has matched the
    identity numbers already, so that triage compares person ids in their place.
    """
    application = TriageApplication(
        kind=known.kind,
        received_at=local(at),
        channel=known.channel,
        caller=Caller.model_validate({"role": known.caller_role}),
        place=Place(division=known.place_division),
        registered_division=known.registered_division,
        household=Household(size=known.household_size, tier=known.household_tier),
        consent=Consent(financial_check=known.consent_financial_check, charity=known.consent_charity),
        emergency=known.emergency,
        needs=known.needs,
        suspected=known.suspected,
        relative_of_staff=known.relative_of_staff,
        stages=known.stages,
        earlier_applications=tuple(
            EarlierApplication(id=str(id_), id_numbers=tuple(map(str, people)))
            for id_, people in earlier.items()
        ),
        subjects=tuple(
            Subject(
                age=subject.age,
                id_number=str(subject.person_id),
                facts=Facts.model_validate(subject.facts),
            )
            for subject in known.subjects
        ),
    )
    return evaluate(application)


def merged(known: Known, more: Known) -> Known:
    """What is known after a supplement: newer values win, lists grow, the time of receipt stays."""
    subjects = {subject.person_id: subject for subject in known.subjects}
    for subject in more.subjects:
        subjects[subject.person_id] = _merged_subject(subjects.get(subject.person_id), subject)
    newer = {
        name: value
        for name in ("place_division", "registered_division", "household_size", "household_tier", "emergency")
        if (value := getattr(more, name)) is not None
    }
    return known.model_copy(
        update={
            **newer,
            "consent_financial_check": known.consent_financial_check or more.consent_financial_check,
            "consent_charity": known.consent_charity or more.consent_charity,
            "needs": tuple(dict.fromkeys((*known.needs, *more.needs))),
            "suspected": more.suspected or known.suspected,
            "relative_of_staff": known.relative_of_staff or more.relative_of_staff,
            "protection_claimed": known.protection_claimed or more.protection_claimed,
            "stages": (*known.stages, *(stage for stage in more.stages if stage not in known.stages)),
            "subjects": tuple(subjects.values()),
        }
    )


def _merged_subject(before: KnownSubject | None, now: KnownSubject) -> KnownSubject:
    if before is None:
        return now
    age = before.age if now.age is None else now.age
    return before.model_copy(update={"age": age, "facts": {**before.facts, **now.facts}})


def kept_times(old: Plan, new: Plan, at: datetime, again: bool = False) -> Plan:
    """The new plan, made at `at`, in which what stood before with the same urgency keeps its times.

    again: the application was withdrawn in between, which took away all but protection (ADR 4): the rest is
    asked for anew.
    """
    referrals = {(each.rule, each.to): each for each in old.referrals}
    duties = {each.id: each for each in old.duties}

    def referral(each: PlannedReferral) -> PlannedReferral:
        before = referrals.get((each.rule, each.to))
        raised = before is None or _URGENCIES.index(each.urgency) < _URGENCIES.index(before.urgency)
        taken = again and each.rule not in PROTECTION
        return each if before is None or raised or taken else before

    def duty(each: PlannedDuty) -> PlannedDuty:
        before = duties.get(each.id)
        if before is None or each.started_at != local(at):
            return each
        return each.model_copy(update={"again": True}) if again else before

    return new.model_copy(
        update={"referrals": tuple(map(referral, new.referrals)), "duties": tuple(map(duty, new.duties))}
    )
