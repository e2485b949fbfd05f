"""`onedoor`: the command line. Commands import what they need beyond typer, so that all start fast."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onedoor.dev import notices, policy, rules, simulate
from onedoor.dev.errors import CannotStart

if TYPE_CHECKING:
    from onedoor.dev.settings import DevSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)
clock = typer.Typer(no_args_is_help=True, help="Business time in development.")
app.add_typer(clock, name="clock")
app.add_typer(notices.app, name="calendar")
rules.register(app)
policy.register(app)
simulate.register(app)


@contextmanager
def _plainly() -> Iterator[None]:
    """A problem that a person can solve is one line on standard error, not a traceback."""
    try:
        yield
    except CannotStart as problem:
        typer.echo(f"onedoor: {problem}", err=True)
        raise typer.Exit(1) from None


def _settings(**changes: Any) -> "DevSettings":
    from pydantic import ValidationError

    from onedoor.dev.settings import DevSettings

    try:
        return DevSettings(**{name: value for name, value in changes.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise CannotStart(f"ONEDOOR_{name}: {first['msg']}") from None


@app.command()
def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when all is ready.")] = False,
    samples: Annotated[bool, typer.Option(help="Load the samples on the first start.")] = True,
) -> None:
    """Start Kafka, PostgreSQL and every service; Ctrl-C stops all of it."""
    with _plainly():
        from onedoor.dev.up import bring_up

        bring_up(_settings(), detach, samples)


@app.command()
def demo(fast: Annotated[bool, typer.Option(help="Without pauses.")] = False) -> None:
    """Play the samples before your eyes, with the departments' answers and two weeks of clock."""
    with _plainly():
        from onedoor.dev.demo import play

        play(_settings(), typer.echo, pause=0.0 if fast else 2.0)


@app.command()
def down() -> None:
    """Stop everything that `up` started."""
    with _plainly():
        from onedoor.dev import control

        stopped = control.stop(_settings())
        typer.echo("OneDoor is stopped." if stopped else "OneDoor was not running.")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False) -> None:
    """What runs, where, and whether it is ready. Exit status 3 when OneDoor is not running."""
    with _plainly():
        from onedoor.dev.status import as_text, status_of

        found = status_of(_settings())
        if as_json:
            import json

            typer.echo(json.dumps(found))
        else:
            typer.echo(as_text(found))
        if not found["running"]:
            raise typer.Exit(3)


@app.command()
def logs(
    services: Annotated[list[str] | None, typer.Argument(help="Only these.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of each to begin with.")] = 20,
    chain: Annotated[str | None, typer.Option(help="Only lines about the help chain of this id.")] = None,
    trace: Annotated[
        str | None,
        typer.Option(help="Only lines of this trace: its id, or what an answer's traceresponse says."),
    ] = None,
) -> None:
    """The logs of all processes, readably."""
    with _plainly():
        from onedoor.dev.follow import Logs
        from onedoor.runtime.tracing import trace_id

        wanted = {"chain_id": chain, "trace_id": trace_id(trace) or trace}
        facts = {key: value for key, value in wanted.items() if value}
        found = Logs(_settings().logs, services or (), back=lines, facts=facts)
        try:
            for line in found.follow() if follow else found.lines():
                typer.echo(line)
        except KeyboardInterrupt:
            return


@app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Wipe all data, logs and keys of this checkout; the downloads stay."""
    with _plainly():
        from onedoor.dev import control

        settings = _settings()
        if not yes:
            typer.confirm(f"Wipe everything in {settings.root}?", abort=True)
        control.wipe(settings)
        typer.echo(f"{settings.root} is wiped.")


@app.command()
def servers(
    home: Annotated[Path | None, typer.Option(help="Data folder.")] = None,
    kafka_port: Annotated[
        int | None, typer.Option(help="Kafka's; its controller takes the next one.")
    ] = None,
    postgres_port: Annotated[int | None, typer.Option(help="PostgreSQL's.")] = None,
) -> None:
    """Only Kafka, with its topics, and PostgreSQL, in the foreground."""
    with _plainly():
        import asyncio

        from onedoor.dev.up import hold_servers

        asyncio.run(hold_servers(_settings(home=home, kafka_port=kafka_port, postgres_port=postgres_port)))


@app.command()
def token(
    role: Annotated[str, typer.Option(help="A role of access.py, or `everything`.")],
    department: Annotated[str | None, typer.Option(help="The department's code.")] = None,
    division: Annotated[str | None, typer.Option(help="The division's code, nine digits.")] = None,
) -> None:
    """Print a bearer token (development only)."""
    with _plainly():
        from onedoor.runtime.access import dev_token
        from onedoor.runtime.tokens import ensure_dev_key

        try:
            typer.echo(dev_token(ensure_dev_key(_settings().dev_key), role, department, division))
        except ValueError as problem:
            raise CannotStart(str(problem)) from None


@clock.command("set")
def clock_set(
    moment: Annotated[str, typer.Argument(help="2026-09-18T09:00+08:00; China's time if bare.")],
) -> None:
    """Make business time this moment, and let it run on from there."""
    with _plainly():
        from onedoor.dev.clock import set_clock

        typer.echo(set_clock(_settings(), moment))


@clock.command("advance", context_settings={"ignore_unknown_options": True})
def clock_advance(delta: Annotated[str, typer.Argument(help="3d, 2h, 30m, 1d12h.")]) -> None:
    """Move business time on."""
    with _plainly():
        from onedoor.dev.clock import advance_clock

        typer.echo(advance_clock(_settings(), delta))


@clock.command("reset")
def clock_reset() -> None:
    """Back to the system's time."""
    with _plainly():
        from onedoor.dev.clock import reset_clock

        typer.echo(reset_clock(_settings()))


@clock.command("show")
def clock_show() -> None:
    """Business time now, and how far it is from the system's."""
    with _plainly():
        from onedoor.dev.clock import show_clock

        typer.echo(show_clock(_settings()))


if __name__ == "__main__":
    sys.exit(app())
