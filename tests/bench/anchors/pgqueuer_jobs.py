"""pgqueuer in batches of a hundred: jobs that do nothing, or that write the two rows."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

from tests.bench.anchors.breach import BREACH, OUTBOX
from tests.bench.meter import Meter, answer, asked

BATCH = 100


async def main() -> None:
    question = asked()
    conn = await asyncpg.connect(question["postgres"])
    own = await asyncpg.connect(question["postgres"])
    driver = AsyncpgDriver(conn)
    queries = Queries(driver)
    with suppress(Exception):
        await queries.uninstall()
    await queries.install()
    count: int = question["count"]
    payload = json.dumps({"clock_id": str(uuid4()), "chain_id": str(uuid4())}).encode()
    for _ in range(0, count, 1000):
        await queries.enqueue(["breach"] * 1000, [payload] * 1000, [0] * 1000)
    queuer = PgQueuer(driver)
    meter, turn = Meter(count), asyncio.Lock()

    @queuer.entrypoint("breach")
    async def breach(job: Job) -> None:
        if question["writes"]:
            clock = json.loads(job.payload or b"{}")
            async with turn, own.transaction():
                await own.execute(BREACH, uuid4(), clock["clock_id"], datetime.now(UTC))
                await own.execute(OUTBOX, uuid4(), clock["chain_id"], json.dumps(clock))
        if meter.add(1):
            answer(meter.figures())

    await queuer.qm.run(batch_size=BATCH, mode=QueueExecutionMode.drain)
    raise SystemExit("the queue was empty too early")


if __name__ == "__main__":
    asyncio.run(main())
