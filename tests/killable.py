"""Own Kafka and PostgreSQL that a test may kill and start again."""

import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from onedoor.dev import kafka, ports, postgres
from onedoor.dev.program import Program
from onedoor.dev.settings import DevSettings
from tests.harness import eventually


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

    @property
    def runs(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        assert self._child is not None
        self._child.kill()
        self._child.wait()

    def freeze(self) -> None:
        """SIGSTOP to it and all that it has started."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._child is not None
        parent = psutil.Process(self._child.pid)
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def stop(self) -> None:
        """In an orderly way."""
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(self._program.stop_signal)
            self._child.wait(30)


class Disk:
    """A folder on a small disk of its own (in memory), that can be filled."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._ballast = folder / "ballast"
        options = f"size={mebibytes}m,mode=0755"
        subprocess.run(("mount", "-t", "tmpfs", "-o", options, "onedoor", str(folder)), check=True)

    @staticmethod
    def possible() -> bool:
        """Whether we may mount here: root on Linux may, but in most containers it may not."""
        with TemporaryDirectory() as folder:
            if subprocess.run(
                ("mount", "-t", "tmpfs", "-o", "size=1m", "onedoor", folder), capture_output=True, check=False
            ).returncode:
                return False
            subprocess.run(("umount", folder), check=True)
            return True

    def fill(self) -> None:
        """Not one byte more can be written."""
        with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
            while file.write(bytes(1 << 20)):
                pass

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        subprocess.run(("umount", "--lazy", str(self.folder)), check=True)


class KillableServers:
    """Both, with where they answer."""

    def __init__(self, folder: Path, cache: Path, disk: Disk | None = None) -> None:
        """disk: where PostgreSQL keeps its data, else a folder beside Kafka's."""
        self.disk = disk
        kafka_port, postgres_port = ports.free(2), ports.free()
        self.kafka = f"127.0.0.1:{kafka_port}"
        self.postgres = postgres.dsn(postgres_port, "postgres")
        self.kafka_server = Killable(kafka.program(folder / "kafka", cache, kafka_port, folder / "kafka.log"))
        self.postgres_server = Killable(
            postgres.program(
                disk.folder if disk else folder / "postgres", postgres_port, folder / "postgres.log"
            )
        )

    async def kafka_ready(self) -> None:
        await self._ready(self.kafka_server, lambda: kafka.answers(self.kafka))

    async def postgres_ready(self) -> None:
        await self._ready(self.postgres_server, lambda: postgres.answers(self.postgres))

    async def _ready(self, server: Killable, answers: Callable[[], Awaitable[bool]]) -> None:
        """Start it until it answers, as the process manager would: what a kill left may stop one start."""

        async def ready() -> bool:
            if not server.runs:
                server.start()
            return await answers()

        await eventually(ready, 60, "the server answers")


@asynccontextmanager
async def killable_servers(disk_mebibytes: int | None = None) -> AsyncIterator[KillableServers]:
    """Both servers, started and ready, on durable storage; with a size, PostgreSQL on a Disk.

    Not in pytest's folder: PostgreSQL runs as another user, and other sessions close that folder to it.
    """
    with TemporaryDirectory(prefix="onedoor-killable-") as name, ExitStack() as leaving:
        folder, disk = Path(name), None
        if disk_mebibytes is not None:
            disk = Disk(folder / "disk", disk_mebibytes)
            leaving.callback(disk.unmount)
        servers = KillableServers(folder, DevSettings().cache, disk)
        for server in (servers.postgres_server, servers.kafka_server):
            server.start()
            leaving.callback(server.stop)
        await servers.postgres_ready()
        await servers.kafka_ready()
        yield servers
