"""notify killed in the middle of its own work: every step is taken afterwards, once, at its own moment."""

import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from onedoor.contracts.core import derived_id
from onedoor.notify.app import SERVICE
from onedoor.notify.domain.clock import clock_id
from onedoor.notify.telling.roster import parse, take
from tests.harness import Process, eventually, publish, read_topic
from tests.integration.dying_notify import STEPS, TELLING
from tests.notify import application, of_plan, planned
from tests.notify_bench import enveloped
from tests.receivers import Receiver, receiver
from tests.servers import Servers

MIGRATED = (SERVICE,)
HOUR = timedelta(hours=1)
R1 = of_plan("R1", "public-security")
BREACHED = "select aggregateid, time from events where type = 'clock.breached'"


@pytest.mark.parametrize("step", STEPS)
async def test_killed_around_the_commit_of_a_sweep_every_breach_is_published_once(
    step: str, servers: Servers, database: str, topic_suffix: str, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    report = application(planned("R1", "public-security", "critical"), at=now - 3 * HOUR)
    await publish(servers.kafka, f"intake.alarm{topic_suffix}", [enveloped(report, now)])
    process = Process(
        "tests.integration.dying_notify",
        {
            "ONEDOOR_ENVIRONMENT": "test",
            "ONEDOOR_POSTGRES": database,
            "ONEDOOR_KAFKA": servers.kafka,
            "ONEDOOR_TOPIC_SUFFIX": topic_suffix,
            "NOTIFY_CRASH": step,
            "NOTIFY_MARKER": str(tmp_path / "crashed"),
        },
        tmp_path / "notify.log",
    )
    expected = {
        clock_id("ack", R1): now - 3 * HOUR + timedelta(minutes=30),
        clock_id("action", R1): now - HOUR,
    }
    conn = await asyncpg.connect(database, server_settings={"search_path": "notify"})
    try:
        process.start()
        assert await process.ended() == -signal.SIGKILL, process.tail()
        committed = await conn.fetch(BREACHED)
        assert len(committed) == (0 if step == "writes-commit" else 2)
        process.start()

        async def settled() -> bool:
            breached = await conn.fetch(BREACHED)
            return len(breached) >= 2 and not await conn.fetchval("select count(*) from pending")

        await eventually(settled, 30, process.tail())
        assert Counter(map(tuple, await conn.fetch(BREACHED))) == Counter(expected.items())
        events = await read_topic(servers.kafka, f"notify.clock{topic_suffix}")
        breached = {
            event.id: (event.subject, event.time) for event in events if event.type == "clock.breached"
        }
        assert sorted(breached.values()) == sorted(expected.items()), (
            "one event each, however often delivered"
        )
    finally:
        await conn.close()
        await process.stop()


ROSTER = """department,function,person,from,to,name,webhook,secret
public-security,duty-person,police-1,{start},{end},值班员,{url},whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
"""
DELIVERIES = "select id, state, attempts from deliveries"


async def on_duty(conn: asyncpg.Connection, hook: Receiver) -> None:
    """Somebody at the police can be reached by that hook, since yesterday for a week."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    span = {"start": (today - 24 * HOUR).isoformat(), "end": (today + 7 * 24 * HOUR).isoformat()}
    async with conn.transaction():
        await take(conn, parse(ROSTER.format(url=hook.url, **span), "csv"))


@pytest.mark.parametrize("step", TELLING)
async def test_killed_while_telling_the_message_goes_out_under_the_same_id(
    step: str, servers: Servers, database: str, topic_suffix: str, tmp_path: Path
) -> None:
    """Killed before the commit: nothing was chosen, nothing went out. Killed after the sending: once more."""
    conn = await asyncpg.connect(database, server_settings={"search_path": "notify"})
    async with receiver() as hook:
        await on_duty(conn, hook)
        process = Process(
            "tests.integration.dying_notify",
            {
                "ONEDOOR_ENVIRONMENT": "test",
                "ONEDOOR_WEBHOOK_NETWORKS": '["127.0.0.0/8"]',
                "ONEDOOR_POSTGRES": database,
                "ONEDOOR_KAFKA": servers.kafka,
                "ONEDOOR_TOPIC_SUFFIX": topic_suffix,
                "NOTIFY_CRASH": step,
                "NOTIFY_MARKER": str(tmp_path / "crashed"),
            },
            tmp_path / "notify.log",
        )
        now = datetime.now(UTC)
        report = application(planned("R1", "public-security", "critical"), at=now - timedelta(minutes=35))
        await publish(servers.kafka, f"intake.alarm{topic_suffix}", [enveloped(report, now)])
        try:
            process.start()
            assert await process.ended() == -signal.SIGKILL, process.tail()
            before = await conn.fetch(DELIVERIES)
            if step == "told-commit":
                assert before == []
                assert hook.calls == []
            else:
                assert {row["state"] for row in before} == {"waiting"}
                assert len(hook.calls) == 1
            process.start()

            async def settled() -> bool:
                rows = await conn.fetch(DELIVERIES)
                return bool(rows) and all(row["state"] == "sent" for row in rows)

            await eventually(settled, 30, process.tail())
            rows = await conn.fetch(DELIVERIES)
            assert all(row["attempts"] == 1 for row in rows), "each is recorded once"
            told = Counter(call.headers["webhook-id"] for call in hook.calls)
            assert set(told) == {str(row["id"]) for row in rows}
            assert sum(told.values()) == len(rows) + (step == "sent-recorded")
        finally:
            await conn.close()
            await process.stop()


async def test_two_processes_tell_and_send_everything_once(
    servers: Servers, database: str, topic_suffix: str, tmp_path: Path
) -> None:
    conn = await asyncpg.connect(database, server_settings={"search_path": "notify"})
    async with receiver() as hook:
        await on_duty(conn, hook)
        environment = {
            "ONEDOOR_ENVIRONMENT": "test",
            "ONEDOOR_WEBHOOK_NETWORKS": '["127.0.0.0/8"]',
            "ONEDOOR_POSTGRES": database,
            "ONEDOOR_KAFKA": servers.kafka,
            "ONEDOOR_TOPIC_SUFFIX": topic_suffix,
        }
        processes = [
            Process("onedoor.notify", environment | {"ONEDOOR_INSTANCE": name}, tmp_path / f"{name}.log")
            for name in ("a", "b")
        ]
        try:
            for process in processes:
                process.start()
            for process in processes:
                await process.ready()
            now = datetime.now(UTC)
            reports = [
                application(
                    planned("R1", "public-security", "critical"),
                    at=now - timedelta(minutes=35),
                    application_id=derived_id("alerted", number),
                    chain_id=derived_id("alerted-chain", number),
                )
                for number in range(20)
            ]
            await publish(
                servers.kafka, f"intake.alarm{topic_suffix}", [enveloped(report, now) for report in reports]
            )

            async def all_sent() -> bool:
                notices = "select count(*) from notices where kind = 'escalated' and state = 'told'"
                told = await conn.fetchval(notices) >= len(reports)
                rows = await conn.fetch("select state from deliveries")
                return told and len(rows) >= len(reports) and all(row["state"] == "sent" for row in rows)

            await eventually(all_sent, 60, processes[0].tail())
            rows = await conn.fetch(DELIVERIES)
            told = Counter(call.headers["webhook-id"] for call in hook.calls)
            assert told == Counter({str(row["id"]): 1 for row in rows})
            doubled = "select count(*) from (select notices from deliveries group by 1 having count(*) > 1) d"
            assert await conn.fetchval(doubled) == 0
        finally:
            await conn.close()
            for process in processes:
                await process.stop()
