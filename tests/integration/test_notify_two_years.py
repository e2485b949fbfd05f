"""Two simulated years on a real database: transactions aborted at random, the notice imported late."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

from onedoor.calendar import PACKAGED, put_in_force
from onedoor.contracts.core import SYSTEM, Context
from onedoor.contracts.registry import LATEST
from onedoor.notify import almanac, views
from onedoor.notify.app import SERVICE
from onedoor.notify.domain.clock import Clock
from onedoor.notify.sweep import sweep_all
from onedoor.runtime.almanac import refresh
from onedoor.runtime.unit import Directive, Transaction
from tests.notices import NOTICE_2027
from tests.notify import ANYONE
from tests.notify_bench import Bench, enveloped, notify_bench
from tests.servers import Servers
from tests.two_years import END, Deed, Killed, Script, disagreements, told

MIGRATED = (SERVICE,)


@pytest.fixture
async def bench(servers: Servers, database: str, tmp_path: Path) -> AsyncIterator[Bench]:
    put_in_force(PACKAGED)
    async with notify_bench(servers, database, tmp_path / "dev.key") as bench:
        yield bench
    put_in_force(PACKAGED)


class Play:
    """The script on the real unit of work. killed: how many transactions were rolled back at their end."""

    def __init__(self, bench: Bench, script: Script) -> None:
        self.bench = bench
        self.script = script
        self.killed = 0
        self._chance = Random(script.seed + 1)

    async def run(self) -> None:
        for deed in self.script.deeds:
            self.bench.clock.at = deed.at
            if deed.event is not None or deed.command is not None:
                await self._unit(lambda tx, deed=deed: self._do(tx, deed))  # type: ignore[misc]
            elif deed.imports:
                await self._unit(lambda tx: almanac.import_notice(tx, NOTICE_2027, SYSTEM))
                async with self.bench.app.writer.acquire() as conn:
                    await refresh(conn)
                await almanac.recount_all(self.bench.app.unit, deed.at, batch=5)
            elif self._chance.random() < 0.7:
                await sweep_all(self.bench.app.unit, deed.at)
        await sweep_all(self.bench.app.unit, END)

    async def _unit(self, work: Callable[[Transaction], Awaitable[Any]]) -> None:
        while True:
            try:
                async with self.bench.app.unit.transaction() as tx:
                    await work(tx)
                    if self._chance.random() < 0.1:
                        raise Killed
                return
            except Killed:
                self.killed += 1

    async def _do(self, tx: Transaction, deed: Deed) -> None:
        if deed.command is not None:
            await tx.execute(deed.command, actor=ANYONE)
            return
        assert deed.event is not None
        assert deed.time is not None
        commands = tuple(SERVICE.react(enveloped(deed.event, deed.time)))
        await self.bench.app.unit.run(tx.conn, [Directive(commands, Context(ANYONE, deed.time))])


async def test_two_years_on_a_real_database(bench: Bench) -> None:
    play = Play(bench, Script(seed=11, referrals=60, sweep_every=timedelta(days=1)))
    await play.run()
    rows = await bench.rows("select * from clocks where state is not null")
    clocks: dict[UUID, Clock] = {row["id"]: views.clock_of(row) for row in rows}
    archive = await bench.rows(
        "select aggregateid, type, payload from events where aggregatetype = 'clock' order by position"
    )
    events = [
        (row["aggregateid"], LATEST[row["type"]].model_validate(json.loads(row["payload"])))
        for row in archive
        if row["type"] in LATEST
    ]
    assert {clock.state for clock in clocks.values()} == {"met", "met_late", "cancelled", "breached"}
    assert disagreements(clocks, told(events)) == []
    assert len(clocks) > 150
    assert play.killed > 10
    assert await bench.rows("select * from stuck") == []
