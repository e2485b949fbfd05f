"""Bare pipelines as running processes: one hop each, any number of them in a row."""

import json
import sys
from contextlib import AsyncExitStack

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from onedoor.dev.postgres import with_database
from onedoor.dev.program import Program, running
from onedoor.dev.topics import declared
from tests.bench.anchors.work import TABLES
from tests.bench.frame import ROOT, Bench
from tests.harness import eventually

MODULE = "tests.bench.anchors.aiokafka_pipeline"


async def database(bench: Bench, name: str) -> str:
    """A new database on the benchmarks' server; its DSN."""
    conn = await asyncpg.connect(bench.servers.postgres)
    try:
        await conn.execute(f'create database "{name}"')
    finally:
        await conn.close()
    return with_database(bench.servers.postgres, name)


async def hops(bench: Bench, stack: AsyncExitStack, name: str, count: int) -> dict[str, str]:
    """Pipelines one behind the other, until the stack closes: the first topic and the last."""
    topics = [f"bench.{name}.{number}" for number in range(count + 1)]
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.servers.kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, declared().partitions, 1) for topic in topics])
    finally:
        await admin.close()
    for number in range(count):
        dsn = await database(bench, f"bench_{name}_{number}")
        conn = await asyncpg.connect(dsn)
        try:
            await conn.execute(TABLES)
        finally:
            await conn.close()
        ends = {"topic": topics[number], "out": topics[number + 1]}
        await _hop(stack, f"{name}-{number}", bench, {"kafka": bench.servers.kafka, "postgres": dsn, **ends})
    return {"topic": topics[0], "out": topics[-1]}


async def _hop(stack: AsyncExitStack, name: str, bench: Bench, question: dict[str, str]) -> None:
    log = bench.folder / f"{name}.log"
    argv = (sys.executable, "-m", MODULE, json.dumps(question))
    alive = await stack.enter_async_context(running(Program(name, argv, log, env={"PYTHONPATH": str(ROOT)})))

    async def ready() -> bool:
        assert alive(), log.read_text()
        return "ready" in log.read_text()

    await eventually(ready, 30, "the bare pipeline reads")
