"""Words that several programmes share."""

from collections.abc import Callable

from onedoor.policy.case import Case, monthly
from onedoor.policy.conditions.condition import Condition, Words, fixed

NOTHING: Words = ("", "")


def standard(case: Case) -> tuple[str, ...]:
    return (case.standard_name(),)


def _income_words(case: Case) -> Words:
    members, income = case["counted_members"], case["household_income"]
    if members == 0:
        return "没有计入家庭的成员", "no member of the household counts"
    total_zh, total_en = monthly(income)
    head_zh, head_en = monthly(income, members)
    return (
        f"家庭月收入{total_zh}元，计入{members}人，月人均收入{head_zh}元",
        f"household income {total_en} yuan a month, {members} counted, {head_en} yuan per head",
    )


def income_against(case: Case, *parameters: str) -> Words:
    income_zh, income_en = _income_words(case)
    named = [case.named(name) for name in parameters]
    return (
        f"{income_zh}；{'；'.join(zh for zh, _ in named)}",
        f"{income_en}; {'; '.join(en for _, en in named)}",
    )


def _limit(case: Case, factor: str | None = None) -> int | None:
    """The household's limit, fen a year times the factor's denominator left out: rounded down for words."""
    standard, entry = case["standard"], case.figure(factor) if factor else None
    if standard < 0 or (factor and (entry is None or entry.value is None)):
        return None
    multiple = entry.value if entry is not None and entry.value is not None else 1
    return int(12 * standard * case["counted_members"] * multiple)


def lower_income(factor: str | None = None) -> Callable[[Case], Words]:
    def change(case: Case) -> Words:
        limit = _limit(case, factor)
        if limit is None:
            return "需先确认当日标准", "the figure in force on that day must be found first"
        if case["counted_members"] == 0:
            return (
                "须有至少一名计入家庭的成员；成员情况登记有误的请更正",
                "at least one member would have to count; correct what is wrong about the members",
            )
        limit_zh, limit_en = monthly(limit)
        over_zh, over_en = monthly(max(case["household_income"] - limit, 0))
        return (
            f"家庭月收入须低于{limit_zh}元，现超出{over_zh}元",
            f"household income would have to be below {limit_en} yuan a month; it is {over_en} yuan above",
        )

    return change


def higher_income(factor: str | None = None) -> Callable[[Case], Words]:
    def change(case: Case) -> Words:
        limit = _limit(case, factor)
        if limit is None:
            return "需先确认当日标准", "the figure in force on that day must be found first"
        limit_zh, limit_en = monthly(limit)
        return (
            f"仅在家庭月收入不低于{limit_zh}元时适用；低于此数的，按更优厚的项目办理",
            f"this applies only from {limit_en} yuan a month on; below it, a more generous programme does",
        )

    return change


def alive(clause: str) -> Condition:
    """That the member lives, which every allowance of a person presumes."""
    return Condition(
        "alive",
        clause,
        "alive",
        lambda case: (
            ("本人健在", "the person is alive") if case["alive"] else ("本人已死亡", "the person has died")
        ),
        fixed("死亡后不再发放；登记有误的请更正", "nothing is due after death; correct it if that is wrong"),
    )


def property_words(case: Case) -> Words:
    return {
        "ok": ("家庭财产符合规定", "the property test is passed"),
        "not_ok": ("家庭财产不符合规定", "the property test is failed"),
        "unknown": ("家庭财产尚未核定", "the property is not checked yet"),
    }[case.household.property]


def own_income_words(case: Case, variable: str) -> Words:
    own_zh, own_en = monthly(case[variable])
    zh, en = case.named(case.standard_name())
    return f"本人月收入{own_zh}元；{zh}", f"own income {own_en} yuan a month; {en}"


TYPES = {
    "visual": "视力",
    "hearing": "听力",
    "speech": "言语",
    "physical": "肢体",
    "intellectual": "智力",
    "mental": "精神",
}


def disability_words(case: Case) -> Words:
    disability = case.member.disability
    if disability is None:
        return "无残疾人证", "no disability certificate"
    return (
        f"{TYPES[disability.type]}残疾{disability.level}级",
        f"{disability.type} disability, level {disability.level}",
    )


STATUSES = {
    "present": "在家",
    "dead": "死亡",
    "declared_missing": "宣告失踪",
    "untraceable": "查找不到",
    "prison": "服刑",
    "forced_detox": "强制隔离戒毒",
    "detention": "羁押",
    "lost_contact": "失联",
    "guardianship_revoked": "被撤销监护资格",
    "deported": "被遣送出境",
}
KIN = {"mother": "母亲", "father": "父亲"}


def parents_words(case: Case) -> Words:
    parents = case.member.parents
    if not parents:
        return "未登记父母情况", "nothing is on file about the parents"
    since = [(f"（{one.since}起）", f" since {one.since}") if one.since else NOTHING for one in parents]
    zh = "，".join(
        f"{KIN.get(one.relation, one.relation)}{STATUSES[one.status]}{when}"
        for one, (when, _) in zip(parents, since, strict=True)
    )
    en = ", ".join(
        f"{one.relation} {one.status.replace('_', ' ')}{when}"
        for one, (_, when) in zip(parents, since, strict=True)
    )
    pending = (
        ("；等待公安机关回执", "; the police's reply is awaited") if case["no_parent_cares"] == 1 else NOTHING
    )
    return zh + pending[0], en + pending[1]
