import os
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from onedoor.contracts.registry import TOPICS
from tests.servers import Servers


@pytest.fixture(scope="session")
def servers() -> Servers:
    return Servers(os.environ["ONEDOOR_KAFKA"], os.environ["ONEDOOR_POSTGRES"])


@pytest.fixture
async def topic_suffix(servers: Servers) -> str:
    suffix = "." + uuid.uuid4().hex[:8]
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(t + suffix, 6, 1) for t in TOPICS])
    await admin.close()
    return suffix


@pytest.fixture
async def database(servers: Servers) -> AsyncIterator[str]:
    name = "t" + uuid.uuid4().hex[:12]
    conn = await asyncpg.connect(servers.postgres)
    await conn.execute(f"create database {name}")
    await conn.close()
    yield servers.postgres.replace("/postgres?", f"/{name}?")
