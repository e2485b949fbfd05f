"""`onedoor calendar import` before it asks any server: a notice that can be right, and those that cannot."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from onedoor.dev.cli import app
from onedoor.dev.rules import UNUSABLE
from tests.notices import NOTICE_2027

runner = CliRunner()


def given(folder: Path, text: str) -> str:
    file = folder / "2027.yaml"
    file.write_text(text, "utf-8")
    return str(file)


def test_a_notice_that_can_be_right(tmp_path: Path) -> None:
    result = runner.invoke(app, ["calendar", "import", "--check", given(tmp_path, NOTICE_2027)])
    assert result.exit_code == 0
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("year: 2027", "", "year"),
        ('"2027-06-09"', '"2027-02-30"', "holidays[4].days_off"),
        ('"2027-06-09"', '"2027-05-01"', "holidays[4].days_off"),
        ('"2027-09-15"', '"2027-09-16"', "holidays"),
    ],
)
def test_one_that_cannot_names_field_and_remedy_in_both_languages(
    tmp_path: Path, old: str, new: str, field: str
) -> None:
    result = runner.invoke(app, ["calendar", "import", given(tmp_path, NOTICE_2027.replace(old, new))])
    assert result.exit_code == UNUSABLE
    assert result.stdout == ""
    english, chinese = result.stderr.strip().splitlines()
    assert english.startswith(f"2027.yaml: {field}: ")
    assert chinese.startswith(f"2027.yaml: {field}：")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = runner.invoke(app, ["calendar", "import", str(tmp_path / "none.yaml")])
    assert result.exit_code == UNUSABLE
    assert "cannot be read" in result.stderr
