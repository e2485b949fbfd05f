"""`onedoor due` and `onedoor triage`: one JSON value, or a sentence and another exit status."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from onedoor.dev.rules import register

app = typer.Typer()
register(app)

ORDINARY = """
received_at: 2026-09-18T10:00
channel: grid
place: {division: '500112141'}
subjects: [{id: s1, age: 13, facts: {school: dropped_out}}]
"""
DANGER = """
channel: pigeon
subjects: [{id: s1, age: 9, facts: {alone: true, colour: red}}]
"""


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, list(arguments))
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code != 0
    assert result.stdout == ""
    return result.stderr


def written(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(text, "utf-8")
    return str(file)


def test_due() -> None:
    answer = run("due", "--from", "2026-07-06T10:00", "--limit", "5wd", "--pause", "2026-07-08/2026-07-10")
    assert (answer["due_on"], answer["due_at"]) == ("2026-07-15", "2026-07-16T00:00:00+08:00")
    assert answer["provisional"] is False
    assert {"kind", "first", "last", "counted", "zh", "en"} == set(answer["steps"][0])


def test_due_takes_several_pauses() -> None:
    pauses = ("--pause", "2026-07-08/2026-07-09", "--pause", "2026-07-09/2026-07-10")
    assert run("due", "--from", "2026-07-06", "--limit", "5wd", *pauses)["due_on"] == "2026-07-15"


def test_due_in_a_batch(tmp_path: Path) -> None:
    text = """
vectors:
  - {id: a, from: 2026-07-06T10:00, limit: 24h, pause: ["2026-07-06T12:00/2026-07-06T13:30"], note: unquoted}
  - {from: "2026-07-06T20:00:00Z", limit: 1wd}
"""
    answers = run("due", "--batch", written(tmp_path, "v.yaml", text))
    assert [answer["due_at"] for answer in answers] == [
        "2026-07-07T11:30:00+08:00",
        "2026-07-09T00:00:00+08:00",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", "2026-07-06", "--limit", "5"), "limit"),
        (("--from", "noon", "--limit", "5wd"), "from"),
        (("--from", "2026-07-06", "--limit", "5wd", "--pause", "2026-07-10/2026-07-08"), "pause"),
        (("--limit", "5wd"), "--from"),
        (("--batch", "/nowhere.yaml"), "nowhere"),
    ],
)
def test_due_refuses_what_it_cannot_use(arguments: tuple[str, ...], says: str) -> None:
    assert says in refused("due", *arguments)


@pytest.mark.parametrize(
    ("limit", "pause", "field"),
    [
        ("0wd", "2026-07-08/2026-07-10", "limit"),
        ("10000cd", "2026-07-08/2026-07-10", "limit"),
        ("9999mo", "2026-07-08/2026-07-10", "limit"),
        ("5wd", "2026-07-10/2026-07-08", "pause"),
        ("5wd", "2026-02-30/2026-07-08", "pause"),
    ],
)
def test_due_names_field_and_remedy_in_both_languages(limit: str, pause: str, field: str) -> None:
    said = refused("due", "--from", "9500-07-06", "--limit", limit, "--pause", pause)
    english, chinese = said.strip().splitlines()
    assert english.startswith(f"{field}: ")
    assert chinese.startswith(f"{field}：")
    assert "；请" in chinese


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "vectors: 5",
        "vectors: [5]",
        "vectors: [{limit: 5wd}]",
        "vectors: [{from: 20260706, limit: 5wd}]",
        "a: [",
    ],
)
def test_a_batch_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    assert refused("due", "--batch", written(tmp_path, "v.yaml", text))


def test_triage(tmp_path: Path) -> None:
    answer = run("triage", written(tmp_path, "a.yaml", ORDINARY))
    assert answer["referrals"][0]["from"] == "township"
    assert answer["referrals"][0]["due_ack"] == "2026-09-22T00:00:00+08:00"
    assert "marks" not in answer


def test_triage_of_a_folder_is_in_byte_order(tmp_path: Path) -> None:
    for name in ("b.yaml", "B.yaml", "a10.yaml", "a9.yaml", "note.txt"):
        written(tmp_path, name, ORDINARY.replace("500112141", f"50011214{len(name)}"))
    divisions = [answer["referrals"][0]["to_division"] for answer in run("triage", "--batch", str(tmp_path))]
    assert divisions == ["500112146", "500112148", "500112147", "500112146"]


def test_triage_never_refuses_a_report_of_danger(tmp_path: Path) -> None:
    answer = run("triage", written(tmp_path, "a.yaml", DANGER))
    assert {mark["field"] for mark in answer["marks"]} == {"channel", "subjects[0].facts.colour"}
    assert answer["services"] == [{"name": "child-welfare", "urgency": "critical"}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ORDINARY.replace("grid", "pigeon"), "order-12345"),
        (ORDINARY.replace("received_at", "received"), "received"),
        (ORDINARY.replace("received_at: 2026-09-18T10:00", ""), "received_at"),
        ("[]", "mapping"),
        ("a: [", "YAML"),
    ],
)
def test_triage_refuses_what_it_cannot_use(tmp_path: Path, text: str, says: str) -> None:
    assert says in refused("triage", written(tmp_path, "a.yaml", text))
    assert "a.yaml" in refused("triage", "--batch", str(tmp_path))


def test_triage_wants_a_file_or_a_folder(tmp_path: Path) -> None:
    assert "FILE" in refused("triage")
    assert "folder" in refused("triage", "--batch", str(tmp_path / "none"))
