"""Assistance as it runs, except that its relay looks every 50 ms instead of being woken."""

import asyncio
from typing import Any

import asyncpg

from onedoor.assistance.app import SERVICE, create_app
from onedoor.assistance.settings import Settings
from onedoor.runtime.app import main
from onedoor.runtime.relay import Relay

POLL_SECONDS = 0.05


async def lead(self: Relay, conn: asyncpg.Connection) -> None:
    while True:
        if not await self.publish_page(conn):
            await asyncio.sleep(POLL_SECONDS)


if __name__ == "__main__":
    changed: Any = Relay
    changed._lead = lead
    main(SERVICE, create_app, Settings)
