"""The ways out: e-mail, SMS gateway, WeCom and DingTalk through Apprise, signed webhooks by ourselves.

Apprise is imported when it is first needed. Where each way leads is told from outside as an Apprise address
with `{address}` in the place of the receiver's, so that passwords stand in no table.
"""

import asyncio
import json
import logging
import re
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from urllib.parse import quote
from uuid import UUID

import httpx
from standardwebhooks.webhooks import Webhook

from onedoor.notify.telling.addresses import Network, NotPublic, one_mailbox, resolved
from onedoor.notify.telling.message import Message
from onedoor.runtime.logs import mask

SHORT = frozenset({"sms"})
"""What carries a few words only."""

SIZES: Mapping[str, int] = {"wecom": 2048, "dingtalk": 20_000}
"""Bytes that a robot takes, the title among them; it refuses what is longer."""

_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+|[a-z]+://\S+")


class NotDelivered(Exception):
    """It did not go out, and why, without any address. `final`: another try would be of no use."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


@cache
def _authorities() -> ssl.SSLContext:
    """Whose certificates a webhook's receiver may show: read once for all ways."""
    return httpx.create_ssl_context(trust_env=False)


class Ways:
    """All ways out of one process."""

    def __init__(self, channels: Mapping[str, str], timeout: float, networks: Sequence[Network] = ()) -> None:
        """channels: Apprise addresses by channel; timeout: seconds that a receiver has for its answer;
        networks: where webhooks may go besides the public net."""
        self._channels = channels
        self._timeout = timeout
        self._networks = networks
        self._client = httpx.AsyncClient(
            timeout=timeout, trust_env=False, follow_redirects=False, verify=_authorities()
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def send(
        self, channel: str, address: str, secret: str | None, delivery: UUID, message: Message
    ) -> None:
        """Send it, and return once the other side has taken it. Raises NotDelivered.

        The delivery's id goes with it, the same at each try, so that a receiver can tell a repetition.
        """
        if channel == "webhook":
            await self._webhook(address, secret or "", delivery, message)
            return
        template = self._channels.get(channel)
        if template is None:
            raise NotDelivered("this way is not set up", final=True)
        if channel == "email" and not one_mailbox(address):
            raise NotDelivered("not one mail address", final=True)
        await asyncio.to_thread(_load)
        try:
            async with asyncio.timeout(self._timeout + 1):
                await asyncio.to_thread(self._apprise, channel, template, address, delivery, message)
        except TimeoutError:
            raise NotDelivered("timeout") from None

    async def _webhook(self, url: str, secret: str, delivery: UUID, message: Message) -> None:
        body = json.dumps(message.payload(delivery), ensure_ascii=False, separators=(",", ":"))
        now = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": str(delivery),
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(str(delivery), now, body),
        }
        try:
            async with asyncio.timeout(self._timeout):
                status = await self._post(httpx.URL(url), body.encode(), headers)
        except (TimeoutError, httpx.TimeoutException):
            raise NotDelivered("timeout") from None
        except NotPublic:
            raise NotDelivered("the address is in no network that webhooks may go to", final=True) from None
        except (OSError, UnicodeError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotDelivered(type(error).__name__) from None
        if not httpx.codes.is_success(status):
            raise NotDelivered(f"HTTP {status}", final=status == httpx.codes.GONE)

    async def _post(self, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer; its body is not read. It goes to the address that was looked at."""
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        addresses = await resolved(url.host, port, self._networks)
        named = {**headers, "host": url.netloc.decode("ascii")}
        for address in addresses[:-1]:
            try:
                return await self._post_to(url.copy_with(host=str(address)), url.host, body, named)
            except httpx.ConnectError:
                continue
        return await self._post_to(url.copy_with(host=str(addresses[-1])), url.host, body, named)

    async def _post_to(self, url: httpx.URL, name: str, body: bytes, headers: Mapping[str, str]) -> int:
        certified = {"sni_hostname": name}
        async with self._client.stream(
            "POST", url, content=body, headers=headers, extensions=certified
        ) as answer:
            return answer.status_code

    def _apprise(self, channel: str, template: str, address: str, delivery: UUID, message: Message) -> None:
        import apprise

        from onedoor.notify.telling.robots import robot

        url = self._patient(template.format(address=quote(address, safe=""), delivery=delivery))
        plugin = robot(url) or apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if plugin is None:
            raise NotDelivered("how this way is set up is not understood", final=True)
        body = message.short if channel in SHORT else message.text
        if (size := SIZES.get(channel)) is not None:
            body = message.within(size - len(message.subject.encode()) - len("\r\n"))
        with _complaints() as complaints:
            done = plugin.notify(body=body, title=message.subject)
        if not done:
            raise NotDelivered(_without_address(" ".join(complaints), address) or "not accepted")

    def _patient(self, url: str) -> str:
        """Apprise waits no longer than we do."""
        return f"{url}{'&' if '?' in url else '?'}cto={self._timeout}&rto={self._timeout}"


def _load() -> None:
    """Have Apprise with all its plugins, which may take longer than a receiver has for its answer."""
    from apprise.manager_plugins import NotificationManager

    NotificationManager().load_modules()  # type: ignore[no-untyped-call]


class _Listener(logging.Handler):
    """Keeps what is logged as wrong in this thread: Apprise itself answers with true or false only."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.thread = threading.get_ident()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if record.thread == self.thread and (record.levelno >= logging.WARNING or "Exception" in said):
            self.found.append(said)


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What goes wrong meanwhile. Nothing that Apprise logs gets anywhere else: it names addresses."""
    listener, logger = _Listener(), logging.getLogger("apprise")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(listener)
    try:
        yield listener.found
    finally:
        logger.removeHandler(listener)


def _without_address(text: str, address: str) -> str:
    return mask(_ADDRESS.sub("…", text.replace(address, "…")))[:300]
