"""Bearer tokens: signed by the development key, checked by every service.

Tokens live by the system's clock, never by business time. Outside development and tests the key counts
for nothing, and so does everything signed with it.
"""

import os
import re
import time
from functools import lru_cache
from pathlib import Path
from secrets import token_urlsafe

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from onedoor.contracts.core import Actor
from onedoor.runtime.roles import HOME, ROLES
from onedoor.runtime.settings import Settings

ISSUER = "onedoor-dev"
AUDIENCE = "onedoor"
LIFETIME = 12 * 3600
ALGORITHM = "HS256"

_CODE = re.compile(r"[a-z0-9-]{1,60}")
_DIVISION = re.compile(r"[0-9]{6,12}")
_PERSON = re.compile(r"[\w.:@-]{1,80}")
LEEWAY = 5
"""Seconds by which the clocks of two machines may differ."""
_CLAIMS = jwt.JWTClaimsRegistry(
    leeway=LEEWAY,
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": AUDIENCE},
    exp={"essential": True},
    sub={"essential": True},
    role={"essential": True},
)


class BadToken(Exception):
    """The token is not ours, has expired, or is not valid here."""


def ensure_dev_key(path: Path) -> Path:
    """The development key's file: made where it is missing, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(token_urlsafe(48))
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path


@lru_cache(maxsize=8)
def _key(path: Path) -> OctKey:
    return OctKey.import_key(path.read_bytes())


def dev_token(
    key_path: Path,
    role: str,
    department: str | None = None,
    division: str | None = None,
    person: str | None = None,
    lifetime: int = LIFETIME,
) -> str:
    """A development token, good for `lifetime` seconds.

    Without a department the role's usual one is taken. Raises ValueError for an unknown role or a
    department, division or person that no token could carry.
    """
    if role not in ROLES:
        raise ValueError(f"unknown role; known are {', '.join(ROLES)}")
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + lifetime,
        "sub": _fit(_PERSON, person or f"dev-{role}", "person"),
        "role": role,
        "department": _fit(_CODE, department or HOME.get(role), "department"),
        "division": _fit(_DIVISION, division, "division"),
    }
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": ALGORITHM}, present, _key(key_path), algorithms=[ALGORITHM])


def _fit(pattern: re.Pattern[str], value: str | None, name: str) -> str | None:
    if value is not None and not pattern.fullmatch(value):
        raise ValueError(f"{name} is not written as a {name} is: {pattern.pattern}")
    return value


def verify(token: str, settings: Settings) -> Actor:
    """Who the bearer is. Raises BadToken; always where the environment is neither `dev` nor `test`."""
    if settings.environment not in ("dev", "test") or settings.dev_key is None:
        raise BadToken("no issuer of tokens is known here")
    try:
        actor, expires = _read(token, settings.dev_key)
    except (JoseError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise BadToken("the token is not valid") from error
    if expires + LEEWAY < time.time():
        raise BadToken("the token has expired")
    return actor


@lru_cache(maxsize=1024)
def _read(token: str, key_path: Path) -> tuple[Actor, float]:
    """The bearer and the expiry of a token with a good signature: neither ever changes, so both are kept."""
    claims = jwt.decode(token, _key(key_path), algorithms=[ALGORITHM]).claims
    _CLAIMS.validate(claims)
    return _actor(claims), claims["exp"]


def _actor(claims: dict[str, object]) -> Actor:
    actor = Actor.model_validate(
        {
            "person": claims["sub"],
            "role": claims["role"],
            "department": claims.get("department"),
            "division": claims.get("division"),
        }
    )
    if actor.role not in ROLES:
        raise ValueError("a role that cannot sign in")
    return actor
