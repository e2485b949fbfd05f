"""Signing in. In development from a list of invented people; anywhere else not yet."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from onedoor.desk import session
from onedoor.desk.web import Barred, home, language, render
from onedoor.desk.words import Words
from onedoor.runtime.people import PEOPLE

router = APIRouter(include_in_schema=False)


@router.get("/signin")
async def page(request: Request) -> HTMLResponse:
    """The list of people, or that there is no sign-in here."""
    app = request.app.state.onedoor
    text = render(
        "signin.html",
        Words(language(request)),
        app.clock.now(),
        desk=None,
        people=PEOPLE if session.possible(app.settings) else (),
        section="",
        waiting=0,
    )
    return HTMLResponse(text)


@router.post("/signin")
async def sign_in(request: Request, person: Annotated[str, Form()]) -> Response:
    """Sit down as one of the list. Barred outside development and tests."""
    answer = RedirectResponse("/", 303)
    signed = session.sign_in(request.app.state.onedoor.settings, person, answer)
    if signed is None:
        raise Barred
    answer.headers["location"] = home(signed.actor)
    return answer


@router.post("/signout")
async def sign_out() -> Response:
    """Leave the desk."""
    answer = RedirectResponse("/signin", 303)
    session.sign_out(answer)
    return answer
