"""One trace from a request through outbox, Kafka and every consumer to the last event that follows."""

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import structlog
from fastapi import APIRouter, Request
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

from onedoor.assistance.app import create_app as create_assistance
from onedoor.contracts import codec
from onedoor.contracts.core import SYSTEM, Classification, Envelope
from onedoor.intake.app import create_app as create_intake
from onedoor.notify.app import create_app as create_notify
from onedoor.notify.settings import Settings as NotifySettings
from onedoor.runtime import database as db
from onedoor.runtime import letters, logs, tracing
from onedoor.runtime.access import dev_token
from onedoor.runtime.app import service_app
from onedoor.runtime.clock import Clock
from onedoor.runtime.consumer import Consumer, replay
from onedoor.runtime.letters import Record
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings
from onedoor.runtime.tokens import ensure_dev_key
from onedoor.runtime.unit import Unit
from tests.harness import eventually, no_faust, read_topic
from tests.intake import INCOME
from tests.intake import settings as intake_settings
from tests.integration.toy import TOY, withdrawal
from tests.servers import Servers

MIGRATED = (TOY,)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ASKED = f"00-{TRACE}-00f067aa0ba902b7-01"
PERSONAL = ("贺知秋", "贺小满", "11010519850101001X", "示例路")
TOPICS = ("intake.application", "assistance.case", "notify.referral", "notify.clock")


class Lines:
    """What is logged, one entry a line."""

    def __init__(self) -> None:
        self._out = io.StringIO()

    def capture(self) -> None:
        """From here on; what configures logging anew sends its lines elsewhere."""
        (handler,) = logging.getLogger().handlers
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(self._out)

    def __call__(self, event: str) -> list[dict[str, Any]]:
        entries = [json.loads(line) for line in self._out.getvalue().splitlines()]
        return [entry for entry in entries if entry["event"] == event]


@pytest.fixture
def written() -> Lines:
    logs.configure("toy", Settings(environment="test"))
    lines = Lines()
    lines.capture()
    return lines


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    tracing.configure("test", "0")


class House:
    """Intake, assistance and notify in this process, on real servers, their spans in memory."""

    def __init__(self, kafka: str, suffix: str, clients: dict[str, httpx.AsyncClient]) -> None:
        self.kafka = kafka
        self.suffix = suffix
        self.clients = clients
        self.exporter = InMemorySpanExporter()
        tracing.configure("house", "0", self.exporter)

    async def events(self) -> list[Envelope]:
        return [event for topic in TOPICS for event in await read_topic(self.kafka, topic + self.suffix)]

    async def arrived(self, *types: str) -> list[Envelope]:
        """Everything on the topics once all these types are there."""
        found: list[Envelope] = []

        async def there() -> bool:
            found[:] = await self.events()
            return set(types) <= {event.type for event in found}

        try:
            await eventually(there, 20)
        except AssertionError:
            raise AssertionError(f"{types} among {sorted({event.type for event in found})}") from None
        return found

    def spans(self, kind: SpanKind) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.kind is kind]


@pytest.fixture
async def house(
    servers: Servers, migrated_database: str, topic_suffix: str, tmp_path: Path
) -> AsyncIterator[House]:
    key = ensure_dev_key(tmp_path / "dev.key")
    common: dict[str, Any] = {
        "environment": "test",
        "postgres": migrated_database,
        "kafka": servers.kafka,
        "topic_suffix": topic_suffix,
        "dev_key": key,
    }
    apps = {
        "intake": create_intake(
            intake_settings(migrated_database, tmp_path, servers.kafka, topic_suffix=topic_suffix)
        ),
        "assistance": create_assistance(Settings(**common)),
        "notify": create_notify(NotifySettings(**common)),
    }
    async with AsyncExitStack() as stack:
        clients = {}
        for name, app in apps.items():
            await stack.enter_async_context(app.router.lifespan_context(app))
            clients[name] = await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app=app),
                    base_url=f"http://{name}",
                    headers={"authorization": f"Bearer {dev_token(key, 'everything')}"},
                )
            )
        yield House(servers.kafka, topic_suffix, clients)
    await no_faust()


def trace_of(span: ReadableSpan) -> str:
    return format_trace_id(span.context.trace_id)


def own_id(span: ReadableSpan) -> str:
    return format_span_id(span.context.span_id)


def links_of(span: ReadableSpan) -> list[str]:
    """The traces that it is linked to."""
    return [format_trace_id(link.context.trace_id) for link in span.links]


def worked_in(span: ReadableSpan) -> set[str]:
    """The traces of the events that it worked on."""
    return set(links_of(span)) or {trace_of(span)}


async def test_one_request_is_one_trace_through_all_services(house: House) -> None:
    answer = await house.clients["intake"].post(
        "/v1/applications", json=INCOME, headers={"traceparent": ASKED}
    )
    assert answer.status_code == 201, answer.text
    assert tracing.trace_id(answer.headers["traceresponse"]) == TRACE

    events = await house.arrived("application.received", "case.opened", "referral.drafted")
    assert {tracing.trace_id(event.traceparent) for event in events} == {TRACE}
    assert {event.source for event in events} == {"intake", "assistance", "notify"}
    (asked,) = house.spans(SpanKind.SERVER)
    assert asked.parent is not None
    assert (trace_of(asked), format_span_id(asked.parent.span_id)) == (TRACE, ASKED[36:52])

    by_type = {event.type: event.traceparent or "" for event in events}
    assert by_type["application.received"] == answer.headers["traceresponse"]
    assert by_type["case.opened"][36:52] in {own_id(span) for span in house.spans(SpanKind.CONSUMER)}
    assert {trace for span in house.spans(SpanKind.PRODUCER) for trace in worked_in(span)} == {TRACE}
    assert {trace for span in house.spans(SpanKind.CONSUMER) for trace in worked_in(span)} == {TRACE}
    told = " ".join(span.to_json() for span in house.exporter.get_finished_spans())
    assert not [word for word in PERSONAL if word in told]


class Worked:
    """A toy's consumer on a real database, its spans in memory."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings, exporter: InMemorySpanExporter) -> None:
        self.pool = pool
        self.settings = settings
        self.exporter = exporter

    def consumer(self, service: Service = TOY) -> Consumer:
        unit = Unit(service, self.pool, Clock("test"))
        return Consumer(service, unit, "toy", lambda: db.connect(TOY, self.settings), Metrics(), limit=20)

    async def work(self, *records: Record, service: Service = TOY) -> None:
        consumer = self.consumer(service)
        await consumer.work(records)
        await consumer.close()

    async def followed(self) -> dict[UUID, str]:
        """The `traceparent` of what followed from each event."""
        rows = await self.pool.fetch("select cause, traceparent from events order by position")
        return {row["cause"]: row["traceparent"] for row in rows}

    def spans(self, name: str = "process toy") -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
async def worked(database: str) -> AsyncIterator[Worked]:
    settings = Settings(environment="test", postgres=database)
    exporter = InMemorySpanExporter()
    tracing.configure("toy", "0", exporter)
    async with await db.pool(TOY, settings, "writer") as pool:
        yield Worked(pool, settings, exporter)


def traced(number: int, reason: str | None = None, classification: Classification = "internal") -> Envelope:
    """An event of the trace and the help chain of this number."""
    event = withdrawal(UUID(int=number), reason)
    return replace(event, traceparent=f"00-{number:032x}-{number:016x}-01", classification=classification)


def record(event: Envelope, offset: int) -> Record:
    return Record("intake.application", 0, offset, *codec.encode(event))


async def test_a_batch_has_one_span_and_what_follows_stays_in_the_trace_of_its_cause(worked: Worked) -> None:
    events = [traced(number) for number in range(1, 151)]
    await worked.work(*(record(event, number) for number, event in enumerate(events)))
    (span,) = worked.spans()
    assert span.parent is None
    assert links_of(span) == [tracing.trace_id(event.traceparent) for event in events]
    assert span.attributes == {"messaging.batch.message_count": 150}
    assert await worked.followed() == {
        event.id: f"{(event.traceparent or '')[:35]}-{own_id(span)}-01" for event in events
    }


async def test_an_event_without_a_trace_begins_one(worked: Worked) -> None:
    bare = replace(traced(1), traceparent=None)
    await worked.work(record(bare, 1))
    (span,) = worked.spans()
    begun = (await worked.followed())[bare.id]
    assert (tracing.trace_id(begun), begun[36:52]) == (trace_of(span), own_id(span))


async def test_nothing_is_recorded_and_the_trace_goes_on(worked: Worked) -> None:
    tracing.configure("toy", "0")
    events = [traced(1), traced(2)]
    await worked.work(*(record(event, number) for number, event in enumerate(events)))
    assert worked.spans() == []
    traces = {
        cause: tracing.trace_id(traceparent) for cause, traceparent in (await worked.followed()).items()
    }
    assert traces == {event.id: tracing.trace_id(event.traceparent) for event in events}


async def test_a_letter_keeps_its_trace_and_its_replay_goes_on_in_it(worked: Worked) -> None:
    bad, waiting, good = traced(1, "first"), traced(1, "second"), traced(2)
    bad, waiting = (replace(e, traceparent=f"00-{n:032x}-{n:016x}-01") for e, n in ((bad, 11), (waiting, 12)))
    failing = [RuntimeError(), RuntimeError()]

    async def absorb(conn: Any, events: Sequence[Envelope]) -> None:
        if failing and bad.id in {event.id for event in events}:
            raise failing.pop()

    service = replace(TOY, absorb=absorb)
    await worked.work(*(record(e, n) for n, e in enumerate((bad, waiting, good))), service=service)
    rows = await worked.pool.fetch("select * from dead_letters order by id")
    kept = [letters.stored_record(row).header("ce_traceparent") for row in rows]
    assert kept == [bad.traceparent, waiting.traceparent]
    assert [tracing.trace_id(t) for t in (await worked.followed()).values()] == [f"{2:032x}"]

    consumer = worked.consumer(service)
    with tracing.span("asked", SpanKind.SERVER, ASKED):
        await replay(consumer, worked.pool, rows[0]["id"], "test", discard=False)
    await consumer.close()
    spans = worked.spans("replay")
    assert [(trace_of(span), links_of(span)) for span in spans] == [
        (f"{11:032x}", [TRACE]),
        (f"{12:032x}", [TRACE]),
    ]
    followed = await worked.followed()
    assert [followed[event.id] for event in (bad, waiting)] == [
        f"00-{trace_of(span)}-{own_id(span)}-01" for span in spans
    ]


@pytest.mark.parametrize(
    ("classification", "chain"),
    [("internal", str(UUID(int=1))), ("restricted", str(UUID(int=1))), ("child", None)],
)
async def test_the_line_of_a_dead_letter_names_trace_and_chain_but_never_a_childs_chain(
    worked: Worked, written: Lines, classification: Classification, chain: str | None
) -> None:
    events = [traced(2), traced(1, "boom", classification), traced(3)]
    await worked.work(*(record(event, number) for number, event in enumerate(events)))
    (line,) = written("dead letter")
    assert (line["trace_id"], line.get("chain_id")) == (f"{1:032x}", chain)


async def test_what_cannot_be_decoded_still_names_its_trace(worked: Worked, written: Lines) -> None:
    whole = record(traced(1), 1)
    await worked.work(whole._replace(value=b"{"))
    (line,) = written("dead letter")
    assert (line["trace_id"], line.get("chain_id")) == (f"{1:032x}", None)


async def test_a_wait_for_postgres_names_its_trace(worked: Worked, written: Lines) -> None:
    failures = [OSError()]

    async def absorb(conn: Any, events: Sequence[Envelope]) -> None:
        if failures:
            raise failures.pop()

    await worked.work(record(traced(1), 1), service=replace(TOY, absorb=absorb))
    (line,) = written("postgres unreachable, waiting")
    assert (line["trace_id"], line["chain_id"]) == (f"{1:032x}", str(UUID(int=1)))


async def test_each_command_leaves_a_line_by_which_its_trace_and_its_chain_are_found(
    worked: Worked, written: Lines, servers: Servers, topic_suffix: str
) -> None:
    router = APIRouter()

    @router.post("/count/{chain}")
    async def count(request: Request, chain: UUID) -> None:
        async with request.app.state.onedoor.unit.transaction() as tx:
            await tx.execute(*TOY.react(withdrawal(chain)), actor=SYSTEM)

    @router.get("/look")
    async def look() -> None: ...

    broker = {"kafka": servers.kafka, "topic_suffix": topic_suffix}
    app = service_app(replace(TOY, routers=(router,), reads=()), worked.settings.model_copy(update=broker))
    written.capture()
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://toy") as client:
            await client.post(f"/count/{UUID(int=7)}", headers={"traceparent": ASKED})
            await client.post("/count/no-id")
            await client.get("/look")
    (done,) = written("done")
    assert (done["method"], done["route"], done["status"]) == ("POST", "/count/{chain}", 200)
    assert (done["trace_id"], done["chain_id"]) == (TRACE, str(UUID(int=7)))


async def test_the_lines_of_a_request_name_its_trace_and_the_chain_that_its_command_was_about(
    worked: Worked, written: Lines
) -> None:
    router = APIRouter()

    @router.post("/count/{chain}")
    async def count(request: Request, chain: UUID) -> None:
        async with request.app.state.onedoor.unit.transaction() as tx:
            await tx.execute(*TOY.react(withdrawal(chain)), actor=SYSTEM)
            raise RuntimeError

    service = replace(TOY, routers=(router,), reads=())
    app = service_app(service, worked.settings)
    written.capture()
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://toy") as client:
            answer = await client.post(f"/count/{UUID(int=7)}", headers={"traceparent": ASKED})
            assert answer.status_code == 500
            await client.post("/count/no-id")
    (line,) = written("request failed")
    assert (line["trace_id"], line["chain_id"]) == (TRACE, str(UUID(int=7)))
