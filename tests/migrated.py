"""Services' schemas in databases: all in one, or some in a template that tests clone."""

from contextlib import AsyncExitStack
from importlib import import_module

from onedoor.runtime.migrate import migrate
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings
from tests.servers import empty_database
from tests.system import SERVICES


async def migrate_all(database: str) -> None:
    """Migrate all services of the system; `database` is the DSN of a superuser."""
    settings = Settings(environment="test", postgres=database)
    for module in SERVICES.values():
        await migrate(import_module(f"{module}.app").SERVICE, settings)


class Templates:
    """Databases in which some services have migrated once; to be cloned, never to be used."""

    def __init__(self, server: str, stack: AsyncExitStack) -> None:
        """stack: at whose end they are dropped."""
        self._server = server
        self._stack = stack
        self._made: dict[tuple[str, ...], str] = {}

    async def of(self, *services: Service) -> str:
        """The DSN of the one with these services, made when it is asked for first."""
        names = tuple(service.name for service in services)
        if names not in self._made:
            dsn = await self._stack.enter_async_context(empty_database(self._server))
            for service in services:
                await migrate(service, Settings(environment="test", postgres=dsn))
            self._made[names] = dsn
        return self._made[names]
