"""`onedoor simulate`: what a change of figures does to a whole register, without any server."""

import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onedoor.dev.rules import print_json, problems, refuse

if TYPE_CHECKING:
    from onedoor.policy import Parameters
    from onedoor.policy.simulation import Register


def register(app: typer.Typer) -> None:
    """Adds the command `simulate`."""
    app.command("simulate")(simulate)


def simulate(
    variant: Annotated[
        list[str],
        typer.Option(help="NAME=VALUE[,NAME=VALUE...], once per variant: dibao_standard.urban=800."),
    ],
    on: Annotated[str, typer.Option(help="The day from which the figures change, 2026-09-01.")],
    register: Annotated[Path | None, typer.Option(help="Households, as .jsonl or .csv.")] = None,
    generate: Annotated[int | None, typer.Option(min=1, help="So many invented households.")] = None,
    seed: Annotated[int, typer.Option(help="Of the invented households.")] = 1,
) -> None:
    """Who gains, who loses, how much, and what it costs a month, by street and tier; small groups hidden.

    Amounts are in yuan a month, as programme by programme entitles; progress goes to standard error.
    """
    if (register is None) == (generate is None):
        refuse("give --register FILE, or --generate NUMBER")
    with problems():
        day = date.fromisoformat(on)
        tables = [_table(text, day) for text in variant]
        from onedoor.policy.simulation import Study

        progress = _Progress()
        study = Study(_register(register, generate, seed, day, progress), day, progress=progress)
        effects = [study.effect(table, progress) for table in tables]
    print_json(
        {
            "as_of": day.isoformat(),
            "households": study.households,
            "variants": [
                {"change": text, **_in_yuan(effect.model_dump())}
                for text, effect in zip(variant, effects, strict=True)
            ],
        }
    )


def _register(path: Path | None, number: int | None, seed: int, day: date, progress: Any) -> "Register":
    from onedoor.policy.simulation import generated, read_register

    if path is None:
        assert number is not None
        return generated(number, day, seed, progress)
    try:
        return read_register(path, day, progress)
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{path}: cannot be read ({type(error).__name__})")


def _table(text: str, day: date) -> "Parameters":
    from onedoor.policy import TableProblem, packaged_parameters

    table = packaged_parameters()
    for change in text.split(","):
        name, _, value = (part.strip() for part in change.partition("="))
        try:
            number = float(value) if "." in value else int(value)
        except ValueError:
            raise TableProblem(f"{change}: is not NAME=VALUE with a number") from None
        table = table.changed(name, day, number)
    return table


def _in_yuan(value: Any) -> Any:
    """Every `..._fen` of whole fen as the same key in yuan."""
    if isinstance(value, dict):
        return {
            key.removesuffix("_fen"): item / 100
            if key.endswith("_fen") and item is not None
            else _in_yuan(item)
            for key, item in value.items()
        }
    return [_in_yuan(item) for item in value] if isinstance(value, list | tuple) else value


class _Progress:
    """A line on standard error at each chunk: what is done, of how many households, since how long."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def __call__(self, doing: str, done: int) -> None:
        typer.echo(f"{doing} {done:,} households, {time.monotonic() - self.started:.1f} s", err=True)
