"""The kinds of value that the rules compute with, all on one day, and the arithmetic they share.

Money is whole fen in 64 bits; OpenFisca's own `int` has 32 and its `float` cannot hold every fen. A verdict
is three-valued, NO < UNKNOWN < YES, so that `np.minimum` says "and", `np.maximum` "or".
"""

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from openfisca_core.indexed_enums import ENUM_ARRAY_DTYPE, EnumArray
from openfisca_core.periods import DateUnit
from openfisca_core.variables import Variable

if TYPE_CHECKING:
    import enum

    class Enum(enum.Enum):
        """OpenFisca's enumeration: members know their place."""

        index: int
else:
    from openfisca_core.indexed_enums import Enum

NO, UNKNOWN, YES = 0, 1, 2

NO_AMOUNT = -1
"""Instead of an amount: none is due, or no figure is known."""

Array = np.ndarray[Any, Any]


class Outcome(Enum):
    """What a programme answers. The first three are a verdict's values, in its order."""

    not_eligible = "not_eligible"
    needs_check = "needs_check"
    eligible = "eligible"
    taper = "taper"


class OnTheDay(Variable):
    """OpenFisca reads a variable's attributes from its own class only: the kinds below write them there."""

    value_type: Any = int

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        for name in ("value_type", "possible_values", "default_value", "unit"):
            if hasattr(cls, name) and name not in cls.__dict__:
                setattr(cls, name, getattr(cls, name))
        cls.definition_period = DateUnit.DAY


class Money(OnTheDay):
    """Whole fen."""

    value_type = int
    unit = "fen"

    def __init__(self, baseline_variable: Any = None) -> None:
        super().__init__(baseline_variable)
        self.dtype = np.int64


class Amount(Money):
    """Whole fen that a programme grants; NO_AMOUNT where none is due or none is known."""

    default_value = NO_AMOUNT


class Count(OnTheDay):
    """A small whole number."""

    value_type = int


class Verdict(OnTheDay):
    """NO, UNKNOWN or YES."""

    value_type = int

    def __init__(self, baseline_variable: Any = None) -> None:
        super().__init__(baseline_variable)
        self.dtype = np.int8


class Fact(OnTheDay):
    """True or false."""

    value_type = bool


class Answer(OnTheDay):
    """A programme's outcome."""

    value_type = Enum
    possible_values = Outcome
    default_value = Outcome.not_eligible


def verdict(true: Array) -> Array:
    """YES where true, else NO."""
    return np.asarray(true, dtype=bool).astype(np.int8) * np.int8(YES)


def compared(true: Array, known: Array | bool) -> Array:
    """The verdict of a comparison with a figure that may be unknown."""
    return np.where(known, verdict(true), np.int8(UNKNOWN))


def negated(value: Array) -> Array:
    """YES for NO and the reverse; UNKNOWN stays."""
    return np.int8(YES) - value


def all_of(*verdicts: Array) -> Array:
    """NO if one is, else UNKNOWN if one is."""
    return np.minimum.reduce(verdicts)


def any_of(*verdicts: Array) -> Array:
    """YES if one is, else UNKNOWN if one is."""
    return np.maximum.reduce(verdicts)


def answer(outcome: Array) -> EnumArray:
    """A verdict, or any outcome's index, as an outcome."""
    return EnumArray(outcome.astype(ENUM_ARRAY_DTYPE), Outcome)


def is_(array: Any, *values: Enum) -> Array:
    """Where an enumerated variable has one of the values."""
    plain = np.asarray(array)
    return np.logical_or.reduce([plain == value.index for value in values])


def total(group: Any, amounts: Array, role: Any = None) -> Array:
    """The sum of persons' amounts per group, exact in 64 bits (OpenFisca's own sums in floating point)."""
    where = group.members_entity_id
    if role is not None:
        chosen = group.members_role == role
        where, amounts = where[chosen], amounts[chosen]
    return sums(where, amounts, group.count)


def sums(where: Array, amounts: Array, number: int) -> Array:
    """The sum of the amounts at each of so many places, exact in 64 bits."""
    found = np.zeros(number, dtype=np.int64)
    if np.any(where[1:] < where[:-1]):
        order = np.argsort(where, kind="stable")
        where, amounts = where[order], amounts[order]
    if len(where):
        starts = np.flatnonzero(np.concatenate(([True], where[1:] != where[:-1])))
        found[where[starts]] = np.add.reduceat(amounts, starts, dtype=np.int64)
    return found


def rounded(numerator: Array, denominator: int) -> Array:
    """The quotient of whole numbers, not negative, rounded half up to a whole one."""
    return (2 * numerator + denominator) // (2 * denominator)


def fraction(value: float) -> Fraction | None:
    """The exact fraction that a factor or ratio of the law is; None where no figure is in force."""
    return None if value < 0 else Fraction(str(value)).limit_denominator(10_000)


def full_years(since: Array, today: Any) -> Array:
    """Completed years of age on the day."""
    months = since.astype("datetime64[M]")
    day = (since - months).astype(int) + 1
    months = months.astype(int)
    year, month = months // 12 + 1970, months % 12 + 1
    before = (month > today.month) | ((month == today.month) & (day > today.day))
    return today.year - year - before


def lasted(since: Array, months: int, today: Any) -> Array:
    """Whether that many months have run out: the day after the last one has come (民法典 arts. 201, 202)."""
    start = since.astype("datetime64[M]")
    last_month = start + months
    month_length = ((last_month + 1).astype("datetime64[D]") - last_month.astype("datetime64[D]")).astype(int)
    day = np.minimum((since - start).astype(int) + 1, month_length)
    last_day = last_month.astype("datetime64[D]") + (day - 1)
    return np.datetime64(str(today), "D") > last_day
