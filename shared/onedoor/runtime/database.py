"""Connections under a service's roles, and which errors of PostgreSQL pass by themselves."""

from typing import Literal

import asyncpg

from onedoor.runtime.service import Connection, Service
from onedoor.runtime.settings import Settings

Role = Literal["owner", "writer", "reader"]

UNREACHABLE: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    OSError,
    TimeoutError,
)
"""PostgreSQL is away, full or restarting: wait and try again, for as long as it takes.

InternalClientError is what asyncpg raises on a connection that was cut in the middle of an answer.
"""

PASSING: tuple[type[BaseException], ...] = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
"""Two transactions stood in each other's way: it never is the event's own fault."""

CONFLICTS: tuple[type[BaseException], ...] = (
    *PASSING,
    asyncpg.UniqueViolationError,
)
"""Another transaction was faster: take the whole again, a few times."""


def out_of_reach(error: BaseException) -> bool:
    """Whether PostgreSQL is away, full or restarting; a misuse of asyncpg never passes by itself."""
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error)
    return isinstance(error, UNREACHABLE)


def _session(service: Service, role: Role) -> dict[str, str]:
    """Tables lie on no spinning disk: a thousand rows are found by their ids, not by reading all of them."""
    return {
        "role": service.role(role),
        "search_path": service.schema,
        "application_name": f"onedoor-{service.name}-{role}",
        "random_page_cost": "1.1",
    }


async def pool(service: Service, settings: Settings, role: Role) -> asyncpg.Pool:
    """A pool that connects when first used, so that a service starts without its database."""
    made = asyncpg.create_pool(
        settings.postgres,
        min_size=0,
        max_size=settings.pool_size,
        server_settings=_session(service, role),
        timeout=5,
        command_timeout=30,
        reset=_nothing_to_forget,
    )
    return await made


async def _nothing_to_forget(conn: Connection) -> None:
    """A connection comes back to the pool: asyncpg has rolled back what was open, and let go what listened.

    Settings are made for one transaction only, and nothing else is left behind: asyncpg's own reset would be
    a round trip more for each request.
    """


async def connect(service: Service, settings: Settings, role: Role = "writer") -> asyncpg.Connection:
    """A dedicated connection: a consumer's, the relay's, a listener's."""
    return await asyncpg.connect(
        settings.postgres, server_settings=_session(service, role), timeout=5, command_timeout=60
    )
