"""Frozen evidence: a decision with everything that it was computed from, to be computed again years later.

The file is canonical JSON: the same decisions always give the same bytes. It carries the household and the
values of every parameter, so that neither a changed table nor a missing server changes an old result; hashes
say which rules and which table computed it, and whether the file has been touched.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from onedoor.policy.decisions import Decisions, RuleVersion
from onedoor.policy.household import Household, as_file, read_household
from onedoor.policy.problems import HouseholdProblems
from onedoor.policy.table import Parameters, TableProblem, canonical, content_hash


class EvidenceProblem(ValueError):
    """Evidence that cannot be used or does not hold: what is wrong with it, in one sentence."""


class Evidence(BaseModel):
    """What a decision was computed from, and what came out. `seal` is the hash of all the rest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["onedoor.policy.evidence/1"] = "onedoor.policy.evidence/1"
    household: dict[str, Any]
    parameters: list[dict[str, Any]]
    decisions: dict[str, Any]
    seal: str

    @property
    def rules(self) -> str:
        """The content hash of the rules that computed the decisions."""
        return str(self.decisions["rule_version"]["rules"])


def freeze(household: Household, decisions: Decisions, parameters: Parameters) -> Evidence:
    """The evidence of decisions that were computed for this household with this table."""
    unsealed = Evidence(
        household=as_file(household, identified=False),
        parameters=parameters.rows,
        decisions=decisions.model_dump(mode="json"),
        seal="",
    )
    seal = content_hash(unsealed.model_dump(mode="json", exclude={"seal"}))
    return unsealed.model_copy(update={"seal": seal})


def to_bytes(evidence: Evidence) -> bytes:
    """The file's bytes: equal evidence, equal bytes."""
    return canonical(evidence.model_dump(mode="json")) + b"\n"


def read_evidence(content: bytes) -> Evidence:
    """The evidence in a file's bytes. Raises EvidenceProblem if it is none or has been changed."""
    try:
        evidence = Evidence.model_validate_json(content)
    except ValidationError as error:
        raise EvidenceProblem("is not evidence of a decision / 不是决定的证据文件") from error
    if content_hash(evidence.model_dump(mode="json", exclude={"seal"})) != evidence.seal:
        raise EvidenceProblem("has been changed since it was frozen / 证据文件在封存后被改动")
    return evidence


def reproduce(evidence: Evidence) -> Decisions:
    """The decisions computed again from what the evidence carries. Raises EvidenceProblem if they differ.

    Rules that have changed since and give the same answer with the same reasons reproduce it; the version
    that decided stays named in it.
    """
    from onedoor.policy.deciding import decide

    try:
        household, table = read_household(evidence.household), Parameters(evidence.parameters)
        version = RuleVersion.model_validate(evidence.decisions.get("rule_version"))
    except (HouseholdProblems, TableProblem, ValidationError) as problem:
        raise EvidenceProblem(f"cannot be computed again: {problem} / 无法重新计算") from problem
    now = decide(household, table)
    decisions = now.model_copy(
        update={"rule_version": version.model_copy(update={"parameters": now.rule_version.parameters})}
    )
    if content_hash(decisions.model_dump(mode="json")) != content_hash(evidence.decisions):
        raise EvidenceProblem(_difference(now.rule_version, version))
    return decisions


def _difference(ours: RuleVersion, theirs: RuleVersion) -> str:
    if ours.rules != theirs.rules:
        return (
            f"was decided by rules {theirs.version} ({theirs.rules[:19]}…) and comes out otherwise by this "
            f"program's {ours.version} ({ours.rules[:19]}…): use the program of that time; "
            "the stored result stands / 规则版本不同且结果不同，请用当时的程序复算；原结果有效"
        )
    return "gives another result than the stored one / 复算结果与封存结果不一致"
