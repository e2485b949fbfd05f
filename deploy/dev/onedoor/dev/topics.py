"""The topics, from one file (`topics.yaml`): created by deployment, never by a service."""

from collections.abc import Mapping
from functools import cache
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict


class Topics(BaseModel):
    """How many partitions each topic has, and its settings beside the defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    partitions: int
    topics: Mapping[str, Mapping[str, str]]


@cache
def declared() -> Topics:
    return Topics.model_validate(yaml.safe_load(resources.files(__package__).joinpath("topics.yaml").read_text()))


async def ensure_topics(bootstrap: str, suffix: str = "") -> int:
    """Create the topics that are missing, each with `suffix`; how many those were."""
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        known = set(await admin.list_topics())
        missing = [
            NewTopic(name + suffix, declared().partitions, 1, topic_configs={"retention.ms": "-1", **settings})
            for name, settings in declared().topics.items()
            if name + suffix not in known
        ]
        if missing:
            await admin.create_topics(missing)
        return len(missing)
    finally:
        await admin.close()
