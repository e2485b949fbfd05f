"""What makes a household file unusable: fields that cannot be read, and facts that contradict each other."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import chain

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from onedoor.policy.household import Household, Member
from onedoor.policy.problems import FieldProblem

Words = tuple[str, str, str, str]

READING: dict[str, Words] = {
    "missing": ("is missing", "未填写", "fill it in", "请填写"),
    "extra_forbidden": (
        "is not a field of this form",
        "不是本表的项目",
        "correct its name or remove it",
        "请更正名称或删去",
    ),
    "money": ("is not an amount of money", "不是金额", "write yuan, as 1259.98", "请以元填写，如 1259.98"),
    "negative": ("is negative", "为负数", "write zero or more", "请填写零或正数"),
    "absurd": (
        "is more than a hundred million yuan",
        "超过一亿元",
        "check the number and its unit (yuan)",
        "请核对数字和单位（元）",
    ),
    "fraction": ("has more than two decimals", "多于两位小数", "round it to whole fen", "请精确到分"),
    "day": ("is not a day", "不是日期", "write it as 2026-05-20, in quotes", "请写成 2026-05-20，并加引号"),
    "month": ("is not a month", "不是月份", "write it as 2026-06, in quotes", "请写成 2026-06，并加引号"),
    "moment": (
        "is not a day or moment",
        "不是日期或时刻",
        "write it as 2026-10-03T02:15, in quotes",
        "请写成 2026-10-03T02:15，并加引号",
    ),
    "literal_error": ("is none of the values allowed", "不是允许的值", "choose one of them", "请从中选择"),
    "string_pattern_mismatch": (
        "is not a division of nine digits",
        "不是九位区划代码",
        "write the nine digits",
        "请写九位数字",
    ),
    "too_short": ("has too few entries", "项目过少", "fill in all of them", "请补全"),
    "too_long": ("has too many entries", "项目过多", "check for double entries", "请检查是否重复"),
}
OTHER: Words = ("cannot be read", "无法识别", "check how it is written", "请检查填写方式")


def as_problems(error: ValidationError) -> list[FieldProblem]:
    """What the model could not read, one problem per field."""
    return [_problem(detail) for detail in error.errors(include_url=False)]


def _problem(detail: ErrorDetails) -> FieldProblem:
    words = READING.get(detail["type"], OTHER)
    expected = str(detail.get("ctx", {}).get("expected", "")) if detail["type"] == "literal_error" else ""
    allowed = tuple(part.strip().strip("'") for part in expected.replace(" or ", ", ").split(",") if part)
    return _said(".".join(str(part) for part in detail["loc"]) or "household", words, allowed)


def _said(field: str, words: Words, allowed: tuple[str, ...] = ()) -> FieldProblem:
    problem, problem_zh, remedy, remedy_zh = words
    return FieldProblem(
        field=field,
        problem=problem,
        problem_zh=problem_zh,
        remedy=remedy,
        remedy_zh=remedy_zh,
        allowed=allowed,
    )


def contradictions(household: Household) -> list[FieldProblem]:
    """Facts of a readable household that cannot all be true."""
    return list(
        chain(_twice(household), _heads_and_spouses(household), _ages(household), _later_days(household))
    )


def _twice(household: Household) -> Iterator[FieldProblem]:
    for field in ("id", "person", "id_number"):
        values = [getattr(member, field) for member in household.members]
        known = Counter(value for value in values if value is not None)
        for index, value in enumerate(values):
            if value is not None and known[value] > 1:
                known[value] = 0
                yield _said(
                    f"members.{index}.{field}",
                    ("stands at two members", "同一人登记了两次", "keep each person once", "每人只登记一次"),
                )


def _heads_and_spouses(household: Household) -> Iterator[FieldProblem]:
    for relation, zh in (("head", "户主"), ("spouse", "配偶")):
        places = [index for index, member in enumerate(household.members) if member.relation == relation]
        for index in places[1:]:
            yield _said(
                f"members.{index}.relation",
                (
                    f"is a second {relation}",
                    f"登记了两名{zh}",
                    "correct the relation to the head of the household",
                    "请更正与户主的关系",
                ),
            )


def _ages(household: Household) -> Iterator[FieldProblem]:
    head = next((member for member in household.members if member.relation == "head"), None)
    if head is None:
        return
    for index, member in enumerate(household.members):
        if not _older(member, head):
            continue
        yield _said(
            f"members.{index}.birth",
            (
                f"makes the {member.relation} as old as the head or older",
                "晚辈的年龄不小于户主",
                "check both dates of birth and the relation",
                "请核对双方出生日期和关系",
            )
            if member.relation in YOUNGER
            else (
                f"makes the {member.relation} as young as the head or younger",
                "长辈的年龄不大于户主",
                "check both dates of birth and the relation",
                "请核对双方出生日期和关系",
            ),
        )


YOUNGER = frozenset({"child", "grandchild"})
ELDER = frozenset({"parent", "grandparent"})


def _older(member: Member, head: Member) -> bool:
    if member.relation in YOUNGER:
        return member.birth <= head.birth
    return member.relation in ELDER and member.birth >= head.birth


def _later_days(household: Household) -> Iterator[FieldProblem]:
    for field, day in _past_days(household):
        if day is not None and day > household.as_of:
            yield _said(
                field,
                (
                    f"lies after the day of the decision ({household.as_of})",
                    f"晚于决定之日（{household.as_of}）",
                    "check the date",
                    "请核对日期",
                ),
            )


def _past_days(household: Household) -> Iterator[tuple[str, date | None]]:
    yield "review_decided_on", household.review_decided_on
    if household.emergency is not None:
        yield "emergency.at", household.emergency.at
    for index, enrolment in enumerate(household.enrolments):
        yield f"enrolments.{index}.since", enrolment.since
    for index, member in enumerate(household.members):
        yield from _days_of(member, f"members.{index}")


def _days_of(member: Member, where: str) -> Iterator[tuple[str, date | None]]:
    yield f"{where}.birth", member.birth
    yield f"{where}.whereabouts.since", member.whereabouts.since
    for index, enrolment in enumerate(member.enrolments):
        yield f"{where}.enrolments.{index}.since", enrolment.since
    for index, supporter in enumerate(member.supporters or ()):
        yield f"{where}.supporters.{index}.birth", supporter.birth
    for index, parent in enumerate(member.parents or ()):
        yield f"{where}.parents.{index}.since", parent.since
        yield f"{where}.parents.{index}.police_report_on", parent.police_report_on
        yield f"{where}.parents.{index}.police_slip_on", parent.police_slip_on
