"""What a step's form becomes as a body: what cannot be read goes as it is, and the service names it."""

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import FormData

from onedoor.desk.pages import cases
from onedoor.desk.pages.cases import fen_of, said, yuan
from onedoor.desk.remote import Reply
from onedoor.desk.web import Absent


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("470", 47_000),
        ("470.00", 47_000),
        ("1,234.56", 123_456),
        ("0.01", 1),
        ("0.001", "0.001"),
        ("many", "many"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("", ""),
    ],
)
def test_yuan_become_whole_fen(text: str, fen: int | str) -> None:
    assert fen_of(text) == fen


def test_an_amount_is_written_with_its_cents() -> None:
    assert (yuan(123_456), yuan(0), yuan(None)) == ("1,234.56", "0.00", "—")


@pytest.mark.parametrize(
    ("kind", "items", "value"),
    [
        ("flag", [("x", "1")], True),
        ("choices", [("x", "bills"), ("x", "id_card")], ["bills", "id_card"]),
        ("names", [("x", "a"), ("x", " "), ("x", "b")], ["a", "b"]),
        ("number", [("x", "6")], 6),
        ("number", [("x", "six")], "six"),
        ("moment", [("x", "2026-06-01")], "2026-06-01T00:00:00+08:00"),
        ("moment", [("x", "soon")], "soon"),
        ("text", [("x", " 说明 ")], "说明"),
    ],
)
def test_each_kind_of_field_is_read(kind: str, items: list[tuple[str, str]], value: Any) -> None:
    assert said([{"name": "x", "kind": kind}], FormData(items)) == {"x": value}


def test_what_is_left_empty_is_left_out() -> None:
    fields = [{"name": name, "kind": kind} for name, kind in (("a", "text"), ("b", "fen"), ("c", "choices"))]
    assert said(fields, FormData([("a", " "), ("b", "")])) == {}


def test_people_come_in_rows_and_an_empty_row_is_none() -> None:
    rows = [
        ("x.person", "cw-1"), ("x.unit", "township"), ("x.division", "500112015"),
        ("x.person", "vil-1"), ("x.unit", "village"), ("x.division", ""),
        ("x.person", ""), ("x.unit", "township"), ("x.division", ""),
    ]  # fmt: skip
    assert said([{"name": "x", "kind": "people"}], FormData(rows))["x"] == [
        {"person": "cw-1", "unit": "township", "division": "500112015"},
        {"person": "vil-1", "unit": "village"},
    ]


async def test_a_step_that_is_done_leaves_no_dialog_though_the_case_is_not_told_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def not_told(desk: Any, case: str) -> dict[str, Any]:
        raise Absent

    async def settled(reply: Reply) -> bool:
        return True

    monkeypatch.setattr(cases, "_content", not_told)
    desk: Any = SimpleNamespace(settled=settled)
    answer = await cases._after(desk, "c1", Reply("assistance", 200, {}), "stop")
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, "/cases/c1")
