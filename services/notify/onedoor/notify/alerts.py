"""Alerts: warnings, breaches and steps of the ladder, of many clocks by one statement.

An alert changes its clock, may have to be told to somebody and leads to nothing further. So events, the queue
to the relay, clocks and notices need not wait for each other: one way to PostgreSQL and back for all. And
since clocks that stand alike do alike, each sort of step is decided once; of a clock only its moments are
counted, and whatever else an event says of it PostgreSQL takes from its row. They are the rows that
`Unit.record` would write (`tests/integration/test_notify_alerts.py` compares the two).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import NamedTuple
from uuid import UUID

import asyncpg
from uuid_utils import uuid7

from onedoor.contracts.core import SYSTEM, Event
from onedoor.contracts.events.notify import CLOCK, AlertEscalated
from onedoor.notify import views
from onedoor.notify.domain.clock import Course, Standing, course
from onedoor.notify.telling import notices
from onedoor.runtime import store, tracing
from onedoor.runtime.service import Connection


class _Kind(NamedTuple):
    """What alerts have in common, whosever they are.

    step, to: of a step of the ladder; told: whether a notice says it to somebody.
    """

    type: str
    step: int | None
    to: str | None
    told: bool


class _Sort(NamedTuple):
    """A step of clocks that stand alike which gives alerts and nothing else."""

    kinds: Sequence[_Kind]
    course: Course


class Due(NamedTuple):
    """A clock that is stored at this version, its alerts at their moments, and when it goes on."""

    id: UUID
    version: int
    steps: Sequence[tuple[datetime, _Sort]]
    next_at: datetime | None

    @property
    def at(self) -> datetime:
        """When the first of them is due."""
        return self.steps[0][0]


def decided(row: asyncpg.Record, until: datetime) -> Due | None:
    """All steps up to `until` of a clock that stands like this; None where one of them is no alert."""
    if not row["plain"]:
        return None
    standing, at, due_at = views.standing_of(row), row["next_at"], row["due_at"]
    steps: list[tuple[datetime, _Sort]] = []
    while at is not None and at <= until:
        sort = _sort(standing)
        if sort is None:
            return None
        steps.append((at, sort))
        standing, at = sort.course.after, sort.course.next_at(due_at)
    return Due(row["id"], row["version"], steps, at)


@lru_cache(maxsize=4096)
def _sort(standing: Standing) -> _Sort | None:
    found = course(standing)
    if not all(type(event) in notices.KINDS for event in found.events):
        return None
    return _Sort([_kind(event) for event in found.events], found)


def _kind(event: Event) -> _Kind:
    step, to = (event.step, event.to) if isinstance(event, AlertEscalated) else (None, None)
    return _Kind(event.type, step, to, notices.addressed(event) is not None)


_TYPES = ", ".join(f"('{event.type}', {event.version}, '{kind}')" for event, kind in notices.KINDS.items())

_CLOCK: Mapping[str, str] = {
    "id": "uuid",
    "previous": "int",
    "alerts": "int",
    "state": "text",
    "step": "int",
    "next_at": "timestamptz",
}
"""previous: its version so far; alerts: how many it gives; the rest: how it stands afterwards."""
_ALERT: Mapping[str, str] = {
    "id": "uuid",
    "clock": "uuid",
    "version": "int",
    "time": "timestamptz",
    "traceparent": "text",
    "type": "text",
    "step": "int",
    "to": "text",
    "told": "boolean",
}
"""version: to which it brings its clock; the last four as in `_Kind`."""


def _given(columns: Mapping[str, str], first: int, one: bool) -> str:
    """The rows that are given from this parameter on: arrays of their columns, or the values of one row.

    For the one row PostgreSQL has a shorter plan, and values are sent and read faster than arrays.
    """
    given = [
        (f"${place}::{type_}", f'"{name}"') for place, (name, type_) in enumerate(columns.items(), first)
    ]
    if one:
        return "select " + ", ".join(f"{value} as {name}" for value, name in given)
    arrays = ", ".join(f"{value}[]" for value, _ in given)
    names = ", ".join(name for _, name in given)
    return f"select * from unnest({arrays}) as given ({names})"  # noqa: S608 - own names


_FREE = """
select told.* from ({told}) as told join clocks on clocks.id = told.id and clocks.version = told.previous
for update of clocks skip locked
"""
_OWN = """
'child', a.child, 'sealed', a.sealed, 'clock_id', a.clock, 'chain_id', a.chain_id, 'duty', a.duty,
'subject', a.subject, 'owner', a.owner, 'owner_division', a.owner_division, 'referral_id', a.referral_id
"""
"""What every event of a clock says: its fields as `identity` gives them."""


def _moment(column: str) -> str:
    """A moment as events write it."""
    text = f"""to_char({column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    return f"replace({text}, '.000000Z', 'Z')"


_NOTED = f"""
(select id, kind, clock as subject, coalesce(step, 0) as step, time as at,
        coalesce("to", '{notices.HANDLER}') as function
 from alerts where told and version = last)
"""  # noqa: S608 - own names
"""Only the last alert of each clock is told, as notices are."""


_ANEW = "(clocks.state <> 'breached' and told.state = 'breached')"
"""In this row of the update the clock is breached, and was not before."""


@cache
def _writing(schema: str, locked: bool, one: bool) -> str:
    told, alerts = _given(_CLOCK, 1, one), _given(_ALERT, len(_CLOCK) + 1, one)
    if not locked:
        told = _FREE.format(told=told)
    return f"""
with moved as (
  update clocks
  set state = told.state, step = told.step, next_at = told.next_at, version = clocks.version + told.alerts,
      breached_at = case when {_ANEW} then clocks.due_at else clocks.breached_at end,
      acknowledged_by = case when not {_ANEW} then clocks.acknowledged_by end,
      acknowledged_at = case when not {_ANEW} then clocks.acknowledged_at end
  from ({told}) as told where clocks.id = told.id
  returning clocks.id, clocks.version, chain_id, duty, subject, owner, owner_division, referral_id, child,
            sealed, due_at, urgency, late_entry, classification
), alerts as (
  select a.id, a.clock, a.version, a.time, a.traceparent, a.step, a."to", a.told, t.*, m.version as last,
         m.child, m.sealed, m.chain_id, m.duty, m.subject, m.owner, m.owner_division, m.referral_id, m.due_at,
         m.classification
  from ({alerts}) as a
  join (values {_TYPES}) as t (type, eventversion, kind) using (type)
  join moved m on m.id = a.clock
), appended as (
  {store.INTO_EVENTS}
  select a.id, 'clock', a.clock, a.version, a.type, a.eventversion,
         case when a.step is null then jsonb_build_object({_OWN}, 'due_at', {_moment("a.due_at")})
              else jsonb_build_object({_OWN}, 'step', a.step, 'to', a."to", 'at', {_moment("a.time")}) end,
         '{CLOCK}', a.chain_id::text, a.classification, '{SYSTEM}', null, a.traceparent, a.time, a.chain_id
  from alerts a order by a.time, a.clock, a.version
  returning position, topic
), queued as (
  {store.QUEUE}
), noted as (
  {notices.inserted(_NOTED, "moved")}
)
select count(*),
  (select pg_notify('{store.pending_channel(schema)}', '') from queued limit 1),
  (select pg_notify('{notices.TELL_CHANNEL}', '') from noted limit 1)
from moved
"""  # noqa: S608 - own names


async def write(conn: Connection, schema: str, due: Sequence[Due], *, locked: bool) -> int:
    """Write these alerts in the order of their moments; of how many clocks.

    locked: the caller's transaction has claimed the clocks. Else those are left out that somebody else holds,
    and those that are not at their version any more. No other sweep is woken: each looks a second ahead, and
    whoever writes looks at what follows from it.
    """
    here = tracing.current()
    clocks, alerts = [], []
    for id_, version, steps, next_at in due:
        reached = version
        for at, sort in steps:
            traceparent = here or tracing.fresh()
            for kind in sort.kinds:
                reached += 1
                alerts.append((uuid7(), id_, reached, at, traceparent, *kind))
        after = steps[-1][1].course.after
        clocks.append((id_, version, reached - version, after.state, after.step, next_at))
    one = len(alerts) == 1
    values = (*clocks[0], *alerts[0]) if one else (*zip(*clocks, strict=True), *zip(*alerts, strict=True))
    written: int = await conn.fetchval(_writing(schema, locked, one), *values)
    return written
