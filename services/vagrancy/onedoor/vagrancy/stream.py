"""What vagrancy does about events of intake and notify."""

from collections.abc import Sequence
from typing import Any

from onedoor.contracts.core import Command, Envelope
from onedoor.contracts.events import intake, notify
from onedoor.contracts.events.intake import (
    ApplicationReceived,
    ApplicationSupplemented,
    ApplicationWithdrawn,
    Subject,
)
from onedoor.contracts.work import WithdrawCase, case_id, note_of, planned_urgency
from onedoor.vagrancy.domain import NAME, OpenStay

READS: tuple[str, ...] = (intake.APPLICATION, intake.ALARM, intake.PERSON, notify.REFERRAL)
RECEIVES: frozenset[str] = frozenset({"relief-station"})
"""Departments whose referrals reach this service."""


def react(event: Envelope) -> Sequence[Command]:
    """An application whose plan names vagrancy opens its stay; its withdrawal ends what has not begun."""
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
    """The stay is the grown-ups'; children with them are child welfare's. The place decides where it is."""
    urgency = planned_urgency(application.plan, NAME)
    if urgency is None:
        return ()
    adults = tuple(subject for subject in application.subjects if not subject.minor)
    return (
        OpenStay(
            target=case_id(application.application_id, NAME),
            application_id=application.application_id,
            chain_id=application.chain_id,
            urgency=urgency,
            sealed=application.protection,
            division=application.place_division or application.registered_division,
            subjects=tuple(subject.person_id for subject in adults),
            unidentified=any(subject.facts.get("unidentified") for subject in adults),
            only_minors=bool(application.subjects) and not adults,
            known_at=application.recorded_at,
            facts=_facts(adults[0]) if len(adults) == 1 else {},
        ),
    )


def _facts(subject: Subject) -> dict[str, Any]:
    """The coded facts that a referral of the stay may carry."""
    disability = subject.facts.get("disability") or {}
    told = {
        "age": subject.age,
        "cannot_speak": subject.facts.get("cannot_speak"),
        "disability_type": disability.get("type"),
        "disability_level": disability.get("level"),
        "major_illness": subject.facts.get("major_illness"),
        "jobless": subject.facts.get("jobless"),
    }
    return {name: value for name, value in told.items() if value is not None}
