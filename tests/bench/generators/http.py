"""Posts forms over plain connections: closed loop (as fast as it is answered) or open loop (Poisson).

In the open loop a request's time counts from when it was due, whether or not a connection was free.
"""

import asyncio
import random
import time
from collections import deque
from typing import Any
from urllib.parse import SplitResult, urlsplit
from uuid import uuid4

import uvloop

from tests.bench.generators.forms import form
from tests.bench.meter import Meter, answer, asked, percentiles


async def connected(url: SplitResult, count: int) -> "list[Connection]":
    """So many connections to the server of this address."""
    made = [Connection(url.hostname, url.port) for _ in range(count)]
    for connection in made:
        await connection.open()
    return made


class Connection(asyncio.Protocol):
    """One kept-alive connection, made anew where the server has closed it: one request at a time."""

    def __init__(self, host: str | None, port: int | None) -> None:
        self._place = host, port
        self._transport: Any = None
        self._answered: asyncio.Future[bytes] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionError("closed"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or self._answered is None:
            return
        length = next(
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        if len(body) >= length:
            self._received = b""
            self._answered.set_result(head + found + body)

    async def open(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self, *self._place)

    async def ask(self, request: bytes) -> bytes:
        """Send it; gives the whole answer. Raises RuntimeError unless it is a success."""
        if self._transport.is_closing():
            await self.open()
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        answered = await self._answered
        if not answered.startswith(b"HTTP/1.1 2"):
            raise RuntimeError(answered[:2000].decode(errors="replace"))
        return answered


def requests(path: str, token: str, count: int) -> deque[bytes]:
    """So many requests, made before anything is measured."""
    rng = random.Random()
    made: deque[bytes] = deque()
    for _ in range(count):
        body = form(rng)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
            f"Idempotency-Key: {uuid4()}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


async def closed(connections: list[Connection], waiting: deque[bytes]) -> dict[str, float]:
    """Every connection asks again as soon as it is answered."""
    meter, times = Meter(len(waiting)), []

    async def go_on(connection: Connection) -> None:
        while waiting:
            request = waiting.popleft()
            began = time.perf_counter()
            await connection.ask(request)
            times.append(time.perf_counter() - began)
            meter.add(1)

    await asyncio.gather(*map(go_on, connections))
    return {"rate": meter.figures()["rate"], **percentiles(times)}


async def opened(connections: list[Connection], waiting: deque[bytes], rate: float) -> dict[str, float]:
    """Requests fall due at random moments, `rate` a second on the average."""
    free: asyncio.Queue[Connection] = asyncio.LifoQueue()
    for connection in connections:
        free.put_nowait(connection)
    rng, times, due = random.Random(), [], time.perf_counter()

    async def one(request: bytes, due: float) -> None:
        connection = await free.get()
        await connection.ask(request)
        free.put_nowait(connection)
        times.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as group:
        while waiting:
            due += rng.expovariate(rate)
            await asyncio.sleep(due - time.perf_counter())
            group.create_task(one(waiting.popleft(), due))
    return percentiles(times)


async def main() -> None:
    question = asked()
    url = urlsplit(question["url"])
    connections = await connected(url, question["connections"])
    waiting = requests(url.path, question["token"], question["count"])
    rate = question.get("rate")
    answer(await (opened(connections, waiting, rate) if rate else closed(connections, waiting)))


if __name__ == "__main__":
    uvloop.run(main())
