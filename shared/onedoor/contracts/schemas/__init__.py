"""One committed JSON Schema per event type and version: what a body looks like to everybody else.

`python -m onedoor.contracts.schemas` (`make schemas`) writes them and the AsyncAPI document from the models.
The file of an older version, whose model is gone, stays: its events may still be on their topic.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from onedoor.contracts.codec import schema_urn
from onedoor.contracts.core import Event
from onedoor.contracts.registry import BY_VERSION, LATEST

FOLDER = Path(__file__).parent
PERSONAL_MARK = "x-personal"
IDENTITY = "person."

Schema = dict[str, Any]


class _Untitled(GenerateJsonSchema):
    """Without the titles that only repeat the field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema_of(event: type[Event]) -> Schema:
    """The JSON Schema (2020-12) of an event's body, as a reader meets it."""
    schema = event.model_json_schema(by_alias=True, mode="validation", schema_generator=_Untitled)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": schema_urn(event.type, event.version),
        "title": f"{event.type} v{event.version}",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def file_name(type_: str, version: int) -> str:
    """`application.received.v1.json`"""
    return f"{type_}.v{version}.json"


def parse_name(name: str) -> tuple[str, int]:
    """Type and version from a file's name. Raises ValueError if it is none."""
    type_, _, version = name.removesuffix(".json").rpartition(".v")
    if not type_ or not version.isdigit() or not name.endswith(".json"):
        raise ValueError(f"{name} is not <type>.v<version>.json")
    return type_, int(version)


def as_text(document: Mapping[str, Any]) -> str:
    """JSON as it is committed."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def generated() -> dict[str, str]:
    """File name to text, for every registered event."""
    return {file_name(*key): as_text(schema_of(event)) for key, event in BY_VERSION.items()}


def committed(folder: Path = FOLDER) -> dict[str, str]:
    """File name to text, as they lie in the folder."""
    return {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.json"))}


def stale(folder: Path = FOLDER) -> list[str]:
    """What differs between models and files, a sentence each; empty when they agree."""
    want, have = generated(), committed(folder)
    missing = [f"{name}: not committed yet; run `make schemas`" for name in want if name not in have]
    changed = [
        f"{name}: the model says otherwise; run `make schemas`"
        for name in want
        if name in have and have[name] != want[name]
    ]
    return missing + changed + [problem for name in have if name not in want for problem in _orphan(name)]


def _orphan(name: str) -> Iterator[str]:
    """A file without a model is right only for an older version of a type that is still registered."""
    try:
        type_, version = parse_name(name)
    except ValueError as error:
        yield str(error)
        return
    if type_ not in LATEST:
        yield f"{name}: {type_} is not registered, but its events may still be on their topic"
    elif version > LATEST[type_].version:
        yield f"{name}: the newest model of {type_} is version {LATEST[type_].version}"


def personal_fields(schema: object, path: str = "") -> Iterator[str]:
    """Where a schema holds a field that identifies a person, at any depth."""
    if isinstance(schema, Mapping):
        if schema.get(PERSONAL_MARK) is True:
            yield path or "(whole)"
        for key, value in schema.items():
            yield from personal_fields(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for position, value in enumerate(schema):
            yield from personal_fields(value, f"{path}/{position}")


def misplaced_identity() -> list[str]:
    """Fields that identify a person in an event that may not; empty when identity travels apart."""
    return [
        f"{event.type} v{event.version}: {field} is Personal; only {IDENTITY}* may identify anybody"
        for event in BY_VERSION.values()
        if not event.type.startswith(IDENTITY)
        for field in personal_fields(schema_of(event))
    ]


def write(folder: Path = FOLDER) -> list[str]:
    """Write what differs; gives the names of the files written."""
    folder.mkdir(exist_ok=True)
    have = committed(folder)
    changed = {name: text for name, text in generated().items() if have.get(name) != text}
    for name, text in changed.items():
        (folder / name).write_text(text, "utf-8")
    return sorted(changed)
