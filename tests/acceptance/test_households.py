"""The owner's households, judged as section 2 of their README says, where the folder exists."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from onedoor.dev import policy, rules
from onedoor.policy import packaged_parameters

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases"

if not (CASES / "households").is_dir():
    pytest.skip("the acceptance cases are not beside this checkout", allow_module_level=True)

app = typer.Typer()
rules.register(app)
policy.register(app)
files = sorted((CASES / "households").glob("*.yaml"))
READER_KEYS = ("id", "title", "note", "expect")
HOUSEHOLD = {
    "dibao",
    "dibao_edge",
    "rigid_expenditure",
    "temporary_small",
    "temporary_expenditure",
    "charity_need",
}
PERSON = {"single_person", "unattended_child", "orphan", "disability_living", "disability_nursing"}


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def bare_copy(file: Path, folder: Path) -> Path:
    """The case without what is for its reader, as the owner's runner makes it."""
    case = yaml.safe_load(file.read_text("utf-8"))
    copy = folder / file.name
    copy.write_text(yaml.safe_dump({key: case[key] for key in case if key not in READER_KEYS}), "utf-8")
    return copy


def judged(decision: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether a decision has all that is expected of it; what is absent is not judged."""
    given = {key: value for key, value in expected.items() if key != "assumed"}
    assumed = expected.get("assumed")
    names = decision["assumed_parameters"]
    right = assumed is None or (set(assumed) <= set(names) if assumed else names == [])
    return right and all(decision.get(key) == value for key, value in given.items())


@pytest.mark.parametrize("file", files, ids=lambda file: file.stem)
def test_a_case_holds(file: Path, tmp_path: Path) -> None:
    answer = run("decide", str(bare_copy(file, tmp_path)))
    for expected in yaml.safe_load(file.read_text("utf-8"))["expect"]:
        about = [
            decision
            for decision in answer["decisions"]
            if (decision["programme"], decision.get("member"))
            == (expected["programme"], expected.get("member"))
        ]
        assert len(about) == 1
        assert judged(about[0], expected), (expected, about[0])


@pytest.mark.parametrize("file", files, ids=lambda file: file.stem)
def test_every_programme_is_answered_once_and_with_reasons(file: Path) -> None:
    case = yaml.safe_load(file.read_text("utf-8"))
    answer = run("decide", str(file))
    assert answer["as_of"] == case["as_of"]
    expected = {(programme, None) for programme in HOUSEHOLD}
    for member in case["members"]:
        expected |= {(programme, member["id"]) for programme in PERSON}
        if "supporters" in member:
            expected.add(("tekun", member["id"]))
    keys = [(decision["programme"], decision.get("member")) for decision in answer["decisions"]]
    assert sorted(keys, key=str) == sorted(expected, key=str)
    for decision in answer["decisions"]:
        assert decision["reasons"]
        assert all(reason["clause"] and reason["text"] for reason in decision["reasons"])


def test_the_batch_answers_as_the_single_calls_do(tmp_path: Path) -> None:
    copies = [bare_copy(file, tmp_path) for file in files]
    assert run("decide", "--batch", str(tmp_path)) == [run("decide", str(copy)) for copy in copies]


def test_the_packaged_table_holds_the_owners_values() -> None:
    ours = {row["id"]: row for row in packaged_parameters().rows}
    for row in yaml.safe_load((CASES / "parameters.yaml").read_text("utf-8"))["parameters"]:
        assert ours[row["id"]]["unit"] == row["unit"]
        kept = [
            {key: value[key] for key in ("from", "value", "certainty", "source")}
            for value in ours[row["id"]]["values"]
        ]
        assert kept == [
            {key: value[key] for key in ("from", "value", "certainty", "source")} for value in row["values"]
        ]
