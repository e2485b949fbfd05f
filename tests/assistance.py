"""Assistance without its stream, on a real database: cases' events go to its tables, requests to its API."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from onedoor.assistance.app import SERVICE, create_app
from onedoor.contracts.core import Envelope, Event, derived_id
from onedoor.contracts.events.assistance import Determined
from onedoor.runtime import database as pools
from onedoor.runtime.access import dev_token
from onedoor.runtime.app import App
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.settings import Settings
from onedoor.runtime.tokens import ensure_dev_key
from onedoor.runtime.unit import Unit
from tests.notify_bench import Still
from tests.servers import Servers

JUNE = datetime(2026, 6, 20, 2, tzinfo=UTC)
DIBAO = 47_000
HERE, THERE = "500112015", "500112017"

_CASE = """
insert into cases (id, chain_id, application_id, state, urgency, rank, division, opened_at, subjects, sealed,
                   body, version, classification)
values ($1, $1, $1, 'in_work', 'ordinary', 3, $2, $3, '{}', false, $4, 1, 'internal')
"""
_PERSON = "insert into people (person_id, name, birth, classification) values ($1, $2, $3, 'internal')"


@dataclass
class Assistance:
    """The service's tables and API, with the clock where the test puts it."""

    app: App
    clock: Still
    client: httpx.AsyncClient
    key: Path

    async def case(self, name: str, people: Sequence[UUID] = (), division: str = HERE) -> UUID:
        """A household's case on the work list; its id."""
        id_ = derived_id("test-case", name)
        body = {"household": {"people": {f"m{n}": str(each) for n, each in enumerate(people)}}}
        await self.app.writer.execute(_CASE, id_, division, self.clock.at, json.dumps(body))
        return id_

    async def person(self, name: str, birth: date | None) -> UUID:
        id_ = uuid4()
        await self.app.writer.execute(_PERSON, id_, name, birth)
        return id_

    def of(self, case: UUID, programme: str = "dibao") -> dict[str, Any]:
        """What every event of the case's proceeding says."""
        return {
            "service": "assistance",
            "case_id": case,
            "chain_id": case,
            "application_id": case,
            "proceeding_id": proceeding_of(case, programme),
            "programme": programme,
            "state": "granted",
            "at": self.clock.at,
        }

    async def determined(
        self, case: UUID, kind: str = "grant", programme: str = "dibao", **more: Any
    ) -> Determined:
        """A decision on the programme, as the case tells it."""
        facts = {"kind": kind, "reason": "conditions_met", "amount_fen": DIBAO, "rule_version": "1"}
        told = Determined.model_validate(
            self.of(case, programme) | facts | {"decision_id": uuid4(), "first_month": "2026-06"} | more
        )
        await self.told(told)
        return told

    async def told(self, event: Event) -> None:
        """An event of a case reaches the tables beside it, in its own transaction."""
        envelope = Envelope(
            id=uuid4(),
            source="assistance",
            subject=uuid4(),
            time=self.clock.at,
            key="",
            data=event,
            classification=event.classification(),
        )
        assert SERVICE.project is not None
        async with self.app.unit.transaction() as tx:
            await SERVICE.project(tx.conn, [envelope])

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        role: str = "everything",
        person: str = "finance-1",
        division: str | None = None,
    ) -> httpx.Response:
        token = dev_token(self.key, role, "civil-affairs", division, person)
        headers = {"Authorization": f"Bearer {token}"}
        return await self.client.request(method, path, json=body, headers=headers)


def proceeding_of(case: UUID, programme: str = "dibao") -> UUID:
    return derived_id("test-proceeding", case, programme)


@asynccontextmanager
async def assistance(servers: Servers, database: str, key: Path) -> AsyncIterator[Assistance]:
    """Assistance, which has migrated in that database, its clock in June."""
    ensure_dev_key(key)
    settings = Settings(environment="test", postgres=database, kafka=servers.kafka, dev_key=key, port=8102)
    writer, reader = [await pools.pool(SERVICE, settings, kind) for kind in ("writer", "reader")]
    clock = Still(JUNE)
    app = App(SERVICE, settings, writer, reader, Unit(SERVICE, writer, clock), clock, Metrics())
    api = create_app(settings)
    api.state.onedoor = app
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://assistance") as client:
        yield Assistance(app, clock, client, key)
    await writer.close()
    await reader.close()
