"""Minimum living (低保), its taper (渐退), the edge (低保边缘) and the single-person household (单人户)."""

from datetime import timedelta

from onedoor.policy.case import Case
from onedoor.policy.conditions.condition import Condition, Words, fixed
from onedoor.policy.conditions.words import (
    disability_words,
    higher_income,
    income_against,
    lower_income,
    own_income_words,
    property_words,
    standard,
)

REGISTERED = Condition(
    "registered_in_chongqing",
    "57 art. 4",
    "registered_in_chongqing",
    lambda case: (
        f"户籍区划{case.household.registered_division}"
        f"{'属于' if case['registered_in_chongqing'] else '不属于'}重庆市",
        f"registration {case.household.registered_division} is "
        f"{'' if case['registered_in_chongqing'] else 'not '}in Chongqing",
    ),
    fixed("请向户籍所在地申请", "apply where the household is registered"),
)


PROPERTY = Condition(
    "property_fits",
    "57 art. 8",
    "property_fits",
    property_words,
    lambda case: (
        ("须完成家庭财产核对", "the property check must be finished")
        if case.household.property == "unknown"
        else (
            "家庭财产须符合规定；对核对结果有异议的可提出证明",
            "the property would have to fit; the check can be answered with proof",
        )
    ),
)


BELOW_STANDARD = Condition(
    "income_below_standard",
    "57 art. 23",
    "below_standard",
    lambda case: income_against(case, case.standard_name()),
    lower_income(),
    standard,
)


FROM_STANDARD = Condition(
    "income_not_below_standard",
    "57 art. 8",
    "below_standard",
    lambda case: income_against(case, case.standard_name()),
    higher_income(),
    standard,
    negated=True,
)


BELOW_EDGE = Condition(
    "income_below_edge",
    "57 art. 8",
    "below_edge",
    lambda case: income_against(case, case.standard_name(), "edge_factor"),
    lower_income("edge_factor"),
    lambda case: (case.standard_name(), "edge_factor"),
)


NOT_IN_TAPER = Condition(
    "not_in_taper",
    "57 art. 8",
    "not_in_taper",
    lambda case: (
        ("不在低保渐退期内", "not in a taper of dibao")
        if case["not_in_taper"]
        else ("在低保渐退期内，仍按低保对象管理", "kept in dibao by a taper")
    ),
    fixed("渐退期满后再行认定", "to be looked at again when the taper ends"),
)


PROPERTY_FOR_TAPER = Condition(
    "property_not_failed",
    "57 art. 8",
    "property_not_failed",
    lambda case: (
        ("家庭财产未被认定不符合规定", "the property test is not failed")
        if case["property_not_failed"]
        else ("家庭财产不符合规定", "the property test is failed")
    ),
    PROPERTY.change,
)


BELOW_TAPER_LIMIT = Condition(
    "income_below_taper_limit",
    "KW",
    "below_taper_limit",
    lambda case: income_against(case, case.standard_name(), "taper_upper_factor"),
    lower_income("taper_upper_factor"),
    lambda case: (case.standard_name(), "taper_upper_factor"),
)


BY_WORK = Condition(
    "income_rose_by_employment",
    "KW",
    "taper_by_work",
    lambda case: (
        ("收入因就业增加，或已获准渐退", "income rose by employment, or the taper was granted before")
        if case["taper_by_work"]
        else ("收入增加并非因就业", "income did not rise by employment")
    ),
    fixed("渐退期只适用于因就业增加收入的家庭", "a taper is for households whose income rose by employment"),
)


TAPER_RUNS = Condition(
    "taper_not_over",
    "SEED; KW",
    "taper_runs",
    lambda case: _taper_words(case),
    fixed("渐退期已满，不再延长", "the taper has ended and is not extended"),
    lambda case: ("taper_months",),
)


def _taper_words(case: Case) -> Words:
    first, last = taper_months(case)
    zh, en = case.named("taper_months")
    return f"渐退期自{first}至{last}；{zh}", f"taper from {first} to {last}; {en}"


def taper_months(case: Case) -> tuple[str, str]:
    """First and last month of the taper, as 2026-06."""
    return f"{case['taper_starts']:%Y-%m}", f"{case['taper_ends'] - timedelta(days=1):%Y-%m}"


EDGE_HOUSEHOLD = Condition(
    "edge_household",
    "57 art. 8",
    "edge_household",
    lambda case: {
        2: ("所在家庭为低保边缘家庭", "the household is an edge household"),
        1: ("所在家庭是否为低保边缘家庭尚待核定", "whether the household is an edge household is open"),
        0: ("所在家庭不是低保边缘家庭", "the household is not an edge household"),
    }[case["edge_household"]],
    fixed("见低保边缘决定", "see the decision on dibao_edge"),
    within=("dibao_edge",),
)


COUNTS = Condition(
    "counted_member",
    "57 art. 7",
    "counts",
    lambda case: (
        ("计入家庭成员", "counts as a member of the household")
        if case["counts"]
        else ("不计入家庭成员", "does not count as a member of the household")
    ),
    fixed("家庭成员范围见57号文第七条", "article 7 says who counts"),
)


AFFLICTED = Condition(
    "severe_disability_or_illness",
    "57 art. 8",
    "gravely_afflicted",
    lambda case: _affliction_words(case),
    fixed(
        "须为重度残疾（一、二级，或三级智力、精神残疾）或重病患者",
        "needs a disability of level 1-2, or 3 intellectual or mental, or a major illness",
    ),
)


def _affliction_words(case: Case) -> Words:
    zh, en = disability_words(case)
    ill = case.member.major_illness
    return f"{zh}，{'患重病' if ill else '未登记重病'}", f"{en}; {'a' if ill else 'no'} major illness"


OWN_INCOME = Condition(
    "own_income_below_standard",
    "57 art. 8",
    "own_income_below_standard",
    lambda case: own_income_words(case, "counted_income"),
    fixed("本人收入须低于低保标准", "own income would have to be below the standard"),
    standard,
)
