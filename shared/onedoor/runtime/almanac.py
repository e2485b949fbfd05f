"""Imported notices in a service that counts days: kept from notify's events, in force in each process.

The service makes the table `NOTICES` in a migration, reads `notify.calendar`, passes what it
reads to `absorb` and runs `keep_current` in the background.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from onedoor.calendar import Notice, almanac_of, in_force, parse_notice, put_in_force
from onedoor.contracts.core import Envelope
from onedoor.contracts.events.notify import NoticeImported
from onedoor.runtime import database
from onedoor.runtime.app import App
from onedoor.runtime.service import Connection

log = logging.getLogger(__name__)

LONGEST_SLEEP = 5.0
RETRY_SECONDS = 1.0

NOTICES = """
create table calendar_notices (
  edition integer primary key,
  year integer not null,
  body text not null
);
"""
_KEEP = """
insert into calendar_notices (edition, year, body) select * from unnest($1::int[], $2::int[], $3::text[])
on conflict (edition) do nothing
"""
_TELL = "select pg_notify('onedoor_calendar_' || current_schema(), $1)"
_KNOWN = "select coalesce(max(edition), 0) as edition, count(*) as imported from calendar_notices"
_ALL = "select edition, body from calendar_notices order by edition"


async def absorb(conn: Connection, events: Sequence[Envelope]) -> None:
    """Keep the notices among these events, and tell the service's processes once this is committed."""
    told = [event.data for event in events if isinstance(event.data, NoticeImported)]
    if told:
        columns = zip(*((each.edition, each.year, each.body) for each in told), strict=True)
        await conn.execute(_KEEP, *map(list, columns))
        await tell(conn, max(each.edition for each in told))


async def tell(conn: Connection, edition: int) -> None:
    """Wake `keep_current` in every process of this service, once this is committed."""
    await conn.execute(_TELL, str(edition))


async def imported(conn: Connection) -> Sequence[tuple[int, Notice]]:
    """All notices that this service knows to be imported, by edition."""
    return [(row["edition"], parse_notice(row["body"])) for row in await conn.fetch(_ALL)]


async def refresh(conn: Connection) -> int:
    """Count by all notices that this service knows by now; their edition. A calendar never goes back.

    An earlier notice that is told later counts as well.
    """
    known, now = await conn.fetchrow(_KNOWN), in_force()
    assert known is not None
    edition: int = known["edition"]
    if (edition, known["imported"]) > (now.edition, now.imported):
        put_in_force(almanac_of(await imported(conn)))
    return edition


async def _nothing_more(app: App) -> None:
    """Where nothing that was counted is kept."""


async def keep_current(app: App, then: Callable[[App], Awaitable[None]] = _nothing_more) -> None:
    """Hear of imported notices for ever, and do `then` after each look.

    An unreachable database or a conflict is tried again.
    """
    while True:
        try:
            await _while_connected(app, then)
        except (*database.UNREACHABLE, *database.CONFLICTS) as error:
            log.warning("the calendar waits", extra={"error": type(error).__name__})
            await asyncio.sleep(RETRY_SECONDS)


async def _while_connected(app: App, then: Callable[[App], Awaitable[None]]) -> None:
    heard = asyncio.Event()
    conn = await database.connect(app.service, app.settings)
    try:
        await conn.add_listener(f"onedoor_calendar_{app.service.schema}", lambda *_: heard.set())
        conn.add_termination_listener(lambda _: heard.set())
        while True:
            heard.clear()
            await refresh(conn)
            await then(app)
            try:
                async with asyncio.timeout(LONGEST_SLEEP):
                    await heard.wait()
            except TimeoutError:
                continue
    finally:
        conn.terminate()
