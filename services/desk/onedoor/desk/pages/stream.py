"""Operations: who waits, how far each stream is behind, what is dead-lettered, and the safe way to replay."""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response

from onedoor.contracts.events.intake import ALARM
from onedoor.contracts.registry import TOPICS
from onedoor.contracts.services import TOPICS as CASES
from onedoor.desk import stream as projection
from onedoor.desk.lag import Lag, lags
from onedoor.desk.remote import Reply
from onedoor.desk.web import Absent, AtDesk, Desk, badge

router = APIRouter(include_in_schema=False)

WAYS: Final = ("replay", "discard")
KEPT: Final = 120
HISTORY: dict[str, deque[tuple[float, int]]] = {}
"""What the page has lately seen of each stream, for its small charts: (seconds since 1970, events)."""


@router.get("/stream")
async def page(desk: AtDesk) -> Response:
    """The page, with what of it can change."""
    desk.need("stream.read")
    return desk.page("stream.html", section="stream", waiting=await badge(desk), **await _board(desk))


@router.get("/stream/body")
async def body(desk: AtDesk) -> Response:
    """What of the page can change."""
    desk.need("stream.read")
    return desk.page("fragments/stream.html", **await _board(desk))


async def _board(desk: Desk) -> dict[str, Any]:
    names = desk.services.names
    streams, dead, kafka, unmanned = await asyncio.gather(
        asyncio.gather(*(desk.services.get(desk.session, name, "/v1/streams") for name in names)),
        asyncio.gather(*(desk.services.get(desk.session, name, "/v1/dead-letters") for name in names)),
        lags(desk.app.settings, _groups(names)),
        _unmanned(desk),
    )
    consumers = [(reply.service, consumer) for reply in streams for consumer in _list(reply, "consumers")]
    open_letters, suffix = _letters(dead), desk.app.settings.topic_suffix
    _remember(kafka)
    return {
        "away": sorted({reply.service for reply in (*streams, *dead) if reply.away}),
        "outboxes": [(reply.service, reply.body) for reply in streams if reply.ok],
        "consumers": consumers,
        "phases": {consumer["name"].removesuffix(suffix): consumer for _, consumer in consumers},
        "lags": kafka,
        "history": HISTORY,
        "letters": open_letters,
        "parked": Counter(
            (letter["topic"].removesuffix(suffix), letter["consumer"].removesuffix(suffix))
            for _, letter in open_letters
        ),
        "suffix": suffix,
        "waiting_events": sum(consumer["waiting"] for _, consumer in consumers),
        **_waiting(open_letters, consumers),
        "unmanned": unmanned,
        "may_handle": desk.may("letters.handle") is not None,
        "told": None,
    }


async def _unmanned(desk: Desk) -> list[Any]:
    """Where nobody is on duty now, for those who may see the roster."""
    if desk.may("roster.read") is None:
        return []
    soon = (desk.now + timedelta(minutes=1)).isoformat()
    reply = await desk.services.get(desk.session, "notify", "/v1/roster", to=soon)
    return _list(reply, "gaps")


READERS: Final = {
    "intake": (*CASES, "notify.referral", "notify.calendar"),
    "assistance": ("intake.application", "notify.referral", "intake.person", "notify.calendar"),
    "child-welfare": ("intake.application", "notify.referral", "intake.person"),
    "vagrancy": ("intake.application", "notify.referral", "intake.person"),
    "charity": ("intake.application", "notify.referral"),
    "notify": (
        "intake.application",
        "intake.suspicion",
        "assistance.case",
        "child-welfare.case",
        "vagrancy.stay",
        "charity.need",
        "ops.letter",
    ),
    "desk": tuple(topic for topic in TOPICS if topic in projection.READS and topic != ALARM),
}
"""Who reads what (design section 4); each also has a group of its own for the alarms."""

ALARM_READERS: Final = ("assistance", "child-welfare", "vagrancy", "charity", "notify", "desk")


def _groups(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The consumer groups of these services, with what each reads."""
    ordinary = {name: topics for name, topics in READERS.items() if name in names}
    return ordinary | {f"{name}-alarm": (ALARM,) for name in ALARM_READERS if name in names}


def _waiting(open_letters: list[tuple[str, Any]], consumers: list[tuple[str, Any]]) -> dict[str, int]:
    """How many households wait at least: a chain that is parked at three services is one.

    Of a child's chain the key is not told; there the consumer with the most of them is the least there are.
    """
    named = {letter["key"] for _, letter in open_letters if letter["key"]}
    children = max((consumer["parked_children"] for _, consumer in consumers), default=0)
    return {"waiting_chains": len(named) + children, "waiting_children": children}


def _list(reply: Reply, name: str) -> list[Any]:
    body = reply.body if reply.ok and isinstance(reply.body, dict) else {}
    return list(body.get(name, ()))


def _letters(replies: list[Reply]) -> list[tuple[str, Any]]:
    found = [
        (reply.service, letter)
        for reply in replies
        if reply.ok and isinstance(reply.body, list)
        for letter in reply.body
    ]
    return sorted(found, key=lambda each: (not each[1]["child"], each[1]["arrived_at"]))


def _remember(kafka: list[Lag] | None) -> None:
    now = asyncio.get_running_loop().time()
    for lag in kafka or ():
        history = HISTORY.setdefault(f"{lag.topic} {lag.group}", deque(maxlen=KEPT))
        if not history or now - history[-1][0] >= 1:
            history.append((now, lag.events))


@router.post("/stream/{service}/letters/{letter}/{way}")
async def settle(desk: AtDesk, service: str, letter: int, way: str) -> Response:
    """Replay or discard a letter at its service, with what waits behind it."""
    desk.need("letters.handle")
    if way not in WAYS or service not in desk.services.names:
        raise Absent
    reply = await desk.services.post(desk.session, service, f"/v1/dead-letters/{letter}/{way}")
    return desk.page("fragments/stream.html", **{**await _board(desk), "told": (way, reply)})
