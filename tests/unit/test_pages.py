"""Cursor pages."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from onedoor.runtime.pages import after, cursor, page
from onedoor.runtime.problems import Problem

KEY = (datetime(2026, 2, 13, 1, 2, 3, 456, tzinfo=UTC), UUID(int=7), "悦来", 5, None)
TYPES = (datetime, UUID, str, int, int | None)


def test_a_cursor_brings_back_its_key() -> None:
    text = cursor(*KEY)
    assert text.isascii()
    assert after(text, *TYPES) == KEY
    assert after(None, *TYPES) is None


@pytest.mark.parametrize("text", ["", "!", "abc", cursor("x"), cursor(*KEY, 1), "é"])
def test_what_is_no_cursor_of_the_list_is_a_problem(text: str) -> None:
    with pytest.raises(Problem) as raised:
        after(text, *TYPES)
    assert raised.value.status == 422


@pytest.mark.parametrize(("count", "more"), [(0, False), (2, False), (3, True)])
def test_the_row_too_many_makes_the_next_page(count: int, more: bool) -> None:
    found = page(range(count), 2, str, lambda row: (row,))
    assert found.items == [str(row) for row in range(min(count, 2))]
    assert found.next == (cursor(1) if more else None)
