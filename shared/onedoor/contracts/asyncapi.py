"""The AsyncAPI 3.1 document of the whole stream, made from the registry.

`make schemas` writes it to asyncapi.json beside this file; bodies are the committed schemas, by reference.
"""

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from onedoor.contracts import schemas
from onedoor.contracts.codec import schema_urn
from onedoor.contracts.core import Event
from onedoor.contracts.events.intake import PERSON, PersonErased
from onedoor.contracts.registry import BY_VERSION, TOPICS

FILE = Path(__file__).parent / "asyncapi.json"
VERSION = "1.0.0"
PARTITIONS = 6
COMPACTED = frozenset({PERSON})

Object = dict[str, Any]

_BINDING = {"bindingVersion": "0.5.0"}
_UUID = {"type": "string", "format": "uuid"}
_ATTRIBUTES: Mapping[str, Object] = {
    "ce_specversion": {"const": "1.0"},
    "ce_id": {**_UUID, "description": "The event's; a repeated event has the same."},
    "ce_source": {"type": "string", "pattern": "^/onedoor/.+$", "description": "The service that says it."},
    "ce_type": {"type": "string"},
    "ce_time": {"type": "string", "format": "date-time", "description": "When it happened, UTC."},
    "ce_subject": {**_UUID, "description": "The aggregate it happened to."},
    "ce_dataschema": {
        "type": "string",
        "format": "uri",
        "description": "Names type and version of the body.",
    },
    "ce_dataclassification": {"enum": ["public", "internal", "restricted", "child"]},
    "ce_actor": {"type": "string", "description": "Who did it: role/department/division/person."},
    "content-type": {"const": "application/json"},
    "ce_partitionkey": {"type": "string", "description": "The message's key."},
    "ce_cause": {**_UUID, "description": "The event that led to this one."},
    "ce_traceparent": {"type": "string", "description": "W3C Trace Context."},
}
_OPTIONAL = frozenset({"ce_partitionkey", "ce_cause", "ce_traceparent"})


def document() -> Object:
    """The document; its references to `./schemas/` are relative to its own place."""
    published = [event for event in BY_VERSION.values() if event.topics]
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "OneDoor 一门",
            "version": VERSION,
            "description": _text(
                """
                Every request for help, case, referral and clock, as CloudEvents 1.0 in Kafka binary mode.
                Events carry ids and coded facts; who the people are travels on intake.person alone.
                """
            ),
            "license": {"name": "AGPL-3.0-or-later"},
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic, published) for topic in TOPICS},
        "operations": {f"{topic}.send": _operation(topic, published) for topic in TOPICS},
        "components": {
            "schemas": {"cloudevent": _cloudevent()},
            "messages": {_name(event): _message(event) for event in published},
        },
    }


def owner(topic: str) -> str:
    """The one service that publishes on a topic: its name's first word."""
    return topic.partition(".")[0]


def _on(topic: str, published: list[type[Event]]) -> Iterator[type[Event]]:
    return (event for event in published if topic in event.topics)


def _channel(topic: str, published: list[type[Event]]) -> Object:
    return {
        "address": topic,
        "messages": {_name(event): {"$ref": _pointer(event)} for event in _on(topic, published)},
        "tags": [{"name": owner(topic)}],
        "bindings": {
            "kafka": {
                "topic": topic,
                "partitions": PARTITIONS,
                "topicConfiguration": _kept(topic),
                **_BINDING,
            }
        },
    }


def _kept(topic: str) -> Object:
    """Nothing expires, so that a new consumer can be built by replay; compaction keeps the last of a key."""
    if topic in COMPACTED:
        return {"cleanup.policy": ["compact"]}
    return {"cleanup.policy": ["delete"], "retention.ms": -1, "retention.bytes": -1}


def _operation(topic: str, published: list[type[Event]]) -> Object:
    messages = f"#/channels/{topic}/messages"
    return {
        "action": "send",
        "summary": f"{owner(topic)} publishes on {topic}.",
        "channel": {"$ref": f"#/channels/{topic}"},
        "messages": [{"$ref": f"{messages}/{_name(event)}"} for event in _on(topic, published)],
        "tags": [{"name": owner(topic)}],
    }


def _message(event: type[Event]) -> Object:
    return {
        "name": event.type,
        "title": f"{event.type} v{event.version}",
        "description": _text(event.__doc__ or ""),
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/cloudevent"},
                {
                    "properties": {
                        "ce_type": {"const": event.type},
                        "ce_dataschema": {"const": schema_urn(event.type, event.version)},
                    }
                },
            ]
        },
        "payload": _payload(event),
        "bindings": {"kafka": {"key": {**_UUID}, **_BINDING}},
    }


def _payload(event: type[Event]) -> Object:
    if issubclass(event, PersonErased):
        return {"type": "null", "description": "A tombstone: compaction forgets what stood under the key."}
    return {"$ref": f"./{schemas.FOLDER.name}/{schemas.file_name(event.type, event.version)}"}


def _cloudevent() -> Object:
    return {
        "type": "object",
        "description": "CloudEvents 1.0 attributes as Kafka headers, UTF-8.",
        "required": [name for name in _ATTRIBUTES if name not in _OPTIONAL],
        "properties": dict(_ATTRIBUTES),
    }


def _name(event: type[Event]) -> str:
    return f"{event.type}.v{event.version}"


def _pointer(event: type[Event]) -> str:
    return f"#/components/messages/{_name(event)}"


def _text(text: str) -> str:
    return inspect.cleandoc(text)


def stale(file: Path = FILE) -> list[str]:
    """Whether the committed document differs from the registry, as a sentence; empty when it agrees."""
    if not file.exists():
        return [f"{file.name}: not committed yet; run `make schemas`"]
    if file.read_text("utf-8") != schemas.as_text(document()):
        return [f"{file.name}: the registry says otherwise; run `make schemas`"]
    return []


def write(file: Path = FILE) -> list[str]:
    """Write it if it differs; gives the names of the files written."""
    if not stale(file):
        return []
    file.write_text(schemas.as_text(document()), "utf-8")
    return [file.name]
