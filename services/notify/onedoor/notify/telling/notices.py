"""Notices: what somebody has to be told, decided in the transaction of the event that gives cause for it.

A batch notes only the last step of each clock: after a jump of the clock nobody is told of every missed one.
What has ended within the batch is not told at all.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from onedoor.contracts.core import Envelope, Event
from onedoor.contracts.events.notify import (
    AlertAcknowledged,
    AlertEscalated,
    ClockBreached,
    ClockCancelled,
    ClockCorrected,
    ClockEvent,
    ClockMet,
    ClockRecomputed,
    ClockRescheduled,
    ClockResumed,
    ClockWarned,
    RingAsked,
    RingRecorded,
)
from onedoor.contracts.events.operations import LetterSetAside
from onedoor.notify.domain import duties
from onedoor.notify.domain.ring import RingDropped, ring_id
from onedoor.notify.telling.wake import wake
from onedoor.runtime.service import Connection

TELL_CHANNEL = "onedoor_tell_notify"

HOTLINE, BUREAU, OPERATIONS = "hotline-12345", "civil-affairs", "operations"
HANDLER = "handler"
"""Whoever sees to the matter: whom a warning and a breach reach, before any step of the ladder."""

KINDS: Mapping[type[Event], str] = {
    ClockWarned: "warned",
    ClockBreached: "breached",
    AlertEscalated: "escalated",
}
"""The events that are alerts, and the kinds of notice that they are."""

_ENDINGS = (ClockMet, ClockCancelled, ClockCorrected, ClockRescheduled)


class Noted(NamedTuple):
    """A notice about a clock as it is written; the rest stands in the clock's row."""

    id: UUID
    kind: str
    subject: UUID
    step: int
    at: datetime
    function: str


def inserted(noted: str, clocks: str) -> str:
    """The statement that writes the rows of `noted` (as `Noted`) about the rows of `clocks`.

    Bureau and leadership are reached as such, by every other step the owner's own people.
    """
    return f"""
  insert into notices (id, kind, subject, step, at, function, role, department, division, critical, chain_id,
                       referral_id, owner, duty, due_at, child, classification)
  select n.id, n.kind, n.subject, n.step, n.at, n.function,
         case n.function when 'coordinating-bureau' then 'district' when 'leadership' then 'leader'
                         when 'unit-head' then 'unit-head' end,
         case n.function when 'coordinating-bureau' then '{BUREAU}' when 'leadership' then null
                         else c.owner end,
         case when n.function not in ('coordinating-bureau', 'leadership') then c.owner_division end,
         c.urgency is not distinct from 'critical', c.chain_id, c.referral_id, c.owner, c.duty, c.due_at,
         c.child, 'internal'
  from {noted} n join {clocks} c on c.id = n.subject
  where not c.late_entry
  returning 1
"""  # noqa: S608 - own names


_ROWS = """
(select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::timestamptz[], $6::text[])
 as n (id, kind, subject, step, at, function))
"""
_NOTE = f"""
with noted as ({inserted(_ROWS, "clocks")})
select pg_notify('{TELL_CHANNEL}', '') from noted limit 1
"""  # noqa: S608
_END = """
update notices set ended_at = ended.at
from unnest($1::uuid[], $2::timestamptz[]) as ended (subject, at)
where notices.subject = ended.subject and notices.ended_at is null
"""
_MOVE = """
update notices set due_at = moved.due_at
from unnest($1::uuid[], $2::timestamptz[]) as moved (subject, due_at)
where notices.subject = moved.subject and notices.ended_at is null
"""
_ACKNOWLEDGE = """
update notices set acknowledged_by = heard.person, acknowledged_at = heard.at
from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as heard (subject, person, at)
where notices.subject = heard.subject and notices.acknowledged_at is null and notices.ended_at is null
"""
_NOTE_RING = """
insert into notices (id, kind, subject, step, at, function, role, department, critical, chain_id, referral_id,
                     owner, duty, due_at, child, classification)
select $1, 'ring', $2, 0, $3, 'duty-person', 'hotline', $4, true, $5, $6, $7, 'ack',
       (select due_at from clocks where clocks.referral_id = $6 and duty = 'ack'), $8, 'internal'
on conflict (id) do nothing
"""


async def note(conn: Connection, events: Sequence[Envelope]) -> None:
    """Write the notices that these events give cause for, and end those whose cause has ended."""
    noted: dict[UUID, Noted] = {}
    ended: dict[UUID, datetime] = {}
    heard: dict[UUID, tuple[str, datetime]] = {}
    moved: dict[UUID, datetime] = {}
    rings: list[Envelope] = []
    for event in events:
        data = event.data
        if isinstance(data, ClockEvent):
            if (notice := _noted(event, data)) is not None:
                noted[data.clock_id] = notice
            elif isinstance(data, _ENDINGS) or _warns_anew(data):
                noted.pop(data.clock_id, None)
                ended[data.clock_id] = event.time
            elif isinstance(data, ClockResumed | ClockRecomputed):
                moved[data.clock_id] = data.due_at
            elif isinstance(data, AlertAcknowledged):
                heard[data.clock_id] = (data.person, data.acknowledged_at)
        elif isinstance(data, RingAsked):
            rings.append(event)
        elif isinstance(data, RingDropped) or (isinstance(data, RingRecorded) and data.outcome == "reached"):
            ended[ring_id(data.referral_id)] = event.time
    await _write(conn, noted, ended, heard)
    if moved:
        await conn.execute(_MOVE, list(moved), list(moved.values()))
    for event in rings:
        await _note_ring(conn, event)


def _warns_anew(data: ClockEvent) -> bool:
    """Recomputed to a later day whose warning is still to come."""
    return isinstance(data, ClockRecomputed) and data.warn_at > data.recomputed_at


def _noted(event: Envelope, data: ClockEvent) -> Noted | None:
    told = addressed(data)
    return (
        None
        if told is None
        else Noted(event.id, KINDS[type(data)], data.clock_id, told[1], event.time, told[0])
    )


def addressed(event: Event) -> tuple[str, int] | None:
    """Which function a notice of this event reaches, at which step of the ladder; None: there is none."""
    if not isinstance(event, ClockWarned | ClockBreached | AlertEscalated):
        return None
    duty = duties.duty(event.duty)
    if not duty.chased or duty.keep:
        return None
    return (event.to, event.step) if isinstance(event, AlertEscalated) else (HANDLER, 0)


async def _write(
    conn: Connection,
    noted: Mapping[UUID, Noted],
    ended: Mapping[UUID, datetime],
    heard: Mapping[UUID, tuple[str, datetime]],
) -> None:
    if ended:
        await conn.execute(_END, list(ended), list(ended.values()))
    if heard:
        people, moments = zip(*heard.values(), strict=True)
        await conn.execute(_ACKNOWLEDGE, list(heard), list(people), list(moments))
    if noted:
        await conn.execute(_NOTE, *map(list, zip(*noted.values(), strict=True)))


async def _note_ring(conn: Connection, event: Envelope) -> None:
    data: Any = event.data
    task = ring_id(data.referral_id)
    await conn.execute(
        _NOTE_RING, event.id, task, event.time, HOTLINE, data.chain_id, data.referral_id, data.to, data.child
    )
    await wake(conn, TELL_CHANNEL)


_NOTE_LETTER = """
insert into notices (id, kind, subject, step, at, function, role, critical, service, child, classification)
values ($1, $2, $1, 0, $3, 'duty-person', 'ops', true, $4, $5, 'internal')
on conflict (id) do nothing
"""


async def note_letter(
    conn: Connection, letter: UUID, kind: str, at: datetime, service: str, child: bool
) -> None:
    """A dead letter that somebody has to look at at once (`alarm_letter`, `parked_child`)."""
    done = await conn.execute(_NOTE_LETTER, letter, kind, at, service, child)
    if done.endswith(" 1"):
        await wake(conn, TELL_CHANNEL)


async def note_letters(conn: Connection, events: Sequence[Envelope]) -> None:
    """Other services' letters, as they tell of them."""
    for event in events:
        match event.data:
            case LetterSetAside() as letter:
                kind = "alarm_letter" if letter.alarm else "parked_child"
                at = letter.set_aside_at.astimezone(UTC)
                await note_letter(conn, letter.letter_id, kind, at, letter.service, letter.child)


_LIST = """
select n.*, s.at as seen_at,
  (select json_agg(json_build_object('person', t.person, 'name', t.name, 'function', t.function)
                   order by t.person)
   from tellings t where t.notice_id = n.id) as told
from notices n left join seen s on s.notice_id = n.id and s.person = $1
where ($2::boolean is null or (n.ended_at is null) = $2)
  and ($3::timestamptz is null or (n.at, n.id) < ($3, $4::uuid))
  and n.state <> 'passed_over'
order by n.at desc, n.id desc limit $5
"""
_ONE = "select * from notices where id = $1"
_COUNT = """
select count(*) filter (where n.critical and n.acknowledged_at is null) as critical, count(*) as unseen
from notices n
where n.ended_at is null and n.state <> 'passed_over'
  and (n.critical and n.acknowledged_at is null
       or not exists (select from seen s where s.notice_id = n.id and s.person = $1))
"""
_SEE = """
insert into seen (notice_id, person, at, classification)
select id, $2, $3, 'internal' from unnest($1::uuid[]) as n (id)
on conflict do nothing
"""
_WAYS = """
select d.id, d.person, d.channel, d.state, d.attempts, d.settled_at, d.not_before, d.error, d.notices,
       d.unwritten
from deliveries d where d.notices && $1::uuid[] order by d.decided_at, d.id
"""


async def listed(
    conn: Connection, person: str, opened: bool | None, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[asyncpg.Record]:
    """Notices that the connection may see, newest first, with who was told; `opened`: only those still so."""
    at, id_ = after or (None, None)
    return await conn.fetch(_LIST, person, opened, at, id_, limit)


async def one(conn: Connection, id_: UUID) -> asyncpg.Record | None:
    """A notice, if the connection may see it."""
    return await conn.fetchrow(_ONE, id_)


async def waiting(conn: Connection, person: str) -> asyncpg.Record | None:
    """How many open notices the person has not seen (or, critical, nobody has acknowledged): counts."""
    return await conn.fetchrow(_COUNT, person)


async def see(conn: Connection, ids: Sequence[UUID], person: str, at: datetime) -> None:
    """The person has seen these notices."""
    await conn.execute(_SEE, list(ids), person, at)


async def ways(conn: Connection, ids: Sequence[UUID]) -> Sequence[asyncpg.Record]:
    """By which ways these notices went out, and what became of it."""
    return await conn.fetch(_WAYS, list(ids))
