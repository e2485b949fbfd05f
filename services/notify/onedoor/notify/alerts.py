"""Alerts: warnings, breaches and steps of the ladder, of many clocks by one statement.

An alert changes its clock, may have to be told to somebody and leads to nothing further. So events, the queue
to the relay, clocks and notices need not wait for each other: one way to PostgreSQL and back for all. And
since clocks that stand alike do alike, each sort of step is decided once; of a clock only its moments are
counted, and whatever else an event says of it PostgreSQL takes from its row. They are the rows that
`Unit.record` would write (`tests/integration/test_notify_alerts.py` compares the two).
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from onedoor.contracts.core import SYSTEM
from onedoor.contracts.events.notify import CLOCK, AlertEscalated, ClockBreached
from onedoor.notify import views
from onedoor.notify.domain.clock import Course, Standing, course
from onedoor.notify.telling import notices
from onedoor.runtime import store, tracing
from onedoor.runtime.service import Connection


class _Kind(NamedTuple):
    """What alerts have in common, whosever they are.

    step, to: of a step of the ladder; function: whom a notice of it reaches (None: there is none), rung: at
    which step.
    """

    type: str
    eventversion: int
    kind: str
    step: int | None
    to: str | None
    function: str | None
    rung: int


class _Sort(NamedTuple):
    """A step of clocks that stand alike which gives alerts and nothing else."""

    kinds: Sequence[_Kind]
    breached: bool
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
    kinds: list[_Kind] = []
    for event in found.events:
        kind = notices.KINDS.get(type(event))
        if kind is None:
            return None
        step, to = (event.step, event.to) if isinstance(event, AlertEscalated) else (None, None)
        function, rung = notices.addressed(event) or (None, 0)
        kinds.append(_Kind(event.type, event.version, kind, step, to, function, rung))
    return _Sort(kinds, any(isinstance(event, ClockBreached) for event in found.events), found)


_CLOCKS = """
unnest($3::uuid[], $4::int[], $5::int[], $6::text[], $7::int[], $8::boolean[], $9::timestamptz[])
  as told (id, previous, alerts, state, step, breached, next_at)
"""
_FREE = f"""
(select told.* from {_CLOCKS} join clocks on clocks.id = told.id and clocks.version = told.previous
 for update of clocks skip locked) as told
"""  # noqa: S608 - own names
_OWN = """
'child', a.child, 'sealed', a.sealed, 'clock_id', a.clock, 'chain_id', a.chain_id, 'duty', a.duty,
'subject', a.subject, 'owner', a.owner, 'owner_division', a.owner_division, 'referral_id', a.referral_id
"""
"""What every event of a clock says: its fields as `identity` gives them."""


def _moment(column: str) -> str:
    """A moment as events write it."""
    text = f"""to_char({column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    return f"replace({text}, '.000000Z', 'Z')"


_NOTED = """
(select id, kind, clock as subject, rung as step, time as at, function from alerts
 where function is not null and version = last)
"""
"""Only the last alert of each clock is told, as notices are."""


def _writing(clocks: str) -> str:
    return f"""
with moved as (
  update clocks
  set state = told.state, step = told.step, next_at = told.next_at, version = clocks.version + told.alerts,
      breached_at = case when told.breached then clocks.due_at else clocks.breached_at end,
      acknowledged_by = case when not told.breached then clocks.acknowledged_by end,
      acknowledged_at = case when not told.breached then clocks.acknowledged_at end
  from {clocks} where clocks.id = told.id
  returning clocks.*
), alerts as (
  select a.id, a.clock, a.version, a.time, a.traceparent, k.*, m.version as last, m.child, m.sealed,
         m.chain_id, m.duty, m.subject, m.owner, m.owner_division, m.referral_id, m.due_at, m.classification
  from unnest($10::uuid[], $11::uuid[], $12::int[], $13::timestamptz[], $14::text[], $15::int[])
    as a (id, clock, version, time, traceparent, kind)
  join unnest($16::text[], $17::int[], $18::text[], $19::int[], $20::text[], $21::text[], $22::int[])
    with ordinality as k (type, eventversion, kind, step, "to", function, rung, number) on k.number = a.kind
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
  (select pg_notify($1, '') from queued limit 1),
  (select pg_notify($2, '') from moved where next_at is not null limit 1),
  (select pg_notify('{notices.TELL_CHANNEL}', '') from noted limit 1)
from moved
"""  # noqa: S608 - own names


_WRITE, _WRITE_FREE = _writing(_CLOCKS), _writing(_FREE)


async def write(conn: Connection, schema: str, due: Sequence[Due], *, locked: bool) -> int:
    """Write these alerts in the order of their moments; of how many clocks.

    locked: the caller's transaction has claimed the clocks. Else those are left out that somebody else holds,
    and those that are not at their version any more.
    """
    here = tracing.current()
    kinds: dict[_Kind, int] = {}
    clocks, alerts = [], []
    for id_, version, steps, next_at in due:
        reached, breached = version, False
        for at, sort in steps:
            traceparent = here or tracing.fresh()
            breached = breached or sort.breached
            for kind in sort.kinds:
                reached += 1
                number = kinds.setdefault(kind, len(kinds) + 1)
                alerts.append((uuid7(), id_, reached, at, traceparent, number))
        after = steps[-1][1].course.after
        clocks.append((id_, version, reached - version, after.state, after.step, breached, next_at))
    written: int = await conn.fetchval(
        _WRITE if locked else _WRITE_FREE,
        store.pending_channel(schema),
        views.SWEEP_CHANNEL,
        *zip(*clocks, strict=True),
        *zip(*alerts, strict=True),
        *zip(*kinds, strict=True),
    )
    return written
