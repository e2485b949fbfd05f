"""FULL_TRANSITIVE: what the check lets pass and what it stops, on models, schemas and a git history."""

import json
import shutil
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from onedoor.contracts import asyncapi, check, history, schemas
from onedoor.contracts.compatibility import full_transitive, unreadable

Schema = dict[str, Any]


class Part(BaseModel):
    rule: str
    urgency: Literal["critical", "urgent", "ordinary"]


class Event(BaseModel):
    case_id: str = Field(json_schema_extra={"format": "uuid"})
    outcome: str
    size: int = Field(ge=1, le=20)
    child: bool = False
    ground: str | None = None
    parts: tuple[Part, ...] = ()
    facts: dict[str, int] = {}


BASE = Event.model_json_schema()


def change(edit: Callable[[Schema], None]) -> Schema:
    schema = deepcopy(BASE)
    edit(schema)
    return schema


def add_optional(schema: Schema) -> None:
    schema["properties"]["division"] = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}


def add_optional_deep(schema: Schema) -> None:
    schema["$defs"]["Part"]["properties"]["to"] = {"type": "string", "default": ""}


def remove_optional(schema: Schema) -> None:
    del schema["properties"]["facts"]


def reword(schema: Schema) -> None:
    schema["description"] = "Other words."
    schema["properties"]["outcome"]["title"] = "The outcome"


def inline(schema: Schema) -> None:
    schema["properties"]["parts"]["items"] = schema.pop("$defs")["Part"]


@pytest.mark.parametrize("edit", [add_optional, add_optional_deep, remove_optional, reword, inline])
def test_compatible(edit: Callable[[Schema], None]) -> None:
    assert full_transitive({"v1": BASE, "v2": change(edit)}) == []


def add_required(schema: Schema) -> None:
    schema["properties"]["division"] = {"type": "string"}
    schema["required"].append("division")


def remove_required(schema: Schema) -> None:
    del schema["properties"]["outcome"]
    schema["required"].remove("outcome")


def require(schema: Schema) -> None:
    schema["required"].append("child")


def no_longer_require(schema: Schema) -> None:
    schema["required"].remove("outcome")


def rename_required(schema: Schema) -> None:
    schema["properties"]["result"] = schema["properties"].pop("outcome")
    schema["required"][schema["required"].index("outcome")] = "result"


def rename_optional(schema: Schema) -> None:
    schema["properties"]["reason"] = schema["properties"].pop("ground")


def retype(schema: Schema) -> None:
    schema["properties"]["outcome"]["type"] = "integer"


def widen_to_number(schema: Schema) -> None:
    schema["properties"]["size"]["type"] = "number"


def allow_null(schema: Schema) -> None:
    schema["properties"]["outcome"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def forbid_null(schema: Schema) -> None:
    schema["properties"]["ground"] = {"type": "string", "default": None}


def reformat(schema: Schema) -> None:
    schema["properties"]["case_id"]["format"] = "date"


def drop_format(schema: Schema) -> None:
    del schema["properties"]["case_id"]["format"]


def widen_enum(schema: Schema) -> None:
    schema["$defs"]["Part"]["properties"]["urgency"]["enum"].append("whenever")


def narrow_enum(schema: Schema) -> None:
    schema["$defs"]["Part"]["properties"]["urgency"]["enum"].remove("urgent")


def open_enum(schema: Schema) -> None:
    schema["$defs"]["Part"]["properties"]["urgency"] = {"type": "string"}


def raise_bound(schema: Schema) -> None:
    schema["properties"]["size"]["maximum"] = 30


def add_bound(schema: Schema) -> None:
    schema["properties"]["outcome"]["minLength"] = 1


def other_default(schema: Schema) -> None:
    schema["properties"]["child"]["default"] = True


def other_items(schema: Schema) -> None:
    schema["properties"]["parts"]["items"] = {"type": "string"}


def other_values(schema: Schema) -> None:
    schema["properties"]["facts"]["additionalProperties"] = {"type": "string"}


def refuse_unknown(schema: Schema) -> None:
    add_optional(schema)
    schema["additionalProperties"] = False


def unknown_keyword(schema: Schema) -> None:
    schema["properties"]["outcome"]["not"] = {"const": ""}


Edit = Callable[[Schema], None]
BREAKING: dict[Edit, str] = {
    add_required: "v2 cannot read v1: division: required, but is not written",
    remove_required: "v1 cannot read v2: outcome: required, but is not written",
    require: "v2 cannot read v1: child: required, but may be missing",
    no_longer_require: "v1 cannot read v2: outcome: required, but may be missing",
    rename_required: "v2 cannot read v1: result: required, but is not written",
    rename_optional: "v1 and v2: ground looks renamed to reason; keep ground beside it",
    retype: "v2 cannot read v1: outcome: string is written, integer is read",
    widen_to_number: "v1 cannot read v2: size: number is written, integer is read",
    allow_null: "v1 cannot read v2: outcome: null is written, string is read",
    forbid_null: "v2 cannot read v1: ground: null is written, string is read",
    reformat: "v2 cannot read v1: case_id: format date is read, uuid is written",
    drop_format: "v1 cannot read v2: case_id: format uuid is read, any is written",
    widen_enum: "v1 cannot read v2: parts[].urgency: 'whenever' is written, "
    "'critical' or 'urgent' or 'ordinary' is read",
    narrow_enum: "v2 cannot read v1: parts[].urgency: 'urgent' is written, 'critical' or 'ordinary' is read",
    open_enum: "v1 cannot read v2: parts[].urgency: string is written, "
    "'critical' or 'urgent' or 'ordinary' is read",
    raise_bound: "v1 cannot read v2: size: maximum 20 is read, 30 is written",
    add_bound: "v2 cannot read v1: outcome: minLength 1 is read, any is written",
    other_default: "v2 cannot read v1: child: another default",
    other_items: "v2 cannot read v1: parts[]: object is written, string is read",
    other_values: "v2 cannot read v1: facts.*: integer is written, string is read",
    refuse_unknown: "v2 cannot read v3: added: written, but unknown fields are refused",
    unknown_keyword: "v2 cannot read v1: outcome: not differs",
}


@pytest.mark.parametrize("edit", BREAKING)
def test_breaking(edit: Edit) -> None:
    later = change(lambda schema: schema["properties"].update(added={"type": "string", "default": ""}))
    versions = {"v1": BASE, "v2": change(edit)} | ({"v3": later} if edit is refuse_unknown else {})
    assert BREAKING[edit] in full_transitive(versions)


def test_every_two_versions_are_compared_not_only_neighbours() -> None:
    once = change(lambda schema: schema["properties"].update(extra={"type": "integer", "default": 0}))
    again = change(lambda schema: schema["properties"].update(extra={"type": "string", "default": ""}))
    problems = full_transitive({"v1": once, "v2": BASE, "v3": again})
    assert problems
    assert all("v1" in problem and "v3" in problem for problem in problems)


def test_a_schema_that_refers_to_itself() -> None:
    class Node(BaseModel):
        name: str
        inner: "tuple[Node, ...]" = ()

    one = Node.model_json_schema()
    other = deepcopy(one)
    other["$defs"]["Node"]["properties"]["name"]["type"] = "integer"
    assert unreadable(one, one) == []
    assert unreadable(other, one) == ["name: string is written, integer is read"]


def test_a_map_may_hold_a_field_that_becomes_known() -> None:
    class Free(BaseModel):
        facts: dict[str, Any]

    class Known(BaseModel):
        class Facts(BaseModel):
            alone: bool = False

        facts: Facts

    assert unreadable(Known.model_json_schema(), Free.model_json_schema()) == [
        "facts.alone: anything is written, boolean is read"
    ]


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.invalid", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """A repository with the real schemas and document, committed on main; gives the schemas' folder."""
    folder = tmp_path / "contracts" / "schemas"
    shutil.copytree(schemas.FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    shutil.copy(asyncapi.FILE, folder.parent)
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "Begin")
    return folder


def edit_file(folder: Path, name: str, edit: Callable[[Schema], None]) -> None:
    schema = json.loads((folder / name).read_text("utf-8"))
    edit(schema)
    (folder / name).write_text(schemas.as_text(schema), "utf-8")


def against(folder: Path, base: str | None = None) -> list[str]:
    """What is incompatible there, whatever the models say."""
    commit = history.base_commit(base, folder)
    return check.incompatible(
        history.past_schemas(commit, folder) if commit else {}, schemas.committed(folder)
    )


def test_nothing_changed(contracts: Path) -> None:
    assert check.problems(history.base_commit(None, contracts), contracts) == []


def test_a_compatible_change_of_a_committed_schema(contracts: Path) -> None:
    edit_file(contracts, "case.closed.v1.json", add_optional)
    assert against(contracts) == []
    assert check.problems(history.base_commit(None, contracts), contracts) == [
        "case.closed.v1.json: the model says otherwise; run `make schemas`"
    ]


def test_a_breaking_change_of_a_committed_schema(contracts: Path) -> None:
    edit_file(contracts, "case.closed.v1.json", lambda schema: schema["required"].remove("reason"))
    assert against(contracts) == [
        "case.closed: v1 (base) cannot read v1: reason: required, but may be missing",
    ]


def test_a_breaking_new_version(contracts: Path) -> None:
    shutil.copy(contracts / "case.closed.v1.json", contracts / "case.closed.v2.json")
    edit_file(contracts, "case.closed.v2.json", add_required)
    assert against(contracts) == [
        "case.closed: v2 cannot read v1: division: required, but is not written",
    ]


def test_a_version_that_is_gone(contracts: Path) -> None:
    (contracts / "case.closed.v1.json").unlink()
    assert against(contracts) == [
        "case.closed.v1.json: gone, but its events may still be on their topic; keep the file"
    ]


def test_a_change_is_compared_where_it_left_the_base(contracts: Path) -> None:
    git(contracts, "checkout", "-b", "change")
    edit_file(contracts, "case.closed.v1.json", add_required)
    git(contracts, "commit", "-am", "Break it")
    assert against(contracts) == []
    [problem] = against(contracts, "main")
    assert "v1 cannot read v1 (base): division" in problem


def test_releases_before_the_base_count_too(contracts: Path) -> None:
    git(contracts, "tag", "1.0")
    edit_file(contracts, "case.closed.v1.json", add_required)
    git(contracts, "commit", "-am", "Break it unseen")
    [problem] = against(contracts)
    assert problem == "case.closed: v1 cannot read v1 (release 1.0): division: required, but is not written"


def test_without_git_the_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    folder = tmp_path / "schemas"
    schemas.write(folder)
    assert history.base_commit(None, folder) is None
    (folder / "notes.json").write_text("{}")
    (folder / "case.closed.v1.json").write_text("<<<<<<<")
    assert against(folder) == []


def test_an_unknown_base_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--base", "no-such-ref"]) == 2
    assert "no-such-ref names no commit here" in capsys.readouterr().err


def test_the_contracts_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([]) == 0
    assert capsys.readouterr().out.startswith(f"contracts hold: {len(schemas.committed())} schemas")


def test_a_problem_is_a_line_and_exit_1(
    contracts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schemas, "generated", lambda: {"case.new.v1.json": "{}"})
    monkeypatch.setattr(schemas, "_orphan", lambda name: ())
    assert check.main([]) == 1
    assert capsys.readouterr().out == "case.new.v1.json: not committed yet; run `make schemas`\n"
