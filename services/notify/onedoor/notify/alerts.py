"""Alerts: warnings, breaches and steps of the ladder, of many clocks by one statement.

An alert changes its clock, may have to be told to somebody and leads to nothing further. So events, the queue
to the relay, clocks and notices need not wait for each other: one way to PostgreSQL and back for all.
They are the rows that `Unit.record` would write (`tests/integration/test_notify_alerts.py` compares the two).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import NamedTuple
from uuid import UUID

from pydantic_core import to_json
from uuid_utils.compat import uuid7

from onedoor.contracts.core import SYSTEM, Event
from onedoor.contracts.events.notify import CLOCK
from onedoor.notify import views
from onedoor.notify.domain.clock import Clock, Step
from onedoor.notify.telling import notices
from onedoor.runtime import store, tracing
from onedoor.runtime.service import Connection, Saved


class Due(NamedTuple):
    """A clock that is stored at this version, and the steps that it takes from there."""

    id: UUID
    version: int
    steps: Sequence[Step]

    @property
    def at(self) -> datetime:
        """When the first of them is due."""
        return self.steps[0].at

    @property
    def clock(self) -> Clock:
        """The state after the last step."""
        return self.steps[-1].clock

    @property
    def only_alerts(self) -> bool:
        return all(type(event) in notices.KINDS for step in self.steps for event in step.events)


class _Alert(NamedTuple):
    """An event as it goes to the statement; the rest stands in its clock's row.

    function: whom a notice of it reaches (None: there is none), step: at which step of the ladder.
    """

    time: datetime
    clock: UUID
    version: int
    id: UUID
    type: str
    traceparent: str
    function: str | None
    step: int
    event: Event


_VERSIONS = ", ".join(f"('{event.type}', {event.version}, '{kind}')" for event, kind in notices.KINDS.items())

_NOTED = """
(select id, kind, clock as subject, step, time as at, function from alerts where function is not null)
"""
_WRITTEN = f"""
with alerts as (
  select * from rows from (
    unnest($3::timestamptz[], $4::uuid[], $5::int[], $6::uuid[], $7::text[], $8::text[], $9::text[],
           $10::int[]),
    jsonb_array_elements($11::jsonb)
  ) with ordinality
    as alert (time, clock, version, id, type, traceparent, function, step, payload, place)
  join (values {_VERSIONS}) as known (type, eventversion, kind) using (type)
), moved as (
  {{move}}
  returning clocks.*
), appended as (
  {store.INTO_EVENTS}
  select a.id, 'clock', a.clock, a.version, a.type, a.eventversion, a.payload, '{CLOCK}', m.chain_id::text,
         m.classification, '{SYSTEM}', null, a.traceparent, a.time, m.chain_id
  from alerts a join moved m on m.id = a.clock order by a.place
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
_FIRST_OF_CLOCKS = 12


@cache
def _writing(move: str) -> str:
    return _WRITTEN.format(move=move)


async def write(conn: Connection, schema: str, due: Sequence[Due], *, locked: bool) -> int:
    """Write these alerts in the order of their moments; of how many clocks.

    locked: the caller's transaction has claimed the clocks. Else those are left out that somebody else holds,
    and those that are not at their version any more.
    """
    *columns, events = zip(*sorted(_alerts(due)), strict=True)
    move, values = views.moving([_moved(each) for each in due], _FIRST_OF_CLOCKS, locked=locked)
    written: int = await conn.fetchval(
        _writing(move),
        store.pending_channel(schema),
        views.SWEEP_CHANNEL,
        *columns,
        to_json(events).decode(),
        *values,
    )
    return written


def _alerts(due: Iterable[Due]) -> Iterator[_Alert]:
    """All alerts; only the last one of each clock is told, as notices are."""
    here = tracing.current()
    for clock in due:
        version, last = clock.version, clock.steps[-1].events[-1]
        for step in clock.steps:
            traceparent = here or tracing.fresh()
            for event in step.events:
                version += 1
                function, rung = (notices.addressed(event) if event is last else None) or (None, 0)
                yield _Alert(
                    step.at, clock.id, version, uuid7(), event.type, traceparent, function, rung, event
                )


def _moved(due: Due) -> Saved:
    """The clock as it is stored after its steps."""
    events = sum(len(step.events) for step in due.steps)
    return Saved(
        id=due.id,
        state=due.clock,
        version=due.version + events,
        previous=due.version,
        chain_id=due.clock.chain_id,
        classification=due.steps[-1].events[-1].classification(),
    )
