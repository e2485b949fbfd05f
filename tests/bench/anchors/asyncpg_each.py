"""PostgreSQL alone: one transaction of three statements for each event, the next after the last."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg

from tests.bench.anchors.work import Case, Row, store_one
from tests.bench.meter import Meter, answer, asked


def made(number: int) -> Row:
    chain = uuid4()
    now = datetime.now(UTC)
    case = Case(case_id=uuid4(), chain_id=chain, application_id=uuid4(), urgency="ordinary", opened_at=now)
    state = case.model_dump_json()
    return Row(uuid4(), "bench", number % 6, number, case.case_id, chain, str(chain), state)


async def main() -> None:
    question = asked()
    conn = await asyncpg.connect(question["postgres"])
    rows = [made(number) for number in range(question["count"])]
    meter = Meter(len(rows))
    for row in rows:
        await store_one(conn, row)
        if meter.add(1):
            answer(meter.figures())


if __name__ == "__main__":
    asyncio.run(main())
