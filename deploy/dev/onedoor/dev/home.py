"""Where `make up` keeps its things, and the one-line problems it tells a newcomer."""

import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

NEEDED_BYTES = 2 * 1024**3


class Trouble(Exception):
    """Something a person can mend; its text is one line that says how."""


@dataclass(frozen=True)
class Home:
    """The data folder (`ONEDOOR_HOME`, default `.onedoor` here) and the cache shared by all checkouts."""

    root: Path
    cache: Path

    @classmethod
    def from_environment(cls) -> "Home":
        root = Path(os.environ.get("ONEDOOR_HOME") or ".onedoor").resolve()
        default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "onedoor"
        return cls(root, Path(os.environ.get("ONEDOOR_CACHE") or default).resolve())

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def state(self) -> Path:
        """What `status` and `down` read: endpoints and addresses of the running system."""
        return self.run / "state.json"

    @property
    def dev_key(self) -> Path:
        return self.root / "dev.key"

    @property
    def samples_loaded(self) -> Path:
        """Exists once the samples have been posted."""
        return self.root / "samples-loaded"

    def make(self) -> None:
        for folder in (self.root, self.logs, self.run, self.cache):
            folder.mkdir(parents=True, exist_ok=True)

    def check_disk(self) -> None:
        """Trouble where less than 2 GiB are free."""
        self.root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.root).free
        if free < NEEDED_BYTES:
            raise Trouble(
                f"Only {free / 1024**3:.1f} GiB are free at {self.root}; free at least 2 GiB, "
                "or set ONEDOOR_HOME to a folder on a larger disk."
            )


def port(name: str, default: int) -> int:
    """A port by its environment variable, e.g. `ONEDOOR_KAFKA_PORT`."""
    given = os.environ.get(name)
    if given is None:
        return default
    if not given.isdigit() or not 0 < int(given) < 65536:
        raise Trouble(f"{name}={given} is not a port; set it to a number from 1 to 65535.")
    return int(given)


def check_port(name: str, number: int) -> None:
    """Trouble where something listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            raise Trouble(
                f"Port {number} is taken; stop what listens there (`onedoor down`, if it is OneDoor), "
                f"or choose another: {name}=… make up."
            ) from None
