"""What a step asks for, as a form can show it: derived from the body's model."""

from typing import Any, Literal

from pydantic import BaseModel

from onedoor.assistance.domain import approval
from onedoor.assistance.domain.table import Step

Kind = Literal[
    "text",
    "code",
    "choice",
    "reason",
    "choices",
    "number",
    "fen",
    "flag",
    "moment",
    "month",
    "people",
    "names",
    "id",
]


class Field(BaseModel):
    """One field of a step. `allowed`: the codes of a closed list; least, most: of a number."""

    name: str
    kind: Kind
    required: bool
    allowed: list[str] | None = None
    least: int | None = None
    most: int | None = None


def fields_of(step: Step) -> list[Field]:
    """The fields of the step's body, in its order."""
    schema = step.said.model_json_schema()
    required = set(schema.get("required", ()))
    return [
        _field(step, name, _plain(part, schema), name in required)
        for name, part in schema.get("properties", {}).items()
    ]


def _plain(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A property without its references and without the alternative of being left out."""
    if "anyOf" in part:
        part = part | next(each for each in part["anyOf"] if each.get("type") != "null")
    if "$ref" in part:
        part = part | schema["$defs"][part["$ref"].rsplit("/", 1)[1]]
    return part


def _field(step: Step, name: str, part: dict[str, Any], required: bool) -> Field:
    if name == "reason" and step.decides in ("refuse", "stop", "recover"):
        allowed = sorted(approval.packaged().reasons_for(step.decides))
        return Field(name=name, kind="reason", required=required, allowed=allowed)
    if name in step.said.written:
        return Field(name=name, kind="text", required=required)
    if name.endswith("_fen"):
        return Field(name=name, kind="fen", required=required)
    if "enum" in part:
        return Field(name=name, kind="choice", required=required, allowed=part["enum"])
    match part.get("type"), part.get("format"):
        case "boolean", _:
            return Field(name=name, kind="flag", required=required)
        case "integer", _:
            return Field(name=name, kind="number", required=required, least=part.get("minimum"),
                         most=part.get("maximum"))  # fmt: skip
        case "array", _:
            items = part.get("items", {})
            kind: Kind = "choices" if "enum" in items else "names" if items.get("type") else "people"
            return Field(name=name, kind=kind, required=required, allowed=items.get("enum"))
        case "string", "date-time":
            return Field(name=name, kind="moment", required=required)
        case "string", "uuid":
            return Field(name=name, kind="id", required=required)
    return Field(name=name, kind="month" if name.endswith("_month") else "code", required=required)
