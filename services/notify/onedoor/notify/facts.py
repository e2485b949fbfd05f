"""Which coded facts of an application travel with a referral: those that its rule names, and no others."""

from typing import Any

from onedoor.calendar import local
from onedoor.contracts.events.intake import ApplicationReceived, ApplicationSupplemented
from onedoor.contracts.referral_rules import rule_on


def facts_for(rule: str, event: ApplicationReceived | ApplicationSupplemented) -> dict[str, Any]:
    """The facts for the receiver: about the household, and per subject under `subjects`, by person id.

    Where no rule names anybody the township is told where it is.
    """
    row = rule_on(rule, local(event.recorded_at).date())
    allowed = row.facts if row is not None else frozenset({"place_division"})
    household = {
        "emergency": event.emergency.kind if event.emergency else None,
        "tier": event.household_tier,
        "household_size": event.household_size,
        "place_division": event.place_division,
    }
    facts = {name: value for name, value in household.items() if value is not None and name in allowed}
    subjects = [
        {"person_id": str(subject.person_id), **{k: v for k, v in subject.coded.items() if k in allowed}}
        for subject in event.subjects
    ]
    return facts | ({"subjects": subjects} if subjects else {})
