"""The directory of referrals as dated data: to whom, on which ground, what goes and comes back.

Facts and feedback are codes of closed lists, never prose, never a name; a fact that the rule does not name
does not travel.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from onedoor.contracts import codes
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
    "companion": codes.Companion,
    "school": codes.SchoolProblem,
    "last_school_day": date,
    "parent_status": codes.ParentStatus,
    "custody_since": date,
    "police_report_on": date,
    "tier": codes.Tier,
    "disability_type": codes.DisabilityType,
    "disability_level": Annotated[int, Field(ge=1, le=4)],
    "emergency": codes.EmergencyKind,
    "household_size": Annotated[int, Field(ge=1, le=50)],
    "place_division": Annotated[str, Field(pattern=r"^[0-9]{6,12}$")],
    "gap_fen": Annotated[int, Field(ge=0)],
    "id_problem": codes.IdProblem,
    "last_seen_on": date,
    "admitted_on": date,
    "stay_over": codes.StayOver,
}

FACTS: Mapping[str, TypeAdapter[Any]] = {name: TypeAdapter[Any](shape) for name, shape in _SHAPES.items()}
"""Every fact that can travel at all, with its values."""

STATUTE = "statute"
DISTRICT_RULE = "district rule, assumed"
HELPED = frozenset({"helped", "partly_helped"})
"""Outcomes of an answer that owe the feedback of the rule."""

_FEEDBACK: Mapping[str, TypeAdapter[Any]] = {
    "date": TypeAdapter(date),
    "boolean": TypeAdapter(bool),
    "count": TypeAdapter(Annotated[int, Field(ge=0, le=10_000)]),
    "fen": TypeAdapter(Annotated[int, Field(ge=0)]),
}


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Trigger(_Data):
    zh: str
    en: str


class Consent(_Data):
    """`fact`: that it stands; `drafted`: the reason for which a draft waits for it."""

    fact: str
    drafted: str


class Expected(_Data):
    """One field of the feedback: a shape, or the codes that are allowed."""

    name: str
    shape: Literal["date", "boolean", "count", "fen", "code"]
    codes: tuple[str, ...] = ()
    required: bool = True

    def fits(self, value: object) -> bool:
        """Whether the value, as JSON has it, is one of the field's."""
        if self.shape == "code":
            return value in self.codes
        try:
            _FEEDBACK[self.shape].validate_json(to_json(value), strict=True)
        except ValidationError:
            return False
        return True


class ReferralRule(_Data):
    """One row of the directory, in force since `valid_from`; the file says what each field means."""

    rule: str
    valid_from: date
    trigger: Trigger
    from_: tuple[str, ...] = Field(alias="from")
    to: frozenset[str]
    services: frozenset[str]
    least: Urgency
    facts: frozenset[str]
    basis: str
    ground: Literal["statute", "district rule, assumed"]
    protection: str | None = None
    consent: Consent | None = None
    duties: tuple[str, ...] = ()
    feedback: tuple[Expected, ...] = ()


class Directory(_Data):
    """All rows, and what holds for all of them alike."""

    return_within: str
    extension: str
    returns_to_bureau: int
    bureau: str
    inform_only: frozenset[str]
    charities: frozenset[str]
    referrals: tuple[ReferralRule, ...]


@cache
def directory() -> Directory:
    """The directory that came with the package. Raises ValidationError naming the field at fault."""
    raw = yaml.safe_load(files(__package__).joinpath("data/referrals.yaml").read_text("utf-8"))
    rows = [row | {"feedback": _expected(row.get("feedback", {}))} for row in raw["referrals"]]
    found = Directory.model_validate(raw | {"referrals": rows})
    for row in found.referrals:
        if unknown := row.facts - FACTS.keys():
            raise ValueError(f"{row.rule}: unknown facts {', '.join(sorted(unknown))}")
    return found


def _expected(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name.rstrip("?"), "required": not name.endswith("?")}
        | ({"shape": "code", "codes": shape} if isinstance(shape, list) else {"shape": shape})
        for name, shape in raw.items()
    ]


@cache
def rule_on(rule: str, day: date) -> ReferralRule | None:
    """The row of a rule in force on that day; before the first one that counts. None: no such rule."""
    rows = sorted((row for row in directory().referrals if row.rule == rule), key=lambda row: row.valid_from)
    return max(
        (row for row in rows if row.valid_from <= day),
        key=lambda row: row.valid_from,
        default=rows[0] if rows else None,
    )


RULES: Mapping[str, ReferralRule] = {
    row.rule: row for row in sorted(directory().referrals, key=lambda row: row.valid_from)
}
"""The newest row of each rule."""

PROTECTION: Mapping[str, str] = {name: row.protection for name, row in RULES.items() if row.protection}
"""Referrals whose duty stands whatever anyone signs, and why: no withdrawal and nobody revokes them."""


@cache
def carried_by(service: str) -> frozenset[str]:
    """The facts that any referral out of a case of this service may carry."""
    return frozenset().union(*(row.facts for row in directory().referrals if service in row.services))


def travelling(rule: str, facts: Mapping[str, Any], day: date) -> dict[str, Any]:
    """Of these facts those that the rule lets travel on that day."""
    row = rule_on(rule, day)
    return {name: value for name, value in facts.items() if row is not None and name in row.facts}


def check(service: str, rule: str, to: str, urgency: Urgency, facts: Mapping[str, Any]) -> Refusal | None:
    """Why a case of this service may not ask for this referral; None: it may."""
    row = RULES.get(rule)
    if row is None or service not in row.services:
        return _no("rule", sorted(name for name, each in RULES.items() if service in each.services))
    if to not in row.to:
        return _no("to", sorted(row.to))
    if RANK[urgency] < RANK[row.least]:
        return _no("urgency", [each for each in RANK if RANK[each] >= RANK[row.least]])
    refused = (no for name, value in facts.items() if (no := _check_fact(row, name, value)))
    return next(refused, None) or _check_consent(row, facts)


def _check_consent(row: ReferralRule, facts: Mapping[str, Any]) -> Refusal | None:
    if row.consent is None or facts.get(row.consent.fact) is True:
        return None
    return Refusal(
        "referral.consent",
        f"Nothing goes there before a written consent stands: record it, and say so in {row.consent.fact}.",
        f"未取得书面同意（授权）前不得转介：请先登记书面同意（{row.consent.fact}）。",
        f"facts.{row.consent.fact}",
    )


def check_feedback(rule: str, outcome: str, results: Mapping[str, Any], day: date) -> Refusal | None:
    """Why these coded results are not the feedback that the rule expects; None: they are.

    An answer that helped owes every field that may not be left out; any other gives what it can.
    """
    row = rule_on(rule, day)
    expected = {each.name: each for each in row.feedback} if row else {}
    for name, value in results.items():
        if name not in expected:
            names = ", ".join(sorted(expected))
            return _no_feedback(name, "not asked for by this rule", "不是该事项要求的反馈项", names, names)
        if not expected[name].fits(value):
            return _misfit(expected[name])
    if outcome in HELPED:
        missing = (each for each in expected.values() if each.required and each.name not in results)
        return next((_misfit(each) for each in missing), None)
    return None


def _misfit(expected: Expected) -> Refusal:
    codes = ", ".join(expected.codes)
    allowed, allowed_zh = _WORDED.get(expected.shape, (codes, codes))
    return _no_feedback(
        expected.name, "not said as its rule expects", "未按该事项要求填写", allowed, allowed_zh
    )


_WORDED: Mapping[str, tuple[str, str]] = {
    "date": ("a date", "日期"),
    "boolean": ("true or false", "true 或 false"),
    "count": ("a whole number", "整数"),
    "fen": ("an amount in fen", "以分为单位的金额"),
}


def _no_feedback(name: str, what: str, what_zh: str, allowed: str, allowed_zh: str) -> Refusal:
    return Refusal(
        "referral.results",
        f"{name} is {what}; allowed: {allowed}.",
        f"{name} {what_zh}（允许：{allowed_zh}）。",
        f"results.{name}",
    )


def _check_fact(row: ReferralRule, name: str, value: object) -> Refusal | None:
    if name not in row.facts:
        codes = ", ".join(sorted(row.facts))
        return Refusal(
            "referral.facts",
            f"{name} does not travel by {row.rule}; leave it out, what may travel is: {codes}.",
            f"{row.rule} 不传递 {name}；请去掉该项，可传递：{codes}。",
            f"facts.{name}",
        )
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
