"""Services as processes on real servers, each alone: send events, read topics, ask by HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx

from onedoor.contracts import services
from onedoor.contracts.core import Envelope, Event, Urgency
from onedoor.contracts.work import case_id
from onedoor.runtime.access import dev_token
from onedoor.runtime.service import Service
from onedoor.runtime.tokens import ensure_dev_key
from tests.casework import application, envelope
from tests.harness import PLAIN, Process, eventually, publish, read_topic
from tests.servers import Servers


@dataclass
class Cases:
    """The running services, and the ways to speak to them."""

    processes: dict[str, Process]
    kafka: str
    suffix: str
    key: Path
    conn: asyncpg.Connection

    async def send(self, *events: Event) -> None:
        for event in events:
            await self.send_envelopes(envelope(event))

    async def send_envelopes(self, *envelopes: Envelope) -> None:
        for each in envelopes:
            await publish(self.kafka, f"{each.data.topic()}{self.suffix}", [each])

    async def published(self, service: str) -> list[Envelope]:
        return await self.on(services.BY_NAME[service].topic)

    async def on(self, topic: str) -> list[Envelope]:
        """Everything on the topic now."""
        return await read_topic(self.kafka, f"{topic}{self.suffix}")

    def client(
        self,
        service: str,
        role: str = "everything",
        division: str | None = None,
        person: str | None = None,
        department: str | None = None,
    ) -> httpx.AsyncClient:
        token = dev_token(self.key, role, department, division, person)
        return httpx.AsyncClient(
            base_url=self.processes[service].url,
            headers={"Authorization": f"Bearer {token}"} if role else {},
            timeout=20,
            verify=PLAIN,
        )

    async def counted(self, sql: str, *args: object) -> int:
        return int(await self.conn.fetchval(sql, *args))

    async def becomes(self, sql: str, value: int, *args: object) -> None:
        async def holds() -> bool:
            return await self.counted(sql, *args) == value

        tails = "\n".join(process.tail() for process in self.processes.values())
        await eventually(holds, 30, f"{sql} is {value}; {tails}")

    async def opened(self, service: str, urgency: Urgency = "ordinary", **more: Any) -> UUID:
        """A new application at intake, and its case at the service."""
        id_, chain = uuid4(), uuid4()
        await self.send(application(service, urgency, application_id=id_, chain_id=chain, **more))
        case = case_id(id_, service)
        schema = service.replace("-", "_")
        await self.becomes(f"select count(*) from {schema}.cases where id = $1", 1, case)
        return case


@asynccontextmanager
async def running_cases(
    servers: Servers, database: str, suffix: str, folder: Path, *running: Service
) -> AsyncIterator[Cases]:
    """These services, which have migrated in that database, started and ready; stopped at the end."""
    key = folder / "dev.key"
    ensure_dev_key(key)
    environment = {
        "ONEDOOR_ENVIRONMENT": "test",
        "ONEDOOR_POSTGRES": database,
        "ONEDOOR_KAFKA": servers.kafka,
        "ONEDOOR_TOPIC_SUFFIX": suffix,
        "ONEDOOR_DEV_KEY": str(key),
    }
    processes = {
        service.name: Process(f"onedoor.{service.schema}", environment, folder / f"{service.name}.log")
        for service in running
    }
    for process in processes.values():
        process.start()
    try:
        for process in processes.values():
            await process.ready()
        conn = await asyncpg.connect(database)
        try:
            yield Cases(processes, servers.kafka, suffix, key, conn)
        finally:
            await conn.close()
    finally:
        for process in processes.values():
            await process.stop()
