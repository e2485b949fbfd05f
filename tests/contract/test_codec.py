"""The codec against the CloudEvents SDK's Kafka binding, and against messages that are none."""

import json
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.v1.event import CloudEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onedoor.contracts import codec
from onedoor.contracts.codec import Message, Undecodable, Unregistered
from onedoor.contracts.core import SYSTEM, Actor, Envelope, Event
from onedoor.contracts.events.case import CaseClosed
from onedoor.contracts.events.intake import PersonErased, PersonRecorded
from onedoor.contracts.events.notify import ReferralAcknowledged
from onedoor.contracts.registry import BY_VERSION
from tests.contract.instances import envelopes

EVENTS = [pytest.param(event, id=f"{event.type}.v{event.version}") for event in BY_VERSION.values()]
SECRET = "Planted Name 13800000000"
ID = UUID(int=7)
CLOSED = Envelope(
    id=ID,
    source="child-welfare",
    subject=ID,
    time=datetime(2026, 9, 18, 1, 30, tzinfo=UTC),
    key=str(ID),
    data=CaseClosed(service="child-welfare", case_id=ID, chain_id=ID, application_id=ID, reason="done"),
    classification="child",
    actor=Actor(person="w-7", role="child-worker", division="500112001"),
    cause=UUID(int=8),
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)


def attributes(envelope: Envelope) -> dict[str, Any]:
    """What CloudEvents calls the circumstances of an event."""
    found = {
        "specversion": "1.0",
        "id": str(envelope.id),
        "source": f"/onedoor/{envelope.source}",
        "type": envelope.type,
        "time": envelope.time.astimezone(UTC),
        "subject": str(envelope.subject),
        "datacontenttype": "application/json",
        "dataschema": f"urn:onedoor:schema:{envelope.type}:{envelope.version}",
        "dataclassification": envelope.classification,
        "actor": str(envelope.actor),
        "partitionkey": envelope.key or None,
        "cause": envelope.cause and str(envelope.cause),
        "traceparent": envelope.traceparent,
    }
    return {name: value for name, value in found.items() if value is not None}


def body(envelope: Envelope) -> Any:
    """Its fields as plain JSON; None of a tombstone."""
    erased = isinstance(envelope.data, PersonErased)
    return None if erased else envelope.data.model_dump(mode="json", by_alias=True)


def to_sdk(message: Message) -> kafka.KafkaMessage:
    return kafka.KafkaMessage(headers=dict(message.headers), key=message.key, value=message.value or b"")


def of_sdk(message: kafka.KafkaMessage) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]:
    key = message.key.encode() if isinstance(message.key, str) else message.key
    return key or None, message.value or None, list(message.headers.items())


def expected(envelope: Envelope) -> Envelope:
    """What arrives: a tombstone's person is its subject."""
    if not isinstance(envelope.data, PersonErased):
        return envelope
    data = PersonErased(person_id=envelope.subject)
    return Envelope(**{name: getattr(envelope, name) for name in Envelope.__slots__} | {"data": data})


@pytest.mark.parametrize("event", EVENTS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(draw=st.data())
def test_we_and_the_sdk_write_and_read_the_same(event: type[Event], draw: st.DataObject) -> None:
    envelope = draw.draw(envelopes(event))
    ours = codec.encode(envelope)

    read = kafka.from_binary_event(to_sdk(ours))
    assert dict(read.get_attributes()) == attributes(envelope)
    assert read.get_data() == body(envelope)

    theirs = of_sdk(kafka.to_binary_event(CloudEvent(attributes(envelope), body(envelope))))
    assert codec.decode(*theirs) == codec.decode(*ours) == expected(envelope)

    key, value, headers = theirs
    assert (ours.key, dict(ours.headers)) == (key, dict(headers))
    assert (ours.value and json.loads(ours.value)) == (value and json.loads(value))
    assert len(dict(ours.headers)) == len(ours.headers)


def test_an_erasure_is_a_tombstone() -> None:
    erased = Envelope(
        id=ID, source="intake", subject=ID, time=CLOSED.time, key=str(ID), data=PersonErased(person_id=ID)
    )
    message = codec.encode(erased)
    assert message.value is None
    assert message.key == str(ID).encode()
    assert codec.decode(*message) == erased


def changed(message: Message, **headers: bytes | None) -> Message:
    """The message with headers replaced or, by None, left out; `_` stands for `-` in `content_type`."""
    new = {name.replace("content_type", "content-type"): value for name, value in headers.items()}
    found = {**dict(message.headers), **new}
    return message._replace(headers=[(name, value) for name, value in found.items() if value is not None])


def test_a_newer_version_is_read_with_our_newest_model() -> None:
    message = changed(codec.encode(CLOSED), ce_dataschema=b"urn:onedoor:schema:case.closed:7")
    newer = json.dumps({**body(CLOSED), "added_later": {"deep": [1]}}).encode()
    assert codec.decode(message.key, newer, message.headers) == CLOSED


def test_a_field_that_a_newer_writer_adds_deep_inside_is_ignored() -> None:
    data = ReferralAcknowledged(
        referral_id=ID,
        chain_id=ID,
        application_id=ID,
        rule="R1",
        from_="township",
        to="education",
        urgency="urgent",
        on_behalf=True,
    )
    text = codec.encode_body(data).replace(b'"means"', b'"added_later":1,"means"')
    assert codec.decode_body(data.type, 1, text) == data


def test_without_optional_attributes() -> None:
    message = changed(
        codec.encode(CLOSED), ce_actor=None, ce_cause=None, ce_traceparent=None, ce_partitionkey=None
    )
    read = codec.decode(message.key, message.value, dict(message.headers))
    assert (read.actor, read.cause, read.traceparent, read.key) == (SYSTEM, None, None, str(ID))


def test_the_messages_key_is_the_key_and_else_the_attribute() -> None:
    message = codec.encode(CLOSED)
    assert codec.decode(b"other", message.value, message.headers).key == "other"
    assert codec.decode(None, message.value, message.headers).key == str(ID)


def test_a_naive_time_is_not_sent() -> None:
    naive = Envelope(id=ID, source="intake", subject=ID, time=datetime(2026, 1, 1), key="", data=CLOSED.data)
    with pytest.raises(ValueError, match="timezone-aware"):
        codec.encode(naive)


@pytest.mark.parametrize(
    ("headers", "type_"),
    [
        ([("ce_id", b"1"), ("ce_type", b"case.closed")], "case.closed"),
        ({"ce_type": "未知".encode()}, "未知"),
        ([("ce_type", b"\xff")], None),
        ([("ce_type", b"")], None),
        ([("ce_type", None)], None),
        ((), None),
    ],
)
def test_the_type_alone(headers: codec.Headers, type_: str | None) -> None:
    assert codec.peek_type(headers) == type_


REQUIRED = [name for name, _ in codec.encode(CLOSED).headers if name not in ("content-type", "ce_actor")]


@pytest.mark.parametrize("name", sorted({*REQUIRED} - {"ce_partitionkey", "ce_cause", "ce_traceparent"}))
def test_a_required_attribute_is_missing(name: str) -> None:
    message = changed(codec.encode(CLOSED), **{name: None})
    with pytest.raises(Undecodable, match=name):
        codec.decode(*message)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_id", b"no uuid"),
        ("ce_subject", b"no uuid"),
        ("ce_cause", b"no uuid"),
        ("ce_source", b"/elsewhere"),
        ("ce_source", b"/onedoor/"),
        ("ce_time", b"yesterday"),
        ("ce_time", b"2026-09-18T09:00:00"),
        ("ce_dataschema", b"urn:onedoor:schema:case.opened:1"),
        ("ce_dataschema", b"urn:onedoor:schema:case.closed:one"),
        ("ce_dataschema", "urn:onedoor:schema:case.closed:²".encode()),
        ("ce_dataclassification", b"secret"),
        ("ce_actor", b"nobody"),
        ("ce_traceparent", b"\xff"),
        ("ce_type", b"\xff"),
        ("content_type", b"application/cloudevents+json"),
    ],
)
def test_an_attribute_is_malformed(name: str, value: bytes) -> None:
    with pytest.raises(Undecodable, match=name.replace("content_type", "content-type")):
        codec.decode(*changed(codec.encode(CLOSED), **{name: value}))


def test_a_header_without_a_value_is_missing() -> None:
    message = codec.encode(CLOSED)
    with pytest.raises(Undecodable, match="ce_id is missing"):
        codec.decode(message.key, message.value, {**dict(message.headers), "ce_id": None})


@pytest.mark.parametrize("value", [None, b"", b"\x00\xff", b"{", b"[]", b"{}", b'{"reason":7}'])
def test_a_body_is_malformed(value: bytes | None) -> None:
    message = codec.encode(CLOSED)
    with pytest.raises(Undecodable, match="body"):
        codec.decode(message.key, value, message.headers)


def test_a_time_in_a_body_has_a_zone() -> None:
    with pytest.raises(Undecodable, match="paused_at timezone_aware"):
        codec.decode_body("clock.paused", 1, b'{"paused_at":"2026-09-18T09:00:00"}')


def test_a_key_that_is_no_text() -> None:
    message = codec.encode(CLOSED)
    with pytest.raises(Undecodable, match="key"):
        codec.decode(b"\xff", message.value, message.headers)


def test_an_unregistered_type_says_which() -> None:
    message = changed(
        codec.encode(CLOSED), ce_type=b"case.vanished", ce_dataschema=b"urn:onedoor:schema:case.vanished:1"
    )
    with pytest.raises(Unregistered, match=r"case\.vanished") as caught:
        codec.decode(*message)
    assert caught.value.type == "case.vanished"


PLANTED = [
    *((name, None) for name, _ in codec.encode(CLOSED).headers if name != "ce_type"),
    (None, json.dumps(SECRET).encode()),
    (None, SECRET.encode()),
    (None, json.dumps({**body(CLOSED), "case_id": SECRET}).encode()),
    (None, json.dumps({**body(CLOSED), "child": SECRET}).encode()),
]


@pytest.mark.parametrize(("name", "value"), PLANTED)
def test_no_error_repeats_what_it_found(name: str | None, value: bytes | None) -> None:
    message = codec.encode(CLOSED)
    headers = [(header, SECRET.encode() if header == name else text) for header, text in message.headers]
    try:
        codec.decode(message.key, value or message.value, headers)
    except Undecodable as error:
        told = "".join(traceback.format_exception(error))
        assert not any(word in told for word in SECRET.split())
    else:
        assert name in ("ce_traceparent", "ce_partitionkey")


@given(
    key=st.none() | st.binary(max_size=20),
    value=st.none() | st.binary(max_size=60),
    headers=st.lists(
        st.tuples(st.sampled_from([name for name, _ in codec.encode(CLOSED).headers]), st.binary())
    ),
)
def test_any_bytes_are_an_event_or_an_error_of_the_codec(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    message = codec.encode(CLOSED)
    with suppress(codec.CodecError):
        codec.decode(key, value, [*message.headers, *headers])


def test_personal_fields_travel_by_their_schema_names() -> None:
    text = codec.encode_body(PersonRecorded(person_id=ID, aliases=("Ayi",)))
    assert json.loads(text)["aliases"] == ["Ayi"]
