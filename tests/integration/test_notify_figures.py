"""Figures on a real database: what SQL counts is what the archive folds to, for now and for any past day."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from onedoor.calendar import moment
from onedoor.contracts.core import derived_id
from onedoor.notify.app import SERVICE
from onedoor.notify.domain.ledger import referral_id
from onedoor.notify.figures.passes import record
from onedoor.notify.figures.queries import Wanted, clocks_as_of, passes_between, tallies
from onedoor.notify.figures.timeliness import By, tally
from onedoor.notify.sweep import sweep_all
from tests.notify import FRIDAY, application, decided, opened, planned
from tests.notify_bench import HERE, Bench, enveloped, notify_bench
from tests.servers import Servers

MIGRATED = (SERVICE,)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALWAYS = Wanted(FRIDAY - 90 * DAY, FRIDAY + 90 * DAY)
PERIOD = "from=2026-09-01&to=2026-12-01"
GROUPINGS: list[list[By]] = [
    ["department"],
    ["duty", "month"],
    ["area"],
    ["department", "duty", "area", "month"],
]


@pytest.fixture
async def bench(servers: Servers, database: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with notify_bench(servers, database, tmp_path / "dev.key") as bench:
        yield bench


async def two_weeks(bench: Bench) -> None:
    """Eight applications to education and the police; some answered in time, some late, some never."""
    ids = [uuid4() for _ in range(8)]
    critical = {"rule": "R1", "to": "public-security", "urgency": "critical", "to_division": HERE}
    await bench.read(
        *(
            application(planned(), planned(**critical), application_id=id_, chain_id=derived_id("chain", id_))
            for id_ in ids
        )
    )
    for number, id_ in enumerate(ids):
        bench.clock.at = FRIDAY + number * 3 * DAY
        await sweep_all(bench.app.unit, bench.clock.at)
        for rule, to in (("R4", "education"), ("R1", "public-security"))[: 1 + number % 2]:
            path = f"/v1/referrals/{referral_id(id_, rule, to)}"
            assert (await bench.ask("POST", f"{path}/acknowledge")).status_code == 200
            body = {"outcome": "no_need", "feedback": "done"} if number % 3 else None
            if body:
                await bench.ask("POST", f"{path}/answer", body=body)
    await sweep_all(bench.app.unit, bench.clock.at)


async def test_any_past_day_is_counted_as_it_was_counted_then(bench: Bench) -> None:
    """The figures of each day as they stood, kept while the days go by, come out of the archive again."""
    kept: dict[datetime, list[object]] = {}

    async def keep(at: datetime) -> None:
        async with bench.app.writer.acquire() as conn:
            kept[at] = [await tallies(conn, ALWAYS, by) for by in GROUPINGS]

    await bench.read(application(planned(), planned("R13", "housing")))
    for day in range(1, 30, 4):
        bench.clock.at = FRIDAY + day * DAY
        await sweep_all(bench.app.unit, bench.clock.at)
        if day == 5:
            await bench.read(
                application(planned(), at=bench.clock.at, application_id=uuid4(), chain_id=uuid4())
            )
        if day == 9:
            await bench.ask("POST", f"/v1/referrals/{HOUSING}/acknowledge")
        await keep(bench.clock.at)
    async with bench.app.writer.acquire() as conn:
        for at, figures in kept.items():
            clocks = await clocks_as_of(conn, at, ALWAYS)
            assert [tally(clocks, by) for by in GROUPINGS] == figures
    assert len({str(figures) for figures in kept.values()}) > 3


HOUSING = referral_id(derived_id("notify-test-application"), "R13", "housing")


async def test_timeliness_for_a_leader_counts_children_and_names_nobody(bench: Bench) -> None:
    await two_weeks(bench)
    told = (await bench.ask("GET", f"/v1/figures/timeliness?{PERIOD}", "leader")).json()
    rows = {row["department"]: row for row in told["rows"]}
    assert set(rows) == {"education", "public-security"}
    counted = await bench.rows(
        "select count(*) filter (where state = 'met') as met,"
        " count(*) filter (where state = 'met_late') as late,"
        " count(*) filter (where state = 'breached') as overdue from clocks where owner = 'public-security'"
    )
    police = rows["public-security"]
    assert {name: police[name] for name in ("met", "late", "overdue")} == dict(counted[0])
    assert police["share"] == police["met"] / (police["met"] + police["late"] + police["overdue"])
    assert min(told["total"][name] for name in ("met", "late", "overdue")) > 0
    past = await bench.ask(
        "GET", f"/v1/figures/timeliness?{PERIOD}&as_of=2026-09-18T09:59:00%2B08:00", "leader"
    )
    assert past.json()["rows"] == []


async def test_small_groups_are_hidden_and_clocks_are_for_those_who_may_see_them(bench: Bench) -> None:
    await bench.read(application(planned()))
    await sweep_all(bench.app.unit, FRIDAY + 60 * DAY)
    told = (await bench.ask("GET", f"/v1/figures/timeliness?{PERIOD}&by=duty", "leader")).json()
    assert [row["hidden"] for row in told["rows"]] == [True, True]
    assert told["total"]["hidden"]
    assert all(row["met"] is row["share"] is None for row in told["rows"])
    path = f"/v1/figures/clocks?{PERIOD}&department=education&limit=1"
    assert (await bench.ask("GET", path, "leader")).status_code == 403
    first = (await bench.ask("GET", path)).json()
    second = (await bench.ask("GET", f"{path}&after={first['next']}")).json()
    assert {clock["duty"] for clock in (*first["items"], *second["items"])} == {"ack", "finish"}
    assert second["next"] is None
    for at, duties in ((FRIDAY + 5 * DAY, {"ack"}), (FRIDAY + 60 * DAY, {"ack", "finish"})):
        then = (await bench.ask("GET", f"{path}0&as_of={quote(at.isoformat())}")).json()
        assert {clock["duty"] for clock in then["items"]} == duties
    elsewhere = await bench.ask("GET", path, "unit-head", "housing", HERE)
    assert elsewhere.json()["items"] == []


async def test_a_period_ends_with_the_last_midnight_of_its_last_day(bench: Bench) -> None:
    """R4's acknowledgement is due at 24:00 of Monday the 21st."""
    await bench.read(*(application(planned(), application_id=uuid4(), chain_id=uuid4()) for _ in range(5)))
    await sweep_all(bench.app.unit, FRIDAY + 9 * DAY)
    for period, count in (("from=2026-09-21&to=2026-09-22", 5), ("from=2026-09-22&to=2026-09-23", 0)):
        behind = (await bench.ask("GET", f"/v1/figures/clocks?{period}")).json()["items"]
        assert len(behind) == count


async def test_no_other_way_leads_to_a_small_group(bench: Bench) -> None:
    """Each would give what the sum of all without the others is: parts of months, filters, two groupings."""
    for query, field in (
        ("from=2026-09-01&to=2026-09-22", "from"),
        (f"{PERIOD}&department=education", "department"),
        (f"{PERIOD}&by=duty&area=500112015", "area"),
        (f"{PERIOD}&by=duty&by=department", "by"),
    ):
        answer = await bench.ask("GET", f"/v1/figures/timeliness?{query}", "leader")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    both = await bench.ask("GET", f"/v1/figures/timeliness?{PERIOD}&by=duty&by=month", "leader")
    assert both.status_code == 200


async def test_a_chains_journey(bench: Bench) -> None:
    received = application(planned())
    await bench.read(received, opened())
    bench.clock.at = FRIDAY + 2 * HOUR
    r4 = referral_id(received.application_id, "R4", "education")
    await bench.ask("POST", f"/v1/referrals/{r4}/return", body={"reason": "wrong_unit"})
    path = f"/v1/chains/{received.chain_id}/holdings"
    lived = (await bench.ask("GET", path)).json()
    assert lived["departments"] == {"education": 120, "civil-affairs": 120, "township": 0}
    assert (lived["hand_overs"], lived["total_minutes"], lived["ended_at"]) == (2, 120, None)
    own = await bench.ask("GET", path, "department", "education", HERE)
    assert own.status_code == 404, "half of a journey would be a wrong one"


async def test_the_month_and_the_meeting(bench: Bench) -> None:
    await two_weeks(bench)
    month = (await bench.ask("GET", "/v1/figures/assessment?month=2026-09", "leader")).json()
    units = {unit["timeliness"]["department"]: unit for unit in month["units"]}
    assert units["education"]["held"] == 8
    assert units["education"]["minutes"] > 0
    bench.clock.at = FRIDAY + 60 * DAY
    await sweep_all(bench.app.unit, bench.clock.at)
    meeting = (await bench.ask("GET", "/v1/figures/agenda")).json()
    assert {item["receipt"] for item in meeting["items"]} == {"QZ-20260918-ABCDEF-7"}
    assert all("stuck" in item["why"] for item in meeting["items"])
    assert meeting["unseen"] == 0
    of_leader = (await bench.ask("GET", "/v1/figures/agenda", "leader")).json()
    assert of_leader["items"] == [], "all of these chains are children's"
    assert of_leader["unseen"] == len(meeting["items"]), "but that they are there is said"


async def test_the_agenda_of_any_past_day_is_what_it_was_then(bench: Bench) -> None:
    """Kept day by day while the referrals run late and are answered; then asked for again."""
    ids = [uuid4() for _ in range(3)]
    await bench.read(
        *(application(planned(), application_id=id_, chain_id=derived_id("chain", id_)) for id_ in ids)
    )
    paths = [f"/v1/referrals/{referral_id(id_, 'R4', 'education')}" for id_ in ids]
    kept: dict[datetime, list[Any]] = {}
    for day in range(1, 60, 6):
        bench.clock.at = FRIDAY + day * DAY
        await sweep_all(bench.app.unit, bench.clock.at)
        if day in (31, 43):
            done = {"outcome": "no_need", "feedback": "done"}
            path = paths.pop()
            await bench.ask("POST", f"{path}/acknowledge")
            answered = await bench.ask("POST", f"{path}/answer", body=done)
            assert answered.status_code == 200
        told = (await bench.ask("GET", "/v1/figures/agenda")).json()
        kept[bench.clock.at] = [told["items"], told["unseen"]]
    for at, agenda in kept.items():
        then = await bench.ask("GET", f"/v1/figures/agenda?as_of={quote(at.isoformat())}")
        assert [then.json()["items"], then.json()["unseen"]] == agenda
        assert moment(then.json()["as_of"]) == at
        leader = await bench.ask("GET", f"/v1/figures/agenda?as_of={quote(at.isoformat())}", "leader")
        assert (leader.json()["items"], leader.json()["unseen"]) == ([], len(agenda[0]))
    assert len({str(agenda) for agenda in kept.values()}) > 3
    refused = await bench.ask("GET", "/v1/figures/agenda?as_of=2026-10-01T00:00:00")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "as_of")


async def test_an_office_that_touches_nothing_holds_it_all_the_same(bench: Bench) -> None:
    """Nothing changes hands in October: the referral of September lies there all month."""
    for count, minutes in ((4, None), (5, 5 * 18 * 7 * 60)):
        of = [uuid4() for _ in range(count if minutes is None else 1)]
        await bench.read(
            *(application(planned(), application_id=id_, chain_id=id_, at=FRIDAY) for id_ in of), at=FRIDAY
        )
        bench.clock.at = FRIDAY + 60 * DAY
        await sweep_all(bench.app.unit, bench.clock.at)
        month = (await bench.ask("GET", "/v1/figures/assessment?month=2026-10", "leader")).json()
        (education,) = (u for u in month["units"] if u["timeliness"]["department"] == "education")
        held = None if minutes is None else count
        assert (education["held"], education["minutes"]) == (held, minutes), "of few it is hidden"


async def test_a_units_month_is_what_it_was_on_the_day_that_is_asked_for(bench: Bench) -> None:
    await bench.read(*(application(planned(), application_id=uuid4(), chain_id=uuid4()) for _ in range(6)))
    at = FRIDAY + 9 * DAY
    bench.clock.at = at
    await sweep_all(bench.app.unit, at)
    path = "/v1/figures/assessment?month=2026-09"
    then = (await bench.ask("GET", path, "leader")).json()
    bench.clock.at = FRIDAY + 11 * DAY
    for (referral,) in await bench.rows("select id from referrals"):
        answered = await bench.ask("POST", f"/v1/referrals/{referral}/acknowledge")
        assert answered.status_code == 200
    asked = f"{path}&as_of={at.isoformat().replace('+', '%2B')}"
    now, again = [(await bench.ask("GET", each, "leader")).json() for each in (path, asked)]
    assert again == then
    assert now["units"] != then["units"]


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-09-02&to=2026-09-02",
        "from=2026-09-02&to=2036-09-02",
        "from=2026-02-30&to=2026-09-02",
        "by=name",
    ],
)
async def test_a_period_that_is_none_gets_a_clear_answer(bench: Bench, query: str) -> None:
    answered = await bench.ask("GET", f"/v1/figures/timeliness?{query}")
    assert answered.status_code == 422
    assert answered.json()["errors"][0]["remedy"]


async def test_passes_are_written_once_however_often_an_event_comes(bench: Bench) -> None:
    arrived = [enveloped(event, FRIDAY) for event in (application(planned()), opened(), decided())]
    async with bench.app.writer.acquire() as conn:
        await record(conn, arrived)
        await record(conn, arrived[::-1])
        passes = await passes_between(conn, FRIDAY - DAY, FRIDAY + DAY)
    assert sorted(each.type for each in passes) == ["application.received", "case.decided", "case.opened"]
