"""Intake as a process on real servers: where the reporter may be found, how the receipt's state moves."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from onedoor.contracts.core import Envelope, Event
from onedoor.contracts.events.case import ASSISTANCE, CaseClosed, CaseOpened
from onedoor.contracts.events.notify import REFERRAL, ReferralClosed, ReferralSent
from onedoor.contracts.registry import TOPICS
from onedoor.intake.app import SERVICE
from onedoor.runtime.migrate import folded
from tests.harness import Process, eventually, publish, read_topic, running
from tests.intake import INCOME, Intake, settings, started_intake
from tests.servers import Servers

MIGRATED = (SERVICE,)
NAME, PHONE, WORDS, RELATION = "欧阳报信", "13900001234", "我亲眼看见他打孩子", "三姨妈"
PLANTED: dict[str, Any] = INCOME | {
    "caller": {"role": "neighbour", "name": NAME, "phone": PHONE, "anonymous": True, "wants_reply": True},
    "statement": f"{WORDS}，我叫{NAME}，电话{PHONE}",
    "facts_text": "孩子手臂有伤",
    "subjects": [
        {"id": "s1", "age": 40, "name": "章一鸣", "relation": RELATION},
        {"id": "s2", "age": 7, "name": "章小树", "facts": {"suspected_harm": True}},
    ],
}
PURPOSE = {"purpose": "回访核实"}
TRACES = [NAME, PHONE, WORDS, RELATION]


@dataclass
class Running:
    process: Process
    intake: Intake
    kafka: str
    suffix: str

    async def published(self) -> None:
        """Wait until the outbox is empty."""

        async def empty() -> bool:
            return not await self.intake.query("select from pending limit 1")

        await eventually(empty, 20, self.process.tail())

    async def state(self, taken: dict[str, Any]) -> dict[str, Any]:
        found = await self.intake.client.get(
            f"/v1/receipts/{taken['receipt']}", headers={"onedoor-secret": taken["secret"]}
        )
        shown: dict[str, Any] = found.json()
        return shown


@pytest.fixture
async def system(
    servers: Servers, database: str, topic_suffix: str, tmp_path: Path
) -> AsyncIterator[Running]:
    chosen = settings(database, tmp_path)
    environment = {
        "ONEDOOR_ENVIRONMENT": "test",
        "ONEDOOR_POSTGRES": database,
        "ONEDOOR_KAFKA": servers.kafka,
        "ONEDOOR_TOPIC_SUFFIX": topic_suffix,
        "ONEDOOR_DEV_KEY": str(chosen.dev_key),
    }
    made = Process("onedoor.intake", environment, tmp_path / "intake.log")
    assert chosen.dev_key is not None
    async with running(made), httpx.AsyncClient(base_url=made.url, timeout=20) as client:
        yield Running(made, Intake(client, chosen.dev_key, database), servers.kafka, topic_suffix)


async def test_the_reporter_is_in_the_sealed_table_and_nowhere_else(system: Running) -> None:
    taken = await system.intake.taken(PLANTED, "hotline", **{"idempotency-key": "planted"})
    broken = PLANTED | {"channel": "pigeon"}
    await system.intake.taken(broken, "hotline")
    path = f"applications/{taken['application_id']}"
    more = {"statement": WORDS, "caller": {"name": NAME, "phone": PHONE, "role": "relative"}}
    assert (await system.intake.post(f"{path}/supplement", more)).status_code == 200
    refused = PLANTED | {"subjects": [], "channel": NAME, "caller": {"role": PHONE}}
    answer = await system.intake.post("applications", refused, "hotline")
    assert answer.status_code == 422
    assert not [trace for trace in TRACES if trace in answer.text]
    await system.published()

    for page in (path, "applications"):
        shown = (await system.intake.get(page)).text
        assert not [trace for trace in TRACES if trace in shown], page
    found = await tables_with(system.intake, TRACES)
    assert found == {"sealed_reports"}
    for topic in TOPICS:
        raw = await raw_topic(system.kafka, topic + system.suffix)
        assert not [trace for trace in TRACES if trace in raw], topic
        assert "application" not in topic or '"reporter":"sealed"' in raw.replace('": "', '":"')
    log = system.process.log.read_text()
    assert log
    assert not [trace for trace in TRACES if trace in log]

    revealed = await system.intake.post(f"{path}/reporter", PURPOSE, "child-duty")
    first, second = revealed.json()
    assert (first["name"], first["phone"], second["name"]) == (NAME, PHONE, NAME)
    assert list(first["relations"].values()) == [RELATION]
    (seen,) = await system.intake.query("select * from access_log where what = 'reporter'")
    assert (seen["role"], seen["purpose"], seen["subject"]) == (
        "child-duty",
        "回访核实",
        taken["application_id"],
    )
    for role, status in (("window", 403), ("hotline", 403), ("ops", 403)):
        barred = await system.intake.post(f"{path}/reporter", PURPOSE, role)
        assert barred.status_code == status
    assert (await system.intake.post(f"{path}/reporter", {}, "child-duty")).status_code == 422
    unknown = await system.intake.post(f"applications/{uuid4()}/reporter", PURPOSE, "child-duty")
    assert unknown.status_code == 404


async def tables_with(intake: Intake, traces: list[str]) -> set[str]:
    """All tables of the database that hold one of the texts in any column."""
    schemas = ["pg_catalog", "information_schema"]
    tables = await intake.query(
        "select schemaname, tablename from pg_tables where schemaname <> all ($1)", schemas
    )
    pattern = "|".join(traces)
    bytes_of = [trace.encode().hex() for trace in traces]
    found = set()
    for schema, table in tables:
        query = f'select count(*) as n from "{schema}"."{table}" t where t::text ~ $1'
        (row,) = await intake.query(query, f"{pattern}|{'|'.join(bytes_of)}")
        if row["n"]:
            found.add(table)
    return found


async def raw_topic(bootstrap: str, topic: str) -> str:
    """Everything on the topic as text: keys, values, headers."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(6)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        text = ""
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                batch = await consumer.getmany(partition, timeout_ms=1000)
                for message in batch.get(partition, ()):
                    parts = (message.key, message.value, *(value for _, value in message.headers))
                    text += "\n".join((part or b"").decode() for part in parts)
        return text
    finally:
        await consumer.stop()


def envelope(data: Event, at: datetime, subject: UUID) -> Envelope:
    return Envelope(
        id=uuid4(), source="test", subject=subject, time=at, key=data.key(), data=data
    )  # fmt: skip


async def test_the_receipt_follows_cases_and_referrals(system: Running) -> None:
    taken = await system.intake.taken(INCOME)
    assert (await system.state(taken))["state"] == "received"
    now, case_id, referral_id = datetime.now(UTC), uuid4(), uuid4()
    ids = {"chain_id": taken["chain_id"], "application_id": taken["application_id"]}
    of_case = ids | {"service": "assistance", "case_id": str(case_id)}
    of_referral = ids | {"referral_id": str(referral_id), "rule": "R12", "from_": "township",
                         "to": "human-resources", "urgency": "ordinary"}  # fmt: skip
    opened = CaseOpened.model_validate(of_case | {"urgency": "ordinary", "opened_at": now})
    closed = CaseClosed.model_validate(of_case | {"reason": "helped"})
    sent = ReferralSent.model_validate(of_referral | {"sent_at": now, "due_ack": now, "due_finish": now})
    ended = ReferralClosed.model_validate(of_referral)

    async def becomes(state: str, ring: str) -> None:
        async def so() -> bool:
            shown = await system.state(taken)
            return (shown["state"], shown["ring"]) == (state, ring)

        await eventually(so, 20, f"{state} {ring}; {system.process.tail()}")

    later = now + timedelta(seconds=5)
    await publish(system.kafka, ASSISTANCE + system.suffix, [envelope(closed, later, case_id)])
    await becomes("closed", "township")
    await publish(system.kafka, ASSISTANCE + system.suffix, [envelope(opened, now, case_id)])
    await publish(system.kafka, REFERRAL + system.suffix, [envelope(sent, now, referral_id)])
    await becomes("in_work", "human-resources")
    await publish(system.kafka, REFERRAL + system.suffix, [envelope(ended, later, referral_id)])
    await becomes("closed", "township")
    summary = (await system.intake.get(f"applications/{taken['application_id']}")).json()
    assert summary["state"] == "closed"


async def test_everything_taken_down_is_published_in_order_of_its_chain(system: Running) -> None:
    taken = await asyncio.gather(*(system.intake.taken(INCOME) for _ in range(20)))
    for each in taken[:5]:
        path = f"applications/{each['application_id']}/supplement"
        assert (await system.intake.post(path, {"needs": ["job"]})).status_code == 200
    await system.published()
    events = await read_topic(system.kafka, "intake.application" + system.suffix)
    assert {str(event.subject) for event in events} == {each["application_id"] for each in taken}
    for each in taken[:5]:
        own = [event.type for event in events if str(event.subject) == each["application_id"]]
        assert own == ["application.received", "application.supplemented"]
    people = await read_topic(system.kafka, "intake.person" + system.suffix)
    assert len({event.subject for event in people}) == len(people) == 40


async def test_without_its_database_intake_says_so(tmp_path: Path) -> None:
    nowhere = f"postgresql://postgres@/none?host={tmp_path}"
    async with started_intake(nowhere, tmp_path) as intake:
        answer = await intake.post("applications", INCOME)
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] == "try-again"
        assert (await intake.client.get("/health/ready")).status_code == 503


async def test_stored_state_is_what_the_archive_folds_to(database: str, tmp_path: Path) -> None:
    async with started_intake(database, tmp_path) as intake:
        taken = await intake.taken(PLANTED)
        path = f"applications/{taken['application_id']}"
        await intake.post(
            f"{path}/supplement", {"needs": ["job"], "subjects": [{"id": "s1", "name": "章二鸣"}]}
        )
        await intake.post(f"{path}/withdraw", {"reason": "moved_away"})
    conn = await asyncpg.connect(database, server_settings={"search_path": "intake"})
    try:
        rows = await conn.fetch("select kind, id, version, state from aggregates")
        assert {row["kind"] for row in rows} == {"application", "person"}
        for row in rows:
            decider = next(each for each in SERVICE.deciders if each.name == row["kind"])
            state, version = await folded(conn, decider, row["id"])
            assert version == row["version"]
            assert state == decider.state.model_validate(json.loads(row["state"]))
    finally:
        await conn.close()
