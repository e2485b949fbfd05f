"""Frozen evidence: a decision with everything that it was computed from, to be computed again years later.

The file is canonical JSON: the same decisions always give the same bytes. It carries the household and the
values of every parameter, so that neither a changed table nor a missing server changes an old result; hashes
say which rules and which table computed it, and whether the file has been touched.
"""

from typing import Any, Literal, NamedTuple

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


class Reproduced(NamedTuple):
    """Decisions that their evidence gives again. `reworded`: this program would say them in other words."""

    decisions: Decisions
    reworded: bool


def reproduce(evidence: Evidence) -> Reproduced:
    """The stored decisions, byte for byte, if what the evidence carries gives them again.

    Raises EvidenceProblem if it does not.

    Other rules than those that decided reproduce it if each outcome, amount, condition, its verdict and its
    figures are the same: how a sentence is worded may have changed since, and the stored words are those that
    the household was told. The very same rules must give the same words too.
    """
    from onedoor.policy.deciding import decide

    try:
        household, table = read_household(evidence.household), Parameters(evidence.parameters)
        then = Decisions.model_validate(evidence.decisions)
    except (HouseholdProblems, TableProblem, ValidationError) as problem:
        raise EvidenceProblem(f"cannot be computed again: {problem} / 无法重新计算") from problem
    now = decide(household, table)
    ours, theirs = now.rule_version, then.rule_version
    stored, computed = _result(then), _result(now)
    reworded = stored != computed
    same = not reworded or (ours.rules != theirs.rules and _without_words(stored) == _without_words(computed))
    whole = content_hash(then.model_dump(mode="json")) == content_hash(evidence.decisions)
    if not (same and whole and ours.parameters == theirs.parameters):
        raise EvidenceProblem(_difference(ours, theirs))
    return Reproduced(then, reworded)


WORDING = frozenset({"text", "text_en", "change", "change_en", "source_zh", "source_en"})
"""How something is said; what is said stands in the codes, clauses and figures beside it."""


def _result(decisions: Decisions) -> Any:
    """What was decided and why, without the version of the rules."""
    return decisions.model_dump(mode="json", exclude={"rule_version"})


def _without_words(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_words(each) for key, each in value.items() if key not in WORDING}
        case list():
            return [_without_words(each) for each in value]
    return value


def _difference(ours: RuleVersion, theirs: RuleVersion) -> str:
    if ours.rules != theirs.rules:
        return (
            f"was decided by rules {theirs.version} ({theirs.rules[:19]}…) and comes out otherwise by this "
            f"program's {ours.version} ({ours.rules[:19]}…): use the program of that time; "
            "the stored result stands / 规则版本不同且结果不同，请用当时的程序复算；原结果有效"
        )
    return "gives another result than the stored one / 复算结果与封存结果不一致"
