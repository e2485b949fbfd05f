"""Which coded facts of an application travel with a referral: those that its rule names, and no others."""

from collections.abc import Mapping
from typing import Any

from onedoor.calendar import local
from onedoor.contracts.events.intake import ApplicationReceived, ApplicationSupplemented, Subject
from onedoor.contracts.referral_rules import rule_on

_IN_CUSTODY = ("detention", "prison", "forced_detox")


def facts_for(rule: str, event: ApplicationReceived | ApplicationSupplemented) -> dict[str, Any]:
    """The facts for the receiver: about the household, and per subject under `subjects`, by person id."""
    row = rule_on(rule, local(event.recorded_at).date())
    allowed = row.facts if row is not None else frozenset()
    household = {
        "emergency": event.emergency.kind if event.emergency else None,
        "tier": event.household_tier,
        "household_size": event.household_size,
        "place_division": event.place_division,
    }
    facts = {
        name: value
        for name, value in household.items()
        if value is not None and (name in allowed or name == "place_division")
    }
    subjects = [
        {"person_id": str(subject.person_id), **{k: v for k, v in _of(subject).items() if k in allowed}}
        for subject in event.subjects
    ]
    return facts | ({"subjects": subjects} if subjects else {})


def _of(subject: Subject) -> dict[str, Any]:
    """Everything coded about a subject, flat, by the names of the table of rules."""
    disability = subject.facts.get("disability") or {}
    flat = {
        **subject.facts,
        "age": subject.age,
        "disability_type": disability.get("type"),
        "disability_level": disability.get("level"),
        **_absent_parent(subject.facts.get("parents") or ()),
    }
    return {name: value for name, value in flat.items() if value is not None}


def _absent_parent(parents: Any) -> dict[str, Any]:
    """The first parent who is not there: status, and since when in custody or reported missing."""
    absent: Mapping[str, Any] = next((parent for parent in parents if parent.get("status") != "present"), {})
    status = absent.get("status")
    return {
        "parent_status": status,
        "custody_since": absent.get("since") if status in _IN_CUSTODY else None,
        "police_report_on": absent.get("police_report_on"),
    }
