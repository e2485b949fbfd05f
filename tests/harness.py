"""Small tools for tests on real servers: wait for a condition, publish and read events, run a service."""

import asyncio
import os
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from mode.threads import WorkerThread

from onedoor.contracts import codec
from onedoor.contracts.core import Envelope
from onedoor.dev import ports
from tests import nursery

ROOT = Path(__file__).parent.parent
PARTITIONS = 6
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of the services, which speak plain HTTP: httpx would read all authorities for each of them."""


async def eventually(
    condition: Callable[[], Awaitable[bool]], timeout: float = 30, what: str = "", seldom: float = 0.2
) -> None:
    """Wait until the condition holds; AssertionError with `what` when it does not in time.

    seldom: seconds after which it looks again, once it has looked for a while.
    """
    pause = min(0.03, seldom)
    try:
        async with asyncio.timeout(timeout):
            while not await condition():
                await asyncio.sleep(pause)
                pause = min(pause * 1.3, seldom)
    except TimeoutError:
        raise AssertionError(f"not within {timeout} s: {what or condition}") from None


async def no_faust() -> None:
    """Until Faust's threads have ended: they may outlive its stop by a moment, but not the event loop."""

    async def ended() -> bool:
        return not any(isinstance(thread, WorkerThread) for thread in threading.enumerate())

    await eventually(ended, 60, "Faust's threads end")


async def publish(bootstrap: str, topic: str, events: Iterable[Envelope]) -> None:
    """Publish events as a relay would, in order."""
    await publish_raw(bootstrap, topic, [codec.encode(event) for event in events])


async def publish_raw(bootstrap: str, topic: str, messages: Sequence[codec.Message]) -> None:
    """Publish any bytes, in order."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        sent = [await producer.send(topic, m.value, key=m.key, headers=m.headers) for m in messages]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def read_topic(bootstrap: str, topic: str) -> list[Envelope]:
    """Everything on the topic now, partition by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        found: list[Envelope] = []
        for tp in partitions:
            while await consumer.position(tp) < ends[tp]:
                batch = await consumer.getmany(tp, timeout_ms=1000)
                found += [codec.decode(m.key, m.value, m.headers) for m in batch.get(tp, ())]
        return found
    finally:
        await consumer.stop()


class Process:
    """A service as a child process with a log file; `url` is where it answers."""

    def __init__(self, module: str, environment: dict[str, str], log: Path) -> None:
        self.module = module
        self.log = log
        self.port = int(environment.get("ONEDOOR_PORT") or ports.free())
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = os.environ | environment | {"ONEDOOR_PORT": str(self.port)}
        self._child: ForkServerProcess | None = None

    def start(self, **more: str) -> None:
        self._child = nursery.born(self.module, self._environment | more, ROOT, self.log)

    @property
    def pid(self) -> int:
        assert self._child is not None
        assert self._child.pid is not None
        return self._child.pid

    def returncode(self) -> int | None:
        assert self._child is not None
        return self._child.exitcode

    def send(self, signal: int) -> None:
        if self.returncode() is None:
            os.kill(self.pid, signal)

    async def ended(self, timeout: float = 30) -> int:
        """Wait until the process is gone; its return code (negative: the signal)."""

        async def gone() -> bool:
            return self.returncode() is not None

        await eventually(gone, timeout, f"{self.module} ends; {self.tail()}")
        code = self.returncode()
        assert code is not None
        return code

    async def ready(self, timeout: float = 60) -> None:
        """Wait until it answers and its stream runs."""
        async with httpx.AsyncClient(verify=PLAIN) as client:

            async def runs() -> bool:
                if self.returncode() is not None:
                    raise AssertionError(f"{self.module} ended: {self.tail()}")
                try:
                    answer = await client.get(f"{self.url}/health/ready")
                except httpx.TransportError:
                    return False
                return answer.status_code == 200 and answer.json().get("stream") in ("running", "waiting")

            await eventually(runs, timeout, f"{self.module} ready; {self.tail()}")

    def tail(self) -> str:
        return self.log.read_text()[-3000:] if self.log.exists() else ""

    async def stop(self) -> None:
        if self._child is not None and self._child.is_alive():
            self._child.terminate()
            await asyncio.to_thread(self._child.join, 15)
            if self._child.is_alive():
                self._child.kill()
                await asyncio.to_thread(self._child.join)


@asynccontextmanager
async def running(process: Process, **more: str) -> AsyncIterator[Process]:
    """The process, started and ready, stopped at the end."""
    process.start(**more)
    try:
        await process.ready()
        yield process
    finally:
        await process.stop()
