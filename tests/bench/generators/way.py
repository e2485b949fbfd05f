"""Posts reports of a child out of school; waits until the desk has the referral and its clock of each.

Open loop: the time of one counts from the moment at which it was due. The desk's notice says when to look.
"""

import asyncio
import json
import random
import time
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import uvloop

from tests.bench.generators.http import Connection, connected
from tests.bench.meter import answer, asked, percentiles

CONNECTIONS = 64
PATIENCE = 60
CHANNEL = "onedoor_desk_changed"
ARRIVED = """
select distinct r.chain_id from desk.referrals r join desk.clocks c using (referral_id)
where r.chain_id = any($1::uuid[])
"""


class Arrivals:
    """Chains that are on their way, since when, and how long those took that have arrived."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.due: dict[UUID, float] = {}
        self.took: list[float] = []
        self.all = asyncio.Event()
        self.changed = asyncio.Event()

    async def look(self, conn: asyncpg.Connection) -> None:
        while len(self.took) < self.count:
            await self.changed.wait()
            self.changed.clear()
            for row in await conn.fetch(ARRIVED, list(self.due)):
                self.took.append(time.perf_counter() - self.due.pop(row["chain_id"]))
        self.all.set()


def request(rng: random.Random, token: str) -> bytes:
    """One report, not like any other."""
    report = {
        "channel": "hotline",
        "caller": {"role": "neighbour"},
        "place": {"division": "500112004", "address": f"示例路 {rng.randint(1, 10**12)} 号"},
        "subjects": [{"id": "s1", "age": 13, "facts": {"school": "dropped_out"}}],
    }
    body = json.dumps(report, ensure_ascii=False).encode()
    head = (
        f"POST /v1/applications HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
        f"Idempotency-Key: {uuid4()}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def post(free: asyncio.Queue[Connection], sent: bytes, due: float, arrivals: Arrivals) -> None:
    connection = await free.get()
    answered = await connection.ask(sent)
    free.put_nowait(connection)
    arrivals.due[UUID(json.loads(answered.partition(b"\r\n\r\n")[2])["chain_id"])] = due
    arrivals.changed.set()


async def main() -> None:
    question = asked()
    free: asyncio.Queue[Connection] = asyncio.LifoQueue()
    for connection in await connected(urlsplit(question["url"]), CONNECTIONS):
        free.put_nowait(connection)
    arrivals, rng = Arrivals(question["count"]), random.Random()
    listening, asking = [await asyncpg.connect(question["postgres"]) for _ in range(2)]
    await listening.add_listener(CHANNEL, lambda *_: arrivals.changed.set())
    looking = asyncio.create_task(arrivals.look(asking))
    due = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(question["count"]):
            due += rng.expovariate(question["rate"])
            await asyncio.sleep(due - time.perf_counter())
            group.create_task(post(free, request(rng, question["token"]), due, arrivals))
    await asyncio.wait_for(arrivals.all.wait(), PATIENCE)
    await looking
    answer(percentiles(arrivals.took))


if __name__ == "__main__":
    uvloop.run(main())
