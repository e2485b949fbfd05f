"""Duties as data: limits of a referral by urgency, and who owes which statutory duty.

The limits of referrals are triage's (one file for both, so that a plan and its clocks agree); the numbers L1
to L44 are those of the master table of limits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Literal

from onedoor.calendar import Due, Limit, due
from onedoor.contracts.core import Urgency
from onedoor.triage.rules import packaged_rules

Source = Literal["statutory", "local", "default"]
Certainty = Literal["confirmed", "assumed"]

WARN_FRACTION = 0.8


@lru_cache(maxsize=4096)
def counted(from_: datetime, limit: Limit) -> Due:
    """The count of a limit without pauses; a referral and its clocks ask for the same ones."""
    return due(from_, limit)


def due_at(from_: datetime, limit: Limit) -> datetime:
    """When a limit without pauses ends (UTC)."""
    return counted(from_, limit).due_at.astimezone(UTC)


ReferralDuty = Literal["ack", "action", "finish"]
REFERRAL_DUTIES: tuple[ReferralDuty, ...] = ("ack", "action", "finish")

PROTECTION: Mapping[str, str] = {
    "R1": "未成年人保护法 art. 11",
    "R2": "民发〔2019〕62号",
    "R5": "未成年人保护法 art. 92",
    "R9": "danger to life, district rule, assumed",
    "R14": "danger to life, district rule, assumed",
    "R18": "反家庭暴力法",
    "R23": "danger to life, district rule, assumed",
}
"""Referrals whose duty stands whatever anyone signs, and why: no withdrawal and nobody revokes them."""


MANUAL = "MANUAL"
"""The rule of a referral that no row of the directory asks for: a person decides who helps."""


@cache
def limits(urgency: Urgency, to: str) -> Mapping[ReferralDuty, Limit]:
    """The limits of a referral of this urgency to this department, counted from its sending."""
    rules = packaged_rules()
    clocks = rules.clocks[urgency]
    awake = clocks.ack_round_the_clock if to in rules.round_the_clock else None
    found: dict[ReferralDuty, Limit] = {"ack": awake or clocks.ack, "finish": clocks.finish}
    return MappingProxyType(found | ({"action": clocks.action} if clocks.action else {}))


def origin(caller_role: str, channel: str) -> str:
    """Which department took the application down, by who called, else by the channel; else the township."""
    rules = packaged_rules()
    return rules.roles.get(caller_role) or rules.channels.get(channel, "township")


@dataclass(frozen=True, slots=True)
class Duty:
    """Who owes it and how sure its limit is.

    protection: no withdrawal cancels it; keep: not a deadline but a time to be kept at least, over when due;
    chased: False where the owner is a court, whose clocks inform and never chase;
    decided_by: the service whose decision on the case meets it; None: nothing in this system does yet.
    """

    owner: str
    certainty: Certainty = "confirmed"
    source: Source = "statutory"
    protection: bool = False
    keep: bool = False
    chased: bool = True
    decided_by: str | None = None


_OF_REFERRALS = Duty("", "assumed", "default")
_UNKNOWN = Duty("civil-affairs", "assumed")

STATUTORY: Mapping[str, Duty] = {
    "L1": Duty("township"),
    "L3": Duty("township", keep=True),
    "L4": Duty("civil-affairs", decided_by="assistance"),
    "L5": Duty("civil-affairs", decided_by="assistance"),
    "L6": Duty("civil-affairs"),
    "L9": Duty("civil-affairs"),
    "L11": Duty("township"),
    "L12": Duty("township", keep=True),
    "L13": Duty("civil-affairs", "assumed", decided_by="assistance"),
    "L14": Duty("civil-affairs"),
    "L16": Duty("civil-affairs", decided_by="assistance"),
    "L17": Duty("township", decided_by="assistance"),
    "L20": Duty("township"),
    "L21": Duty("civil-affairs", decided_by="child-welfare"),
    "L22": Duty("public-security", protection=True),
    "L26": Duty("court", protection=True, chased=False),
    "L29": Duty("relief-station", protection=True),
    "L30": Duty("relief-station", protection=True),
    "L31": Duty("public-security", protection=True),
    "L33": Duty("relief-station", protection=True),
    "L34": Duty("relief-station", "assumed", protection=True),
    "L37-push": Duty("civil-affairs"),
    "L37-decide": Duty("civil-affairs"),
    "L37-tell": Duty("civil-affairs"),
}


def duty(id_: str) -> Duty:
    """The duty of this id; one that the table does not hold is civil affairs' and its limit assumed."""
    return _OF_REFERRALS if id_ in REFERRAL_DUTIES else STATUTORY.get(id_, _UNKNOWN)


def decided_by(service: str) -> tuple[str, ...]:
    """The duties that a decision of this service meets."""
    return tuple(id_ for id_, duty in STATUTORY.items() if duty.decided_by == service)


def law(id_: str) -> str | None:
    """Where the limit is written."""
    rows = (row for rows in packaged_rules().duties.values() for row in rows)
    return next((row.source for row in rows if row.id == id_), None)
