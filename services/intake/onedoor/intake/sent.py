"""What was sent, read with patience: any bytes become a form, its marks and its claims, or a problem."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fastapi import Request

from onedoor.intake.domain import id_number
from onedoor.intake.domain.entry import number_marks, with_births
from onedoor.intake.domain.known import PROTECTION_STAGE, Known
from onedoor.intake.views.applications import Details
from onedoor.intake.views.people import Identity
from onedoor.intake.views.sealed import Report
from onedoor.runtime.problems import FieldProblem, Problem, invalid
from onedoor.triage import ApplicationForm, FieldMark, FormProblems, parse_form
from onedoor.triage.application import Member, Subject
from onedoor.triage.form import reports_danger

DEPTH = 24
REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Sent:
    """A readable request for help. danger: it reports one, so that it is not refused for a field.

    marks: what could not be read or cannot be right; body: the bytes as they came.
    """

    form: ApplicationForm
    marks: tuple[FieldMark, ...]
    danger: bool
    late_entry_reason: str | None
    body: bytes
    repaired: bool

    def marked(self, mark: FieldMark | None) -> "Sent":
        """The same with one mark more."""
        return self if mark is None else replace(self, marks=(*self.marks, mark))


async def read_mapping(request: Request) -> tuple[bytes, dict[str, Any]]:
    """The body, and the JSON object that it is. Raises a 422 problem if it is none."""
    body = await request.body()
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        raise invalid([_NO_OBJECT])
    return body, _clean(raw, DEPTH)


def _clean(value: Any, depth: int) -> Any:
    """Without what PostgreSQL cannot store: NUL, lone surrogates, endless nesting."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        return None
    if isinstance(value, list):
        return [_clean(each, depth - 1) for each in value]
    return {_clean(key, 0): _clean(each, depth - 1) for key, each in value.items()}


def read_form(raw: Mapping[str, Any], body: bytes) -> Sent:
    """The form. Raises a 422 problem that names every field at fault, unless danger is reported."""
    told = dict(raw)
    danger = reports_danger(told)
    reason = told.pop("late_entry_reason", None)
    told.pop("earlier_applications", None)
    try:
        form, unread = parse_form(told)
    except FormProblems as error:
        raise problem_of(error.problems) from None
    marks = (*unread, *number_marks(form))
    if reason is not None and not isinstance(reason, str):
        marks, reason = (*marks, _NO_REASON), None
        if not danger:
            raise problem_of([_NO_REASON])
    return Sent(
        with_births(form),
        marks,
        danger,
        (reason or "").strip()[:REASON_LENGTH] or None,
        body,
        repaired=bool(unread),
    )


def problem_of(marks: tuple[FieldMark, ...] | list[FieldMark]) -> Problem:
    """Marks as a problem that refuses."""
    return invalid([field_problem(mark) for mark in marks])


def field_problem(mark: FieldMark) -> FieldProblem:
    """A mark in the words of the HTTP conventions."""
    return FieldProblem(
        field=mark.field,
        problem=mark.problem,
        remedy=mark.remedy,
        problem_zh=mark.problem_zh,
        remedy_zh=mark.remedy_zh,
        allowed=list(mark.allowed) or None,
    )


def identities(form: ApplicationForm, known: Known) -> list[Identity]:
    """What the form says of its subjects' identity, under the ids that `known` gives them.

    A number told twice belongs to the first; the second person keeps it as not valid.
    """
    told: list[Identity] = []
    numbers: set[str] = set()
    for subject, coded in zip(form.subjects, known.subjects, strict=True):
        minor = coded.age is not None and coded.age < 18
        told.append(_identity(subject, coded.person_id, minor, form.household.address, numbers))
    return told


def members(form: ApplicationForm, ids: list[UUID], today_year: int) -> list[Identity]:
    """The members of the household who are not subjects."""
    if not form.household.members:
        return []
    numbers: set[str] = {
        id_number.read(subject.id_number).number for subject in form.subjects if subject.id_number
    }
    return [
        _identity(member, id_, _young(member, today_year), form.household.address, numbers)
        for member, id_ in zip(form.household.members, ids, strict=True)
    ]


def _young(member: Member, year: int) -> bool:
    return member.birth is not None and year - member.birth.year < 18


def _identity(
    told: Subject | Member, id_: UUID, minor: bool, address: str | None, numbers: set[str]
) -> Identity:
    number = id_number.read(told.id_number) if told.id_number else None
    valid = number is not None and number.valid and number.number not in numbers
    if number is not None and valid:
        numbers.add(number.number)
    subject = told if isinstance(told, Subject) else None
    return Identity(
        person_id=id_,
        id_number=(number.number or None) if number else None,
        id_valid=valid,
        name=told.name or None,
        aliases=subject.aliases if subject else (),
        sex=told.sex or (number.sex if number else None),
        birth=told.birth or (number.birth if number else None),
        phone=told.phone or None,
        address=address or None,
        guardian=subject.guardian if subject else None,
        school_name=subject.school_name if subject else None,
        minor=minor,
    )


def details(sent: Sent, known: Known, believed: bool) -> Details:
    """What stays at intake of this form, all of it."""
    form = sent.form
    people = {
        str(coded.person_id): subject.model_dump(
            mode="json", include={"phone", "guardian", "school_name"}, exclude_none=True
        )
        for subject, coded in zip(form.subjects, known.subjects, strict=True)
    }
    home = {"home_address": form.household.address} if form.household.address else {}
    return Details(
        facts_text=form.facts_text or None,
        place=form.place.model_dump(mode="json", exclude_none=True),
        contact=form.contact.model_dump(mode="json", exclude_none=True),
        people={id_: told for id_, told in people.items() if told} | home,
        claims={} if believed else claims(form),
        marks=sent.marks,
        late_entry_reason=sent.late_entry_reason,
    )


def claims(form: ApplicationForm) -> dict[str, Any]:
    """What the caller says that only the bureau can know."""
    told: dict[str, Any] = {}
    if form.stages:
        told["stages"] = [stage.model_dump(mode="json", exclude_defaults=True) for stage in form.stages]
    if form.household.tier:
        told["household_tier"] = form.household.tier
    return told


def without_sealed(details: Details) -> Details:
    """What of the details the household's part may show where another part is sealed: no prose, no place."""
    told = {
        name: [each for each in value if each["kind"] != PROTECTION_STAGE] if name == "stages" else value
        for name, value in details.claims.items()
    }
    return Details(claims={name: value for name, value in told.items() if value})


def report(sent: Sent, known: Known) -> Report:
    """What is to be sealed: who told it, how they stand to the people, and their own words."""
    caller = sent.form.caller
    relations = {
        str(coded.person_id): subject.relation
        for subject, coded in zip(sent.form.subjects, known.subjects, strict=True)
        if subject.relation
    }
    return Report(
        name=caller.name or None,
        phone=caller.phone or None,
        caller_role=caller.role,
        statement=sent.form.statement or None,
        safe_to_call=caller.safe_to_call,
        anonymous=caller.anonymous,
        wants_reply=caller.wants_reply,
        relations=relations,
        unread=sent.body if sent.repaired else None,
    )


_NO_OBJECT = FieldProblem(
    field="body",
    problem="is not a JSON object",
    remedy="Send one JSON object in UTF-8.",
    problem_zh="不是 JSON 对象",
    remedy_zh="请发送一个 UTF-8 编码的 JSON 对象。",
)
_NO_REASON = FieldMark(
    field="late_entry_reason",
    problem="is not a text",
    problem_zh="不是文本",
    remedy="Write the reason as text.",
    remedy_zh="请用文字填写补录原因。",
)
