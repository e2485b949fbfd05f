"""Bearer tokens: made and believed in development only."""

import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from onedoor.contracts.core import Actor
from onedoor.runtime.roles import ROLES
from onedoor.runtime.settings import Settings
from onedoor.runtime.tokens import AUDIENCE, ISSUER, BadToken, dev_token, ensure_dev_key, verify


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return ensure_dev_key(tmp_path / "keys" / "dev.key")


@pytest.fixture
def settings(key: Path) -> Settings:
    return Settings(environment="dev", dev_key=key)


def test_the_key_is_its_owners_alone_and_stays(key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    assert ensure_dev_key(key).read_bytes() == before
    assert len(before) >= 32
    assert list(key.parent.iterdir()) == [key]


@pytest.mark.parametrize("role", ROLES)
def test_every_role_signs_in(role: str, key: Path, settings: Settings) -> None:
    assert verify(dev_token(key, role), settings).role == role


def test_a_token_carries_the_whole_actor(key: Path, settings: Settings) -> None:
    token = dev_token(key, "department", "public-security", "500112015", "police-1")
    expected = Actor(person="police-1", role="department", department="public-security", division="500112015")
    assert verify(token, settings) == expected


def test_a_role_has_its_usual_department(key: Path, settings: Settings) -> None:
    assert verify(dev_token(key, "hotline"), settings).department == "hotline-12345"


@pytest.mark.parametrize("role", ["system", "emperor", ""])
def test_no_token_for_a_role_that_cannot_sign_in(role: str, key: Path) -> None:
    with pytest.raises(ValueError, match="role"):
        dev_token(key, role)


@pytest.mark.parametrize("bad", [{"department": "a/b"}, {"division": "x"}, {"person": "a/b"}])
def test_no_token_for_what_an_actor_cannot_carry(bad: dict[str, str], key: Path) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        dev_token(key, "department", **bad)  # type: ignore[arg-type]


def test_production_believes_no_development_token(key: Path) -> None:
    with pytest.raises(BadToken):
        verify(dev_token(key, "everything"), Settings(environment="prod", dev_key=key))


def _signed(key: Path, **changes: object) -> str:
    claims: dict[str, object] = {
        "iss": ISSUER, "aud": AUDIENCE, "exp": 4_000_000_000, "sub": "p", "role": "ops"
    }  # fmt: skip
    claims |= changes
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "HS256"}, kept, OctKey.import_key(key.read_bytes()))


BAD: list[Callable[[Path], str]] = [
    lambda key: "",
    lambda key: "not-a-token",
    lambda key: dev_token(key, "ops")[:-4] + "AAAA",
    lambda key: dev_token(key, "ops", lifetime=-60),
    lambda key: _signed(key, exp=None),
    lambda key: _signed(key, iss="somebody"),
    lambda key: _signed(key, aud="elsewhere"),
    lambda key: _signed(key, role="system"),
    lambda key: _signed(key, role=["ops"]),
    lambda key: _signed(key, sub=None),
    lambda key: "eyJhbGciOiJub25lIn0." + dev_token(key, "ops").split(".")[1] + ".",
]


@pytest.mark.parametrize("token", BAD)
def test_a_bad_token_is_refused(token: Callable[[Path], str], key: Path, settings: Settings) -> None:
    assert verify(_signed(key), settings).role == "ops"
    with pytest.raises(BadToken):
        verify(token(key), settings)


def test_a_token_that_was_believed_expires_all_the_same(
    key: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = dev_token(key, "ops", lifetime=60)
    assert verify(token, settings).role == "ops"
    monkeypatch.setattr(time, "time", lambda: datetime.now(UTC).timestamp() + 66)
    with pytest.raises(BadToken, match="expired"):
        verify(token, settings)


def test_another_key_is_not_ours(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadToken):
        verify(dev_token(ensure_dev_key(tmp_path / "other"), "ops"), settings)
