"""A clock that cannot take its step is set aside, seen by operators, tried again; no other waits for it."""

import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from onedoor.calendar import moment
from onedoor.notify import alerts, views
from onedoor.notify.app import SERVICE
from onedoor.notify.domain.clock import clock_id
from onedoor.notify.domain.ledger import referral_id
from onedoor.notify.sweep import sweep, sweep_all
from tests.notify import FRIDAY, application, planned
from tests.notify_bench import Bench, notify_bench
from tests.servers import Servers

MIGRATED = (SERVICE,)
SOON = FRIDAY + timedelta(days=60)
ACK_DUE = moment("2026-09-22T00:00")
PAUSED_WITHOUT_A_PAUSE = "update clocks set state = 'paused' where id = $1"
UNREADABLE = """update clocks set pauses = '{"13800000000": "王小明"}' where id = $1"""
MENDED = "update clocks set state = 'running', pauses = '[]' where id = $1"


@pytest.fixture
async def bench(servers: Servers, database: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with notify_bench(servers, database, tmp_path / "dev.key") as bench:
        yield bench


async def referred(bench: Bench, count: int, child: bool = False) -> list[UUID]:
    """So many applications with one referral each; the ids of their acknowledge clocks."""
    applications = [uuid4() for _ in range(count)]
    more: dict[str, Any] = {} if child else {"subjects": ()}
    await bench.read(
        *(application(planned(), application_id=id_, chain_id=uuid4(), **more) for id_ in applications)
    )
    return [clock_id("ack", referral_id(id_, "R4", "education")) for id_ in applications]


async def spoil(bench: Bench, clock: UUID, how: str = PAUSED_WITHOUT_A_PAUSE) -> None:
    await bench.app.writer.execute(how, clock)


async def breaches(bench: Bench) -> dict[UUID, list[object]]:
    """The moments of all breaches of acknowledge clocks."""
    found: dict[UUID, list[object]] = {}
    for row in await bench.rows("select aggregateid, time from events where type = 'clock.breached'"):
        found.setdefault(row["aggregateid"], []).append(row["time"])
    return found


async def upcoming(bench: Bench) -> datetime | None:
    async with bench.app.writer.acquire() as conn:
        return (await views.outlook(conn)).next_at


async def set_aside(bench: Bench) -> int:
    async with bench.app.writer.acquire() as conn:
        return (await views.outlook(conn)).stuck


@pytest.mark.parametrize("how", [PAUSED_WITHOUT_A_PAUSE, UNREADABLE])
async def test_the_others_of_the_batch_breach_at_their_moments(
    bench: Bench, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    clocks = await referred(bench, 6)
    await spoil(bench, clocks[2], how)
    await sweep_all(bench.app.unit, SOON)
    found = await breaches(bench)
    assert [found.get(clock) for clock in clocks] == [[ACK_DUE]] * 2 + [None] + [[ACK_DUE]] * 3
    (row,) = await bench.rows("select id, attempts from stuck")
    assert (row["id"], row["attempts"]) == (clocks[2], 1)
    (said,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert (said.message, said.__dict__["clock_id"]) == ("clock set aside", clocks[2])
    assert await sweep(bench.app.unit, SOON) == 0, "it is tried no more by itself"
    assert await upcoming(bench) is None, "and wakes nobody"


async def test_where_batches_are_worked_side_by_side_it_is_tried_once_as_well(bench: Bench) -> None:
    clocks = await referred(bench, 20)
    for clock in clocks[7], clocks[12]:
        await spoil(bench, clock)
    assert await sweep_all(bench.app.unit, SOON, batch=4) == 40, "those set aside are dealt with too"
    assert clocks[7] not in (found := await breaches(bench))
    assert {
        clock: [ACK_DUE] for clock in clocks if clock not in (clocks[7], clocks[12])
    }.items() <= found.items()
    stuck = await bench.rows("select id, attempts from stuck")
    assert {row["id"]: row["attempts"] for row in stuck} == {clocks[7]: 1, clocks[12]: 1}


async def test_operators_see_why_without_any_input_and_try_again(bench: Bench) -> None:
    clock, *others = await referred(bench, 3)
    await spoil(bench, clock, UNREADABLE)
    await sweep_all(bench.app.unit, SOON)
    assert (await bench.ask("GET", "/v1/clocks/stuck", "department", "education")).status_code == 403
    answer = await bench.ask("GET", "/v1/clocks/stuck", "ops")
    assert answer.status_code == 200, answer.text
    (shown,) = answer.json()["clocks"]
    assert (shown["clock_id"], shown["duty"], shown["error"]) == (str(clock), "ack", "ValidationError")
    assert "clock_of" in shown["traceback"]
    assert "王小明" not in answer.text
    assert "13800000000" not in answer.text
    path = f"/v1/clocks/{clock}/retry"
    bench.clock.at = SOON
    assert (await bench.ask("POST", path, "department", "education")).status_code == 403
    assert (await bench.ask("POST", path, "ops")).json() == {"retried": 0, "failed": 1}
    assert (await bench.ask("GET", "/v1/clocks/stuck", "ops")).json()["clocks"][0]["attempts"] == 2
    await spoil(bench, clock, MENDED)
    assert (await bench.ask("POST", path, "ops")).json() == {"retried": 1, "failed": 0}
    assert (await breaches(bench))[clock] == [ACK_DUE], "late to be recorded, at its own moment"
    assert (await bench.ask("GET", "/v1/clocks/stuck", "ops")).json() == {"clocks": [], "children": []}
    assert (await bench.ask("POST", path, "ops")).status_code == 404
    assert len(await breaches(bench)) == 2 * (1 + len(others))


async def test_of_children_operators_see_a_number_and_still_try_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    clocks = await referred(bench, 3, child=True)
    for clock in clocks[:2]:
        await spoil(bench, clock)
    await sweep_all(bench.app.unit, SOON)
    answer = await bench.ask("GET", "/v1/clocks/stuck", "ops")
    assert answer.json() == {"clocks": [], "children": [{"duty": "ack", "count": 2}]}
    assert not any(str(clock) in answer.text + caplog.text for clock in clocks)
    assert all("clock_id" not in record.__dict__ for record in caplog.records)
    for clock in clocks[:2]:
        await spoil(bench, clock, MENDED)
    bench.clock.at = SOON
    assert (await bench.ask("POST", "/v1/clocks/stuck/retry", "ops")).json() == {"retried": 2, "failed": 0}
    assert {clock: [ACK_DUE] for clock in clocks}.items() <= (await breaches(bench)).items()


async def test_a_clock_to_which_something_else_happens_is_tried_again_by_itself(bench: Bench) -> None:
    """It stuck at that version; extended or met, it is another clock."""
    (clock,) = await referred(bench, 1)
    await spoil(bench, clock)
    await sweep_all(bench.app.unit, SOON)
    assert (await bench.rows("select count(*) as n from stuck"))[0]["n"] == 1
    await spoil(bench, clock, MENDED)
    await bench.app.writer.execute("update clocks set version = version + 1 where id = $1", clock)
    assert await set_aside(bench) == 0
    assert await upcoming(bench) is not None


async def test_what_passes_by_itself_sets_nothing_aside(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    await referred(bench, 2)
    with monkeypatch.context() as patched:
        patched.setattr(alerts, "write", away)
        with pytest.raises(ConnectionRefusedError):
            await sweep(bench.app.unit, SOON)
    assert await set_aside(bench) == 0
    assert await sweep_all(bench.app.unit, SOON - timedelta(days=1)) == 4
