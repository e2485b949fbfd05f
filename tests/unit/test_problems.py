"""Every error is a problem with a stable type, words that help, and no input."""

from typing import Any, Literal
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field, field_validator

from onedoor.contracts.core import Refusal
from onedoor.runtime import problems
from onedoor.runtime.http import CommandBody, answer, not_found
from onedoor.runtime.problems import FieldFault, Problem
from onedoor.runtime.unit import Outcome, StaleVersion

PLANTED = "张铁柱500112199001011234"


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    age: int
    school: Literal["dropped_out", "not_enrolled"] = "dropped_out"


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    subjects: list[Inner]
    note: str = Field(default="", max_length=5)
    division: str = "500112015"

    @field_validator("division")
    @classmethod
    def _known(cls, value: str) -> str:
        if value.startswith("500"):
            return value
        raise FieldFault(
            "is no division of the city", "Choose one.", "不是本市区划", "请选择。", ["500112015"]
        )


class Whole(BaseModel):
    state: str = "open"
    secret: str = PLANTED


RAISED: dict[str, Exception] = {
    "problem": Problem(409, "toy.busy", "Busy", "Wait.", "请稍候。"),
    "stale": StaleVersion(UUID(int=1), 2, 3, Whole()),
    "http": HTTPException(418, detail=PLANTED),
    "connection": ConnectionRefusedError(PLANTED),
    "timeout": TimeoutError(PLANTED),
    "closed": asyncpg.InterfaceError("pool is closing"),
    "shutdown": asyncpg.AdminShutdownError(PLANTED),
    "deadlock": asyncpg.DeadlockDetectedError(PLANTED),
    "misuse": asyncpg.InterfaceError("the server expects 2 arguments"),
    "value": ValueError(PLANTED),
}
STATUS = {
    "problem": 409, "stale": 412, "http": 418, "connection": 503, "timeout": 503, "closed": 503,
    "shutdown": 503, "deadlock": 503, "misuse": 500, "value": 500,
}  # fmt: skip


def application() -> FastAPI:
    app = FastAPI(responses=problems.RESPONSES)
    problems.install(app)

    @app.post("/things/{number}")
    async def post(number: int, body: Body) -> None:
        return None

    @app.get("/raise/{name}")
    async def raises(name: str) -> None:
        raise RAISED[name]

    @app.get("/missing")
    async def missing() -> None:
        not_found()

    return app


@pytest.fixture
async def client() -> Any:
    transport = httpx.ASGITransport(application())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def checked(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["type"] == f"urn:onedoor:problem:{body['code']}"
    assert body["title"]
    assert body["detail"]
    assert body["detail_zh"]
    for part in ("张铁柱", "500112199001011234"):
        assert part not in response.text
    return body


@pytest.mark.parametrize("name", RAISED)
async def test_what_is_raised_becomes_a_problem(client: httpx.AsyncClient, name: str) -> None:
    body = checked(await client.get(f"/raise/{name}"), STATUS[name])
    assert (body["code"] == "try-again") == (STATUS[name] == 503)


async def test_an_unreachable_database_says_when_to_come_back(client: httpx.AsyncClient) -> None:
    response = await client.get("/raise/connection")
    assert int(response.headers["retry-after"]) > 0
    assert "Idempotency-Key" in response.json()["detail"]


async def test_a_stale_version_tells_what_is_stored(client: httpx.AsyncClient) -> None:
    response = await client.get("/raise/stale")
    assert response.headers["etag"] == '"3"'
    assert checked(response, 412)["stored"] == {"id": str(UUID(int=1)), "version": 3, "state": "open"}


async def test_unknown_and_invisible_look_alike(client: httpx.AsyncClient) -> None:
    nowhere, hidden = await client.get("/nowhere"), await client.get("/missing")
    assert nowhere.content == hidden.content
    checked(hidden, 404)


async def test_a_wrong_method_names_the_right_ones(client: httpx.AsyncClient) -> None:
    response = await client.delete("/things/1")
    checked(response, 405)
    assert response.headers["allow"] == "POST"


async def test_fields_are_named_without_their_input(client: httpx.AsyncClient) -> None:
    body = {
        "subjects": [{"age": PLANTED, "school": PLANTED}, {"age": 3, PLANTED: 1, "sex_": 2}],
        "note": PLANTED,
        "division": PLANTED,
    }
    found = checked(await client.post("/things/1", json=body), 422)
    assert found["code"] == "invalid-request"
    by_field = {error["field"]: error for error in found["errors"]}
    assert set(by_field) == {
        "subjects[0].age",
        "subjects[0].school",
        "subjects[1].(unknown)",
        "subjects[1].sex_",
        "note",
        "division",
    }
    assert by_field["subjects[0].school"]["allowed"] == ["dropped_out", "not_enrolled"]
    assert by_field["division"] == {
        "field": "division",
        "problem": "is no division of the city",
        "remedy": "Choose one.",
        "problem_zh": "不是本市区划",
        "remedy_zh": "请选择。",
        "allowed": ["500112015"],
    }
    assert by_field["subjects[1].sex_"]["problem_zh"] == "请求中没有此项"
    for error in found["errors"]:
        assert error["remedy"]
        assert error["remedy_zh"]


async def test_a_parameter_and_a_missing_field(client: httpx.AsyncClient) -> None:
    found = checked(await client.post("/things/many", json={}), 422)
    assert {error["field"] for error in found["errors"]} == {"number", "subjects"}


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", PLANTED.encode()])
async def test_no_json(client: httpx.AsyncClient, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = await client.post("/things/1", content=content, headers=headers)
    checked(response, response.status_code)
    assert response.status_code in (400, 422)


def _outcome(refusal: Refusal | None) -> Outcome:
    return Outcome(UUID(int=1), (), refusal, 4, None)


@pytest.mark.parametrize(("field", "status"), [(None, 409), ("until", 422)])
def test_a_refusal_is_a_problem_with_its_reason(field: str | None, status: int) -> None:
    response = answer(_outcome(Refusal("referral.closed", "It is closed.", "已办结。", field)))
    assert response.status_code == status
    assert b"urn:onedoor:problem:referral.closed" in response.body
    assert "已办结" in bytes(response.body).decode()


def test_an_answer_carries_its_version() -> None:
    response = answer(_outcome(None), 201, {"id": 1})
    assert (response.status_code, response.body, response.headers["etag"]) == (201, b'{"id":1}', '"4"')
    assert "onedoor-event" not in response.headers


def test_a_moment_without_offset_is_meant_in_shanghai() -> None:
    assert str(CommandBody.model_validate({"until": "2026-02-13"}).until) == "2026-02-13 00:00:00+08:00"
    assert (
        str(CommandBody.model_validate({"until": "2026-02-13T01:00:00Z"}).until)
        == "2026-02-13 01:00:00+00:00"
    )


async def test_openapi_documents_problems_and_resolves(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    responses = document["paths"]["/things/{number}"]["post"]["responses"]
    assert set(responses) == {"200", "default"}
    schema = responses["default"]["content"]["application/problem+json"]["schema"]
    assert schema["properties"]["errors"]["items"]["properties"]["remedy_zh"]
    assert "$defs" not in str(document)
