"""Building blocks for tests of the desk: one chain's story as events, and a desk that hears nothing else."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from onedoor.contracts.core import Actor, Envelope, Event, derived_id
from onedoor.contracts.events import case, intake, notify
from onedoor.contracts.plan import Plan, PlannedReferral, PlannedService
from onedoor.desk.app import SERVICE
from onedoor.runtime.access import dev_token
from onedoor.runtime.migrate import migrate
from onedoor.runtime.settings import Settings
from onedoor.runtime.tokens import ensure_dev_key
from tests.harness import PLAIN, Process, running
from tests.servers import Servers, empty_database

T0 = datetime.fromisoformat("2026-03-03T13:40:00+00:00")
CHAIN, APPLICATION = derived_id("desk-chain"), derived_id("desk-application")
REFERRAL, CASE = derived_id("desk-referral"), derived_id("desk-case")
CLOCK = {duty: derived_id("desk-clock", duty) for duty in ("ack", "finish")}
HERE, THERE = "500112015", "500112017"
HOTLINE = Actor(person="hotline-1", role="hotline", department="hotline-12345")
POLICE = Actor(person="police-1", role="department", department="public-security")
OTHERS = ("INTAKE", "ASSISTANCE", "CHILD_WELFARE", "NOTIFY")
TABLES = ("chains", "applications", "timeline", "cases", "referrals", "clocks")


def at(minutes: int) -> datetime:
    return T0 + timedelta(minutes=minutes)


def application(
    minute: int, supplement: bool = False, chain_id: UUID = CHAIN, critical: bool = True, **more: Any
) -> tuple[int, Event, Actor]:
    urgency = "critical" if critical else "ordinary"
    model = intake.ApplicationSupplemented if supplement else intake.ApplicationReceived
    planned = PlannedReferral(
        rule="R1",
        from_="hotline-12345",
        to="public-security",
        urgency=urgency,
        due_ack=at(30),
        due_finish=at(1440),
    )
    facts = {
        "application_id": APPLICATION if chain_id == CHAIN else derived_id("application of", chain_id),
        "chain_id": chain_id,
        "receipt": "QZ-20260303-ABCDEF-7",
        "kind": "report",
        "channel": "hotline",
        "caller_role": "neighbour",
        "received_at": T0,
        "recorded_at": T0,
        "place_division": HERE,
        "needs": ("food",) if supplement else (),
        "subjects": ({"person_id": derived_id("desk-child"), "age": 9, "facts": {"alone": True}},),
        "plan": Plan(services=(PlannedService(name="child-welfare", urgency=urgency),), referrals=(planned,)),
    }
    return minute, model.model_validate(facts | more), HOTLINE


def referral(minute: int, model: type[notify.ReferralEvent], **more: Any) -> tuple[int, Event, Actor]:
    facts = {
        "referral_id": REFERRAL,
        "chain_id": CHAIN,
        "application_id": APPLICATION,
        "rule": "R1",
        "from_": "hotline-12345",
        "to": "public-security",
        "urgency": "critical",
        "child": True,
    }
    return minute, model.model_validate(facts | more), POLICE


def clock(minute: int, duty: str, model: type[notify.ClockEvent], **more: Any) -> tuple[int, Event, Actor]:
    facts = {
        "clock_id": CLOCK[duty],
        "chain_id": CHAIN,
        "duty": duty,
        "subject": REFERRAL,
        "owner": "public-security",
        "referral_id": REFERRAL,
        "child": True,
    }
    if model is notify.ClockStarted:
        facts |= {"started_at": T0, "limit": "30m", "warn_at": at(24), "provisional": False}
        facts |= {"source": "default", "certainty": "assumed"}
    return minute, model.model_validate(facts | more), Actor(person="system", role="system")


def of_case(minute: int, model: type[case.CaseEvent], **more: Any) -> tuple[int, Event, Actor]:
    facts = {"service": "child-welfare", "case_id": CASE, "chain_id": CHAIN, "application_id": APPLICATION}
    return minute, model.model_validate(facts | more), Actor(person="child-duty-1", role="child-duty")


WITHDRAWN = intake.ApplicationWithdrawn(application_id=APPLICATION, chain_id=CHAIN, withdrawn_at=at(80))
STORY = (
    application(0),
    of_case(1, case.CaseOpened, urgency="critical", opened_at=at(1), programmes=()),
    referral(1, notify.ReferralSent, sent_at=at(1), due_ack=at(31), due_action=at(121), due_finish=at(1441)),
    clock(1, "ack", notify.ClockStarted, due_at=at(31)),
    clock(1, "finish", notify.ClockStarted, due_at=at(1441), limit="24h"),
    clock(25, "ack", notify.ClockWarned, due_at=at(31)),
    clock(31, "ack", notify.ClockBreached, due_at=at(31)),
    referral(40, notify.ReferralAcknowledged),
    clock(40, "ack", notify.ClockMet, met_at=at(40), late_seconds=540),
    of_case(45, case.CaseTakenUp, worker="child-duty-1"),
    application(50, supplement=True, critical=False),
    referral(60, notify.ReferralAnswered, outcome="helped"),
    clock(60, "finish", notify.ClockMet, met_at=at(60)),
    of_case(70, case.CaseDecided, outcome="plan_made", reason="guardian_back"),
    (80, WITHDRAWN, HOTLINE),
)


def envelopes(story: Iterable[tuple[int, Event, Actor]] = STORY) -> list[Envelope]:
    """The story as read from its topics; ids follow the order of happening, as UUIDv7 does."""
    return [
        Envelope(
            id=UUID(int=(0x0190_0000_0000_7000_8000 << 48) + position + 1),
            source=str(data.topic()).partition(".")[0],
            subject=getattr(data, "referral_id", None) or APPLICATION,
            time=at(minute),
            key=data.key(),
            data=data,
            classification=data.classification(),
            actor=actor,
        )
        for position, (minute, data, actor) in enumerate(story)
    ]


@dataclass
class Desk:
    """A running desk without traffic of its own, its database, and its key."""

    process: Process
    conn: asyncpg.Connection
    key: Path

    async def absorb(self, *batches: Sequence[Envelope]) -> None:
        assert SERVICE.absorb is not None
        for batch in batches:
            async with self.conn.transaction():
                await SERVICE.absorb(self.conn, batch)

    async def read_model(self) -> dict[str, list[str]]:
        """Every row of every table, as text."""
        rows = {table: f"select to_jsonb(t)::text from {table} t order by 1" for table in TABLES}
        return {table: [row[0] for row in await self.conn.fetch(sql)] for table, sql in rows.items()}

    async def clear(self) -> None:
        for table in TABLES:
            await self.conn.execute(f"delete from {table}")

    async def get(self, path: str, role: str | None = "everything", **whose: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {dev_token(self.key, role, **whose)}"} if role else {}
        async with httpx.AsyncClient(
            base_url=self.process.url, headers=headers, timeout=20, verify=PLAIN
        ) as client:
            return await client.get(path)


@asynccontextmanager
async def running_desk(servers: Servers, folder: Path) -> AsyncIterator[Desk]:
    """A desk on an empty database, without topics (its stream waits) and without any other service."""
    async with empty_database(servers.postgres) as postgres:
        key = ensure_dev_key(folder / "dev.key")
        environment = {
            "ONEDOOR_ENVIRONMENT": "test",
            "ONEDOOR_KAFKA": servers.kafka,
            "ONEDOOR_POSTGRES": postgres,
            "ONEDOOR_TOPIC_SUFFIX": f".{folder.name}",
            "ONEDOOR_DEV_KEY": str(key),
            **{f"ONEDOOR_{name}_URL": "http://127.0.0.1:9" for name in OTHERS},
        }
        await migrate(SERVICE, Settings(environment="test", postgres=postgres))
        session = {"role": SERVICE.role("writer"), "search_path": SERVICE.schema}
        conn = await asyncpg.connect(postgres, server_settings=session)
        async with running(Process("onedoor.desk", environment, folder / "desk.log")) as process:
            yield Desk(process, conn, key)
        await conn.close()
