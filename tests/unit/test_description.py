"""The OpenAPI description names the headers that commands heed, wherever in their code they do."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from onedoor.runtime import http, idempotency, logs
from onedoor.runtime.http import describe, expected_version, idempotent
from onedoor.runtime.problems import Problem
from onedoor.runtime.settings import Settings


async def directly(request: Request) -> Response:
    return await idempotent(request, None, None)  # type: ignore[arg-type]


async def by_a_module(request: Request) -> None:
    http.expected_version(request)


async def by_a_function_inside(request: Request) -> Response:
    async def handler(tx: Any) -> Any:
        return expected_version(request)

    return await http.idempotent(request, None, handler)  # type: ignore[arg-type]


async def by_another(request: Request) -> Response:
    return await directly(request)


def enclosing(inner: Callable[..., Any]) -> Callable[..., Any]:
    async def endpoint(request: Request) -> Any:
        return await inner(request)

    return endpoint


async def not_at_all(request: Request) -> None:
    """It only has a variable of that name."""
    idempotent = request.headers
    assert idempotent


for _function in (directly, by_a_module, by_a_function_inside, by_another, enclosing, not_at_all):
    _function.__module__ = "onedoor.tests"
KEY, MATCH = "Idempotency-Key", "If-Match"


def headers_of(*routers: APIRouter) -> list[str]:
    app = FastAPI()
    for router in routers:
        app.include_router(router)
    (operations,) = app.openapi()["paths"].values()
    parameters = operations["post"].get("parameters", [])
    return [parameter["name"] for parameter in parameters if parameter["in"] == "header"]


@pytest.mark.parametrize(
    ("endpoint", "headers"),
    [
        (directly, [KEY]),
        (by_a_module, [MATCH]),
        (by_a_function_inside, [KEY, MATCH]),
        (by_another, [KEY]),
        (enclosing(by_a_function_inside), [KEY, MATCH]),
        (not_at_all, []),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_header_is_described_where_it_is_heeded(
    endpoint: Callable[..., Any], headers: list[str], nested: bool
) -> None:
    endpoint.__module__ = "onedoor.tests"
    router = APIRouter()
    router.post("/thing", response_model=None)(endpoint)
    if nested:
        outer = APIRouter(prefix="/outer")
        outer.include_router(router)
        router = outer
    describe([router])
    describe([router])
    assert headers_of(router) == headers


def test_what_a_route_says_itself_stays() -> None:
    router = APIRouter()
    own = {"name": "X-Own", "in": "header", "schema": {"type": "string"}}
    router.post("/thing", response_model=None, openapi_extra={"parameters": [own], "x-more": 1})(directly)
    describe([router])
    assert headers_of(router) == ["X-Own", KEY]


@pytest.mark.parametrize(
    "text", ["*", "7", '"7"', 'W/"7"', " 7 ", "x", "-1", "1234567890", '"1", "2"', "", "٧"]
)
def test_the_pattern_of_if_match_is_what_is_taken(text: str) -> None:
    request: Any = SimpleNamespace(headers={"if-match": text})
    if re.search(http.IF_MATCH_PATTERN, text, re.ASCII):
        expected_version(request)
    else:
        with pytest.raises(Problem):
            expected_version(request)


@pytest.mark.parametrize(
    ("key", "taken"), [("a", True), ("a" * 200, True), ("a" * 201, False), ("a b", False)]
)
def test_the_pattern_of_a_key_is_what_is_taken(key: str, taken: bool) -> None:
    assert bool(re.search(idempotency.KEY_PATTERN, key)) is taken
    assert bool(idempotency._KEY.fullmatch(key)) is taken


def test_commands_of_a_real_service_name_both(monkeypatch: pytest.MonkeyPatch) -> None:
    from onedoor.notify.app import create_app

    monkeypatch.setattr(logs, "configure", lambda *_: None)
    paths = create_app(Settings(environment="test")).openapi()["paths"]
    told = paths["/v1/referrals/{referral_id}/acknowledge"]["post"]["parameters"]
    assert {KEY, MATCH} <= {parameter["name"] for parameter in told}
