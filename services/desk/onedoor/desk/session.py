"""Who sits at the desk: a signed cookie that holds a person's id and their token.

In development people sign in from a list; anywhere else there is no sign-in yet, and nobody gets in.
"""

from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import Response
from itsdangerous import BadSignature, URLSafeTimedSerializer

from onedoor.contracts.core import Actor
from onedoor.runtime.people import BY_ID, Person
from onedoor.runtime.settings import Settings
from onedoor.runtime.tokens import LIFETIME, BadToken, dev_token, verify

COOKIE = "onedoor_session"


class NotSignedIn(Exception):
    """The page needs somebody; they are sent to the sign-in."""


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in person: as whom they act, their token for the services, and how they are called."""

    actor: Actor
    token: str
    person: Person | None = None

    @property
    def name(self) -> str:
        return self.person.name if self.person else self.actor.person


def possible(settings: Settings) -> bool:
    """Whether people can sign in here from the list."""
    return settings.environment in ("dev", "test") and settings.dev_key is not None


def _signer(settings: Settings) -> URLSafeTimedSerializer:
    assert settings.dev_key is not None
    return URLSafeTimedSerializer(settings.dev_key.read_bytes(), salt="onedoor.desk.session")


def sign_in(settings: Settings, person_id: str, response: Response) -> Person | None:
    """Set the cookie of somebody on the list; None for anybody else, or where there is no such sign-in."""
    person = BY_ID.get(person_id)
    if person is None or not possible(settings) or settings.dev_key is None:
        return None
    actor = person.actor
    token = dev_token(settings.dev_key, actor.role, actor.department, actor.division, actor.person)
    response.set_cookie(
        COOKIE,
        _signer(settings).dumps({"person": person.id, "token": token}),
        max_age=LIFETIME,
        httponly=True,
        samesite="strict",
        path="/",
    )
    return person


def sign_out(response: Response) -> None:
    """Forget who sat here."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


def current(request: Request) -> Session | None:
    """Who sits there, by the cookie; None for nobody or a cookie that is not ours or too old."""
    settings: Settings = request.app.state.onedoor.settings
    value = request.cookies.get(COOKIE)
    if value is None or not possible(settings):
        return None
    try:
        held = _signer(settings).loads(value, max_age=LIFETIME)
        actor = verify(held["token"], settings)
    except (BadSignature, BadToken, KeyError, TypeError):
        return None
    return Session(actor, held["token"], BY_ID.get(held["person"]))


async def signed_in(request: Request) -> Session:
    """A page's dependency: who sits there. Raises NotSignedIn."""
    session = current(request)
    if session is None:
        raise NotSignedIn
    return session
