"""The AsyncAPI document against the specification's own schema, where the reference folder is."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from onedoor.contracts import asyncapi

OFFICIAL = Path(__file__).parents[3] / "shared" / "reference" / "asyncapi-3.1.0.schema.json"


@pytest.fixture(scope="module")
def official() -> Draft7Validator:
    if not OFFICIAL.exists():
        pytest.skip("the official schema of AsyncAPI 3.1.0 is not there")
    return Draft7Validator(json.loads(OFFICIAL.read_text("utf-8")))


def test_it_follows_the_official_schema(official: Draft7Validator) -> None:
    document = json.loads(asyncapi.FILE.read_text("utf-8"))
    assert [error.message for error in official.iter_errors(document)] == []


def test_the_official_schema_refuses_what_is_wrong(official: Draft7Validator) -> None:
    document = json.loads(asyncapi.FILE.read_text("utf-8"))
    document["operations"]["notify.clock.send"]["action"] = "shout"
    assert not official.is_valid(document)
