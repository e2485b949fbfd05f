"""What vagrancy does about events of intake and notify."""

from typing import Any

from onedoor.contracts.events import intake, notify
from onedoor.contracts.events.intake import Subject
from onedoor.contracts.reaction import Application, reaction
from onedoor.contracts.referral_rules import carried_by
from onedoor.vagrancy.domain import NAME, OpenStay

READS: tuple[str, ...] = (intake.APPLICATION, intake.ALARM, intake.PERSON, notify.REFERRAL)
RECEIVES: frozenset[str] = frozenset({"relief-station"})
"""Departments whose referrals reach this service."""


def _open(application: Application, shared: dict[str, Any]) -> OpenStay:
    """The stay is the grown-ups'; children with them are child welfare's. The place decides where it is."""
    adults = tuple(subject for subject in application.subjects if not subject.minor)
    return OpenStay(
        **shared,
        division=application.place_division or application.registered_division,
        subjects=tuple(subject.person_id for subject in adults),
        unidentified=any(subject.facts.get("unidentified") for subject in adults),
        only_minors=bool(application.subjects) and not adults,
        known_at=application.recorded_at,
        facts=_carried(adults[0]) if len(adults) == 1 else {},
    )


def _carried(subject: Subject) -> dict[str, Any]:
    """The coded facts that a referral of the stay may carry."""
    return {name: value for name, value in subject.coded.items() if name in carried_by(NAME)}


react = reaction(NAME, _open, RECEIVES)
