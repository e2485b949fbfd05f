"""The triage rules, read from data once and checked: conditions exist, departments are known."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import yaml

from onedoor.contracts.core import Urgency
from onedoor.triage.conditions import CONDITIONS, Condition
from onedoor.triage.duties import Duties, packaged_duties

STATUTE = "statute"
DISTRICT_RULE = "district rule, assumed"
URGENCIES: tuple[Urgency, ...] = ("critical", "urgent", "ordinary")
"""From the most urgent down."""


class RulesProblem(ValueError):
    """The rules' data contradicts itself; the message names the row."""


@dataclass(frozen=True, slots=True)
class OneLevelUp:
    """Who gets what a suspected unit must not: units: of a division; departments: named as a whole."""

    units: Mapping[str, str]
    departments: Mapping[str, str]
    otherwise: str

    def over(self, department: str, whole: bool) -> str:
        """The department over this one; of a division's unit maybe the same one, by its district office."""
        if not whole:
            return self.units.get(department, department)
        return self.units.get(department) or self.departments.get(department, self.otherwise)


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A service is concerned."""

    name: str
    when: str
    urgency: Urgency


@dataclass(frozen=True, slots=True)
class ReferralRow:
    """A department is asked. `by_place`: its unit is found by place, else by registration.

    drafted: the coded reason for which it may not be sent yet.
    """

    rule: str
    when: str
    from_: str
    to: tuple[str, ...]
    urgency: Urgency
    by_place: bool
    ground: str
    source: str
    drafted: str | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Programmes that the condition suggests, or rules out."""

    when: str
    programmes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlagRow:
    """A mark for those who work on the file."""

    flag: str
    when: str


@dataclass(frozen=True, slots=True)
class JurisdictionRow:
    """Whose district a division is, from a day (included) until a day (excluded)."""

    divisions: tuple[str, ...]
    code: str | None
    name: str | None
    from_: date = date.min
    until: date = date.max

    def fits(self, division: str, day: date) -> bool:
        return self.from_ <= day < self.until and division.startswith(self.divisions)


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one version. `conditions`: those that a row names, with their functions."""

    version: str
    departments: frozenset[str]
    round_the_clock: frozenset[str]
    roles: Mapping[str, str]
    channels: Mapping[str, str]
    one_level_up: OneLevelUp
    services: tuple[ServiceRow, ...]
    referrals: tuple[ReferralRow, ...]
    duties: Duties
    suggested: tuple[Suggestion, ...]
    never_suggested: tuple[Suggestion, ...]
    flags: tuple[FlagRow, ...]
    home: str
    jurisdictions: tuple[JurisdictionRow, ...]
    conditions: tuple[tuple[str, Condition], ...]

    def unsuspected(
        self, named: tuple[str, str | None], department: str, division: str | None
    ) -> tuple[str, str | None]:
        """Department and division as they are, or one level up where they are those named as suspected.

        Where no division is known, a suspected unit of that department may be meant; where none is named,
        the whole department is.
        """
        suspected, where = named
        if suspected != department or (where and division and where[:9] != division[:9]):
            return department, division
        over = self.one_level_up.over(department, whole=where is None)
        return over, division if over in self.one_level_up.units else self.home


@cache
def packaged_rules() -> Rules:
    """The rules that came with the package, read at the first use."""
    return parse_rules((files(__package__) / "rules.yaml").read_text("utf-8"), packaged_duties())


def parse_rules(text: str, duties: Duties) -> Rules:
    """Rules from the text of a rules file, with the limits. Raises RulesProblem naming the row at fault."""
    raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    jurisdiction = raw["jurisdiction"]
    services = _rows(raw["services"], lambda row: ServiceRow(**row))
    referrals = _rows(raw["referrals"], _referral)
    suggested = _rows(raw["suggested"], _suggestion)
    never = _rows(raw["never_suggested"], _suggestion)
    flags = _rows(raw["flags"], lambda row: FlagRow(**row))
    named = [row.when for rows in (services, referrals, suggested, never, flags) for row in rows]
    named += [row.when for row in duties.rows if row.when]
    rules = Rules(
        version=str(raw["version"]),
        departments=frozenset(raw["departments"]),
        round_the_clock=frozenset(raw["round_the_clock"]),
        roles=raw["origins"]["roles"],
        channels=raw["origins"]["channels"],
        one_level_up=OneLevelUp(**raw["one_level_up"]),
        services=services,
        referrals=referrals,
        duties=duties,
        suggested=suggested,
        never_suggested=never,
        flags=flags,
        home=jurisdiction["home"],
        jurisdictions=_rows(jurisdiction["rows"], _jurisdiction),
        conditions=tuple((name, _condition(name)) for name in dict.fromkeys(named)),
    )
    _check(rules, rules.departments)
    return rules


Row = TypeVar("Row")


def _rows(raw: Iterable[dict[str, Any]], make: Callable[[dict[str, Any]], Row]) -> tuple[Row, ...]:
    rows = []
    for row in raw:
        try:
            rows.append(make(dict(row)))
        except (KeyError, TypeError, ValueError) as error:
            raise RulesProblem(f"{row}: {error}") from error
    return tuple(rows)


def _referral(row: dict[str, Any]) -> ReferralRow:
    by_place = {"place": True, "registered": False}[row.pop("division")]
    return ReferralRow(from_=row.pop("from"), to=tuple(row.pop("to")), by_place=by_place, **row)


def _suggestion(row: dict[str, Any]) -> Suggestion:
    return Suggestion(row["when"], tuple(row["programmes"]))


def _jurisdiction(row: dict[str, Any]) -> JurisdictionRow:
    return JurisdictionRow(
        divisions=tuple(row["divisions"]),
        code=row["code"],
        name=row["name"],
        from_=date.fromisoformat(row["from"]) if "from" in row else date.min,
        until=date.fromisoformat(row["until"]) if "until" in row else date.max,
    )


def _condition(name: str) -> Condition:
    try:
        return CONDITIONS[name]
    except KeyError:
        raise RulesProblem(f"no condition is called {name}") from None


def _check(rules: Rules, departments: frozenset[str]) -> None:
    up = rules.one_level_up
    named = {*up.units, *up.units.values(), *up.departments, *up.departments.values(), up.otherwise}
    if unknown := named - departments:
        raise RulesProblem(f"one_level_up: unknown department {', '.join(sorted(unknown))}")
    for row in rules.referrals:
        if unknown := {*row.to, row.from_} - departments - {"origin"}:
            raise RulesProblem(f"{row.rule}: unknown department {', '.join(sorted(unknown))}")
        if row.ground not in (STATUTE, DISTRICT_RULE):
            raise RulesProblem(f"{row.rule}: ground is neither {STATUTE} nor {DISTRICT_RULE}")
        if row.urgency not in URGENCIES:
            raise RulesProblem(f"{row.rule}: unknown urgency {row.urgency}")
    for duty in rules.duties.rows:
        if duty.owner not in departments:
            raise RulesProblem(f"{duty.id}: unknown department {duty.owner}")
    if unknown := {*rules.roles.values(), *rules.channels.values(), *rules.round_the_clock} - departments:
        raise RulesProblem(f"unknown department {', '.join(sorted(unknown))}")
