"""What has changed, for the open pages: one LISTEN connection, many browsers, each told little and seldom.

A browser is told only that something changed, never what: it reads a fragment again, which is checked for
permission like any page.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

from onedoor.desk import views
from onedoor.runtime import database
from onedoor.runtime.app import App

log = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 0.15
RETRY_SECONDS = 1.0
MANY = "*"


@dataclass(eq=False, slots=True)
class Watcher:
    """One open page. chains: those it shows (empty: any chain concerns it)."""

    chains: frozenset[str]
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, chains: frozenset[str]) -> None:
        if not self.chains or MANY in chains or self.chains & chains:
            self.changed.set()

    async def changes(self) -> AsyncIterator[None]:
        """Yields after each change, several in quick succession as one."""
        while True:
            await self.changed.wait()
            await asyncio.sleep(DEBOUNCE_SECONDS)
            self.changed.clear()
            yield


class Changes:
    """The hub between PostgreSQL's notifications and the watchers."""

    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()

    @contextmanager
    def watching(self, *chains: str) -> Iterator[Watcher]:
        """A watcher of these chains, or of everything, for as long as the block lasts."""
        watcher = Watcher(frozenset(chains))
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def tell(self, payload: str) -> None:
        """Tell all whom these chains (comma between them) concern."""
        chains = frozenset(payload.split(","))
        for watcher in tuple(self._watchers):
            watcher.tell(chains)

    async def follow(self, app: App) -> None:
        """Listen until cancelled; a lost connection is made anew, and everybody reads again."""
        while True:
            with suppress(*database.UNREACHABLE):
                await self._listen(app)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self, app: App) -> None:
        conn = await database.connect(app.service, app.settings)
        lost = asyncio.Event()
        try:
            conn.add_termination_listener(lambda _: lost.set())
            await conn.add_listener(views.CHANNEL, lambda *told: self.tell(str(told[3])))
            self.tell(MANY)
            await lost.wait()
        finally:
            await conn.close(timeout=1)


CHANGES = Changes()
"""One hub for the process: the background task and the pages share it."""


async def follow_changes(app: App) -> None:
    """The background task that keeps the hub listening."""
    await CHANGES.follow(app)


async def clock_moves(app: App) -> None:
    """Business time was adjusted: every open page shows other remaining times."""
    while True:
        await app.clock.moved()
        CHANGES.tell(MANY)
        await asyncio.sleep(DEBOUNCE_SECONDS)


async def arrived(app: App, event_id: UUID, seconds: float) -> bool:
    """Wait until the desk has worked off the event, at most so long; whether it has."""
    with CHANGES.watching() as watcher, suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not await views.has_arrived(app.writer, event_id):
                watcher.changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(watcher.changed.wait(), 0.25)
            return True
    return False
