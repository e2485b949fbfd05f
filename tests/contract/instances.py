"""Instances of event models for property tests: every field drawn, optional ones too."""

from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

from onedoor.contracts.core import Actor, Envelope, Event

MOMENTS = st.datetimes(
    datetime(2000, 1, 1),
    datetime(2100, 1, 1),
    timezones=st.sampled_from((UTC, timezone(timedelta(hours=8)), timezone(-timedelta(hours=3, minutes=30)))),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
_KNOWN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    int: st.integers(),
    bool: st.booleans(),
    UUID: st.uuids(),
    date: st.dates(),
    datetime: MOMENTS,
    AwareDatetime: MOMENTS,
    NoneType: st.none(),
    Any: JSON,
}


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a field, by its annotation. Raises KeyError for one that no event has used so far."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values(arguments[0])
    if origin in (Union, UnionType):
        return st.one_of(*map(values, arguments))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return instances(annotation)
    return _KNOWN[annotation]


@cache
def instances(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Instances of a model."""
    fields = {name: values(field.annotation) for name, field in model.model_fields.items()}
    return st.builds(model, **fields)


_WORDS = st.text(st.characters(codec="ascii", categories=("Ll", "Nd")), min_size=1, max_size=12)
_ACTORS = st.builds(
    Actor,
    person=st.text(min_size=1, max_size=12),
    role=_WORDS,
    department=st.none() | _WORDS,
    division=st.none() | _WORDS,
)


@cache
def envelopes(event: type[Event]) -> st.SearchStrategy[Envelope]:
    """Envelopes around events of that type, with and without what is optional."""
    return st.builds(
        Envelope,
        id=st.uuids(),
        source=st.sampled_from(("intake", "child-welfare", "notify")),
        subject=st.uuids(),
        time=MOMENTS,
        key=st.text(max_size=40),
        data=instances(event),
        classification=st.sampled_from(("public", "internal", "restricted", "child")),
        actor=_ACTORS,
        cause=st.none() | st.uuids(),
        traceparent=st.none() | st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    )
