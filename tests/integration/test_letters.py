"""What cannot be handled is set aside with its reason; its key waits, everything else flows."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from onedoor.contracts import codec
from onedoor.contracts.core import Envelope
from onedoor.runtime.access import dev_token
from onedoor.runtime.tokens import ensure_dev_key
from tests.harness import Process, eventually, publish, publish_raw
from tests.integration.toy import TOY, withdrawal
from tests.servers import Servers

MIGRATED = (TOY,)
CHAIN = [UUID(int=number) for number in range(1, 20)]


@dataclass
class Toy:
    """The running toy and the ways to look at it."""

    process: Process
    kafka: str
    topic: str
    conn: asyncpg.Connection
    client: httpx.AsyncClient

    async def send(self, *events: Envelope) -> None:
        await publish(self.kafka, self.topic, events)

    async def counted(self, sql: str, *args: object) -> int:
        return int(await self.conn.fetchval(sql, *args))

    def becomes(self, sql: str, value: int, *args: object) -> Awaitable[None]:
        async def holds() -> bool:
            return await self.counted(sql, *args) == value

        return eventually(holds, 20, f"{sql} is {value}; {self.process.tail()}")

    async def letters(self) -> list[dict[str, object]]:
        answer = await self.client.get("/v1/dead-letters")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, object]] = answer.json()
        return found


HANDLED = "select count(*) from inbox where outcome <> 'discarded'"
LETTERS = "select count(*) from dead_letters where kind = 'letter' and state = 'open'"
WAITERS = "select count(*) from dead_letters where kind = 'waiter' and state = 'open'"
PARKED = "select count(*) from parked"


@pytest.fixture
async def start_toy(
    servers: Servers, database: str, topic_suffix: str, tmp_path: Path
) -> AsyncIterator[Callable[[str], Awaitable[Toy]]]:
    key = tmp_path / "dev.key"
    ensure_dev_key(key)
    token = dev_token(key, "everything")
    made: list[Toy] = []

    async def start(suffix: str = topic_suffix) -> Toy:
        process = Process(
            "tests.integration.toy",
            {
                "ONEDOOR_ENVIRONMENT": "test",
                "ONEDOOR_POSTGRES": database,
                "ONEDOOR_KAFKA": servers.kafka,
                "ONEDOOR_TOPIC_SUFFIX": suffix,
                "ONEDOOR_DEV_KEY": str(key),
                "ONEDOOR_LETTERS_IN_A_ROW": "5",
            },
            tmp_path / "toy.log",
        )
        process.start()
        await process.ready()
        conn = await asyncpg.connect(database, server_settings={"search_path": "toy"})
        client = httpx.AsyncClient(
            base_url=process.url, headers={"Authorization": f"Bearer {token}"}, timeout=30
        )
        made.append(Toy(process, servers.kafka, f"intake.application{suffix}", conn, client))
        return made[-1]

    yield start
    for toy in made:
        await toy.client.aclose()
        await toy.conn.close()
        await toy.process.stop()


async def test_a_failing_chain_parks_all_others_flow_and_replay_drains_in_order(
    start_toy: Callable[[], Awaitable[Toy]], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = await start_toy()
    bad = CHAIN[0]
    first = withdrawal(bad, "boom")
    behind = [withdrawal(bad, f"waits {number}") for number in range(5)]
    others = [withdrawal(chain, "flows") for chain in CHAIN[1:]]
    await toy.send(first, *behind, *others)
    await toy.becomes(HANDLED, len(others))
    await toy.becomes(LETTERS, 1)
    await toy.becomes(WAITERS, len(behind))

    (letter,) = await toy.letters()
    assert letter["error"] == "RuntimeError"
    assert letter["waiting"] == len(behind)
    again = await toy.client.post(f"/v1/dead-letters/{letter['id']}/replay")
    assert again.json() == {"settled": 0, "failed": True}
    await toy.becomes(PARKED, 1)

    late = [withdrawal(bad, f"late {number}") for number in range(20)]
    await toy.send(*late)
    gone = await toy.client.post(f"/v1/dead-letters/{letter['id']}/discard")
    assert gone.json()["failed"] is False
    await toy.becomes(HANDLED, len(others) + len(behind) + len(late))
    await toy.becomes(PARKED, 0)
    await toy.becomes(WAITERS, 0)
    causes = await toy.conn.fetch("select cause from events where chain_id = $1 order by version", bad)
    assert [row["cause"] for row in causes] == [event.id for event in (*behind, *late)]


async def test_poison_is_kept_byte_for_byte_and_nothing_behind_it_is_lost(
    start_toy: Callable[[], Awaitable[Toy]],
) -> None:
    toy = await start_toy()
    good = codec.encode(withdrawal(CHAIN[1], "good"))
    unregistered = good._replace(
        key=b"b", headers=[(n, b"no.such" if n == "ce_type" else v) for n, v in good.headers]
    )
    unregistered = unregistered._replace(
        headers=[
            (n, b"urn:onedoor:schema:no.such:1" if n == "ce_dataschema" else v)
            for n, v in unregistered.headers
        ]
    )
    await publish_raw(
        toy.kafka,
        toy.topic,
        [
            codec.Message(b"a", b"\xff\x00 rubbish", []),
            good._replace(key=b"c", value=b"{not json"),
            codec.Message(None, b"no key, no headers", []),
            unregistered,
            good,
        ],
    )
    await toy.becomes(HANDLED, 1)
    await toy.becomes(LETTERS, 4)
    await toy.becomes(PARKED, 3)
    rows = await toy.conn.fetch("select key, value, error from dead_letters")
    assert {row["key"] for row in rows} == {b"a", b"b", b"c", None}
    assert next(row for row in rows if row["key"] == b"a")["value"] == b"\xff\x00 rubbish"
    assert next(row for row in rows if row["key"] == b"b")["error"].startswith("Unregistered")


async def test_a_newer_version_is_read_and_a_refusal_is_an_outcome(
    start_toy: Callable[[], Awaitable[Toy]],
) -> None:
    toy = await start_toy()
    newer = codec.encode(withdrawal(CHAIN[1], "newer"))
    assert newer.value is not None
    newer = newer._replace(
        value=newer.value[:-1] + b', "field_of_tomorrow": 1}',
        headers=[
            (n, b"urn:onedoor:schema:application.withdrawn:9" if n == "ce_dataschema" else v)
            for n, v in newer.headers
        ],
    )
    await publish_raw(toy.kafka, toy.topic, [newer])
    await toy.send(withdrawal(CHAIN[2], "no"))
    await toy.becomes(HANDLED, 2)
    refused = await toy.conn.fetchrow("select * from inbox where outcome = 'refused'")
    assert refused is not None
    assert refused["reason"] == "toy.refused"
    assert await toy.letters() == []


async def test_too_many_letters_in_a_row_stop_the_consumer_until_resumed(
    start_toy: Callable[[], Awaitable[Toy]],
) -> None:
    toy = await start_toy()
    await toy.send(*(withdrawal(uuid4(), "boom") for _ in range(8)), withdrawal(CHAIN[3], "after"))
    await toy.becomes("select count(*) from stopped", 1)
    toy.process.send(9)
    await toy.process.ended()
    toy.process.start()

    async def stopped() -> bool:
        try:
            answer = await toy.client.get("/health/ready")
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and answer.json()["stream"] == "stopped"

    await eventually(stopped, 30, "a restart honours the stop")
    name = await toy.conn.fetchval("select consumer from stopped")
    answer = await toy.client.post(f"/v1/consumers/{name}/resume")
    assert answer.status_code == 200
    assert answer.json()["phase"] != "stopped"
    await toy.becomes(HANDLED, 1)
    await toy.becomes(LETTERS, 8)
