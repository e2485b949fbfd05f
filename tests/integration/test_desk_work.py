"""My referrals on a real PostgreSQL: a unit sees what is addressed to it, and nothing around it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from onedoor.contracts.core import Actor, Envelope, Event
from onedoor.contracts.events.intake import ApplicationReceived, Subject
from onedoor.contracts.events.notify import ReferralAcknowledged, ReferralReturned, ReferralSent
from onedoor.contracts.plan import Plan
from onedoor.desk import stream, views
from onedoor.desk.app import SERVICE
from onedoor.desk.settings import Settings
from onedoor.runtime import database as db
from onedoor.runtime.access import may
from onedoor.runtime.http import clear

MIGRATED = (SERVICE,)
START = datetime(2026, 9, 16, 13, 40, tzinfo=UTC)
HERE, THERE = "500112004", "500112015"
HOTLINE = Actor(person="hotline-1", role="hotline", department="hotline-12345")
POLICE = Actor(person="police-1", role="department", department="public-security")


class Handed:
    """A request of which one critical referral was handed to the police of one division."""

    def __init__(self, sealed: bool = False) -> None:
        self.chain, self.application, self.referral = uuid4(), uuid4(), uuid4()
        self.events: list[Envelope] = []
        received = ApplicationReceived(
            application_id=self.application,
            chain_id=self.chain,
            receipt="YD20260916-ABCDEF-7",
            kind="report",
            channel="hotline",
            caller_role="neighbour",
            received_at=START,
            recorded_at=START,
            place_division=HERE,
            protection=sealed,
            subjects=(Subject(person_id=uuid4(), age=9),),
            plan=Plan(),
        )
        self._add("intake", self.application, 0, received, HOTLINE)
        self.tells(
            ReferralSent,
            0,
            sent_at=START,
            due_ack=START + timedelta(minutes=30),
            due_action=START + timedelta(hours=2),
            due_finish=START + timedelta(days=1),
        )

    def tells(self, kind: type[Event], minute: int, **facts: object) -> None:
        """One more event of the referral."""
        same = {
            "referral_id": self.referral,
            "chain_id": self.chain,
            "application_id": self.application,
            "rule": "R1",
            "from": "hotline-12345",
            "to": "public-security",
            "to_division": HERE,
            "urgency": "critical",
            "child": True,
        }
        self._add("notify", self.referral, minute, kind.model_validate(same | facts), POLICE)

    def _add(self, source: str, subject: UUID, minute: int, event: Event, actor: Actor) -> None:
        time = START + timedelta(minutes=minute)
        self.events.append(
            Envelope(uuid7(), source, subject, time, event.key(), event, event.classification(), actor)
        )


@pytest.fixture
async def settings(database: str) -> Settings:
    return Settings(environment="test", postgres=database)


async def absorbed(settings: Settings, *stories: Handed) -> None:
    conn = await db.connect(SERVICE, settings)
    try:
        async with conn.transaction():
            await stream.absorb(conn, [event for story in stories for event in story.events])
    finally:
        await conn.close()


@asynccontextmanager
async def reading(settings: Settings, actor: Actor) -> AsyncIterator[asyncpg.Connection]:
    grant = may(actor, "referral.handle")
    assert grant is not None
    conn = await db.connect(SERVICE, settings, "reader")
    try:
        async with conn.transaction():
            await clear(conn, actor, grant)
            yield conn
    finally:
        await conn.close()


async def work(settings: Settings, actor: Actor, minute: int = 0) -> Sequence[asyncpg.Record]:
    now = START + timedelta(minutes=minute)
    async with reading(settings, actor) as conn:
        return await views.work(conn, now, actor.department, actor.division)


@pytest.mark.parametrize(
    ("changes", "sees"),
    [
        ({}, True),
        ({"division": HERE}, True),
        ({"division": THERE}, False),
        ({"department": "education"}, False),
    ],
)
async def test_the_list_holds_what_is_addressed_to_the_unit(
    settings: Settings, changes: dict[str, str], sees: bool
) -> None:
    open_, sealed = Handed(), Handed(sealed=True)
    await absorbed(settings, open_, sealed)
    rows = await work(settings, POLICE.model_copy(update=changes))
    assert {row["referral_id"] for row in rows} == ({open_.referral, sealed.referral} if sees else set())


@pytest.mark.parametrize("table", ["chains", "applications", "timeline", "cases"])
async def test_around_its_referrals_a_department_sees_nothing(settings: Settings, table: str) -> None:
    await absorbed(settings, Handed(), Handed(sealed=True))
    async with reading(settings, POLICE) as conn:
        assert await conn.fetch(f"select * from {table}") == []


async def test_the_most_pressing_comes_first_with_its_next_limit(settings: Settings) -> None:
    late, taken = Handed(), Handed()
    taken.tells(ReferralAcknowledged, 10)
    await absorbed(settings, taken, late)
    rows = await work(settings, POLICE, minute=60)
    assert [(row["referral_id"], row["overdue"], row["due"]) for row in rows] == [
        (late.referral, True, START + timedelta(minutes=30)),
        (taken.referral, False, START + timedelta(hours=2)),
    ]


async def test_a_critical_referral_that_is_returned_stays_with_its_first_receiver(settings: Settings) -> None:
    returned = Handed()
    returned.tells(ReferralReturned, 10, reason="not_our_matter")
    await absorbed(settings, returned)
    (row,) = await work(settings, POLICE, minute=20)
    assert (row["state"], row["held"]) == ("returned", True)
