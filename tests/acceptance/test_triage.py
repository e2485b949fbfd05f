"""The owner's applications, judged as section 3.3 of their README says, where the folder exists."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from onedoor.dev.rules import register

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases" / "applications"

if not CASES.is_dir():
    pytest.skip("the acceptance cases are not beside this checkout", allow_module_level=True)

app = typer.Typer()
register(app)
files = sorted(CASES.glob("*.yaml"))
READER_KEYS = ("id", "title", "note", "expect")
Entry = dict[str, Any]


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


def fits(entry: Entry, pattern: Entry) -> bool:
    return all(key == "from" or entry.get(key) == value for key, value in pattern.items())


def mistakes(plan: dict[str, Any], expect: dict[str, Any]) -> list[str]:
    """Everything in which the plan differs from what the case expects."""
    allowed = expect.get("may_include", {})
    forbidden = expect.get("must_not_include", {})
    return [
        *listed(plan, expect, "services", lambda entry: entry["name"] in allowed.get("services", [])),
        *listed(plan, expect, "referrals", lambda entry: may(entry, allowed.get("referrals", []))),
        *(f"no duty {duty}" for duty in expect.get("duties", []) if not has_duty(plan, duty)),
        *missing(plan, expect, "suggested_programmes"),
        *missing(plan, expect, "flags"),
        *duplicates(plan, expect),
        *jurisdiction(plan, expect),
        *must_not(plan, forbidden),
    ]


def listed(plan: dict[str, Any], expect: dict[str, Any], kind: str, may_stand: Any) -> list[str]:
    patterns = expect.get(kind, [])
    absent = [
        f"no {kind} entry {pattern}" for pattern in patterns if not any(fits(e, pattern) for e in plan[kind])
    ]
    beyond = [e for e in plan[kind] if not any(fits(e, pattern) for pattern in patterns) and not may_stand(e)]
    return absent + [f"{kind} entry beyond: {entry}" for entry in beyond]


def may(entry: Entry, names: list[str]) -> bool:
    return entry["rule"] in names or f"{entry['rule']}:{entry['to']}" in names


def has_duty(plan: dict[str, Any], duty: Entry) -> bool:
    days = duty.get("due_on")
    pattern = {key: value for key, value in duty.items() if key != "due_on"}
    any_of = days if isinstance(days, list) else [days]
    return any(fits(e, pattern) and (days is None or e["due_on"] in any_of) for e in plan["duties"])


def missing(plan: dict[str, Any], expect: dict[str, Any], kind: str) -> list[str]:
    return [f"no {kind} {name}" for name in expect.get(kind, []) if name not in plan[kind]]


def duplicates(plan: dict[str, Any], expect: dict[str, Any]) -> list[str]:
    same = "duplicates" not in expect or sorted(plan["duplicates"]) == sorted(expect["duplicates"])
    return [] if same else [f"duplicates are {plan['duplicates']}"]


def jurisdiction(plan: dict[str, Any], expect: dict[str, Any]) -> list[str]:
    right = fits(plan["jurisdiction"], expect.get("jurisdiction", {}))
    return [] if right else [f"jurisdiction is {plan['jurisdiction']}"]


def must_not(plan: dict[str, Any], forbidden: dict[str, Any]) -> list[str]:
    services = [e["name"] for e in plan["services"] if e["name"] in forbidden.get("services", [])]
    patterns = forbidden.get("referrals", [])
    referrals = [e["rule"] for e in plan["referrals"] if any(fits(e, pattern) for pattern in patterns)]
    programmes = set(plan["suggested_programmes"]) & set(forbidden.get("suggested_programmes", []))
    flags = set(plan["flags"]) & set(forbidden.get("flags", []))
    return [f"must not include {name}" for name in (*services, *referrals, *programmes, *flags)]


@pytest.mark.parametrize("file", files, ids=lambda file: file.stem)
def test_a_case_holds(file: Path, tmp_path: Path) -> None:
    expect = yaml.safe_load(file.read_text("utf-8"))["expect"]
    assert mistakes(run("triage", str(bare_copy(file, tmp_path))), expect) == []


@pytest.mark.parametrize("file", files, ids=lambda file: file.stem)
def test_a_case_can_be_given_as_it_is(file: Path, tmp_path: Path) -> None:
    assert run("triage", str(file)) == run("triage", str(bare_copy(file, tmp_path)))


def test_the_batch_answers_as_the_single_calls_do(tmp_path: Path) -> None:
    copies = [bare_copy(file, tmp_path) for file in files]
    assert run("triage", "--batch", str(tmp_path)) == [run("triage", str(copy)) for copy in copies]
