"""Structured logs without personal data: an allow-list of keys, masked patterns, tracebacks without values.

Both structlog and the standard library's logging (uvicorn, Faust, aiokafka) end in one formatter. Messages
are written in English, so that Chinese characters in them can only stem from data: they are masked too.
"""

import logging
import logging.config
import re
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from traceback import extract_tb
from types import TracebackType
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from onedoor.contracts.core import Envelope, Personal
from onedoor.contracts.registry import EVENTS
from onedoor.runtime import tracing
from onedoor.runtime.settings import Settings

Entry = MutableMapping[str, Any]

ALLOWED = frozenset(
    {
        "event", "level", "timestamp", "logger", "service", "instance", "chain_id", "event_id", "trace_id",
        "application_id", "referral_id", "case_id", "clock_id", "letter_id", "cause", "type", "version",
        "outcome", "consumer", "topic", "topics", "partition", "partitions", "offset", "group", "lag",
        "attempt", "count", "size", "batch", "seconds", "milliseconds", "status", "method", "route", "role",
        "department", "division", "rule", "duty", "programme", "stream", "phase", "task", "signal", "host",
        "port", "environment", "error", "sqlstate", "constraint", "table", "dropped_keys", "epoch", "state",
        "code", "child", "kind", "reason_code",
    }
)  # fmt: skip
"""The keys that may be logged; whatever else is dropped and counted."""

MASK = "***"
_OWN = frozenset({"exc_info", "_record", "_from_structlog"})
_NOISE = frozenset({"color_message"})
_PATTERNS = re.compile(
    r"(?<![0-9a-f])[0-9]{17}[0-9Xx](?![0-9a-f])"  # resident identity number; hexadecimal ids are none
    r"|(?<![0-9a-f])[0-9]{15}(?![0-9a-f])"  # its old form
    r"|(?<![0-9a-f])(?:\+?86[- ]?)?1[3-9][0-9](?:[- ]?[0-9]{4}){2}(?![0-9a-f])"  # mobile phone
    r"|(?<![0-9a-f-])0[0-9]{2,3}-[0-9]{7,8}(?![0-9a-f])"  # fixed line
    r"|[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+(?:·[\u3400-\u9fff]+)*"  # Chinese text
)

_dropped = 0


def dropped_keys() -> int:
    """How many keys the allow-list has kept out since the process started."""
    return _dropped


def mask(text: str) -> str:
    """The text without identity numbers, phone numbers and Chinese characters."""
    return _PATTERNS.sub(MASK, text)


@lru_cache(maxsize=1)
def personal_keys() -> frozenset[str]:
    """The names of all fields of events that carry the `Personal` annotation."""
    return frozenset(
        name
        for event in EVENTS
        for name, field in event.model_fields.items()
        if any(isinstance(mark, Personal) for mark in field.metadata)
    )


def keep_allowed(logger: Any, method: str, entry: Entry) -> Entry:
    """Processor: drop what is not on the allow-list or is personal, mask the rest."""
    global _dropped
    kept: Entry = {}
    for key, value in entry.items():
        if key in _OWN:
            kept[key] = value
        elif key in ALLOWED and key not in personal_keys():
            kept[key] = _clean(value)
    lost = sum(key not in kept and key not in _NOISE for key in entry)
    if lost:
        _dropped += lost
        kept["dropped_keys"] = lost
    return kept


def first_line(logger: Any, method: str, entry: Entry) -> Entry:
    """Processor: further lines show what asyncio and others hold, such as an exception with its message."""
    entry["event"] = str(entry["event"]).split("\n", 1)[0]
    return entry


def _clean(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return _number(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(each) for each in value]
    if isinstance(value, str):
        return mask(value)
    return f"<{type(value).__name__}>"


def _number(value: float | None) -> Any:
    """A number may be an identity or phone number that somebody logged as one."""
    return value if value is None or mask(str(value)) == str(value) else MASK


def render_exception(logger: Any, method: str, entry: Entry) -> Entry:
    """Processor: an exception as types and places; its message may hold what somebody entered."""
    info = entry.pop("exc_info", None)
    if not info:
        return entry
    error = _exception(info)
    if error is not None:
        entry["raised"] = [_frames(each) for each in _chain(error)]
    return entry


def _exception(info: Any) -> BaseException | None:
    if isinstance(info, BaseException):
        return info
    return info[1] if isinstance(info, tuple) else sys.exc_info()[1]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _frames(error: BaseException) -> dict[str, Any]:
    shown: dict[str, Any] = {"error": type(error).__qualname__, "at": _places(error.__traceback__)}
    if isinstance(error, asyncpg.PostgresError):
        shown |= {"sqlstate": error.sqlstate, "constraint": getattr(error, "constraint_name", None)}
    return shown


def _places(traceback: TracebackType | None) -> list[str]:
    return [
        f"{frame.filename.rsplit('onedoor/', 1)[-1]}:{frame.lineno} {frame.name}"
        for frame in extract_tb(traceback)
    ]


@dataclass(slots=True)
class _Subject:
    """What is being worked on, as far as it is known yet; changed: whether anything has happened to it."""

    chain_id: UUID | None = None
    changed: bool = False


_subject: ContextVar[_Subject | None] = ContextVar("subject", default=None)


@contextmanager
def subject() -> Iterator[None]:
    """A request or a batch: inside, every line carries the help chain that `about` has named."""
    token = _subject.set(_Subject())
    try:
        yield
    finally:
        _subject.reset(token)


def about(event: Envelope) -> None:
    """From here on, lines of this request or batch concern the event's help chain.

    A child's chain is not named: whoever reads logs sees children as a number, never an id.
    """
    known = _subject.get()
    if known is not None:
        known.changed = True
        known.chain_id = None if event.classification == "child" else getattr(event.data, "chain_id", None)


def changed() -> bool:
    """Whether this request or batch has made anything happen."""
    known = _subject.get()
    return known is not None and known.changed


def located(logger: Any, method: str, entry: Entry) -> Entry:
    """Processor: the trace that a line belongs to, and the help chain where it is known."""
    trace_id, known = tracing.current_trace_id(), _subject.get()
    if trace_id is not None:
        entry.setdefault("trace_id", trace_id)
    if known is not None and known.chain_id is not None:
        entry.setdefault("chain_id", known.chain_id)
    return entry


def configure(service: str, settings: Settings) -> None:
    """Send all logs of the process, structlog's and the standard library's, to standard output.

    One JSON object a line, or readable lines with `log_format="console"`. Calling it again replaces it.
    """
    shared = _shared(service, settings.instance)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared[:1], structlog.stdlib.ExtraAdder(), first_line, *shared[1:]],
        processors=_last(settings.log_format),
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    _quieten()


def _shared(service: str, instance: str) -> list[Callable[..., Any]]:
    def named(logger: Any, method: str, entry: Entry) -> Entry:
        entry["service"], entry["instance"] = service, instance
        return entry

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        located,
        named,
    ]


def _last(log_format: str) -> list[Callable[..., Any]]:
    renderer: Callable[..., Any] = (
        structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
        if log_format == "console"
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    return [keep_allowed, render_exception, remove, renderer]


def _quieten() -> None:
    """Loggers of libraries: warnings only, and no log of addresses, which may hold what somebody searched."""
    for name in ("aiokafka", "kafka", "faust", "mode", "alembic", "asyncio", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
