"""What an OpenAPI document says beyond what FastAPI knows: schemas in one piece, headers read by hand."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import unwrap
from types import CodeType, FunctionType, ModuleType
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
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


def describe_headers(
    routers: Iterable[APIRouter], read_by: Mapping[Callable[..., Any], Mapping[str, Any]]
) -> None:
    """Describe, for every route, the headers that functions read which its endpoint comes to call.

    read_by: the OpenAPI parameter that a function reads. So no endpoint has to repeat what it does.
    """
    for route in _routes(routers):
        called = _called(unwrap(route.endpoint))
        headers = [dict(header) for function, header in read_by.items() if function in called]
        extra = route.openapi_extra or {}
        told = extra.get("parameters", [])
        new = [header for header in headers if header not in told]
        if new:
            route.openapi_extra = {**extra, "parameters": [*told, *new]}


def _routes(routers: Iterable[APIRouter]) -> Iterator[APIRoute]:
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                yield route
            elif isinstance(inner := getattr(route, "original_router", None), APIRouter):
                yield from _routes([inner])


def _called(function: Callable[..., Any]) -> set[Callable[..., Any]]:
    """Every function of ours that this one's code names, and those that these name."""
    found: set[Callable[..., Any]] = set()
    waiting: list[Any] = [function]
    while waiting:
        each = waiting.pop()
        if isinstance(each, FunctionType) and each not in found and each.__module__.startswith("onedoor."):
            found.add(each)
            waiting.extend(_named(each))
    return found


def _named(function: FunctionType) -> Iterator[Any]:
    names = set(_names(function.__code__))
    named = [function.__globals__[name] for name in names if name in function.__globals__]
    yield from named
    for module in named:
        if isinstance(module, ModuleType):
            yield from (getattr(module, name) for name in names if hasattr(module, name))
    for cell in function.__closure__ or ():
        yield cell.cell_contents


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
