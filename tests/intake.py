"""Intake in the test's own process, on a real database, its broker out of reach unless one is given."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from onedoor.intake.app import create_app
from onedoor.intake.settings import Settings
from onedoor.runtime.tokens import dev_token, ensure_dev_key

NO_BROKER = "127.0.0.1:9"
TOWNSHIP = "500112004"
CHILD_ALONE: dict[str, Any] = {
    "channel": "hotline",
    "place": {"division": TOWNSHIP},
    "registered_division": TOWNSHIP,
    "caller": {"role": "neighbour"},
    "needs": ["care", "food"],
    "subjects": [{"id": "s1", "age": 9, "name": "于小林", "facts": {"alone": True}}],
}
INCOME: dict[str, Any] = {
    "channel": "window",
    "place": {"division": TOWNSHIP},
    "registered_division": TOWNSHIP,
    "household": {"size": 2, "address": "示例路 5 号"},
    "caller": {"role": "self"},
    "consent": {"financial_check": True},
    "needs": ["income"],
    "subjects": [
        {"id": "s1", "age": 41, "name": "贺知秋", "id_number": "11010519850101001X"},
        {"id": "s2", "age": 8, "name": "贺小满"},
    ],
}


class Intake:
    """The service and how to speak to it in each role."""

    def __init__(self, client: httpx.AsyncClient, key: Path, database: str) -> None:
        self.client = client
        self.key = key
        self.database = database

    def headers(self, role: str = "everything", division: str | None = None, **more: str) -> dict[str, str]:
        return {"authorization": f"Bearer {dev_token(self.key, role, division=division)}"} | more

    async def post(
        self, path: str, body: Any, role: str = "everything", division: str | None = None, **headers: str
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = self.headers(role, division, **headers) | {"content-type": "application/json"}
        return await self.client.post(f"/v1/{path}", content=content, headers=sent)

    async def get(
        self, path: str, role: str = "everything", division: str | None = None, **params: Any
    ) -> httpx.Response:
        return await self.client.get(f"/v1/{path}", headers=self.headers(role, division), params=params)

    async def taken(self, body: dict[str, Any], role: str = "everything", **more: Any) -> dict[str, Any]:
        """The answer to an application that is taken down."""
        answer = await self.post("applications", body, role, **more)
        assert answer.status_code == 201, answer.text
        taken: dict[str, Any] = answer.json()
        return taken

    async def query(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """Rows as the superuser sees them."""
        conn = await asyncpg.connect(self.database, server_settings={"search_path": "intake"})
        try:
            return list(await conn.fetch(sql, *args))
        finally:
            await conn.close()

    async def events(self, type_: str = "%") -> list[dict[str, Any]]:
        """Payloads of the events in order, with type, topic, key and aggregate."""
        rows = await self.query("select * from events where type like $1 order by position", type_)
        names = ("type", "topic", "key", "classification")
        return [json.loads(row["payload"]) | {f"_{name}": row[name] for name in names} for row in rows]


def settings(database: str, folder: Path, kafka: str = NO_BROKER, **more: Any) -> Settings:
    key = ensure_dev_key(folder / "dev.key")
    return Settings(environment="test", postgres=database, kafka=kafka, dev_key=key, **more)


@asynccontextmanager
async def started_intake(database: str, folder: Path, kafka: str = NO_BROKER) -> AsyncIterator[Intake]:
    """Started on whatever is there; stopped at the end."""
    chosen = settings(database, folder, kafka)
    app = create_app(chosen)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://intake") as client:
            assert chosen.dev_key is not None
            yield Intake(client, chosen.dev_key, database)
