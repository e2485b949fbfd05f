"""Accounts: one per proceeding, with what its decisions owe. Written from the case's events, in sets.

A child's account is restricted, not child: whoever pays must see the sum and the payee, and nothing of the
protection stands here.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from uuid import UUID

import asyncpg

from onedoor.assistance.payments.schedule import Decided, Span, month_number, schedule
from onedoor.calendar import local
from onedoor.contracts.core import Classification, Envelope
from onedoor.contracts.events.assistance import (
    CaseSuspended,
    Determined,
    JurisdictionChanged,
    ProceedingEnded,
    ProceedingEvent,
    SuspicionCleared,
)
from onedoor.runtime.service import Connection

_OPEN = """
insert into accounts (proceeding_id, case_id, application_id, chain_id, programme, person_id, division,
                      changed_at, suspended, paid_fen, classification)
select row.proceeding_id, row.case_id, row.application_id, row.chain_id, row.programme, row.person_id,
       cases.division, row.at, false, 0, row.classification
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::timestamptz[],
            $8::text[])
     as row (proceeding_id, case_id, application_id, chain_id, programme, person_id, at, classification)
left join cases on cases.id = row.case_id
on conflict (proceeding_id) do update
set changed_at = greatest(accounts.changed_at, excluded.changed_at), classification = excluded.classification
"""
_PEOPLE = """
insert into account_people (proceeding_id, person_id)
select proceeding_id, coalesce(accounts.person_id, people.value::uuid)
from accounts
left join lateral (
  select value from cases, jsonb_each_text(cases.body #> '{household,people}')
  where cases.id = accounts.case_id and accounts.person_id is null
) as people on true
where proceeding_id = any($1::uuid[]) and coalesce(accounts.person_id, people.value::uuid) is not null
on conflict do nothing
"""
_FORGET_PEOPLE = "delete from account_people where proceeding_id = any($1::uuid[])"
_KNOWN = "select proceeding_id from accounts where proceeding_id = any($1::uuid[])"
_DECIDE = """
insert into decisions (decision_id, proceeding_id, kind, per, amount_fen, first_month, last_month, at)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::int[], $7::int[],
                     $8::timestamptz[])
on conflict (decision_id) do nothing
"""
_DECISIONS = """
select proceeding_id, decision_id, kind, per, amount_fen, first_month as first, last_month as last
from decisions where proceeding_id = any($1::uuid[]) order by proceeding_id, at, position
"""
_CLEAR = "delete from spans where proceeding_id = any($1::uuid[])"
_SPAN = """
insert into spans (proceeding_id, decision_id, first_month, last_month, amount_fen)
select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::bigint[])
"""
_SUSPEND = """
update accounts set suspended = $2, changed_at = greatest(changed_at, $3) where proceeding_id = $1
"""
_MOVE = """
update accounts set division = $2, changed_at = greatest(changed_at, $3) where case_id = $1
"""


async def record(conn: Connection, events: Sequence[Envelope]) -> None:
    """Bring the accounts to what these new events of cases say; events that pay nothing are let by.

    In one transaction with the events themselves: no decision is without its account.
    """
    told = [event for event in events if isinstance(event.data, ProceedingEvent)]
    paid = await _with_accounts(conn, told)
    decided = [event for event in told if _decision(event) is not None and _is_paid(event, paid)]
    if decided:
        await _open(conn, decided)
        await _decide(conn, decided)
    for event in told:
        match event.data:
            case CaseSuspended(proceeding_id=id_, at=at):
                await conn.execute(_SUSPEND, id_, True, at)
            case SuspicionCleared(proceeding_id=id_, at=at):
                await conn.execute(_SUSPEND, id_, False, at)
            case JurisdictionChanged(case_id=id_, at=at, to_division=division):
                await conn.execute(_MOVE, id_, division, at)


async def _with_accounts(conn: Connection, told: Sequence[Envelope]) -> frozenset[UUID]:
    """The proceedings of these events that have been granted something, before or just now."""
    ended = [event.data.proceeding_id for event in told if isinstance(event.data, ProceedingEnded)]
    known = await conn.fetch(_KNOWN, ended) if ended else []
    granted = (event.data.proceeding_id for event in told if isinstance(event.data, Determined))
    return frozenset({*(row["proceeding_id"] for row in known), *granted})


def _is_paid(event: Envelope, paid: frozenset[UUID]) -> bool:
    """An application that ends before anything was granted has no account, and needs none."""
    return isinstance(event.data, Determined) or event.data.proceeding_id in paid  # type: ignore[attr-defined]


def _shown(classification: Classification) -> Classification:
    return "restricted" if classification == "child" else classification


async def _open(conn: Connection, decided: Sequence[Envelope]) -> None:
    rows = {
        event.data.proceeding_id: (
            event.data.proceeding_id, event.data.case_id, event.data.application_id, event.data.chain_id,
            event.data.programme, event.data.person_id, event.data.at, _shown(event.classification),
        )
        for event in decided
        if isinstance(event.data, ProceedingEvent)
    }  # fmt: skip
    await conn.execute(_OPEN, *map(list, zip(*rows.values(), strict=True)))
    await conn.execute(_FORGET_PEOPLE, list(rows))
    await conn.execute(_PEOPLE, list(rows))


async def _decide(conn: Connection, decided: Sequence[Envelope]) -> None:
    """Keep the decisions, and lay the spans of their proceedings anew."""
    rows = [row for event in decided if (row := _decision(event)) is not None]
    await conn.execute(_DECIDE, *map(list, zip(*rows, strict=True)))
    proceedings = sorted({row[1] for row in rows})
    spans = _spans(await conn.fetch(_DECISIONS, proceedings))
    await conn.execute(_CLEAR, proceedings)
    if spans:
        await conn.execute(_SPAN, *map(list, zip(*spans, strict=True)))


def _decision(event: Envelope) -> tuple[UUID, UUID, str, str, int, int, int | None, object] | None:
    """The decision that an event is, as a row. A proceeding that ends owes nothing from the next month on."""
    match event.data:
        case Determined(kind="refuse", first_month=None):
            return None
        case Determined() as told:
            first = month_number(told.first_month or f"{local(told.at):%Y-%m}")
            last = None if told.last_month is None else month_number(told.last_month)
            kind = "stop" if told.kind == "refuse" else told.kind
            return (
                told.decision_id, told.proceeding_id, kind, told.per, told.amount_fen, first, last, told.at,
            )  # fmt: skip
        case ProceedingEnded() as ended:
            after = month_number(f"{local(ended.at):%Y-%m}") + 1
            return (event.id, ended.proceeding_id, "stop", "month", 0, after, None, ended.at)
    return None


def _spans(rows: Iterable[asyncpg.Record]) -> list[tuple[UUID, UUID, int, int | None, int]]:
    found: list[tuple[UUID, UUID, int, int | None, int]] = []
    for proceeding, group in groupby(rows, key=lambda row: row["proceeding_id"]):
        decisions = [Decided(**{name: row[name] for name in Decided.__slots__}) for row in group]
        found.extend((proceeding, *_row(span)) for span in schedule(decisions))
    return found


def _row(span: Span) -> tuple[UUID, int, int | None, int]:
    return (span.decision_id, span.first, span.last, span.amount_fen)
