"""From an event to commands: of the topics that notify reads, and of its own events."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from onedoor.calendar import local
from onedoor.contracts import services
from onedoor.contracts.core import Command, Envelope, Event
from onedoor.contracts.events.case import CaseDecided, ReferralRequested
from onedoor.contracts.events.intake import (
    ApplicationReceived,
    ApplicationSupplemented,
    ApplicationWithdrawn,
    UnitSuspected,
)
from onedoor.contracts.events.need import NeedClosed
from onedoor.contracts.events.notify import (
    ClockPaused,
    ClockRecomputed,
    ClockRescheduled,
    ClockResumed,
    ClockStarted,
    ReferralAcknowledged,
    ReferralActed,
    ReferralAnswered,
    ReferralEvent,
    ReferralExtended,
    ReferralReopened,
    ReferralReturned,
    ReferralRevoked,
    ReferralSent,
    ReferralSupplemented,
)
from onedoor.contracts.plan import PlannedReferral
from onedoor.contracts.referral_rules import DISTRICT_RULE, ReferralRule, directory, rule_on, travelling
from onedoor.notify import statutory
from onedoor.notify.domain import docket, duties, ledger, referral
from onedoor.notify.domain.clock import (
    BesideNoted,
    CancelClock,
    ExtendClock,
    MarkClock,
    MeetClock,
    NoteBeside,
    StartClock,
    clock_id,
)
from onedoor.notify.domain.duties import REFERRAL_DUTIES, ReferralDuty
from onedoor.notify.domain.ledger import (
    Admit,
    Asked,
    AskedDuty,
    NoteDecision,
    NoteReturn,
    Suspect,
    Suspected,
    Withdraw,
    WithdrawConsent,
    ledger_id,
    referral_id,
)
from onedoor.notify.domain.referral import (
    Divert,
    InformReferral,
    NoteDue,
    NoteHandedOn,
    OpenReferral,
    Release,
    TakeOver,
    Wanted,
)
from onedoor.notify.domain.ring import DropRing, ExpectAcknowledgement, ring_id
from onedoor.notify.facts import facts_for

Application = ApplicationReceived | ApplicationSupplemented


def react(event: Envelope) -> Sequence[Command]:
    """What follows from an event; nothing from one that is not in the table."""
    follow = _FOLLOWS.get(type(event.data))
    further = () if follow is None else follow(event.data, event.time)
    return (*further, *statutory.follow(event))


def _application(event: Application, _: datetime) -> Sequence[Command]:
    anew = isinstance(event, ApplicationSupplemented)
    at = (event.recorded_at if anew else event.received_at).astimezone(UTC)
    marks = _marks(event)
    subjects = tuple(subject.person_id for subject in event.subjects)
    asked = tuple(
        Asked(
            origin=event.application_id,
            wanted=Wanted(
                **{"sent_at": at} | planned,
                told_at=at,
                subjects=subjects,
                facts=facts_for(planned["rule"], event),
                late_entry=event.late_entry and planned.get("sent_at", at) == event.received_at,
                **marks,
            ),
        )
        for planned in (*map(_planned, event.plan.referrals), *_manual(event))
    )
    late = event.late_entry and not anew
    owed = _duties(event, at, late, marks)
    return (Admit(**_of(event), asked=asked, duties=owed, planned_at=at, guarded=event.guarded),)


def _marks(event: Application | ReferralRequested) -> dict[str, bool]:
    """How closely what follows from it is kept."""
    sealed = event.sealed if isinstance(event, ReferralRequested) else event.protection
    return {"child": event.classification() == "child", "sealed": sealed}


def _planned(referral: PlannedReferral) -> dict[str, Any]:
    names = ("rule", "from_", "to", "to_division", "urgency", "ground", "drafted")
    planned = {name: getattr(referral, name) for name in names}
    if referral.asked_at is None:
        return planned
    return planned | {"sent_at": referral.asked_at.astimezone(UTC), "dated": True}


def _manual(event: Application) -> Sequence[dict[str, Any]]:
    """Where no rule names anybody, the township looks at it, on its list and by a clock like all others."""
    if event.plan.manual is None:
        return ()
    return (
        {
            "rule": duties.MANUAL,
            "from_": duties.origin(event.caller_role, event.channel),
            "to": event.plan.manual,
            "to_division": event.place_division,
            "urgency": "ordinary",
            "ground": DISTRICT_RULE,
        },
    )


def _duties(event: Application, at: datetime, late: bool, marks: Mapping[str, bool]) -> tuple[AskedDuty, ...]:
    return tuple(
        AskedDuty(
            id=duty.id,
            started_at=(duty.started_at or at).astimezone(UTC),
            limit=duty.limit,
            owner_division=event.place_division or event.registered_division,
            late_entry=late,
            again=duty.again,
            **marks,
        )
        for duty in event.plan.duties
        if duty.limit
    )


def _requested(event: ReferralRequested, _: datetime) -> Sequence[Command]:
    row = rule_on(event.rule, local(event.requested_at).date())
    wanted = Wanted(
        rule=event.rule,
        from_=services.BY_NAME[event.service].department,
        to=event.to,
        to_division=event.to_division,
        urgency=event.urgency,
        sent_at=event.requested_at.astimezone(UTC),
        told_at=event.requested_at.astimezone(UTC),
        case_id=event.case_id,
        service=event.service,
        subjects=event.subjects,
        facts=travelling(event.rule, event.facts, local(event.requested_at).date()),
        ground=row.ground if row else "",
        drafted=_missing_consent(row, event.facts),
        **_marks(event),
    )
    return (Admit(**_of(event), asked=(Asked(origin=event.request_id, wanted=wanted),)),)


def _missing_consent(row: ReferralRule | None, facts: Mapping[str, Any]) -> str | None:
    """Nothing goes to a charity, and no check begins, before its consent stands: a draft waits for it."""
    if row is None or row.consent is None or facts.get(row.consent.fact) is True:
        return None
    return row.consent.drafted


def _withdrawn(event: ApplicationWithdrawn, _: datetime) -> Sequence[Command]:
    return (
        Withdraw(
            **_of(event),
            withdrawn_at=event.withdrawn_at.astimezone(UTC),
            protection_stands=event.protection_stands,
        ),
    )


def _need_closed(event: NeedClosed, at: datetime) -> Sequence[Command]:
    """A consent taken back takes back what was handed to charities on it."""
    if event.reason != "consent_withdrawn":
        return ()
    return (WithdrawConsent(**_of(event), fact="consent_charity", at=at),)


def _decided(event: CaseDecided, at: datetime) -> Sequence[Command]:
    if not duties.decided_by(event.service):
        return ()
    return (NoteDecision(**_of(event), service=event.service, at=at),)


def _suspected(event: UnitSuspected, _: datetime) -> Sequence[Command]:
    unit = Suspected(department=event.department, division=event.division)
    of = _of(event)
    return (
        Suspect(**of, unit=unit),
        docket.Shun(**of | {"target": docket.docket_id(event.application_id)}, unit=unit),
    )


def _of(event: Any) -> dict[str, Any]:
    application = event.application_id
    return {"target": ledger_id(application), "application_id": application, "chain_id": event.chain_id}


def _referral_admitted(event: ledger.ReferralAdmitted, _: datetime) -> Sequence[Command]:
    opened = OpenReferral(
        target=event.referral_id,
        chain_id=event.chain_id,
        application_id=event.application_id,
        wanted=event.wanted,
    )
    replaced = event.wanted.replaces
    return (opened,) if replaced is None else (opened, NoteHandedOn(target=replaced))


def _came_back(event: referral.ReferralCameBack, at: datetime) -> Sequence[Command]:
    return (NoteReturn(**_of(event), referral_id=event.referral_id, wanted=event.wanted, at=event.at),)


def _sent_on(event: referral.ReferralSentOn, _: datetime) -> Sequence[Command]:
    """What a plan asked of a suspected department gets the id that a later plan gives it: opened once."""
    of_plan = event.diverted and event.wanted.service is None
    known = event.referral_id == referral_id(event.application_id, event.wanted.rule, event.wanted.to)
    origin = event.application_id if of_plan and not known else event.referral_id
    return (Admit(**_of(event), asked=(Asked(origin=origin, wanted=event.wanted),)),)


def _referral_informed(event: ledger.ReferralInformed, _: datetime) -> Sequence[Command]:
    return (InformReferral(target=event.referral_id, wanted=event.wanted),)


def _duty_admitted(event: ledger.DutyAdmitted, _: datetime) -> Sequence[Command]:
    duty = event.duty
    assert duty.subject is not None
    return (
        StartClock(
            target=clock_id(duty.id, duty.subject),
            chain_id=event.chain_id,
            duty=duty.id,
            subject=duty.subject,
            owner=event.owner or duties.duty(duty.id).owner,
            owner_division=event.owner_division if event.owner else duty.owner_division,
            child=duty.child,
            sealed=duty.sealed,
            started_at=duty.started_at,
            limit=duty.limit,
            late_entry=duty.late_entry,
        ),
        statutory.planned(event, duty),
    )


def _duty_marked(event: ledger.DutyMarked, _: datetime) -> Sequence[Command]:
    return (
        MarkClock(
            target=clock_id(event.id, event.subject),
            chain_id=event.chain_id,
            duty=event.id,
            subject=event.subject,
            child=event.child,
            sealed=event.sealed,
        ),
    )


def _duty_moved(event: ledger.DutyMoved | docket.DutyMoved, _: datetime) -> Sequence[Command]:
    return (
        MarkClock(
            target=clock_id(event.id, event.subject),
            chain_id=event.chain_id,
            duty=event.id,
            subject=event.subject,
            owner=event.owner,
            owner_division=event.owner_division,
        ),
    )


def _duty_ended(event: ledger.DutyEnded, _: datetime) -> Sequence[Command]:
    of = {
        "target": clock_id(event.id, event.subject),
        "chain_id": event.chain_id,
        "duty": event.id,
        "subject": event.subject,
        "at": event.at,
        "mark": True,
    }
    return (MeetClock(**of),) if event.ending == "met" else (CancelClock(**of, reason="withdrawn"),)


def _sent(event: ReferralSent, _: datetime) -> Sequence[Command]:
    limits = duties.limits(event.urgency, event.to, event.sent_at)
    clocks = [
        _start(event, duty, str(limit), event.sent_at, event.again or "urgency_raised")
        for duty, limit in limits.items()
    ]
    if event.urgency != "critical" or event.late_entry or event.to in directory().inform_only:
        return clocks
    return (*clocks, ExpectAcknowledgement(**_ring_of(event), sent_at=event.sent_at))


def _ring_of(event: ReferralEvent) -> dict[str, Any]:
    names = ("referral_id", "chain_id", "to", "to_division", "child", "sealed")
    return {"target": ring_id(event.referral_id)} | {name: getattr(event, name) for name in names}


def _heard(event: ReferralEvent, at: datetime) -> Sequence[Command]:
    """Somebody at the receiver has spoken: nobody needs to ring there."""
    return (DropRing(**_ring_of(event), at=at),) if event.urgency == "critical" else ()


def _start(event: ReferralEvent, duty: ReferralDuty, limit: str, at: datetime, anew: Any) -> StartClock:
    return StartClock(
        **_clock_of(event, duty),
        owner=event.to,
        owner_division=event.to_division,
        referral_id=event.referral_id,
        child=event.child,
        sealed=event.sealed,
        started_at=at,
        limit=limit,
        urgency=event.urgency,
        late_entry=isinstance(event, ReferralSent) and event.late_entry,
        anew=anew,
    )


def _supplemented(event: ReferralSupplemented, _: datetime) -> Sequence[Command]:
    return [
        MarkClock(**_clock_of(event, duty), child=event.child, sealed=event.sealed)
        for duty in duties.limits(event.urgency, event.to)
    ]


def _clock_of(event: ReferralEvent | referral.KeptHere, duty: ReferralDuty) -> dict[str, Any]:
    subject = event.referral_id
    return {
        "target": clock_id(duty, subject),
        "chain_id": event.chain_id,
        "duty": duty,
        "subject": subject,
    }


def _meet(event: ReferralEvent, at: datetime, *met: ReferralDuty) -> list[Command]:
    """Meet these duties, of those that a referral of this urgency has."""
    has = duties.limits(event.urgency, event.to)
    return [MeetClock(**_clock_of(event, duty), at=at) for duty in met if duty in has]


def _cancel(
    event: ReferralEvent | referral.KeptHere, at: datetime, reason: str, *fallen: ReferralDuty
) -> list[Command]:
    return [CancelClock(**_clock_of(event, duty), at=at, reason=reason) for duty in fallen]


def _returned(event: ReferralReturned, at: datetime) -> Sequence[Command]:
    """A critical one stays with its first receiver, clocks and all (首接负责)."""
    if event.urgency != "critical":
        return [*_meet(event, at, "ack"), *_cancel(event, at, "returned", "action", "finish")]
    return _heard(event, at)


def _extended(event: ReferralExtended, _: datetime) -> Sequence[Command]:
    target = clock_id("finish", event.referral_id)
    return (ExtendClock(target=target, due_at=event.due_finish, reason=event.reason),)


def _reopened(event: ReferralReopened, at: datetime) -> Sequence[Command]:
    limit = str(duties.limits(event.urgency, event.to, at)["finish"])
    return (_start(event, "finish", limit, at, "reopened"),)


def _resumed(event: ClockResumed | ClockRecomputed, at: datetime) -> Sequence[Command]:
    if event.referral_id is None or event.duty != "finish":
        return _beside(event, at)
    return (NoteDue(target=event.referral_id, due_finish=event.due_at),)


Counted = ClockStarted | ClockResumed | ClockRescheduled | ClockRecomputed | ClockPaused | BesideNoted


def _beside(event: Counted, _: datetime) -> Sequence[Command]:
    """Where another rule governs the same duty, its clock hears when this one's time ends."""
    other = duties.duty(event.duty).beside
    if other is None:
        return ()
    due_at = None if isinstance(event, ClockPaused) else event.due_at
    return (NoteBeside(target=clock_id(other, event.subject), due_at=due_at),)


_FOLLOWS: Mapping[type[Event], Callable[[Any, datetime], Sequence[Command]]] = {
    ApplicationReceived: _application,
    ApplicationSupplemented: _application,
    ApplicationWithdrawn: _withdrawn,
    ReferralRequested: _requested,
    CaseDecided: _decided,
    NeedClosed: _need_closed,
    UnitSuspected: _suspected,
    ledger.ReferralDiverted: lambda event, _: (
        Divert(target=event.referral_id, to=event.to, to_division=event.to_division),
    ),
    ledger.ReferralAdmitted: _referral_admitted,
    ledger.ReferralInformed: _referral_informed,
    ledger.ReferralReleased: lambda event, _: (
        Release(target=event.referral_id, at=event.at, reason=event.reason),
    ),
    ledger.DutyAdmitted: _duty_admitted,
    ledger.DutyMarked: _duty_marked,
    ledger.DutyMoved: _duty_moved,
    docket.DutyMoved: _duty_moved,
    ledger.DutyEnded: _duty_ended,
    ReferralSent: _sent,
    ReferralSupplemented: _supplemented,
    ReferralAcknowledged: lambda event, at: [*_meet(event, at, "ack"), *_heard(event, at)],
    ReferralActed: lambda event, at: _meet(event, at, "action"),
    ReferralAnswered: lambda event, at: [*_meet(event, at, "ack", "action", "finish"), *_heard(event, at)],
    ReferralReturned: _returned,
    ReferralExtended: _extended,
    ReferralReopened: _reopened,
    ReferralRevoked: lambda event, at: [
        *_cancel(event, event.revoked_at or at, event.reason, *REFERRAL_DUTIES),
        *_heard(event, event.revoked_at or at),
    ],
    referral.ReferralCameBack: _came_back,
    referral.ReferralSentOn: _sent_on,
    referral.ReferralTookOver: lambda event, _: (TakeOver(target=event.relieved),),
    referral.ReferralTakenOver: lambda event, at: _cancel(event, at, "taken_over", *REFERRAL_DUTIES),
    ClockStarted: _beside,
    ClockPaused: _beside,
    ClockRescheduled: _beside,
    ClockResumed: _resumed,
    ClockRecomputed: _resumed,
    BesideNoted: _beside,
    **statutory.FOLLOWS,
}

TAKES = statutory.TAKES | frozenset(
    event.type for event in _FOLLOWS if any(not topic.startswith("notify.") for topic in event.topics)
)
"""Of the topics that notify reads; what follows from its own events is decided with them."""
