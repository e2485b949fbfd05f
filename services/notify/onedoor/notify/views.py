"""notify's own tables: clocks and referrals (they are the folded states), and the words that never travel."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter
from uuid_utils.compat import uuid7

from onedoor.contracts.core import Actor, trusted
from onedoor.notify.domain.clock import Clock, End, Recount, Standing, Standstill
from onedoor.notify.domain.ladder import ladder_of
from onedoor.notify.domain.referral import Referral
from onedoor.runtime.service import Connection, Saved

SWEEP_CHANNEL = "onedoor_sweep_notify"


def _upsert(table: str, columns: Mapping[str, str]) -> str:
    names = [f'"{name}"' for name in columns]
    arrays = ", ".join(f"${i}::{type_}[]" for i, type_ in enumerate(columns.values(), 1))
    sets = ", ".join(f"{name} = excluded.{name}" for name in names if name != '"id"')
    return (
        f"insert into {table} ({', '.join(names)}) select * from unnest({arrays}) "  # noqa: S608 - own names
        f"on conflict (id) do update set {sets}"
    )


_CLOCK_COLUMNS: Mapping[str, str] = {
    "id": "uuid",
    "chain_id": "uuid",
    "duty": "text",
    "subject": "uuid",
    "owner": "text",
    "owner_division": "text",
    "referral_id": "uuid",
    "child": "boolean",
    "sealed": "boolean",
    "state": "text",
    "started_at": "timestamptz",
    "limit": "text",
    "due_at": "timestamptz",
    "warn_at": "timestamptz",
    "next_at": "timestamptz",
    "provisional": "boolean",
    "source": "text",
    "certainty": "text",
    "urgency": "text",
    "late_entry": "boolean",
    "pauses": "jsonb",
    "extended": "text",
    "step": "integer",
    "round": "integer",
    "ending": "text",
    "ended_at": "timestamptz",
    "end_reason": "text",
    "breached_at": "timestamptz",
    "late_seconds": "integer",
    "acknowledged_by": "text",
    "acknowledged_at": "timestamptz",
    "policy": "text",
    "calendar": "integer",
    "yields_to": "text",
    "beside_due": "timestamptz",
    "recounts": "jsonb",
    "version": "integer",
    "classification": "text",
}
_PAUSES = TypeAdapter(tuple[Standstill, ...])
_RECOUNTS = TypeAdapter(tuple[Recount, ...])
_NONE = "[]"

_COLUMNS_OF = {
    "clock_id": ("id",),
    "end": ("ending", "ended_at", "end_reason"),
    "child": ("child", "classification"),
    "sealed": ("sealed", "classification"),
}
"""Where a field of the state is not just the column of its name."""
_ALWAYS = {"id", "version"}


def _waking(statement: str) -> str:
    """A statement that writes clocks and wakes the sweep with it, unless none of them has a further step."""
    return (
        f"with written as ({statement} returning clocks.next_at) "  # noqa: S608 - own names
        f"select pg_notify('{SWEEP_CHANNEL}', '') from written where next_at is not null limit 1"
    )


_SAVE_CLOCKS = _waking(_upsert("clocks", _CLOCK_COLUMNS))


@cache
def _update(columns: tuple[str, ...]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    arrays = ", ".join(f"${i}::{_CLOCK_COLUMNS[name]}[]" for i, name in enumerate(columns, 1))
    sets = ", ".join(f'"{name}" = new."{name}"' for name in columns if name != "id")
    return (
        f"update clocks set {sets} from unnest({arrays}) as new ({names}) "  # noqa: S608 - own names
        "where clocks.id = new.id"
    )


_LOAD_CLOCKS = "select * from clocks where id = any($1::uuid[]) order by id for update"
# An array made once, so that the scan stays the index's whatever the planner believes of the small table.
_NOT_STUCK = "id <> all (array(select stuck.id from stuck join clocks using (id, version)))"
_STANDING = """
select id, version, next_at, due_at, started_at, state, duty, policy, owner, urgency, late_entry, yields_to,
       step, acknowledged_at is not null as heard,
       state <> 'paused' and pauses = '[]' and recounts = '[]' as plain
from clocks
"""
_CLAIM = f"""
{_STANDING} where next_at <= $1 and {_NOT_STUCK}
order by next_at, id limit $2 for update skip locked
"""
_DUE = f"""
select id, version from clocks where next_at <= $1 and {_NOT_STUCK} order by next_at, id limit $2
"""  # noqa: S608
_UPCOMING = f"{_STANDING} where next_at <= $1 and {_NOT_STUCK} order by next_at, id limit $2"
_CLAIM_ONE = """
select * from clocks where id = $1 and version = $2 and next_at <= $3 for update skip locked
"""
_OUTLOOK = f"""
select
  (select next_at from clocks where next_at is not null and {_NOT_STUCK} order by next_at, id limit 1),
  (select count(*) from stuck join clocks using (id, version)) as stuck
"""  # noqa: S608


_OTHER: Mapping[str, Callable[[Saved, Any], Any]] = {
    "id": lambda saved, _: saved.id,
    "pauses": lambda _, clock: _PAUSES.dump_json(clock.pauses).decode() if clock.pauses else _NONE,
    "recounts": lambda _, clock: _RECOUNTS.dump_json(clock.recounts).decode() if clock.recounts else _NONE,
    "ending": lambda _, clock: clock.end and clock.end.ending,
    "ended_at": lambda _, clock: clock.end and clock.end.at,
    "end_reason": lambda _, clock: clock.end and clock.end.reason,
    "version": lambda saved, _: saved.version,
    "classification": lambda saved, _: saved.classification,
}
"""Columns that are not a field of the state as it is."""


def _column(name: str, rows: Sequence[Saved]) -> list[Any]:
    if other := _OTHER.get(name):
        return [other(row, row.state) for row in rows]
    return list(map(attrgetter(f"state.{name}"), rows))


def _changed(rows: Sequence[Saved]) -> tuple[str, ...]:
    """The columns that events have changed in any of these clocks since they were read."""
    fields = set().union(*(row.state.model_fields_set for row in rows))
    columns = _ALWAYS.union(*(_COLUMNS_OF.get(field, (field,)) for field in fields))
    return tuple(name for name in _CLOCK_COLUMNS if name in columns)


_FIELDS = tuple(name for name in Clock.model_fields if name in _CLOCK_COLUMNS)
"""Those that are a column as it is."""
_READ = itemgetter(*_FIELDS)


def clock_of(row: asyncpg.Record) -> Clock:
    """The state that a row of `clocks` is. Its `model_fields_set` is what events will change from here on."""
    values: dict[str, Any] = dict(zip(_FIELDS, _READ(row), strict=True))
    values["clock_id"] = row["id"]
    values["end"] = None
    values["pauses"] = _PAUSES.validate_json(row["pauses"]) if row["pauses"] != _NONE else ()
    values["recounts"] = _RECOUNTS.validate_json(row["recounts"]) if row["recounts"] != _NONE else ()
    if row["ending"] is not None:
        values["end"] = End(ending=row["ending"], at=row["ended_at"], reason=row["end_reason"])
    return trusted(Clock, values, set())


class ClockStore:
    """The clock's state is the deadline row; there is no second copy."""

    async def load(self, conn: Connection, ids: Sequence[UUID]) -> Mapping[UUID, tuple[Clock, int]]:
        rows = await conn.fetch(_LOAD_CLOCKS, ids)
        return {row["id"]: (clock_of(row), row["version"]) for row in rows}

    async def save(self, conn: Connection, rows: Sequence[Saved]) -> None:
        """A new clock as a whole, of one that was there what has changed."""
        new = [row for row in rows if row.previous == 0]
        known = [row for row in rows if row.previous > 0]
        if new:
            await conn.execute(_SAVE_CLOCKS, *(_column(name, new) for name in _CLOCK_COLUMNS))
        if known:
            columns = _changed(known)
            await conn.execute(_waking(_update(columns)), *(_column(name, known) for name in columns))


CLOCKS = ClockStore()


async def claim(conn: Connection, now: datetime, limit: int) -> Sequence[asyncpg.Record]:
    """How the clocks stand that have a step due at `now`, the longest due first, locked.

    Those that others hold are skipped. plain: whether nothing but the row's other columns says what it does
    next; the rest has to be loaded whole.
    """
    return await conn.fetch(_CLAIM, now, limit)


_READ_STANDING = itemgetter(*Standing._fields[:-1])


def standing_of(row: asyncpg.Record) -> Standing:
    """What the next step of a plain clock depends on."""
    return Standing._make((*_READ_STANDING(row), ladder_of(row["started_at"]).since))


async def due(conn: Connection, now: datetime, limit: int) -> Sequence[tuple[UUID, int]]:
    """Id and version of the clocks that `claim` would give, not locked and not read: none can fail."""
    return [(row["id"], row["version"]) for row in await conn.fetch(_DUE, now, limit)]


async def upcoming(conn: Connection, until: datetime, limit: int) -> Sequence[asyncpg.Record]:
    """How the clocks stand that have a step up to `until`, the first due first, not locked."""
    return await conn.fetch(_UPCOMING, until, limit)


async def claim_one(conn: Connection, id_: UUID, version: int, now: datetime) -> Clock | None:
    """The clock, locked, stuck or not; None where others hold it or nothing of this version is due."""
    row = await conn.fetchrow(_CLAIM_ONE, id_, version, now)
    return None if row is None else clock_of(row)


class Outlook(NamedTuple):
    """When the next step of any clock falls due, but for those set aside, and how many those are."""

    next_at: datetime | None
    stuck: int


async def outlook(conn: Connection) -> Outlook:
    """What lies ahead of the sweep."""
    row: Any = await conn.fetchrow(_OUTLOOK)
    return Outlook(*row)


_COUNTED = "calendar is not null and state in ('running', 'warned', 'paused')"
_OUTDATED = f"""
select id from clocks where {_COUNTED} and calendar < $1 order by calendar, id limit $2
for update skip locked
"""  # noqa: S608
_OUTDATED_COUNT = f"select count(*) from clocks where {_COUNTED} and calendar < $1"  # noqa: S608
_NOTE_EDITION = "update clocks set calendar = $2 where id = any($1::uuid[])"
_NOTICES = "select * from calendar_notices order by edition"
_WRITE_NOTICE = """
insert into calendar_notices (edition, year, title, number, body, imported_by, imported_at)
values ($1, $2, $3, $4, $5, $6, $7)
"""
_LOCK_NOTICES = "lock table calendar_notices in share row exclusive mode"


async def outdated(conn: Connection, edition: int, limit: int) -> Sequence[UUID]:
    """Open clocks counted by an older edition of the calendar, locked; those that others hold are skipped."""
    return [row["id"] for row in await conn.fetch(_OUTDATED, edition, limit)]


async def outdated_count(conn: Connection, edition: int) -> int:
    """How many open clocks still stand as an older edition of the calendar gave them."""
    count: int = await conn.fetchval(_OUTDATED_COUNT, edition)
    return count


async def note_edition(conn: Connection, ids: Sequence[UUID], edition: int) -> None:
    """These clocks stand as they are by this edition too."""
    if ids:
        await conn.execute(_NOTE_EDITION, ids, edition)


async def notice_rows(conn: Connection) -> Sequence[asyncpg.Record]:
    """edition, year, title, number, body, imported_by, imported_at of all imported notices, in order."""
    return await conn.fetch(_NOTICES)


async def notice_name(conn: Connection, edition: int) -> str:
    """Title and number of an imported notice."""
    row = await conn.fetchrow("select title, number from calendar_notices where edition = $1", edition)
    return f"{row['title']}（{row['number']}）" if row else ""


async def lock_notices(conn: Connection) -> None:
    """One import at a time, until the transaction ends; readers go on."""
    await conn.execute(_LOCK_NOTICES)


async def write_notice(
    conn: Connection, edition: int, year: int, title: str, number: str, body: str, by: str, at: datetime
) -> None:
    """Keep an imported notice."""
    await conn.execute(_WRITE_NOTICE, edition, year, title, number, body, by, at)


_SET_ASIDE = """
with clock as (select id, duty, child, classification from clocks where id = $1), kept as (
  insert into stuck (id, version, error, traceback, since, attempts, classification)
  select id, $2, $3, $4, $5, 1, classification from clock
  on conflict (id) do update set version = excluded.version, error = excluded.error,
    traceback = excluded.traceback,
    since = case when stuck.version = excluded.version then stuck.since else excluded.since end,
    attempts = case when stuck.version = excluded.version then stuck.attempts + 1 else 1 end
)
select duty, child from clock
"""
_UNSTICK = "delete from stuck where id = $1"
_STUCK = """
select clocks.id, version, duty, owner, child, error, traceback, since, attempts
from stuck join clocks using (id, version)
where $1::uuid is null or clocks.id = $1 order by since, clocks.id
"""


async def set_aside(
    conn: Connection, id_: UUID, version: int, error: str, traceback: str, at: datetime
) -> asyncpg.Record | None:
    """Hide this version of the clock from the sweep, and keep why (system clock); its duty and child."""
    return await conn.fetchrow(_SET_ASIDE, id_, version, error, traceback, at)


async def unstick(conn: Connection, id_: UUID) -> None:
    """The clock took its step: what was kept of an earlier failure goes."""
    await conn.execute(_UNSTICK, id_)


async def stuck(conn: Connection, id_: UUID | None = None) -> Sequence[asyncpg.Record]:
    """id, version, duty, owner, child, error, traceback, since, attempts of all set aside, or of one."""
    return await conn.fetch(_STUCK, id_)


_REFERRAL_COLUMNS: Mapping[str, str] = {
    "id": "uuid",
    "chain_id": "uuid",
    "application_id": "uuid",
    "rule": "text",
    "sender": "text",
    "receiver": "text",
    "receiver_division": "text",
    "urgency": "text",
    "state": "text",
    "due_finish": "timestamptz",
    "body": "jsonb",
    "version": "integer",
    "classification": "text",
}
_SAVE_REFERRALS = _upsert("referrals", _REFERRAL_COLUMNS)
_LOAD_REFERRALS = "select id, body, version from referrals where id = any($1::uuid[]) order by id for update"


def _referral_row(saved: Saved) -> tuple[Any, ...]:
    referral: Any = saved.state
    wanted = referral.wanted
    return (
        saved.id,
        referral.chain_id,
        referral.application_id,
        wanted.rule,
        wanted.from_,
        wanted.to,
        wanted.to_division,
        wanted.urgency,
        referral.state,
        referral.due_finish,
        referral.model_dump_json(),
        saved.version,
        saved.classification,
    )


class ReferralStore:
    """The referral's state with the columns that lists are searched by."""

    async def load(self, conn: Connection, ids: Sequence[UUID]) -> Mapping[UUID, tuple[Referral, int]]:
        rows = await conn.fetch(_LOAD_REFERRALS, ids)
        return {row["id"]: (Referral.model_validate_json(row["body"]), row["version"]) for row in rows}

    async def save(self, conn: Connection, rows: Sequence[Saved]) -> None:
        columns = zip(*map(_referral_row, rows), strict=True)
        await conn.execute(_SAVE_REFERRALS, *map(list, columns))


REFERRALS = ReferralStore()

_OVERDUE = "exists (select from clocks where clocks.referral_id = referrals.id and clocks.state = 'breached')"
_REFERRAL = f"select body, version, {_OVERDUE} as overdue from referrals where id = $1"  # noqa: S608
_LIST = f"""
select id, body, version, overdue, due from (
  select id, body, version, {_OVERDUE} as overdue, coalesce(due_finish, timestamptz '9999-01-01') as due
  from referrals
  where ($1::text is null or receiver = $1) and ($2::text is null or sender = $2)
    and ($3::text[] is null or state = any($3))
) as listed
where ($4::boolean is null or overdue = $4) and ($5::timestamptz is null or (due, id) > ($5, $6::uuid))
order by due, id limit $7
"""  # noqa: S608
_CLOCKS_OF = "select * from clocks where referral_id = $1 and state is not null order by due_at, duty"
_CLOCK = "select * from clocks where id = $1 and state is not null"


async def referral(conn: Connection, id_: UUID) -> asyncpg.Record | None:
    """body, version, overdue; None where it does not exist or the connection may not see it."""
    return await conn.fetchrow(_REFERRAL, id_)


async def referrals(
    conn: Connection,
    *,
    receiver: str | None,
    sender: str | None,
    states: Sequence[str] | None,
    overdue: bool | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[asyncpg.Record]:
    """Referrals that the connection may see, the most pressing first: id, body, version, overdue, due."""
    due, id_ = after or (None, None)
    return await conn.fetch(_LIST, receiver, sender, states, overdue, due, id_, limit)


async def clocks_of(conn: Connection, referral_id: UUID) -> Sequence[Clock]:
    """The clocks of a referral, the first due first."""
    return [clock_of(row) for row in await conn.fetch(_CLOCKS_OF, referral_id)]


async def clock(conn: Connection, id_: UUID) -> tuple[Clock, int] | None:
    """A clock that has been started and its version, if the connection may see it."""
    row = await conn.fetchrow(_CLOCK, id_)
    return None if row is None else (clock_of(row), row["version"])


_NOTE = """
insert into notes (id, subject, event_id, verb, kind, text, actor, at, classification)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_NOTES = "select verb, kind, text, actor, at from notes where subject = $1 order by at, id"


async def write_note(
    conn: Connection,
    subject: UUID,
    event_id: UUID,
    verb: str,
    kind: str,
    text: str,
    actor: Actor,
    at: datetime,
    classification: str,
) -> None:
    """Keep words that belong to an event of a referral or clock: a note, a reason, the feedback."""
    await conn.execute(_NOTE, uuid7(), subject, event_id, verb, kind, text, str(actor), at, classification)


async def notes(conn: Connection, subject: UUID) -> Sequence[asyncpg.Record]:
    """verb, kind, text, actor, at: the words kept with a referral or clock, in order of time."""
    return await conn.fetch(_NOTES, subject)
