"""A program to run: what `make up` gives to the process manager, and tests start by themselves."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Program:
    """One process: its command, environment, log file, the user it runs as and the signal that ends it well."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: int = 15
    patience: float = 15.0

    @property
    def leashed(self) -> tuple[str, ...]:
        """The command, ended by the kernel when the process that started it is gone."""
        return (sys.executable, "-m", "onedoor.dev.leash", str(self.stop_signal), *self.command)

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        """Start it as a child of this process, its output appended to `log`."""
        with log.open("ab") as out:
            return subprocess.Popen(
                self.leashed,
                env=os.environ | self.environment,
                user=self.user,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )


def stop(process: subprocess.Popen[bytes], program: Program) -> None:
    """End it with its own signal, and by force when its patience is over."""
    if process.poll() is None:
        process.send_signal(program.stop_signal)
        try:
            process.wait(program.patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
