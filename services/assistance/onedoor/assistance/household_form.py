"""The household's file as a form shows it: derived from the model that reads the file."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel

from onedoor.policy import Household
from onedoor.policy.household import UNSTORED

Kind = Literal[
    "text", "choice", "open_choice", "flag", "number", "yuan", "day", "month", "division", "person",
    "part", "parts", "amounts",
]  # fmt: skip
"""`open_choice`: a code of a list, or any other word; `amounts`: yuan by code; `part`: fields of its own;
`parts`: a list of such."""


class Entry(BaseModel):
    """One field of the file. `label`: the code of its words, as Member.birth.

    `default`: what stands where nothing is said; least, most: of a number, or of how many a list has.
    `listed`: an empty list says something else than none. `kept`: not only compared when it is entered.
    """

    name: str
    label: str
    kind: Kind
    required: bool = False
    allowed: list[str] = []
    default: str | bool | None = None
    least: int | None = None
    most: int | None = None
    listed: bool = False
    kept: bool = True
    fields: list["Entry"] = []


@cache
def household_form() -> Sequence[Entry]:
    """Every field of the file, in the model's order."""
    schema = Household.model_json_schema()
    return tuple(_entries(schema, schema["$defs"], "Household"))


def _entries(model: Mapping[str, Any], models: Mapping[str, Any], owner: str) -> list[Entry]:
    required = set(model.get("required", ()))
    return [_entry(name, part, models, owner, name in required) for name, part in model["properties"].items()]


def _entry(
    name: str, written: Mapping[str, Any], models: Mapping[str, Any], owner: str, required: bool
) -> Entry:
    part, nullable = _plain(written)
    kind, inner, title = _kind(part, models)
    items = part.get("items", {})
    return Entry(
        name=name,
        label=f"{owner}.{name}",
        kind=kind,
        required=required,
        allowed=part.get("enum") or part.get("examples") or ([part["const"]] if "const" in part else []),
        default=part.get("default") if isinstance(part.get("default"), str | bool) else None,
        least=part.get("minimum", part.get("minItems")),
        most=part.get("maximum", part.get("maxItems")),
        listed=bool(items) and nullable and not part.get("minItems"),
        kept=name not in UNSTORED,
        fields=_entries(inner, models, title) if inner else [],
    )


def _plain(part: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """A property without the alternative of being left out, and whether it had that one."""
    if "anyOf" not in part:
        return part, False
    first = next(each for each in part["anyOf"] if each.get("type") != "null")
    nullable = any(each.get("type") == "null" for each in part["anyOf"])
    return {**part, **first}, nullable


def _kind(part: Mapping[str, Any], models: Mapping[str, Any]) -> tuple[Kind, Mapping[str, Any], str]:
    """The kind, and of a part or a list of parts the part's model with its name."""
    reference = part.get("$ref") or part.get("items", {}).get("$ref")
    if reference:
        title = str(reference).rsplit("/", 1)[1]
        return "parts" if "items" in part else "part", models[title], title
    return _simple(part), {}, ""


def _simple(part: Mapping[str, Any]) -> Kind:
    match part.get("type"), part.get("format"):
        case "boolean", _:
            return "flag"
        case "integer", format_:
            return "yuan" if format_ == "yuan" else "number"
        case "object", _:
            return "amounts"
        case "string", "date" | "date-time":
            return "day"
        case "string", "month" | "division" as format_:
            return "month" if format_ == "month" else "division"
        case "string", "uuid":
            return "person"
    if "enum" in part or "const" in part:
        return "choice"
    return "open_choice" if "examples" in part else "text"


def kept_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What of a file is kept as a draft: the form's fields, whatever is wrong in them, and nothing that only
    identifies a person. What stands where no field of the form is cannot be shown again, and is not kept."""
    return _kept(household_form(), raw)


def _kept(fields: Sequence[Entry], raw: Mapping[str, Any]) -> dict[str, Any]:
    found = {each.name: _value(each, raw[each.name]) for each in fields if each.kept and each.name in raw}
    return {name: value for name, value in found.items() if value is not _NOTHING}


_NOTHING = object()


def _value(entry: Entry, value: Any) -> Any:
    match entry.kind, value:
        case "parts", list():
            return [_kept(entry.fields, each) for each in value if isinstance(each, Mapping)]
        case "part", dict():
            return _kept(entry.fields, value)
        case "amounts", dict():
            return {str(key): each for key, each in value.items() if not isinstance(each, list | dict)}
        case "part" | "parts" | "amounts", _:
            return _NOTHING if value is not None else None
    return _NOTHING if isinstance(value, list | dict) else value
