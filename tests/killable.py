"""Own Kafka and PostgreSQL that a test may kill and start again."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from onedoor.dev import kafka, postgres
from onedoor.dev.program import Program
from onedoor.dev.settings import DevSettings
from tests.harness import eventually, free_port


class Killable:
    """One server as a child process."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._program.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._program.leashed,
                env=self._program.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        assert self._child is not None
        self._child.kill()
        self._child.wait()

    def stop(self) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(self._program.stop_signal)
            self._child.wait(30)


class KillableServers:
    """Both, with where they answer."""

    def __init__(self, folder: Path, cache: Path) -> None:
        kafka_port, postgres_port = free_port(), free_port()
        self.kafka = f"127.0.0.1:{kafka_port}"
        self.postgres = postgres.dsn(postgres_port, "postgres")
        self.kafka_server = Killable(kafka.program(folder / "kafka", cache, kafka_port, folder / "kafka.log"))
        self.postgres_server = Killable(
            postgres.program(folder / "postgres", postgres_port, folder / "postgres.log")
        )

    async def kafka_ready(self) -> None:
        await eventually(lambda: kafka.answers(self.kafka), 60, "Kafka answers")

    async def postgres_ready(self) -> None:
        await eventually(lambda: postgres.answers(self.postgres), 60, "PostgreSQL answers")


@asynccontextmanager
async def killable_servers() -> AsyncIterator[KillableServers]:
    """Both servers, started and ready, on durable storage.

    Not in pytest's folder: PostgreSQL runs as another user, and other sessions close that folder to it.
    """
    with TemporaryDirectory(prefix="onedoor-killable-") as folder:
        servers = KillableServers(Path(folder), DevSettings().cache)
        servers.kafka_server.start()
        servers.postgres_server.start()
        try:
            await servers.postgres_ready()
            await servers.kafka_ready()
            yield servers
        finally:
            servers.kafka_server.stop()
            servers.postgres_server.stop()
