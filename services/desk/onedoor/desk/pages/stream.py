"""Operations: who waits, how far each stream is behind, what is dead-lettered, and the safe way to replay."""

import asyncio
from collections import deque
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response

from onedoor.contracts.events.intake import ALARM
from onedoor.contracts.registry import TOPICS
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
    streams, dead, kafka = await asyncio.gather(
        asyncio.gather(*(desk.services.get(desk.session, name, "/v1/streams") for name in names)),
        asyncio.gather(*(desk.services.get(desk.session, name, "/v1/dead-letters") for name in names)),
        lags(desk.app.settings, GROUPS),
    )
    consumers = [(reply.service, consumer) for reply in streams for consumer in _list(reply, "consumers")]
    _remember(kafka)
    return {
        "away": sorted({reply.service for reply in (*streams, *dead) if reply.away}),
        "outboxes": [(reply.service, reply.body) for reply in streams if reply.ok],
        "consumers": consumers,
        "phases": {consumer["name"]: consumer for _, consumer in consumers},
        "lags": kafka,
        "history": HISTORY,
        "letters": _letters(dead),
        "waiting_chains": sum(consumer["parked"] for _, consumer in consumers),
        "waiting_events": sum(consumer["waiting"] for _, consumer in consumers),
        "waiting_children": sum(consumer["parked_children"] for _, consumer in consumers),
        "may_handle": desk.may("letters.handle") is not None,
        "told": None,
    }


READERS: Final = {
    "intake": ("assistance.case", "child-welfare.case", "notify.referral"),
    "assistance": ("intake.application", "notify.referral", "intake.person"),
    "child-welfare": ("intake.application", "notify.referral", "intake.person"),
    "notify": ("intake.application", "assistance.case", "child-welfare.case"),
    "desk": tuple(topic for topic in TOPICS if topic in projection.READS and topic != ALARM),
}
"""Who reads what (design section 4); each also has a group of its own for the alarms."""

ALARM_READERS: Final = ("assistance", "child-welfare", "notify", "desk")


GROUPS: Final = {**READERS, **{f"{name}-alarm": (ALARM,) for name in ALARM_READERS}}


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
