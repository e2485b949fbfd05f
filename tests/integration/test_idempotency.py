"""The same Idempotency-Key is done once, whoever asks how often and at the same time."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response

from onedoor.runtime import database as db
from onedoor.runtime import idempotency, problems
from onedoor.runtime.clock import Clock
from onedoor.runtime.http import Answer, Staff, answer, expected_version, idempotent
from onedoor.runtime.settings import Settings
from onedoor.runtime.tokens import dev_token, ensure_dev_key
from onedoor.runtime.unit import Transaction, Unit
from tests.integration.toy import TOY, CountIt

MIGRATED = (TOY,)
CHAIN = UUID(int=1)


@dataclass
class Toy:
    """An application that counts, over a real unit of work."""

    unit: Unit
    key: Path
    ran: int = 0
    fail: list[Exception] = field(default_factory=list)
    slow: float = 0.0

    def application(self, settings: Settings) -> FastAPI:
        app = FastAPI()
        problems.install(app)
        app.state.onedoor = SimpleNamespace(unit=self.unit, settings=settings)

        @app.post("/count/{chain}")
        async def count(chain: UUID, request: Request, actor: Staff, body: dict[str, Any]) -> Response:
            async def handler(tx: Transaction) -> Answer | Response:
                self.ran += 1
                await asyncio.sleep(self.slow)
                command = CountIt(
                    target=chain, application_id=uuid4(), chain_id=chain, reason=body.get("reason")
                )
                (outcome,) = await tx.execute(
                    command, actor=actor, expected_version=expected_version(request)
                )
                if self.fail:
                    raise self.fail.pop()
                return answer(outcome, 201, {"id": str(uuid4()), "seen": outcome.state.seen})

            return await idempotent(request, actor, handler)

        return app

    def headers(self, key: str | None = None, role: str = "hotline", **more: str) -> dict[str, str]:
        named = {"idempotency-key": key} if key else {}
        return {"authorization": f"Bearer {dev_token(self.key, role)}", **named, **more}

    async def appended(self) -> int:
        return int(await self.unit.pool.fetchval("select count(*) from events"))


@pytest.fixture
async def settings(database: str, tmp_path: Path) -> Settings:
    return Settings(
        environment="test", postgres=database, dev_key=ensure_dev_key(tmp_path / "key"), pool_size=5
    )


@pytest.fixture
async def toy(settings: Settings) -> AsyncIterator[Toy]:
    pool = await db.pool(TOY, settings, "writer")
    assert settings.dev_key is not None
    yield Toy(Unit(TOY, pool, Clock("test")), settings.dev_key)
    await pool.close()


@pytest.fixture
async def client(toy: Toy, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(toy.application(settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=30) as client:
        yield client


def same(responses: list[httpx.Response]) -> httpx.Response:
    first = responses[0]
    for response in responses:
        assert (response.status_code, response.content) == (first.status_code, first.content)
        assert response.headers == first.headers
    return first


async def test_twenty_twins_at_once_are_one(toy: Toy, client: httpx.AsyncClient) -> None:
    toy.slow = 0.1
    headers = toy.headers("k1")
    twins = (client.post(f"/count/{CHAIN}", json={"reason": "a"}, headers=headers) for _ in range(20))
    first = same(list(await asyncio.gather(*twins)))
    assert first.status_code == 201
    assert first.json()["seen"] == 1
    assert first.headers["etag"] == '"1"'
    assert UUID(first.headers["onedoor-event"])
    assert (toy.ran, await toy.appended()) == (1, 1)


async def test_again_later_gives_the_stored_answer(toy: Toy, client: httpx.AsyncClient) -> None:
    headers = toy.headers("k1")
    same([await client.post(f"/count/{CHAIN}", json={}, headers=headers) for _ in range(3)])
    assert await toy.appended() == 1


async def test_without_a_key_each_is_done(toy: Toy, client: httpx.AsyncClient) -> None:
    for seen in (1, 2):
        response = await client.post(f"/count/{CHAIN}", json={}, headers=toy.headers())
        assert response.json()["seen"] == seen


async def test_another_body_under_the_key_is_a_problem(toy: Toy, client: httpx.AsyncClient) -> None:
    await client.post(f"/count/{CHAIN}", json={"reason": "a"}, headers=toy.headers("k1"))
    response = await client.post(f"/count/{CHAIN}", json={"reason": "b"}, headers=toy.headers("k1"))
    assert (response.status_code, response.json()["code"]) == (422, "idempotency-key-reused")
    assert await toy.appended() == 1


async def test_a_key_belongs_to_one_actor_and_one_route(toy: Toy, client: httpx.AsyncClient) -> None:
    other = UUID(int=2)
    await client.post(f"/count/{CHAIN}", json={}, headers=toy.headers("k1"))
    await client.post(f"/count/{CHAIN}", json={}, headers=toy.headers("k1", role="window"))
    await client.post(f"/count/{other}", json={}, headers=toy.headers("k1"))
    assert await toy.appended() == 3


@pytest.mark.parametrize("key", ["a b", "é".encode(), "x" * 201])
async def test_a_malformed_key_is_a_problem(toy: Toy, client: httpx.AsyncClient, key: str | bytes) -> None:
    headers: dict[str, Any] = {**toy.headers(), "idempotency-key": key}
    response = await client.post(f"/count/{CHAIN}", json={}, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "idempotency-key-malformed")
    assert toy.ran == 0


async def test_a_failure_leaves_the_key_free(toy: Toy, client: httpx.AsyncClient) -> None:
    toy.fail = [RuntimeError("ours")]
    headers = toy.headers("k1")
    assert (await client.post(f"/count/{CHAIN}", json={}, headers=headers)).status_code == 500
    assert await toy.appended() == 0
    assert (await client.post(f"/count/{CHAIN}", json={}, headers=headers)).status_code == 201


async def test_when_the_first_fails_a_waiting_twin_becomes_the_first(
    toy: Toy, client: httpx.AsyncClient
) -> None:
    toy.slow, toy.fail = 0.1, [ConnectionResetError()]
    headers = toy.headers("k1")
    twins = (client.post(f"/count/{CHAIN}", json={}, headers=headers) for _ in range(8))
    responses = await asyncio.gather(*twins)
    assert sorted(response.status_code for response in responses) == [201] * 7 + [503]
    same([response for response in responses if response.status_code == 201])
    assert (toy.ran, await toy.appended()) == (2, 1)


async def test_a_refusal_is_stored_like_any_answer(toy: Toy, client: httpx.AsyncClient) -> None:
    headers = toy.headers("k1")
    refused = same(
        [await client.post(f"/count/{CHAIN}", json={"reason": "no"}, headers=headers) for _ in range(2)]
    )
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["reason_zh"] == "按测试要求拒绝。"
    assert toy.ran == 1


async def test_a_stale_version_is_412_and_stores_nothing(toy: Toy, client: httpx.AsyncClient) -> None:
    await client.post(f"/count/{CHAIN}", json={}, headers=toy.headers())
    stale = await client.post(f"/count/{CHAIN}", json={}, headers=toy.headers("k1", **{"if-match": '"7"'}))
    assert (stale.status_code, stale.headers["etag"]) == (412, '"1"')
    assert stale.json()["stored"]["version"] == 1
    fresh = await client.post(f"/count/{CHAIN}", json={}, headers=toy.headers("k1", **{"if-match": '"1"'}))
    assert fresh.status_code == 201


async def test_two_who_create_the_same_at_once_both_succeed(toy: Toy, client: httpx.AsyncClient) -> None:
    """Neither finds the row to lock; the version is the backstop and the loser is taken again."""
    toy.slow = 0.05
    both = (client.post(f"/count/{CHAIN}", json={}, headers=toy.headers(key)) for key in ("a", "b", "c"))
    responses = await asyncio.gather(*both)
    assert sorted(response.json()["seen"] for response in responses) == [1, 2, 3]


async def test_old_answers_are_forgotten(toy: Toy, client: httpx.AsyncClient) -> None:
    await client.post(f"/count/{CHAIN}", json={}, headers=toy.headers("k1"))
    pool = toy.unit.pool
    assert await idempotency.forget(pool) == 0
    await pool.execute("update idempotency set created_at = created_at - interval '4 days'")
    assert await idempotency.forget(pool) == 1
    response = await client.post(f"/count/{CHAIN}", json={}, headers=toy.headers("k1"))
    assert response.json()["seen"] == 2
