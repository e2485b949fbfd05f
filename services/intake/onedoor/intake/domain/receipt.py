"""Receipts (求助编号): prefix, date, six random characters, a check character; and the secret beside it."""

import hmac
import secrets
import unicodedata
from datetime import date, datetime

from onedoor.calendar import local

PREFIX = "YD"
ALPHABET = "3479ACDEFHJKMNPQRTUVWXY"
"""23 characters that nobody mistakes for another, spoken or written (no 0 O, 1 I L, 2 Z, 5 S, 8 B, 6 G)."""

_RANDOM = 6
_SECRET_DIGITS = 8


def draw(at: datetime) -> str:
    """A new receipt for an application received at that moment, such as `YD20260303-7K3M9Q-X`."""
    day = local(at).date()
    return written(day, "".join(secrets.choice(ALPHABET) for _ in range(_RANDOM)))


def written(day: date, characters: str) -> str:
    """The receipt of that day with these six characters."""
    stem = f"{day:%Y%m%d}{characters}"
    return f"{PREFIX}{stem[:8]}-{characters}-{check_character(stem)}"


def check_character(stem: str) -> str:
    """Over eight digits and six characters; any one wrong and any two neighbours swapped are found.

    A weighted sum modulo 23: the modulus is prime and greater than every weight and every difference.
    """
    values = (int(char) if char.isdigit() and place < 8 else ALPHABET.index(char) for place, char in
              enumerate(stem))  # fmt: skip
    return ALPHABET[sum(value * weight for weight, value in enumerate(values, 1)) % len(ALPHABET)]


def read(text: str) -> str | None:
    """The receipt as it is stored, from what somebody typed; None if it cannot be one."""
    plain = unicodedata.normalize("NFKC", text[:60]).upper()
    typed = "".join(char for char in plain if char.isalnum())
    if len(typed) != len(PREFIX) + 8 + _RANDOM + 1 or not typed.startswith(PREFIX):
        return None
    digits, characters, check = typed[2:10], typed[10:16], typed[16]
    if not (digits.isascii() and digits.isdigit() and set(characters) <= set(ALPHABET)):
        return None
    if check_character(digits + characters) != check:
        return None
    return f"{PREFIX}{digits}-{characters}-{check}"


def draw_secret() -> str:
    """Eight random digits, told once to the caller."""
    return f"{secrets.randbelow(10**_SECRET_DIGITS):0{_SECRET_DIGITS}d}"


def hashed(secret: str, salt: bytes) -> bytes:
    """What is stored of a secret: 32 bytes, computed fast.

    A slow hash guards a secret that its owner chose and uses elsewhere. This one is drawn and opens a status
    that whoever reads the database reads there anyway; guesses at the door are counted.
    """
    return hmac.digest(salt, secret.encode(), "sha256")


def fits(secret: str, salt: bytes, stored: bytes) -> bool:
    """Whether this is the secret, in a time that does not depend on how wrong it is."""
    return hmac.compare_digest(hashed(secret, salt), stored)
