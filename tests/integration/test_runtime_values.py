"""Values that PostgreSQL cannot hold are the sender's to correct; none of them is an error of ours."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from onedoor.contracts.core import SYSTEM, Envelope
from onedoor.contracts.events.case import CaseWithdrawn
from onedoor.runtime import problems
from onedoor.runtime.settings import Settings
from onedoor.runtime.store import EventStore
from onedoor.runtime.tokens import BadToken, ensure_dev_key, verify
from tests.integration.toy import TOY


@pytest.fixture
async def client(database: str) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    problems.install(app)

    @app.get("/echo")
    async def echo(text: str = "", number: int = 0, moment: datetime | None = None) -> None:
        conn = await asyncpg.connect(database)
        try:
            await conn.fetchval(
                "select ($1::text, $2::bigint, $3::timestamptz) is null", text, number, moment
            )
        finally:
            await conn.close()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    "query",
    ["text=a%00b", f"number={10**30}", "moment=0001-01-01T00:00:00%2B08:00"],
    ids=["nul", "int", "time"],
)
async def test_a_value_that_cannot_be_stored_is_422(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/echo?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "value-cannot-be-stored")


@pytest.mark.parametrize(
    "token",
    [
        "eyJhbGciOiJIUzI1NiIsImNyaXQiOjF9.e30.AA",  # {"alg":"HS256","crit":1}
        "W10.e30.AA",  # []
        "bnVsbA.e30.AA",  # null
        "eyJhbGciOjF9.e30.AA",  # {"alg":1}
        "a.b.c",
        "",
    ],
)
def test_a_malformed_token_is_a_bad_token(tmp_path: Path, token: str) -> None:
    settings = Settings(environment="test", dev_key=ensure_dev_key(tmp_path / "key"))
    with pytest.raises(BadToken):
        verify(token, settings)


def withdrawn(reason: str) -> CaseWithdrawn:
    return CaseWithdrawn(
        service="assistance",
        case_id=UUID(int=1),
        chain_id=UUID(int=2),
        application_id=UUID(int=3),
        reason=reason,
    )


def envelope(data: CaseWithdrawn) -> Envelope:
    return Envelope(
        id=UUID(int=9),
        source="toy",
        subject=UUID(int=1),
        time=datetime.fromisoformat("2026-03-01T00:00Z"),
        key=data.key(),
        data=data,
        actor=SYSTEM,
    )


class NoConnection:
    async def execute(self, *args: object) -> None:
        raise AssertionError("nothing may be stored")


async def append(event: Envelope) -> None:
    no_connection: Any = NoConnection()
    await EventStore(TOY).write(no_connection, [("count", 1, event)])


async def test_an_events_size_is_counted_in_bytes() -> None:
    with pytest.raises(ValueError, match="larger"):
        await append(envelope(withdrawn("救" * 400_000)))


async def test_an_event_on_a_topic_that_is_not_its_own_is_not_stored() -> None:
    class Stray(CaseWithdrawn):
        def topic(self) -> str:
            return "intake.person"

    stray = Stray(**withdrawn("x").model_dump())
    with pytest.raises(ValueError, match="may not travel"):
        await append(envelope(stray))
