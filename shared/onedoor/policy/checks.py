"""What makes a household file unusable: fields that cannot be read, and facts that contradict each other."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from onedoor.policy.household import Household, HouseholdEnrolment, Member, PersonEnrolment
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
    "day": ("is not a day", "不是日期", "write it as 2026-05-20", "请写成 2026-05-20"),
    "month": ("is not a month", "不是月份", "write it as 2026-06", "请写成 2026-06"),
    "moment": (
        "is not a day or moment",
        "不是日期或时刻",
        "write it as 2026-10-03T02:15",
        "请写成 2026-10-03T02:15",
    ),
    "string_type": ("is not text", "不是文字", "put it in quotes", "请加引号填写"),
    "int_type": ("is not a whole number", "不是整数", "write a whole number", "请填写整数"),
    "bool_type": (
        "is neither true nor false",
        "不是“是”或“否”",
        "write true or false",
        "请填写 true 或 false",
    ),
    "model_type": ("is not a mapping of fields", "不是项目的集合", "write its fields below it", "请逐项填写"),
    "tuple_type": ("is not a list", "不是列表", "write a list", "请按列表填写"),
    "uuid_parsing": (
        "is not the id of a person",
        "不是人员编号",
        "take the id from the register",
        "请从登记中选取",
    ),
    "greater_than_equal": ("is too small", "数值过小", "check the number", "请核对数字"),
    "less_than_equal": ("is too great", "数值过大", "check the number", "请核对数字"),
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
    """What the model could not read, one problem per field.

    A list is not called too short for an entry of it that could not be read.
    """
    details = error.errors(include_url=False)
    inner = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    return [
        _problem(detail) for detail in details if detail["type"] != "too_short" or detail["loc"] not in inner
    ]


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


def contradictions(household: Household, latest: date | None = None) -> list[FieldProblem]:
    """Facts of a readable household that cannot all be true, or, with `latest`, are of a later day."""
    return list(
        chain(
            _decided_later(household, latest),
            _twice(household),
            _heads_and_spouses(household),
            _married_children(household),
            _enrolments(household),
            _identities(household),
            _ages(household),
            _parents(household),
            _days(household),
            _before_birth(household),
        )
    )


def _decided_later(household: Household, latest: date | None) -> Iterator[FieldProblem]:
    if latest is not None and household.as_of > latest:
        yield _said(
            "as_of",
            (
                f"lies in the future, after {latest}",
                f"在将来（晚于{latest}）",
                "decide as of that day or an earlier one",
                "请以该日或更早的日期计算",
            ),
        )


def _twice(household: Household) -> Iterator[FieldProblem]:
    for field in ("id", "person", "id_number"):
        known: set[object] = set()
        for index, member in enumerate(household.members):
            value = getattr(member, field)
            if field == "id_number" and value is not None:
                value = normal_number(value)
            if value is not None and value in known:
                yield _said(
                    f"members.{index}.{field}",
                    ("stands at two members", "同一人登记了两次", "keep each person once", "每人只登记一次"),
                )
            known.add(value)


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


YOUNGEST_SPOUSE = 18
"""Full years. MFD art. 1047 asks for 20 and 22; autonomous regions allow two years less."""


def _married_children(household: Household) -> Iterator[FieldProblem]:
    """A spouse, or a head who has one, too young to be married; who is not born yet is named elsewhere."""
    first = {member.relation: index for index, member in reversed(list(enumerate(household.members)))}
    if "spouse" not in first:
        return
    for index in sorted(first[relation] for relation in ("head", "spouse") if relation in first):
        years = full_years(household.members[index].birth, household.as_of)
        if 0 <= years < YOUNGEST_SPOUSE:
            yield _said(
                f"members.{index}.birth",
                (
                    f"makes a married person of {years} years",
                    f"表明已婚者只有{years}岁",
                    "check the date of birth and the relation to the head of the household",
                    "请核对出生日期和与户主的关系",
                ),
            )


def full_years(birth: date, day: date) -> int:
    """Age in full years on a day."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def _enrolments(household: Household) -> Iterator[FieldProblem]:
    yield from _enrolled_twice("enrolments", household.enrolments)
    for index, member in enumerate(household.members):
        yield from _enrolled_twice(f"members.{index}.enrolments", member.enrolments)
    following = _month_number(household.as_of) + 1
    for index, enrolment in enumerate(household.enrolments):
        first = enrolment.taper_first_month
        if enrolment.status == "taper" and first is None:
            yield _said(f"enrolments.{index}.taper_first_month", TAPER_MONTH_MISSING)
        if first is not None and not _month_number(enrolment.since) <= _month_number(first) <= following:
            yield _said(f"enrolments.{index}.taper_first_month", TAPER_MONTH_ASTRAY)


def _enrolled_twice(
    where: str, enrolments: Sequence[HouseholdEnrolment | PersonEnrolment]
) -> Iterator[FieldProblem]:
    programmes = [enrolment.programme for enrolment in enrolments]
    for index, programme in enumerate(programmes):
        if programme in programmes[:index]:
            yield _said(
                f"{where}.{index}.programme",
                (
                    "is enrolled twice",
                    "重复登记了同一项目",
                    "keep the enrolment in force",
                    "请只保留有效的一条",
                ),
            )


def _month_number(day: date) -> int:
    return day.year * 12 + day.month


TAPER_MONTH_MISSING: Words = (
    "is missing although the household is in its taper",
    "家庭在渐退期内，但未填写渐退首月",
    "write the first month of the taper, as 2026-06",
    "请填写渐退首月，如 2026-06",
)
TAPER_MONTH_ASTRAY: Words = (
    "lies before the enrolment or more than a month after the day of the decision",
    "早于享受低保的月份，或晚于决定之日的次月",
    "check the month: a taper begins in the month after the review decision",
    "请核对月份：渐退期自复核决定次月起",
)


def _identities(household: Household) -> Iterator[FieldProblem]:
    for index, member in enumerate(household.members):
        if member.id_number is None:
            continue
        born = born_by_number(member.id_number)
        if born is None:
            yield _said(
                f"members.{index}.id_number",
                (
                    "fails its check digit",
                    "身份证号码校验不通过",
                    "compare it with the card, digit by digit",
                    "请对照证件逐位核对",
                ),
            )
        elif born != member.birth:
            yield _said(
                f"members.{index}.birth",
                (
                    f"differs from the identity number, which says {born}",
                    f"与身份证号码中的出生日期（{born}）不一致",
                    "check the date and the number",
                    "请核对出生日期和身份证号码",
                ),
            )


WEIGHTS = tuple(2**place % 11 for place in range(17, 0, -1))
OLD_NUMBER = re.compile("[0-9]{15}")
NUMBER = re.compile("[0-9]{17}[0-9X]")


def normal_number(number: str) -> str:
    """A resident identity number as it is compared: half-width, without spaces, 15 digits as the 18 of today.

    What is no such number stays what it is.
    """
    text = unicodedata.normalize("NFKC", number).replace(" ", "").replace("-", "").upper()
    if OLD_NUMBER.fullmatch(text):
        text = f"{text[:6]}19{text[6:]}"
        text += _check_character(text)
    return text


def _check_character(digits: str) -> str:
    return "10X98765432"[sum(int(digit) * weight for digit, weight in zip(digits, WEIGHTS, strict=True)) % 11]


def born_by_number(number: str) -> date | None:
    """The date of birth in a resident identity number (GB 11643); None if the number cannot be real."""
    text = normal_number(number)
    if not NUMBER.fullmatch(text) or _check_character(text[:17]) != text[17]:
        return None
    try:
        return date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return None


def _ages(household: Household) -> Iterator[FieldProblem]:
    head = next((member for member in household.members if member.relation == "head"), None)
    for index, member in enumerate(household.members):
        if head is not None and _contradicts(member, head):
            yield _said(
                f"members.{index}.birth", YOUNGER_WORDS if member.relation in YOUNGER else ELDER_WORDS
            )
        for place, supporter in enumerate(member.supporters or ()):
            where = f"members.{index}.supporters.{place}.birth"
            if supporter.relation in CHILDREN and supporter.birth <= member.birth:
                yield _said(where, CHILD_OF_MEMBER_WORDS)
            if supporter.relation in PARENTS and supporter.birth >= member.birth:
                yield _said(where, PARENT_OF_MEMBER_WORDS)


def _parents(household: Household) -> Iterator[FieldProblem]:
    for index, member in enumerate(household.members):
        relations = [parent.relation for parent in member.parents or ()]
        for place, relation in enumerate(relations):
            if relation in PARENTS - {"parent"} and relation in relations[:place]:
                yield _said(
                    f"members.{index}.parents.{place}.relation",
                    (
                        "is the same parent a second time",
                        "重复填写了同一位父母",
                        "write the mother and the father, one entry each",
                        "请分别填写父亲和母亲",
                    ),
                )
        for place, parent in enumerate(member.parents or ()):
            report, slip = parent.police_report_on, parent.police_slip_on
            if report is not None and slip is not None and slip < report:
                yield _said(
                    f"members.{index}.parents.{place}.police_slip_on",
                    (
                        "lies before the report to the police",
                        "早于报案日期",
                        "check both dates",
                        "请核对两个日期",
                    ),
                )


PARENTS = frozenset({"father", "mother", "parent", "父亲", "母亲"})
CHILDREN = frozenset({"son", "daughter", "child", "儿子", "女儿"})
CHILD_OF_MEMBER_WORDS: Words = (
    "makes a son or daughter as old as the parent, or older",
    "子女的年龄不小于父母",
    "check both dates of birth and the relation",
    "请核对双方出生日期和关系",
)
PARENT_OF_MEMBER_WORDS: Words = (
    "makes a parent as young as the son or daughter, or younger",
    "父母的年龄不大于子女",
    "check both dates of birth and the relation",
    "请核对双方出生日期和关系",
)
YOUNGER_WORDS: Words = (
    "makes a child or grandchild as old as the head of the household, or older",
    "子女或孙辈的年龄不小于户主",
    "check both dates of birth and the relation",
    "请核对双方出生日期和关系",
)
ELDER_WORDS: Words = (
    "makes a parent or grandparent as young as the head of the household, or younger",
    "父母或祖辈的年龄不大于户主",
    "check both dates of birth and the relation",
    "请核对双方出生日期和关系",
)
YOUNGER = frozenset({"child", "grandchild"})
ELDER = frozenset({"parent", "grandparent"})


def _contradicts(member: Member, head: Member) -> bool:
    if member.relation in YOUNGER:
        return member.birth <= head.birth
    return member.relation in ELDER and member.birth >= head.birth


OLDEST_YEARS = 130


def _days(household: Household) -> Iterator[FieldProblem]:
    oldest = household.as_of.year - OLDEST_YEARS
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
        elif day is not None and day.year < oldest:
            yield _said(
                field,
                (
                    f"lies more than {OLDEST_YEARS} years back",
                    f"距今超过{OLDEST_YEARS}年",
                    "check the year",
                    "请核对年份",
                ),
            )


def _before_birth(household: Household) -> Iterator[FieldProblem]:
    for index, member in enumerate(household.members):
        days = {f"enrolments.{place}.since": one.since for place, one in enumerate(member.enrolments)}
        if member.whereabouts.since is not None:
            days["whereabouts.since"] = member.whereabouts.since
        for field, day in days.items():
            if day < member.birth:
                yield _said(
                    f"members.{index}.{field}",
                    (
                        f"lies before the birth ({member.birth})",
                        f"早于出生日期（{member.birth}）",
                        "check both dates",
                        "请核对两个日期",
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
