"""Every metric of the catalogue is really set: by a running toy, and by notify what is notify's."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx
from prometheus_client.parser import text_string_to_metric_families

from onedoor.runtime import store
from onedoor.runtime.metrics import Metrics
from tests.harness import Process, eventually, publish, running
from tests.integration.toy import TOY, withdrawal
from tests.servers import Servers

MIGRATED = (TOY,)
NOTIFYS = {
    "onedoor_clock_sweep_lag_seconds",
    "onedoor_stuck_clocks",
    "onedoor_deliveries",
    "onedoor_roster_gaps",
}
"""What no other service sets."""


class Running:
    """A running service, and what it exposes."""

    def __init__(self, client: httpx.AsyncClient, conn: asyncpg.Connection) -> None:
        self.client = client
        self.conn = conn

    async def unset(self) -> set[str]:
        """The metrics that nothing has counted and nothing has set yet."""
        text = (await self.client.get("/metrics")).text
        return {
            family.name
            for family in text_string_to_metric_families(text)
            if not any(is_set(family.type, sample.value) for sample in family.samples)
        }

    async def sets(self, *names: str) -> None:
        """Wait until each of these metrics is set."""
        missing = set(names)

        async def all_set() -> bool:
            missing.intersection_update(await self.unset())
            return not missing

        try:
            await eventually(all_set, 40)
        except AssertionError:
            raise AssertionError(f"never set: {sorted(missing)}") from None


def is_set(type_: str, value: float) -> bool:
    """A gauge may well be nought; what only counts must have counted something."""
    return not math.isnan(value) if type_ == "gauge" else value > 0


def names() -> set[str]:
    """Every metric that there is, by its family."""
    return {family.name for family in text_string_to_metric_families(Metrics().exposition().decode())}


@asynccontextmanager
async def exposing(
    module: str, schema: str, database: str, kafka: str, suffix: str, folder: Path
) -> AsyncIterator[Running]:
    """The service as a process."""
    environment = {
        "ONEDOOR_ENVIRONMENT": "test",
        "ONEDOOR_POSTGRES": database,
        "ONEDOOR_KAFKA": kafka,
        "ONEDOOR_TOPIC_SUFFIX": suffix,
    }
    conn = await asyncpg.connect(database, server_settings={"search_path": schema})
    try:
        async with (
            running(Process(module, environment, folder / "log")) as process,
            httpx.AsyncClient(base_url=process.url) as client,
        ):
            yield Running(client, conn)
    finally:
        await conn.close()


TOO_LARGE = """
with impossible as (
  insert into events (id, aggregatetype, aggregateid, version, type, eventversion, payload, topic, key,
                      classification, actor, time)
  select gen_random_uuid(), aggregatetype, gen_random_uuid(), 1, type, eventversion,
         jsonb_build_object('reason', repeat('a', 2100000)), topic, 'another', classification, actor, time
  from events limit 1 returning position
)
insert into pending (position) select position from impossible
"""


async def test_a_running_toy_sets_every_metric_but_those_of_the_clocks(
    servers: Servers, database: str, topic_suffix: str, tmp_path: Path
) -> None:
    twice = withdrawal(UUID(int=1), "twice", uuid4())
    place = (database, servers.kafka, topic_suffix, tmp_path)
    async with exposing("tests.integration.toy", "toy", *place) as toy:
        await publish(servers.kafka, f"intake.application{topic_suffix}", [
            twice, withdrawal(UUID(int=2), "no"), withdrawal(UUID(int=3), "boom"), twice,
        ])  # fmt: skip
        await toy.sets("onedoor_relay_published")
        await toy.conn.execute(TOO_LARGE)
        await toy.conn.execute("select pg_notify($1, '')", store.pending_channel("toy"))
        await toy.sets(*names() - NOTIFYS)
        assert await toy.unset() >= NOTIFYS

        async def seen() -> bool:
            text = (await toy.client.get("/metrics")).text
            group = f'{{consumer="toy{topic_suffix}"}}'
            figures = ("unpublishable_events", "pending_events", f"parked_keys{group}")
            return all(f"onedoor_{figure} 1.0" in text for figure in figures)

        await eventually(seen, 20)


async def test_a_running_notify_sets_those_of_the_clocks(
    servers: Servers, migrated_database: str, topic_suffix: str, tmp_path: Path
) -> None:
    place = (migrated_database, servers.kafka, topic_suffix, tmp_path)
    async with exposing("onedoor.notify", "notify", *place) as notify:
        await notify.conn.execute(
            """
            insert into deliveries (id, person, channel, fold, notices, critical, decided_at, not_before,
                                    classification)
            values ($1, 'somebody', 'mail', 'fold', '{}', true, $2, $2, 'internal')
            """,
            uuid4(),
            datetime.now(UTC),
        )
        await notify.sets(*NOTIFYS)
