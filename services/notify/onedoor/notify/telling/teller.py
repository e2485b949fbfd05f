"""The teller: turns notices into tellings of named people and deliveries to them.

Of several untold notices of one clock only the last is told. Critical ones go to everybody on duty by every
way and are never folded; where nobody is on duty, or no way led to anybody, that is recorded and the next
function up is told at once. All others to one person are folded, or wait for the morning's digest.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from onedoor.contracts.core import SYSTEM, Context
from onedoor.notify.domain.ladder import rungs
from onedoor.notify.domain.ring import AskForCall
from onedoor.notify.telling import roster, times, wake
from onedoor.notify.telling.notices import BUREAU, OPERATIONS, TELL_CHANNEL, note_letter
from onedoor.notify.telling.roster import OnDuty
from onedoor.runtime import database, letters
from onedoor.runtime.app import App
from onedoor.runtime.service import Connection
from onedoor.runtime.unit import Directive, Unit

log = logging.getLogger(__name__)

SEND_CHANNEL = "onedoor_send_notify"
AGAIN = timedelta(minutes=30)
"""The top of a critical ladder is told again so often, until a named person acknowledges."""
AT_ONCE = 200
LOUD_ONLY = frozenset({"sms"})
"""What is kept for critical matters."""

UPWARDS = ("duty-person", "unit-head", "coordinating-bureau", "leadership")

_UNTOLD = """
select n.*, n.ended_at is not null or exists (
  select from notices later where later.subject = n.subject and later.state = 'untold'
    and (later.at, later.step, later.id) > (n.at, n.step, n.id)) as over
from notices n where n.state = 'untold' and n.critical = $1 order by n.at, n.id limit $2
for update of n skip locked
"""
_LEAVE = "update notices set state = 'passed_over' where id = any($1::uuid[])"
_AGAIN = """
select * from notices
where again_at <= $1 and ended_at is null and acknowledged_at is null
order by again_at, id limit $2 for update skip locked
"""
_TOLD = """
update notices set state = 'told', gap = told.gap, again_at = told.again_at,
  receipt = coalesce(notices.receipt, (
    select receipt from passes where passes.chain_id = notices.chain_id and passes.receipt is not null
    order by at limit 1))
from unnest($1::uuid[], $2::boolean[], $3::timestamptz[]) as told (id, gap, again_at)
where notices.id = told.id
"""
_TELL = """
insert into tellings (notice_id, person, name, function, classification)
select *, 'internal' from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) on conflict do nothing
"""
_DELIVER = """
with folded as (
  update deliveries set notices = notices || $6::uuid where id = (
    select id from deliveries where fold = $5 and state = 'waiting' and not_before > $1
    order by id limit 1 for update skip locked)
  returning id)
insert into deliveries (id, person, channel, fold, notices, critical, decided_at, not_before, classification)
select $2, $3, $4, $5, array[$6::uuid], $7, $1, $8, 'internal' where not exists (select from folded)
"""
"""What is being sent at this moment is held by its sender: nobody waits for that, it gets a message more. Nor
does anything join what may have gone out already: the same id would be taken for a repetition."""
_ALONE = "select pg_try_advisory_xact_lock(hashtext('onedoor.notify.tell'))"
"""Two who fold at once would fold apart."""
_TROUBLED = "update notices set state = 'told', gap = true where id = $1"


@dataclass(frozen=True, slots=True)
class Telling:
    """Whom a notice reaches. gap: nobody was on duty where it should have gone."""

    people: tuple[OnDuty, ...]
    gap: bool


def reach(notice: Mapping[str, object], duty: Sequence[OnDuty]) -> Telling:
    """Who is told of a notice, of those on duty. Pure.

    Critical: the function's people and, as long as none of them has any way to be reached, the next ones up.
    """
    people: dict[str, OnDuty] = {}
    gap = False
    for function, department in _places(notice):
        own = department == notice["department"]
        here = _at(duty, department, notice["division"] if own else None, function)
        people = {person.person: person for person in here} | people
        if any(person.ways for person in here) or (here and not notice["critical"]):
            break
        gap = gap or function != "handler"
    return Telling(tuple(people.values()), gap and bool(notice["critical"]))


def _places(notice: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Function and department, from the one that the notice is for upwards."""
    function = str(notice["function"])
    own = str(notice["department"] or (OPERATIONS if notice["role"] == "ops" else BUREAU))
    if function == "handler":
        yield function, own
        function = "duty-person"
    upwards = UPWARDS[UPWARDS.index(function) :] if function in UPWARDS else ()
    for place in upwards if notice["critical"] else upwards[:1]:
        bureau = place in ("coordinating-bureau", "leadership") and own != OPERATIONS
        yield place, BUREAU if bureau else own


def _at(duty: Sequence[OnDuty], department: str, division: object, function: str) -> list[OnDuty]:
    """Those of the division, if it has a roster of its own; else those of the whole unit."""
    here = [each for each in duty if (each.department, each.function) == (department, function)]
    own = [each for each in here if division is not None and each.division == division]
    return own or [each for each in here if each.division is None]


async def tell(conn: Connection, now: datetime, critical: bool) -> int:
    """Tell what has not been told yet, in the caller's transaction; how many notices it took.

    now: business time.
    """
    if not critical and not await conn.fetchval(_ALONE):
        return 0
    claimed = await conn.fetch(_UNTOLD, critical, AT_ONCE)
    if over := [notice["id"] for notice in claimed if notice["over"]]:
        await conn.execute(_LEAVE, over)
    found = [notice for notice in claimed if not notice["over"]]
    if found:
        when = now if critical else times.next_chance(now)
        await _tell(conn, found, await roster.on_duty(conn, when), now)
    return len(claimed)


async def _tell(
    conn: Connection, found: Sequence[asyncpg.Record], duty: Sequence[OnDuty], now: datetime
) -> None:
    """Tell all of them; if that fails, each by itself, so that one holds up no other."""
    try:
        async with conn.transaction():
            await _tell_all(conn, found, duty, now)
    except Exception as error:
        if database.out_of_reach(error) or isinstance(error, database.PASSING):
            raise
        if len(found) > 1:
            for notice in found:
                await _tell(conn, [notice], duty, now)
            return
        await conn.execute(_TROUBLED, found[0]["id"])
        details = {"event_id": found[0]["id"], "kind": found[0]["kind"], "error": type(error).__name__}
        log.critical("nobody could be told", extra=details)


async def _tell_all(
    conn: Connection, found: Sequence[asyncpg.Record], duty: Sequence[OnDuty], now: datetime
) -> None:
    tellings = {notice["id"]: reach(dict(notice), duty) for notice in found}
    await conn.execute(
        _TOLD,
        list(tellings),
        [telling.gap for telling in tellings.values()],
        [_again_at(notice, now) for notice in found],
    )
    await _record(conn, tellings)
    await _deliver(conn, found, tellings, now)
    for notice in found:
        if tellings[notice["id"]].gap:
            _say_gap(notice)


async def _record(conn: Connection, tellings: Mapping[UUID, Telling]) -> None:
    rows = [(id_, p.person, p.name, p.function) for id_, telling in tellings.items() for p in telling.people]
    if rows:
        await conn.execute(_TELL, *map(list, zip(*rows, strict=True)))


def _again_at(notice: asyncpg.Record, now: datetime) -> datetime | None:
    """The top of a critical ladder, a call and a letter are told again until somebody takes them up."""
    climbing = notice["kind"] == "escalated" and notice["step"] < len(rungs("critical", now))
    if not notice["critical"] or climbing or notice["kind"] in ("warned", "breached"):
        return None
    return now + AGAIN


def _say_gap(notice: asyncpg.Record) -> None:
    place = {"department": notice["department"], "kind": notice["kind"], "event_id": notice["id"]}
    log.critical("nobody on duty can be reached", extra=place)


async def _deliver(
    conn: Connection, notices: Sequence[asyncpg.Record], tellings: Mapping[UUID, Telling], now: datetime
) -> None:
    rows = [
        (uuid7(), person.person, channel, *_fold(notice, person.person, channel, now))
        for notice in notices
        for person in tellings[notice["id"]].people
        for channel in person.ways
        if notice["critical"] or channel not in LOUD_ONLY
    ]
    # One statement each: two rows of one statement would not fold into each other.
    for row in rows:
        await conn.execute(_DELIVER, now, *row)
    if rows:
        await wake.wake(conn, SEND_CHANNEL)


def _fold(
    notice: asyncpg.Record, person: str, channel: str, now: datetime
) -> tuple[str, UUID, bool, datetime]:
    """What a delivery is folded by, its notice, whether it is critical, and when it may go."""
    id_: UUID = notice["id"]
    if notice["critical"]:
        return f"{id_}/{person}/{channel}/{now.isoformat()}", id_, True, now
    return f"{person}/{channel}", id_, False, times.next_chance(now)


async def tell_again(conn: Connection, now: datetime) -> int:
    """Tell the top of critical ladders once more where nobody has acknowledged; how many notices."""
    found = await conn.fetch(_AGAIN, now, AT_ONCE)
    if found:
        duty = await roster.on_duty(conn, now)
        tellings = {notice["id"]: reach(dict(notice), duty) for notice in found}
        await _deliver(conn, found, tellings, now)
        await conn.execute(
            "update notices set again_at = $2 where id = any($1::uuid[])",
            [notice["id"] for notice in found],
            now + AGAIN,
        )
    return len(found)


_FOLLOW = """
update deliveries set followed = true where id in (
  select id from deliveries where state = 'failed' and critical and not followed order by id limit $1
  for update skip locked)
returning notices
"""
_UNREACHED = """
select n.*, (select coalesce(array_agg(person), '{}') from tellings where notice_id = n.id) as tried
from notices n
where n.id = any($1::uuid[]) and n.ended_at is null and n.acknowledged_at is null and not exists (
  select from deliveries d where d.notices @> array[n.id] and d.state in ('waiting', 'sent'))
"""
_GAP = "update notices set gap = true where id = any($1::uuid[])"


async def tell_upwards(conn: Connection, now: datetime) -> int:
    """Where a critical notice has got to nobody because every way failed, tell the next function up at once;
    how many failures it looked at."""
    failed = await conn.fetch(_FOLLOW, AT_ONCE)
    if not failed:
        return 0
    lost = await conn.fetch(_UNREACHED, [id_ for row in failed for id_ in row["notices"]])
    duty = await roster.on_duty(conn, now)
    tellings = {notice["id"]: _instead(notice, duty) for notice in lost}
    if lost:
        await conn.execute(_GAP, list(tellings))
        await _record(conn, tellings)
        await _deliver(conn, lost, tellings, now)
    for notice in lost:
        _say_gap(notice)
    return len(failed)


def _instead(notice: asyncpg.Record, duty: Sequence[OnDuty]) -> Telling:
    """Whom to tell besides those who could not be reached."""
    tried = set(notice["tried"])
    left = [p.model_copy(update={"ways": ()}) if p.person in tried else p for p in duty]
    people = reach(dict(notice), left).people
    return Telling(tuple(person for person in people if person.person not in tried), gap=True)


_RINGS = """
select id, open_at from rings where state = 'waiting' and open_at <= $1 order by open_at, id limit $2
for update skip locked
"""


async def ask_for_calls(unit: Unit, now: datetime) -> int:
    """Ask for the calls whose five minutes are over, each at its own moment; how many."""
    async with unit.transaction() as tx:
        due = await tx.conn.fetch(_RINGS, now, AT_ONCE)
        directives = [
            Directive((AskForCall(target=row["id"]),), Context(SYSTEM, row["open_at"].astimezone(UTC)))
            for row in due
        ]
        if directives:
            await unit.run(tx.conn, directives)
        return len(due)


_OWN_LETTERS = """
select *, topic like 'intake.alarm%' as alarm from dead_letters
where state = 'open' and kind = 'letter' and (child or topic like 'intake.alarm%') order by id limit 100
"""
_KNOWN = "select id from notices where id = any($1::uuid[])"


async def note_own_letters(conn: Connection, now: datetime) -> None:
    """notify's own dead letters: their event might never get through its own stream."""
    rows = await conn.fetch(_OWN_LETTERS)
    found = {letters.letter_id(row["consumer"], letters.stored_record(row)): row for row in rows}
    known = {row["id"] for row in await conn.fetch(_KNOWN, list(found))} if found else set()
    for id_, row in found.items():
        if id_ not in known:
            kind = "alarm_letter" if row["alarm"] else "parked_child"
            await note_letter(conn, id_, kind, now, "notify", row["child"])


async def keep_telling_alarms(app: App) -> None:
    """Tell what is critical, ask for calls, look after our own dead letters."""

    async def work(app: App, conn: asyncpg.Connection) -> bool:
        now = app.clock.now()
        asked = await ask_for_calls(app.unit, now)
        async with conn.transaction():
            await note_own_letters(conn, now)
            told = await tell(conn, now, critical=True)
            again = await tell_again(conn, now)
            upwards = await tell_upwards(conn, now)
        return AT_ONCE in (asked, told, again, upwards)

    await wake.keep(app, TELL_CHANNEL, work)


async def keep_telling(app: App) -> None:
    """Tell what is not critical, so that it never holds up what is."""

    async def work(app: App, conn: asyncpg.Connection) -> bool:
        async with conn.transaction():
            return await tell(conn, app.clock.now(), critical=False) == AT_ONCE

    await wake.keep(app, TELL_CHANNEL, work)
