"""Service defaults in one call: `service_app` makes a running service out of a `Service`.

HTTP and stream fail apart: the stream, the relay and every background task are supervised tasks of the
lifespan. What ends unexpectedly ends the process, and the process manager starts it again.
"""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import asyncpg
import uvicorn
from fastapi import FastAPI

from onedoor.contracts.events.intake import ALARM
from onedoor.runtime import (
    database,
    health,
    http,
    idempotency,
    letters,
    letters_api,
    logs,
    outbox_api,
    problems,
    tracing,
)
from onedoor.runtime.clock import Clock
from onedoor.runtime.consumer import Consumer
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.relay import Relay, kafka_producer
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings
from onedoor.runtime.stream import BareReader, FaustReader, Reader, exit_stalled, watch_progress
from onedoor.runtime.unit import Unit

log = logging.getLogger(__name__)

CRASHED_EXIT = 71
_STOP_SECONDS = 12.0
"""Longer than Faust's own orderly stop."""
GARBAGE_THRESHOLD = 50_000
"""Objects; more than a batch makes, so that what its end frees by itself is not searched meanwhile."""


@dataclass(slots=True)
class App:
    """What a running service is made of; handlers find it as `request.app.state.onedoor`.

    status: what the service adds to `/health/ready`.
    """

    service: Service
    settings: Settings
    writer: asyncpg.Pool
    reader: asyncpg.Pool
    unit: Unit
    clock: Clock
    metrics: Metrics
    consumers: tuple[Consumer, ...] = ()
    status: dict[str, Any] = field(default_factory=dict)

    @property
    def stream(self) -> str:
        """`running`, `waiting` (for the broker) or `stopped` (by the limit): the worst of its consumers."""
        phases = {consumer.state.phase for consumer in self.consumers}
        return next((phase for phase in ("stopped", "waiting") if phase in phases), "running")


class _Api(FastAPI):
    """An application whose description is made when somebody asks for it, not at each start."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            http.describe([self.router])
        return super().openapi()


def service_app(service: Service, settings: Settings) -> FastAPI:
    """The service as an ASGI application. Nothing is opened before its lifespan starts."""
    logs.configure(service.name, settings)
    tracing.configure(service.name, settings.instance)

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        try:
            async with _running(service, settings) as app:
                api.state.onedoor = app
                yield
        finally:
            await tracing.close()

    api = _Api(
        title=f"OneDoor {service.name}",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=problems.RESPONSES,
    )
    problems.install(api)
    http.install(api, settings.body_limit)
    common = [health.router]
    if service.reads:
        common.append(letters_api.router)
    if service.deciders:
        common.append(outbox_api.router)
    for router in (*common, *service.routers):
        api.include_router(router)
    return api


@asynccontextmanager
async def _running(service: Service, settings: Settings) -> AsyncIterator[App]:
    writer = await database.pool(service, settings, "writer")
    reader = await database.pool(service, settings, "reader")
    clock, metrics = Clock(settings.environment), Metrics()
    unit = Unit(service, writer, clock)
    app = App(service, settings, writer, reader, unit, clock, metrics)
    readers = _readers(app)
    app.consumers = tuple(reader.consumer for reader in readers)
    tasks = [_supervised(name, work) for name, work in _work(app, readers)]
    try:
        yield app
    finally:
        for task in tasks:
            task.remove_done_callback(_end_process)
        await asyncio.gather(*(reader.finish() for reader in readers))
        await _stopped(tasks)
        for consumer in app.consumers:
            await consumer.close()
        writer.terminate()
        reader.terminate()


async def _stopped(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel until all are over: a library may swallow a cancellation that comes while it connects."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_STOP_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)


def _readers(app: App) -> list[Reader]:
    """One reader for all ordinary topics, and one of its own for the alarms."""
    service, settings = app.service, app.settings

    def consumer(group: str, alarm: bool) -> Consumer:
        return Consumer(
            service,
            app.unit,
            group + settings.topic_suffix,
            partial(database.connect, service, settings),
            app.metrics,
            settings.letters_in_a_row,
            alarm,
        )

    ordinary = [topic for topic in service.reads if topic != ALARM]
    readers: list[Reader] = []
    if ordinary:
        kind = BareReader if service.bulk else FaustReader
        readers.append(kind(consumer(service.name, alarm=False), ordinary, settings))
    if ALARM in service.reads:
        readers.append(BareReader(consumer(f"{service.name}-alarm", alarm=True), [ALARM], settings, batch=50))
    return readers


def _work(app: App, readers: list[Reader]) -> list[tuple[str, Coroutine[Any, Any, None]]]:
    settings = app.settings
    connect = partial(database.connect, app.service, settings)
    producer = partial(kafka_producer, settings.kafka)
    relay = Relay(app.service, connect, producer, app.metrics, settings.topic_suffix)
    work: list[tuple[str, Coroutine[Any, Any, None]]] = [
        ("clock", app.clock.follow(connect)),
        ("idempotency", idempotency.keep_tidy(app.writer)),
        ("observe", _observe(app)),
    ]
    if app.service.deciders or readers:
        work.append(("relay", relay.run()))
    for reader in readers:
        work.append((reader.consumer.group, reader.run()))
        work.append(("watch", watch_progress(reader, app.metrics, settings.stall_seconds, exit_stalled)))
    work.extend((task.__name__, task(app)) for task in app.service.background)
    return work


async def _observe(app: App) -> None:
    """Keep the gauges that only the database knows, every ten seconds."""
    while True:
        with suppress(*database.UNREACHABLE):
            (outbox,) = await app.writer.fetch(letters.OUTBOX)
            app.metrics.pending_events.set(outbox["pending"])
            app.metrics.oldest_pending_seconds.set(outbox["oldest"])
            app.metrics.unpublishable_events.set(outbox["failed"])
            counts = {row["consumer"]: row for row in await app.writer.fetch(letters.COUNTS)}
            stopped = {row["consumer"] for row in await app.writer.fetch("select consumer from stopped")}
            for consumer in app.consumers:
                group, count = consumer.group, counts.get(consumer.group)
                consumer.note_stopped(group in stopped)
                app.metrics.consumer_stopped.labels(group).set(group in stopped)
                app.metrics.parked_keys.labels(group).set(count["parked"] if count else 0)
                app.metrics.parked_children.labels(group).set(count["children"] if count else 0)
        await asyncio.sleep(10)


def _supervised(name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task whose unexpected end is the process's end."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_end_process)
    return task


def _end_process(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    log.critical("task ended", extra={"task": task.get_name()}, exc_info=error)
    os._exit(CRASHED_EXIT)


def main(
    service: Service, create_app: Callable[[Settings], FastAPI], settings_type: Callable[[], Settings]
) -> None:
    """The command line of a service: `run` serves until SIGTERM, `migrate` prepares the database."""
    parser = argparse.ArgumentParser(prog=f"python -m onedoor.{service.schema}")
    parser.add_argument("what", choices=["run", "migrate"])
    what = parser.parse_args().what
    settings = settings_type()
    if what == "migrate":
        from onedoor.runtime.migrate import migrate

        asyncio.run(migrate(service, settings))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    api = create_app(settings)
    _spare_the_collector()
    code: object = 0
    try:
        uvicorn.run(
            api,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
        )
    except SystemExit as ended:
        code = ended.code
    logging.shutdown()
    # Faust's thread is no daemon: with the broker away it would keep a stopped process for ever.
    os._exit(code if isinstance(code, int) else 1)


def _spare_the_collector() -> None:
    """What was imported stays for good: searching it for garbage cost a quarter of the time per event.

    Not even once at the start, where it would take a third of the time.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
