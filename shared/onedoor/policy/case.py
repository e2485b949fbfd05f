"""One household's computed values, as the reasons read them, and how figures are put into words."""

from copy import copy
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
from openfisca_core.simulations import Simulation

from onedoor.policy.decisions import Threshold
from onedoor.policy.household import Household, Member
from onedoor.policy.population import day_period
from onedoor.policy.table import Entry, Parameter, Parameters, sources

CERTAINTY = {"confirmed": ("已确认", "confirmed"), "assumed": ("推定，待核实", "assumed, to be confirmed")}


class Case:
    """A household, or one member of it, with every value that the rules computed.

    `rows` says at which row of the simulation's persons each member stands.
    """

    def __init__(
        self, simulation: Simulation, table: Parameters, household: Household, rows: list[int]
    ) -> None:
        self.simulation = simulation
        self.table = table
        self.household = household
        self.rows = rows
        self.index: int | None = None
        self.period = day_period(household.as_of)
        self._read: dict[str, tuple[str, list[Any]]] = {}

    def of_member(self, index: int) -> "Case":
        """The same case, looking at one member; values read once are shared."""
        member = copy(self)
        member.index = index
        return member

    @property
    def day(self) -> date:
        return self.household.as_of

    @property
    def member(self) -> Member:
        """The member that the case looks at."""
        assert self.index is not None
        return self.household.members[self.index]

    def __getitem__(self, name: str) -> Any:
        """The value of a variable: of the household, else of the member, as a plain Python value."""
        if name not in self._read:
            entity = self.simulation.get_variable_population(name).entity.key
            array = np.asarray(self.simulation.calculate(name, self.period))
            self._read[name] = (entity, array.tolist())
        entity, values = self._read[name]
        return values[self._row(entity)]

    def _row(self, entity: str) -> int:
        if entity == "household":
            return 0
        assert self.index is not None
        return self.rows[self.index] if entity == "person" else self.index

    def figure(self, name: str) -> Entry | None:
        """The entry of a parameter in force on the day."""
        return self.table.on(name, self.day)

    def thresholds(self, names: tuple[str, ...]) -> tuple[Threshold, ...]:
        """The dated figures of some parameters, those without one left out."""
        found = ((self.table[name], self.figure(name)) for name in names)
        return tuple(_threshold(parameter, entry) for parameter, entry in found if entry is not None)

    def standard_name(self) -> str:
        """The parameter that is this household's minimum-living standard."""
        return f"dibao_standard.{self.household.region}"

    def named(self, name: str) -> tuple[str, str]:
        """A figure in words with its day, source and certainty: (zh, en)."""
        parameter, entry = self.table[name], self.figure(name)
        if entry is None or entry.value is None:
            return (
                f"{parameter.title_zh}（当日无已知数值）",
                f"{parameter.title_en} (no figure known on the day)",
            )
        zh, en = _value(parameter, entry)
        source_zh, source_en = source_words(entry.source)
        sure_zh, sure_en = CERTAINTY[entry.certainty]
        return (
            f"{parameter.title_zh}{zh}（{entry.since}起，{source_zh}，{sure_zh}）",
            f"{parameter.title_en}, {en} (from {entry.since}, {source_en}, {sure_en})",
        )


@lru_cache(maxsize=256)
def _threshold(parameter: Parameter, entry: Entry) -> Threshold:
    source_zh, source_en = source_words(entry.source)
    return Threshold(
        parameter=parameter.id,
        value=entry.written,
        unit=parameter.unit,
        since=entry.since,
        certainty=entry.certainty,
        source=entry.source,
        source_zh=source_zh,
        source_en=source_en,
    )


def _value(parameter: Parameter, entry: Entry) -> tuple[str, str]:
    number = entry.written
    if parameter.unit == "yuan/person/month":
        return f"每人每月{number}元", f"{number} yuan a person a month"
    if parameter.unit == "months":
        return f"{number}个月", f"{number} months"
    return number, number


@lru_cache(maxsize=256)
def source_words(names: str) -> tuple[str, str]:
    """The full titles of sources written as `SEED; KW`: (zh, en)."""
    known = [sources().get(name.strip(), {"zh": name, "en": name}) for name in names.split(";")]
    return "、".join(one["zh"] for one in known), "; ".join(one["en"] for one in known)


def yuan(fen: int) -> str:
    """Fen as yuan with two decimals, exactly."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def monthly(fen_per_year: int, parts: int = 1) -> tuple[str, str]:
    """A twelfth of a yearly sum, shared by some people, in yuan; rounded only for the eye: (zh, en)."""
    fen, rest = divmod(fen_per_year, 12 * parts)
    if rest == 0:
        return yuan(fen), yuan(fen)
    near = yuan(fen + (2 * rest >= 12 * parts))
    return f"约{near}", f"about {near}"
