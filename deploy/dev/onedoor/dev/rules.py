"""`onedoor due` and `onedoor triage`: the rules on the command line, without any server.

One JSON value on standard output; on unusable input a sentence on standard error and another exit status.
Imports that cost time stay inside the commands.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from onedoor.calendar import Due

UNUSABLE = 2
"""Exit status for unusable input."""


def register(app: typer.Typer) -> None:
    """Adds the commands `due` and `triage`."""
    app.command("due")(due)
    app.command("triage")(triage)


def due(
    from_: Annotated[str | None, typer.Option("--from", help="Start: a date or moment.")] = None,
    limit: Annotated[str | None, typer.Option(help="30m, 2h, 3wd, 10cd, 3cd! (never moves), 6mo.")] = None,
    pause: Annotated[list[str] | None, typer.Option(help="START/END, once per pause.")] = None,
    batch: Annotated[Path | None, typer.Option(help="YAML file: {vectors: [{from, limit, pause?}]}.")] = None,
) -> None:
    """When a limit ends, counted in China's working days."""
    if batch is not None:
        print_json(_each(_vectors(batch), "vectors", _due_of))
        return
    if from_ is None or limit is None:
        refuse("give --from and --limit, or --batch FILE")
    with problems():
        print_json(_due_of({"from": from_, "limit": limit, "pause": pause or []}))


def triage(
    file: Annotated[Path | None, typer.Argument(help="An application, as YAML.")] = None,
    batch: Annotated[Path | None, typer.Option(help="A folder: every *.yaml of it, by file name.")] = None,
) -> None:
    """From an application to its plan: services, referrals, duties, by which rule and by when."""
    if (file is None) == (batch is None):
        refuse("give FILE, or --batch DIR")
    if file is not None:
        with problems(file.name):
            print_json(_plan_of(read_yaml(file)))
        return
    assert batch is not None
    plans = []
    for path in yaml_files(batch):
        with problems(path.name):
            plans.append(_plan_of(read_yaml(path)))
    print_json(plans)


def _due_of(vector: Mapping[str, Any]) -> dict[str, Any]:
    from onedoor.calendar import CalendarProblem, Limit, Pause, due, moment

    for key in ("from", "limit"):
        if key not in vector:
            raise CalendarProblem(key, "is missing", "give from and limit", "缺失", "请填写 from 和 limit")
    pauses = vector.get("pause") or []
    if not isinstance(pauses, list):
        pauses = [pauses]
    start, limit = moment(vector["from"], "from"), Limit.parse(vector["limit"])
    return _due_json(due(start, limit, [Pause.parse(text) for text in pauses]))


def _due_json(end: "Due") -> dict[str, Any]:
    return {
        "due_on": end.due_on.isoformat(),
        "due_at": end.due_at.isoformat(),
        "provisional": end.provisional,
        "steps": [
            {
                "kind": step.kind.value,
                "first": step.first.isoformat(),
                "last": step.last.isoformat(),
                "counted": step.counted,
                "zh": step.zh,
                "en": step.en,
            }
            for step in end.steps
        ],
    }


def _plan_of(raw: object) -> dict[str, Any]:
    from onedoor.triage import evaluate, parse_form

    form, marks = parse_form(raw)
    plan = evaluate(form.received(form.received_at or _now(raw)))
    answer = plan.model_dump(mode="json", by_alias=True)
    return {**answer, "marks": [mark.model_dump() for mark in marks]} if marks else answer


def _now(raw: object) -> datetime:
    """The present, for a report of danger without a readable time; anything else must say when it came."""
    from onedoor.calendar import SHANGHAI, CalendarProblem
    from onedoor.triage.form import reports_danger

    if not (isinstance(raw, Mapping) and reports_danger(raw)):
        raise CalendarProblem(
            "received_at", "is missing", "say when the application was received", "缺失", "请填写收到时间"
        )
    return datetime.now(SHANGHAI).replace(microsecond=0)


def _vectors(path: Path) -> list[Any]:
    with problems(path.name):
        raw = read_yaml(path)
    if not isinstance(raw, Mapping) or not isinstance(raw.get("vectors"), list):
        refuse(f"{path.name}: is not the mapping {{vectors: [...]}}")
    return list(raw["vectors"])


def _each(rows: list[Any], name: str, answer: Callable[[Mapping[str, Any]], Any]) -> list[Any]:
    answers = []
    for number, row in enumerate(rows):
        where = f"{name}[{number}]"
        if not isinstance(row, Mapping):
            refuse(f"{where}: is not a mapping")
        with problems(where):
            answers.append(answer(row))
    return answers


def yaml_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        refuse(f"{folder}: is not a folder")
    return sorted(folder.glob("*.yaml"), key=lambda path: os.fsencode(path.name))


def read_yaml(path: Path) -> Any:
    """The value of a YAML file, dates left as the text that was written."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        yaml_implicit_resolvers = {  # noqa: RUF012 - the name and form are PyYAML's
            first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
            for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    try:
        return yaml.load(path.read_text("utf-8"), Loader=Loader)  # noqa: S506 - a safe loader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        refuse(f"{path}: cannot be read as YAML ({type(error).__name__})")


@contextmanager
def problems(where: str = "") -> Iterator[None]:
    """Turns a problem of the rules into one sentence, in Chinese too if it has one, and the exit status."""
    try:
        yield
    except ValueError as error:
        said = [str(error), *([zh] if (zh := getattr(error, "zh", None)) else [])]
        refuse("\n".join(f"{where}: {each}" if where else each for each in said))


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2).encode())


def refuse(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(UNUSABLE)
