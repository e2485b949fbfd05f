"""Can events written by one version of a schema be read with another?

A reader ignores fields it does not know, and takes the default of an optional field that is missing. Two
versions are compatible when each reads whatever the other may have written; every two versions of a type must
be (FULL_TRANSITIVE), since a new consumer replays a topic from its beginning and an old one may still run.

Breaking: a required field added, removed or renamed; an optional field made required or the reverse where the
other needs it; an optional field renamed; a type, format, bound or default changed; a value of an enumeration
added or removed. Compatible: an optional field added, or one removed for good; texts.
Keywords that are not understood here must be equal.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any

Schema = Mapping[str, Any]

_ANNOTATIONS = frozenset(
    {"$schema", "$id", "$defs", "$comment", "title", "description", "examples", "deprecated", "default"}
    | {"x-personal"}
)
_OBJECT = frozenset({"properties", "required", "additionalProperties"})
_NO_TIGHTER: Mapping[str, Callable[[Any, Any], bool]] = {
    "minimum": operator.ge,
    "exclusiveMinimum": operator.ge,
    "minLength": operator.ge,
    "minItems": operator.ge,
    "maximum": operator.le,
    "exclusiveMaximum": operator.le,
    "maxLength": operator.le,
    "maxItems": operator.le,
    "format": operator.eq,
    "pattern": operator.eq,
    "multipleOf": operator.eq,
    "uniqueItems": operator.eq,
}
_UNDERSTOOD = _ANNOTATIONS | _OBJECT | _NO_TIGHTER.keys() | {"type", "const", "items"}
_ANYTHING: Schema = {}


def full_transitive(versions: Mapping[str, Schema]) -> list[str]:
    """What breaks between any two of a type's versions, given by label; a sentence each, empty when nothing.

    Order the labels from old to new: they name the two sides in the sentences.
    """
    problems: list[str] = []
    for (old, older), (new, newer) in combinations(versions.items(), 2):
        problems += [f"{new} cannot read {old}: {problem}" for problem in unreadable(newer, older)]
        problems += [f"{old} cannot read {new}: {problem}" for problem in unreadable(older, newer)]
        problems += [f"{old} and {new}: {problem}" for problem in _Renamed(older, newer).found()]
    return problems


def unreadable(reader: Schema, writer: Schema) -> list[str]:
    """What a reader of one schema may meet in events of another and cannot take; empty when it reads all."""
    return list(dict.fromkeys(_Reading(reader, writer).problems(reader, writer, "")))


class _Reading:
    """One comparison; remembers the pairs under way, so that schemas may refer to themselves."""

    def __init__(self, reader: Schema, writer: Schema) -> None:
        self._reader = reader
        self._writer = writer
        self._under_way: set[tuple[int, int]] = set()

    def problems(self, reader: Schema | bool, writer: Schema | bool, path: str) -> Iterator[str]:
        readable = list(_alternatives(reader, self._reader))
        for written in _alternatives(writer, self._writer):
            found = [list(self._alternative(one, written, path)) for one in readable]
            if all(found):
                yield from _nearest(readable, found, written, path)

    def _alternative(self, reader: Schema, writer: Schema, path: str) -> Iterator[str]:
        pair = (id(reader), id(writer))
        if pair in self._under_way:
            return
        self._under_way.add(pair)
        yield from _values(reader, writer, path)
        yield from self._items(reader, writer, path)
        yield from self._fields(reader, writer, path)
        self._under_way.discard(pair)

    def _items(self, reader: Schema, writer: Schema, path: str) -> Iterator[str]:
        if "items" in reader and writer.get("type") == "array":
            yield from self.problems(reader["items"], writer.get("items", _ANYTHING), f"{path}[]")

    def _fields(self, reader: Schema, writer: Schema, path: str) -> Iterator[str]:
        if writer.get("type") != "object":
            return
        known, written = _properties(reader), _properties(writer)
        always = set(writer.get("required", ()))
        for name in reader.get("required", ()):
            if name not in always:
                how = "may be missing" if name in written else "is not written"
                yield f"{_at(path, name)}: required, but {how}"
        for name in (name for name in known if name in written):
            yield from self.problems(known[name], written[name], _at(path, name))
        yield from _defaults(reader, writer, path)
        yield from self._others(reader, writer, path)

    def _others(self, reader: Schema, writer: Schema, path: str) -> Iterator[str]:
        """Fields that only one side names, and those that neither does."""
        known, written = _properties(reader), _properties(writer)
        takes = reader.get("additionalProperties", True)
        gives = writer.get("additionalProperties", False)
        for name in sorted(written.keys() - known.keys()):
            yield from self._unknown(takes, written[name], _at(path, name))
        if gives is not False:
            for name in sorted(known.keys() - written.keys()):
                yield from self.problems(known[name], gives, _at(path, name))
            yield from self._unknown(takes, gives, _at(path, "*"))

    def _unknown(self, takes: Schema | bool, written: Schema | bool, path: str) -> Iterator[str]:
        if takes is False:
            yield f"{path}: written, but unknown fields are refused"
        elif takes is not True:
            yield from self.problems(takes, written, path)


def _values(reader: Schema, writer: Schema, path: str) -> Iterator[str]:
    """Type, constant, bounds, and whatever is not understood."""
    at = path or "(whole)"
    if not _fits(reader, writer):
        yield f"{at}: {_kind(writer)} is written, {_kind(reader)} is read"
    for keyword, no_tighter in _NO_TIGHTER.items():
        if keyword in reader and not (keyword in writer and no_tighter(writer[keyword], reader[keyword])):
            yield f"{at}: {keyword} {reader[keyword]} is read, {writer.get(keyword, 'any')} is written"
    for keyword in sorted((reader.keys() | writer.keys()) - _UNDERSTOOD):
        if reader.get(keyword) != writer.get(keyword):
            yield f"{at}: {keyword} differs"


def _fits(reader: Schema, writer: Schema) -> bool:
    takes, gives = reader.get("type"), writer.get("type")
    if takes is not None and takes != gives and (takes, gives) != ("number", "integer"):
        return False
    return "const" not in reader or ("const" in writer and writer["const"] == reader["const"])


def _nearest(readable: list[Schema], found: list[list[str]], written: Schema, path: str) -> Iterator[str]:
    """The problems with the one alternative that was meant, if that is clear."""
    same = [problems for one, problems in zip(readable, found, strict=True) if _like(one, written)]
    if len(readable) == 1 or len(same) == 1:
        yield from (same or found)[0]
    else:
        read = " or ".join(map(_kind, readable)) or "nothing"
        yield f"{path or '(whole)'}: {_kind(written)} is written, {read} is read"


def _like(reader: Schema, writer: Schema) -> bool:
    return "const" not in reader and reader.get("type") == writer.get("type")


def _alternatives(schema: Schema | bool, root: Schema) -> Iterator[Schema]:
    """The schema as a choice of schemas with one type and no enumeration each."""
    if isinstance(schema, bool):
        yield from (_ANYTHING,) if schema else ()
        return
    if "$ref" in schema:
        yield from _alternatives(_resolve(schema["$ref"], root), root)
        return
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema and schema.keys() <= _ANNOTATIONS | {keyword, "discriminator"}:
            for one in schema[keyword]:
                yield from _alternatives(one, root)
            return
    if isinstance(schema.get("type"), list):
        yield from ({**schema, "type": one} for one in schema["type"])
    elif "enum" in schema:
        rest = {key: value for key, value in schema.items() if key != "enum"}
        yield from ({**rest, "const": value} for value in schema["enum"])
    else:
        yield schema


def _resolve(reference: str, root: Schema) -> Schema:
    """Raises ValueError for a reference that leaves the document."""
    if not reference.startswith("#/"):
        raise ValueError(f"{reference} leaves the schema")
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found  # type: ignore[no-any-return]


def _properties(schema: Schema) -> Schema:
    found: Schema = schema.get("properties", _ANYTHING)
    return found


def _defaults(reader: Schema, writer: Schema, path: str) -> Iterator[str]:
    """A missing field must mean the same to both."""
    known, written = _optional(reader), _optional(writer)
    for name in (name for name in known if name in written):
        if known[name].get("default", _NONE) != written[name].get("default", _NONE):
            yield f"{_at(path, name)}: another default"


_NONE = object()


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _kind(schema: Schema) -> str:
    return repr(schema["const"]) if "const" in schema else str(schema.get("type", "anything"))


class _Renamed:
    """Optional fields that went while others of the same shape came: each side would read the default.

    Keeping the old field beside the new one is the way out, also where the likeness is chance.
    """

    def __init__(self, older: Schema, newer: Schema) -> None:
        self._older = older
        self._newer = newer

    def found(self) -> list[str]:
        new = dict(_objects(self._newer))
        pairs = ((path, one, new[path]) for path, one in _objects(self._older) if path in new)
        return [problem for path, one, other in pairs for problem in self._between(one, other, path)]

    def _between(self, one: Schema, other: Schema, path: str) -> Iterator[str]:
        was, now = _optional(one), _optional(other)
        for gone in sorted(was.keys() - _properties(other).keys()):
            for came in sorted(now.keys() - _properties(one).keys()):
                if _shape(was[gone]) == _shape(now[came]):
                    yield f"{_at(path, gone)} looks renamed to {came}; keep {gone} beside it"


def _objects(root: Schema) -> Iterator[tuple[str, Schema]]:
    yield "", root
    yield from root.get("$defs", _ANYTHING).items()


def _optional(schema: Schema) -> Schema:
    required = set(schema.get("required", ()))
    return {name: field for name, field in _properties(schema).items() if name not in required}


def _shape(schema: object) -> object:
    if isinstance(schema, Mapping):
        return {key: _shape(value) for key, value in schema.items() if key not in _ANNOTATIONS}
    return [_shape(value) for value in schema] if isinstance(schema, list) else schema
