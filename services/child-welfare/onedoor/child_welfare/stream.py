"""What child welfare does about events of intake and notify."""

from typing import Any

from onedoor.child_welfare.domain import NAME
from onedoor.contracts.case import OpenCase
from onedoor.contracts.events import intake, notify
from onedoor.contracts.reaction import Application, reaction

READS: tuple[str, ...] = (intake.APPLICATION, intake.ALARM, intake.PERSON, notify.REFERRAL)
RECEIVES: frozenset[str] = frozenset({"minor-protection-centre"})
"""Departments whose referrals reach this service."""


def _open(application: Application, shared: dict[str, Any]) -> OpenCase:
    """The child is protected where it is, so the place decides who works on it."""
    return OpenCase(
        **shared,
        child=True,
        division=application.place_division or application.registered_division,
        programmes=("unattended_child",) if _unattended(application) else (),
        subjects=tuple(subject.person_id for subject in application.subjects if subject.minor),
    )


def _unattended(application: Application) -> bool:
    return "unattended_child" in application.plan.suggested_programmes


react = reaction(NAME, _open, RECEIVES)
"""A withdrawal is asked of the case like of any other, and refused there."""
