"""Passes: each event that lays a referral or a case on somebody's table, or takes it off.

A table beside the events, written in sets as they come; in any order it gives the same holdings.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from onedoor.contracts import services
from onedoor.contracts.core import Classification, Envelope
from onedoor.contracts.events.case import ENDED, CaseEvent
from onedoor.contracts.events.intake import ApplicationReceived
from onedoor.contracts.events.notify import (
    ReferralAnswered,
    ReferralClosed,
    ReferralEvent,
    ReferralReopened,
    ReferralReturned,
    ReferralRevoked,
    ReferralSent,
)
from onedoor.contracts.registry import EVENTS
from onedoor.notify.domain import duties
from onedoor.notify.domain.referral import HANDED_ON, ReferralHandedOn, ReferralTakenOver
from onedoor.runtime.service import Connection

TAKES = frozenset(
    event.type
    for event in EVENTS
    if event is ApplicationReceived or (issubclass(event, CaseEvent) and event.brings is not None)
)
"""The types of others' events that say who holds something."""


class Pass(NamedTuple):
    """From `at` on the subject lies with this department; with nobody where it is None.

    receipt: of the application, where the pass is its arrival.
    """

    event_id: UUID
    chain_id: UUID
    subject: UUID
    kind: str
    type: str
    department: str | None
    division: str | None
    at: datetime
    receipt: str | None
    classification: Classification


_RECORD = f"""
insert into passes ({", ".join(Pass._fields)})
select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                     $8::timestamptz[], $9::text[], $10::text[])
on conflict (event_id) do nothing
"""  # noqa: S608 - own names


async def record(conn: Connection, events: Sequence[Envelope]) -> None:
    """Write the passes that these events are; the others are let by."""
    rows = [row for event in events if (row := pass_of(event)) is not None]
    if rows:
        await conn.execute(_RECORD, *map(list, zip(*rows, strict=True)))


def pass_of(event: Envelope) -> Pass | None:
    """The pass that an event is; None where nothing changes hands."""
    match event.data:
        case ReferralTakenOver() | ReferralHandedOn(held=False) as over:
            return _pass(event, over.referral_id, "referral", None, None, event.time)
        case ReferralEvent() as referral:
            return _of_referral(event, referral)
        case CaseEvent() as case:
            return _of_case(event, case)
        case ApplicationReceived() as received:
            origin = duties.origin(received.caller_role, received.channel)
            at = received.received_at.astimezone(UTC)
            return _pass(event, received.application_id, "application", origin, None, at, received.receipt)
    return None


def _of_referral(event: Envelope, referral: ReferralEvent) -> Pass | None:
    """An answer, and what is returned, lie with the sender again; a critical one stays (首接负责).

    What the coordinating bureau hands on as it has decided was sent back by nobody.
    """
    here, back = (referral.to, referral.to_division), (referral.from_, None)
    match referral:
        case ReferralSent():
            return _pass(event, referral.referral_id, "referral", *here, referral.sent_at.astimezone(UTC))
        case ReferralReopened():
            return _pass(event, referral.referral_id, "referral", *here, event.time)
        case ReferralReturned() if referral.reason == HANDED_ON:
            return None
        case ReferralReturned() if referral.urgency == "critical":
            return _pass(event, referral.referral_id, "referral", *here, event.time)
        case ReferralReturned() | ReferralAnswered():
            return _pass(event, referral.referral_id, "referral", *back, event.time)
        case ReferralClosed() | ReferralRevoked():
            return _pass(event, referral.referral_id, "referral", None, None, event.time)
    return None


def _of_case(event: Envelope, case: CaseEvent) -> Pass | None:
    """A case lies with its service's department until it has ended."""
    if case.brings is None:
        return None
    ended = case.brings in ENDED
    department = None if ended else services.BY_NAME[case.service].department
    division = getattr(case, "division", None)
    return _pass(event, case.case_id, "case", department, division, event.time)


def _pass(
    event: Envelope,
    subject: UUID,
    kind: str,
    department: str | None,
    division: str | None,
    at: datetime,
    receipt: str | None = None,
) -> Pass:
    chain: Any = event.data
    return Pass(
        event_id=event.id,
        chain_id=chain.chain_id,
        subject=subject,
        kind=kind,
        type=event.type,
        department=department,
        division=division,
        at=at,
        receipt=receipt,
        classification=event.classification,
    )
