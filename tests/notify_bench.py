"""notify without its stream, on a real database: events go to its unit of work, requests to its API."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from onedoor.contracts.core import SYSTEM, Context, Envelope, Event, derived_id
from onedoor.notify.app import SERVICE, create_app
from onedoor.notify.settings import Settings
from onedoor.runtime import database as pools
from onedoor.runtime.access import dev_token
from onedoor.runtime.app import App
from onedoor.runtime.clock import Clock
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.tokens import ensure_dev_key
from onedoor.runtime.unit import Directive, Unit
from tests.notify import FRIDAY
from tests.servers import Servers

HERE, THERE = "500112015", "500112017"


class Still(Clock):
    """Business time that stands where the test puts it."""

    def __init__(self, at: datetime) -> None:
        super().__init__("test")
        self.at = at

    def now(self) -> datetime:
        return self.at


@dataclass
class Bench:
    """notify without its stream: events go straight to its unit of work, requests to its API."""

    app: App
    clock: Still
    client: httpx.AsyncClient
    key: Path

    async def read(self, *events: Event, at: datetime | None = None) -> None:
        """The events arrive, in this order, in one batch."""
        time = at or self.clock.now()
        arrived = [enveloped(event, time) for event in events]
        directives = [
            Directive(tuple(SERVICE.react(event)), Context(SYSTEM, self.clock.now())) for event in arrived
        ]
        assert SERVICE.absorb is not None
        async with self.app.unit.transaction() as tx:
            await SERVICE.absorb(tx.conn, arrived)
            await self.app.unit.run(tx.conn, directives)

    async def ask(
        self,
        method: str,
        path: str,
        role: str = "everything",
        department: str | None = None,
        division: str | None = None,
        body: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> httpx.Response:
        token = dev_token(self.key, role, department, division, f"{role}-test")
        sent = {"Authorization": f"Bearer {token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return await self.client.request(method, path, json=body, headers=sent)

    async def police(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **h: str
    ) -> httpx.Response:
        return await self.ask(method, path, "department", "public-security", HERE, body, **h)

    async def rows(self, sql: str, *args: object) -> Sequence[asyncpg.Record]:
        return await self.app.writer.fetch(sql, *args)

    async def types(self) -> list[str]:
        return [row["type"] for row in await self.rows("select type from events order by position")]


def enveloped(event: Event, time: datetime) -> Envelope:
    return Envelope(
        id=uuid4(),
        source="intake",
        subject=derived_id("notify-test"),
        time=time,
        key=event.key(),
        data=event,
        classification=event.classification(),
    )


def settings_for(servers: Servers, database: str, key: Path) -> Settings:
    return Settings(environment="test", postgres=database, kafka=servers.kafka, dev_key=key)


@asynccontextmanager
async def without_stream(settings: Settings) -> AsyncIterator[App]:
    writer = await pools.pool(SERVICE, settings, "writer")
    reader = await pools.pool(SERVICE, settings, "reader")
    clock = Still(FRIDAY.astimezone(UTC))
    try:
        yield App(SERVICE, settings, writer, reader, Unit(SERVICE, writer, clock), clock, Metrics())
    finally:
        await writer.close()
        await reader.close()


@asynccontextmanager
async def notify_bench(servers: Servers, database: str, key: Path) -> AsyncIterator[Bench]:
    """notify, which has migrated in that database, its clock on Friday."""
    ensure_dev_key(key)
    settings = settings_for(servers, database, key)
    api = create_app(settings)
    async with without_stream(settings) as app:
        api.state.onedoor = app
        transport = httpx.ASGITransport(app=api)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            assert isinstance(app.clock, Still)
            yield Bench(app, app.clock, client, key)
