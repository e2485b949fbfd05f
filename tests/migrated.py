"""Every service's schema in one database."""

from importlib import import_module

from onedoor.runtime.migrate import migrate
from onedoor.runtime.settings import Settings
from tests.system import SERVICES


async def migrate_all(database: str) -> None:
    """Migrate all services of the system; `database` is the DSN of a superuser."""
    settings = Settings(environment="test", postgres=database)
    for module in SERVICES.values():
        await migrate(import_module(f"{module}.app").SERVICE, settings)
