"""Trace context: what is read from a `traceparent`, what follows from it, and what a span tells."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

from onedoor.contracts.core import Actor
from onedoor.desk.remote import Services
from onedoor.desk.session import Session
from onedoor.desk.settings import Settings as DeskSettings
from onedoor.runtime import http, problems, tracing
from onedoor.runtime.tracing import SpanKind

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
UNSAMPLED = f"00-{TRACE}-{SPAN}-00"
MALFORMED = (
    None,
    "",
    f"00-{TRACE}-{SPAN}",
    f"00-{TRACE.upper()}-{SPAN}-01",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"ff-{TRACE}-{SPAN}-01",
    f"00-{TRACE}-{SPAN}-01-more",
    f"00-张三-{SPAN}-01",
)


@pytest.fixture(autouse=True)
def _not_recorded() -> Iterator[None]:
    tracing.configure("toy", "0")
    yield
    tracing.configure("toy", "0")


@pytest.fixture
def recorded() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    tracing.configure("toy", "0", exporter)
    return exporter


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


def trace_of(span: ReadableSpan) -> str:
    return format_trace_id(span.context.trace_id)


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_traceparent_begins_a_trace(text: str | None) -> None:
    assert tracing.trace_id(text) is None
    with tracing.span("x", SpanKind.SERVER, text):
        assert tracing.trace_id(tracing.current()) not in (None, TRACE)


@pytest.mark.parametrize("recording", [False, True])
@pytest.mark.parametrize("parent", [PARENT, UNSAMPLED])
def test_a_span_continues_the_trace_with_an_id_of_its_own(recording: bool, parent: str) -> None:
    if recording:
        tracing.configure("toy", "0", InMemorySpanExporter())
    with tracing.span("x", SpanKind.SERVER, parent):
        here = tracing.current()
        assert here is not None
        assert tracing.trace_id(here) == tracing.current_trace_id() == TRACE
        assert here[36:52] != SPAN
        assert here[53:] == parent[53:]
        assert tracing.headers() == {"traceparent": here}
    assert tracing.current() is None
    assert tracing.headers() == {}


def test_what_follows_keeps_the_trace_of_its_cause_and_names_the_batch_as_parent() -> None:
    with tracing.span("batch", SpanKind.CONSUMER):
        here = tracing.current()
        assert here is not None
        assert tracing.followed(PARENT, here) == f"00-{TRACE}-{here[36:52]}-01"
        for text in MALFORMED:
            assert tracing.followed(text, here) == here


def test_what_nothing_caused_has_a_trace_of_its_own() -> None:
    assert tracing.parsed(tracing.fresh()) is not None
    assert tracing.fresh() != tracing.fresh()


def test_one_event_is_worked_in_its_own_trace(recorded: InMemorySpanExporter) -> None:
    with tracing.batch("b", SpanKind.CONSUMER, 1, [PARENT]):
        pass
    span = only(recorded)
    assert (trace_of(span), span.links) == (TRACE, ())
    assert span.parent is not None
    assert format_span_id(span.parent.span_id) == SPAN


def test_several_events_are_linked_from_one_span_each_once(recorded: InMemorySpanExporter) -> None:
    causes = [f"00-{n:032x}-{n:016x}-01" for n in range(1, 400)]
    with tracing.batch("b", SpanKind.CONSUMER, 401, [*causes, causes[0], None]):
        pass
    span = only(recorded)
    assert span.parent is None
    assert [link.context.trace_id for link in span.links] == list(range(1, 400))


def test_nothing_is_done_per_event_where_nothing_is_recorded() -> None:
    def causes() -> Iterator[str]:
        raise AssertionError("looked at an event")
        yield ""

    with tracing.batch("b", SpanKind.CONSUMER, 2, causes()):
        assert tracing.current() is not None


def test_an_error_is_told_by_its_type_alone(recorded: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="Li Invented"), tracing.span("x", SpanKind.SERVER):
        raise ValueError("Li Invented")
    span = only(recorded)
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")
    assert "Invented" not in span.to_json()


def test_the_resource_tells_service_and_instance(recorded: InMemorySpanExporter) -> None:
    with tracing.span("x", SpanKind.SERVER):
        pass
    told = only(recorded).resource.attributes
    assert (told["service.namespace"], told["service.name"], told["service.instance.id"]) == (
        "onedoor",
        "toy",
        "0",
    )


async def test_after_closing_nothing_is_recorded(recorded: InMemorySpanExporter) -> None:
    await tracing.close()
    with tracing.span("x", SpanKind.SERVER):
        assert tracing.current() is not None
    assert recorded.get_finished_spans() == ()


class Collector(ThreadingHTTPServer):
    """Takes what an exporter sends."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        taken = self.taken

        class Taking(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                taken.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Taking)
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        Thread(target=collector.serve_forever, daemon=True).start()
        yield collector
        collector.shutdown()


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, "/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "/spans"}, "/spans"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_EXPORTER": "otlp"}, "/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_SDK_DISABLED": "true"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_SAMPLER": "always_off"}, None),
    ],
)
async def test_opentelemetrys_own_variables_decide_where_spans_go(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], path: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, collector.url + value if name.endswith("ENDPOINT") else value)
    tracing.configure("toy", "0")
    with tracing.span("a span to be sent", SpanKind.SERVER):
        assert tracing.current() is not None
    await tracing.close()
    assert [place for place, _ in collector.taken] == ([] if path is None else [path])
    assert all(b"a span to be sent" in body for _, body in collector.taken)


async def test_a_collector_that_is_away_does_not_hold_up_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setattr(tracing, "FLUSH_SECONDS", 0.2)
    tracing.configure("toy", "0")
    with tracing.span("x", SpanKind.SERVER):
        pass
    async with asyncio.timeout(2):
        await tracing.close()
    for thread in threading.enumerate():
        if thread.name == tracing.CLOSING:
            await asyncio.to_thread(thread.join, 30)
            assert not thread.is_alive(), "it would draw random numbers while other tests run"


def test_an_exporter_that_is_not_at_hand_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    with pytest.raises(ValueError, match="otlp and none"):
        tracing.configure("toy", "0")


@pytest.fixture
async def client() -> Any:
    app = FastAPI()
    problems.install(app)
    http.install(app, body_limit=1000)

    @app.get("/people/{name}")
    async def person(name: str) -> str | None:
        if name == "boom":
            raise RuntimeError(name)
        return tracing.current()

    @app.get("/health/live")
    async def live() -> str | None:
        return tracing.current()

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_a_request_continues_its_trace_and_the_answer_names_it(
    client: httpx.AsyncClient, recorded: InMemorySpanExporter
) -> None:
    answer = await client.get("/people/Invented?q=Invented", headers={"traceparent": PARENT})
    assert answer.headers["traceresponse"] == answer.json()
    assert tracing.trace_id(answer.json()) == TRACE
    span = only(recorded)
    assert (trace_of(span), span.name, span.kind) == (TRACE, "GET /people/{name}", SpanKind.SERVER)
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": "/people/{name}",
        "http.response.status_code": 200,
    }
    assert "Invented" not in span.to_json()


@pytest.mark.parametrize(("path", "status"), [("/people/boom", 500), ("/nowhere", 404)])
async def test_a_problem_names_its_trace_too(
    client: httpx.AsyncClient, recorded: InMemorySpanExporter, path: str, status: int
) -> None:
    answer = await client.get(path)
    span = only(recorded)
    assert answer.status_code == status
    assert tracing.trace_id(answer.headers["traceresponse"]) == trace_of(span)
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == status


async def test_two_requests_at_once_do_not_share_a_trace(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.get(f"/people/{n}") for n in range(20)))
    assert len({tracing.trace_id(answer.json()) for answer in answers}) == 20


async def test_looking_after_the_process_is_not_traced(
    client: httpx.AsyncClient, recorded: InMemorySpanExporter
) -> None:
    answer = await client.get("/health/live", headers={"traceparent": PARENT})
    assert (answer.json(), answer.headers.get("traceresponse")) == (None, None)
    assert recorded.get_finished_spans() == ()


async def test_the_desk_asks_services_in_the_trace_of_the_page() -> None:
    asked: list[httpx.Request] = []

    def answering(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={})

    services = Services(DeskSettings())
    await services._client.aclose()
    services._client = httpx.AsyncClient(transport=httpx.MockTransport(answering))
    session = Session(Actor(person="p", role="hotline"), "token")
    with tracing.span("GET /", SpanKind.SERVER, PARENT):
        here = tracing.current()
        await services.get(session, "intake", "/v1/x")
        await services.post(session, "notify", "/v1/y", {}, key="k")
    assert [request.headers["traceparent"] for request in asked] == [here, here]
    assert asked[1].headers["idempotency-key"] == "k"
    await services.close()


FORK = """
import os
from onedoor.runtime import tracing
ours, theirs = os.pipe()
if os.fork() == 0:
    os.write(theirs, tracing.fresh().encode())
    os._exit(0)
assert os.read(ours, 100).decode() != tracing.fresh()
"""


def test_a_fork_draws_ids_of_its_own() -> None:
    """In a process by itself: this one has threads, which a fork would not survive."""
    subprocess.run([sys.executable, "-c", FORK], check=True)
