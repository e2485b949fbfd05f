"""Events on Kafka: CloudEvents 1.0 in binary mode, read and written without a detour.

Attributes travel as `ce_` headers (`datacontenttype` as `content-type`), the event's fields as the JSON body.
`tests/contract/test_codec.py` proves both directions equal to the CloudEvents SDK's Kafka binding.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, get_args
from uuid import UUID

from pydantic import ValidationError

from onedoor.contracts.core import SYSTEM, Actor, Classification, Envelope, Event
from onedoor.contracts.events.intake import PersonErased
from onedoor.contracts.registry import model_for

SOURCE = "/onedoor/"
SCHEMA = "urn:onedoor:schema:"
JSON = b"application/json"

_remembered = lru_cache(maxsize=1024)
"""For attributes of which all messages together have few values."""

Headers = Iterable[tuple[str, bytes | None]] | Mapping[str, bytes | None]

_CLASSIFICATIONS: Mapping[str, Classification] = {name: name for name in get_args(Classification)}


class Message(NamedTuple):
    """What Kafka carries: key, value (None: a tombstone) and headers."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class CodecError(Exception):
    """The message is no event of ours. Its text names what is wrong, never a value that was found."""


class Undecodable(CodecError):
    """An attribute is missing or malformed, or the body does not fit the type's model."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unregistered(CodecError):
    """The type is not in the registry."""

    def __init__(self, type_: str) -> None:
        super().__init__(f"unregistered type {type_[:100]!r}")
        self.type = type_


def schema_urn(type_: str, version: int) -> str:
    """The `dataschema` attribute: names the committed JSON Schema that the body follows."""
    return f"{SCHEMA}{type_}:{version}"


def encode(envelope: Envelope) -> Message:
    """The Kafka message of an event.

    Raises ValueError if its time is naive.
    """
    return Message(
        key=envelope.key.encode() if envelope.key else None,
        value=None if isinstance(envelope.data, PersonErased) else encode_body(envelope.data),
        headers=encode_headers(envelope),
    )


def encode_body(event: Event) -> bytes:
    """The event's fields as UTF-8 JSON, under the names of the committed schema."""
    return event.model_dump_json(by_alias=True).encode()


def encode_headers(envelope: Envelope) -> list[tuple[str, bytes]]:
    """The CloudEvents attributes as Kafka headers."""
    return header_lines(
        id=envelope.id,
        source=envelope.source,
        type_=envelope.type,
        version=envelope.version,
        subject=envelope.subject,
        time=envelope.time,
        key=envelope.key,
        classification=envelope.classification,
        actor=str(envelope.actor),
        cause=envelope.cause,
        traceparent=envelope.traceparent,
    )


def header_lines(
    *,
    id: UUID,
    source: str,
    type_: str,
    version: int,
    subject: UUID,
    time: datetime,
    key: str | None,
    classification: str,
    actor: str,
    cause: UUID | None,
    traceparent: str | None,
) -> list[tuple[str, bytes]]:
    """The same from single values, as the relay has them from the event store."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(id).encode()),
        ("ce_source", f"{SOURCE}{source}".encode()),
        ("ce_type", type_.encode()),
        ("ce_time", _timestamp(time)),
        ("ce_subject", str(subject).encode()),
        ("ce_dataschema", f"{SCHEMA}{type_}:{version}".encode()),
        ("ce_dataclassification", classification.encode()),
        ("ce_actor", actor.encode()),
        ("content-type", JSON),
    ]
    if key:
        headers.append(("ce_partitionkey", key.encode()))
    if cause is not None:
        headers.append(("ce_cause", str(cause).encode()))
    if traceparent is not None:
        headers.append(("ce_traceparent", traceparent.encode()))
    return headers


def peek_type(headers: Headers) -> str | None:
    """The type alone, to pass over what a reader does not take; None if the header is missing or no text."""
    raw = dict(headers).get("ce_type")
    try:
        return raw.decode() if raw else None
    except UnicodeDecodeError:
        return None


def decode(key: bytes | None, value: bytes | None, headers: Headers) -> Envelope:
    """The event of a Kafka message.

    A version newer than ours is read with our newest model of the type. The message's key is the key; without
    one the `partitionkey` attribute is. A tombstone is `person.erased` of its subject.
    Raises Undecodable or Unregistered.
    """
    found = dict(headers)
    if _text(found, "ce_specversion") != "1.0":
        raise Undecodable("ce_specversion is not 1.0")
    model = _kind(found.get("ce_type"), found.get("ce_dataschema"))
    subject = _uuid(found, "ce_subject")
    return Envelope(
        data=_data(model, value, subject, found),
        id=_uuid(found, "ce_id"),
        source=_source(found.get("ce_source")),
        subject=subject,
        time=_time(found),
        key=_key(key, found),
        classification=_classification(found),
        actor=_actor(found["ce_actor"]) if "ce_actor" in found else SYSTEM,
        cause=_uuid(found, "ce_cause") if "ce_cause" in found else None,
        traceparent=_text(found, "ce_traceparent") if "ce_traceparent" in found else None,
    )


def decode_body(type_: str, version: int, body: bytes | str) -> Event:
    """The event from its JSON alone, as the event store keeps it.

    Raises Undecodable or Unregistered.
    """
    return _validated(_model(type_, version), body)


@_remembered
def _kind(type_: bytes | None, schema: bytes | None) -> type[Event]:
    headers = {"ce_type": type_, "ce_dataschema": schema}
    name = _text(headers, "ce_type")
    return _model(name, _version(headers, name))


def _model(type_: str, version: int) -> type[Event]:
    model = model_for(type_, version)
    if model is None:
        raise Unregistered(type_)
    return model


def _validated(model: type[Event], body: bytes | str) -> Event:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        reason = _reason(error)
    # Raised outside the handler: the chained error would carry the input into tracebacks.
    raise Undecodable(reason)


def _reason(error: ValidationError) -> str:
    """Where and what kind, from field names and pydantic's error codes only."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "body: " + ", ".join(f"{_path(problem['loc'])} {problem['type']}" for problem in problems[:10])


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(whole)"


def _data(
    model: type[Event], value: bytes | None, subject: UUID, headers: Mapping[str, bytes | None]
) -> Event:
    if not value:
        if model is PersonErased:
            return PersonErased(person_id=subject)
        raise Undecodable("the body is empty, but the type is not person.erased")
    content_type = headers.get("content-type") or JSON
    if content_type != JSON and not content_type.startswith(JSON + b";"):
        raise Undecodable("content-type is not application/json")
    return _validated(model, value)


def _text(headers: Mapping[str, bytes | None], name: str) -> str:
    raw = headers.get(name)
    if not raw:
        raise Undecodable(f"{name} is missing")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        pass
    raise Undecodable(f"{name} is not UTF-8")


def _uuid(headers: Mapping[str, bytes | None], name: str) -> UUID:
    text = _text(headers, name)
    try:
        return UUID(text)
    except ValueError:
        pass
    raise Undecodable(f"{name} is not a UUID")


def _timestamp(moment: datetime) -> bytes:
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("an event's time must be timezone-aware")
    if offset:
        moment = moment.astimezone(UTC)
    return moment.isoformat().removesuffix("+00:00").encode() + b"Z"


def _time(headers: Mapping[str, bytes | None]) -> datetime:
    text = _text(headers, "ce_time")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Undecodable("ce_time is not a timestamp") from None
    if moment.tzinfo is None:
        raise Undecodable("ce_time has no time zone")
    return moment


@_remembered
def _source(raw: bytes | None) -> str:
    text = _text({"ce_source": raw}, "ce_source")
    if not text.startswith(SOURCE) or len(text) == len(SOURCE):
        raise Undecodable("ce_source is not /onedoor/<service>")
    return text[len(SOURCE) :]


def _version(headers: Mapping[str, bytes | None], type_: str) -> int:
    text = _text(headers, "ce_dataschema")
    prefix, _, version = text.rpartition(":")
    if prefix != f"{SCHEMA}{type_}" or not (version.isascii() and version.isdigit()) or len(version) > 6:
        raise Undecodable("ce_dataschema is not urn:onedoor:schema:<type>:<version>")
    return int(version)


def _key(key: bytes | None, headers: Mapping[str, bytes | None]) -> str:
    if key is None:
        return _text(headers, "ce_partitionkey") if "ce_partitionkey" in headers else ""
    try:
        return key.decode()
    except UnicodeDecodeError:
        pass
    raise Undecodable("the key is not UTF-8")


def _classification(headers: Mapping[str, bytes | None]) -> Classification:
    found = _CLASSIFICATIONS.get(_text(headers, "ce_dataclassification"))
    if found is None:
        raise Undecodable("ce_dataclassification is not public, internal, restricted or child")
    return found


@_remembered
def _actor(raw: bytes | None) -> Actor:
    text = _text({"ce_actor": raw}, "ce_actor")
    if text.count("/") < 3:
        raise Undecodable("ce_actor is not role/department/division/person")
    return Actor.parse(text)
