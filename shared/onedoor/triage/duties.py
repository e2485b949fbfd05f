"""What is owed within which time, read from data once and checked: one file for plans and for clocks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Literal, get_args

import yaml

from onedoor.calendar import CalendarProblem, Limit, local
from onedoor.contracts.core import Urgency

Kind = Literal["statutory", "local", "default"]
Certainty = Literal["confirmed", "assumed"]


@dataclass(frozen=True, slots=True)
class Trigger:
    """A stage of the file, or an event of which `needs` holds: field by field one of the values.

    at: the event's field with the moment that counts; before: as an end it counts before the start, too.
    """

    name: str
    needs: Mapping[str, frozenset[Any]] = field(default_factory=dict)
    at: str = "at"
    before: bool = False

    @property
    def of_event(self) -> bool:
        return "." in self.name

    def fits(self, event: object) -> bool:
        """Whether an event of this type is meant; a field that is a list is if it holds one of the values."""
        return all(_holds(_said(event, name), values) for name, values in self.needs.items())


def _said(event: object, name: str) -> Any:
    """The event's field of this name; with a dot what a field that is a mapping holds."""
    field_, _, key = name.partition(".")
    value = getattr(event, field_, None)
    return value.get(key) if key and isinstance(value, Mapping) else value


def _holds(value: Any, values: frozenset[Any]) -> bool:
    return not values.isdisjoint(value) if isinstance(value, (tuple, list)) else value in values


@dataclass(frozen=True, slots=True)
class DutyRow:
    """One version of one duty; what each field means stands at the head of the data file."""

    id: str
    limit: Limit
    owner: str
    source: str
    kind: Kind
    certainty: Certainty
    from_: date
    until: date = date.max
    programme: tuple[str, ...] = ()
    start: tuple[Trigger, ...] = ()
    met: tuple[Trigger, ...] = ()
    cancelled: tuple[Trigger, ...] = ()
    stands_still: tuple[Trigger, ...] = ()
    limit_if: Mapping[str, Limit] = field(default_factory=dict)
    longest: Limit | None = None
    when: str | None = None
    after: str | None = None
    beside: str | None = None
    warn: float = 1.0
    protection: bool = False
    chased: bool = True

    @property
    def version(self) -> str:
        """Names this version for good: the duty, whose it is where it has several, and since when."""
        return "/".join((self.id, *self.programme[:1], self.from_.isoformat()))

    @property
    def keep(self) -> bool:
        """Whether it is no deadline but a time to be kept at least."""
        return self.limit.keep

    def concerns(self, programme: str | None) -> bool:
        """Whether it is a duty of this programme; one that names none is a duty of all."""
        return not self.programme or programme in self.programme

    def limit_for(self, marked: Iterable[str]) -> Limit:
        """The limit of a start that carries these marks."""
        return next((self.limit_if[mark] for mark in marked if mark in self.limit_if), self.limit)


@dataclass(frozen=True, slots=True)
class ReferralLimits:
    """Limits of a referral of one urgency: to acknowledge, to act (critical only) and to finish."""

    urgency: Urgency
    ack: Limit
    finish: Limit
    source: str
    from_: date
    action: Limit | None = None
    ack_round_the_clock: Limit | None = None


@dataclass(frozen=True)
class Duties:
    """The whole file. not_started: limits that nothing here starts, with the reason.

    warn: the part of a limit after which its owner is warned, where its row says nothing else.
    """

    version: str
    warn: float
    rows: tuple[DutyRow, ...]
    referrals: tuple[ReferralLimits, ...]
    endings: tuple[Trigger, ...]
    not_started: Mapping[str, str]

    @cached_property
    def stages(self) -> Mapping[str, tuple[DutyRow, ...]]:
        """The duties that a stage of the file starts, by stage."""
        return _by_name(self.rows, lambda row: [each for each in row.start if not each.of_event])

    @cached_property
    def started_by(self) -> Mapping[str, tuple[DutyRow, ...]]:
        """The duties that an event may start, by its type."""
        return _by_name(self.rows, lambda row: [each for each in row.start if each.of_event])

    @cached_property
    def ended_by(self) -> Mapping[str, tuple[DutyRow, ...]]:
        """The duties that an event may meet, cancel or let stand still, by its type."""
        return _by_name(self.rows, lambda row: (*row.met, *row.cancelled, *row.stands_still))

    @cached_property
    def events(self) -> frozenset[str]:
        """The types of all events that the file names."""
        return frozenset({*self.started_by, *self.ended_by, *(each.name for each in self.endings)})

    @cached_property
    def by_version(self) -> Mapping[str, DutyRow]:
        """The rows by the name that a clock keeps."""
        return {row.version: row for row in self.rows}

    def latest(self, id_: str) -> DutyRow | None:
        """The newest version of a duty."""
        return max((row for row in self.rows if row.id == id_), key=lambda row: row.from_, default=None)

    def in_force(self, rows: Iterable[DutyRow], at: datetime) -> tuple[DutyRow, ...]:
        """Of these, the one version of each duty and programme for a start at `at`."""
        day = local(at).date()
        chosen: dict[tuple[str, tuple[str, ...]], DutyRow] = {}
        for row in sorted(rows, key=lambda row: row.from_):
            key = (row.id, row.programme)
            if day < row.until and (row.from_ <= day or key not in chosen):
                chosen[key] = row
        return tuple(chosen.values())

    def referral(self, urgency: Urgency, at: datetime) -> ReferralLimits:
        """The limits of a referral of this urgency that is sent at `at`."""
        day = local(at).date()
        known = sorted((row for row in self.referrals if row.urgency == urgency), key=lambda row: row.from_)
        return next((row for row in reversed(known) if row.from_ <= day), known[0])


def _by_name(rows: Iterable[DutyRow], triggers: Any) -> Mapping[str, tuple[DutyRow, ...]]:
    found: dict[str, list[DutyRow]] = {}
    for row in rows:
        for name in dict.fromkeys(each.name for each in triggers(row)):
            found.setdefault(name, []).append(row)
    return {name: tuple(each) for name, each in found.items()}


@cache
def packaged_duties() -> Duties:
    """The duties that came with the package, read at the first use."""
    return parse_duties((files(__package__) / "duties.yaml").read_text("utf-8"))


def parse_duties(text: str) -> Duties:
    """Duties from the text of a file. Raises CalendarProblem naming the duty, the field and the remedy."""
    try:
        raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise CalendarProblem(
            "file", "is not YAML", "correct the syntax", "不是有效的YAML", "请更正格式"
        ) from error
    if not isinstance(raw, dict):
        raise _missing("file", "duties")
    warn = _fraction(raw.get("warn"), "file.warn")
    duties = Duties(
        version=str(raw.get("version", "")),
        warn=warn,
        rows=tuple(_row(row, f"duties[{i}]", warn) for i, row in enumerate(_list(raw, "duties", "file"))),
        referrals=tuple(
            _referral(row, f"referrals[{i}]") for i, row in enumerate(_list(raw, "referrals", "file"))
        ),
        endings=_triggers(raw.get("endings", []), "endings"),
        not_started=raw.get("not_started") or {},
    )
    _check(duties)
    return duties


def _row(raw: Any, where: str, warn: float) -> DutyRow:
    if not isinstance(raw, dict):
        raise _missing(where, "id")
    where = str(raw.get("id", where))
    for name in ("id", "limit", "owner", "source", "kind", "certainty", "from", "start"):
        if not raw.get(name):
            raise _missing(where, name)
    known = {*DutyRow.__dataclass_fields__, "from"} - {"from_"}
    if unknown := raw.keys() - known:
        raise CalendarProblem(
            f"{where}.{min(unknown)}", "is no field of a duty", f"use {', '.join(sorted(known))}",
            "不是时限的字段", f"可用字段：{'、'.join(sorted(known))}",
        )  # fmt: skip
    triggers: dict[str, Any] = {
        name: _triggers(raw.get(name, []), f"{where}.{name}")
        for name in ("start", "met", "cancelled", "stands_still")
    }
    return DutyRow(
        id=where,
        limit=_limit(raw["limit"], f"{where}.limit"),
        owner=str(raw["owner"]),
        source=str(raw["source"]),
        kind=_one_of(raw["kind"], get_args(Kind), f"{where}.kind"),
        certainty=_one_of(raw["certainty"], get_args(Certainty), f"{where}.certainty"),
        from_=_day(raw["from"], f"{where}.from"),
        until=_day(raw["until"], f"{where}.until") if "until" in raw else date.max,
        programme=tuple(raw.get("programme", ())),
        limit_if={m: _limit(v, f"{where}.limit_if.{m}") for m, v in raw.get("limit_if", {}).items()},
        longest=_limit(raw["longest"], f"{where}.longest") if "longest" in raw else None,
        warn=_fraction(raw.get("warn", warn), f"{where}.warn"),
        **{name: raw[name] for name in ("when", "after", "beside", "protection", "chased") if name in raw},
        **triggers,
    )


def _referral(raw: Any, where: str) -> ReferralLimits:
    if not isinstance(raw, dict):
        raise _missing(where, "urgency")
    for name in ("urgency", "ack", "finish", "source", "from"):
        if not raw.get(name):
            raise _missing(where, name)
    limits = ("ack", "finish", "action", "ack_round_the_clock")
    return ReferralLimits(
        urgency=_one_of(raw["urgency"], get_args(Urgency), f"{where}.urgency"),
        source=str(raw["source"]),
        from_=_day(raw["from"], f"{where}.from"),
        **{name: _limit(raw[name], f"{where}.{name}") for name in limits if name in raw},
    )


def _triggers(raw: Any, where: str) -> tuple[Trigger, ...]:
    if not isinstance(raw, list):
        raise CalendarProblem(where, "is not a list", "write [accepted]", "不是列表", "请写作 [accepted]")
    return tuple(_trigger(each, where) for each in raw)


def _trigger(raw: Any, where: str) -> Trigger:
    if isinstance(raw, str):
        return Trigger(raw)
    if not isinstance(raw, dict) or not isinstance(raw.get("event"), str):
        raise CalendarProblem(
            where, "names no event", "write case.accepted or {event: case.determined, kind: refuse}",
            "没有写明事件", "请写作 case.accepted 或 {event: case.determined, kind: refuse}",
        )  # fmt: skip
    needs = {
        name: frozenset(value if isinstance(value, list) else [value])
        for name, value in raw.items()
        if name not in ("event", "at", "before")
    }
    return Trigger(raw["event"], needs, raw.get("at", "at"), raw.get("before", False))


def _limit(raw: Any, where: str) -> Limit:
    try:
        return Limit.parse(str(raw))
    except CalendarProblem as error:
        raise CalendarProblem(
            where, error.problem, error.remedy, error.problem_zh, error.remedy_zh
        ) from error


def _day(raw: Any, where: str) -> date:
    try:
        return date.fromisoformat(str(raw))
    except ValueError as error:
        raise CalendarProblem(
            where, "is no date of the calendar", 'write "2026-01-01"', "不是有效日期", '请写作 "2026-01-01"'
        ) from error


def _fraction(raw: Any, where: str) -> float:
    if isinstance(raw, (int, float)) and 0 < raw <= 1:
        return float(raw)
    raise CalendarProblem(
        where, f"is {raw}", "give more than 0 and at most 1", f"为{raw}", "请填写大于0、不超过1的数"
    )


def _one_of(raw: Any, allowed: Sequence[str], where: str) -> Any:
    if raw in allowed:
        return raw
    raise CalendarProblem(
        where, f"is {raw}", f"write one of {', '.join(allowed)}", f"为{raw}", f"请填写：{'、'.join(allowed)}"
    )


def _list(raw: Mapping[str, Any], name: str, where: str) -> list[Any]:
    rows = raw.get(name)
    if not isinstance(rows, list) or not rows:
        raise _missing(where, name)
    return rows


def _missing(where: str, name: str) -> CalendarProblem:
    return CalendarProblem(f"{where}.{name}", "is missing", "write it", "缺失", "请填写")


def _check(duties: Duties) -> None:
    """No version stands twice; what a row refers to exists; each urgency has its limits."""
    seen: set[str] = set()
    ids = {row.id for row in duties.rows}
    for row in duties.rows:
        if row.version in seen:
            raise CalendarProblem(
                f"{row.id}.from", f"{row.from_} stands twice", "give each version a day of its own",
                f"{row.from_}重复", "每个版本的起始日期应不同",
            )  # fmt: skip
        seen.add(row.version)
        if row.until <= row.from_:
            raise CalendarProblem(
                f"{row.id}.until",
                "is not after from",
                "give a later day",
                "不晚于起始日期",
                "请填写更晚的日期",
            )
        if row.longest and (row.longest.unit, row.longest.amount > row.limit.amount) != (
            row.limit.unit,
            True,
        ):
            raise CalendarProblem(
                f"{row.id}.longest", "is not longer than limit", "give more of the same unit",
                "不长于原时限", "请填写同一单位的更长时限",
            )  # fmt: skip
        for name in ("after", "beside"):
            if getattr(row, name) not in (None, *ids):
                raise CalendarProblem(
                    f"{row.id}.{name}", f"{getattr(row, name)} is no duty", "name a duty of this file",
                    f"没有{getattr(row, name)}", "请填写本文件中的时限",
                )  # fmt: skip
    for urgency in get_args(Urgency):
        if all(row.urgency != urgency for row in duties.referrals):
            raise _missing("referrals", urgency)
