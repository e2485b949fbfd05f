"""`onedoor calendar`: which notices count, and the import of another year's, over notify's API."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onedoor.dev.errors import CannotStart
from onedoor.dev.rules import print_json, refuse

if TYPE_CHECKING:
    import httpx

PATIENCE = 600.0
"""Seconds to wait for open deadlines to be counted again; the services go on after it."""

app = typer.Typer(no_args_is_help=True, help="The State Council's holiday notices.")


@app.command("show")
def show() -> None:
    """The years, where their days come from, and what is still being counted again."""
    with _notify() as client:
        print_json(_asked(client.get("/v1/calendar")))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A year's notice, as YAML in the form of the others.")],
    check: Annotated[bool, typer.Option("--check", help="Only say whether it can be right.")] = False,
) -> None:
    """Import a notice, wait until every open deadline is counted by it, and say how many there were.

    A notice that cannot be right is refused with the field and the remedy, and changes nothing.
    """
    text = _checked(file)
    if check:
        typer.echo(f"{file.name}: can be imported", err=True)
        return
    with _notify() as client:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        told = _asked(client.post("/v1/calendar/notices", content=text.encode(), headers=headers))
        waited = time.monotonic() + PATIENCE
        left = told["recounting"]
        while left and time.monotonic() < waited:
            time.sleep(0.2)
            left = _asked(client.get("/v1/calendar"))["recounting"]
    print_json(told | {"left": left})


def _checked(file: Path) -> str:
    """The text of a notice that can be right, before any server is asked."""
    from onedoor.calendar import CalendarProblem, parse_notice

    try:
        text = file.read_text("utf-8")
        parse_notice(text)
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{file}: cannot be read ({type(error).__name__}); name a YAML file in UTF-8")
    except CalendarProblem as problem:
        refuse(f"{file.name}: {problem}\n{file.name}: {problem.zh}")
    return text


def _notify() -> "httpx.Client":
    import httpx

    from onedoor.dev.control import running
    from onedoor.dev.settings import DevSettings
    from onedoor.runtime.access import dev_token

    settings = DevSettings()
    try:
        url = running(settings).services["notify"].url
    except CannotStart as problem:
        refuse(f"onedoor: {problem}")
    return httpx.Client(
        base_url=url,
        headers={"Authorization": f"Bearer {dev_token(settings.dev_key, 'admin')}"},
        timeout=30,
        trust_env=False,
    )


def _asked(answer: "httpx.Response") -> dict[str, Any]:
    """The body of a good answer; of another one the fields and remedies, on standard error."""
    try:
        body: dict[str, Any] = answer.json()
    except json.JSONDecodeError:
        body = {}
    if not answer.is_success:
        errors = body.get("errors") or []
        lines = [f"{each['field']}: {each['problem']}; {each['remedy']}" for each in errors]
        refuse("\n".join(lines) or f"notify answered {answer.status_code}: {body.get('detail', '')}")
    return body
