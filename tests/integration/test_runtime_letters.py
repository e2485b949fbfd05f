"""What operators see of a dead letter: what kind of thing it is, never a person, whatever it holds."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from onedoor.contracts import codec
from onedoor.runtime.letters import Record
from onedoor.runtime.letters_api import Letter, _letter
from onedoor.runtime.logs import mask
from tests.integration.toy import withdrawal


def shown(value: bytes, key: bytes | None = b"k", child: bool = False, headers: bytes = b"[]") -> Letter:
    row: dict[str, Any] = {
        "id": 1, "consumer": "toy", "topic": "t", "type": None, "key": key, "child": child, "error": "E",
        "traceback": "T", "arrived_at": datetime.now(UTC), "waiting": 0, "value": value,
        "partition": 0, "offset": 0, "headers": headers,
    }  # fmt: skip
    return _letter(row)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 400 + b"]" * 400,
        b'{"a":' * 400 + b"1" + b"}" * 400,
        b"[" * 100_000,
        b'{"\\ud800": 1}',
        b"\xff\x00",
        b"NaN",
        b"9" * 5000,
    ],
    ids=["deep list", "deep object", "too deep", "half a character", "bytes", "no number", "long number"],
)
def test_any_payload_can_be_listed(payload: bytes) -> None:
    assert shown(payload).model_dump_json()


def test_names_that_are_no_field_of_an_event_are_not_shown() -> None:
    payload = {
        "subjects": [{"person_id": str(UUID(int=1)), "facts": {"suspected_harm": True}}],
        "Li Invented": "13800000000",
        "张三": {"phone": "13800000000"},
    }
    letter = shown(json.dumps(payload).encode())
    assert letter.shape == {
        "subjects": [{"person_id": "str", "facts": {"(unknown)": "bool"}}],
        "(unknown)": {"phone": "str"},
    }
    assert mask(letter.model_dump_json()) == letter.model_dump_json()


@pytest.mark.parametrize(
    ("key", "child", "seen"),
    [
        (str(UUID(int=7)).encode(), False, str(UUID(int=7))),
        (str(UUID(int=7)).encode(), True, None),
        ("张三".encode(), False, None),
        (b"\xff", False, None),
        (None, False, None),
    ],
)
def test_a_key_is_shown_only_as_an_id_and_never_of_a_child(
    key: bytes | None, child: bool, seen: str | None
) -> None:
    assert shown(b"{}", key, child).key == seen


@pytest.mark.parametrize(
    ("traceparent", "trace_id"),
    [(b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01", "a" * 32), (b"Li Invented", None), (b"\xff", None)],
)
def test_the_trace_is_shown_and_nothing_else_that_stands_in_its_place(
    traceparent: bytes, trace_id: str | None
) -> None:
    headers = json.dumps([["ce_traceparent", b64encode(traceparent).decode()]]).encode()
    letter = shown(b"{}", headers=headers)
    assert letter.trace_id == trace_id
    assert "Invented" not in letter.model_dump_json()


def test_what_does_not_say_how_widely_it_may_be_read_counts_as_a_childs() -> None:
    key, value, headers = codec.encode(withdrawal(UUID(int=1)))
    assert not Record("t", 0, 0, key, value, headers).child
    assert Record("t", 0, 0, key, value, []).child
