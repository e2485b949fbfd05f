"""What charity does about events of intake and notify. It never reads who anybody is."""

from typing import Any

from onedoor.charity.domain import NAME, DraftNeed
from onedoor.contracts.events import intake, notify
from onedoor.contracts.reaction import Application, reaction

READS: tuple[str, ...] = (intake.APPLICATION, intake.ALARM, notify.REFERRAL)
RECEIVES: frozenset[str] = frozenset({"charity-federation", "social-work-station"})
"""Departments whose referrals reach this service."""


def _draft(application: Application, shared: dict[str, Any]) -> DraftNeed:
    """Of the people it takes only whether one is of age, and whether somebody near may do them harm."""
    subjects = application.subjects
    return DraftNeed(
        **shared,
        division=application.registered_division or application.place_division,
        needs=application.needs,
        minor=bool(subjects) and all(subject.minor for subject in subjects),
        suspected=application.protection
        or any(subject.facts.get(sign) for subject in subjects for sign in ("suspected_harm", "violence")),
        known_at=application.recorded_at,
    )


react = reaction(NAME, _draft, RECEIVES)
