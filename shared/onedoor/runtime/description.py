"""JSON Schemas of models as an OpenAPI document can hold them."""

from typing import Any

from pydantic import BaseModel


def in_one_piece(model: type[BaseModel]) -> dict[str, Any]:
    """The model's schema without `$defs`: references into itself would not hold inside an OpenAPI document.

    The model must not contain itself (RecursionError).
    """
    schema = model.model_json_schema()
    whole: dict[str, Any] = _inlined(schema, schema.pop("$defs", {}))
    return whole


def _inlined(value: Any, defs: dict[str, Any]) -> Any:
    match value:
        case {"$ref": str(reference), **beside}:
            return {**_inlined(defs[reference.rpartition("/")[2]], defs), **_inlined(beside, defs)}
        case dict():
            return {name: _inlined(part, defs) for name, part in value.items()}
        case list():
            return [_inlined(part, defs) for part in value]
    return value
