"""Alerts by one statement: the rows that the unit of work would write, at their moment, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid4

import asyncpg
import pytest

from onedoor.contracts.events.notify import AlertEscalated, ClockBreached, ClockWarned
from onedoor.notify import alerts, sweep, views
from onedoor.notify.app import SERVICE
from onedoor.notify.domain.clock import Clock, steps
from onedoor.runtime import database as pools
from onedoor.runtime.app import App
from onedoor.runtime.clock import Clock as BusinessTime
from onedoor.runtime.unit import Unit
from tests.harness import eventually
from tests.notify import FRIDAY, application, planned
from tests.notify_bench import Bench, notify_bench
from tests.servers import Servers

MIGRATED = (SERVICE,)
How = Literal["by unit", "together", "each"]
SOON = FRIDAY + timedelta(days=60)
WRITTEN = (
    "select aggregatetype, aggregateid, version, type, eventversion, payload, topic, key, classification,"
    " actor, cause, time, chain_id, count(*) over (partition by traceparent) as in_trace,"
    " (select p.failed from pending p where p.position = events.position) as pending"
    " from events where aggregatetype = 'clock' order by aggregateid, version",
    "select * from clocks order by id",
    "select kind, subject, step, at, function, role, department, division, critical, chain_id, referral_id,"
    " owner, duty, due_at, child, state, classification from notices order by subject, at, step",
    "select count(*) from pending",
)


@pytest.fixture
async def bench(servers: Servers, database: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with notify_bench(servers, database, tmp_path / "dev.key") as bench:
        yield bench


async def of_every_sort(bench: Bench) -> None:
    """Critical and ordinary, about children and adults, sealed, entered late, of a court, and heard of."""
    critical = {"rule": "R1", "to": "public-security", "urgency": "critical"}
    adult: dict[str, Any] = {"subjects": ()}
    for more in ({}, adult, adult | {"protection": True}, {"late_entry": True}):
        await bench.read(
            application(
                planned(),
                planned(**critical),
                planned("R9", "court"),
                application_id=uuid4(),
                chain_id=uuid4(),
                **more,
            )
        )
    await bench.app.writer.execute(
        "update clocks set acknowledged_by = 'staff-1', acknowledged_at = started_at"
        " where id in (select id from clocks where state = 'running' order by id limit 5)"
    )


async def written(bench: Bench, until: datetime, how: How) -> Sequence[Sequence[asyncpg.Record]]:
    """What one batch writes up to that moment; nothing of it stays."""
    conn = await pools.connect(bench.app.service, bench.app.settings)
    transaction = conn.transaction()
    await transaction.start()
    try:
        claimed = await views.claim(conn, until, 1000)
        assert claimed
        due = [each for row in claimed if (each := alerts.decided(row, until))]
        if how == "together":
            assert await alerts.write(conn, "notify", due, locked=True) == len(claimed)
        elif how == "each":
            for each in due:
                assert await alerts.write(conn, "notify", [each], locked=True) == 1
        else:
            clocks = await views.CLOCKS.load(conn, [row["id"] for row in claimed])
            await sweep._record(bench.app.unit, conn, clocks, until)
        return [await conn.fetch(question) for question in WRITTEN]
    finally:
        await transaction.rollback()
        await conn.close()


@pytest.mark.parametrize("after", [timedelta(minutes=25), timedelta(hours=3), timedelta(days=60)])
async def test_one_statement_writes_what_the_unit_of_work_does(bench: Bench, after: timedelta) -> None:
    await of_every_sort(bench)
    until = FRIDAY + after
    by_unit = await written(bench, until, "by unit")
    assert await written(bench, until, "together") == by_unit
    assert await written(bench, until, "each") == by_unit


async def asleep(bench: Bench, count: int) -> None:
    """So many clocks, two for each application, that no sweep touches."""
    applications = [
        application(planned(), application_id=uuid4(), chain_id=uuid4()) for _ in range(count // 2)
    ]
    await bench.read(*applications)
    await bench.app.writer.execute("update clocks set next_at = null")


DUE = """
with due as (select id, $1::timestamptz + $2::interval * row_number() over (order by id) as at from clocks)
update clocks set state = 'warned', due_at = due.at, next_at = due.at from due where clocks.id = due.id
returning clocks.id, due.at, pg_notify($3, '')
"""


async def due_in(bench: Bench, seconds: float, apart: float) -> dict[UUID, datetime]:
    """They fall due one by one from then on, in real time; the sweep is told. When each does, in order."""
    soon = datetime.now(UTC) + timedelta(seconds=seconds)
    rows = await bench.rows(DUE, soon, timedelta(seconds=apart), views.SWEEP_CHANNEL)
    return {row["id"]: row["at"] for row in sorted(rows, key=lambda row: row["at"])}


BREACHES = "select aggregateid, time from events where type = 'clock.breached' order by position"


async def test_what_somebody_holds_or_has_changed_is_not_written(bench: Bench) -> None:
    await asleep(bench, 4)
    held, changed, *free = await due_in(bench, -60, 1)
    async with bench.app.writer.acquire() as conn, bench.app.writer.acquire() as other, other.transaction():
        now = datetime.now(UTC)
        due = [
            each
            for row in await views.upcoming(conn, now, 10)
            if (each := alerts.decided(row, now)) is not None
        ]
        assert len(due) == 4
        await conn.execute("update clocks set version = version + 1 where id = $1", changed)
        await other.execute("select from clocks where id = $1 for update", held)
        assert await alerts.write(conn, "notify", due, locked=False) == 2
    assert [row["aggregateid"] for row in await bench.rows(BREACHES)] == free
    rows = await bench.rows("select id from clocks where state = 'breached'")
    assert {row["id"] for row in rows} == set(free)
    notices = await bench.rows("select subject from notices where kind = 'breached' order by at")
    assert [row["subject"] for row in notices] == free


@asynccontextmanager
async def sweeping(bench: Bench) -> AsyncIterator[App]:
    """The loop of the running service, in real time."""
    clock = BusinessTime("test")
    known = bench.app
    unit = Unit(known.service, known.writer, clock)
    app = App(known.service, known.settings, known.writer, known.reader, unit, clock, known.metrics)
    loop = asyncio.create_task(sweep.keep_sweeping(app))
    try:

        async def begun() -> bool:
            return "swept_epoch" in app.status

        await eventually(begun, 10, "the sweep has begun")
        yield app
    finally:
        loop.cancel()


async def test_each_is_decided_before_its_moment_and_breached_at_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is held at its moment follows when it is let go; what was met meanwhile is not breached."""
    ahead: list[UUID] = []
    write = alerts.write

    async def told(conn: Any, schema: str, due: Sequence[alerts.Due], *, locked: bool) -> int:
        taken = await write(conn, schema, due, locked=locked)
        ahead.extend(each.id for each in due if not locked and taken == len(due))
        return taken

    monkeypatch.setattr(alerts, "write", told)
    await asleep(bench, 12)
    async with sweeping(bench) as app, app.writer.acquire() as conn:
        due = await due_in(bench, 1.5, 0.05)
        met, *free, held = due
        await asyncio.sleep(1)
        await conn.execute(
            "update clocks set state = 'met', next_at = null, version = version + 1 where id = $1", met
        )
        async with conn.transaction():
            await conn.execute("select from clocks where id = $1 for update", held)
            await asyncio.sleep(1.3)
            assert held not in [row["aggregateid"] for row in await bench.rows(BREACHES)]

        async def all_breached() -> bool:
            return len(await bench.rows(BREACHES)) == 11

        await eventually(all_breached, 10, "the one that was held, too")
    found = await bench.rows(BREACHES)
    assert {row["aggregateid"]: row["time"] for row in found} == {id_: due[id_] for id_ in (held, *free)}
    assert {held, met}.isdisjoint(ahead)
    assert ahead, "the others were written as decided, without being claimed"


async def test_it_looks_further_ahead_while_it_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between alerts that follow each other closely nothing has to be read, decided or claimed first."""
    done: list[str] = []
    write, look = alerts.write, sweep._look_ahead

    async def writing(conn: Any, schema: str, due: Sequence[alerts.Due], *, locked: bool) -> int:
        done.extend(["claimed" if locked else "alert"] * len(due))
        return await write(conn, schema, due, locked=locked)

    async def looking(*asked: Any) -> sweep.Ahead:
        done.append("look")
        return await look(*asked)

    monkeypatch.setattr(sweep, "AHEAD", 4)
    monkeypatch.setattr(alerts, "write", writing)
    monkeypatch.setattr(sweep, "_look_ahead", looking)
    await asleep(bench, 16)
    async with sweeping(bench):
        due = await due_in(bench, 1.5, 0.15)

        async def all_breached() -> bool:
            return len(await bench.rows(BREACHES)) == 16

        await eventually(all_breached, 20, "every one of them")
    assert {row["aggregateid"]: row["time"] for row in await bench.rows(BREACHES)} == due
    between = done[done.index("alert") : len(done) - done[::-1].index("alert")]
    assert between.count("look") <= 1, "the machine may stall once; with a look after each four it were three"


def test_an_alert_that_is_not_validated_is_the_one_that_is() -> None:
    """As models, as JSON, and as what is set in them."""
    clock = Clock(
        clock_id=uuid4(), chain_id=uuid4(), duty="ack", subject=uuid4(), owner="education",
        referral_id=uuid4(), child=True, state="running", started_at=FRIDAY, due_at=SOON, warn_at=FRIDAY,
        next_at=FRIDAY, urgency="critical",
    )  # fmt: skip
    found = [event for step in steps(clock, SOON + timedelta(days=1)) for event in step.events]
    assert {type(event) for event in found} == {ClockWarned, ClockBreached, AlertEscalated}
    for event in found:
        validated = type(event).model_validate(event.model_dump(by_alias=True))
        assert event == validated
        assert event.model_dump_json(by_alias=True) == validated.model_dump_json(by_alias=True)
        assert event.model_fields_set == validated.model_fields_set
