"""HTTP conventions that need no server: signing in, roles, versions, health, metrics."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Request

from onedoor.contracts.core import Actor
from onedoor.runtime import health, http, problems
from onedoor.runtime.clock import Clock
from onedoor.runtime.http import Staff, allow, expected_version
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.settings import Settings
from onedoor.runtime.tokens import dev_token, ensure_dev_key

LIMIT = 1000


class Pool:
    """A pool whose PostgreSQL is there, or raises."""

    error: Exception | None = None

    async def fetchval(self, sql: str) -> int:
        if self.error is not None:
            raise self.error
        return 1


class Toy:
    def __init__(self, key: Path) -> None:
        self.pool, self.key, self.metrics = Pool(), key, Metrics()
        self.app = FastAPI()
        problems.install(self.app)
        http.install(self.app, body_limit=LIMIT)
        self.app.include_router(health.router)
        self.app.state.onedoor = SimpleNamespace(
            settings=Settings(environment="test", dev_key=key),
            writer=self.pool,
            clock=Clock("test"),
            metrics=self.metrics,
            stream="waiting",
            status={"swept_epoch": 0},
        )

        @self.app.get("/me/{number}")
        async def me(number: int, actor: Staff) -> str:
            return str(actor)

        @self.app.get("/cases")
        async def cases(request: Request, actor: Annotated[Actor, Depends(allow("case.read"))]) -> bool:
            return http.granted(request, actor).own_division

        @self.app.post("/model")
        async def model(body: dict[str, str]) -> int:
            return len(body["a"])

        @self.app.post("/bytes")
        async def bytes_(request: Request) -> int:
            return len(await request.body())

        @self.app.post("/form")
        async def form(request: Request) -> int:
            return len(await request.form())

        @self.app.get("/version")
        async def version(request: Request) -> int | None:
            return expected_version(request)

    def headers(self, role: str) -> dict[str, str]:
        return {"authorization": f"Bearer {dev_token(self.key, role)}"}


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(ensure_dev_key(tmp_path / "key"))


@pytest.fixture
async def client(toy: Toy) -> Any:
    transport = httpx.ASGITransport(toy.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("header", [None, "Bearer x", "Basic eA==", "Bearer"])
async def test_without_a_good_token_401(client: httpx.AsyncClient, header: str | None) -> None:
    response = await client.get("/me/1", headers={"authorization": header} if header else {})
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["code"] == "not-signed-in"


async def test_signed_in(toy: Toy, client: httpx.AsyncClient) -> None:
    response = await client.get("/me/1", headers=toy.headers("hotline"))
    assert response.json() == "hotline/hotline-12345/-/dev-hotline"


async def test_a_barred_role_403(toy: Toy, client: httpx.AsyncClient) -> None:
    assert (await client.get("/cases", headers=toy.headers("ops"))).status_code == 403
    response = await client.get("/cases", headers=toy.headers("caseworker"))
    assert (response.status_code, response.json()) == (200, True)


def test_an_action_that_is_none_fails_at_import() -> None:
    with pytest.raises(ValueError, match="unknown action"):
        allow("case.burn")


@pytest.mark.parametrize(
    ("header", "version"), [(None, None), ("*", None), ('"7"', 7), ('W/"7"', 7), ("7", 7)]
)
async def test_if_match(client: httpx.AsyncClient, header: str | None, version: int | None) -> None:
    response = await client.get("/version", headers={"if-match": header} if header else {})
    assert response.json() == version


@pytest.mark.parametrize("header", ['"x"', '"1", "2"', '""', '"-1"'])
async def test_if_match_malformed(client: httpx.AsyncClient, header: str) -> None:
    response = await client.get("/version", headers={"if-match": header})
    assert (response.status_code, response.json()["code"]) == (400, "if-match-malformed")


async def test_readiness_follows_postgres_alone(toy: Toy, client: httpx.AsyncClient) -> None:
    ready = await client.get("/health/ready")
    assert ready.json() == {"http": "ok", "stream": "waiting", "clock_epoch": 0, "swept_epoch": 0}
    toy.pool.error = ConnectionRefusedError()
    down = await client.get("/health/ready")
    assert (down.status_code, down.json()["code"]) == (503, "try-again")
    assert (await client.get("/health/live")).status_code == 200


async def test_requests_are_counted_by_route_not_by_path(toy: Toy, client: httpx.AsyncClient) -> None:
    for number in (1, 2):
        await client.get(f"/me/{number}", headers=toy.headers("ops"))
    await client.get("/me/x", headers=toy.headers("ops"))
    await client.get("/nowhere/13812345678")
    await client.get("/health/live")
    text = (await client.get("/metrics")).text
    assert 'onedoor_http_requests_total{method="GET",route="/me/{number}",status="200"} 2.0' in text
    assert 'route="/me/{number}",status="422"} 1.0' in text
    assert 'route="unmatched",status="404"} 1.0' in text
    assert 'route="/health/live",status="200"} 1.0' in text
    assert "13812345678" not in text


def test_every_metric_says_what_it_is() -> None:
    first, second = Metrics(), Metrics()
    first.relay_published_total.inc()
    assert b"onedoor_relay_published_total 1.0" in first.exposition()
    assert b"onedoor_relay_published_total 0.0" in second.exposition()
    names = [line for line in first.exposition().decode().splitlines() if line.startswith("# HELP")]
    assert len(names) >= 14
    assert all(len(line.split(" ", 3)) == 4 for line in names)


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    """Sent without saying how long it is."""
    for start in range(0, len(body), 100):
        yield body[start : start + 100]


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("path", ["/model", "/bytes", "/form"])
async def test_a_body_beyond_the_limit_413(client: httpx.AsyncClient, path: str, announced: bool) -> None:
    def sent(size: int) -> dict[str, Any]:
        if path == "/form":
            body, kind = b"a=" + b"x" * (size - 2), "application/x-www-form-urlencoded"
        else:
            body, kind = b'{"a":"' + b"x" * (size - 8) + b'"}', "application/json"
        return {"content": body if announced else in_pieces(body), "headers": {"content-type": kind}}

    assert (await client.post(path, **sent(LIMIT))).status_code == 200
    answer = await client.post(path, **sent(LIMIT + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("length", ["9" * 5000, "1001"])
async def test_a_body_that_is_announced_too_long_is_not_read(client: httpx.AsyncClient, length: str) -> None:
    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("read")
        yield b""

    answer = await client.post("/bytes", content=unread(), headers={"content-length": length})
    assert answer.status_code == 413
