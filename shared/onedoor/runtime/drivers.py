"""What the house changes of Faust and aiokafka, each with its reason; `faust_app` puts it together.

`tests/integration/test_faust_canaries.py` pins what is mended here: an upgrade says there what can go.
"""

import asyncio
import os
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import faust
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from faust.contrib.asgi import faust_app_running
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka
from faust.types import TP, Message
from mode.supervisors import CrashingSupervisor
from mode.utils.times import Seconds

from onedoor.runtime.settings import Settings

PIECES = 2
SESSION_SECONDS = 10.0
HEARTBEAT_SECONDS = 1.0
STOP_SECONDS = 10.0
MAX_POLL_SECONDS = 30 * 24 * 3600.0
"""PostgreSQL may be away for long. Once it passes this, Faust never reads again (it stops its own polling and
waits for it); that nothing moves is found by `watch_progress`, not by Kafka."""


def heedful(reader: AIOKafkaConsumer) -> AIOKafkaConsumer:
    """Have it ask again what is committed while the group's coordinator moves or loads.

    aiokafka overlooks that error: it takes it that nothing is committed, and begins the topic anew.
    """
    client: Any = reader._client
    send = client.send

    async def checked(node: int, request: Any, **more: Any) -> Any:
        answer = await send(node, request, **more)
        code = getattr(answer, "error_code", 0) if isinstance(request, OffsetFetchRequest) else 0
        if code:
            raise for_code(code)
        return answer

    client.send = checked
    return reader


class _Thread(aiokafka.AIOKafkaConsumerThread):
    """Faust drops what it fetches during a rebalance and seeks back to what is committed.

    Where nothing is committed yet it would go on behind what it dropped: there it begins at the beginning.
    """

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> AIOKafkaConsumer:
        return heedful(super()._create_consumer(loop))

    async def stop(self) -> None:
        """Also while it starts: Faust's own stop passes over a thread that has only just begun."""
        while self._thread is not None and self._thread.is_alive() and not self._started.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await super().stop()

    async def seek_to_committed(self) -> Mapping[TP, int]:
        committed: dict[TP, int] = await self.call_thread(self._seek_to_committed)
        return committed

    async def _seek_to_committed(self) -> dict[TP, int]:
        """In the thread of the consumer, so that no rebalance comes between."""
        reader = self._ensure_consumer()
        committed: dict[TP, int] = await reader.seek_to_committed()
        untouched = [tp for tp, offset in committed.items() if not offset]
        first = await reader.beginning_offsets(untouched)
        for tp in reader.assignment() & first.keys():
            reader.seek(tp, first[tp])
        return committed


class _Consumer(aiokafka.Consumer):
    """Faust's consumer, through which all that a fetch brought of a partition goes as one piece.

    Faust makes four tasks, a lock and several awaits of a message on its way to the agent. Here it takes a
    piece for a message; the messages in it are acknowledged one by one.
    """

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """The next fetch; what a rebalance finds not yet given is dropped, and sought back by `_Thread`."""
        fetched: dict[TP, list[Message]] = defaultdict(list)
        async for tp, message in super().getmany(timeout):
            fetched[tp].append(message)
        for tp, messages in fetched.items():
            await self._note_gaps(tp, messages)
            if not self.flow_active:
                return
            self._read_offset[tp] = messages[-1].offset
            yield tp, _piece(messages)

    async def _note_gaps(self, tp: TP, messages: Sequence[Message]) -> None:
        """Compaction leaves offsets out; noted, they do not stand in the way of a commit."""
        before: int | None = self._read_offset[tp]
        for message in messages:
            if before is not None and message.offset - before > 1:
                await self._add_gap(tp, before + 1, message.offset - 1)
            before = message.offset

    def on_buffer_full(self, tp: TP) -> None:
        """A full buffer holds up the fetching by itself.

        Faust takes the partition out instead, and where none is left it sleeps for a second.
        """

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust only logs here, and crashes where a partition's position is not known at the moment.

        What stalls is found by `watch_progress`.
        """


def _piece(messages: list[Message]) -> Message:
    last, value = messages[-1], cast(Any, messages)
    return Message(
        last.topic,
        last.partition,
        last.offset,
        last.timestamp,
        last.timestamp_type,
        headers=None,
        key=None,
        value=value,
        checksum=None,
        tp=last.tp,
        generation_id=last.generation_id,
    )


class _Transport(aiokafka.Transport):
    Consumer = _Consumer


class _NoTables(TableManager):
    """Faust waits for a second, each time it starts, whether tables come. The house has none."""

    async def sleep(self, n: Seconds) -> None:
        """Not at all."""


def faust_app(name: str, settings: Settings) -> faust.App:
    """A Faust app with the settings that keep the house's rules of the stream true."""
    app = faust.App(
        name,
        broker=f"kafka://{settings.kafka}",
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        agent_supervisor=CrashingSupervisor,
        stream_wait_empty=False,
        stream_publish_on_commit=False,
        stream_buffer_maxsize=PIECES,
        broker_commit_interval=1.0,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        broker_max_poll_records=500,
        broker_max_poll_interval=MAX_POLL_SECONDS,
        datadir=Path(tempfile.gettempdir(), f"onedoor-{os.getuid()}-{name}"),
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"{name}-{settings.instance}",
        key_serializer="raw",
        value_serializer="raw",
        loghandlers=[],
        TableManager=_NoTables,
    )
    app.transport = _Transport(app.conf.broker_consumer, app)
    return app


def add_agent(
    app: faust.App, name: str, topics: Sequence[str], work: Callable[[Any], Awaitable[None]]
) -> None:
    """As `app.agent` does, which would search all that was imported for the place where it was called."""
    channel = app.topic(*topics, key_type=bytes, value_type=bytes)
    agent = cast(Any, app.conf).Agent(
        work, name=name, app=app, channel=channel, concurrency=1, on_error=app._on_agent_error
    )
    app.agents[agent.name] = agent
    app.topics.beacon.add(agent)


@asynccontextmanager
async def running(app: faust.App) -> AsyncIterator[None]:
    """The app, started; stopped at the end, also where its start is cut short.

    Faust leaves it then as it is, and its thread would keep the process alive for ever.
    """
    try:
        async with faust_app_running(app, stop_timeout=STOP_SECONDS):
            yield
    finally:
        if app.started:
            await asyncio.wait_for(app.stop(), STOP_SECONDS)
