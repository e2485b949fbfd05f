"""Imported notices: kept in notify, in force in every process, and what they change in open clocks.

An import writes the notice and tells the other services, nothing else. Each process hears of it, counts by
it from then on, and the clocks that were counted by an older edition are counted again, whoever started them
and however late: in batches, each in one transaction with its events.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from onedoor.calendar import (
    Calendar,
    CalendarProblem,
    Notice,
    almanac_of,
    in_force,
    parse_notice,
)
from onedoor.contracts.core import SYSTEM, Actor, Context
from onedoor.notify import views
from onedoor.notify.domain.clock import Recompute
from onedoor.notify.domain.notice import TellNotice, calendar_id
from onedoor.notify.sweep import passes
from onedoor.runtime import almanac
from onedoor.runtime.app import App
from onedoor.runtime.service import Connection
from onedoor.runtime.unit import Directive, Transaction, Unit

log = logging.getLogger(__name__)

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an import. new: False where the very same notice was in force already."""

    edition: int
    notice: Notice
    new: bool


async def import_notice(tx: Transaction, text: str, by: Actor) -> Imported:
    """Keep the notice of a year, in place of what was known of it; it is in force once this is committed.

    The very notice that is in force already changes nothing. Raises CalendarProblem naming the field and the
    remedy; then nothing is written.
    """
    notice = parse_notice(text)
    await views.lock_notices(tx.conn)
    known = almanac_of(await almanac.imported(tx.conn))
    if notice == known.calendar.notice(notice.year):
        return Imported(known.edition, notice, False)
    _check_neighbours(notice, known.calendar.notice(notice.year - 1), known.calendar.notice(notice.year + 1))
    edition = known.edition + 1
    last = notice.sources[-1]
    await views.write_notice(tx.conn, edition, notice.year, last.title, last.number, text, str(by), tx.now)
    await almanac.tell(tx.conn, edition)
    named = {"year": notice.year, "title": last.title, "number": last.number, "body": text}
    told = TellNotice(target=calendar_id(), edition=edition, imported_at=tx.now, **named)
    await tx.execute(told, actor=by)
    return Imported(edition, notice, True)


async def tell_known(tx: Transaction) -> None:
    """Tell the other services of every notice that was kept here and never told to them; each once."""
    names = ("edition", "year", "title", "number", "body", "imported_at")
    known = [{name: row[name] for name in names} for row in await views.notice_rows(tx.conn)]
    await tx.execute(*(TellNotice(target=calendar_id(), **each) for each in known), actor=SYSTEM)


def _check_neighbours(notice: Notice, before: Notice | None, after: Notice | None) -> None:
    """A December day that two years' notices speak of must be the same in both."""
    for other in (before, after):
        if other is None:
            continue
        days = {*notice.off, *notice.make_up} & {*other.off, *other.make_up}
        differing = sorted(day for day in days if (day in notice.off) != (day in other.off))
        if differing:
            raise CalendarProblem(
                "holidays", f"{differing[0]} is something else in the notice of {other.year}",
                "correct one of the two", f"{differing[0]}与{other.year}年通知不一致", "请更正其中之一",
            )  # fmt: skip


async def calendar_of(conn: Connection, edition: int | None) -> Calendar:
    """The calendar of an edition, as it was known then; the one in force for a clock that asks for no day."""
    now = in_force()
    if edition is None or edition == now.edition:
        return now.calendar
    return almanac_of(pair for pair in await almanac.imported(conn) if pair[0] <= edition).calendar


async def recount(unit: Unit, now: datetime, batch: int = BATCH) -> int:
    """Count up to `batch` open clocks of older editions again, in one transaction; how many it looked at.

    Clocks that another process holds are left for the next time. What the count gives anew is published with
    both values; what stays as it is only notes the edition. If any of them fails, each is worked by itself.
    """
    edition = in_force().edition
    try:
        async with unit.transaction() as tx:
            ids = await views.outdated(tx.conn, edition, batch)
            await _recount(unit, tx.conn, ids, edition, now)
            return len(ids)
    except Exception as error:
        if passes(error):
            raise
        log.warning("the recount goes on clock by clock", extra={"error": type(error).__name__})
    async with unit.pool.acquire() as conn:
        ids = await views.outdated(conn, edition, batch)
    for id_ in ids:
        await _alone(unit, id_, edition, now)
    return len(ids)


async def _recount(unit: Unit, conn: Connection, ids: Sequence[UUID], edition: int, now: datetime) -> None:
    notice = await views.notice_name(conn, edition)
    context = Context(SYSTEM, now)
    directives = [Directive((Recompute(target=id_, notice=notice),), context) for id_ in ids]
    outcomes = await unit.run(conn, directives) if ids else []
    same = [outcome.target for each in outcomes for outcome in each if not outcome.events]
    await views.note_edition(conn, same, edition)


async def _alone(unit: Unit, id_: UUID, edition: int, now: datetime) -> None:
    """One that cannot be counted again keeps its date, holds up no other, and is said aloud."""
    try:
        async with unit.transaction() as tx:
            await _recount(unit, tx.conn, [id_], edition, now)
    except Exception as error:
        if passes(error):
            raise
        log.critical("clock not counted again", extra={"error": type(error).__name__, "calendar": edition})
        async with unit.transaction() as tx:
            await views.note_edition(tx.conn, [id_], edition)


async def recount_all(unit: Unit, now: datetime, batch: int = BATCH) -> int:
    """Count again until no open clock of an older edition is free; how many it looked at."""
    total = 0
    while done := await recount(unit, now, batch):
        total += done
    return total


async def keep_current(app: App) -> None:
    """Hear of imported notices for ever, and count again what they change.

    First what was imported before the other services were told of such things is told to them.
    """

    told = False

    async def recounted(app: App) -> None:
        nonlocal told
        if not told:
            async with app.unit.transaction() as tx:
                await tell_known(tx)
            told = True
        await recount_all(app.unit, app.clock.now())

    await almanac.keep_current(app, recounted)
