"""Which addresses a message may go to: one person's mailbox, and no machine of our own network unasked."""

import asyncio
import re
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

ONE_MAILBOX = r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"
"""Exactly one, without a name: a comma would make two receivers of it."""

_TRANSLATED = ip_network("64:ff9b::/96")
"""NAT64: the last four bytes are an IPv4 address."""


class NotPublic(Exception):
    """The name leads to a machine that webhooks may not reach."""


def one_mailbox(text: str) -> bool:
    """Whether it is exactly one mail address."""
    return re.fullmatch(ONE_MAILBOX, text) is not None


async def resolved(host: str, port: int, allowed: Sequence[Network]) -> list[Address]:
    """Where the name leads now. Raises NotPublic if any of it is neither public nor `allowed`, OSError if it
    leads nowhere.

    The caller connects to what stands here and asks no second time: a name may lead elsewhere by then.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(ip_address(each[4][0]) for each in found))
    if not all(may_be_reached(address, allowed) for address in addresses):
        raise NotPublic
    return addresses


def may_be_reached(address: Address, allowed: Iterable[Network]) -> bool:
    """Whether a webhook may go there; what is hidden within an IPv6 address counts."""
    inner = _inner(address)
    return (inner.is_global and not inner.is_multicast) or any(inner in network for network in allowed)


def _inner(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address
