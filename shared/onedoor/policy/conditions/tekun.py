"""Special hardship (特困)."""

from onedoor.policy.case import Case
from onedoor.policy.conditions.condition import Condition, Words, fixed
from onedoor.policy.conditions.dibao import PROPERTY
from onedoor.policy.conditions.words import disability_words, own_income_words, property_words, standard

ENDS_IT = {
    "dead": ("已死亡", "has died"),
    "declared_missing": ("被宣告失踪", "is declared missing"),
    "prison": ("在监狱服刑", "is in prison"),
}

THERE = Condition(
    "not_dead_missing_or_in_prison",
    "TK art. 25",
    "there_to_be_provided_for",
    lambda case: ENDS_IT.get(
        case.member.whereabouts.status,
        ("未死亡、未被宣告失踪、未在监狱服刑", "neither dead nor declared missing nor in prison"),
    ),
    fixed(
        "救助供养自死亡、被宣告失踪或服刑起终止；情况有误或已改变的请更正",
        "special hardship ends with death, a declaration of missing or prison; correct it if that is wrong",
    ),
)


NO_OTHER_CHOICE = Condition(
    "no_child_allowance_chosen",
    "TK art. 24",
    "no_child_allowance_chosen",
    lambda case: (
        ("未选择孤儿或事实无人抚养儿童保障", "no other child allowance is chosen")
        if case["no_child_allowance_chosen"]
        else ("已选择孤儿或事实无人抚养儿童保障", "the allowance of orphans or unattended children is chosen")
    ),
    fixed("两者只能选择其一，可重新选择", "only one can be had; the choice can be made anew"),
)


UNABLE_TO_WORK = Condition(
    "unable_to_work",
    "TK art. 5",
    "unable_to_work",
    lambda case: (
        f"{case['age']}周岁，{disability_words(case)[0]}",
        f"{case['age']} years old, {disability_words(case)[1]}",
    ),
    fixed(
        "须年满60周岁、未满16周岁，或智力、精神残疾一至三级，肢体残疾一、二级，视力残疾一级",
        "needs age 60 or more or under 16, or a disability: intellectual or mental 1-3, physical 1-2, "
        "visual 1",
    ),
)


WITHOUT_MEANS = Condition(
    "own_income_below_standard",
    "TK art. 6",
    "without_means",
    lambda case: own_income_words(case, "tekun_income"),
    fixed("本人收入须低于低保标准", "own income would have to be below the standard"),
    standard,
)


TEKUN_PROPERTY = Condition("property_fits", "TK art. 6", "property_fits", property_words, PROPERTY.change)


UNSUPPORTED = Condition(
    "no_able_supporter",
    "TK art. 8",
    "unsupported",
    lambda case: _supporter_words(case),
    fixed(
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
    return ("last_year_disposable_income",) if case["average_income_asked"] else ()
