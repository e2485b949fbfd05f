"""`python -m onedoor.dev.migrate`: what `python -m onedoor.X migrate` does, for every service in one process.

Most of a migration's time is spent on importing what all services share, so that this is five times cheaper.
The settings come from the environment, as a service's do.
"""

import asyncio
from importlib import import_module

from onedoor.dev.services import startable


async def migrate_all() -> None:
    """Migrate every service that can be run, one after the other."""
    from onedoor.runtime.migrate import migrate

    for service in startable():
        settings = import_module(f"{service.module}.settings").Settings()
        await migrate(import_module(f"{service.module}.app").SERVICE, settings)


if __name__ == "__main__":
    asyncio.run(migrate_all())
