"""What is stored can be told anew: every aggregate from its archive, the desk's read model from the topics.

A small load goes through the whole system, people work on what came of it, three weeks pass. Then nothing
runs any more, and what is stored is compared with what its events give.
"""

import asyncio
import importlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from onedoor.desk.app import SERVICE as DESK
from onedoor.desk.views import TABLES
from onedoor.dev.topics import delete_topics, ensure_topics
from onedoor.runtime import clock as clocks
from onedoor.runtime import database as pools
from onedoor.runtime.clock import Clock
from onedoor.runtime.consumer import Consumer
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.migrate import folded
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings
from onedoor.runtime.stream import BareReader
from onedoor.runtime.unit import Unit
from tests.conservation import Accepted, conserved
from tests.harness import eventually
from tests.load import application, steady
from tests.servers import Servers, cloned
from tests.system import SERVICES, System, running_system

SEED = 20260303
PER_SECOND, SECONDS = 8, 5
HAPPENED = {
    "application.supplemented",
    "application.withdrawn",
    "case.decided",
    "case.withdrawn",
    "referral.answered",
    "referral.reopened",
    "referral.returned",
    "clock.paused",
    "clock.breached",
    "clock.met",
    "alert.escalated",
}
"""What the comparison is worth nothing without."""


@dataclass(frozen=True)
class Ended:
    """What a system left behind when it had nothing to do any more and was stopped."""

    kafka: str
    suffix: str
    database: str


@pytest.fixture(scope="module")
async def ended(
    servers: Servers, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ended]:
    folder, suffix = tmp_path_factory.mktemp("replay"), f".{uuid4().hex[:8]}"
    await ensure_topics(servers.kafka, suffix)
    async with cloned(template_database) as database:
        async with running_system(servers.kafka, database, suffix, folder) as system:
            await live(system, database)
            await quiet(database)
        yield Ended(servers.kafka, suffix, database)
    await delete_topics(servers.kafka, suffix)


async def live(system: System, database: str) -> None:
    """Applications, what people do about them, and three weeks."""
    async with (
        system.client("intake") as intake,
        system.client("desk") as desk,
        system.client("notify") as notify,
        system.client("assistance") as assistance,
    ):
        posted = await steady(intake, SEED, PER_SECOND, SECONDS)
        assert len(posted.accepted) == posted.posted
        await conserved(desk, system.kafka, system.suffix, posted.accepted)
        chance, turns = random.Random(SEED), Turns()
        for accepted in posted.accepted:
            await _work(accepted, chance, turns, intake, desk, notify, assistance)
    await clocks.advance(database, timedelta(days=21))


async def _work(
    accepted: Accepted,
    chance: random.Random,
    turns: "Turns",
    intake: httpx.AsyncClient,
    desk: httpx.AsyncClient,
    notify: httpx.AsyncClient,
    assistance: httpx.AsyncClient,
) -> None:
    """Some of the steps that may be done with an application, its cases, referrals and clocks."""
    chain = (await desk.get(f"/v1/chains/{accepted.chain_id}")).json()
    of_application = f"/v1/applications/{accepted.application_id}"
    for referral in chain["referrals"]:
        path = f"/v1/referrals/{referral['referral_id']}"
        for verb, body in next(turns.stories) if referral["state"] == "sent" else ():
            await _post(notify, f"{path}/{verb}", body)
    for clock in chain["clocks"]:
        if next(turns.paused):
            await _post(notify, f"/v1/clocks/{clock['clock_id']}/pause", {"reason": "court"})
    gone = chance.random() < 0.2
    for case in chain["cases"]:
        if case["service"] != "assistance":
            continue
        way = next(turns.cases)
        gone |= way == "withdrawn"
        if way == "decided":
            path = f"/v1/cases/{case['case_id']}"
            await _post(assistance, f"{path}/take-up", {})
            await _post(
                assistance, f"{path}/decide", {"outcome": "not_eligible", "reason": "no_hardship_found"}
            )
    if chance.random() < 0.4:
        await _post(intake, f"{of_application}/supplement", application(chance))
    if gone:
        await _post(intake, f"{of_application}/withdraw", {"reason": "changed_mind"})


Story = Sequence[tuple[str, dict[str, Any]]]
REFERRAL_STORIES: tuple[Story, ...] = (
    (),
    (("acknowledge", {}),),
    (("acknowledge", {}), ("act", {}), ("answer", {"feedback": "示例", "outcome": "no_need"})),
    (("return", {"reason": "wrong_division"}),),
    (
        ("acknowledge", {}),
        ("answer", {"feedback": "示例", "outcome": "declined"}),
        ("reopen", {"reason": "need_remains"}),
    ),
)


class Turns:
    """What becomes of the next referral, case and clock: chance might leave a kind out."""

    def __init__(self) -> None:
        self.stories: Iterator[Story] = cycle(REFERRAL_STORIES)
        self.cases = cycle(("decided", "withdrawn", "left"))
        self.paused = cycle((True, False, False))


async def _post(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    """A refusal is an answer as good as any here; a fault is not."""
    answer = await client.post(path, json=body)
    assert answer.status_code < 500, (path, answer.text)


async def quiet(database: str) -> None:
    """Until nothing is to be published, the desk has read all, and nothing more has come for a while."""
    conn = await asyncpg.connect(database)
    schemas = [name.replace("-", "_") for name in SERVICES]
    waiting = " + ".join(f"(select count(*) from {schema}.pending)" for schema in schemas)
    told = " + ".join(
        f"(select count(*) from {schema}.events where topic <> 'intake.person')" for schema in schemas
    )
    handled = " + ".join(f"(select count(*) from {schema}.inbox)" for schema in schemas)
    seen: list[int] = []

    async def still() -> bool:
        row = await conn.fetchrow(
            f"select {waiting} as pending, {told} as told, {handled} as handled, "
            "(select count(*) from desk.inbox) as read"
        )
        assert row is not None
        seen.append(row["told"] + row["handled"])
        return (
            row["pending"] == 0 and row["read"] == row["told"] and len(set(seen[-40:])) == 1 < len(seen[39:])
        )

    try:
        await eventually(still, 60, "the system comes to rest", seldom=0.05)
        types = [row["type"] for s in schemas for row in await conn.fetch(f"select type from {s}.events")]
    finally:
        await conn.close()
    print(f"{len(types)} events of {len(set(types))} types")
    assert set(types) >= HAPPENED, HAPPENED - set(types)


def services() -> list[Service]:
    return [importlib.import_module(f"{module}.app").SERVICE for module in SERVICES.values()]


async def test_every_archive_folds_to_the_stored_state(ended: Ended) -> None:
    wrong: list[str] = []
    compared: Counter[str] = Counter()
    for service in services():
        conn = await asyncpg.connect(ended.database, server_settings={"search_path": service.schema})
        wrong += await _compare(conn, service, compared)
        await conn.close()
    print(dict(compared))
    assert not wrong, wrong[:10]
    assert {"intake application", "assistance case", "notify clock", "notify referral"} <= compared.keys()


async def _compare(conn: asyncpg.Connection, service: Service, compared: Counter[str]) -> list[str]:
    wrong: list[str] = []
    no_pool: Any = None
    unit = Unit(service, no_pool, Clock("test"))
    for decider in service.deciders:
        rows = await conn.fetch(
            "select distinct aggregateid from events where aggregatetype = $1", decider.name
        )
        ids: list[UUID] = [row["aggregateid"] for row in rows]
        stored = await unit.load(conn, [(decider.name, id_) for id_ in ids])
        for id_ in ids:
            kept, anew = stored.get((decider.name, id_)), await folded(conn, decider, id_)
            if kept != anew:
                wrong.append(f"{service.name} {decider.name} {id_}: {kept} is stored, {anew} folded")
        compared[f"{service.name} {decider.name}"] += len(ids)
    return wrong


ALL_AT_ONCE = (tuple(DESK.reads),)
LAST_TOPIC_FIRST = tuple((topic,) for topic in reversed(DESK.reads))


@pytest.mark.parametrize("turns", [ALL_AT_ONCE, LAST_TOPIC_FIRST], ids=["all at once", "last topic first"])
async def test_the_topics_give_the_read_model_anew(
    ended: Ended, template_database: str, turns: Sequence[Sequence[str]]
) -> None:
    live = await _read_model(ended.database)
    async with cloned(template_database) as empty:
        assert not any((await _read_model(empty)).values())
        for turn, topics in enumerate(turns):
            await _rebuild(ended, empty, topics, f"desk-anew-{len(turns)}-{turn}")
        anew = await _read_model(empty)
    for table, rows in live.items():
        assert rows, f"{table} is empty: nothing is proved"
        assert rows == anew[table], _first_difference(table, rows, anew[table])
    print({table: len(rows) for table, rows in live.items()})


def _first_difference(table: str, live: list[str], anew: list[str]) -> str:
    lost, strange = sorted(set(live) - set(anew)), sorted(set(anew) - set(live))
    return f"{table}: only live {lost[:2]}, only anew {strange[:2]}"


async def _read_model(database: str) -> dict[str, list[str]]:
    conn = await asyncpg.connect(database)
    try:
        return {
            table: [
                row[0] for row in await conn.fetch(f"select to_jsonb(t)::text from desk.{table} t order by 1")
            ]
            for table in TABLES
        }
    finally:
        await conn.close()


async def _rebuild(ended: Ended, database: str, topics: Sequence[str], group: str) -> None:
    """Read the topics from their start as the desk does, in a group of its own, until nothing is left."""
    settings = Settings(environment="test", postgres=database, kafka=ended.kafka, topic_suffix=ended.suffix)
    async with _consumer(settings, group + ended.suffix) as consumer:
        reader = BareReader(consumer, topics, settings, batch=100)
        reading = asyncio.create_task(reader.run())

        async def all_read() -> bool:
            assert not reading.done(), reading.exception()
            position = await reader.position()
            return bool(position) and all(done == end for done, end in position.values())

        await eventually(all_read, 60, "all topics are read")
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


@asynccontextmanager
async def _consumer(settings: Settings, group: str) -> AsyncIterator[Consumer]:
    writer = await pools.pool(DESK, settings, "writer")
    consumer = Consumer(
        DESK,
        Unit(DESK, writer, Clock(settings.environment)),
        group,
        lambda: pools.connect(DESK, settings),
        Metrics(),
        limit=1,
    )
    try:
        yield consumer
    finally:
        await consumer.close()
        await writer.close()
