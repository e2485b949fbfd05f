"""What charity does about events of intake and notify. It never reads who anybody is."""

from collections.abc import Sequence

from onedoor.charity.domain import NAME, DraftNeed
from onedoor.contracts.core import Command, Envelope
from onedoor.contracts.events import intake, notify
from onedoor.contracts.events.intake import ApplicationReceived, ApplicationSupplemented, ApplicationWithdrawn
from onedoor.contracts.work import WithdrawCase, case_id, note_of, planned_urgency

READS: tuple[str, ...] = (intake.APPLICATION, intake.ALARM, notify.REFERRAL)
RECEIVES: frozenset[str] = frozenset({"charity-federation", "social-work-station"})
"""Departments whose referrals reach this service."""


def react(event: Envelope) -> Sequence[Command]:
    """An application whose plan names charity drafts its need; its withdrawal closes it."""
    match event.data:
        case ApplicationReceived() | ApplicationSupplemented() as application:
            return _draft(application)
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


def _draft(application: ApplicationReceived | ApplicationSupplemented) -> Sequence[Command]:
    """Of the people it takes only whether one is of age, and whether somebody near may do them harm."""
    urgency = planned_urgency(application.plan, NAME)
    if urgency is None:
        return ()
    subjects = application.subjects
    return (
        DraftNeed(
            target=case_id(application.application_id, NAME),
            application_id=application.application_id,
            chain_id=application.chain_id,
            urgency=urgency,
            sealed=application.protection,
            division=application.registered_division or application.place_division,
            needs=application.needs,
            minor=bool(subjects) and all(subject.minor for subject in subjects),
            suspected=application.protection
            or any(
                subject.facts.get(sign) for subject in subjects for sign in ("suspected_harm", "violence")
            ),
            known_at=application.recorded_at,
        ),
    )
