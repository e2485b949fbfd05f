"""What vagrancy does about events of intake and notify."""

from typing import Any

from onedoor.contracts.events import intake, notify
from onedoor.contracts.events.intake import Subject
from onedoor.contracts.reaction import Application, reaction
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
        facts=_facts(adults[0]) if len(adults) == 1 else {},
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


react = reaction(NAME, _open, RECEIVES)
