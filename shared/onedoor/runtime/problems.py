"""Errors over HTTP as RFC 9457 problems: a stable type, a sentence that says what to do, never an input."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onedoor.runtime import database
from onedoor.runtime.description import in_one_piece
from onedoor.runtime.unit import StaleVersion

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "5"

log = logging.getLogger(__name__)


class FieldProblem(BaseModel):
    """What is wrong with one field and what to do about it; `allowed` lists the values of a closed list."""

    field: str
    problem: str
    remedy: str
    problem_zh: str
    remedy_zh: str
    allowed: list[str] | None = None


class ProblemBody(BaseModel):
    """The body of every error (RFC 9457), with `code`, Chinese sentences and problems by field added."""

    type: str
    status: int
    code: str
    title: str
    detail: str
    detail_zh: str
    errors: list[FieldProblem] = []


RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem (RFC 9457)",
        "content": {MEDIA_TYPE: {"schema": in_one_piece(ProblemBody)}},
    }
}
"""For `FastAPI(responses=...)`: every operation may answer with a problem."""


class Problem(Exception):
    """An answer other than the wished one. `extra` adds members to the body, `headers` to the response."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        detail_zh: str = "",
        errors: Sequence[FieldProblem] = (),
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.headers = dict(headers or {})
        self.body = ProblemBody(
            type=f"urn:onedoor:problem:{code}",
            status=status,
            code=code,
            title=title,
            detail=detail or title,
            detail_zh=detail_zh,
            errors=list(errors),
        )
        self.extra = dict(extra or {})

    def response(self) -> Response:
        """The problem as a response."""
        content = {**self.body.model_dump(mode="json", exclude_none=True), **self.extra}
        return Response(
            json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(),
            self.status,
            self.headers,
            MEDIA_TYPE,
        )


class FieldFault(ValueError):
    """Raised by a validator of a request model to say in its own words what is wrong with the field."""

    def __init__(
        self,
        problem: str,
        remedy: str,
        problem_zh: str,
        remedy_zh: str,
        allowed: Sequence[str] | None = None,
    ) -> None:
        super().__init__(problem)
        self.words = (problem, remedy, problem_zh, remedy_zh)
        self.allowed = None if allowed is None else list(allowed)


Words = tuple[str, str, str, str]

_WORDS: Mapping[str, Words] = {
    "missing": ("is missing", "Add the field.", "缺少此项", "请补充此项。"),
    "extra_forbidden": (
        "is not a field of this request",
        "Leave it out, or correct its name.",
        "请求中没有此项",
        "请删除此项或更正名称。",
    ),
    "json_invalid": (
        "is not valid JSON",
        "Send one JSON object.",
        "不是有效的 JSON",
        "请发送一个 JSON 对象。",
    ),
    "literal_error": (
        "is not one of the allowed values",
        "Use one of the allowed values.",
        "取值不在允许范围内",
        "请使用允许的取值。",
    ),
    "string_too_short": ("is too short", "Fill it in.", "内容过短", "请填写完整。"),
    "string_too_long": ("is too long", "Shorten it.", "内容过长", "请缩短内容。"),
    "string_pattern_mismatch": (
        "is not written as it should be",
        "Check how it is written.",
        "格式不正确",
        "请核对写法。",
    ),
    "timezone_aware": (
        "has no time zone",
        "Add an offset such as +08:00.",
        "缺少时区",
        "请加上时区，例如 +08:00。",
    ),
}
_FAMILIES: Sequence[tuple[str, Words]] = (
    ("enum", _WORDS["literal_error"]),
    ("uuid", ("is not an id", "Use the id as it was given.", "不是有效的编号", "请使用系统给出的编号。")),
    ("date", ("is not a date or moment", "Write it as 2026-02-13 or 2026-02-13T09:00:00+08:00.",
              "不是有效的日期或时间", "请写作 2026-02-13 或 2026-02-13T09:00:00+08:00。")),
    ("int", ("is not a whole number", "Use a whole number.", "不是整数", "请填写整数。")),
    ("float", ("is not a number", "Use a number.", "不是数字", "请填写数字。")),
    ("bool", ("is neither true nor false", "Use true or false.", "不是布尔值", "请填写 true 或 false。")),
    ("string", ("is not a text", "Use a text.", "不是文本", "请填写文本。")),
    ("greater", ("is too small", "Use a larger value.", "数值过小", "请填写更大的数值。")),
    ("less", ("is too large", "Use a smaller value.", "数值过大", "请填写更小的数值。")),
    ("too_", ("has too few or too many entries", "Correct the number of entries.", "条目数量不符",
              "请更正条目数量。")),
    ("list", ("is not a list", "Use a list.", "不是列表", "请使用列表。")),
    ("tuple", ("is not a list", "Use a list.", "不是列表", "请使用列表。")),
    ("model", ("is not an object", "Use an object.", "不是对象", "请使用对象。")),
    ("dict", ("is not an object", "Use an object.", "不是对象", "请使用对象。")),
)  # fmt: skip
_OTHER: Words = ("is not acceptable", "Correct the value.", "内容不符合要求", "请更正此项。")
_SAFE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_QUOTED = re.compile(r"'([^']*)'")
_PLACES = ("body", "query", "path", "header", "cookie")


def field_path(location: Sequence[str | int]) -> str:
    """`("body", "subjects", 0, "facts")` as `subjects[0].facts`; a part that may be an input is left out."""
    inner = location[1:] if len(location) > 1 and location[0] in _PLACES else location
    path = ""
    for part in inner:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += ("." if path else "") + (part if _SAFE_NAME.fullmatch(part) else "(unknown)")
    return path


def _words(kind: str) -> Words:
    if kind in _WORDS:
        return _WORDS[kind]
    return next((words for family, words in _FAMILIES if kind.startswith(family)), _OTHER)


def _allowed(error: Mapping[str, Any]) -> list[str] | None:
    """The closed list that pydantic names in `expected`; it stems from the schema, not from the request."""
    if error["type"] not in ("literal_error", "enum"):
        return None
    return _QUOTED.findall(str(error.get("ctx", {}).get("expected", ""))) or None


def field_problem(error: Mapping[str, Any]) -> FieldProblem:
    """One error of pydantic as a field problem, without the input."""
    location = ("body",) if error["type"] == "json_invalid" else error["loc"]
    fault = error.get("ctx", {}).get("error")
    own = fault if isinstance(fault, FieldFault) else None
    problem, remedy, problem_zh, remedy_zh = own.words if own else _words(error["type"])
    return FieldProblem(
        field=field_path(location),
        problem=problem,
        remedy=remedy,
        problem_zh=problem_zh,
        remedy_zh=remedy_zh,
        allowed=own.allowed if own else _allowed(error),
    )


def invalid(errors: Sequence[FieldProblem]) -> Problem:
    """422: fields of the request are wrong."""
    return Problem(
        422,
        "invalid-request",
        "The request has fields that cannot be taken as they are",
        "Correct the fields named below and send the request again.",
        "请更正下列各项后重新提交。",
        errors,
    )


def unstorable() -> Problem:
    """422: PostgreSQL cannot hold a value: a NUL in a text, a number or a moment out of range."""
    return Problem(
        422,
        "value-cannot-be-stored",
        "The request holds a value that cannot be stored",
        "Look for control characters and for numbers or dates far out of range, and correct them.",
        "请求中有无法保存的内容，请检查控制字符以及超出范围的数字或日期。",
    )


def unreachable() -> Problem:
    """503: PostgreSQL is away. Whether a commit got through just before is not known, hence the key."""
    return Problem(
        503,
        "try-again",
        "The service cannot reach its database",
        "Nothing was confirmed as stored. Try again in a few seconds with the same Idempotency-Key.",
        "未确认保存任何内容，请稍后使用同一 Idempotency-Key 重试。",
        headers={"Retry-After": RETRY_AFTER},
    )


def stale(error: StaleVersion) -> Problem:
    """412: somebody else changed it meanwhile; `stored` says what is there now."""
    return Problem(
        412,
        "stale-version",
        "It has been changed meanwhile",
        "Read it again, then decide whether your change still fits.",
        "内容已被他人更新，请重新读取后再操作。",
        headers={"ETag": f'"{error.version}"'},
        extra={"stored": {"id": str(error.target), "version": error.version, "state": _state(error.state)}},
    )


def _state(state: object) -> str | None:
    """The word for where the thing stands; the rest of it may be more than the caller may see."""
    word = getattr(state, "state", None)
    return word if isinstance(word, str) else None


def unexpected() -> Problem:
    """500: an error of ours."""
    return Problem(
        500,
        "unexpected",
        "An unexpected error",
        "The error is recorded. Nothing was stored. If it happens again, tell the operators.",
        "系统出现意外错误，已记录，未保存任何内容；如再次出现请联系运维人员。",
    )


_BY_STATUS: Mapping[int, tuple[str, str, str, str]] = {
    401: ("not-signed-in", "Not signed in", "Sign in and try again.", "请登录后重试。"),
    403: ("not-allowed", "Not allowed", "Your role does not allow this.", "您的角色无权进行此操作。"),
    404: ("not-found", "Not found", "Check the address and the id.", "未找到，请核对地址和编号。"),
    405: ("method-not-allowed", "Method not allowed", "Use one of the methods in the header Allow.",
          "请使用 Allow 标头列出的方法。"),
    413: ("too-large", "Too large", "Send less.", "内容过大，请减少后再提交。"),
}  # fmt: skip


def for_status(status: int, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem for a bare HTTP status."""
    code, title, detail, detail_zh = _BY_STATUS.get(
        status, (f"http-{status}", "The request cannot be answered", "Check the request.", "请核对请求。")
    )
    return Problem(status, code, title, detail, detail_zh, headers=headers)


def out_of_reach(error: BaseException) -> bool:
    """Whether PostgreSQL is away, busy or in conflict, which passes."""
    return database.out_of_reach(error) or isinstance(error, database.PASSING)


def problem_of(error: Exception) -> Problem:
    """Any exception as the problem that the caller gets to see."""
    match error:
        case Problem():
            return error
        case StaleVersion():
            return stale(error)
        case RequestValidationError():
            return invalid([field_problem(each) for each in error.errors()])
        case HTTPException():
            return for_status(error.status_code, error.headers)
        case asyncpg.DataError():
            return unstorable()
        case _ if out_of_reach(error):
            return unreachable()
        case _:
            return unexpected()


class LastResort:
    """ASGI middleware: whatever was raised and not yet answered becomes a problem, and is logged."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            problem = problem_of(error)
            self._log(error, problem, scope)
            if started:
                raise
            await problem.response()(scope, receive, send)

    def _log(self, error: Exception, problem: Problem, scope: Scope) -> None:
        details = {"error": type(error).__name__, "status": problem.status, "method": scope["method"]}
        if problem.status == 500:
            log.error("request failed", extra=details, exc_info=error)
        elif problem.status == 503:
            log.warning("postgres unreachable", extra=details)
        elif problem.status == 422:
            log.warning("value cannot be stored", extra=details, exc_info=error)


async def _answer(request: Request, error: Exception) -> Response:
    return problem_of(error).response()


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""
    for kind in (Problem, StaleVersion, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)
    app.add_middleware(LastResort)
