"""Every condition of every programme: which variable of the rules holds its verdict, and how to say it.

The order within a programme is the order in which the law asks. A figure enters a decision if its condition
was asked before the answer was settled, that is up to the first condition that is not met.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onedoor.policy.case import Case, monthly, yuan

Words = tuple[str, str]
NOTHING: Words = ("", "")


def _no_parameters(case: Case) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Condition:
    """One condition: its code, its clause, the verdict's variable, and its words about a case.

    `says` states value and threshold; `change` what would have to be otherwise. With `negated` the variable
    says the opposite. `within` are programmes whose own figures enter through this condition.
    """

    code: str
    clause: str
    variable: str
    says: Callable[[Case], Words]
    change: Callable[[Case], Words]
    parameters: Callable[[Case], tuple[str, ...]] = _no_parameters
    negated: bool = False
    within: tuple[str, ...] = ()

    def verdict(self, case: Case) -> int:
        """NO, UNKNOWN or YES (0, 1, 2)."""
        value = int(case[self.variable])
        return 2 - value if self.negated else value


def _fixed(zh: str, en: str) -> Callable[[Case], Words]:
    return lambda case: (zh, en)


def _standard(case: Case) -> tuple[str, ...]:
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


def _income_against(case: Case, *parameters: str) -> Words:
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


def _lower_income(factor: str | None = None) -> Callable[[Case], Words]:
    def change(case: Case) -> Words:
        limit = _limit(case, factor)
        if limit is None:
            return "需先确认当日标准", "the figure in force on that day must be found first"
        limit_zh, limit_en = monthly(limit)
        over_zh, over_en = monthly(max(case["household_income"] - limit, 0))
        return (
            f"家庭月收入须低于{limit_zh}元，现超出{over_zh}元",
            f"household income would have to be below {limit_en} yuan a month; it is {over_en} yuan above",
        )

    return change


def _higher_income(factor: str | None = None) -> Callable[[Case], Words]:
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


def _property_words(case: Case) -> Words:
    return {
        "ok": ("家庭财产符合规定", "the property test is passed"),
        "not_ok": ("家庭财产不符合规定", "the property test is failed"),
        "unknown": ("家庭财产尚未核定", "the property is not checked yet"),
    }[case.household.property]


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
    _fixed("请向户籍所在地申请", "apply where the household is registered"),
)

PROPERTY = Condition(
    "property_fits",
    "57 art. 8",
    "property_fits",
    _property_words,
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
    lambda case: _income_against(case, case.standard_name()),
    _lower_income(),
    _standard,
)

FROM_STANDARD = Condition(
    "income_not_below_standard",
    "57 art. 8",
    "below_standard",
    lambda case: _income_against(case, case.standard_name()),
    _higher_income(),
    _standard,
    negated=True,
)

BELOW_EDGE = Condition(
    "income_below_edge",
    "57 art. 8",
    "below_edge",
    lambda case: _income_against(case, case.standard_name(), "edge_factor"),
    _lower_income("edge_factor"),
    lambda case: (case.standard_name(), "edge_factor"),
)

FROM_EDGE = Condition(
    "income_not_below_edge",
    "GX art. 4",
    "below_edge",
    lambda case: _income_against(case, case.standard_name(), "edge_factor"),
    _higher_income("edge_factor"),
    lambda case: (case.standard_name(), "edge_factor"),
    negated=True,
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
    _fixed("渐退期满后再行认定", "to be looked at again when the taper ends"),
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
    lambda case: _income_against(case, case.standard_name(), "taper_upper_factor"),
    _lower_income("taper_upper_factor"),
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
    _fixed("渐退期只适用于因就业增加收入的家庭", "a taper is for households whose income rose by employment"),
)

TAPER_RUNS = Condition(
    "taper_not_over",
    "SEED; KW",
    "taper_runs",
    lambda case: _taper_words(case),
    _fixed("渐退期已满，不再延长", "the taper has ended and is not extended"),
    lambda case: ("taper_months",),
)


def _taper_words(case: Case) -> Words:
    first, last = taper_months(case)
    zh, en = case.named("taper_months")
    return f"渐退期自{first}至{last}；{zh}", f"taper from {first} to {last}; {en}"


def taper_months(case: Case) -> tuple[str, str]:
    """First and last month of the taper, as 2026-06."""
    from datetime import timedelta

    return f"{case['taper_starts']:%Y-%m}", f"{case['taper_ends'] - timedelta(days=1):%Y-%m}"


WITHOUT_DIBAO = Condition(
    "without_dibao",
    "GX art. 4",
    "without_dibao",
    lambda case: (
        ("不属于低保对象（含渐退）", "has neither dibao nor its taper")
        if case["without_dibao"]
        else ("属于低保对象（含渐退）", "has dibao or its taper")
    ),
    _fixed("已享受更优厚的低保", "dibao, the more generous programme, is given already"),
    within=("dibao",),
)

NO_ONE_IN_TEKUN = Condition(
    "no_member_in_tekun",
    "GX art. 4",
    "no_one_in_tekun",
    lambda case: (
        ("家庭成员中没有特困人员", "no member is in special hardship")
        if case["no_one_in_tekun"]
        else ("家庭成员中有特困人员", "a member is in special hardship")
    ),
    _fixed("特困人员由特困供养保障", "persons in special hardship are provided for by their own programme"),
)

TWELVE_MONTHS = Condition(
    "twelve_months_known",
    "GX art. 4",
    "twelve_months_known",
    lambda case: (
        (
            f"近12个月收入{yuan(case['income_12mo'])}元，刚性支出{yuan(case['rigid_costs_12mo'])}元",
            f"in the last 12 months income {yuan(case['income_12mo'])} yuan, "
            f"rigid costs {yuan(case['rigid_costs_12mo'])} yuan",
        )
        if case["twelve_months_known"]
        else (
            "近12个月收入或刚性支出未填写",
            "income or rigid costs of the last 12 months are not filled in",
        )
    ),
    _fixed("请补充近12个月收入和刚性支出凭证", "hand in proof of both sums"),
)

BELOW_AVERAGE = Condition(
    "income_below_average",
    "GX art. 4",
    "below_average_income",
    lambda case: _average_words(case),
    _fixed(
        "近12个月人均收入须低于上年度当地人均可支配收入",
        "income per head over 12 months would have to be below last year's local disposable income",
    ),
    lambda case: ("last_year_disposable_income",),
)


def _average_words(case: Case) -> Words:
    zh, en = case.named("last_year_disposable_income")
    members = case["counted_members"]
    if members == 0 or case["income_12mo"] < 0:
        return zh, en
    head_zh, head_en = monthly(case["income_12mo"], members)
    return (
        f"近12个月月人均收入{head_zh}元；{zh}",
        f"{head_en} yuan per head a month over the last 12 months; {en}",
    )


COSTS_ABOVE_RATIO = Condition(
    "rigid_costs_above_ratio",
    "GX art. 4",
    "costs_above_ratio",
    lambda case: _ratio_words(case),
    lambda case: _ratio_change(case),
    lambda case: ("rigid_ratio",),
)


def _ratio_words(case: Case) -> Words:
    zh, en = case.named("rigid_ratio")
    costs, income = (yuan(max(case[name], 0)) for name in ("rigid_costs_12mo", "income_12mo"))
    return (
        f"刚性支出{costs}元，收入{income}元；{zh}",
        f"rigid costs {costs} yuan, income {income} yuan; {en}",
    )


def _ratio_change(case: Case) -> Words:
    entry = case.figure("rigid_ratio")
    if entry is None or entry.value is None:
        return "需先确认当日比例", "the ratio in force on that day must be found first"
    limit = yuan(int(entry.value * max(case["income_12mo"], 0)))
    return f"刚性支出须超过{limit}元", f"rigid costs would have to exceed {limit} yuan"


STRUCK = Condition(
    "emergency_in_chongqing",
    "XE",
    "struck_in_chongqing",
    lambda case: _emergency_words(case),
    _fixed(
        "须在重庆市内遭遇急难且基本生活陷入困境；可向急难发生地街镇求助",
        "there would have to be an emergency in Chongqing that makes basic life difficult; "
        "the township where it happened helps",
    ),
)


def _emergency_words(case: Case) -> Words:
    emergency = case.household.emergency
    if emergency is None:
        return "没有登记急难事件", "no emergency is on file"
    hard = emergency.basic_life_in_difficulty
    return (
        f"{emergency.at}在{emergency.place_division}遭遇急难，"
        f"基本生活{'陷入困境' if hard else '未陷入困境'}；不核对收入、财产和户籍",
        f"emergency on {emergency.at} in {emergency.place_division}, basic life is "
        f"{'' if hard else 'not '}in difficulty; income, property and registration are not asked",
    )


SPENDING_HARDSHIP = Condition(
    "spending_hardship",
    "XE",
    "spending_hardship",
    lambda case: (
        ("必需支出突然增加，基本生活陷入困境", "sudden necessary spending makes basic life difficult")
        if case["spending_hardship"]
        else (
            "未认定必需支出突然增加导致基本生活困难",
            "no sudden necessary spending with hardship was found",
        )
    ),
    _fixed("如有大额必需支出，请提交票据", "hand in the bills if there is such spending"),
)

EDGE_OR_RIGID = Condition(
    "edge_or_rigid_household",
    "XE",
    "edge_or_rigid",
    lambda case: {
        2: ("属于低保边缘家庭或刚性支出困难家庭", "an edge household or one with rigid expenditure"),
        1: (
            "是否属于低保边缘家庭或刚性支出困难家庭尚待核定",
            "whether it is an edge or rigid household is open",
        ),
        0: (
            "不属于低保边缘家庭或刚性支出困难家庭",
            "neither an edge household nor one with rigid expenditure",
        ),
    }[case["edge_or_rigid"]],
    _fixed("见低保边缘和刚性支出两项决定", "see the decisions on dibao_edge and rigid_expenditure"),
    within=("dibao_edge", "rigid_expenditure"),
)

GAP_LEFT = Condition(
    "gap_left",
    "CS",
    "gap_left",
    lambda case: _gap_words(case),
    _fixed("各项救助后仍有缺口时再提出", "come back if a gap is left after all aid"),
)


def _gap_words(case: Case) -> Words:
    if case.household.charity is None:
        return "没有登记救助后缺口", "no gap after public aid is on file"
    gap, received = yuan(case["charity_gap"]), yuan(case["charity_received"])
    return (
        f"公共救助后缺口{gap}元，慈善已帮扶{received}元",
        f"gap after public aid {gap} yuan, given by charities {received} yuan",
    )


CONSENTED = Condition(
    "charity_consent",
    "CS",
    "consented",
    lambda case: (
        ("已签署慈善帮扶同意书", "consent to look for charity is signed")
        if case["charity_consent"]
        else ("尚未签署慈善帮扶同意书", "consent to look for charity is not signed")
    ),
    _fixed("请签署同意书", "sign the consent"),
)

EDGE_HOUSEHOLD = Condition(
    "edge_household",
    "57 art. 8",
    "edge_household",
    lambda case: {
        2: ("所在家庭为低保边缘家庭", "the household is an edge household"),
        1: ("所在家庭是否为低保边缘家庭尚待核定", "whether the household is an edge household is open"),
        0: ("所在家庭不是低保边缘家庭", "the household is not an edge household"),
    }[case["edge_household"]],
    _fixed("见低保边缘决定", "see the decision on dibao_edge"),
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
    _fixed("家庭成员范围见57号文第七条", "article 7 says who counts"),
)

AFFLICTED = Condition(
    "severe_disability_or_illness",
    "57 art. 8",
    "gravely_afflicted",
    lambda case: _affliction_words(case),
    _fixed(
        "须为重度残疾（一、二级，或三级智力、精神残疾）或重病患者",
        "needs a disability of level 1-2, or 3 intellectual or mental, or a major illness",
    ),
)

TYPES = {
    "visual": "视力",
    "hearing": "听力",
    "speech": "言语",
    "physical": "肢体",
    "intellectual": "智力",
    "mental": "精神",
}


def _disability_words(case: Case) -> Words:
    disability = case.member.disability
    if disability is None:
        return "无残疾人证", "no disability certificate"
    return (
        f"{TYPES[disability.type]}残疾{disability.level}级",
        f"{disability.type} disability, level {disability.level}",
    )


def _affliction_words(case: Case) -> Words:
    zh, en = _disability_words(case)
    ill = case.member.major_illness
    return f"{zh}，{'患重病' if ill else '未登记重病'}", f"{en}; {'a' if ill else 'no'} major illness"


OWN_INCOME = Condition(
    "own_income_below_standard",
    "57 art. 8",
    "own_income_below_standard",
    lambda case: _own_income_words(case, "counted_income"),
    _fixed("本人收入须低于低保标准", "own income would have to be below the standard"),
    _standard,
)


def _own_income_words(case: Case, variable: str) -> Words:
    own_zh, own_en = monthly(case[variable])
    zh, en = case.named(case.standard_name())
    return f"本人月收入{own_zh}元；{zh}", f"own income {own_en} yuan a month; {en}"


NO_OTHER_CHOICE = Condition(
    "no_child_allowance_chosen",
    "TK art. 24",
    "no_child_allowance_chosen",
    lambda case: (
        ("未选择孤儿或事实无人抚养儿童保障", "no other child allowance is chosen")
        if case["no_child_allowance_chosen"]
        else ("已选择孤儿或事实无人抚养儿童保障", "the allowance of orphans or unattended children is chosen")
    ),
    _fixed("两者只能选择其一，可重新选择", "only one can be had; the choice can be made anew"),
)

UNABLE_TO_WORK = Condition(
    "unable_to_work",
    "TK art. 5",
    "unable_to_work",
    lambda case: (
        f"{case['age']}周岁，{_disability_words(case)[0]}",
        f"{case['age']} years old, {_disability_words(case)[1]}",
    ),
    _fixed(
        "须年满60周岁、未满16周岁，或智力、精神残疾一至三级，肢体残疾一、二级，视力残疾一级",
        "needs age 60 or more or under 16, or a disability: intellectual or mental 1-3, physical 1-2, "
        "visual 1",
    ),
)

WITHOUT_MEANS = Condition(
    "own_income_below_standard",
    "TK art. 6",
    "without_means",
    lambda case: _own_income_words(case, "tekun_income"),
    _fixed("本人收入须低于低保标准", "own income would have to be below the standard"),
    _standard,
)

TEKUN_PROPERTY = Condition("property_fits", "TK art. 6", "property_fits", _property_words, PROPERTY.change)

UNSUPPORTED = Condition(
    "no_able_supporter",
    "TK art. 8",
    "unsupported",
    lambda case: _supporter_words(case),
    _fixed(
        "每一位法定赡养、抚养、扶养义务人均须无履行义务能力",
        "everyone who owes support by law would have to be unable to give it",
    ),
    lambda case: _supporter_parameters(case),
)


def _supporter_words(case: Case) -> Words:
    number = len(case.member.supporters or ())
    if number == 0:
        return "没有法定赡养、抚养、扶养义务人", "no one owes support by law"
    return {
        2: (f"{number}名义务人均无履行义务能力", f"none of {number} who owe support is able to give it"),
        1: (
            f"{number}名义务人中有人的能力尚待核定",
            f"whether all of {number} who owe support are unable is open",
        ),
        0: (
            f"{number}名义务人中有人有履行义务能力",
            f"of {number} who owe support, someone is able to give it",
        ),
    }[case["unsupported"]]


def _supporter_parameters(case: Case) -> tuple[str, ...]:
    """The average income enters if a supporter's own income was compared with it."""
    compared = any(
        supporter.property == "low_income" and supporter.income is not None and not supporter.tekun
        for supporter in case.member.supporters or ()
        if _weak(case, supporter.birth.year) or supporter.disability is not None
    )
    return ("last_year_disposable_income",) if compared else ()


def _weak(case: Case, year: int) -> bool:
    return case.day.year - year >= 70


CHILD_AGE = Condition(
    "minor_or_at_school",
    "125",
    "minor_or_at_school",
    lambda case: (f"{case['age']}周岁", f"{case['age']} years old"),
    _fixed(
        "须未满18周岁，或在全日制高中、中职就读",
        "needs age under 18, or full-time senior secondary or vocational school",
    ),
)

A_PARENT_LEFT = Condition(
    "a_parent_is_left",
    "62",
    "a_parent_is_left",
    lambda case: (
        ("父母并非双亡（或均宣告失踪）", "not both parents are dead or declared missing")
        if case["a_parent_is_left"]
        else (
            "父母双亡或均宣告失踪，属于孤儿保障范围",
            "both parents are dead or declared missing: this is an orphan's case",
        )
    ),
    _fixed("按孤儿保障办理", "the orphan's allowance applies"),
)

NO_PARENT_CARES = Condition(
    "no_parent_cares",
    "62; 125",
    "no_parent_cares",
    lambda case: _parents_words(case),
    _fixed(
        "父母双方均须符合重残、重病、服刑在押、强制隔离戒毒、被执行其他限制人身自由措施（六个月以上）、"
        "失联、被撤销监护资格、被遣送出境之一，或一方死亡、失踪而另一方符合",
        "both parents would have to be severely disabled, listed as seriously ill, in custody for six "
        "months, lost, without guardianship or deported; or one dead or missing and the other so",
    ),
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


def _parents_words(case: Case) -> Words:
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


MINOR = Condition(
    "minor",
    "54",
    "minor",
    lambda case: (f"{case['age']}周岁", f"{case['age']} years old"),
    _fixed("须未满18周岁", "needs age under 18"),
)

PARENTS_LOST = Condition(
    "parents_lost",
    "54",
    "parents_lost",
    lambda case: _parents_words(case),
    _fixed("须父母双亡或均查找不到", "both parents would have to be dead, or both untraceable"),
)

DISABLED = Condition(
    "disability_certificate",
    "D24",
    "disabled",
    _disability_words,
    _fixed(
        "须持有残疾人证，可向残联申请评定",
        "a certificate is needed; the disabled persons' federation gives it",
    ),
)

NO_FULL_CHILD_ALLOWANCE = Condition(
    "no_full_child_allowance",
    "62",
    "no_full_child_allowance",
    lambda case: (
        ("未全额享受事实无人抚养儿童补贴", "the full allowance of an unattended child is not paid")
        if case["no_full_child_allowance"]
        else ("已全额享受事实无人抚养儿童补贴", "the full allowance of an unattended child is paid")
    ),
    _fixed("两项不重复享受", "the two are not paid together"),
)

ON_MINIMUM_LIVING = Condition(
    "on_minimum_living",
    "D24",
    "on_minimum_living",
    lambda case: {
        2: ("属于低保对象（含参照单人户）", "has dibao, also as a single person"),
        1: ("是否属于低保对象尚待核定", "whether dibao is due is open"),
        0: ("不属于低保对象", "has no dibao"),
    }[case["on_minimum_living"]],
    _fixed("须为低保对象，见低保决定", "needs dibao; see the decision on it"),
    within=("dibao", "single_person"),
)

NURSING_LEVEL = Condition(
    "severe_disability",
    "D24",
    "needs_nursing",
    _disability_words,
    _fixed("须为一级或二级残疾", "needs a disability of level 1 or 2"),
)

DIBAO = (REGISTERED, PROPERTY, BELOW_STANDARD)
TAPER = (REGISTERED, PROPERTY_FOR_TAPER, FROM_STANDARD, BELOW_TAPER_LIMIT, BY_WORK, TAPER_RUNS)

CONDITIONS: Mapping[str, tuple[Condition, ...]] = {
    "dibao_edge": (REGISTERED, PROPERTY, FROM_STANDARD, BELOW_EDGE, NOT_IN_TAPER),
    "rigid_expenditure": (
        REGISTERED,
        WITHOUT_DIBAO,
        FROM_EDGE,
        NO_ONE_IN_TEKUN,
        TWELVE_MONTHS,
        BELOW_AVERAGE,
        PROPERTY,
        COSTS_ABOVE_RATIO,
    ),
    "temporary_small": (STRUCK,),
    "temporary_expenditure": (SPENDING_HARDSHIP, EDGE_OR_RIGID),
    "charity_need": (GAP_LEFT, CONSENTED),
    "single_person": (EDGE_HOUSEHOLD, COUNTS, AFFLICTED, OWN_INCOME),
    "tekun": (NO_OTHER_CHOICE, UNABLE_TO_WORK, WITHOUT_MEANS, TEKUN_PROPERTY, UNSUPPORTED),
    "unattended_child": (REGISTERED, CHILD_AGE, A_PARENT_LEFT, NO_PARENT_CARES),
    "orphan": (MINOR, PARENTS_LOST),
    "disability_living": (DISABLED, NO_FULL_CHILD_ALLOWANCE, ON_MINIMUM_LIVING),
    "disability_nursing": (NURSING_LEVEL,),
}


def conditions_of(programme: str, case: Case) -> tuple[Condition, ...]:
    """The conditions that decide a programme, in the law's order.

    Those of dibao depend on the case: a household on dibao whose income has reached the standard is asked
    whether it tapers.
    """
    if programme != "dibao":
        return CONDITIONS[programme]
    asks_taper = case["on_dibao"] and case["below_standard"] == 0
    return TAPER if asks_taper else DIBAO
