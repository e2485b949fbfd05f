"""`onedoor decide`: households to decisions with reasons, without any server."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onedoor.dev.rules import print_json, problems, read_yaml, refuse, yaml_files

if TYPE_CHECKING:
    from onedoor.policy import Parameters


NO_PYDANTIC_PLUGINS = ("PYDANTIC_DISABLE_PLUGINS", "__all__")
"""Looking for plugins in every installed distribution takes a tenth of the command's time."""

REWORDED = (
    "The same results by the same conditions and figures; the sentences are those of that time, "
    "which today's rules would word otherwise. / 结果、条件和数值均一致；文字为当时所用，现行规则的表述不同。"
)

AHEAD = timedelta(days=366)
"""How far ahead a decision can be tried: standards are announced within a year; more is a slip of the pen."""

RARE_COLLECTION = 100_000
"""New objects between two searches for garbage: modules are none, and searching them takes another tenth."""


def register(app: typer.Typer) -> None:
    """Adds the command `decide`."""
    app.command("decide")(decide)


def decide(
    file: Annotated[Path | None, typer.Argument(help="A household, as YAML.")] = None,
    batch: Annotated[Path | None, typer.Option(help="A folder: every *.yaml of it, by file name.")] = None,
    parameters: Annotated[
        Path | None, typer.Option(help="YAML {parameters: [...]} whose entries replace the product's own.")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Also write the decision's frozen evidence into this file.")
    ] = None,
    reproduce: Annotated[
        Path | None, typer.Option(help="Compute the decision of an evidence file again.")
    ] = None,
) -> None:
    """Which programmes a household and its members have, how much, and why."""
    os.environ.setdefault(*NO_PYDANTIC_PLUGINS)
    gc.set_threshold(RARE_COLLECTION)
    if sum(source is not None for source in (file, batch, reproduce)) != 1:
        refuse("give FILE, or --batch DIR, or --reproduce EVIDENCE")
    if reproduce is not None:
        print_json(_reproduced(reproduce))
    elif file is not None:
        print_json(_decisions(file, _table(parameters), evidence))
    elif batch is not None:
        table = _table(parameters)
        print_json([_decisions(path, table) for path in yaml_files(batch)])


def _decisions(path: Path, table: "Parameters", evidence: Path | None = None) -> Any:
    from onedoor.policy import decide, parse_household

    raw = read_yaml(path)
    with problems(path.name):
        household = parse_household(raw, datetime.now(UTC).date() + AHEAD)
    decisions = decide(household, table)
    if evidence is not None:
        from onedoor.policy.evidence import freeze, to_bytes

        with _files():
            evidence.write_bytes(to_bytes(freeze(household, decisions, table)))
    return decisions.model_dump(mode="json")


def _reproduced(path: Path) -> Any:
    from onedoor.policy.evidence import read_evidence, reproduce

    with problems(path.name), _files():
        found = reproduce(read_evidence(path.read_bytes()))
    if found.reworded:
        typer.echo(REWORDED, err=True)
    return found.decisions.model_dump(mode="json")


@contextmanager
def _files() -> Iterator[None]:
    """Turns a file that cannot be read or written into one sentence and the exit status."""
    try:
        yield
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}")


def _table(path: Path | None) -> "Parameters":
    from onedoor.policy import packaged_parameters, read_table

    if path is None:
        return packaged_parameters()
    with problems(str(path)), _files():
        return packaged_parameters().replaced(read_table(path.read_text("utf-8")).rows)
