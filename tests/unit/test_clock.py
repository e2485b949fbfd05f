"""Business time and how durations and moments are written."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from onedoor.runtime.clock import Adjustment, Clock, parse_delta, parse_moment


@pytest.mark.parametrize(
    ("text", "delta"),
    [
        ("3d", timedelta(days=3)),
        ("2h", timedelta(hours=2)),
        ("30m", timedelta(minutes=30)),
        ("1d12h", timedelta(days=1, hours=12)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("-1d", timedelta(days=-1)),
        (" +45s ", timedelta(seconds=45)),
    ],
)
def test_delta(text: str, delta: timedelta) -> None:
    assert parse_delta(text) == delta


@pytest.mark.parametrize("text", ["", "-", "3", "d", "3x", "1h2d", "1.5h", "３d三"])
def test_no_delta(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_delta(text)


def test_moment() -> None:
    assert parse_moment("2026-09-18T09:00+08:00") == datetime(2026, 9, 18, 1, tzinfo=UTC)
    assert parse_moment("2026-09-18T09:00") == datetime(2026, 9, 18, 1, tzinfo=UTC)
    assert parse_moment("2026-09-18") == datetime(2026, 9, 17, 16, tzinfo=UTC)
    with pytest.raises(ValueError, match="isoformat"):
        parse_moment("tomorrow")


def test_business_time_is_the_systems_until_adjusted() -> None:
    clock = Clock("dev")
    assert clock.now().tzinfo is not None
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
    assert (clock.epoch, clock.offset) == (0, timedelta())


async def test_an_adjustment_moves_time_and_wakes_who_waits() -> None:
    clock = Clock("test")
    waiting = asyncio.create_task(clock.moved())
    await asyncio.sleep(0)
    clock._take(Adjustment(1, timedelta(days=3)))
    await asyncio.wait_for(waiting, 1)
    assert clock.now() - datetime.now(UTC) > timedelta(days=2)
    assert clock.epoch == 1


async def test_production_never_reads_the_row() -> None:
    def connect() -> None:
        raise AssertionError("production asked for the row")

    following = asyncio.create_task(Clock("prod").follow(connect))  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    assert not following.done()
    following.cancel()
