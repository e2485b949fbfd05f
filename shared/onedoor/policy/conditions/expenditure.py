"""Rigid expenditure (刚性支出), temporary aid (临时救助) and the need for charity (慈善)."""

from onedoor.policy.case import Case, monthly, yuan
from onedoor.policy.conditions.condition import Condition, Words, fixed
from onedoor.policy.conditions.words import higher_income, income_against

FROM_EDGE = Condition(
    "income_not_below_edge",
    "GX art. 4",
    "below_edge",
    lambda case: income_against(case, case.standard_name(), "edge_factor"),
    higher_income("edge_factor"),
    lambda case: (case.standard_name(), "edge_factor"),
    negated=True,
)


WITHOUT_DIBAO = Condition(
    "without_dibao",
    "GX art. 4",
    "without_dibao",
    lambda case: (
        ("不属于低保对象（含渐退）", "has neither dibao nor its taper")
        if case["without_dibao"]
        else ("属于低保对象（含渐退）", "has dibao or its taper")
    ),
    fixed("已享受更优厚的低保", "dibao, the more generous programme, is given already"),
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
    fixed("特困人员由特困供养保障", "persons in special hardship are provided for by their own programme"),
)


PROOF: Words = ("请补充近12个月收入和刚性支出凭证", "hand in proof of both sums")

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
    fixed(*PROOF),
)


BELOW_AVERAGE = Condition(
    "income_below_average",
    "GX art. 4",
    "below_average_income",
    lambda case: _average_words(case),
    lambda case: (
        (
            "近12个月人均收入须低于上年度当地人均可支配收入",
            "income per head over 12 months would have to be below last year's local disposable income",
        )
        if case["twelve_months_known"]
        else PROOF
    ),
    lambda case: ("last_year_disposable_income",),
)


def _average_words(case: Case) -> Words:
    zh, en = case.named("last_year_disposable_income")
    members, income = case["counted_members"], case.household.income_12mo
    if members == 0 or income is None:
        return f"近12个月人均收入未知；{zh}", f"income per head of the last 12 months is not known; {en}"
    head_zh, head_en = monthly(income, members)
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
    costs, income = case.household.rigid_costs_12mo, case.household.income_12mo
    if costs is None or income is None:
        return f"近12个月收入或刚性支出未知；{zh}", f"income or rigid costs are not known; {en}"
    return (
        f"刚性支出{yuan(costs)}元，收入{yuan(income)}元；{zh}",
        f"rigid costs {yuan(costs)} yuan, income {yuan(income)} yuan; {en}",
    )


def _ratio_change(case: Case) -> Words:
    entry, income = case.figure("rigid_ratio"), case.household.income_12mo
    if entry is None or entry.value is None or income is None:
        return PROOF
    limit = yuan(int(entry.value * income))
    return f"刚性支出须超过{limit}元", f"rigid costs would have to exceed {limit} yuan"


STRUCK = Condition(
    "emergency_in_chongqing",
    "XE",
    "struck_in_chongqing",
    lambda case: _emergency_words(case),
    fixed(
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
    fixed("如有大额必需支出，请提交票据", "hand in the bills if there is such spending"),
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
    fixed("见低保边缘和刚性支出两项决定", "see the decisions on dibao_edge and rigid_expenditure"),
    within=("dibao_edge", "rigid_expenditure"),
)


GAP_LEFT = Condition(
    "gap_left",
    "CS",
    "gap_left",
    lambda case: _gap_words(case),
    fixed("各项救助后仍有缺口时再提出", "come back if a gap is left after all aid"),
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
    fixed("请签署同意书", "sign the consent"),
)
