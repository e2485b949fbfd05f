"""Applications as one reads them, projected from their events, and the details that stay at intake."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from onedoor.contracts.core import Classification, Envelope
from onedoor.contracts.events.intake import (
    ApplicationReceived,
    ApplicationSupplemented,
    ApplicationWithdrawn,
)
from onedoor.contracts.plan import Plan
from onedoor.intake.domain.known import Known
from onedoor.intake.domain.protection import reading_class
from onedoor.intake.views.progress import RING, STATE
from onedoor.runtime.service import Connection
from onedoor.runtime.statements import Statement
from onedoor.triage import FieldMark

UPSERT = """
insert into applications (application_id, chain_id, receipt, version, state, kind, channel, urgency,
  protection, place_division, registered_division, divisions, department, received_at, recorded_at,
  late_entry, needs, emergency, subjects, plan, classification)
select row.* from jsonb_to_recordset($1::jsonb) as row (application_id uuid, chain_id uuid, receipt text,
  version int, state text, kind text, channel text, urgency text, protection bool, place_division text,
  registered_division text, divisions text[], department text, received_at timestamptz,
  recorded_at timestamptz, late_entry bool, needs text[], emergency jsonb, subjects jsonb, plan jsonb,
  classification text)
on conflict (application_id) do update
set version = applications.version + excluded.version, state = excluded.state, urgency = excluded.urgency,
  place_division = excluded.place_division, registered_division = excluded.registered_division,
  divisions = array(select distinct unnest(applications.divisions || excluded.divisions)),
  needs = excluded.needs, emergency = excluded.emergency, subjects = excluded.subjects, plan = excluded.plan,
  classification = excluded.classification
"""

WITHDRAW = """
update applications a set version = a.version + row.version, state = 'withdrawn'
from unnest($1::uuid[], $2::int[]) as row (application_id, version)
where a.application_id = row.application_id
"""

COLUMNS = f"""
a.application_id, a.chain_id, a.receipt, a.version, a.kind, a.channel, a.urgency, a.protection,
a.place_division, a.registered_division, a.received_at, a.recorded_at, a.late_entry, a.needs, a.emergency,
a.subjects, a.plan, a.classification, {STATE} as state, {RING} as ring
"""

ONE = f"""
select {COLUMNS}, d.facts_text, d.place, d.contact, d.people, d.claims, d.marks, d.late_entry_reason, d.words
from applications a left join details d using (application_id) where a.application_id = $1
"""  # noqa: S608 - constants only

PAGE = f"""
select {COLUMNS} from applications a
where ($1::timestamptz is null or (a.received_at, a.application_id) < ($1, $2::uuid))
order by a.received_at desc, a.application_id desc limit $3
"""  # noqa: S608 - constants only

KEEP = """
insert into details (application_id, known, facts_text, place, contact, people, claims, marks,
                     late_entry_reason, parted, classification)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""

STANDING = """
select a.application_id, a.chain_id, a.version, a.state, a.protection, a.plan, d.known, d.parted
from applications a join details d using (application_id)
where a.application_id = any ($1) order by a.application_id for update
"""

KNOW_MORE = """
update details set known = $2, classification = $3, claims = claims || $4::jsonb, marks = marks || $5::jsonb
where application_id = $1
"""

ADD_WORDS = "update details set words = words || $2::jsonb where application_id = $1"


async def project(conn: Connection, events: Sequence[Envelope]) -> None:
    """Write what the events say: the last facts of each application, and how many events it has had."""
    counts = Counter(event.subject for event in events)
    facts = {
        event.subject: event
        for event in events
        if isinstance(event.data, ApplicationReceived | ApplicationSupplemented)
    }
    if facts:
        rows = [_row(event, counts[event.subject]) for event in facts.values()]
        await conn.execute(UPSERT, json.dumps(rows))
    withdrawn = [event.subject for event in events if isinstance(event.data, ApplicationWithdrawn)]
    if withdrawn:
        more = [0 if id_ in facts else counts[id_] for id_ in withdrawn]
        await conn.execute(WITHDRAW, withdrawn, more)


def _row(event: Envelope, count: int) -> dict[str, Any]:
    data = event.data
    assert isinstance(data, ApplicationReceived | ApplicationSupplemented)
    row = data.model_dump(mode="json", by_alias=True)
    actor, minors = event.actor, any(each.minor for each in data.subjects)
    return row | {
        "version": count,
        "state": "received",
        "urgency": _urgency(data.plan),
        "divisions": divisions(data.place_division, data.registered_division, actor.division),
        "department": actor.department,
        "classification": reading_class(minors, data.plan, data.protection),
    }


def divisions(*codes: str | None) -> list[str]:
    """The townships (nine digits) to which these division codes belong, each once."""
    return sorted({code[:9] for code in codes if code})


def _urgency(plan: Plan) -> str:
    found = {each.urgency for each in plan.services} | {each.urgency for each in plan.referrals}
    return next((urgency for urgency in ("critical", "urgent") if urgency in found), "ordinary")


@dataclass(frozen=True, slots=True)
class Details:
    """What stays at intake: prose, addresses, contacts, claims, what could not be read."""

    facts_text: str | None = None
    place: dict[str, Any] = field(default_factory=dict)
    contact: dict[str, Any] = field(default_factory=dict)
    people: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    marks: tuple[FieldMark, ...] = ()
    late_entry_reason: str | None = None


def kept(id_: UUID, known: Known, details: Details, class_: Classification, parted: bool) -> Statement:
    """Stores the details of a new application. parted: its rest travels on the household's chain."""
    return Statement(
        KEEP,
        (
            id_,
            known.model_dump_json(),
            details.facts_text,
            json.dumps(details.place),
            json.dumps(details.contact),
            json.dumps(details.people),
            json.dumps(details.claims),
            _listed(details.marks),
            details.late_entry_reason,
            parted,
            class_,
        ),
    )


def _listed(marks: Iterable[BaseModel]) -> str:
    return json.dumps([mark.model_dump(mode="json") for mark in marks])


@dataclass(frozen=True, slots=True)
class Standing:
    """An application as a supplement finds it."""

    application_id: UUID
    chain_id: UUID
    version: int
    state: str
    protection: bool
    parted: bool
    known: Known
    plan: Plan


async def standing(conn: Connection, *ids: UUID) -> dict[UUID, Standing]:
    """The applications, locked."""
    rows = await conn.fetch(STANDING, ids)
    return {
        row["application_id"]: Standing(
            application_id=row["application_id"],
            chain_id=row["chain_id"],
            version=row["version"],
            state=row["state"],
            protection=row["protection"],
            parted=row["parted"],
            known=Known.model_validate_json(row["known"]),
            plan=Plan.model_validate_json(row["plan"]),
        )
        for row in rows
    }


def known_more(id_: UUID, known: Known, class_: Classification, more: Details) -> Statement:
    """Keeps what is known now of a standing application, with new claims and marks."""
    claims, marks = json.dumps(more.claims), _listed(more.marks)
    return Statement(KNOW_MORE, (id_, known.model_dump_json(), class_, claims, marks))


async def add_words(conn: Connection, id_: UUID, at: datetime, by: str, kind: str, words: str) -> None:
    """Keep further prose: who wrote it, when, on which occasion (supplement, withdrawal)."""
    entry = {"at": at.isoformat(), "by": by, "kind": kind, "text": words}
    await conn.execute(ADD_WORDS, id_, json.dumps([entry]))


async def one(conn: Connection, id_: UUID) -> asyncpg.Record | None:
    """An application with its details, if the connection may see it."""
    return await conn.fetchrow(ONE, id_)


async def page(conn: Connection, after: tuple[datetime, UUID] | None, limit: int) -> list[asyncpg.Record]:
    """The newest applications that the connection may see, before `after`; one more than `limit`."""
    moment, id_ = after or (None, None)
    return list(await conn.fetch(PAGE, moment, id_, limit + 1))
