"""procrastinate with twenty at a time: tasks that write the two rows."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
from procrastinate import App, PsycopgConnector

from tests.bench.anchors.breach import BREACH, OUTBOX
from tests.bench.meter import Meter, answer, asked

CONCURRENCY = 20
question = asked()
app = App(connector=PsycopgConnector(conninfo=question["postgres"], max_size=CONCURRENCY))
meter = Meter(question["count"])
pools: list[asyncpg.Pool] = []


@app.task(queue="breaches")
async def breach(clock_id: str, chain_id: str) -> None:
    async with pools[0].acquire() as conn, conn.transaction():
        await conn.execute(BREACH, uuid4(), clock_id, datetime.now(UTC))
        await conn.execute(OUTBOX, uuid4(), chain_id, json.dumps({"clock_id": clock_id}))
    if meter.add(1):
        answer(meter.figures())


async def main() -> None:
    pools.append(await asyncpg.create_pool(question["postgres"], min_size=4, max_size=CONCURRENCY))
    async with app.open_async():
        if not await pools[0].fetchval("select to_regclass('procrastinate_jobs')"):
            await app.schema_manager.apply_schema_async()
        await pools[0].execute("truncate procrastinate_jobs cascade")
        await breach.batch_defer_async(
            *({"clock_id": str(uuid4()), "chain_id": str(uuid4())} for _ in range(question["count"]))
        )
        await app.run_worker_async(
            queues=["breaches"], concurrency=CONCURRENCY, wait=False, install_signal_handlers=False
        )


if __name__ == "__main__":
    asyncio.run(main())
