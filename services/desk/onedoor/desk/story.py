"""The story of a chain in plain sentences: pure, from rows and words."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import asyncpg

from onedoor.desk.divisions import division_name
from onedoor.desk.words import Words

Row: TypeAlias = Mapping[str, Any] | asyncpg.Record

TONES: Mapping[str, str] = {
    "application.received": "blue",
    "application.withdrawn": "grey",
    "referral.sent": "blue",
    "referral.requested": "blue",
    "referral.acknowledged": "green",
    "referral.acted": "green",
    "referral.answered": "green",
    "referral.verified": "green",
    "referral.closed": "green",
    "referral.returned": "amber",
    "referral.extended": "amber",
    "referral.reopened": "amber",
    "clock.warned": "amber",
    "clock.breached": "red",
    "alert.escalated": "red",
    "alert.acknowledged": "green",
    "ring.asked": "red",
    "case.decided": "green",
    "case.closed": "green",
}
UNMOVED = "clock.recomputed.unmoved"
"""The sentence of a limit that was counted again and ends when it did."""

QUIET = frozenset({"clock.started", "clock.met", "clock.cancelled", "clock.rescheduled", "referral.drafted"})
"""What is told in the data, and on the page only among the clocks."""

GROUPS: Mapping[str, str] = {
    "alert": "clock",
    "ring": "referral",
    "clock": "clock",
    "referral": "referral",
    "case": "case",
    "stay": "case",
    "need": "case",
}

LISTS: Mapping[str, str] = {
    "to": "department",
    "from": "department",
    "owner": "department",
    "duty": "duty",
    "urgency": "urgency",
    "channel": "channel",
    "kind": "kind",
    "reason": "reason",
    "outcome": "outcome",
    "service": "service",
    "programme": "programme",
    "caller_role": "caller",
}
MOMENTS = ("due_at", "due_ack", "due_finish", "previous_due_at", "until")


def sentence(row: Row, facts: Mapping[str, Any], words: Words, now: datetime) -> str:
    """What happened, in one sentence."""
    unmoved = facts.get("due_at") == facts.get("previous_due_at")
    type_ = UNMOVED if unmoved and row["type"] == "clock.recomputed" else row["type"]
    return words.sentence(type_, _said(row, facts, words, now)).strip()


def _said(row: Row, facts: Mapping[str, Any], words: Words, now: datetime) -> dict[str, object]:
    said: dict[str, object] = dict(facts)
    said |= {name: words.label(list_, facts[name]) for name, list_ in LISTS.items() if name in facts}
    said |= {
        name: words.deadline(datetime.fromisoformat(str(facts[name])), now)
        for name in MOMENTS
        if facts.get(name)
    }
    rule = facts.get("rule") or row["rule"]
    said["rule"] = words.label("rule", rule) if rule else ""
    said["owner"] = words.label("department", row["department"])
    said["service"] = words.label("service", facts.get("service") or row["service"])
    if row["type"] == "alert.escalated":
        said["to"] = words.label("function", facts.get("to"))
    if facts.get("late_seconds"):
        said["late"] = words.span(timedelta(seconds=int(facts["late_seconds"])))
    return said


def details(row: Row, facts: Mapping[str, Any], words: Words, now: datetime) -> list[str]:
    """Smaller lines below the sentence."""
    lines = []
    if row["type"] == "referral.sent":
        if facts.get("to_division"):
            lines.append(division_name(str(facts["to_division"])))
        for name in ("due_ack", "due_finish"):
            if facts.get(name):
                at = datetime.fromisoformat(str(facts[name]))
                lines.append(f"{words.label('due', name)} {words.deadline(at, now)}")
    if facts.get("services"):
        lines.append(words.labels("service", facts["services"]))
    if facts.get("on_behalf"):
        lines.append(words("recorded on behalf of the unit"))
    if facts.get("protection_stands"):
        lines.append(words("The protection duty stands."))
    return lines


def tone(row: Row, facts: Mapping[str, Any]) -> str:
    """The colour that goes with the word."""
    if row["type"] == "clock.met" and facts.get("late_seconds"):
        return "amber"
    return TONES.get(row["type"], "grey")


def group(row: Row) -> str:
    """Under which filter the event is found."""
    return GROUPS.get(str(row["type"]).partition(".")[0], "application")


def standing(row: Row) -> str:
    """The state of a request for those who only took it down. urgency: none where nothing was handed over."""
    if row["withdrawn_at"] is not None:
        return "withdrawn"
    if row["open"]:
        return "in_work"
    if row["urgency"] is not None:
        return "answered"
    return "in_work" if row["cases"] else "received"


def brief(referrals: Iterable[Row]) -> dict[str, Any]:
    """State and whom to ring, from the referrals alone."""
    rows = list(referrals)
    held = [row["to"] for row in rows if row["held"]]
    taken = any(row["acknowledged_at"] is not None for row in rows)
    state = "in_work" if taken or not rows else "received"
    if rows and not held:
        state = "answered"
    return {"state": state if rows else "received", "ring": sorted(set(held))}
