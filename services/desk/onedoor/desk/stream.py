"""What the desk makes of events: rows of its read model, as sets, in any order of topics.

An aggregate's events come from one service, whose ids (UUIDv7) follow the order in which it decided them.
So a row keeps the id of the event that gave a value, and an older event never overwrites a newer one.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, get_args
from uuid import UUID

from onedoor.contracts.core import Classification, Envelope
from onedoor.contracts.events import case, intake, notify, operations
from onedoor.contracts.registry import EVENTS, TOPICS
from onedoor.contracts.work import ReferralState
from onedoor.desk import views
from onedoor.runtime import almanac
from onedoor.runtime.service import Connection
from onedoor.runtime.statements import together

Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = dict[UUID, Row]

NO_STORY = frozenset({intake.PERSON, intake.SUSPICION, operations.LETTER, notify.CALENDAR})
"""Topics of no help chain."""
STORY = frozenset(event.type for event in EVENTS if not NO_STORY.intersection(event.topics))
READS = (*(topic for topic in TOPICS if topic not in NO_STORY), notify.CALENDAR)
TAKES = STORY | {notify.NoticeImported.type}

CASE_STATES: Mapping[str, str] = {
    event.type: event.brings
    for event in EVENTS
    if issubclass(event, case.CaseEvent) and event.brings is not None
}
CLOCK_STATES: Mapping[str, str] = {
    "clock.started": "running",
    "clock.paused": "paused",
    "clock.resumed": "running",
    "clock.rescheduled": "running",
    "clock.warned": "warned",
    "clock.breached": "breached",
    "clock.corrected": "met",
    "clock.cancelled": "cancelled",
}
ENDED = frozenset({"verified", "closed", "revoked"})


async def absorb(conn: Connection, envelopes: Sequence[Envelope]) -> None:
    """Write what the events say into the read model, and tell the open pages after the commit."""
    await almanac.absorb(conn, envelopes)
    known = [envelope for envelope in envelopes if envelope.type in STORY]
    if not known:
        return
    await _write(conn, known)
    await views.follow_clocks(conn, _timed(known))
    await views.announce(conn, {envelope.data.chain_id for envelope in known})  # type: ignore[attr-defined]


async def _write(conn: Connection, envelopes: Sequence[Envelope]) -> None:
    """Table after table, always in the same order: while PostgreSQL writes one, the next one's are made."""
    writing: asyncio.Task[None] | None = None
    try:
        for table, rows in projected(envelopes):
            merging = views.merging(table, rows.values())
            if writing is not None:
                await writing
            writing = asyncio.create_task(together(conn, [merging]))
            await asyncio.sleep(0)  # now it is sent
    finally:
        if writing is not None:
            await writing


def _timed(envelopes: Sequence[Envelope]) -> set[UUID]:
    """The referrals whose limits these events set: by being sent, or by a clock that was counted."""
    return {
        event.referral_id
        for event in (envelope.data for envelope in envelopes)
        if isinstance(event, (notify.ReferralSent, *_COUNTED)) and event.referral_id is not None
    }


def projected(envelopes: Sequence[Envelope]) -> Iterator[tuple[str, Rows]]:
    """The rows that these events give, by id, of each table that gets any; the timeline's last.

    What no event says is absent or None.
    """
    tables: dict[str, Rows] = {name: {} for name in views.TABLES if name != "timeline"}
    ordered = sorted(envelopes, key=lambda envelope: envelope.id)
    for envelope in ordered:
        match envelope.data:
            case intake.ApplicationReceived() | intake.ApplicationSupplemented() as event:
                _application(tables, envelope, event)
            case intake.ApplicationWithdrawn() as event:
                _withdrawal(tables, envelope, event)
            case case.CaseEvent() as event:
                _case(tables["cases"], envelope, event)
            case notify.ReferralEvent() as event:
                _referral(tables["referrals"], envelope, event)
            case notify.ClockEvent() as event:
                _clock(tables["clocks"], envelope, event)
    yield from ((name, rows) for name, rows in tables.items() if rows)
    yield "timeline", {envelope.id: _moment(envelope) for envelope in ordered}


def reading_class(envelope: Envelope) -> Classification:
    """How widely it may be read here: child files are those that protection or child welfare deals with.

    A child in a household that asks for income makes no child file, as at intake: the caseworker reads it.
    """
    match envelope.data:
        case intake.ApplicationReceived() | intake.ApplicationSupplemented() as event:
            cared_for = any(service.name == "child-welfare" for service in event.plan.services)
            child = envelope.classification == "child"
            return "internal" if child and not (event.protection or cared_for) else envelope.classification
        case _:
            return envelope.classification


def _put(rows: Rows, id_: UUID, **values: Any) -> None:
    rows.setdefault(id_, {}).update(values)


def _application(
    tables: dict[str, Rows],
    envelope: Envelope,
    event: intake.ApplicationReceived | intake.ApplicationSupplemented,
) -> None:
    minor = any(subject.minor for subject in event.subjects)
    class_ = reading_class(envelope)
    chain = {
        "chain_id": event.chain_id,
        "application_id": event.application_id,
        "receipt": event.receipt,
        "opened_at": event.received_at,
        "division": event.place_division or event.registered_division,
        "department": envelope.actor.department,
        "sealed": event.protection,
        "child": minor,
        "first_event": envelope.id,
        "classification": class_,
    }
    first = tables["chains"].setdefault(event.chain_id, chain)
    if first is not chain:
        _widen(first, chain)
    _put(
        tables["applications"],
        event.application_id,
        application_id=event.application_id,
        chain_id=event.chain_id,
        receipt=event.receipt,
        kind=event.kind,
        channel=event.channel,
        caller_role=event.caller_role,
        received_at=event.received_at,
        place_division=event.place_division,
        household_size=event.household_size,
        needs=event.needs,
        emergency=event.emergency.kind if event.emergency else None,
        subjects=event.subjects,
        plan=event.plan,
        facts_event=envelope.id,
        classification=class_,
    )


def _widen(first: Row, later: Row) -> None:
    """A chain is as closely kept as the closest of its applications."""
    first["sealed"] = first["sealed"] or later["sealed"]
    first["child"] = first["child"] or later["child"]
    first["classification"] = max(first["classification"], later["classification"], key=views.CLOSENESS.index)


def _withdrawal(tables: dict[str, Rows], envelope: Envelope, event: intake.ApplicationWithdrawn) -> None:
    row = tables["applications"].setdefault(event.application_id, {"classification": envelope.classification})
    row.update(application_id=event.application_id, chain_id=event.chain_id, withdrawn_at=event.withdrawn_at)


def _case(rows: Rows, envelope: Envelope, event: case.CaseEvent) -> None:
    _put(
        rows,
        event.case_id,
        case_id=event.case_id,
        chain_id=event.chain_id,
        application_id=event.application_id,
        service=event.service,
        classification=envelope.classification,
    )
    if envelope.type in CASE_STATES:
        state = CASE_STATES[envelope.type]
        _put(rows, event.case_id, state=state, state_at=envelope.time, state_event=envelope.id)
    match event:
        case case.CaseOpened():
            _put(rows, event.case_id, opened_at=event.opened_at, programmes=event.programmes)
            _put(rows, event.case_id, urgency=event.urgency, urgency_event=envelope.id)
        case case.CaseUrgencyRaised():
            _put(rows, event.case_id, urgency=event.urgency, urgency_event=envelope.id)
        case case.CaseDecided():
            _put(rows, event.case_id, outcome=event.outcome)
        case _:
            pass


def _referral(rows: Rows, envelope: Envelope, event: notify.ReferralEvent) -> None:
    state = envelope.type.removeprefix("referral.")
    _put(
        rows,
        event.referral_id,
        referral_id=event.referral_id,
        chain_id=event.chain_id,
        application_id=event.application_id,
        rule=event.rule,
        to=event.to,
        to_division=event.to_division,
        urgency=event.urgency,
        child=event.child,
        classification=envelope.classification,
        **{"from": event.from_},
    )
    match event:
        case notify.ReferralExtensionAsked():
            _put(rows, event.referral_id, extension_until=event.until, extension_asked_at=envelope.time)
        case notify.ReferralSupplemented():
            pass
        case _:
            _put(rows, event.referral_id, extension_decided_at=envelope.time)
    if state in get_args(ReferralState):
        _put(rows, event.referral_id, state=state, state_at=envelope.time, state_event=envelope.id)
    match event:
        case notify.ReferralSent():
            _put(rows, event.referral_id, sent_at=event.sent_at, due_ack=event.due_ack)
            _put(rows, event.referral_id, due_action=event.due_action, replaces=event.replaces)
        case notify.ReferralAcknowledged():
            _put(rows, event.referral_id, acknowledged_at=envelope.time)
        case notify.ReferralActed():
            _put(rows, event.referral_id, acted_at=envelope.time)
        case notify.ReferralAnswered():
            _put(rows, event.referral_id, answered_at=envelope.time, outcome=event.outcome)
        case _ if state in ENDED:
            _put(rows, event.referral_id, ended_at=envelope.time)
        case _:
            pass
    if (due := getattr(event, "due_finish", None)) is not None:
        _put(rows, event.referral_id, due_finish=due, due_event=envelope.id)
    if (reason := getattr(event, "reason", None)) is not None:
        _put(rows, event.referral_id, reason=reason)


def _clock(rows: Rows, envelope: Envelope, event: notify.ClockEvent) -> None:
    _put(
        rows,
        event.clock_id,
        clock_id=event.clock_id,
        chain_id=event.chain_id,
        duty=event.duty,
        subject=event.subject,
        owner=event.owner,
        owner_division=event.owner_division,
        referral_id=event.referral_id,
        child=event.child,
        classification=envelope.classification,
    )
    state = CLOCK_STATES.get(envelope.type)
    match event:
        case notify.ClockStarted():
            _put(rows, event.clock_id, started_at=event.started_at, limit=event.limit)
            _put(rows, event.clock_id, source=event.source, certainty=event.certainty)
        case notify.ClockMet():
            state = "met_late" if event.late_seconds else "met"
            _put(rows, event.clock_id, met_at=event.met_at, late_seconds=event.late_seconds)
        case notify.ClockCorrected():
            _put(rows, event.clock_id, met_at=event.met_at, late_seconds=0)
        case notify.ClockBreached():
            _put(rows, event.clock_id, breached_at=event.due_at)
        case notify.AlertEscalated():
            _put(rows, event.clock_id, step=event.step)
        case _:
            pass
    if state is not None:
        _put(rows, event.clock_id, state=state, state_event=envelope.id)
    if isinstance(event, _COUNTED):
        _put(rows, event.clock_id, due_at=event.due_at, due_event=envelope.id)
        _put(rows, event.clock_id, provisional=event.provisional)


_COUNTED = (notify.ClockStarted, notify.ClockResumed, notify.ClockRescheduled, notify.ClockRecomputed)
"""What says by when, and whether that is sure."""


def _moment(envelope: Envelope) -> Row:
    data = envelope.data
    return {
        "event_id": envelope.id,
        "chain_id": data.chain_id,  # type: ignore[attr-defined]
        "time": envelope.time,
        "service": envelope.source,
        "department": _department(envelope),
        "type": envelope.type,
        "referral_id": vars(data).get("referral_id"),
        "role": envelope.actor.role,
        "facts": _facts(envelope),
        "classification": reading_class(envelope),
    }


FROM_SENDER = frozenset({"referral.drafted", "referral.sent", "referral.revoked", "referral.reopened",
                         "referral.verified", "referral.closed"})  # fmt: skip


def _department(envelope: Envelope) -> str | None:
    """Whose doing, or whose concern, the event is."""
    match envelope.data:
        case notify.ReferralEvent() as event:
            return event.from_ if envelope.type in FROM_SENDER else event.to
        case notify.ClockEvent() as event:
            return event.owner
        case case.CaseOpened() | case.CaseUrgencyRaised():
            return None
        case _:
            return envelope.actor.department


TOLD = {"receipt", "kind", "channel", "caller_role", "rule", "to", "to_division", "urgency", "reason",
        "outcome", "duty", "due_at", "due_ack", "due_finish", "previous_due_at", "late_seconds", "step",
        "service", "programmes", "until", "limit", "clock_id", "protection_stands", "late_entry",
        "notice"}  # fmt: skip


def _facts(envelope: Envelope) -> Row:
    """The coded facts that the sentence on the timeline needs; never a name."""
    fields = vars(envelope.data)  # asking a model for a field that it lacks is slow
    said = envelope.data.model_dump(mode="json", by_alias=True, include=TOLD)
    facts = {name: value for name, value in said.items() if value not in (None, [], "")}
    if (sender := fields.get("from_")) is not None:
        facts["from"] = sender
    if fields.get("on_behalf"):
        facts["on_behalf"] = True
    if isinstance(envelope.data, intake.ApplicationReceived | intake.ApplicationSupplemented):
        facts["services"] = [service.name for service in envelope.data.plan.services]
        facts["critical"] = envelope.data.plan.critical
    return facts
