"""Traces: W3C trace context from HTTP through outbox and Kafka, and spans where somebody collects them.

Without an exporter nothing is recorded; ids are made and handed on all the same, so that one trace id stands
in the logs and events of all services. Neither FastAPI's own telemetry nor the recording of exceptions is
used: paths, queries and messages of exceptions may hold what somebody entered.
"""

import asyncio
import os
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

from opentelemetry import context, trace
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = [
    "SpanKind",
    "batch",
    "close",
    "configure",
    "current",
    "current_trace_id",
    "followed",
    "fresh",
    "headers",
    "parsed",
    "span",
    "trace_id",
]

MAX_LINKS = 1000
"""More than any batch has; the SDK's own limit is 128."""
CLOSING = "tracing closes"
FLUSH_SECONDS = 3.0

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")

_KNOWN_FLAGS = 0b11
"""Recorded by the caller; random in all of its id. Bits that W3C has not given a meaning stay behind."""

_ids = random.Random()  # noqa: S311 - no secret; its own, so that nobody's seed repeats ids
os.register_at_fork(after_in_child=_ids.seed)
_provider: "TracerProvider | None" = None
_tracer: trace.Tracer | None = None


def configure(service: str, instance: str, exporter: "SpanExporter | None" = None) -> None:
    """Record spans if there is somewhere to send them: what OpenTelemetry's variables name, or an exporter.

    `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`) is enough; `OTEL_TRACES_EXPORTER`, the sampler and
    the rest mean what OpenTelemetry says. Calling it again replaces what was configured. Raises ValueError
    for an exporter that is not at hand.
    """
    global _provider, _tracer
    _provider = _tracer = None
    processor = _processor() if exporter is None else _at_once(exporter)
    if processor is not None:
        _provider = _provider_of(service, instance, processor)
        _tracer = _provider.get_tracer("onedoor")


async def close() -> None:
    """Send what is recorded and not sent yet, for three seconds at most; afterwards nothing is recorded."""
    global _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    if provider is None:
        return
    sent, loop = asyncio.Event(), asyncio.get_running_loop()

    def shut() -> None:
        provider.shutdown()
        with suppress(RuntimeError):  # the loop has closed: nobody waits any more
            loop.call_soon_threadsafe(sent.set)

    # A daemon: an executor thread would hold up the end of the process while the collector is away.
    Thread(target=shut, name=CLOSING, daemon=True).start()
    with suppress(TimeoutError):
        await asyncio.wait_for(sent.wait(), FLUSH_SECONDS)


def _at_once(exporter: "SpanExporter") -> "SpanProcessor":
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    return SimpleSpanProcessor(exporter)


def _processor() -> "SpanProcessor | None":
    """Imported only where it is wanted: it costs a good tenth of a second at the start."""
    named = any(map(os.environ.get, _ENDPOINTS))
    asked = os.environ.get("OTEL_TRACES_EXPORTER") or ("otlp" if named else "none")
    if asked == "none" or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if asked != "otlp":
        raise ValueError(f"OTEL_TRACES_EXPORTER is {asked!r}; OneDoor has otlp and none")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter())


def _provider_of(service: str, instance: str, processor: "SpanProcessor") -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider

    resource = {"service.namespace": "onedoor", "service.name": service, "service.instance.id": instance}
    limits = SpanLimits(max_links=MAX_LINKS)
    provider = TracerProvider(resource=Resource.create(resource), span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider


@contextmanager
def span(
    name: str,
    kind: SpanKind,
    parent: str | None = None,
    links: Iterable[str | None] = (),
    attributes: Mapping[str, str | int] | None = None,
) -> Iterator[Span]:
    """A span that is current inside the block. Without a parent it begins a trace of its own.

    parent and links are `traceparent`s, malformed ones none. An exception ends the span as an error with its
    type alone.
    """
    above = parsed(parent)
    if _tracer is None:
        started = _unrecorded(above)
    else:
        linked = [Link(found) for found in map(parsed, dict.fromkeys(links)) if found is not None]
        started = _tracer.start_span(name, _below(above), kind, attributes, linked)
    token = context.attach(trace.set_span_in_context(started))
    try:
        yield started
    except Exception as error:
        started.set_status(StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        context.detach(token)
        started.end()


def batch(
    name: str,
    kind: SpanKind,
    size: int,
    causes: Iterable[str | None],
    attributes: Mapping[str, str | int] | None = None,
) -> AbstractContextManager[Span]:
    """The one span of a batch of events, whose `traceparent`s are the causes.

    A single event is worked in its own trace; several in a trace of the batch, linked to each of theirs.
    Nothing is done per event unless spans are recorded.
    """
    if size == 1:
        return span(name, kind, next(iter(causes)), (), attributes)
    return span(name, kind, None, causes, attributes)


def _unrecorded(above: SpanContext | None) -> Span:
    """Ids alone. The caller's wish to be recorded travels on to who may fulfil it."""
    trace_id, flags = (above.trace_id, above.trace_flags) if above else (_id(128), TraceFlags(0))
    return NonRecordingSpan(SpanContext(trace_id, _id(64), is_remote=False, trace_flags=flags))


def _below(above: SpanContext | None) -> context.Context:
    empty = context.Context()
    return empty if above is None else trace.set_span_in_context(NonRecordingSpan(above), empty)


def _id(bits: int) -> int:
    """Unlikely to be there twice, no secret; never zero."""
    return _ids.getrandbits(bits) or 1


def parsed(traceparent: str | None) -> SpanContext | None:
    """The context that a W3C `traceparent` names; None if it is none."""
    found = _FORM.fullmatch(traceparent) if traceparent else None
    if found is None:
        return None
    flags = TraceFlags(int(found[3], 16) & _KNOWN_FLAGS)
    return SpanContext(int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=flags)


def trace_id(traceparent: str | None) -> str | None:
    """The trace id of a W3C `traceparent`; None if it is none."""
    found = _FORM.fullmatch(traceparent) if traceparent else None
    return None if found is None else found[1]


def current() -> str | None:
    """The `traceparent` of the current span; None outside of any."""
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return None
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"


def current_trace_id() -> str | None:
    """The id of the current trace, as logs show it; None outside of any."""
    found = trace.get_current_span().get_span_context()
    return f"{found.trace_id:032x}" if found.is_valid else None


def fresh() -> str:
    """The `traceparent` of a trace that begins here, for what no request and no event has caused."""
    return f"00-{_id(128):032x}-{_id(64):016x}-{0 if _tracer is None else 1:02x}"


def followed(cause: str | None, here: str | None) -> str | None:
    """The `traceparent` of what follows from an event: the cause's trace, the current span as its parent.

    cause: the event's own; here: `current()`, which is all there is where the event has none.
    """
    found = _FORM.fullmatch(cause) if cause else None
    return here if found is None or here is None else f"00-{found[1]}-{here[36:52]}-{found[3]}"


def headers() -> dict[str, str]:
    """What a request to another service carries."""
    here = current()
    return {} if here is None else {"traceparent": here}
