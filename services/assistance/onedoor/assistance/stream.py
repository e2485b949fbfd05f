"""What assistance does about events of intake and notify."""

from collections.abc import Sequence

from onedoor.assistance.domain import NAME
from onedoor.contracts.case import OpenCase, WithdrawCase, case_id, note_of, planned_urgency
from onedoor.contracts.core import Command, Envelope
from onedoor.contracts.events import intake, notify
from onedoor.contracts.events.intake import ApplicationReceived, ApplicationSupplemented, ApplicationWithdrawn

READS: tuple[str, ...] = (intake.APPLICATION, intake.ALARM, intake.PERSON, notify.REFERRAL)
RECEIVES: frozenset[str] = frozenset()
"""No department's referrals reach this service: those to the bureau or a township go to their own lists."""


def react(event: Envelope) -> Sequence[Command]:
    """An application whose plan names assistance opens its case; a withdrawal withdraws it."""
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
    urgency = planned_urgency(application.plan, NAME)
    if urgency is None:
        return ()
    return (
        OpenCase(
            target=case_id(application.application_id, NAME),
            application_id=application.application_id,
            chain_id=application.chain_id,
            urgency=urgency,
            sealed=application.protection,
            division=responsible_division(application),
            programmes=application.plan.suggested_programmes,
            subjects=tuple(subject.person_id for subject in application.subjects),
        ),
    )


def responsible_division(application: ApplicationReceived | ApplicationSupplemented) -> str | None:
    """The township that works on it: where it happened in an emergency, else that of the registration.

    Who is registered outside Chongqing is helped where they are.
    """
    registered = application.registered_division
    if application.emergency is None and registered is not None and registered.startswith("50"):
        return registered
    return application.place_division or registered
