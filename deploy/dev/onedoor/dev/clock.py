"""Moving the business time of a running development system."""

import asyncio
import time
from collections.abc import Awaitable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx

from onedoor.dev.control import running
from onedoor.dev.errors import CannotStart
from onedoor.dev.settings import DevSettings
from onedoor.dev.state import State
from onedoor.runtime import clock
from onedoor.runtime.clock import Adjustment

_SHANGHAI = ZoneInfo("Asia/Shanghai")
_TAKEN_SECONDS = 60.0


def set_clock(settings: DevSettings, text: str) -> str:
    """Make business time this moment (ISO 8601; China's time without an offset). Raises CannotStart."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CannotStart(f"{text} is no moment: write 2026-09-18T09:00+08:00") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=_SHANGHAI)
    state = running(settings)
    return asyncio.run(_moved(state, clock.set_to(_dsn(state), aware)))


def advance_clock(settings: DevSettings, text: str) -> str:
    """Move business time on by `3d`, `2h` and the like. Raises CannotStart."""
    try:
        delta = clock.parse_delta(text)
    except ValueError as error:
        raise CannotStart(str(error)) from None
    state = running(settings)
    return asyncio.run(_moved(state, clock.advance(_dsn(state), delta)))


def reset_clock(settings: DevSettings) -> str:
    """Back to the system's time. Raises CannotStart."""
    state = running(settings)
    return asyncio.run(_moved(state, clock.reset(_dsn(state))))


def show_clock(settings: DevSettings) -> str:
    """Business time, for people. Raises CannotStart."""
    return _told(asyncio.run(_asked(clock.show(_dsn(running(settings))))))


def _dsn(state: State) -> str:
    assert state.servers is not None
    return state.servers.postgres


async def _asked(work: Awaitable[Adjustment]) -> Adjustment:
    try:
        return await work
    except clock.ClockRefused as refusal:
        raise CannotStart(str(refusal)) from None


async def _moved(state: State, work: Awaitable[Adjustment]) -> str:
    adjustment = await _asked(work)
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        await asyncio.gather(
            *(_taken(client, name, each.url, adjustment.epoch) for name, each in state.services.items())
        )
    return _told(adjustment)


async def _taken(client: httpx.AsyncClient, name: str, url: str, epoch: int) -> None:
    """Wait until the service works in the new time; one with a sweep has swept to it, too."""
    deadline = time.monotonic() + _TAKEN_SECONDS
    while not await _knows(client, url, epoch):
        if time.monotonic() > deadline:
            raise CannotStart(
                f"{name} did not take the new time within {_TAKEN_SECONDS:.0f} s; see `onedoor logs`"
            )
        await asyncio.sleep(0.05)


async def _knows(client: httpx.AsyncClient, url: str, epoch: int) -> bool:
    try:
        answer = await client.get(f"{url}/health/ready")
        told = answer.json()
    except (httpx.HTTPError, ValueError):
        return False
    epochs = [told.get("clock_epoch"), told.get("swept_epoch", epoch)]
    return all(isinstance(each, int) and each >= epoch for each in epochs)


def _told(adjustment: Adjustment) -> str:
    now = adjustment.now.astimezone(_SHANGHAI)
    return f"{now:%Y-%m-%d %H:%M:%S%z} ({_apart(adjustment.offset)}, adjustment {adjustment.epoch})"


def _apart(offset: timedelta) -> str:
    if not offset:
        return "the system's time"
    distance = timedelta(seconds=round(abs(offset).total_seconds()))
    return f"{distance} {'ahead of' if offset > timedelta() else 'behind'} the system's time"
