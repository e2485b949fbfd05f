"""The logs of all processes as one readable stream."""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
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


Wanted = Callable[[str], bool]


def having(facts: Mapping[str, str]) -> Wanted:
    """Whether a line tells all these facts, by the keys of the log's entries; without facts any line does."""

    def wanted(line: str) -> bool:
        if not all(value in line for value in facts.values()):
            return False
        entry = _entry(line) if facts else {}
        return entry is not None and all(entry.get(key) == value for key, value in facts.items())

    return wanted


_ANY = having({})


def _moment(line: str) -> str:
    return str((_entry(line) or {}).get("timestamp", ""))


class Tail:
    """One growing file that may be rotated away.

    Begins `back` wanted lines before its present end, with its first line if it is new (not `seen` before).
    """

    def __init__(self, path: Path, back: int = 0, seen: bool = True, wanted: Wanted = _ANY) -> None:
        self.name = path.stem
        self._path = path
        self._wanted = wanted
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
        if not back:
            return []
        lines = content[: self._offset].decode(errors="replace").splitlines()
        return [line for line in lines if self._wanted(line)][-back:]

    def lines(self) -> list[str]:
        """What came since the last call and is wanted."""
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
        new_lines = (line.decode(errors="replace") for line in whole)
        return waiting + [line for line in new_lines if self._wanted(line)]


class Logs:
    """Every log of a folder, or those named, from `back` lines before their present end.

    facts: only lines that tell these, such as `{"trace_id": …}`; of all logs in the order of their times.
    """

    def __init__(
        self, folder: Path, names: Collection[str] = (), back: int = 0, facts: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._names = names
        self._facts = facts or {}
        self._tails = {path: Tail(path, back, wanted=having(self._facts)) for path in self._files()}

    def _files(self) -> list[Path]:
        files = sorted(self._folder.glob("*.log"))
        return [path for path in files if not self._names or path.stem in self._names]

    def lines(self) -> Iterator[str]:
        """Readable lines that came since the last call."""
        for path in self._files():
            if path not in self._tails:
                self._tails[path] = Tail(path, back=0, seen=False, wanted=having(self._facts))
        found = [(line, tail.name) for tail in self._tails.values() for line in tail.lines() if line.strip()]
        if self._facts:
            found.sort(key=lambda each: _moment(each[0]))
        for line, name in found:
            yield readable(line, name)

    def follow(self) -> Iterator[str]:
        """Readable lines as they come, for ever."""
        while True:
            yield from self.lines()
            time.sleep(_POLL_SECONDS)
