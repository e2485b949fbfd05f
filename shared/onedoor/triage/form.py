"""Reading an application: strictly, except that a report of danger is never refused.

Where the body reports danger, what cannot be read is left out and marked, and a danger fact with an
unreadable value counts as reported: a mistake in a form must not cost a child the night.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from onedoor.triage.application import (
    ApplicationForm,
    Caller,
    Consent,
    Contact,
    Disability,
    EarlierApplication,
    Emergency,
    Facts,
    Household,
    Member,
    Parent,
    Place,
    Stage,
    Subject,
    Suspected,
)

Loc = tuple[str | int, ...]


class FieldMark(BaseModel):
    """One field that could not be read: its path, what is wrong, the values allowed, what to do next."""

    model_config = ConfigDict(frozen=True)

    field: str
    problem: str
    problem_zh: str
    allowed: tuple[str, ...] = ()
    remedy: str
    remedy_zh: str


class FormProblems(ValueError):
    """The application cannot be taken as it is; `problems` says why, field by field."""

    def __init__(self, problems: Sequence[FieldMark]) -> None:
        super().__init__("; ".join(_sentence(mark) for mark in problems))
        self.problems = tuple(problems)


def parse_form(raw: object) -> tuple[ApplicationForm, tuple[FieldMark, ...]]:
    """The form that `raw` (a decoded JSON or YAML mapping) says, and what could not be read of it.

    Raises FormProblems for anything unreadable, unless danger is reported: then nothing is refused and the
    unreadable fields come back as marks. Keep the raw body sealed beside the form in that case.
    """
    if not isinstance(raw, Mapping):
        raise FormProblems([_NO_MAPPING])
    body = _plain(raw)
    try:
        form = ApplicationForm.model_validate(body)
    except ValidationError as error:
        if not reports_danger(body):
            raise FormProblems(_marks(error)) from None
        return _repaired(body)
    if not form.has_anything_to_go_on:
        raise FormProblems([_NOTHING_TO_GO_ON])
    return form, ()


def reports_danger(raw: Mapping[str, Any]) -> bool:
    """Whether the unread body reports a danger, as far as one can see without trusting its form."""
    return _said(raw.get("emergency")) or any(map(_in_danger, _listed(raw.get("subjects"))))


ALWAYS_DANGER = frozenset(
    {"alone", "suspected_harm", "violence", "acute_illness", "mental_crisis", "unseen"},
)
DANGER_TO_MINORS = frozenset({"begging", "street"})
_CUSTODY = frozenset({"detention", "prison", "forced_detox"})
_NOT_SAID = frozenset({"", "0", "false", "no", "unknown", "none", "null"})


def _said(value: object) -> bool:
    return bool(value) and str(value).strip().lower() not in _NOT_SAID


def _listed(value: object) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    return [value] if isinstance(value, Mapping) else []


def _in_danger(subject: object) -> bool:
    if not isinstance(subject, Mapping):
        return False
    facts = _facts_of(subject.get("facts"))
    if any(_said(facts.get(name)) for name in ALWAYS_DANGER):
        return True
    if not _may_be_minor(subject):
        return False
    parents = (parent for parent in _listed(facts.get("parents")) if isinstance(parent, Mapping))
    return any(_said(facts.get(name)) for name in DANGER_TO_MINORS) or any(
        parent.get("status") in _CUSTODY for parent in parents
    )


def _facts_of(facts: object) -> Mapping[str, Any]:
    if isinstance(facts, Mapping):
        return facts
    return dict.fromkeys(map(str, facts), True) if isinstance(facts, list) else {}


def _may_be_minor(subject: Mapping[str, Any]) -> bool:
    for key in ("age", "age_about"):
        try:
            return int(subject[key]) < 18
        except (KeyError, TypeError, ValueError):
            continue
    return True


_GONE = object()


def _repaired(body: dict[str, Any]) -> tuple[ApplicationForm, tuple[FieldMark, ...]]:
    """Each round puts right or takes out what is unreadable: the body shrinks until it can be read."""
    marks: dict[str, FieldMark] = {}
    while True:
        try:
            return ApplicationForm.model_validate(body), tuple(marks.values())
        except ValidationError as error:
            for details in error.errors(include_url=False):
                mark = _mark(details)
                marks.setdefault(mark.field, mark)
                _mend(body, details)
            body = _pruned(body)


def _mend(body: dict[str, Any], details: ErrorDetails) -> None:
    loc = details["loc"]
    if details["type"] == "missing" and loc != ("emergency", "kind"):
        loc = loc[:-1]
    *path, key = loc
    container: Any = body
    for step in path:
        container = container[step]
        if container is _GONE:
            return
    container[key] = _instead(loc, None if details["type"] == "missing" else container[key])


def _instead(loc: Loc, value: object) -> object:
    """What to read in place of an unreadable value; mostly nothing."""
    path = tuple(step for step in loc if isinstance(step, str))
    if path == ("emergency",):
        return {"kind": value}
    if path == ("emergency", "kind"):
        return "other_sudden"
    if path in (("subjects",), ("subjects", "facts", "parents")) and isinstance(value, Mapping):
        return [value]
    if path == ("subjects", "facts") and len(loc) == 3 and isinstance(value, list):
        return _facts_of(value)
    if path[:2] == ("subjects", "facts") and path[-1] in ALWAYS_DANGER | DANGER_TO_MINORS and _said(value):
        return True
    return _GONE


def _plain(value: Any) -> Any:
    """A copy in plain mappings with text keys and lists (YAML 1.1 reads a key `no` as false)."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _pruned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _pruned(part) for key, part in value.items() if part is not _GONE}
    if isinstance(value, list | tuple):
        return [_pruned(part) for part in value if part is not _GONE]
    return value


_MODELS: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): ApplicationForm,
    ("caller",): Caller,
    ("place",): Place,
    ("contact",): Contact,
    ("household",): Household,
    ("household", "members"): Member,
    ("consent",): Consent,
    ("suspected",): Suspected,
    ("emergency",): Emergency,
    ("earlier_applications",): EarlierApplication,
    ("stages",): Stage,
    ("subjects",): Subject,
    ("subjects", "facts"): Facts,
    ("subjects", "facts", "parents"): Parent,
    ("subjects", "facts", "disability"): Disability,
}

_SAYINGS: Mapping[str, tuple[str, str, str, str]] = {
    "extra_forbidden": (
        "is not a field of the application",
        "没有这个字段",
        "use one of the allowed fields or leave it out",
        "请改用允许的字段，或删去",
    ),
    "literal_error": (
        "is not one of the allowed values",
        "不在允许的取值之内",
        "choose one of the allowed values",
        "请选用允许的取值",
    ),
    "missing": ("is missing", "缺少", "fill it in", "请补填"),
    "date": (
        "is not a date or moment",
        "不是日期或时刻",
        "write 2026-02-13 or 2026-02-13T09:00+08:00",
        "请写作 2026-02-13 或 2026-02-13T09:00+08:00",
    ),
    "bool": ("is neither true nor false", "须为 true 或 false", "leave it out if unknown", "不清楚可不填"),
    "number": ("is not a number in range", "不是范围内的数字", "leave it out if unknown", "不清楚可不填"),
    "text": ("is not text of the right form", "格式不对", "write it as quoted text", "请按规定格式填写"),
    "list": ("is not a list", "须为列表", "put the entries in a list", "请写成列表"),
    "mapping": ("is not a mapping of fields", "须为一组字段", "give its fields by name", "请逐个字段填写"),
}


def _saying(kind: str) -> tuple[str, str, str, str]:
    if kind in _SAYINGS:
        return _SAYINGS[kind]
    families = (
        (("bool",), "bool"),
        (("int", "float", "greater", "less"), "number"),
        (("tuple", "list"), "list"),
        (("model", "dict"), "mapping"),
        (("string",), "text"),
    )
    return _SAYINGS[next((name for starts, name in families if kind.startswith(starts)), "date")]


def _marks(error: ValidationError) -> list[FieldMark]:
    return [_mark(details) for details in error.errors(include_url=False)]


def _mark(details: ErrorDetails) -> FieldMark:
    kind = details["type"]
    if kind == "value_error" and "not a number" in details["msg"]:
        kind = "int"
    problem, problem_zh, remedy, remedy_zh = _saying(kind)
    return FieldMark(
        field=_path(details["loc"]),
        problem=problem,
        problem_zh=problem_zh,
        allowed=_allowed(details),
        remedy=remedy,
        remedy_zh=remedy_zh,
    )


def _allowed(details: ErrorDetails) -> tuple[str, ...]:
    if details["type"] == "literal_error":
        return tuple(re.findall(r"'([^']+)'", details["ctx"]["expected"]))
    if details["type"] == "extra_forbidden":
        parents = tuple(step for step in details["loc"][:-1] if isinstance(step, str))
        return tuple(_MODELS[parents].model_fields)
    return ()


def _path(loc: Iterable[str | int]) -> str:
    """As people write it: `subjects[0].facts.school`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).lstrip(".")


def _sentence(mark: FieldMark) -> str:
    allowed = f" (allowed: {', '.join(mark.allowed)})" if mark.allowed else ""
    return f"{mark.field}: {mark.problem}{allowed}; {mark.remedy} / {mark.problem_zh}；{mark.remedy_zh}"


def _whole(field: str, key: str) -> FieldMark:
    problem, problem_zh, remedy, remedy_zh = _SAYINGS[key]
    return FieldMark(field=field, problem=problem, problem_zh=problem_zh, remedy=remedy, remedy_zh=remedy_zh)


_NO_MAPPING = _whole("application", "mapping")
_NOTHING_TO_GO_ON = FieldMark(
    field="place",
    problem="nothing says where, who or what: no place, no contact, no fact",
    problem_zh="没有地点、联系方式，也没有任何情况",
    remedy="give a place, a contact or a fact",
    remedy_zh="请至少填写地点、联系方式、情况之一",
)
