"""The servers of each kind are real: they keep order, groups and data as the system needs them."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from onedoor.dev import ports
from onedoor.dev.containers import engine_problem
from onedoor.dev.errors import CannotStart
from onedoor.dev.resolve import Backend, Servers, resolve
from onedoor.dev.settings import DevSettings
from onedoor.dev.topics import declared, ensure_topics


def _settings(home: Path, backend: Backend) -> DevSettings:
    port = ports.free(3)
    return DevSettings(
        home=home,
        kafka=None,
        postgres=None,
        servers="testcontainers" if backend == "testcontainers" else "embedded",
        kafka_port=port,
        postgres_port=port + 2,
        durable=False,
    )


@pytest.fixture(scope="module")
def home() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="onedoor-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="module", params=["embedded", "testcontainers"])
async def chosen(request: pytest.FixtureRequest, home: Path) -> AsyncIterator[Servers]:
    """Servers of each kind; a kind that cannot be had here is a skip that says why."""
    settings = _settings(home, request.param)
    if request.param == "testcontainers":
        problem = await asyncio.to_thread(engine_problem, settings.kafka_image, settings.postgres_image)
        if problem is not None:
            pytest.skip(f"testcontainers: {problem}")
    async with resolve(settings) as servers:
        yield servers


async def test_each_says_what_it_is(chosen: Servers, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["chosen"]
    assert chosen.kafka_backend == chosen.postgres_backend == kind
    assert str(chosen).count(f"({kind})") == 2


async def test_topics_are_made_once_with_their_settings(chosen: Servers) -> None:
    assert set(await ensure_topics(chosen.kafka)) == set(declared().topics)
    assert await ensure_topics(chosen.kafka) == ()
    assert await _setting(chosen.kafka, "intake.person", "cleanup.policy") == "compact"
    assert await _setting(chosen.kafka, "notify.clock", "retention.ms") == "-1"


async def _setting(bootstrap: str, topic: str, name: str) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        return {entry[0]: entry[1] for entry in answer.resources[0][4]}[name]
    finally:
        await admin.close()


async def test_an_idempotent_producer_and_a_group_keep_the_order_of_a_key(chosen: Servers) -> None:
    await ensure_topics(chosen.kafka, ".order")
    producer = AIOKafkaProducer(bootstrap_servers=chosen.kafka, enable_idempotence=True)
    await producer.start()
    try:
        sent = [
            await producer.send("notify.clock.order", b"%d" % number, key=b"chain") for number in range(200)
        ]
        assert len({(await each).partition for each in sent}) == 1
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(
        "notify.clock.order", bootstrap_servers=chosen.kafka, group_id="order", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        got = [int((await consumer.getone()).value) for _ in range(200)]
        await consumer.commit()
    finally:
        await consumer.stop()
    assert got == list(range(200))


async def test_no_topic_comes_into_being_by_being_named(chosen: Servers) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=chosen.kafka)
    await admin.start()
    producer = AIOKafkaProducer(bootstrap_servers=chosen.kafka, request_timeout_ms=2000)
    await producer.start()
    try:
        with pytest.raises((KafkaError, TimeoutError)):
            await asyncio.wait_for(producer.send_and_wait("nobody.made.this", b"x"), 3)
        assert "nobody.made.this" not in await admin.list_topics()
    finally:
        await producer.stop()
        await admin.close()


async def test_postgres_is_current_and_has_room_for_all_services(chosen: Servers) -> None:
    conn = await asyncpg.connect(chosen.postgres)
    try:
        assert int(await conn.fetchval("show server_version_num")) >= 180000
        assert await conn.fetchval("show max_connections") == "300"
        assert await conn.fetchval("show server_encoding") == "UTF8"
        assert await conn.fetchval("select rolsuper from pg_roles where rolname = current_user")
        assert await conn.fetchval("select lower('ÄÖ')") == "äö"
    finally:
        await conn.close()


async def test_what_embedded_servers_were_told_survives_their_end() -> None:
    with tempfile.TemporaryDirectory(prefix="onedoor-test-", ignore_cleanup_errors=True) as folder:
        settings = _settings(Path(folder), "embedded")
        async with resolve(settings) as servers:
            await ensure_topics(servers.kafka, ".kept")
            await _execute(servers.postgres, "create table kept as select 42 as answer")
        async with resolve(settings) as servers:
            assert await ensure_topics(servers.kafka, ".kept") == ()
            assert await _execute(servers.postgres, "select answer from kept") == 42
            with pytest.raises(CannotStart, match=rf"port {settings.postgres_port} .*is taken"):
                async with resolve(settings):
                    pass
        assert ports.is_free(settings.kafka_port)
        assert ports.is_free(settings.postgres_port)


async def _execute(dsn: str, statement: str) -> object:
    conn = await asyncpg.connect(dsn)
    try:
        return await conn.fetchval(statement)
    finally:
        await conn.close()


async def test_a_clone_of_the_template_has_every_service_and_is_its_own(
    template_database: str, migrated_database: str
) -> None:
    schemas = "select count(*) from pg_namespace where nspname = any($1)"
    names = ["intake", "assistance", "child_welfare", "notify", "desk"]
    conn = await asyncpg.connect(migrated_database)
    try:
        assert await conn.fetchval(schemas, names) == len(names)
        assert await conn.fetchval("select current_database()") not in template_database
    finally:
        await conn.close()
