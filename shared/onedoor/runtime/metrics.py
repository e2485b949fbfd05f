"""The metrics of a service: one typed catalogue, each with what it says in its help text."""

import math
from dataclasses import dataclass, field
from time import perf_counter

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onedoor.runtime import logs

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)

disable_created_metrics()  # type: ignore[no-untyped-call]

router = APIRouter(tags=["health"])


@dataclass(slots=True)
class Metrics:
    """Every metric there is. Each service process has a registry of its own; labels are few and closed.

    A gauge that the service never sets is NaN, not a reassuring zero. docs/metrics.md says what each is for.
    """

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    events_handled_total: Counter = field(init=False)
    batch_size: Histogram = field(init=False)
    batch_seconds: Histogram = field(init=False)
    inbox_duplicates_total: Counter = field(init=False)
    dead_letters_total: Counter = field(init=False)
    parked_keys: Gauge = field(init=False)
    parked_children: Gauge = field(init=False)
    consumer_stopped: Gauge = field(init=False)
    consumer_lag: Gauge = field(init=False)
    relay_published_total: Counter = field(init=False)
    relay_failed_total: Counter = field(init=False)
    pending_events: Gauge = field(init=False)
    oldest_pending_seconds: Gauge = field(init=False)
    unpublishable_events: Gauge = field(init=False)
    clock_sweep_lag_seconds: Gauge = field(init=False)
    stuck_clocks: Gauge = field(init=False)
    deliveries_total: Counter = field(init=False)
    roster_gaps: Gauge = field(init=False)
    http_requests_total: Counter = field(init=False)
    http_seconds: Histogram = field(init=False)
    log_keys_dropped: Gauge = field(init=False)

    def __post_init__(self) -> None:
        self.events_handled_total = self._counter(
            "events_handled", "Events worked off, with their outcome", "consumer", "type", "outcome"
        )
        self.batch_size = self._histogram("batch_size", "Events in one batch", SIZES, "consumer")
        self.batch_seconds = self._histogram(
            "batch_seconds", "From taking a batch to its acknowledgement", SECONDS, "consumer"
        )
        self.inbox_duplicates_total = self._counter(
            "inbox_duplicates", "Events delivered again and dropped by the inbox", "consumer"
        )
        self.dead_letters_total = self._counter(
            "dead_letters", "Events that could not be handled and were put aside", "consumer"
        )
        self.parked_keys = self._gauge("parked_keys", "Keys that wait behind a dead letter", "consumer")
        self.parked_children = self._gauge(
            "parked_children", "Those of them that may concern a child", "consumer"
        )
        self.consumer_stopped = self._gauge(
            "consumer_stopped",
            "1 while the limit of dead letters in a row has stopped it, else 0",
            "consumer",
        )
        self.consumer_lag = self._gauge(
            "consumer_lag", "Events on the topics that the consumer has not worked off", "consumer"
        )
        self.relay_published_total = self._counter("relay_published", "Events published from the outbox")
        self.relay_failed_total = self._counter("relay_failed", "Sends from the outbox that failed")
        self.pending_events = self._gauge(
            "pending_events", "Events in the outbox that Kafka does not have yet"
        )
        self.oldest_pending_seconds = self._gauge(
            "oldest_pending_seconds", "Age of the oldest of them that can be published"
        )
        self.unpublishable_events = self._gauge(
            "unpublishable_events", "Those of them that were set aside because Kafka will never take them"
        )
        self.clock_sweep_lag_seconds = self._gauge(
            "clock_sweep_lag_seconds", "How long the most overdue step of a clock waits for the sweep"
        )
        self.stuck_clocks = self._gauge("stuck_clocks", "Clocks set aside because their step failed")
        self.deliveries_total = self._counter(
            "deliveries", "Tries to send somebody a message, with what became of it", "outcome"
        )
        self.roster_gaps = self._gauge("roster_gaps", "Places where somebody has to be on duty and nobody is")
        self.http_requests_total = self._counter(
            "http_requests", "Requests answered", "method", "route", "status"
        )
        self.http_seconds = self._histogram(
            "http_seconds", "From a request's head to the end of its answer", SECONDS, "method", "route"
        )
        self.log_keys_dropped = self._gauge(
            "log_keys_dropped", "Keys that the allow-list kept out of the logs since the start"
        )
        self.log_keys_dropped.set_function(logs.dropped_keys)

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(f"onedoor_{name}", help_, labels, registry=self.registry)

    def _gauge(self, name: str, help_: str, *labels: str) -> Gauge:
        gauge = Gauge(f"onedoor_{name}", help_, labels, registry=self.registry)
        if not labels:
            gauge.set(math.nan)
        return gauge

    def _histogram(self, name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"onedoor_{name}", help_, labels, registry=self.registry, buckets=buckets)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


@router.get("/metrics", include_in_schema=False)
async def exposed(request: Request) -> Response:
    """What Prometheus scrapes."""
    return Response(request.app.state.onedoor.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


class HttpMetrics:
    """ASGI middleware: counts and times every request by the template of its route, never by its path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = perf_counter(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            _count(scope, status, perf_counter() - started)


def _count(scope: Scope, status: int, seconds: float) -> None:
    running = getattr(scope["app"].state, "onedoor", None) if "app" in scope else None
    if running is None:
        return
    route = getattr(scope.get("route"), "path", "unmatched")
    metrics: Metrics = running.metrics
    metrics.http_requests_total.labels(scope["method"], route, str(status)).inc()
    metrics.http_seconds.labels(scope["method"], route).observe(seconds)
