"""How a household's income was put together, in words: who counts, what counts, what is taken off."""

from onedoor.policy.case import Case, monthly, yuan
from onedoor.policy.conditions import Words
from onedoor.policy.household import Income
from onedoor.policy.members import titles

CLAUSE = "57 arts. 7, 13"
KINDS = {
    "preferential_pension": "优待抚恤金",
    "family_planning_reward": "计划生育奖励扶助金",
    "scholarship": "奖学金",
    "social_assistance": "社会救助款物",
    "disability_allowance": "残疾人补贴",
    "basic_pension_floor": "基础养老金",
}


def income_words(case: Case) -> Words:
    """Each member with the income that counts, who does not count, what kinds do not, and the deductions."""
    parts = [_counted(case), _uncounted(case), _excepted(case), _deducted(case)]
    said = [part for part in parts if part is not None]
    return "；".join(zh for zh, _ in said), "; ".join(en for _, en in said)


def _counted(case: Case) -> Words:
    called = titles(case.household)
    zh, en = [], []
    for index, member in enumerate(case.household.members):
        if case.of_member(index)["counted"]:
            title_zh, title_en = called[member.id]
            income_zh, income_en = monthly(case.of_member(index)["counted_income"])
            zh.append(f"{title_zh} {income_zh}元")
            en.append(f"{title_en} {income_en} yuan")
    if not zh:
        return "没有计入家庭的成员", "no member counts"
    return (
        f"计入家庭的成员及月收入：{'、'.join(zh)}",
        f"counted members and their income a month: {', '.join(en)}",
    )


def _uncounted(case: Case) -> Words | None:
    called = titles(case.household)
    uncounted = [
        called[member.id]
        for index, member in enumerate(case.household.members)
        if not case.of_member(index)["counted"]
    ]
    if not uncounted:
        return None
    return (
        f"不计入的成员：{'、'.join(zh for zh, _ in uncounted)}",
        f"not counted, with their income: {', '.join(en for _, en in uncounted)}",
    )


def _excepted(case: Case) -> Words | None:
    called = titles(case.household)
    found = [
        (called[member.id], income)
        for index, member in enumerate(case.household.members)
        for income in member.incomes
        if case.of_member(index)["counted"] and _is_excepted(case, income)
    ]
    if not found:
        return None
    zh, en = [], []
    for (title_zh, title_en), income in found:
        sum_zh, sum_en = monthly(income.fen_per_year)
        zh.append(f"{title_zh} {KINDS.get(income.kind, income.kind)}{sum_zh}元")
        en.append(f"{title_en} {income.kind.replace('_', ' ')} {sum_en} yuan")
    return f"不计入的收入：{'、'.join(zh)}", f"income that does not count: {', '.join(en)}"


def _is_excepted(case: Case, income: Income) -> bool:
    name = f"not_counted.dibao.{income.kind}"
    entry = case.figure(name) if name in case.table else None
    return entry is not None and entry.value == 1


def _deducted(case: Case) -> Words | None:
    rigid = case.household.rigid_deduction
    work = case["deductions"] // 12 - rigid
    if work == rigid == 0:
        return None
    return (
        f"扣减必要就业成本{yuan(work)}元、认可的刚性支出{yuan(rigid)}元",
        f"less {yuan(work)} yuan of work costs and {yuan(rigid)} yuan of allowed rigid costs",
    )
