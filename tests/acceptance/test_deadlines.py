"""The owner's deadline vectors and the outside holiday data, where the folder beside the checkout exists."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from onedoor.calendar import announced, describe, is_working
from onedoor.dev.rules import register

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
VECTORS = SHARED / "cases" / "deadlines.yaml"
NOTICES = SHARED / "reference" / "holiday-cn"
STATUTORY = SHARED / "reference" / "statutory-days.json"

if not VECTORS.is_file():
    pytest.skip("the acceptance cases are not beside this checkout", allow_module_level=True)

app = typer.Typer()
register(app)
vectors: list[dict[str, Any]] = yaml.safe_load(VECTORS.read_text("utf-8"))["vectors"]
READER_KEYS = ("id", "title", "note", "expect")


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def judged(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: answer[key] for key in ("due_on", "due_at", "provisional")}


@pytest.mark.parametrize("vector", vectors, ids=lambda vector: vector["id"])
def test_a_vector_holds(vector: dict[str, Any]) -> None:
    pauses = [part for pause in vector.get("pause", []) for part in ("--pause", pause)]
    answer = run("due", "--from", vector["from"], "--limit", vector["limit"], *pauses)
    assert judged(answer) == vector["expect"]
    assert answer["steps"]


def test_the_batch_answers_as_the_single_calls_do(tmp_path: Path) -> None:
    bare = [{key: value for key, value in vector.items() if key not in READER_KEYS} for vector in vectors]
    file = tmp_path / "vectors.yaml"
    file.write_text(yaml.safe_dump({"vectors": bare}), "utf-8")
    answers = run("due", "--batch", str(file))
    assert [judged(answer) for answer in answers] == [vector["expect"] for vector in vectors]


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_every_day_of_an_announced_year_agrees_with_the_outside_data(year: int) -> None:
    listed = {
        day["date"]: day["isOffDay"] for day in json.loads((NOTICES / f"{year}.json").read_text())["days"]
    }
    day = date(year, 1, 1)
    while day.year == year:
        assert is_working(day) is not listed.get(day.isoformat(), day.weekday() >= 5), day
        day += timedelta(days=1)
    assert announced(year)


def test_years_without_a_notice_have_their_statutory_days_off() -> None:
    for year, days in json.loads(STATUTORY.read_text())["years"].items():
        day = date(int(year), 1, 1)
        while day.year == int(year):
            off = day.weekday() >= 5 or day.isoformat() in days
            assert describe(day).working is not off, day
            day += timedelta(days=1)
        assert not announced(int(year))
