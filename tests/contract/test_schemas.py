"""The committed schemas say what the models say, and identity travels apart."""

import json
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import BaseModel

from onedoor.contracts import codec, schemas
from onedoor.contracts.core import PERSONAL, Event
from onedoor.contracts.events.case import CaseClosed
from onedoor.contracts.registry import BY_VERSION, EVENTS, LATEST
from tests.contract.instances import instances

MODELS = [pytest.param(event, id=f"{event.type}.v{event.version}") for event in BY_VERSION.values()]
COMMITTED = {
    name: Draft202012Validator(json.loads(text), format_checker=FormatChecker())
    for name, text in schemas.committed().items()
}


def test_committed_schemas_are_as_the_models_say() -> None:
    assert schemas.stale() == []


def test_types_and_versions_name_one_model_each() -> None:
    assert len(BY_VERSION) == len(EVENTS)
    assert all(LATEST[event.type].version >= event.version >= 1 for event in EVENTS)


@pytest.mark.parametrize("event", MODELS)
def test_every_event_says_in_its_own_words_what_happened(event: type[Event]) -> None:
    assert event.__dict__.get("__doc__")


@pytest.mark.parametrize("event", MODELS)
def test_no_event_refuses_a_field_that_a_newer_writer_adds(event: type[Event]) -> None:
    assert '"additionalProperties": false' not in schemas.as_text(schemas.schema_of(event))


@pytest.mark.parametrize("event", MODELS)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(draw=st.data())
def test_what_is_sent_follows_the_committed_schema(event: type[Event], draw: st.DataObject) -> None:
    name = schemas.file_name(event.type, event.version)
    COMMITTED[name].validate(json.loads(codec.encode_body(draw.draw(instances(event)))))


def test_only_person_events_identify_anybody() -> None:
    assert schemas.misplaced_identity() == []


def test_personal_fields_are_marked() -> None:
    marked = list(schemas.personal_fields(schemas.schema_of(LATEST["person.recorded"])))
    fields = {"name", "id_number", "birth", "phone", "address", "aliases"}
    assert {path.removeprefix("/properties/") for path in marked} >= fields


class _Contact(BaseModel):
    phones: dict[str, tuple[Annotated[str, PERSONAL], ...]]


class _Leak(Event):
    """An event that tells too much, deep inside."""

    type = "case.leaked"

    contacts: tuple[_Contact | None, ...] = ()


def test_a_personal_field_is_found_at_any_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "BY_VERSION", {("case.leaked", 1): _Leak})
    [problem] = schemas.misplaced_identity()
    assert problem.startswith("case.leaked v1: /$defs/_Contact/properties/phones")


def test_what_differs_is_named_and_then_written(tmp_path: Path) -> None:
    names = set(schemas.write(tmp_path))
    assert names == set(schemas.generated())
    assert schemas.write(tmp_path) == schemas.stale(tmp_path) == []

    (tmp_path / "case.closed.v1.json").unlink()
    (tmp_path / "case.opened.v1.json").write_text("{}")
    (tmp_path / "case.vanished.v1.json").write_text("{}")
    (tmp_path / "case.closed.v9.json").write_text("{}")
    (tmp_path / "notes.json").write_text("{}")
    assert [problem.split(":")[0] for problem in schemas.stale(tmp_path)] == [
        "case.closed.v1.json",
        "case.opened.v1.json",
        "case.closed.v9.json",
        "case.vanished.v1.json",
        "notes.json is not <type>.v<version>.json",
    ]


def test_the_file_of_an_older_version_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schemas.write(tmp_path)

    class Newer(CaseClosed):
        """The same, once more."""

        version = 2

    others = {key: event for key, event in BY_VERSION.items() if key[0] != "case.closed"}
    monkeypatch.setattr(schemas, "BY_VERSION", {**others, ("case.closed", 2): Newer})
    monkeypatch.setattr(schemas, "LATEST", {**LATEST, "case.closed": Newer})
    assert schemas.write(tmp_path) == ["case.closed.v2.json"]
    assert schemas.stale(tmp_path) == []
