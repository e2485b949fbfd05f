"""The topics, made from topics.yaml by the deployment and by nobody else."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict

_KEPT = {"retention.ms": "-1", "retention.bytes": "-1"}


class _Topic(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    compacted: bool = False


class Topics(BaseModel):
    """The file, read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    partitions: int
    topics: Mapping[str, _Topic]


@cache
def declared() -> Topics:
    """What topics.yaml says."""
    return Topics.model_validate(yaml.safe_load(files(__package__).joinpath("topics.yaml").read_bytes()))


async def ensure_topics(bootstrap: str, suffix: str = "") -> tuple[str, ...]:
    """Make the topics that are missing, each name with `suffix` added; gives the new names.

    Existing topics stay as they are. Raises aiokafka's KafkaError when the broker refuses.
    """
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    file = declared()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = {name + suffix: topic for name, topic in file.topics.items() if name + suffix not in there}
        new = [
            NewTopic(name, num_partitions=file.partitions, replication_factor=1, topic_configs=_config(topic))
            for name, topic in missing.items()
        ]
        if new:
            _check(await admin.create_topics(new))
        return tuple(missing)
    finally:
        await admin.close()


def _config(topic: _Topic) -> dict[str, str]:
    return {"cleanup.policy": "compact"} if topic.compacted else dict(_KEPT)


def _check(response: object) -> None:
    from aiokafka.errors import TopicAlreadyExistsError, for_code

    for name, code, *rest in response.topic_errors:  # type: ignore[attr-defined]
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(f"{name}: {' '.join(str(part) for part in rest)}")


async def delete_topics(bootstrap: str, suffix: str) -> None:
    """Remove the topics with this suffix (a test's); an empty suffix is refused with ValueError."""
    from aiokafka.admin import AIOKafkaAdminClient

    if not suffix:
        raise ValueError("the system's own topics are not removed")
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        names = [name + suffix for name in declared().topics if name + suffix in there]
        if names:
            await admin.delete_topics(names)
    finally:
        await admin.close()
