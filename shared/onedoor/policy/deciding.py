"""`decide`: from a household to all its decisions with their reasons."""

from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import cast

from onedoor.policy.amounts import COMPUTATIONS, TAPER_AMOUNT, Computation
from onedoor.policy.case import Case
from onedoor.policy.conditions import Condition, Words, conditions_of, taper_months
from onedoor.policy.decisions import (
    Appeal,
    Decision,
    Decisions,
    OutcomeName,
    Programme,
    Reason,
    RuleVersion,
    SelfCareName,
    TaperMonths,
    Threshold,
)
from onedoor.policy.household import Household
from onedoor.policy.income import CLAUSE, income_words
from onedoor.policy.population import arrays_of, population_of, simulation_of
from onedoor.policy.rules import system_of
from onedoor.policy.rules.tekun import SelfCare
from onedoor.policy.rules.values import NO, NO_AMOUNT, UNKNOWN, YES, Outcome
from onedoor.policy.table import Parameters, packaged_parameters

VERSION = "2"
"""Of the rules: raised when a rule of the law changes, not when a figure does."""

HOUSEHOLD_PROGRAMMES: tuple[Programme, ...] = (
    "dibao",
    "dibao_edge",
    "rigid_expenditure",
    "temporary_small",
    "temporary_expenditure",
    "charity_need",
)
PERSON_PROGRAMMES: tuple[Programme, ...] = (
    "single_person",
    "tekun",
    "unattended_child",
    "orphan",
    "disability_living",
    "disability_nursing",
)

APPEAL = Appeal(
    clause="FY art. 20",
    text="对本决定不服的，可先向区民政局申诉，也可自知道本决定之日起六十日内申请行政复议。",
    text_en="Whoever disagrees may object at the district civil affairs bureau, and may apply for "
    "administrative reconsideration within 60 days of learning of this decision.",
    days=60,
)
OUTCOMES = tuple(cast(OutcomeName, outcome.name) for outcome in Outcome)
MET = {NO: False, UNKNOWN: None, YES: True}


def decide(household: Household, parameters: Parameters | None = None) -> Decisions:
    """All decisions on a household on its day, with reasons, from the packaged table or another.

    Pure: the same household and the same table give the same decisions.
    """
    table = parameters or packaged_parameters()
    case = _computed(household, table)
    return Decisions(
        as_of=household.as_of, rule_version=rule_version(table), decisions=tuple(_decisions(case))
    )


def counted_members(household: Household, parameters: Parameters | None = None) -> tuple[str, ...]:
    """The ids of the members who count in the household's income per head (57 art. 7)."""
    table = parameters or packaged_parameters()
    case = _computed(household, table)
    return tuple(
        member.id for index, member in enumerate(household.members) if case.of_member(index)["counted"]
    )


def _computed(household: Household, table: Parameters) -> Case:
    """The household with every value that the rules compute of it."""
    population, system = population_of([household]), system_of(table)
    simulation = simulation_of(arrays_of(population, system), system, household.as_of)
    return Case(simulation, table, household, population.member_rows[0])


def rule_version(table: Parameters) -> RuleVersion:
    """The rules' version with the content hashes of rules and table."""
    return RuleVersion(version=VERSION, rules=_rules_hash(), parameters=table.hash)


@cache
def _rules_hash() -> str:
    """Of everything beside the figures that a result's bytes depend on: rules, conditions, words."""
    package = files("onedoor.policy")
    sources = [package / "parameters" / "sources.yaml"]
    for folder in (package, package / "rules", package / "conditions"):
        sources += sorted(
            (item for item in folder.iterdir() if item.name.endswith(".py")), key=lambda item: item.name
        )
    text = b"\0".join(item.name.encode() + b"\0" + item.read_bytes() for item in sources)
    return f"sha256:{sha256(text).hexdigest()}"


def _decisions(case: Case) -> Iterable[Decision]:
    for programme in HOUSEHOLD_PROGRAMMES:
        yield _decision(programme, case)
    for index, member in enumerate(case.household.members):
        for programme in PERSON_PROGRAMMES:
            if programme != "tekun" or member.supporters is not None:
                yield _decision(programme, case.of_member(index))


def _decision(programme: Programme, case: Case) -> Decision:
    outcome = OUTCOMES[case[programme]]
    conditions = conditions_of(programme, case)
    computation = COMPUTATIONS[programme]
    reasons = [_reason(condition, case) for condition in conditions]
    if programme == "dibao":
        reasons.append(_note("income", CLAUSE, income_words(case)))
    amount = _amount(computation, case, outcome)
    reasons += _amount_reasons(computation, case, outcome, amount)
    assumed = _assumed(case, _entered(programme, case))
    if assumed:
        reasons.append(_assumption(case, assumed))
    return Decision.model_construct(
        programme=programme,
        member=None if case.index is None else case.member.id,
        outcome=outcome,
        amount_fen=amount,
        unit=computation.unit,
        reasons=tuple(reasons),
        assumed_parameters=assumed,
        taper=_taper(case) if outcome == "taper" else None,
        self_care=_self_care(case) if programme == "tekun" else None,
        appeal=APPEAL if outcome == "not_eligible" else None,
    )


def _reason(condition: Condition, case: Case) -> Reason:
    met = MET[condition.verdict(case)]
    zh, en = condition.says(case)
    names = (*condition.parameters(case), *_inner(condition, case))
    change = (None, None) if met else _change(condition, case, met)
    mark_zh, mark_en = {True: ("符合", "met"), False: ("不符合", "not met"), None: ("待核定", "open")}[met]
    return Reason.model_construct(
        code=condition.code,
        clause=condition.clause,
        text=f"{zh}：{mark_zh}。",
        text_en=f"{en[0].upper()}{en[1:]}: {mark_en}.",
        met=met,
        thresholds=case.thresholds(names),
        change=change[0],
        change_en=change[1],
    )


FIGURE_MISSING = (
    "当日没有已知的数值，需先查明",
    "no figure is known for that day; it must be found first",
)


def _change(condition: Condition, case: Case, met: bool | None) -> tuple[str, str]:
    """What would have to be otherwise; for an open condition, what is lacking."""
    if met is None and any(_unknown(case, name) for name in condition.parameters(case)):
        return FIGURE_MISSING
    return condition.change(case)


def _unknown(case: Case, name: str) -> bool:
    entry = case.figure(name)
    return entry is None or entry.value is None


def _assumption(case: Case, names: tuple[str, ...]) -> Reason:
    """The note that figures are assumed, by name."""
    named = [case.named(name) for name in names]
    thresholds = case.thresholds(names)
    sources = "; ".join(dict.fromkeys(threshold.source for threshold in thresholds))
    words = (
        f"所用数值尚待核实：{'；'.join(zh for zh, _ in named)}",
        f"Figures to be confirmed: {'; '.join(en for _, en in named)}",
    )
    return _note("assumed_figures", sources, words, thresholds)


def _amount(computation: Computation, case: Case, outcome: str) -> int | None:
    if computation.variable is None or outcome != "eligible":
        return None
    amount = int(case[computation.variable])
    return None if amount == NO_AMOUNT else amount


def _amount_reasons(
    computation: Computation, case: Case, outcome: str, amount: int | None
) -> Sequence[Reason]:
    if outcome == "taper":
        code, (zh, en) = "amount_entered_by_officer", TAPER_AMOUNT
        names: tuple[str, ...] = ()
    elif outcome != "eligible":
        return ()
    elif amount is None:
        code, (zh, en) = "amount_entered_by_officer", computation.unknown(case)
        names = computation.parameters(case)
    else:
        code, (zh, en) = "amount", computation.says(case, amount)
        names = computation.parameters(case)
    return (_note(code, computation.clause, (zh, en), case.thresholds(names)),)


def _note(code: str, clause: str, words: Words, thresholds: tuple[Threshold, ...] = ()) -> Reason:
    """A reason that is no condition: a computation or a remark."""
    zh, en = words
    return Reason.model_construct(
        code=code,
        clause=clause,
        text=f"{zh}。",
        text_en=f"{en[0].upper()}{en[1:]}.",
        met=None,
        thresholds=thresholds,
        change=None,
        change_en=None,
    )


def _entered(programme: str, case: Case) -> dict[str, None]:
    """The parameters that entered a decision: those asked until it was settled, and the amount's."""
    entered: dict[str, None] = {}
    for condition in conditions_of(programme, case):
        entered.update(dict.fromkeys((*condition.parameters(case), *_inner(condition, case))))
        if condition.verdict(case) == NO:
            return entered
    if OUTCOMES[case[programme]] == "eligible":
        entered.update(dict.fromkeys(COMPUTATIONS[programme].parameters(case)))
    return entered


def _inner(condition: Condition, case: Case) -> tuple[str, ...]:
    """The parameters that entered through another programme's decision."""
    return tuple(dict.fromkeys(name for inner in condition.within for name in _entered(inner, case)))


def _assumed(case: Case, names: Iterable[str]) -> tuple[str, ...]:
    found = ((name, case.figure(name)) for name in names)
    return tuple(name for name, entry in found if entry is not None and entry.assumed)


def _taper(case: Case) -> TaperMonths:
    first, last = taper_months(case)
    return TaperMonths(first_month=first, last_month=last)


def _self_care(case: Case) -> SelfCareName | None:
    grade = list(SelfCare)[case["self_care"]].name
    return None if grade == "unknown" else cast(SelfCareName, grade)
