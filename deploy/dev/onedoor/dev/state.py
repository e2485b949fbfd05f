"""What a running system leaves for `status`, `down` and the tests to read, in `.onedoor/run`."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import BaseModel, ConfigDict

from onedoor.dev.resolve import Servers


class ServiceState(BaseModel):
    """Where a service answers, and its present process."""

    model_config = ConfigDict(frozen=True)

    url: str
    pid: int | None


class State(BaseModel):
    """The manager, the servers it found or started, the services it keeps running."""

    model_config = ConfigDict(frozen=True)

    manager: int
    started: float
    servers: Servers | None = None
    services: Mapping[str, ServiceState] = {}

    @property
    def alive(self) -> bool:
        """Whether that very manager still runs (process numbers come again, start times do not)."""
        try:
            process = psutil.Process(self.manager)
            return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() == self.started)
        except psutil.NoSuchProcess:
            return False


class Run:
    """The folder `.onedoor/run`."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "run"
        self._state = self._folder / "state.json"
        self._progress = self._folder / "progress.jsonl"

    def begin(self) -> State:
        """The first state of the calling process, the manager; forgets the progress of the run before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._progress.write_text("")
        state = State(manager=os.getpid(), started=psutil.Process().create_time())
        self.write(state)
        return state

    def write(self, state: State) -> None:
        """Replace the state in one step."""
        draft = self._state.with_suffix(".new")
        draft.write_text(state.model_dump_json())
        draft.replace(self._state)

    def read(self) -> State | None:
        """The state that was left, None if none was."""
        try:
            return State.model_validate_json(self._state.read_bytes())
        except FileNotFoundError:
            return None

    def running(self) -> State | None:
        """The state of a manager that runs now."""
        state = self.read()
        return state if state is not None and state.alive else None

    def forget(self) -> None:
        """Nothing runs any more."""
        self._state.unlink(missing_ok=True)

    def report(
        self, step: Literal["begin", "done", "ready", "failed"], part: str = "", detail: str = ""
    ) -> None:
        """Tell whoever waits how far the start is."""
        with self._progress.open("a") as file:
            file.write(json.dumps({"step": step, "part": part, "detail": detail}) + "\n")

    def progress(self, known: int) -> list[dict[str, Any]]:
        """What was reported after the first `known` lines."""
        if not self._progress.is_file():
            return []
        lines = self._progress.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines[known:]]
