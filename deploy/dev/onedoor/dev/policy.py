"""`onedoor decide`: households to decisions with reasons, without any server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onedoor.dev.rules import print_json, problems, read_yaml, refuse, yaml_files

if TYPE_CHECKING:
    from onedoor.policy import Parameters


def register(app: typer.Typer) -> None:
    """Adds the command `decide`."""
    app.command("decide")(decide)


def decide(
    file: Annotated[Path | None, typer.Argument(help="A household, as YAML.")] = None,
    batch: Annotated[Path | None, typer.Option(help="A folder: every *.yaml of it, by file name.")] = None,
    parameters: Annotated[
        Path | None, typer.Option(help="YAML {parameters: [...]} whose entries replace the product's own.")
    ] = None,
) -> None:
    """Which programmes a household and its members have, how much, and why."""
    if (file is None) == (batch is None):
        refuse("give FILE, or --batch DIR")
    table = _table(parameters)
    if file is not None:
        print_json(_decisions(file, table))
        return
    assert batch is not None
    print_json([_decisions(path, table) for path in yaml_files(batch)])


def _decisions(path: Path, table: "Parameters") -> Any:
    from onedoor.policy import decide, parse_household

    raw = read_yaml(path)
    with problems(path.name):
        return decide(parse_household(raw), table).model_dump(mode="json")


def _table(path: Path | None) -> "Parameters":
    from onedoor.policy import packaged_parameters, read_table

    if path is None:
        return packaged_parameters()
    with problems(str(path)):
        return packaged_parameters().replaced(read_table(path.read_text("utf-8")).rows)
