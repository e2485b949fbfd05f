"""A report of a child in danger is on the receiver's list at once, whatever stands before it."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx

from onedoor.contracts.codec import Message
from onedoor.contracts.core import Envelope
from onedoor.contracts.events.intake import ALARM, APPLICATION, ApplicationReceived, Subject
from onedoor.contracts.plan import Plan
from onedoor.notify.app import SERVICE
from onedoor.runtime.tokens import dev_token, ensure_dev_key
from onedoor.triage import evaluate, parse_form
from tests.harness import Process, eventually, publish, publish_raw, running
from tests.servers import Servers

MIGRATED = (SERVICE,)
AHEAD = 10_000
CHAIN = UUID(int=7)


def plan(received: datetime, facts: dict[str, object], age: int, needs: list[str]) -> Plan:
    form, _ = parse_form(
        {
            "channel": "hotline",
            "caller": {"role": "neighbour"},
            "place": {"division": "500112004"},
            "needs": needs,
            "subjects": [{"id": "s1", "age": age, "facts": facts}],
        }
    )
    return evaluate(form.received(received))


def application(number: int, chain_id: UUID, plan_: Plan, now: datetime, age: int) -> Envelope:
    application_id = uuid.uuid5(CHAIN, str(number))
    data = ApplicationReceived(
        application_id=application_id,
        chain_id=chain_id,
        receipt=f"YD{number}",
        kind="report",
        channel="hotline",
        caller_role="neighbour",
        received_at=now,
        recorded_at=now,
        subjects=(Subject(person_id=uuid.uuid5(CHAIN, f"p{number}"), age=age),),
        plan=plan_,
    )
    return Envelope(
        id=uuid.uuid4(),
        source="intake",
        subject=application_id,
        time=now,
        key=data.key(),
        data=data,
        classification=data.classification(),
    )


async def test_an_alarm_overtakes_a_parked_chain_and_ten_thousand_ordinary_events(
    servers: Servers, database: str, topic_suffix: str, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    job = plan(now, {}, 40, ["job"])
    assert [(r.rule, r.urgency) for r in job.referrals] == [("R12", "ordinary")]
    ordinary = [application(n, uuid.uuid5(CHAIN, f"c{n % 500}"), job, now, 40) for n in range(AHEAD)]
    alone = application(AHEAD, CHAIN, plan(now, {"alone": True}, 9, ["care"]), now, 9)
    assert alone.data.topic() == ALARM

    key = ensure_dev_key(tmp_path / "dev.key")
    process = Process(
        "onedoor.notify",
        {
            "ONEDOOR_ENVIRONMENT": "test",
            "ONEDOOR_POSTGRES": database,
            "ONEDOOR_KAFKA": servers.kafka,
            "ONEDOOR_TOPIC_SUFFIX": topic_suffix,
            "ONEDOOR_DEV_KEY": str(key),
        },
        tmp_path / "notify.log",
    )
    token = dev_token(key, "department", "public-security")
    client = httpx.AsyncClient(base_url=process.url, headers={"Authorization": f"Bearer {token}"}, timeout=20)
    conn = await asyncpg.connect(database, server_settings={"search_path": "notify"})
    try:
        async with running(process):
            poison = Message(str(CHAIN).encode(), b"{", [("ce_type", b"application.received")])
            await publish_raw(servers.kafka, APPLICATION + topic_suffix, [poison])

            async def parked() -> bool:
                return bool(await conn.fetchval("select count(*) from parked"))

            await eventually(parked, 20, process.tail())
            await publish(servers.kafka, APPLICATION + topic_suffix, ordinary)
            await publish(servers.kafka, ALARM + topic_suffix, [alone])

            async def on_the_list() -> bool:
                answer = await client.get("/v1/referrals")
                assert answer.status_code == 200, answer.text
                return any(item["rule"] == "R1" for item in answer.json()["items"])

            await eventually(on_the_list, 10, process.tail())
            done = await conn.fetchval("select count(*) from inbox where topic like 'intake.application%'")
            assert done < AHEAD, "the alarm should have come while ordinary events were still waiting"
    finally:
        await client.aclose()
        await conn.close()
