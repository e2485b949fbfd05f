"""Queries run under the reader role and see only what the actor is cleared for."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import Depends, FastAPI

from onedoor.contracts.core import Actor
from onedoor.runtime import database as db
from onedoor.runtime import problems
from onedoor.runtime.http import Reading, Staff, allow, not_found, note_view
from onedoor.runtime.migrate import protection
from onedoor.runtime.settings import Settings
from onedoor.runtime.tokens import dev_token, ensure_dev_key
from tests.integration.toy import TOY

MIGRATED = (TOY,)
CLASSES = ("child", "internal", "public", "restricted")
FILES = "create table files (id uuid primary key, classification text not null);"
SETTINGS = ("role", "person", "department", "division", "own_department", "own_division")


def application(settings: Settings, reader: asyncpg.Pool) -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.state.onedoor = SimpleNamespace(reader=reader, settings=settings)

    @app.get("/seen")
    async def seen(actor: Annotated[Actor, Depends(allow("case.read"))], conn: Reading) -> list[str]:
        rows = await conn.fetch("select classification from files order by 1")
        return [row[0] for row in rows]

    @app.get("/common")
    async def common(conn: Reading) -> list[str]:
        return [row[0] for row in await conn.fetch("select classification from files order by 1")]

    @app.get("/settings")
    async def settings_(actor: Annotated[Actor, Depends(allow("referral.read"))], conn: Reading) -> list[str]:
        return [await conn.fetchval("select current_setting($1)", f"onedoor.{name}") for name in SETTINGS]

    @app.get("/files/{id_}")
    async def file(id_: UUID, actor: Staff, conn: Reading) -> None:
        if await conn.fetchval("select 1 from files where id = $1", id_) is None:
            not_found()
        await note_view(conn, actor, "file", id_, "to answer the caller")

    @app.get("/write")
    async def write(actor: Staff, conn: Reading) -> None:
        await conn.execute("update files set id = id")

    return app


@pytest.fixture
async def settings(database: str, tmp_path: Path) -> Settings:
    key = ensure_dev_key(tmp_path / "key")
    settings = Settings(environment="test", postgres=database, dev_key=key, pool_size=1)
    owner = await db.connect(TOY, settings, "owner")
    await owner.execute(FILES + protection(TOY.schema, "files"))
    await owner.close()
    return settings


@pytest.fixture
async def writer(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    conn = await db.connect(TOY, settings, "writer")
    await conn.executemany(
        "insert into files (id, classification) values ($1, $2)",
        [(UUID(int=number), name) for number, name in enumerate(CLASSES, 1)],
    )
    yield conn
    await conn.close()


@pytest.fixture
async def reader(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    """A pool of one connection, so that every request reuses it."""
    pool = await db.pool(TOY, settings, "reader")
    yield pool
    await pool.close()


@pytest.fixture
async def client(
    settings: Settings, writer: asyncpg.Connection, reader: asyncpg.Pool
) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(settings, reader))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=30) as client:
        yield client


@pytest.fixture
def bearer(settings: Settings) -> "Bearer":
    return Bearer(settings)


class Bearer:
    def __init__(self, settings: Settings) -> None:
        assert settings.dev_key is not None
        self.key = settings.dev_key

    def __call__(
        self, role: str, department: str | None = None, division: str | None = None
    ) -> dict[str, str]:
        return {"authorization": f"Bearer {dev_token(self.key, role, department, division)}"}


@pytest.mark.parametrize(
    ("role", "classes"),
    [
        ("everything", list(CLASSES)),
        ("child-duty", list(CLASSES)),
        ("district", ["internal", "public", "restricted"]),
        ("charity", ["internal", "public"]),
    ],
)
async def test_a_role_sees_its_classes(
    client: httpx.AsyncClient, bearer: Bearer, role: str, classes: list[str]
) -> None:
    assert (await client.get("/seen", headers=bearer(role))).json() == classes


async def test_two_roles_on_one_pooled_connection(client: httpx.AsyncClient, bearer: Bearer) -> None:
    roles = ["everything", "charity", "leader", "everything", "admin"] * 4
    answers = await asyncio.gather(*(client.get("/common", headers=bearer(role)) for role in roles))
    expected = {"everything": 4, "charity": 2, "leader": 2, "admin": 0}
    assert [len(answer.json()) for answer in answers] == [expected[role] for role in roles]


async def test_without_a_clearance_no_row(
    reader: asyncpg.Pool, client: httpx.AsyncClient, bearer: Bearer
) -> None:
    assert await reader.fetchval("select count(*) from files") == 0
    await client.get("/seen", headers=bearer("everything"))
    assert await reader.fetchval("select count(*) from files") == 0


async def test_policies_know_who_asks(client: httpx.AsyncClient, bearer: Bearer) -> None:
    answer = await client.get("/settings", headers=bearer("department", "education", "500112015"))
    assert answer.json() == ["department", "dev-department", "education", "500112015", "1", "1"]
    answer = await client.get("/settings", headers=bearer("child-duty"))
    assert answer.json() == ["child-duty", "dev-child-duty", "minor-protection-centre", "", "", ""]


async def test_invisible_is_like_unknown_and_a_view_is_noted(
    client: httpx.AsyncClient, bearer: Bearer, writer: asyncpg.Connection
) -> None:
    child, unknown = UUID(int=1), UUID(int=99)
    hidden = await client.get(f"/files/{child}", headers=bearer("district"))
    missing = await client.get(f"/files/{unknown}", headers=bearer("district"))
    assert (hidden.status_code, hidden.content) == (404, missing.content)
    assert await writer.fetchval("select count(*) from access_log") == 0
    assert (await client.get(f"/files/{child}", headers=bearer("child-duty"))).status_code == 200
    noted = await writer.fetchrow("select role, what, subject, purpose from access_log")
    assert tuple(noted or ()) == ("child-duty", "file", str(child), "to answer the caller")


async def test_the_reader_can_write_nothing_else(client: httpx.AsyncClient, bearer: Bearer) -> None:
    assert (await client.get("/write", headers=bearer("everything"))).status_code == 500
