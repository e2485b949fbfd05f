"""From an event to the duties that the law lets it start or end, as the data of duties says."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from onedoor.contracts.core import Command, Envelope, Event
from onedoor.contracts.events.assistance import JurisdictionChanged
from onedoor.contracts.events.case import CaseOpened
from onedoor.contracts.events.intake import ApplicationWithdrawn
from onedoor.contracts.events.stay import StayOpened
from onedoor.notify.domain import docket, ledger
from onedoor.notify.domain.clock import (
    CancelClock,
    HoldClock,
    MarkClock,
    MeetClock,
    ReleaseClock,
    StartClock,
    clock_id,
)
from onedoor.notify.domain.docket import Hold, LetRun, Owe, Owed, Place, Settle, Settlement, docket_id
from onedoor.triage.duties import DutyRow, Trigger, packaged_duties

TAKES = packaged_duties().events | {CaseOpened.type, StayOpened.type, JurisdictionChanged.type}
"""The types of all events that start or end a duty, or say whose a case is."""


def follow(envelope: Envelope) -> Sequence[Command]:
    """Commands to the docket of the event's application: nothing where no duty is concerned."""
    event = envelope.data
    if isinstance(event, ApplicationWithdrawn):
        return (_withdrawal(event),)
    if event.type not in TAKES:
        return ()
    return (
        *_place(event),
        *_owe(event, envelope.time),
        *_settle(event, envelope.time),
        *_stand_still(event, envelope.time),
    )


def _place(event: Event) -> Iterator[Command]:
    """A case's township is told with its opening, and when another one takes it over."""
    match event:
        case CaseOpened(case_id=case_id, division=str(division)):
            yield Place(**_of(event), case_id=case_id, division=division)
        case JurisdictionChanged(case_id=case_id, to_division=division):
            yield Place(**_of(event), case_id=case_id, division=division)


def _of(event: Event) -> dict[str, Any]:
    kept = event.classification()
    application: UUID = getattr(event, "application_id")  # noqa: B009 - every event taken here has one
    return {
        "target": docket_id(application),
        "application_id": application,
        "chain_id": event.chain_id,  # type: ignore[attr-defined]
        "child": kept == "child",
        "sealed": kept == "restricted",
    }


def _base(event: Event) -> UUID:
    """Whose duty it is: the proceeding's, else the referral's, else the case's."""
    ids = (getattr(event, name, None) for name in ("proceeding_id", "referral_id", "case_id"))
    base: UUID = next(id_ for id_ in ids if id_ is not None)
    return base


def _matching(rows: Iterable[DutyRow], kind: str, event: Event) -> Iterator[tuple[DutyRow, Trigger]]:
    """The rows whose trigger of this kind fits the event, of programmes that the event is of."""
    programme = getattr(event, "programme", None)
    for row in rows:
        if programme is not None and not row.concerns(programme):
            continue
        trigger = next((t for t in getattr(row, kind) if t.name == event.type and t.fits(event)), None)
        if trigger is not None:
            yield row, trigger


def _moment(event: Event, trigger: Trigger, time: datetime) -> datetime:
    at: datetime = getattr(event, trigger.at, None) or time
    return at.astimezone(UTC)


def _owe(event: Event, time: datetime) -> Iterator[Command]:
    known = packaged_duties()
    found = list(_matching(known.started_by.get(event.type, ()), "start", event))
    flags = [name for name in ("delegated", "urgent", "unstable") if getattr(event, name, False)]
    marks = [*filter(None, [getattr(event, "household_kind", None)]), *flags]
    limits = {row.id: str(row.limit_for(marks)) for row, _ in found}
    owed = [
        Owed(
            id=row.id,
            base=_base(event),
            started_at=_moment(event, trigger, time),
            limit=limits[row.id],
            owner=row.owner,
            owner_division=getattr(event, "to_division", None),
            programme=getattr(event, "programme", None),
            beside=limits.get(row.beside or ""),
            case_id=getattr(event, "case_id", None),
            by=event.type,
        )
        for row, trigger in found
        if row in known.in_force((each for each, _ in found), _moment(event, trigger, time))
    ]
    if owed:
        yield Owe(**_of(event), owed=tuple(owed))


def _settle(event: Event, time: datetime) -> Iterator[Command]:
    known = packaged_duties()
    endings = [each for each in known.endings if each.name == event.type and each.fits(event)]
    for trigger in endings:
        yield _settlement(event, _moment(event, trigger, time), (), _base(event), "cancelled", False)
    for kind, ending in (("met", "met"), ("cancelled", "cancelled")):
        groups: dict[tuple[UUID, datetime, bool], list[DutyRow]] = {}
        for row, trigger in _matching(known.ended_by.get(event.type, ()), kind, event):
            key = (_scope(event, row), _moment(event, trigger, time), trigger.before)
            groups.setdefault(key, []).append(row)
        for (scope, at, before), rows in groups.items():
            yield _settlement(event, at, rows, scope, ending, before)


def _scope(event: Event, row: DutyRow) -> UUID:
    """A referral ends its own duties, and those of the whole application that it was sent for."""
    if not event.type.startswith("referral.") or any(each.name.startswith("referral.") for each in row.start):
        return _base(event)
    application: UUID = event.application_id  # type: ignore[attr-defined]
    return application


def _settlement(
    event: Event, at: datetime, rows: Sequence[DutyRow], scope: UUID, ending: Any, before: bool
) -> Settle:
    settlement = Settlement(
        ids=tuple(sorted({row.id for row in rows})),
        scope=scope,
        at=at,
        ending=ending,
        reason=event.type.rpartition(".")[2] if ending == "cancelled" else "",
        by=event.type,
        before=before,
    )
    planned = any(not trigger.of_event for row in rows for trigger in row.start)
    return Settle(**_of(event), settlement=settlement, keep=planned)


def _stand_still(event: Event, time: datetime) -> Iterator[Command]:
    for row, trigger in _matching(packaged_duties().ended_by.get(event.type, ()), "stands_still", event):
        at = _moment(event, trigger, time)
        if trigger == row.stands_still[0]:
            until = getattr(event, "until", None)
            yield Hold(**_of(event), ids=(row.id,), scope=_base(event), at=at, until=until)
        else:
            yield LetRun(**_of(event), ids=(row.id,), scope=_base(event), at=at)


def _withdrawal(event: ApplicationWithdrawn) -> Settle:
    settlement = Settlement(
        ids=(),
        scope=event.application_id,
        at=event.withdrawn_at.astimezone(UTC),
        ending="cancelled",
        reason="withdrawn",
        by=event.type,
    )
    return Settle(**_of(event), settlement=settlement)


def planned(event: ledger.DutyAdmitted, duty: ledger.AskedDuty) -> Owe:
    """What the ledger has admitted from a plan, for the docket to know: events of a case may end it."""
    owed = Owed(
        id=duty.id,
        base=event.application_id,
        started_at=duty.started_at,
        limit=duty.limit,
        subject=duty.subject,
    )
    return Owe(**_of(event) | {"child": duty.child, "sealed": duty.sealed}, owed=(owed,))


def owed(event: docket.DutyOwed, _: datetime) -> Sequence[Command]:
    """Its clock, unless the plan has started it."""
    owed = event.owed
    if owed.by is None:
        return ()
    return (
        StartClock(
            **_clock(event, owed.id, owed.subject),
            owner=event.owner or owed.owner,
            owner_division=event.owner_division if event.owner else owed.owner_division,
            child=event.child,
            sealed=event.sealed,
            started_at=owed.started_at,
            limit=owed.limit,
            programme=owed.programme,
            beside=owed.beside,
        ),
    )


def settled(event: docket.DutySettled, _: datetime) -> Sequence[Command]:
    of = _clock(event, event.id, event.subject)
    if event.ending == "met":
        return (MeetClock(**of, at=event.at, mark=True),)
    return (CancelClock(**of, at=event.at, reason=event.reason, mark=True),)


def _clock(event: docket.DocketEvent, id_: str, subject: UUID | None) -> dict[str, Any]:
    assert subject is not None
    return {"target": clock_id(id_, subject), "chain_id": event.chain_id, "duty": id_, "subject": subject}


FOLLOWS: dict[type[Event], Any] = {
    docket.DutyOwed: owed,
    docket.DutySettled: settled,
    docket.DutyHeld: lambda event, _: (
        HoldClock(target=clock_id(event.id, event.subject), at=event.at, until=event.until),
    ),
    docket.DutyLetRun: lambda event, _: (
        ReleaseClock(target=clock_id(event.id, event.subject), at=event.at),
    ),
    docket.DocketMarked: lambda event, _: [
        MarkClock(**_clock(event, id_, subject), child=event.child, sealed=event.sealed)
        for id_, subject in event.clocks
    ],
}
