"""What child welfare does about events of intake and notify."""

from collections.abc import Sequence

from onedoor.child_welfare.domain import NAME
from onedoor.contracts.case import OpenCase, WithdrawCase, case_id, note_of, planned_urgency
from onedoor.contracts.core import Command, Envelope
from onedoor.contracts.events import intake, notify
from onedoor.contracts.events.intake import ApplicationReceived, ApplicationSupplemented, ApplicationWithdrawn

READS: tuple[str, ...] = (intake.APPLICATION, intake.ALARM, intake.PERSON, notify.REFERRAL)
RECEIVES: frozenset[str] = frozenset({"minor-protection-centre"})
"""Departments whose referrals reach this service."""


def react(event: Envelope) -> Sequence[Command]:
    """An application whose plan names child welfare opens its case; its withdrawal is asked, and refused."""
    match event.data:
        case ApplicationReceived() | ApplicationSupplemented() as application:
            return _open(application)
        case ApplicationWithdrawn() as withdrawn:
            return (
                WithdrawCase(
                    target=case_id(withdrawn.application_id, NAME),
                    application_id=withdrawn.application_id,
                    chain_id=withdrawn.chain_id,
                    reason=withdrawn.reason,
                ),
            )
        case notify.ReferralEvent() as referral:
            note = note_of(referral, NAME, RECEIVES)
            return () if note is None else (note,)
    return ()


def _open(application: ApplicationReceived | ApplicationSupplemented) -> Sequence[Command]:
    """The child is protected where it is, so the place decides who works on it."""
    urgency = planned_urgency(application.plan, NAME)
    if urgency is None:
        return ()
    return (
        OpenCase(
            target=case_id(application.application_id, NAME),
            application_id=application.application_id,
            chain_id=application.chain_id,
            urgency=urgency,
            child=True,
            sealed=application.protection,
            division=application.place_division or application.registered_division,
            programmes=("unattended_child",) if _unattended(application) else (),
            subjects=tuple(subject.person_id for subject in application.subjects if subject.minor),
        ),
    )


def _unattended(application: ApplicationReceived | ApplicationSupplemented) -> bool:
    return "unattended_child" in application.plan.suggested_programmes
