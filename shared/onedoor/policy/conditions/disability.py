"""The two disability subsidies (残疾人两项补贴)."""

from onedoor.policy.conditions.condition import Condition, fixed
from onedoor.policy.conditions.words import disability_words

DISABLED = Condition(
    "disability_certificate",
    "D24",
    "disabled",
    disability_words,
    fixed(
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
    fixed("两项不重复享受", "the two are not paid together"),
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
    fixed("须为低保对象，见低保决定", "needs dibao; see the decision on it"),
    within=("dibao", "single_person"),
)


NURSING_LEVEL = Condition(
    "severe_disability",
    "D24",
    "needs_nursing",
    disability_words,
    fixed("须为一级或二级残疾", "needs a disability of level 1 or 2"),
)
