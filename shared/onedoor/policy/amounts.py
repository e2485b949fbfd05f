"""How each programme's amount was computed, in words, and which figures entered it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onedoor.policy.case import Case, monthly, yuan
from onedoor.policy.conditions import Words
from onedoor.policy.decisions import Unit


@dataclass(frozen=True)
class Computation:
    """An amount's variable, clause, figures and words; `variable` is None where the programme has none."""

    variable: str | None
    clause: str
    parameters: Callable[[Case], tuple[str, ...]]
    says: Callable[[Case, int], Words]
    unknown: Callable[[Case], Words]
    unit: Unit = "yuan/month"


def _figure_missing(case: Case) -> Words:
    return (
        "当日没有已知的标准，金额由审核确认人员依规定核定并说明理由",
        "no figure is known for that day: the confirming officer enters the amount with a reason",
    )


def _figure(name: Callable[[Case], str]) -> Callable[[Case, int], Words]:
    def says(case: Case, amount: int) -> Words:
        zh, en = case.named(name(case))
        return f"每月{yuan(amount)}元：{zh}", f"{yuan(amount)} yuan a month: {en}"

    return says


def _gap(case: Case, amount: int) -> Words:
    members, (income_zh, income_en) = case["counted_members"], monthly(case["household_income"])
    standard = yuan(case["standard"])
    return (
        f"{standard}元×{members}人－{income_zh}元＝{yuan(amount)}元（每月，四舍五入到分）",
        f"{standard} yuan x {members} - {income_en} yuan = {yuan(amount)} yuan a month, rounded half up",
    )


def _single(case: Case, amount: int) -> Words:
    (own_zh, own_en), standard = monthly(case["counted_income"]), yuan(case["standard"])
    return (
        f"{standard}元－本人收入{own_zh}元＝{yuan(amount)}元（每月）",
        f"{standard} yuan - own income {own_en} yuan = {yuan(amount)} yuan a month",
    )


def _child(case: Case, amount: int) -> Words:
    zh, en = case.named("unattended_child")
    paid = yuan(case["already_paid"])
    return (
        f"{zh}，减去已发放{paid}元，每月{yuan(amount)}元",
        f"{en}, less {paid} yuan paid already, {yuan(amount)} yuan a month",
    )


def _left(case: Case, amount: int) -> Words:
    gap, received = yuan(case["charity_gap"]), yuan(case["charity_received"])
    return (
        f"{gap}元－{received}元＝{yuan(amount)}元",
        f"{gap} yuan - {received} yuan = {yuan(amount)} yuan",
    )


def _tekun_parameters(case: Case) -> tuple[str, ...]:
    return ("tekun_basic",) if case["tekun_income"] == 0 else ()


def _tekun_unknown(case: Case) -> Words:
    if case["tekun_income"] == 0:
        return _figure_missing(case)
    return (
        "本人有收入，供养金额由审核确认人员依规定核定并说明理由",
        "there is income of one's own: the confirming officer enters the amount with a reason",
    )


def _orphan_parameters(case: Case) -> tuple[str, ...]:
    return (f"orphan.{case.member.placement}",) if case.member.placement else ()


def _orphan_unknown(case: Case) -> Words:
    if case.member.placement:
        return _figure_missing(case)
    return "尚未填写安置方式，不能确定标准", "the placement is not filled in, and with it the rate"


def _small_aid_words(case: Case) -> Words:
    zh, en = case.named("small_aid_ceiling")
    return (
        f"{zh}；金额由审核确认人员在上限内核定并说明理由",
        f"{en}; the confirming officer enters the amount within it, with a reason",
    )


def _no_words(case: Case, amount: int) -> Words:
    raise AssertionError("a programme without an amount has none to explain")


COMPUTATIONS: Mapping[str, Computation] = {
    "dibao": Computation(
        "dibao_amount", "57 art. 23", lambda case: (case.standard_name(),), _gap, _figure_missing
    ),
    "single_person": Computation(
        "single_person_amount", "57 art. 23", lambda case: (case.standard_name(),), _single, _figure_missing
    ),
    "tekun": Computation(
        "tekun_amount", "649 art. 16", _tekun_parameters, _figure(lambda case: "tekun_basic"), _tekun_unknown
    ),
    "unattended_child": Computation(
        "unattended_child_amount", "62", lambda case: ("unattended_child",), _child, _figure_missing
    ),
    "orphan": Computation(
        "orphan_amount",
        "54",
        _orphan_parameters,
        _figure(lambda case: f"orphan.{case.member.placement}"),
        _orphan_unknown,
    ),
    "disability_living": Computation(
        "disability_living_amount",
        "D24",
        lambda case: ("disability_living",),
        _figure(lambda case: "disability_living"),
        _figure_missing,
    ),
    "disability_nursing": Computation(
        "disability_nursing_amount",
        "D24",
        lambda case: (f"disability_nursing.{case['disability_level']}",),
        _figure(lambda case: f"disability_nursing.{case['disability_level']}"),
        _figure_missing,
    ),
    "charity_need": Computation(
        "charity_need_amount", "CS", lambda case: (), _left, _figure_missing, unit="yuan"
    ),
    "dibao_edge": Computation(
        None,
        "57 art. 8",
        lambda case: (),
        _no_words,
        lambda case: ("本项为身份认定，不发放金额", "this recognises a status; no amount is paid"),
    ),
    "rigid_expenditure": Computation(
        None,
        "GX art. 10",
        lambda case: (),
        _no_words,
        lambda case: ("本项为身份认定，不发放金额", "this recognises a status; no amount is paid"),
    ),
    "temporary_small": Computation(
        None,
        "XE",
        lambda case: (),
        _no_words,
        _small_aid_words,
    ),
    "temporary_expenditure": Computation(
        None,
        "XE",
        lambda case: (),
        _no_words,
        lambda case: (
            "金额由审核确认人员依规定核定并说明理由",
            "the confirming officer enters the amount with a reason",
        ),
    ),
}

TAPER_AMOUNT: Words = (
    "渐退期发放金额的计算办法尚未确认，由审核确认人员核定并说明理由",
    "how the taper's amount is computed is not confirmed: the confirming officer enters it with a reason",
)
