"""Steps of a proceeding as events, and how those fold: what the tables of `programmes` say, carried out."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from onedoor.assistance.domain import approval, kept
from onedoor.assistance.domain.approval import Term
from onedoor.assistance.domain.dates import APPEAL
from onedoor.assistance.domain.guards import (
    CHECK_BY,
    CHECK_RULE,
    SUSPICION_RULE,
    amount_of,
    next_month,
    usual_month,
)
from onedoor.assistance.domain.proceeding import (
    HELPED,
    Assessment,
    AssistanceCase,
    CheckResult,
    Decision,
    Discussion,
    HouseholdFacts,
    OtherAid,
    Proceeding,
    State,
    proceeding_id,
)
from onedoor.assistance.domain.programmes import WORKFLOWS
from onedoor.assistance.domain.said import Said
from onedoor.assistance.domain.table import Asked, Step, Workflow
from onedoor.calendar import Limit, Unit, due, local
from onedoor.calendar.counting import months_later
from onedoor.calendar.moments import midnight
from onedoor.contracts import case as any_case
from onedoor.contracts.core import Command, Context, Event, Refusal, derived_id
from onedoor.contracts.events import assistance as events
from onedoor.contracts.events.assistance import ProceedingEvent
from onedoor.contracts.events.case import (
    CaseDecided,
    CaseReopened,
    CaseTakenUp,
    CaseWithdrawn,
    ReferralRequested,
)
from onedoor.contracts.work import NoteReferral, identity_of, referral_id

ACTIVITIES = ("able", "partial", "partial", "partial", "total_loss", "total_loss", "total_loss")
"""自理能力 by the number of failed activities of six (43 art. 22)."""


REPORTED: Mapping[str, CheckResult] = {"consistent": "met", "differs": "not_met", "incomplete": "unclear"}
"""What the verification centre reports (R16), as a result."""
CHECK_HEARD: Mapping[str, CheckResult | None] = {
    "answered": "unclear",
    "reopened": None,
    "returned": "returned",
    "revoked": "revoked",
}
"""The states of its referral that say something of a check's result."""


class OpenProceeding(Command):
    """Apply for a programme in this case; for a person's programme, whose."""

    programme: str
    person_id: UUID | None = None


class RecordHousehold(Command):
    """The household's file, of which the case remembers these facts."""

    household: HouseholdFacts


class RecordAuthorisation(Command):
    person_id: UUID


class StartPayment(Command):
    """The proceeding's first payment stands on the list of this month (as `2026-06`)."""

    proceeding: UUID
    month: str


class StateTerm(Command):
    """The proceeding's grant, made before its programme had a term, holds as long as that says."""

    proceeding: UUID


class Act(Command):
    """Take a step of a proceeding's workflow.

    assessment: what the rules say; ceiling_fen, aided: as in `Asked`.
    """

    proceeding: UUID
    name: str
    said: Said
    assessment: Assessment | None = None
    ceiling_fen: int | None = None
    aided: tuple[OtherAid, ...] = ()


COMMANDS: tuple[type[Command], ...] = (
    OpenProceeding,
    RecordHousehold,
    RecordAuthorisation,
    StartPayment,
    StateTerm,
    Act,
)

UNKNOWN = Refusal(
    "proceeding.unknown",
    "There is no such proceeding in this case; check its id.",
    "本案没有该办件，请核对编号。",
)


def decide(
    service: str, case: AssistanceCase, command: Command, context: Context
) -> Sequence[Event] | Refusal:
    """The events of a command of this module, or why not. What is so already is no second event."""
    if case.state is None:
        return Refusal("case.unknown", "There is no such case; check its id.", "没有该个案，请核对编号。")
    if case.state in any_case.ENDED:
        return any_case.case_ended(case.state)
    identity = identity_of(service, case, command)
    match command:
        case OpenProceeding():
            return _open(case, command, context, identity)
        case RecordHousehold():
            return _record(case, command, context, identity)
        case RecordAuthorisation():
            return _authorise(case, command, context, identity)
        case StartPayment():
            return _start_payment(case, command, context, identity)
        case StateTerm():
            return _state_term(case, command, context, identity)
        case Act():
            return _act(case, command, context, identity)
    raise TypeError(f"no workflow knows {type(command).__name__}")


def _open(
    case: AssistanceCase, command: OpenProceeding, context: Context, identity: dict[str, Any]
) -> Sequence[Event] | Refusal:
    workflow = WORKFLOWS.get(command.programme)
    if workflow is None:
        return any_case.not_coded("programme", frozenset(WORKFLOWS))
    if workflow.person != (command.person_id is not None):
        return Refusal(
            "proceeding.person",
            "This programme is one person's: name who of the case it is for."
            if workflow.person
            else "This programme is the household's: leave the person out.",
            "该项目以个人为单位，请指明本案中的对象。"
            if workflow.person
            else "该项目以家庭为单位，请勿指定个人。",
            "person_id",
        )
    if command.person_id is not None and command.person_id not in case.people:
        return Refusal(
            "proceeding.person",
            "Only people of this case can be applied for.",
            "只能为本案的求助对象申请。",
            "person_id",
        )
    id_ = proceeding_id(command.target, command.programme, command.person_id)
    if id_ in case.proceedings:
        return ()
    opened = events.ProceedingOpened(
        **identity,
        proceeding_id=id_,
        programme=command.programme,
        person_id=command.person_id,
        state="received",
        at=context.now,
    )
    return _with_case(case, context, identity, (opened,))


def _authorise(
    case: AssistanceCase, command: RecordAuthorisation, context: Context, identity: dict[str, Any]
) -> Sequence[Event] | Refusal:
    """File it; the last one that was missing sends the checks that were drafted."""
    if command.person_id in case.authorised:
        return ()
    if case.household is None or command.person_id not in case.household.people.values():
        return Refusal(
            "authorisation.person",
            "Only a member of the household's file can authorise the check.",
            "仅家庭档案中的成员可以授权核对。",
            "person_id",
        )
    recorded = kept.AuthorisationRecorded(**identity, person_id=command.person_id)
    return (recorded, *_send_drafted(evolve(case, recorded), context, identity))


def _record(
    case: AssistanceCase, command: RecordHousehold, context: Context, identity: dict[str, Any]
) -> Sequence[Event]:
    """Remember the file. Where nobody's authorisation is missing any more, the drafted checks go out; where
    the applicant turns out to be a minor, a notice that stands is taken down.
    """
    if case.household == command.household:
        return ()
    recorded = kept.HouseholdRecorded(**identity, household=command.household)
    after = evolve(case, recorded)
    return (
        recorded,
        *_send_drafted(after, context, identity),
        *notices_taken_down(after, context, identity),
    )


def _send_drafted(case: AssistanceCase, context: Context, identity: dict[str, Any]) -> Sequence[Event]:
    if case.unauthorised:
        return ()
    sent: list[Event] = []
    for each in case.proceedings.values():
        if each.check_drafted and not each.settled:
            events_ = _send_check(case, each, context, identity)
            sent += events_
            for event in events_:
                case = evolve(case, event)
    return sent


def check_heard(
    case: AssistanceCase, command: NoteReferral, context: Context, identity: dict[str, Any]
) -> Sequence[Event]:
    """The result of a financial check, taken from the answer of its referral; nothing for other referrals."""
    asked = next((each for each in case.proceedings.values() if command.referral_id == _check_of(each)), None)
    if asked is None or command.state not in CHECK_HEARD:
        return ()
    result = CHECK_HEARD[command.state]
    if command.state == "answered":
        result = REPORTED.get(str(command.results.get("report")), "unclear")
    if result == asked.check_result:
        return ()
    return (kept.CheckRecorded(**_shared(asked, asked.state, context, identity), result=result),)


def _check_of(proceeding: Proceeding) -> UUID | None:
    return proceeding.check and referral_id(proceeding.check, CHECK_RULE, CHECK_BY)


def _start_payment(
    case: AssistanceCase, command: StartPayment, context: Context, identity: dict[str, Any]
) -> Sequence[Event] | Refusal:
    proceeding = case.proceedings.get(command.proceeding)
    if proceeding is None:
        return UNKNOWN
    if proceeding.paid_since is not None:
        return ()
    shared = _shared(proceeding, proceeding.state, context, identity)
    return (events.PaymentStarted(**shared, month=command.month),)


def _state_term(
    case: AssistanceCase, command: StateTerm, context: Context, identity: dict[str, Any]
) -> Sequence[Event] | Refusal:
    """Counted from the grant itself: an adjustment since then made it no longer."""
    proceeding = case.proceedings.get(command.proceeding)
    if proceeding is None:
        return UNKNOWN
    granted, term = proceeding.granted, approval.packaged().terms.get(proceeding.programme)
    if granted is None or granted.valid_until is not None or term is None:
        return ()
    since = max(each.decided_at for each in proceeding.decisions if each.kind == "grant")
    stated = events.TermStated(
        **_shared(proceeding, proceeding.state, context, identity),
        decision_id=granted.decision_id,
        granted_at=since,
        valid_until=_end_of(term, since),
    )
    return (stated,)


def _shared(
    proceeding: Proceeding, state: State, context: Context, identity: dict[str, Any]
) -> dict[str, Any]:
    """What every event of a proceeding says."""
    return identity | {
        "proceeding_id": proceeding.proceeding_id,
        "programme": proceeding.programme,
        "person_id": proceeding.person_id,
        "state": state,
        "at": context.now,
    }


def refusal_of(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """Why this person may not take this step now; None: they may.

    With nothing said yet only what does not depend on it is asked, as for a button.
    """
    step = asked.step
    if asked.context.actor.role not in step.who:
        who = ", ".join(sorted(step.who - {"everything"}))
        return Refusal("step.role", f"This step is taken by: {who}.", f"该步骤应由下列角色办理：{who}。")
    return next((no for guard in step.guards if (no := guard(case, proceeding, asked)) is not None), None)


def _act(
    case: AssistanceCase, command: Act, context: Context, identity: dict[str, Any]
) -> Sequence[Event] | Refusal:
    proceeding = case.proceedings.get(command.proceeding)
    if proceeding is None:
        return UNKNOWN
    workflow = WORKFLOWS[proceeding.programme]
    step = workflow.step(command.name, proceeding.state)
    if step is None:
        return Refusal(
            "step.state",
            f"The proceeding is {proceeding.state}; {command.name} does not follow from there.",
            f"办件当前状态为 {proceeding.state}，不能进行 {command.name}。",
        )
    asked = Asked(
        workflow, step, context, command.said, command.assessment, command.ceiling_fen, command.aided
    )
    refusal = refusal_of(case, proceeding, asked)
    if refusal is not None:
        return refusal
    shared = _shared(proceeding, step.leads_to(proceeding, command.said), context, identity)
    happened = _happened(case, proceeding, asked, shared, identity)
    return _with_case(case, context, identity, happened)


def _happened(
    case: AssistanceCase,
    proceeding: Proceeding,
    asked: Asked,
    shared: dict[str, Any],
    identity: dict[str, Any],
) -> tuple[Event, ...]:
    """The step's own event, and what belongs to it."""
    step, actor = asked.step, asked.context.actor.person
    if step.event is kept.CheckDrafted and not case.unauthorised:
        return tuple(_send_check(case, proceeding, asked.context, identity))
    told = _TOLD.get(step.event, _nothing_more)(proceeding, asked)
    coded = set(step.event.model_fields) - set(shared) - set(asked.said.written) - {"person"}
    said = asked.said.model_dump(include=coded)
    event = step.event.model_validate(shared | said | told)
    match event:
        case events.InvestigationStarted():
            named = kept.InvestigatorsNamed(**shared, investigators=asked.said.investigators)
            return (event, named)
        case events.UrgencyConfirmed() | events.ReviewStarted() | events.ChangeReported():
            return (event, kept.TookPart(**shared, person=actor))
        case events.OpinionGiven():
            return (event, kept.OpinionAssessed(**shared, person=actor, assessment=asked.assessment))
        case events.NoticeEnded(completed=False):
            return (event, kept.NoticeWithheld.model_validate(shared | _ground(asked.said)))
        case events.NoticeEnded(ending=False):
            return (event, events.CaseReported(**shared))
        case events.AidPaidFirst():
            determined = events.Determined.model_validate(
                shared | _determined(proceeding, asked) | {"reason": "aid_first"}
            )
            return (event, determined, _kept_decision(shared, asked, event.decision_id))
        case kept.SuspicionReferred():
            return (_referral_of_suspicion(case, event, asked.context, identity), event)
        case events.AbilityReassessed():
            grade = ACTIVITIES[asked.said.failed_activities]
            return (event, kept.AbilityGraded(**shared, self_care=grade))
        case events.Determined():
            return (event, _kept_decision(shared, asked, event.decision_id))
    return (event,)


def _kept_decision(shared: dict[str, Any], asked: Asked, decision_id: UUID) -> kept.DecisionKept:
    evidence = asked.assessment.evidence if asked.assessment else None
    return kept.DecisionKept(
        **shared, decision_id=decision_id, person=asked.context.actor.person, evidence=evidence
    )


def _ground(said: Any) -> dict[str, Any]:
    return {"ground": said.ground, "fled_from": said.fled_from}


def _send_check(
    case: AssistanceCase, proceeding: Proceeding, context: Context, identity: dict[str, Any]
) -> list[Event]:
    """R16 to the verification centre. The first one is the very referral that an application's plan drafted,
    so that asking for it sends that draft; one that is answered already is asked for anew."""
    assert case.application_id is not None
    assert case.household is not None
    planned = case.referrals.get(referral_id(case.application_id, CHECK_RULE, CHECK_BY))
    first = not any(each.checks for each in case.proceedings.values()) and (planned is None or planned.open)
    request_id = (
        case.application_id if first else derived_id("check", proceeding.proceeding_id, proceeding.checks + 1)
    )
    asked = ReferralRequested(
        **identity,
        request_id=request_id,
        rule=CHECK_RULE,
        to=CHECK_BY,
        urgency="ordinary",
        requested_at=context.now,
        subjects=case.household.adults,
        facts={"household_size": case.household.size, "written_authorisation": True},
    )
    sent = kept.CheckSent(
        **_shared(proceeding, proceeding.state, context, identity),
        request_id=request_id,
        household=case.household.digest,
    )
    return [asked, sent]


def _referral_of_suspicion(
    case: AssistanceCase, event: kept.SuspicionReferred, context: Context, identity: dict[str, Any]
) -> ReferralRequested:
    """R19, about the adults who count, or whom the case is about while there is no file."""
    adults = case.household.adults if case.household is not None else ()
    return ReferralRequested(
        **identity,
        request_id=event.request_id,
        rule=SUSPICION_RULE,
        to=event.to,
        urgency="ordinary",
        requested_at=context.now,
        subjects=adults or case.subjects,
    )


# What an event says beyond what was said with the command.

Told = Callable[[Proceeding, Asked], dict[str, Any]]


def _nothing_more(proceeding: Proceeding, asked: Asked) -> dict[str, Any]:
    return {}


def _notice(proceeding: Proceeding, asked: Asked) -> dict[str, Any]:
    ending = asked.step.command == "post-ending-notice"
    round_ = 1 if ending else proceeding.notice_round + 1
    days = Limit(asked.workflow.days_posted(round_), Unit.CALENDAR_DAYS)
    until = due(asked.context.now, days).due_at
    return {"until": until, "round": round_, "ending": ending}


def _notice_ended(proceeding: Proceeding, asked: Asked) -> dict[str, Any]:
    command = asked.step.command
    return {"completed": command != "take-down-notice", "ending": command == "end-ending-notice"}


def _objection(proceeding: Proceeding, asked: Asked) -> dict[str, Any]:
    return {"ending": asked.step.command == "object-to-ending"}


def _reason_of_end(proceeding: Proceeding, asked: Asked) -> dict[str, Any]:
    return {"reason": "withdrawn" if asked.step.command == "withdraw" else "not_cooperating"}


def _reason_of_reopening(proceeding: Proceeding, asked: Asked) -> dict[str, Any]:
    reasons = {"send-back": "sent_back", "reconsider-opinion": "reconsidered"}
    return {"reason": reasons[asked.step.command]} if asked.step.command in reasons else {}


def _decision_id(proceeding: Proceeding) -> UUID:
    return derived_id("decision", proceeding.proceeding_id, len(proceeding.decisions) + 1)


def _determined(proceeding: Proceeding, asked: Asked) -> dict[str, Any]:
    step, said, found = asked.step, asked.said, asked.assessment
    assert step.decides is not None
    rules = approval.packaged()
    workflow = asked.workflow
    computed = found is not None and found.outcome == "eligible" and found.amount_fen is not None
    granting = step.decides in ("grant", "adjust", "taper")
    facts: dict[str, Any] = {
        "decision_id": _decision_id(proceeding),
        "kind": step.decides,
        "reason": _coded(step, workflow, said),
        "amount_fen": 0,
        "per": workflow.per or "month",
        "rule_version": found.rule_version if found is not None else rules.version,
        "manual": granting and workflow.per is not None and not (computed and step.decides != "taper"),
        "appeal_until": due(asked.context.now, APPEAL).due_at,
    }
    if step.decides == "recover":
        return facts | {"per": "once", "amount_fen": said.amount_fen}
    if step.decides == "stop":
        return facts | {"first_month": getattr(said, "first_month", None) or usual_month(proceeding, asked)}
    if not granting:
        return facts
    facts |= _holding(proceeding, asked)
    if workflow.per is None:
        return facts
    return facts | {"amount_fen": amount_of(asked)} | _months(proceeding, asked)


def _holding(proceeding: Proceeding, asked: Asked) -> dict[str, Any]:
    """When a grant is looked at again, and until when it holds: neither a day off nor an adjustment makes its
    term longer.
    """
    rules, found, now = approval.packaged(), asked.assessment, asked.context.now
    kind = found.kind if found is not None else "unstable"
    review, term = rules.review(proceeding.programme, kind), rules.terms.get(proceeding.programme)
    before = proceeding.granted if asked.step.decides != "grant" else None
    holding: dict[str, Any] = {}
    if review is not None:
        holding["household_kind"] = kind
        holding["unstable"] = kind != "stable"
        holding["review_by"] = due(now, Limit(review.months, Unit.MONTHS)).due_at
    if before is not None and before.valid_until is not None:
        holding["valid_until"] = before.valid_until
    elif term is not None:
        holding["valid_until"] = _end_of(term, now)
    return holding


def _end_of(term: Term, granted_at: datetime) -> datetime:
    """The end of the last day on which a grant of that moment holds."""
    last = months_later(local(granted_at).date(), term.months)
    return midnight(last + timedelta(days=1))


def _months(proceeding: Proceeding, asked: Asked) -> dict[str, str]:
    """From which month on, and until when where that is known."""
    first, said = usual_month(proceeding, asked), asked.said
    if asked.workflow.per == "once":
        return {"first_month": first, "last_month": first}
    if asked.step.decides == "taper":
        last = next_month(local(asked.context.now).date(), said.months)
        return {"first_month": first, "last_month": last}
    return {"first_month": said.first_month or first}


def _coded(step: Step, workflow: Workflow, said: Any) -> str:
    """The reason as a code: that which was given, else by which way it was granted."""
    if step.command == "lapse":
        return "term_over"
    if step.decides in ("refuse", "stop", "recover"):
        return str(said.reason)
    if step.decides == "taper":
        return "taper"
    return "aid_granted" if workflow.per == "once" else "enrolled"


_TOLD: Mapping[type[ProceedingEvent], Told] = {
    events.InvestigationStarted: lambda _, asked: {"investigators": len(asked.said.investigators)},
    events.NoticePosted: _notice,
    events.NoticeEnded: _notice_ended,
    events.ObjectionRaised: _objection,
    events.ProceedingEnded: _reason_of_end,
    events.ProceedingReopened: _reason_of_reopening,
    events.AidPaidFirst: lambda proceeding, _: {"decision_id": _decision_id(proceeding)},
    events.Determined: _determined,
    events.JurisdictionChanged: lambda proceeding, _: {"accepted_at": proceeding.accepted_at},
    kept.FindingsRecorded: lambda _, asked: {"person": asked.context.actor.person},
    kept.SuspicionReferred: lambda proceeding, asked: {
        "request_id": derived_id("suspicion", proceeding.proceeding_id, proceeding.suspicions, asked.said.to)
    },
}


# What a proceeding's events mean for the case as others know it.


def _with_case(
    case: AssistanceCase, context: Context, identity: dict[str, Any], happened: Sequence[Event]
) -> tuple[Event, ...]:
    """The events, framed by those of the case: taken up by who first works on it; decided when no proceeding
    is open any more; reopened when one is again."""
    before: tuple[Event, ...] = ()
    if case.state == "opened":
        before = (CaseTakenUp(**identity, worker=context.actor.person),)
    after = case
    for event in (*before, *happened):
        after = evolve(after, event)
    unsettled = [each for each in after.proceedings.values() if not each.settled]
    if unsettled and case.state == "decided":
        return (CaseReopened(**identity, reason=_reopened_for(happened)), *happened)
    if not unsettled and after.state == "in_work":
        return (*before, *happened, *_outcome(after, identity))
    return (*before, *happened)


def _reopened_for(happened: Sequence[Event]) -> str:
    match happened[0]:
        case events.ObjectionRaised() | events.AppealSettled():
            return "objection"
    return "new_facts"


def _outcome(case: AssistanceCase, identity: dict[str, Any]) -> Sequence[Event]:
    helped = [each for each in case.proceedings.values() if each.state in HELPED]
    if helped:
        grants = [each.in_force.reason for each in helped if each.in_force is not None]
        reason = next(
            (code for code in ("enrolled", "aid_granted", "aid_first") if code in grants), "enrolled"
        )
        return (CaseDecided(**identity, outcome="helped", reason=reason),)
    states = {each.state for each in case.proceedings.values()}
    if states <= {"withdrawn"}:
        return (CaseWithdrawn(**identity, reason=None),)
    reasons = [each.in_force.reason for each in case.proceedings.values() if each.in_force is not None]
    reason = reasons[-1] if reasons else "not_cooperating"
    return (CaseDecided(**identity, outcome="not_eligible", reason=reason),)


def notices_taken_down(
    case: AssistanceCase, context: Context, identity: dict[str, Any]
) -> list[events.NoticeEnded]:
    """No notice stands any longer of who is protected from now on."""
    down: list[events.NoticeEnded] = []
    for each in case.proceedings.values():
        ending = each.state == "ending_notice"
        if case.protected(each) and (ending or each.state in ("notice", "objection")):
            shared = _shared(each, "review" if ending else "opinion", context, identity)
            down.append(events.NoticeEnded(**shared, completed=False, ending=ending))
    return down


def endings(case: AssistanceCase, reason: str, context: Context, identity: dict[str, Any]) -> list[Event]:
    """The end of every open proceeding, where the whole case is withdrawn or goes to another district."""
    state: State = "withdrawn" if reason == "withdrawn" else "transferred"
    return [
        events.ProceedingEnded(**_shared(each, state, context, identity), reason=reason)
        for each in case.proceedings.values()
        if not each.settled
    ]


# Folding.


def evolve(case: AssistanceCase, event: Event) -> AssistanceCase:
    """The state after the event."""
    case = any_case.evolve(case, event)
    match event:
        case kept.HouseholdRecorded():
            return case.model_copy(update={"household": event.household})
        case kept.AuthorisationRecorded():
            return case.model_copy(update={"authorised": (*case.authorised, event.person_id)})
        case events.JurisdictionChanged():
            case = case.model_copy(update={"division": event.to_division})
    if not isinstance(event, ProceedingEvent):
        return case
    if isinstance(event, events.ProceedingOpened):
        proceeding = Proceeding(
            proceeding_id=event.proceeding_id,
            programme=event.programme,
            person_id=event.person_id,
            opened_at=event.at,
        )
    else:
        proceeding = case.proceedings[event.proceeding_id]
        change = _change(proceeding, event)
        proceeding = proceeding.model_copy(update={"state": event.state, **change})
    return case.model_copy(update={"proceedings": {**case.proceedings, event.proceeding_id: proceeding}})


AGAIN: Mapping[str, Any] = {
    "findings": None,
    "recommendation": None,
    "opined_by": None,
    "assessment": None,
    "notice_served": False,
    "notice_until": None,
}
"""What an investigation begun anew leaves behind."""


ANEW: Mapping[str, Any] = {
    **AGAIN,
    "accepted_at": None,
    "delegated": False,
    "supplement_asked": False,
    "missing": (),
    "investigators": (),
    "check": None,
    "check_drafted": False,
    "check_result": None,
    "checked": None,
    "discussion": None,
    "change": None,
}
"""What an application begun anew leaves behind; who is a relative and who must not be found stays."""


def _change(proceeding: Proceeding, event: ProceedingEvent) -> dict[str, Any]:
    change = _CHANGES.get(type(event))
    told = change(proceeding, event) if change is not None else {}
    if event.state == "investigating" and proceeding.state != "investigating":
        return {**AGAIN, **told}
    if isinstance(event, events.ProceedingReopened) and event.state == "received":
        return {**ANEW, **told}
    return dict(told)


def _joined(proceeding: Proceeding, *people: str | None) -> dict[str, Any]:
    """These people took part, beside those who did before."""
    known = [each for each in people if each is not None]
    return {"involved": tuple(dict.fromkeys((*proceeding.involved, *known)))}


def _ended(proceeding: Proceeding, event: events.NoticeEnded) -> dict[str, Any]:
    served = "ending_served" if event.ending else "notice_served"
    return {served: event.completed, "notice_until": None}


def _decided(proceeding: Proceeding, event: events.Determined) -> dict[str, Any]:
    decision = Decision(
        **event.model_dump(include=set(Decision.model_fields) & set(events.Determined.model_fields)),
        decided_by="",
        decided_at=event.at,
    )
    replaced = proceeding.in_force
    former = proceeding.decisions
    if replaced is not None and event.kind != "recover":
        former = tuple(
            each.model_copy(update={"superseded_by": event.decision_id}) if each is replaced else each
            for each in former
        )
    told: dict[str, Any] = {"decisions": (*former, decision)}
    if event.kind == "recover":
        return told
    first = {"paid_since": None} if event.kind == "grant" else {}
    return told | {"change": None, "involved": (), "ending_served": False} | first


def _on_decision(id_: UUID, proceeding: Proceeding, **update: Any) -> dict[str, Any]:
    return {
        "decisions": tuple(
            each.model_copy(update=update) if each.decision_id == id_ else each
            for each in proceeding.decisions
        )
    }


def _discussed(proceeding: Proceeding, event: kept.DiscussionRecorded) -> dict[str, Any]:
    facts = event.model_dump(include={"participants", "result", "amount_fen", "at"})
    return {"discussion": Discussion.model_validate(facts)}


def _constant(**change: Any) -> Callable[[Proceeding, Any], dict[str, Any]]:
    return lambda proceeding, event: change


_CHANGES: Mapping[type[ProceedingEvent], Callable[[Proceeding, Any], Mapping[str, Any]]] = {
    events.SupplementAsked: lambda _, event: {"supplement_asked": True, "missing": event.papers},
    events.SupplementReceived: _constant(missing=()),
    events.CaseAccepted: lambda _, event: {"accepted_at": event.at, "delegated": event.delegated},
    events.InvestigationStarted: _constant(**AGAIN),
    events.OpinionGiven: lambda _, event: {"recommendation": event.recommendation},
    events.NoticePosted: lambda proceeding, event: {
        "notice_since": event.at,
        "notice_until": event.until,
        **({} if event.ending else {"notice_round": event.round}),
    },
    events.NoticeEnded: _ended,
    events.ObjectionRaised: _constant(notice_until=None),
    events.ProceedingReopened: _constant(notice_round=0),
    events.Determined: _decided,
    events.TermStated: lambda proceeding, event: _on_decision(
        event.decision_id, proceeding, valid_until=event.valid_until
    ),
    events.PaymentStarted: lambda _, event: {"paid_since": event.month},
    events.ChangeReported: lambda _, event: {"change": event.change},
    events.CaseSuspended: lambda proceeding, _: {
        "before": proceeding.state,
        "suspicions": proceeding.suspicions + 1,
        "referred": (),
    },
    events.SuspicionCleared: _constant(before=None),
    events.CaseAppealed: lambda proceeding, event: _on_decision(
        event.decision_id, proceeding, appealed="open"
    ),
    events.AppealSettled: lambda proceeding, event: _on_decision(
        event.decision_id, proceeding, appealed=event.result
    ),
    kept.RelativeRegistered: lambda proceeding, event: {
        "relatives": tuple(dict.fromkeys((*proceeding.relatives, event.staff)))
    },
    kept.InvestigatorsNamed: lambda proceeding, event: {
        "investigators": event.investigators,
        **_joined(proceeding, *(each.person for each in event.investigators)),
    },
    kept.FindingsRecorded: lambda proceeding, event: {
        "findings": event.findings,
        **_joined(proceeding, event.person),
    },
    kept.TookPart: lambda proceeding, event: _joined(proceeding, event.person),
    kept.CheckDrafted: _constant(check_drafted=True, check_result=None),
    kept.CheckSent: lambda proceeding, event: {
        "check": event.request_id,
        "check_drafted": False,
        "check_result": None,
        "checked": event.household,
        "checks": proceeding.checks + 1,
    },
    kept.CheckRecorded: lambda _, event: {"check_result": event.result},
    kept.SuspicionReferred: lambda proceeding, event: {"referred": (*proceeding.referred, event.to)},
    kept.DiscussionRecorded: _discussed,
    kept.OpinionAssessed: lambda proceeding, event: {
        "opined_by": event.person,
        "assessment": event.assessment,
        **_joined(proceeding, event.person),
    },
    kept.NoticeWithheld: lambda _, event: {"withheld": event.ground, "fled_from": event.fled_from},
    kept.DecisionKept: lambda proceeding, event: _on_decision(
        event.decision_id, proceeding, decided_by=event.person, evidence=event.evidence
    ),
    kept.AbilityGraded: lambda _, event: {"self_care": event.self_care},
    kept.CareChosen: lambda _, event: {"care": event.care},
}
