"""Resident identity numbers (GB 11643): one way of writing them, and whether one can be real."""

import unicodedata
from dataclasses import dataclass
from datetime import date
from operator import mul
from typing import Literal

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_DIGITS = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class IdNumber:
    """A number as it is compared, whether it is valid, and what a valid one says of its holder."""

    number: str
    valid: bool
    birth: date | None = None
    sex: Literal["male", "female"] | None = None


def read(text: str) -> IdNumber:
    """Normalise: full-width to ASCII, no spaces or hyphens, upper-case X, 15 digits lengthened to 18.

    Valid: 17 digits and a digit or X, a real calendar date, the right check character.
    """
    plain = unicodedata.normalize("NFKC", text).upper()
    number = plain if plain.isalnum() else "".join(filter(str.isalnum, plain))
    if len(number) == 15 and _DIGITS.issuperset(number):
        number = number[:6] + "19" + number[6:]
        number += check_character(number)
    birth = _birth(number)
    if birth is None or number[17] != check_character(number[:17]):
        return IdNumber(number, valid=False)
    return IdNumber(number, True, birth, "male" if int(number[16]) % 2 else "female")


def check_character(first: str) -> str:
    """The eighteenth character for seventeen digits."""
    return _CHECKS[sum(map(mul, map(int, first), _WEIGHTS)) % 11]


def _birth(number: str) -> date | None:
    if len(number) != 18 or not _DIGITS.issuperset(number[:17]):
        return None
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
