"""Cursor pages: an opaque cursor holds the sort key of the last item shown (keyset, never an offset)."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, TypeAdapter, ValidationError

from onedoor.runtime.problems import FieldProblem, invalid

T = TypeVar("T")
R = TypeVar("R")

Limit = Annotated[int, Query(ge=1, le=200, description="How many items at most")]
After = Annotated[str | None, Query(max_length=1000, description="`next` of the page before")]


class Page(BaseModel, Generic[T]):
    """Items in order; `next` is the cursor of the following page, null on the last."""

    items: list[T]
    next: str | None = None


def cursor(*key: object) -> str:
    """The sort key of an item (texts, numbers, ids, dates, moments, null) as an opaque text."""
    raw = json.dumps(key, default=_plain, ensure_ascii=False, separators=(",", ":"))
    return urlsafe_b64encode(raw.encode()).rstrip(b"=").decode()


def _plain(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"no sort key: {type(value).__name__}")


def after(cursor: str | None, *types: Any) -> tuple[Any, ...] | None:
    """The sort key in a cursor, its parts of the given types; None without a cursor.

    Raises a 422 problem for a text that is no cursor of this list.
    """
    if cursor is None:
        return None
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        values: tuple[Any, ...] = TypeAdapter(tuple[types]).validate_json(raw)  # type: ignore[valid-type]
    except (ValueError, ValidationError):
        raise invalid([_BAD]) from None
    return values


_BAD = FieldProblem(
    field="after",
    problem="is not a cursor of this list",
    remedy="Use `next` of the page before as it was given.",
    problem_zh="不是本列表的游标",
    remedy_zh="请原样使用上一页给出的 next。",
)


def page(
    rows: Sequence[R], limit: int, item: Callable[[R], T], key: Callable[[R], tuple[Any, ...]]
) -> Page[T]:
    """A page from at most `limit + 1` rows in order: the one too many tells that there is a next page."""
    shown = rows[:limit]
    more = cursor(*key(shown[-1])) if len(rows) > limit else None
    return Page(items=[item(row) for row in shown], next=more)
