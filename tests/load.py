"""A client that posts applications at a steady rate and keeps the list of what was accepted."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.conservation import Accepted

DIVISIONS = ("500112004", "500112016", "500112011", "500112018")
HONEST = {429, 503}
AT_ONCE = 20


def application(seed: random.Random) -> dict[str, Any]:
    """One invented application; each kind of plan occurs: alarm, every service's case, referral only."""
    division = seed.choice(DIVISIONS)
    where = {"place": {"division": division, "address": f"示例路 {uuid.UUID(int=seed.getrandbits(128))} 号"}}
    kinds: list[dict[str, Any]] = [
        {"needs": ["care"], "subjects": [{"id": "s1", "age": 9, "facts": {"alone": True}}]},
        {"needs": ["cash", "medical_cost"], "subjects": [{"id": "s1", "age": 44}]},
        {"needs": ["job"], "subjects": [{"id": "s1", "age": 30}]},
        {"subjects": [{"id": "s1", "age": 13, "facts": {"school": "dropped_out"}}]},
        {"needs": ["education_cost"], "subjects": [{"id": "s1", "age": 40}, {"id": "s2", "age": 12}]},
        {"needs": ["food", "lodging"], "subjects": [{"id": "s1", "age": 52, "facts": {"street": True}}]},
        {
            "needs": ["remaining_gap"],
            "consent": {"financial_check": True, "charity": True},
            "subjects": [{"id": "s1", "age": 38}],
        },
    ]
    return {"channel": "hotline", "caller": {"role": "neighbour"}, **where, **seed.choice(kinds)}


@dataclass
class Load:
    """What was posted: how many applications, the accepted ones, and every other answer by its status."""

    posted: int = 0
    accepted: list[Accepted] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0


async def post_until_accepted(
    client: httpx.AsyncClient, body: dict[str, Any], load: Load, patience: float
) -> None:
    """Post with one Idempotency-Key; again after an honest refusal or a broken connection."""
    key = str(uuid.uuid4())
    async with asyncio.timeout(patience):
        while True:
            try:
                answer = await client.post("/v1/applications", json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                load.unanswered += 1
            else:
                if answer.status_code == 201:
                    load.accepted.append(Accepted.of(answer.json()))
                    return
                load.refused[answer.status_code] += 1
                assert answer.status_code in HONEST, (answer.status_code, answer.text)
                assert answer.headers["content-type"] == "application/problem+json"
            await asyncio.sleep(0.3)


@asynccontextmanager
async def under_load(
    client: httpx.AsyncClient, seed: int, per_second: float, patience: float = 300
) -> AsyncIterator[Load]:
    """A new application every 1/per_second seconds while the body runs, at most AT_ONCE not yet accepted.

    Left once each of them is accepted.
    """
    load = Load()
    async with asyncio.TaskGroup() as group:
        posting = group.create_task(_post(client, random.Random(seed), 1 / per_second, load, patience, group))
        yield load
        posting.cancel()


async def _post(
    client: httpx.AsyncClient,
    rng: random.Random,
    pause: float,
    load: Load,
    patience: float,
    group: asyncio.TaskGroup,
) -> None:
    slots = asyncio.Semaphore(AT_ONCE)
    while True:
        await slots.acquire()
        load.posted += 1
        task = group.create_task(post_until_accepted(client, application(rng), load, patience))
        task.add_done_callback(lambda _: slots.release())
        await asyncio.sleep(pause)


async def steady(client: httpx.AsyncClient, seed: int, per_second: float, seconds: float) -> Load:
    """That load for so many seconds."""
    async with under_load(client, seed, per_second) as load:
        await asyncio.sleep(seconds)
    return load
