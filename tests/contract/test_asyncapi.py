"""The AsyncAPI document: current, whole, and true of the topics and the messages."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from onedoor.contracts import asyncapi, codec, schemas
from onedoor.contracts.core import Event
from onedoor.contracts.registry import BY_VERSION, TOPICS
from onedoor.dev.topics import declared
from tests.contract.instances import envelopes

DOCUMENT: dict[str, Any] = json.loads(asyncapi.FILE.read_text("utf-8"))
PUBLISHED = [event for event in BY_VERSION.values() if event.topics]
MODELS = [pytest.param(event, id=f"{event.type}.v{event.version}") for event in PUBLISHED]


def test_it_is_as_the_registry_says(tmp_path: Path) -> None:
    assert asyncapi.stale() == []
    file = tmp_path / "asyncapi.json"
    assert asyncapi.stale(file) == ["asyncapi.json: not committed yet; run `make schemas`"]
    assert asyncapi.write(file) == ["asyncapi.json"]
    assert asyncapi.write(file) == []
    file.write_text("{}")
    assert asyncapi.stale(file) == ["asyncapi.json: the registry says otherwise; run `make schemas`"]


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@cache
def read(file: str) -> Any:
    return json.loads((asyncapi.FILE.parent / file).read_text("utf-8"))


def resolve(reference: str) -> Any:
    """What a reference of the document means. Raises KeyError or FileNotFoundError if nothing."""
    file, _, pointer = reference.partition("#")
    found = read(file) if file else DOCUMENT
    for part in pointer.removeprefix("/").split("/") if pointer else ():
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def test_every_reference_means_something() -> None:
    found = set(references(DOCUMENT))
    assert found
    assert all(resolve(reference) for reference in found)


def test_channels_are_the_topics_that_the_deployment_makes() -> None:
    made = declared()
    assert DOCUMENT["channels"].keys() == set(TOPICS) <= made.topics.keys()
    for topic, channel in DOCUMENT["channels"].items():
        binding = channel["bindings"]["kafka"]
        assert channel["address"] == binding["topic"] == topic
        assert binding["partitions"] == made.partitions
        assert (binding["topicConfiguration"]["cleanup.policy"] == ["compact"]) == made.topics[
            topic
        ].compacted


def test_one_service_publishes_on_each_topic_all_that_may_travel_there() -> None:
    operations = DOCUMENT["operations"].values()
    assert all(operation["action"] == "send" for operation in operations)
    assert sorted(operation["channel"]["$ref"] for operation in operations) == sorted(
        f"#/channels/{topic}" for topic in TOPICS
    )
    for operation in operations:
        topic = resolve(operation["channel"]["$ref"])
        assert [resolve(message["$ref"]) for message in operation["messages"]] == list(
            topic["messages"].values()
        )


@pytest.mark.parametrize("event", MODELS)
def test_every_event_is_on_its_topics_and_no_other(event: type[Event]) -> None:
    name = f"{event.type}.v{event.version}"
    on = {topic for topic, channel in DOCUMENT["channels"].items() if name in channel["messages"]}
    assert on == set(event.topics)


@pytest.mark.parametrize("event", MODELS)
def test_every_schema_is_one(event: type[Event]) -> None:
    message = DOCUMENT["components"]["messages"][f"{event.type}.v{event.version}"]
    for schema in (message["headers"], message["payload"], message["bindings"]["kafka"]["key"]):
        Draft7Validator.check_schema(schema)
    for reference in references(message["payload"]):
        Draft202012Validator.check_schema(resolve(reference))


PLACE = "file:///contracts/"


def registry() -> Registry[Any]:
    """The document and the committed schemas, at addresses that stand to each other as their files do."""
    contents = {asyncapi.FILE.name: DOCUMENT}
    contents |= {
        f"{schemas.FOLDER.name}/{name}": json.loads(text) for name, text in schemas.committed().items()
    }
    resources = {
        PLACE + name: Resource.from_contents(content, default_specification=DRAFT202012)
        for name, content in contents.items()
    }
    return Registry().with_resources(resources.items()).crawl()


REGISTRY = registry()


@cache
def described(event: type[Event], part: str) -> Draft202012Validator:
    """What the document says of that part of its messages."""
    message = f"{PLACE}{asyncapi.FILE.name}#/components/messages/{event.type}.v{event.version}"
    return Draft202012Validator(
        {"$ref": f"{message}/{part}"}, registry=REGISTRY, format_checker=FormatChecker()
    )


@pytest.mark.parametrize("event", MODELS)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(draw=st.data())
def test_messages_of_the_codec_follow_it(event: type[Event], draw: st.DataObject) -> None:
    message = codec.encode(draw.draw(envelopes(event)))
    values = {
        "headers": {name: value.decode() for name, value in message.headers},
        "payload": json.loads(message.value) if message.value else None,
    }
    for part, value in values.items():
        described(event, part).validate(value)
