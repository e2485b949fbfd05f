"""The import of a notice on real servers: who may, what is refused, what it moves, batch by batch, once."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from onedoor.assistance import app as assistance_app
from onedoor.calendar import PACKAGED, in_force, moment, put_in_force
from onedoor.contracts.events import notify as notify_events
from onedoor.contracts.events.notify import NoticeImported
from onedoor.desk import app as desk_app
from onedoor.intake import app as intake_app
from onedoor.notify import almanac, views
from onedoor.notify.app import SERVICE
from onedoor.notify.sweep import sweep_all
from onedoor.runtime import database as pools
from onedoor.runtime.access import dev_token
from onedoor.runtime.almanac import refresh
from onedoor.runtime.app import App
from onedoor.runtime.settings import Settings
from onedoor.runtime.unit import Unit
from onedoor.triage import Application, evaluate
from tests.harness import eventually
from tests.notices import NOTICE_2027
from tests.notify import application, planned
from tests.notify_bench import Bench, enveloped, notify_bench
from tests.servers import Servers

MIGRATED = (SERVICE,)
PATH = "/v1/calendar/notices"
WINTER = moment("2027-02-01T10:00")
DAY = timedelta(days=1)


@pytest.fixture
async def bench(servers: Servers, database: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with notify_bench(servers, database, tmp_path / "dev.key") as bench:
        bench.clock.at = WINTER
        yield bench
    put_in_force(PACKAGED)


async def refer(bench: Bench, count: int, urgency: str = "ordinary") -> None:
    plans = [
        application(
            planned(urgency=urgency), application_id=uuid4(), chain_id=uuid4(), at=WINTER, recorded_at=WINTER
        )
        for _ in range(count)
    ]
    await bench.read(*plans)


async def send(bench: Bench, text: str, role: str = "admin") -> tuple[int, dict[str, object]]:
    token = dev_token(bench.key, role, None, None, f"{role}-test")
    headers = {"authorization": f"Bearer {token}", "content-type": "text/plain; charset=utf-8"}
    reply = await bench.client.post(PATH, content=text.encode(), headers=headers)
    return reply.status_code, reply.json()


async def hear(bench: Bench) -> None:
    """What a process does when it is told of an import."""
    async with bench.app.writer.acquire() as conn:
        await refresh(conn)


async def recomputed(bench: Bench) -> list[dict[str, object]]:
    rows = await bench.rows("select payload from events where type = 'clock.recomputed' order by position")
    return [json.loads(row["payload"]) for row in rows]


async def clocks(bench: Bench, duty: str) -> list[tuple[object, ...]]:
    rows = await bench.rows("select * from clocks where duty = $1 order by id", duty)
    return [(row["state"], row["due_at"], row["provisional"], row["calendar"]) for row in rows]


async def test_an_import_moves_every_open_provisional_deadline_in_batches_and_once(bench: Bench) -> None:
    await refer(bench, 25)
    assert {clock[1:] for clock in await clocks(bench, "finish")} == {(moment("2027-02-18"), True, 0)}
    status, body = await send(bench, NOTICE_2027)
    assert (status, body) == (201, {"year": 2027, "edition": 1, "new": True, "recounting": 50})
    await hear(bench)
    batches = []
    while done := await almanac.recount(bench.app.unit, WINTER + DAY, batch=20):
        batches.append(done)
    assert batches == [20, 20, 10]
    assert {clock[1:] for clock in await clocks(bench, "finish")} == {(moment("2027-02-21"), False, 1)}
    events = await recomputed(bench)
    assert len(events) == 50
    finish = [event for event in events if event["duty"] == "finish"]
    assert {(event["previous_due_at"], event["due_at"], event["reason"]) for event in finish} == {
        ("2027-02-17T16:00:00Z", "2027-02-20T16:00:00Z", "calendar")
    }
    rows = await bench.rows("select due_finish from referrals")
    assert {row["due_finish"] for row in rows} == {moment("2027-02-21")}
    status, body = await send(bench, NOTICE_2027)
    assert (status, body["new"], body["recounting"]) == (200, False, 0)
    assert await almanac.recount_all(bench.app.unit, WINTER + 2 * DAY) == 0
    assert len(await recomputed(bench)) == 50


async def test_what_is_over_stands_as_it_was_recorded(bench: Bench) -> None:
    await refer(bench, 2)
    (first, _) = [row["id"] for row in await bench.rows("select id from referrals order by id")]
    bench.clock.at = WINTER + DAY
    reply = await bench.ask("POST", f"/v1/referrals/{first}/acknowledge")
    assert reply.status_code == 200
    await sweep_all(bench.app.unit, moment("2027-02-05"))
    before = await clocks(bench, "ack")
    assert sorted(clock[0] for clock in before) == ["breached", "met"]
    bench.clock.at = moment("2027-02-05")
    await send(bench, NOTICE_2027)
    await hear(bench)
    assert await almanac.recount_all(bench.app.unit, bench.clock.at) == 2
    assert await clocks(bench, "ack") == before
    assert {event["duty"] for event in await recomputed(bench)} == {"finish"}


async def test_a_clock_started_by_a_process_that_had_not_heard_is_found_and_counted_again(
    bench: Bench,
) -> None:
    await send(bench, NOTICE_2027)
    assert in_force().edition == 0
    await refer(bench, 1)
    await hear(bench)
    assert await almanac.recount_all(bench.app.unit, WINTER) == 2
    assert {clock[1:] for clock in await clocks(bench, "finish")} == {(moment("2027-02-21"), False, 1)}


async def test_a_clock_that_cannot_be_counted_again_holds_up_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await refer(bench, 3)
    (spoilt, *_) = [row["id"] for row in await bench.rows("select id from clocks where duty = 'finish'")]
    await bench.rows("update clocks set started_at = null where id = $1 returning id", spoilt)
    await send(bench, NOTICE_2027)
    await hear(bench)
    assert await almanac.recount_all(bench.app.unit, WINTER, batch=4) == 6
    assert len(await recomputed(bench)) == 5
    assert [record.message for record in caplog.records if record.levelname == "CRITICAL"] == [
        "clock not counted again"
    ]


async def test_the_explanation_of_what_ended_stays_as_it_was_counted(bench: Bench) -> None:
    await refer(bench, 1)
    (referral,) = [row["id"] for row in await bench.rows("select id from referrals")]
    bench.clock.at = WINTER + DAY
    await bench.ask("POST", f"/v1/referrals/{referral}/acknowledge")
    await bench.ask("POST", f"/v1/referrals/{referral}/answer", body={"feedback": "已办结"})
    await send(bench, NOTICE_2027)
    await hear(bench)
    await almanac.recount_all(bench.app.unit, bench.clock.at)
    (id_,) = [row["id"] for row in await bench.rows("select id from clocks where duty = 'finish'")]
    told = (await bench.ask("GET", f"/v1/clocks/{id_}/explanation")).json()
    assert told["calendar"] == 0
    assert [line["zh"] for line in told["lines"] if line["kind"] == "due"] == [
        "2月17日(三)24:00届满（10个工作日）"
    ]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("year: 2027", "", "year"),
        ('"2027-06-09"', '"2027-02-30"', "holidays[4].days_off"),
        ('"2027-06-09"', '"2027-05-01"', "holidays[4].days_off"),
        ('["2027-02-20"]', '["2027-02-10"]', "holidays"),
        ('"2027-09-15"', '"2027-09-16"', "holidays"),
        ("holidays:", "holidays: [", "file"),
    ],
)
async def test_a_notice_that_cannot_be_right_changes_nothing(
    bench: Bench, old: str, new: str, field: str
) -> None:
    status, body = await send(bench, NOTICE_2027.replace(old, new))
    assert (status, body["code"]) == (422, "invalid-request")
    (error,) = body["errors"]  # type: ignore[misc]
    assert error["field"] == field
    assert error["remedy"]
    assert error["remedy_zh"]
    assert await bench.rows("select * from calendar_notices") == []


async def test_only_the_admin_imports_and_sees_which_notices_count(bench: Bench) -> None:
    for role in ("caseworker", "district", "leader", "ops"):
        assert (await send(bench, NOTICE_2027, role))[0] == 403
        assert (await bench.ask("GET", "/v1/calendar", role)).status_code == 403
    reply = await bench.client.post(PATH, content=NOTICE_2027)
    assert reply.status_code == 401
    seen = (await bench.ask("GET", "/v1/calendar", "admin")).json()
    origins = {year["year"]: year["origin"] for year in seen["years"]}
    assert (origins[2020], origins[2026], origins[2027]) == ("packaged", "packaged", "provisional")
    await send(bench, NOTICE_2027)
    seen = (await bench.ask("GET", "/v1/calendar", "admin")).json()
    (year,) = [year for year in seen["years"] if year["year"] == 2027]
    assert (year["origin"], year["days_off"], year["make_up"]) == ("imported", 24, 2)
    assert year["sources"][0]["number"] == "测试〔2026〕1号"
    assert year["imported_by"] == "admin/-/-/admin-test"


async def test_a_december_day_cannot_be_two_things(bench: Bench) -> None:
    """The notice of 2028 may speak of December 2027, but not against that year's own."""
    days = '{name: 国庆节, days_off: "2027-10-01/2027-10-07", make_up: ["2027-10-09", "2027-12-26"]}'
    with_december = NOTICE_2027.replace(
        '{name: 国庆节, days_off: "2027-10-01/2027-10-07", make_up: ["2027-10-09"]}', days
    )
    assert (await send(bench, with_december))[0] == 201
    against = """
year: 2028
sources: [{title: 通知, number: 测试2号, issued: "2027-11-05"}]
holidays:
  - {name: 元旦, days_off: "2027-12-26/2028-01-01"}
  - {name: 春节, days_off: "2028-01-25/2028-01-28"}
  - {name: 清明节, days_off: "2028-04-04"}
  - {name: 劳动节, days_off: "2028-05-01/2028-05-02"}
  - {name: 端午节, days_off: "2028-05-28"}
  - {name: 国庆节、中秋节, days_off: "2028-10-01/2028-10-07"}
"""
    status, body = await send(bench, against)
    assert status == 422
    (error,) = body["errors"]  # type: ignore[misc]
    assert "2027-12-26" in error["problem"]


async def test_an_import_reaches_every_service_that_counts_days(bench: Bench, migrated_database: str) -> None:
    """What notify publishes goes to another service, whose processes then count by it."""
    await send(bench, NOTICE_2027)
    (row,) = await bench.rows("select payload from events where type = 'calendar.notice_imported'")
    told = NoticeImported.model_validate_json(row["payload"])
    settings = Settings(environment="test", postgres=migrated_database)
    for service in (intake_app.SERVICE, assistance_app.SERVICE, desk_app.SERVICE):
        async with await pools.pool(service, settings, "writer") as writer:
            unit = Unit(service, writer, bench.app.clock)
            app = replace(bench.app, service=service, settings=settings, writer=writer, unit=unit)
            await _counts_by(told, app)


async def test_what_was_imported_before_anybody_was_told_is_told_once_at_the_start(bench: Bench) -> None:
    """As a data folder has it that is older than the event: the notice is kept, and nobody knows of it."""
    longer = NOTICE_2027.replace("2027-02-05/2027-02-11", "2027-02-05/2027-02-14")
    async with bench.app.writer.acquire() as conn:
        for edition, text in ((1, NOTICE_2027), (2, longer)):
            at = WINTER + edition * DAY
            await views.write_notice(conn, edition, 2027, "通知", "测试1号", text, "admin", at)

    async def told() -> list[tuple[int, str]]:
        rows = await bench.rows(
            "select payload from events where type = 'calendar.notice_imported' order by position"
        )
        read = [NoticeImported.model_validate_json(row["payload"]) for row in rows]
        return [(each.edition, each.imported_at.astimezone(UTC).isoformat()) for each in read]

    wanted = [(edition, (WINTER + edition * DAY).astimezone(UTC).isoformat()) for edition in (1, 2)]
    for _ in range(2):
        starting = asyncio.create_task(almanac.keep_current(bench.app))
        await eventually(lambda: _equal(told, wanted), what="both notices told")
        starting.cancel()
    await send(bench, NOTICE_2027)
    assert [edition for edition, _ in await told()] == [1, 2, 3]


async def _equal(found: Callable[[], Awaitable[object]], wanted: object) -> bool:
    return await found() == wanted


async def test_an_earlier_notice_that_is_told_later_counts_as_well() -> None:
    conn = Known({2: NOTICE_2027})
    assert await refresh(conn) == 2  # type: ignore[arg-type]
    conn.notices[1] = NOTICE_2027.replace("2027-02-05/2027-02-11", "2027-02-05/2027-02-14")
    assert await refresh(conn) == 2  # type: ignore[arg-type]
    assert (in_force().edition, in_force().imported) == (2, 2)
    put_in_force(PACKAGED)


class Known:
    """A connection to a service that has been told of these notices, by edition."""

    def __init__(self, notices: dict[int, str]) -> None:
        self.notices = notices

    async def fetchrow(self, _: str) -> dict[str, int]:
        return {"edition": max(self.notices), "imported": len(self.notices)}

    async def fetch(self, _: str) -> list[dict[str, object]]:
        return [{"edition": n, "body": text} for n, text in sorted(self.notices.items())]


async def _counts_by(told: NoticeImported, app: App) -> None:
    service = app.service
    assert notify_events.CALENDAR in service.reads
    assert service.takes is None or told.type in service.takes
    keep_current = next(task for task in service.background if task.__name__ == "keep_current")
    asked = Application.model_validate({"received_at": WINTER, "needs": ["medical_cost"]})
    put_in_force(PACKAGED)
    assert evaluate(asked).referrals[0].due_finish == moment("2027-02-18")

    async def counted_by_it() -> bool:
        return in_force().edition == 1

    hearing = asyncio.create_task(keep_current(app))
    conn = await pools.connect(service, app.settings)
    try:
        assert service.absorb is not None
        for _ in range(2):
            await service.absorb(conn, [enveloped(told, WINTER)])
        await eventually(counted_by_it, what=f"the notice in force in {service.name}")
        assert await conn.fetchval("select count(*) from calendar_notices") == 1
    finally:
        hearing.cancel()
        await conn.close()
    assert evaluate(asked).referrals[0].due_finish == moment("2027-02-21")
