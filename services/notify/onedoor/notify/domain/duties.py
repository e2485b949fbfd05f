"""Duties as notify asks for them: the clocks of a referral, who owes a statutory duty, by which version.

The limits are triage's (`duties.yaml`, one file for plans and clocks); L1 to L44 are the numbers of the
master table of limits.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Literal

from onedoor.calendar import Calendar, Due, Limit, due, in_force
from onedoor.contracts.core import Urgency
from onedoor.triage.duties import Certainty, DutyRow, Kind, ReferralLimits, packaged_duties
from onedoor.triage.rules import packaged_rules

Source = Kind
"""Who set a limit: the law, Chongqing or the district, or this system where nobody has."""


@lru_cache(maxsize=4096)
def counted(from_: datetime, limit: Limit, calendar: Calendar) -> Due:
    """The count of a limit without pauses; a referral and its clocks ask for the same ones."""
    return due(from_, limit, calendar=calendar)


def due_at(from_: datetime, limit: Limit) -> datetime:
    """When a limit without pauses ends (UTC), by the calendar in force."""
    return counted(from_, limit, in_force().calendar).due_at.astimezone(UTC)


ReferralDuty = Literal["ack", "action", "finish"]
REFERRAL_DUTIES: tuple[ReferralDuty, ...] = ("ack", "action", "finish")

MANUAL = "MANUAL"
"""The rule of a referral that no row of the directory asks for: a person decides who helps."""


def limits(urgency: Urgency, to: str, at: datetime | None = None) -> Mapping[ReferralDuty, Limit]:
    """The limits of a referral of this urgency to this department, sent at `at` (None: the newest ones)."""
    return _limits(packaged_duties().referral(urgency, at or _LAST), to)


_LAST = datetime.max.replace(tzinfo=UTC, year=9000)


@cache
def _limits(row: ReferralLimits, to: str) -> Mapping[ReferralDuty, Limit]:
    awake = row.ack_round_the_clock if to in packaged_rules().round_the_clock else None
    found: dict[ReferralDuty, Limit] = {"ack": awake or row.ack, "finish": row.finish}
    return MappingProxyType(found | ({"action": row.action} if row.action else {}))


def origin(caller_role: str, channel: str) -> str:
    """Which department took the application down, by who called, else by the channel; else the township."""
    rules = packaged_rules()
    return rules.roles.get(caller_role) or rules.channels.get(channel, "township")


_ASSUMED: Any = {"limit": Limit.parse("10wd"), "certainty": "assumed", "from_": date.min}
_OF_REFERRALS = DutyRow("", owner="", source="", kind="default", warn=packaged_duties().warn, **_ASSUMED)
_UNKNOWN = DutyRow(
    "", owner="civil-affairs", source="", kind="statutory", warn=packaged_duties().warn, **_ASSUMED
)


def duty(id_: str, version: str | None = None) -> DutyRow:
    """The duty of this id, in the version that a clock names, else the newest.

    One that the file does not hold is civil affairs' and its limit assumed.
    """
    return _duty(id_, version)


@cache
def _duty(id_: str, version: str | None) -> DutyRow:
    if id_ in REFERRAL_DUTIES:
        return _OF_REFERRALS
    known = packaged_duties()
    return known.by_version.get(version or "") or known.latest(id_) or _UNKNOWN


def version_at(id_: str, programme: str | None, at: datetime) -> DutyRow:
    """The version of a duty for a start at `at`; of several programmes' rows the one of this programme."""
    known = packaged_duties()
    rows = known.in_force((row for row in known.rows if row.id == id_), at)
    return next((row for row in rows if row.concerns(programme)), rows[0] if rows else duty(id_))


def kept() -> tuple[str, ...]:
    """Duties that are no deadline but a time to be kept."""
    return tuple(dict.fromkeys(row.id for row in packaged_duties().rows if row.limit.keep))


def decided_by(service: str) -> tuple[str, ...]:
    """The duties of plans that a decision of this service on its case meets."""
    found = (
        row.id
        for row in packaged_duties().rows
        for each in row.met
        if each.name == "case.decided" and service in each.needs["service"]
    )
    return tuple(dict.fromkeys(found))


def law(id_: str, version: str | None = None) -> str | None:
    """Where the limit is written; None for the district's own default."""
    return duty(id_, version).source or None


__all__ = [
    "MANUAL",
    "REFERRAL_DUTIES",
    "Certainty",
    "ReferralDuty",
    "Source",
    "counted",
    "decided_by",
    "due_at",
    "duty",
    "kept",
    "law",
    "limits",
    "origin",
    "version_at",
]
