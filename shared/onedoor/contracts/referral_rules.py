"""Which referrals a person may ask for out of a case: to whom, how urgent at least, which facts may travel.

The table is data: one row per rule of the directory of referrals (R1 to R24). Facts are codes of closed
lists, never prose, never a name; a fact that the rule does not name does not travel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from onedoor.contracts.core import Refusal, Urgency

RANK: Mapping[Urgency, int] = {"ordinary": 0, "urgent": 1, "critical": 2}

_SHAPES: Mapping[str, Any] = {
    "age": Annotated[int, Field(ge=0, le=130)],
    "alone": bool,
    "suspected_harm": bool,
    "violence": bool,
    "begging": bool,
    "street": bool,
    "unidentified": bool,
    "cannot_speak": bool,
    "acute_illness": bool,
    "mental_crisis": bool,
    "major_illness": bool,
    "jobless": bool,
    "unseen": bool,
    "written_authorisation": bool,
    "consent_charity": bool,
    "companion": Literal["verified", "unverified"],
    "school": Literal["dropped_out", "not_enrolled", "attendance_at_risk"],
    "last_school_day": date,
    "parent_status": Literal["present", "dead", "detention", "prison", "forced_detox", "lost_contact"],
    "custody_since": date,
    "police_report_on": date,
    "tier": Literal["none", "dibao", "tekun", "edge", "rigid"],
    "disability_type": Literal["visual", "hearing", "speech", "physical", "intellectual", "mental"],
    "disability_level": Annotated[int, Field(ge=1, le=4)],
    "emergency": Literal[
        "fire", "traffic", "sudden_illness", "flood", "earthquake", "landslide", "storm", "other_sudden"
    ],
    "household_size": Annotated[int, Field(ge=1, le=50)],
    "gap_fen": Annotated[int, Field(ge=0)],
    "id_problem": Literal["check_digit", "photo_differs"],
    "last_seen_on": date,
}

FACTS: Mapping[str, TypeAdapter[Any]] = {name: TypeAdapter[Any](shape) for name, shape in _SHAPES.items()}
"""Every fact that can travel at all, with its values."""


PROTECTION: Mapping[str, str] = {
    "R1": "未成年人保护法 art. 11",
    "R2": "民发〔2019〕62号",
    "R5": "未成年人保护法 art. 92",
    "R9": "danger to life, district rule, assumed",
    "R14": "danger to life, district rule, assumed",
    "R18": "反家庭暴力法",
    "R23": "danger to life, district rule, assumed",
    "R24": "danger to life, district rule, assumed",
}
"""Referrals whose duty stands whatever anyone signs, and why: no withdrawal and nobody revokes them."""


@dataclass(frozen=True, slots=True)
class ReferralRule:
    """One row. services: which services' cases may ask; least: no referral of this rule is less urgent."""

    services: frozenset[str]
    to: frozenset[str]
    least: Urgency
    facts: frozenset[str]


def _rule(services: str, to: str, least: Urgency, facts: str) -> ReferralRule:
    return ReferralRule(frozenset(services.split()), frozenset(to.split()), least, frozenset(facts.split()))


_BOTH = "assistance child-welfare"

RULES: Mapping[str, ReferralRule] = {
    "R1": _rule(
        _BOTH,
        "public-security minor-protection-centre",
        "urgent",
        "age alone suspected_harm violence acute_illness mental_crisis",
    ),
    "R2": _rule(_BOTH, "township civil-affairs", "critical", "age parent_status custody_since"),
    "R3": _rule(
        "child-welfare",
        "public-security disabled-federation medical-insurance justice",
        "ordinary",
        "parent_status custody_since police_report_on",
    ),
    "R4": _rule(_BOTH, "education", "ordinary", "age school last_school_day"),
    "R5": _rule(
        "child-welfare vagrancy",
        "minor-protection-centre",
        "critical",
        "age begging street companion cannot_speak",
    ),
    "R6": _rule("vagrancy", "public-security", "ordinary", "age unidentified cannot_speak"),
    "R8": _rule(
        "vagrancy",
        "township other-district civil-affairs",
        "ordinary",
        "age disability_type disability_level major_illness mental_crisis jobless",
    ),
    "R9": _rule(
        f"{_BOTH} vagrancy",
        "health",
        "critical",
        "age acute_illness mental_crisis cannot_speak unidentified major_illness",
    ),
    "R10": _rule(_BOTH, "medical-insurance", "ordinary", "tier major_illness"),
    "R11": _rule(_BOTH, "education", "ordinary", "age tier school"),
    "R12": _rule("assistance", "human-resources", "ordinary", "age jobless"),
    "R13": _rule("assistance", "housing", "ordinary", "tier household_size"),
    "R14": _rule(_BOTH, "emergency-management", "critical", "emergency household_size"),
    "R15": _rule(_BOTH, "disabled-federation", "ordinary", "age disability_type disability_level"),
    "R16": _rule("assistance", "verification-centre", "ordinary", "household_size written_authorisation"),
    "R17": _rule(
        "assistance charity", "charity-federation social-work-station", "ordinary", "gap_fen consent_charity"
    ),
    "R18": _rule(_BOTH, "public-security womens-federation court", "critical", "age violence street"),
    "R19": _rule("assistance", "public-security civil-affairs", "ordinary", "id_problem"),
    "R20": _rule("assistance", "agriculture", "ordinary", "tier"),
    "R22": _rule(_BOTH, "other-district", "ordinary", "tier emergency household_size"),
    "R23": _rule("assistance", "village", "critical", "age unseen last_seen_on"),
    "R24": _rule(_BOTH, "township", "critical", "household_size emergency"),
}


def check(service: str, rule: str, to: str, urgency: Urgency, facts: Mapping[str, Any]) -> Refusal | None:
    """Why a case of this service may not ask for this referral; None: it may."""
    row = RULES.get(rule)
    if row is None or service not in row.services:
        return _no("rule", sorted(name for name, each in RULES.items() if service in each.services))
    if to not in row.to:
        return _no("to", sorted(row.to))
    if RANK[urgency] < RANK[row.least]:
        return _no("urgency", [each for each in RANK if RANK[each] >= RANK[row.least]])
    return next((no for name, value in facts.items() if (no := _check_fact(row, name, value))), None)


def _check_fact(row: ReferralRule, name: str, value: object) -> Refusal | None:
    if name not in row.facts:
        return _no("facts", sorted(row.facts))
    try:
        FACTS[name].validate_json(to_json(value), strict=True)
    except ValidationError:
        return Refusal(
            "referral.fact",
            f"{name} is not one of its coded values; facts travel as codes, never as prose.",
            f"{name} 的取值不在规定范围内；转介只传递编码事实，不传递文字描述。",
            f"facts.{name}",
        )
    return None


def _no(field: str, allowed: list[str]) -> Refusal:
    codes = ", ".join(allowed)
    return Refusal(
        f"referral.{field}",
        f"{field} must be one of: {codes}.",
        f"{field} 应为下列之一：{codes}。",
        field,
    )
