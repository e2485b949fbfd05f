"""De facto unattended children (事实无人抚养儿童) and orphans (孤儿)."""

from onedoor.policy.conditions.condition import Condition, fixed
from onedoor.policy.conditions.words import parents_words

CHILD_AGE = Condition(
    "minor_or_at_school",
    "125",
    "minor_or_at_school",
    lambda case: (f"{case['age']}周岁", f"{case['age']} years old"),
    fixed(
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
    fixed("按孤儿保障办理", "the orphan's allowance applies"),
)


NO_PARENT_CARES = Condition(
    "no_parent_cares",
    "62; 125",
    "no_parent_cares",
    lambda case: parents_words(case),
    fixed(
        "父母双方均须符合重残、重病、服刑在押、强制隔离戒毒、被执行其他限制人身自由措施（六个月以上）、"
        "失联、被撤销监护资格、被遣送出境之一，或一方死亡、失踪而另一方符合",
        "both parents would have to be severely disabled, listed as seriously ill, in custody for six "
        "months, lost, without guardianship or deported; or one dead or missing and the other so",
    ),
)


MINOR = Condition(
    "minor",
    "54",
    "minor",
    lambda case: (f"{case['age']}周岁", f"{case['age']} years old"),
    fixed("须未满18周岁", "needs age under 18"),
)


PARENTS_LOST = Condition(
    "parents_lost",
    "54",
    "parents_lost",
    lambda case: parents_words(case),
    fixed("须父母双亡或均查找不到", "both parents would have to be dead, or both untraceable"),
)
