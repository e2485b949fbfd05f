"""Real receivers of messages: an SMTP server, and an HTTP server that fails, hangs or answers late."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import decode_header, make_header
from typing import Any, Literal

from aiosmtpd.controller import Controller

from onedoor.dev import ports

Mood = Literal["takes", "fails", "gone", "hangs", "late", "drops"]


@dataclass
class Mail:
    """A mail as it arrived."""

    to: Sequence[str]
    subject: str
    text: str
    headers: dict[str, str]
    raw: bytes


@dataclass
class Mailbox:
    """What arrived at an SMTP server; refusing: so many mails are refused before the first is taken."""

    port: int
    mails: list[Mail] = field(default_factory=list)
    refusing: int = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refusing:
            self.refusing -= 1
            return "451 try again later"
        parsed = message_from_bytes(envelope.content)
        body = next(part for part in parsed.walk() if part.get_content_maintype() == "text")
        payload = body.get_payload(decode=True)
        assert isinstance(payload, bytes)
        subject = str(make_header(decode_header(parsed["Subject"])))
        headers = {name.lower(): value for name, value in parsed.items()}
        self.mails.append(Mail(envelope.rcpt_tos, subject, payload.decode(), headers, envelope.content))
        return "250 taken"

    @property
    def url(self) -> str:
        """The Apprise address that leads here."""
        where = f"127.0.0.1:{self.port}?smtp=127.0.0.1&mode=insecure&format=text"
        return f"mailto://{where}&from=onedoor@example.org&to={{address}}&+X-Onedoor-Delivery={{delivery}}"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A real SMTP server."""
    box = Mailbox(ports.free())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@dataclass
class Call:
    """A request as it arrived."""

    headers: dict[str, str]
    body: str
    target: str = ""


@dataclass
class Receiver:
    """An HTTP server with moods: the next ones in order, then it takes everything.

    replies: bodies of the next answers with 200, for those who say in the body what they think.
    """

    port: int = 0
    calls: list[Call] = field(default_factory=list)
    moods: list[Mood] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    late: float = 0.5
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = (line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            headers = {name.lower(): value for name, value in lines}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.calls.append(Call(headers, body.decode(), head.split(" ", 2)[1]))
            self.arrived.set()
            await self._answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        mood: Mood = self.moods.pop(0) if self.moods else "takes"
        if self.hold is not None:
            await self.hold.wait()
        if mood == "hangs":
            await asyncio.sleep(3600)
        if mood == "drops":
            return
        if mood == "late":
            await asyncio.sleep(self.late)
        if mood == "takes" and self.replies:
            said = self.replies.pop(0).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n")
            writer.write(f"content-length: {len(said)}\r\n\r\n".encode() + said)
            await writer.drain()
            return
        status = {"fails": "500 Internal Server Error", "gone": "410 Gone"}.get(mood, "204 No Content")
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def receiver(*moods: Mood) -> AsyncIterator[Receiver]:
    """A real HTTP server on a free port."""
    made = Receiver(moods=list(moods))
    tasks: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(made.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
