"""What every specialised service does about the events of intake and notify that it reads."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, get_args

from onedoor.contracts.core import Command, Envelope, Urgency
from onedoor.contracts.events.intake import ApplicationReceived, ApplicationSupplemented, ApplicationWithdrawn
from onedoor.contracts.events.notify import ReferralEvent
from onedoor.contracts.plan import Plan
from onedoor.contracts.work import NoteReferral, Opening, ReferralState, WithdrawCase, case_id

Application = ApplicationReceived | ApplicationSupplemented


def reaction(
    service: str,
    opening: Callable[[Application, dict[str, Any]], Opening],
    receives: frozenset[str] = frozenset(),
) -> Callable[[Envelope], Sequence[Command]]:
    """The `react` of a service: an application whose plan names it opens its case, a withdrawal is passed on
    to it, and so is every new state of a referral that it asked for or that came to its service.

    opening: its command from an application and the fields that any opening has (target, application_id,
    chain_id, urgency, sealed, told_at); receives: the departments whose referrals reach this service.
    """

    def react(event: Envelope) -> Sequence[Command]:
        match event.data:
            case ApplicationReceived() | ApplicationSupplemented() as application:
                urgency = _planned_urgency(application.plan, service)
                if urgency is None:
                    return ()
                shared = _whose(application, service) | {
                    "urgency": urgency,
                    "sealed": application.protection,
                    "told_at": _told_at(application),
                }
                return (opening(application, shared),)
            case ApplicationWithdrawn() as withdrawn:
                gone = _whose(withdrawn, service) | {"reason": withdrawn.reason, "at": withdrawn.withdrawn_at}
                return (WithdrawCase.model_validate(gone),)
            case ReferralEvent() as referral if _brings_state(referral):
                return (_note(referral, service),) if _concerns(referral, service, receives) else ()
        return ()

    return react


def _told_at(application: Application) -> datetime:
    """When it was told: a supplement when it was recorded, an application when it was received."""
    supplemented = isinstance(application, ApplicationSupplemented)
    return application.recorded_at if supplemented else application.received_at


def _planned_urgency(plan: Plan, service: str) -> Urgency | None:
    """How urgent the plan wants this service; None: not at all."""
    return next((planned.urgency for planned in plan.services if planned.name == service), None)


def _whose(event: Application | ApplicationWithdrawn | ReferralEvent, service: str) -> dict[str, Any]:
    """The case that an event is about, whether or not it is there yet."""
    return {
        "target": case_id(event.application_id, service),
        "application_id": event.application_id,
        "chain_id": event.chain_id,
    }


def _brings_state(referral: ReferralEvent) -> bool:
    """Whether the event brings the referral to another state; others say more about it."""
    return referral.type.removeprefix("referral.") in get_args(ReferralState)


def _concerns(referral: ReferralEvent, service: str, receives: frozenset[str]) -> bool:
    return referral.case_id == case_id(referral.application_id, service) or referral.to in receives


def _note(referral: ReferralEvent, service: str) -> NoteReferral:
    said = referral.model_dump(include={"referral_id", "rule", "to", "urgency", "outcome", "results"})
    state = referral.type.removeprefix("referral.")
    return NoteReferral.model_validate(_whose(referral, service) | said | {"state": state})
