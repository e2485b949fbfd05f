"""The logs of all processes as one readable stream."""

import json
import time
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.3
_LEFT_OUT = frozenset({"timestamp", "level", "event", "service", "logger"})


def readable(line: str, name: str) -> str:
    """`HH:MM:SS service LEVEL event key=value`, local time; a line that is no JSON keeps its text."""
    entry = _entry(line)
    if entry is None:
        return f"{'':8} {name:13} {'':7} {line}"
    rest = " ".join(f"{key}={_value(value)}" for key, value in entry.items() if key not in _LEFT_OUT)
    level = str(entry.get("level", "")).upper()
    service = str(entry.get("service", name))
    return f"{_clock(entry.get('timestamp'))} {service:13} {level:7} {entry.get('event', '')} {rest}".rstrip()


def _entry(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if " " in text else text


def _clock(stamp: Any) -> str:
    try:
        return datetime.fromisoformat(str(stamp)).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return f"{'':8}"


class Tail:
    """One growing file that may be rotated away.

    Begins `back` lines before its present end, with its first line if it is new (not `seen` before).
    """

    def __init__(self, path: Path, back: int = 0, seen: bool = True) -> None:
        self.name = path.stem
        self._path = path
        self._inode = 0
        self._offset = 0
        self._rest = b""
        self._waiting = self._last(back) if seen else []

    def _last(self, back: int) -> list[str]:
        if not self._path.is_file():
            return []
        self._inode = self._path.stat().st_ino
        content = self._path.read_bytes()
        self._offset = content.rfind(b"\n") + 1
        return content[: self._offset].decode(errors="replace").splitlines()[-back:] if back else []

    def lines(self) -> list[str]:
        """What came since the last call."""
        waiting, self._waiting = self._waiting, []
        if not self._path.is_file():
            return waiting
        stat = self._path.stat()
        if stat.st_ino != self._inode or stat.st_size < self._offset:
            self._inode, self._offset, self._rest = stat.st_ino, 0, b""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        self._offset += len(new)
        *whole, self._rest = (self._rest + new).split(b"\n")
        return waiting + [line.decode(errors="replace") for line in whole]


class Logs:
    """Every log of a folder, or those named, from `back` lines before their present end."""

    def __init__(self, folder: Path, names: Collection[str] = (), back: int = 0) -> None:
        self._folder = folder
        self._names = names
        self._tails = {path: Tail(path, back) for path in self._wanted()}

    def _wanted(self) -> list[Path]:
        files = sorted(self._folder.glob("*.log"))
        return [path for path in files if not self._names or path.stem in self._names]

    def lines(self) -> Iterator[str]:
        """Readable lines that came since the last call."""
        for path in self._wanted():
            if path not in self._tails:
                self._tails[path] = Tail(path, back=0, seen=False)
        for tail in self._tails.values():
            yield from (readable(line, tail.name) for line in tail.lines() if line.strip())

    def follow(self) -> Iterator[str]:
        """Readable lines as they come, for ever."""
        while True:
            yield from self.lines()
            time.sleep(_POLL_SECONDS)
