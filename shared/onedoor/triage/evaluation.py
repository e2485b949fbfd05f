"""The one function that turns an application into its plan."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from onedoor.calendar import Calendar, Due, Limit, due, in_force, moment
from onedoor.contracts.core import Urgency
from onedoor.contracts.plan import Jurisdiction, Plan, PlannedDuty, PlannedReferral, PlannedService
from onedoor.triage.application import Application
from onedoor.triage.conditions import CHONGQING, read
from onedoor.triage.duties import DutyRow
from onedoor.triage.rules import URGENCIES, ReferralRow, Rules, packaged_rules

Holding = frozenset[str]
"""Names of the conditions that hold."""


def evaluate(application: Application, calendar: Calendar | None = None, rules: Rules | None = None) -> Plan:
    """Who is concerned, how urgent, by which rule, by when. Pure; about a tenth of a millisecond.

    Referral clocks run from `received_at`, duties from the stage that starts them. A plan without service or
    referral goes to the township's manual list, so that nobody is without an owner.
    """
    rules, calendar = rules or packaged_rules(), calendar or in_force().calendar
    duplicates = _duplicates(application)
    reading = read(application, duplicates)
    holding = frozenset(name for name, holds in rules.conditions if holds(reading))
    services = _services(rules, holding)
    referrals = _referrals(application, rules, holding, calendar)
    return Plan(
        services=services,
        referrals=referrals,
        duties=tuple(_duties(application, rules, holding, calendar)),
        suggested_programmes=_suggested(rules, holding),
        flags=tuple(row.flag for row in rules.flags if row.when in holding),
        duplicates=duplicates,
        jurisdiction=_jurisdiction(application, rules),
        manual=None if services or referrals else "township",
        rules_version=rules.version,
    )


def _services(rules: Rules, holding: Holding) -> tuple[PlannedService, ...]:
    """One entry per service, with the highest urgency of its rows."""
    wanted: dict[str, Urgency] = {}
    for row in rules.services:
        if row.when in holding:
            wanted[row.name] = min(wanted.get(row.name, row.urgency), row.urgency, key=URGENCIES.index)
    return tuple(PlannedService(name=name, urgency=urgency) for name, urgency in wanted.items())


def _referrals(
    application: Application, rules: Rules, holding: Holding, calendar: Calendar
) -> tuple[PlannedReferral, ...]:
    """One entry per rule and receiver."""
    clock = _Clock(application.received_at, calendar)
    planned: dict[tuple[str, str], PlannedReferral] = {}
    for row in rules.referrals:
        if row.when in holding:
            for to in row.to:
                referral = _referral(application, rules, row, to, clock)
                planned.setdefault((row.rule, referral.to), referral)
    return tuple(planned.values())


class _Clock:
    """Limits counted from one moment; each once."""

    def __init__(self, start: datetime, calendar: Calendar) -> None:
        self._start = start
        self._calendar = calendar
        self._ends: dict[Limit, datetime] = {}

    def end(self, limit: Limit) -> datetime:
        if limit not in self._ends:
            self._ends[limit] = due(self._start, limit, calendar=self._calendar).due_at
        return self._ends[limit]


def _referral(
    application: Application, rules: Rules, row: ReferralRow, to: str, clock: _Clock
) -> PlannedReferral:
    from_ = _from(application, rules, row, to)
    sender, _ = _unsuspected(application, rules, from_, application.place.division)
    to, division = _unsuspected(application, rules, to, _to_division(application, rules, row, to))
    clocks = rules.duties.referral(row.urgency, application.received_at)
    awake = clocks.ack_round_the_clock if to in rules.round_the_clock else None
    return PlannedReferral(
        rule=row.rule,
        from_=sender,
        to=to,
        to_division=division,
        urgency=row.urgency,
        due_ack=clock.end(awake or clocks.ack),
        due_action=clock.end(clocks.action) if clocks.action else None,
        due_finish=clock.end(clocks.finish),
        ground=row.ground,
        drafted=row.drafted,
        asked_at=application.received_at,
    )


def _unsuspected(
    application: Application, rules: Rules, department: str, division: str | None
) -> tuple[str, str | None]:
    """Department and division as they are, or one level up where they are named as suspected."""
    named = application.suspected
    if named is None:
        return department, division
    return rules.unsuspected((named.department, named.division), department, division)


def _from(application: Application, rules: Rules, row: ReferralRow, to: str) -> str:
    """Who hands over; a unit does not hand over to itself, there the township does."""
    if row.from_ != "origin":
        return row.from_
    origin = rules.roles.get(application.caller.role) or rules.channels[application.channel]
    return "township" if origin == to else origin


def _to_division(application: Application, rules: Rules, row: ReferralRow, to: str) -> str | None:
    """The receiver's division. Units of this district only serve its own divisions: a registration far away
    names nobody here, so the place does; another district is found by nothing but the registration.
    """
    place, registered = application.place.division, application.registered_division
    if to == "other-district":
        return registered
    if row.by_place:
        return place or registered
    return registered if registered and registered.startswith(CHONGQING) else place or registered


@dataclass(frozen=True, slots=True)
class _Start:
    """Something that starts duties: a stage of the file, an emergency, a police report."""

    name: str
    at: datetime
    programme: str | None = None
    marks: frozenset[str] = frozenset()


def _starts(application: Application) -> Iterator[_Start]:
    if application.emergency is not None:
        yield _Start("emergency", application.received_at)
    for stage in application.stages:
        marks = frozenset(name for name in ("delegated", "urgent") if getattr(stage, name))
        yield _Start(stage.kind, stage.moment or application.received_at, stage.programme, marks)
    for subject in application.subjects:
        for parent in subject.facts.parents:
            if parent.status == "lost_contact" and parent.police_report_on:
                yield _Start("police_report", moment(parent.police_report_on))


def _duties(
    application: Application, rules: Rules, holding: Holding, calendar: Calendar
) -> Iterable[PlannedDuty]:
    """One entry per duty and start: brothers and sisters share a missing parent's."""
    planned: dict[tuple[str, datetime], PlannedDuty] = {}
    for start in _starts(application):
        ends: dict[str, Due] = {}
        for row in rules.duties.in_force(rules.duties.stages.get(start.name, ()), start.at):
            if _applies(row, start, holding):
                at = moment(ends[row.after].due_on) if row.after else start.at
                limit = row.limit_for(start.marks)
                ends[row.id] = end = due(at, limit, calendar=calendar)
                planned.setdefault((row.id, at), _duty(row.id, limit, at, end))
    return planned.values()


def _applies(row: DutyRow, start: _Start, holding: Holding) -> bool:
    return row.concerns(start.programme) and (row.when is None or row.when in holding)


def _duty(id_: str, limit: Limit, at: datetime, end: Due) -> PlannedDuty:
    return PlannedDuty(id=id_, due_on=end.due_on, due_at=end.due_at, started_at=at, limit=str(limit))


def _suggested(rules: Rules, holding: Holding) -> tuple[str, ...]:
    never = {name for row in rules.never_suggested if row.when in holding for name in row.programmes}
    names = (name for row in rules.suggested if row.when in holding for name in row.programmes)
    return tuple(name for name in dict.fromkeys(names) if name not in never)


def _duplicates(application: Application) -> tuple[str, ...]:
    """Ids of the earlier applications that name an ID number of one of the subjects."""
    if not application.earlier_applications:
        return ()
    ours = _normal(subject.id_number for subject in application.subjects if subject.id_number)
    earlier = application.earlier_applications
    return tuple(known.id for known in earlier if not ours.isdisjoint(_normal(known.id_numbers)))


def _normal(numbers: Iterable[str]) -> set[str]:
    """ID numbers as one compares them: full-width to ASCII, no spaces or hyphens, upper-case X."""
    plain = (unicodedata.normalize("NFKC", number).upper() for number in numbers)
    return {"".join(char for char in number if char.isalnum()) for number in plain} - {""}


def _jurisdiction(application: Application, rules: Rules) -> Jurisdiction:
    """Whose district it is on the day of receipt; elsewhere the first six digits of the division."""
    registered, place = application.registered_division, application.place.division
    division = registered if registered and registered.startswith(rules.home) else place or registered
    if division is None:
        return Jurisdiction()
    day = application.received_at.date()
    for row in rules.jurisdictions:
        if row.fits(division, day):
            return Jurisdiction(code=row.code, name=row.name)
    return Jurisdiction(code=division[:6])
