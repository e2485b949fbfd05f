"""notify on real servers: what stands in its tables, what its API shows to whom, what the sweep writes."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from onedoor.calendar import Limit, moment
from onedoor.contracts.core import SYSTEM, derived_id
from onedoor.contracts.events.assistance import CaseAccepted
from onedoor.contracts.events.notify import OnBehalf
from onedoor.notify import almanac, views
from onedoor.notify import sweep as sweeping
from onedoor.notify.app import SERVICE
from onedoor.notify.domain import DECIDERS
from onedoor.notify.domain.clock import PAUSE_REASONS, clock_id
from onedoor.notify.domain.duties import due_at
from onedoor.notify.domain.ledger import referral_id
from onedoor.notify.sweep import sweep, sweep_all
from onedoor.runtime import clock as business
from onedoor.runtime import database as pools
from onedoor.runtime import logs
from onedoor.runtime.migrate import folded
from onedoor.runtime.tokens import ensure_dev_key
from tests.harness import Process, eventually, publish, read_topic, running
from tests.notices import NOTICE_2027
from tests.notify import FRIDAY, application, planned, withdrawn
from tests.notify_bench import HERE, THERE, Bench, enveloped, notify_bench
from tests.servers import Servers

MIGRATED = (SERVICE,)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CRITICAL = {"rule": "R1", "to": "public-security", "urgency": "critical", "to_division": HERE}
SECRET = "孩子在桥洞下找到，已送往亲属家"


@pytest.fixture
async def bench(servers: Servers, database: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with notify_bench(servers, database, tmp_path / "dev.key") as bench:
        yield bench


R1 = referral_id(derived_id("notify-test-application"), "R1", "public-security")
R4 = referral_id(derived_id("notify-test-application"), "R4", "education")
R1_PATH, R4_PATH = f"/v1/referrals/{R1}", f"/v1/referrals/{R4}"


IDS = "select distinct aggregateid as id from events where aggregatetype = $1"


async def test_the_rows_are_the_fold_of_the_archive(bench: Bench) -> None:
    """No second copy: what the stores load is what the events fold to, to the last field."""
    await bench.read(application(planned(**CRITICAL), planned()))
    await bench.ask("POST", f"{R4_PATH}/acknowledge")
    await sweep_all(bench.app.unit, FRIDAY + 60 * DAY)
    await bench.read(withdrawn(FRIDAY + HOUR))
    async with bench.app.unit.transaction() as tx:
        await almanac.import_notice(tx, NOTICE_2027, SYSTEM)
    conn = await pools.connect(SERVICE, bench.app.settings)
    for decider in DECIDERS:
        ids = [row["id"] for row in await conn.fetch(IDS, decider.name)]
        assert ids
        loaded = await bench.app.unit.load(conn, [(decider.name, id_) for id_ in ids])
        for id_ in ids:
            assert loaded[decider.name, id_] == await folded(conn, decider, id_)
    await conn.close()


async def test_one_batch_with_all_the_events_of_a_chain(bench: Bench) -> None:
    await bench.read(withdrawn(FRIDAY + HOUR), application(planned(**CRITICAL), planned()))
    states = {row["id"]: row["state"] for row in await bench.rows("select id, state from referrals")}
    assert states == {R1: "sent", R4: "revoked"}
    clocks = await bench.rows("select duty, state from clocks where referral_id = $1", R4)
    assert {row["state"] for row in clocks} == {"cancelled"}


async def test_sweeping_as_of_any_moment(bench: Bench) -> None:
    """A jump of sixty days in one sweep: missed steps at their own moments, in the order of these."""
    await bench.read(application(planned(**CRITICAL), planned()))
    assert await sweep_all(bench.app.unit, FRIDAY) == 0
    assert await sweep(bench.app.unit, FRIDAY + timedelta(minutes=25)) == 1
    assert (await bench.types())[-1] == "clock.warned"
    assert await sweep(bench.app.unit, FRIDAY + 60 * DAY) == 5
    steps = await bench.rows(
        "select type, time from events where type in ('clock.warned', 'clock.breached', 'alert.escalated')"
        " order by position"
    )
    times = [row["time"] for row in steps]
    assert times == sorted(times)
    breached = [row["time"] for row in steps if row["type"] == "clock.breached"]
    assert breached == [
        FRIDAY + timedelta(minutes=30),
        FRIDAY + 2 * HOUR,
        FRIDAY + DAY,
        moment("2026-09-22T00:00"),
        moment("2026-10-10T00:00"),
    ]
    assert await sweep_all(bench.app.unit, FRIDAY + 60 * DAY) == 0


async def test_two_sweeps_at_once_breach_once(bench: Bench) -> None:
    """What one process holds is skipped by the other."""
    applications = [application(planned(), application_id=uuid4(), chain_id=uuid4()) for _ in range(60)]
    await bench.read(*applications)
    await asyncio.gather(*(sweep_all(bench.app.unit, FRIDAY + 60 * DAY, batch=7) for _ in range(4)))
    (count,) = await bench.rows(
        "select count(*) as events, count(distinct aggregateid) as clocks"
        " from events where type = 'clock.breached'"
    )
    assert (count["events"], count["clocks"]) == (120, 120)


async def test_more_than_a_batch_is_worked_side_by_side(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch is decided while another is written; each clock's steps stay in their order."""
    await bench.read(*(application(planned(), application_id=uuid4(), chain_id=uuid4()) for _ in range(30)))
    at_work: list[int] = []
    take = sweeping._take

    async def counted(*of_batch: Any) -> None:
        at_work.append(at_work[-1] + 1 if at_work else 1)
        await take(*of_batch)
        at_work.append(at_work[-1] - 1)

    monkeypatch.setattr(sweeping, "_take", counted)
    assert await sweep_all(bench.app.unit, FRIDAY + 60 * DAY, batch=7) == 60
    assert max(at_work) == sweeping.SIDE_BY_SIDE
    found: dict[UUID, list[tuple[int, datetime]]] = defaultdict(list)
    for row in await bench.rows(
        "select aggregateid, version, time from events where aggregatetype = 'clock' order by position"
    ):
        found[row["aggregateid"]].append((row["version"], row["time"]))
    assert len(found) == 60
    assert all(steps == sorted(steps) for steps in found.values())


async def test_claiming_uses_the_index(bench: Bench) -> None:
    async with bench.app.writer.acquire() as conn:
        await conn.execute("set enable_seqscan = off")
        plan = await conn.fetch(
            f"explain {views._CLAIM}",
            FRIDAY,
            10,
        )
        await conn.execute("reset enable_seqscan")
    assert any("clocks_next_at" in row[0] for row in plan)


async def test_a_department_works_its_list(bench: Bench) -> None:
    await bench.read(application(planned(**CRITICAL), planned()))
    page = (await bench.police("GET", "/v1/referrals")).json()
    (item,) = page["items"]
    assert (item["referral_id"], item["from"], item["to"]) == (str(R1), "township", "public-security")
    assert (item["state"], item["overdue"]) == ("sent", False)
    done = await bench.police("POST", f"{R1_PATH}/acknowledge", {"note": "已派出所领导"})
    assert done.status_code == 200, done.text
    assert done.json()["state"] == "acknowledged"
    assert done.headers["onedoor-event"]
    version = done.headers["etag"]
    assert (await bench.police("POST", f"{R1_PATH}/act", If_Match='"1"')).status_code == 412
    assert (await bench.police("POST", f"{R1_PATH}/act", If_Match=version)).status_code == 200
    seen = {"child_seen": True, "measures": "rescued"}
    answer = {"feedback": SECRET, "outcome": "helped", "results": seen}
    assert (await bench.police("POST", f"{R1_PATH}/answer", answer)).json()["state"] == "answered"
    view = (await bench.police("GET", R1_PATH)).json()
    assert [(note["verb"], note["kind"]) for note in view["notes"]] == [
        ("acknowledged", "note"),
        ("answered", "feedback"),
    ]
    assert {clock["state"] for clock in view["clocks"]} == {"met"}
    payloads = await bench.rows("select string_agg(payload::text, ' ') as all from events")
    assert SECRET not in payloads[0]["all"], "the words stay here"


async def test_what_is_not_mine_does_not_exist_for_me(bench: Bench) -> None:
    await bench.read(application(planned(**CRITICAL), planned()))
    unknown = await bench.police("GET", f"/v1/referrals/{uuid4()}")
    for role, department, division in (
        ("department", "education", HERE),
        ("department", "public-security", THERE),
        ("station", "relief-station", None),
    ):
        seen = await bench.ask("GET", R1_PATH, role, department, division)
        assert (seen.status_code, seen.content) == (404, unknown.content), role
        done = await bench.ask("POST", f"{R1_PATH}/acknowledge", role, department, division)
        assert done.status_code == 404
    for role in ("leader", "ops", "hotline"):
        assert (await bench.ask("GET", R1_PATH, role)).status_code == 403
    ack = clock_id("ack", R1)
    assert (await bench.police("GET", f"/v1/clocks/{ack}")).status_code == 200
    assert (await bench.ask("GET", f"/v1/clocks/{ack}", "department", "education")).status_code == 404
    sender = await bench.ask("GET", f"/v1/clocks/{ack}", "department", "township", HERE)
    assert sender.status_code == 200, "the sender sees the clocks of what it sent"
    async with bench.app.reader.acquire() as conn:
        for table in ("clocks", "referrals", "notes"):
            assert await conn.fetchval(f"select count(*) from {table}") == 0, "no clearance, no row"


async def test_the_sender_verifies_and_the_list_of_what_it_sent(bench: Bench) -> None:
    await bench.read(application(planned(to_division=HERE)))
    school: dict[str, Any] = {"role": "department", "department": "education"}
    await bench.ask("POST", f"{R4_PATH}/acknowledge", **school)
    await bench.ask("POST", f"{R4_PATH}/answer", **school, body={"feedback": "已复学"})
    assert (await bench.ask("POST", f"{R4_PATH}/verify", **school)).status_code == 403
    town: dict[str, Any] = {"role": "child-worker", "department": "township", "division": HERE}
    sent = (await bench.ask("GET", "/v1/referrals?sent=true", **town)).json()
    assert [item["referral_id"] for item in sent["items"]] == [str(R4)]
    assert (await bench.ask("POST", f"{R4_PATH}/verify", **town)).json()["state"] == "verified"
    assert (await bench.ask("POST", f"{R4_PATH}/close", **town)).json()["state"] == "closed"


async def test_on_behalf_of_a_unit_without_an_account(bench: Bench) -> None:
    await bench.read(application(planned(to_division=HERE)))
    behalf = {"on_behalf_of": {"person": "某校德育处", "means": "phone"}}
    town: dict[str, Any] = {"role": "child-worker", "department": "township", "division": HERE}
    assert (await bench.ask("POST", f"{R4_PATH}/acknowledge", **town)).status_code in (404, 409)
    done = await bench.ask("POST", f"{R4_PATH}/acknowledge", **town, body=behalf)
    assert done.status_code == 200, done.text
    police = await bench.police("POST", f"{R4_PATH}/act", behalf)
    assert police.status_code == 403, "who may not record for others"


BEHALF = {"person": "李四明老师13900001111", "means": "电话", "document": "德育处回执第7号"}


@pytest.mark.parametrize(("field", "longest"), [("person", 80), ("means", 80), ("document", 200)])
async def test_who_signed_elsewhere_and_on_what_paper_is_limited_in_length(
    bench: Bench, field: str, longest: int
) -> None:
    await bench.read(application(planned(to_division=HERE)))
    town: dict[str, Any] = {"role": "child-worker", "department": "township", "division": HERE}
    for length, status in ((longest + 1, 422), (longest, 200)):
        body = {"on_behalf_of": BEHALF | {field: "李" * length}}
        answer = await bench.ask("POST", f"{R4_PATH}/acknowledge", **town, body=body)
        assert answer.status_code == status, answer.text
        assert "李" not in answer.text, "what was entered is not repeated"
        if status == 422:
            assert answer.json()["errors"][0]["field"] == f"on_behalf_of.{field}"


async def test_who_signed_elsewhere_stands_in_no_log(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither what is done, nor what is refused, nor what fails with the names in its message."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers[:])
    logs.configure("notify", bench.app.settings)
    await bench.read(application(planned(to_division=HERE)))
    town: dict[str, Any] = {"role": "child-worker", "department": "township", "division": HERE}
    body = {"on_behalf_of": BEHALF}
    assert (await bench.ask("POST", f"{R4_PATH}/answer", **town, body=body)).status_code in (409, 422)
    assert (await bench.ask("POST", f"{R4_PATH}/acknowledge", **town, body=body)).status_code == 200

    async def failing(*args: Any) -> None:
        raise RuntimeError(f"{BEHALF}")

    monkeypatch.setattr(bench.app.unit, "run", failing)
    assert (await bench.ask("POST", f"{R4_PATH}/act", **town, body=body)).status_code == 500
    logging.getLogger("test").error("a careless line", extra=BEHALF | {"on_behalf_of": OnBehalf(**BEHALF)})
    said = capsys.readouterr().out
    assert "a careless line" in said
    assert not any(word in said for word in (*BEHALF.values(), "李四明", "13900001111"))


async def test_what_no_rule_names_stands_on_the_townships_list(bench: Bench) -> None:
    await bench.read(application(manual=True), application(manual=True, application_id=uuid4()))
    town: dict[str, Any] = {"role": "window", "department": "township", "division": HERE}
    items = (await bench.ask("GET", "/v1/referrals", **town)).json()["items"]
    assert [(item["rule"], item["to"], item["to_division"]) for item in items] == [
        ("MANUAL", "township", HERE)
    ] * 2
    elsewhere = town | {"division": THERE}
    assert (await bench.ask("GET", "/v1/referrals", **elsewhere)).json()["items"] == []
    mine = referral_id(derived_id("notify-test-application"), "MANUAL", "township")
    view = (await bench.ask("GET", f"/v1/referrals/{mine}", **town)).json()
    assert {clock["duty"] for clock in view["clocks"]} == {"ack", "finish"}
    await bench.read(withdrawn(FRIDAY + HOUR))
    assert (await bench.ask("GET", f"/v1/referrals/{mine}", **town)).json()["state"] == "revoked"


async def test_refusals_are_coded_in_both_languages(bench: Bench) -> None:
    await bench.read(application(planned(**CRITICAL)))
    early = await bench.police("POST", f"{R1_PATH}/answer", {"feedback": "x"})
    assert (early.status_code, early.json()["code"]) == (409, "referral.state")
    assert early.json()["reason_zh"]
    await bench.police("POST", f"{R1_PATH}/acknowledge")
    empty = await bench.police("POST", f"{R1_PATH}/answer", {})
    assert (empty.status_code, empty.json()["errors"][0]["field"]) == (422, "feedback")
    extended = await bench.police("POST", f"{R1_PATH}/extend", {"reason": "人手不足"})
    assert (extended.status_code, extended.json()["code"]) == (409, "referral.critical")
    assert (await bench.police("POST", f"{R1_PATH}/answer", {"nonsense": 1})).status_code == 422


async def test_the_same_key_twice_is_one_acknowledgement(bench: Bench) -> None:
    await bench.read(application(planned(**CRITICAL)))
    first = await bench.police("POST", f"{R1_PATH}/acknowledge", Idempotency_Key="k1")
    again = await bench.police("POST", f"{R1_PATH}/acknowledge", Idempotency_Key="k1")
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert (await bench.types()).count("referral.acknowledged") == 1


async def test_words_of_a_reason_stay_here_and_a_code_travels(bench: Bench) -> None:
    await bench.read(application(planned()))
    done = await bench.ask("POST", f"{R4_PATH}/return", body={"reason": SECRET})
    assert done.json()["state"] == "returned"
    (event,) = await bench.rows("select payload from events where type = 'referral.returned'")
    assert '"reason": "other"' in event["payload"]
    (note,) = await bench.rows("select kind, text from notes")
    assert (note["kind"], note["text"]) == ("reason", SECRET)


async def test_pausing_and_explaining_a_clock(bench: Bench) -> None:
    await bench.read(application(planned()))
    path = f"/v1/clocks/{clock_id('finish', R4)}"
    head: dict[str, Any] = {"role": "unit-head", "department": "education"}
    assert (await bench.ask("POST", f"{path}/pause", "department", "education")).status_code == 403
    bare = await bench.ask("POST", f"{path}/pause", **head)
    assert (bare.status_code, bare.json()["errors"][0]["field"]) == (422, "reason")
    before = (await bench.ask("GET", path, **head)).json()
    for until in ("2026-09-17T09:00", "2026-11-01"):
        body = {"reason": "court", "until": until}
        refused = await bench.ask("POST", f"{path}/pause", **head, body=body)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "until")
        assert refused.json()["errors"][0]["remedy"]
    assert (await bench.ask("GET", path, **head)).json() == before
    bench.clock.at = moment("2026-09-21T09:00")
    paused = await bench.ask("POST", f"{path}/pause", **head, body={"reason": "等待法院裁定"})
    assert paused.json()["state"] == "paused", paused.text
    bench.clock.at = moment("2026-09-23T09:00")
    resumed = await bench.ask("POST", f"{path}/resume", **head)
    assert resumed.json()["due_at"] == "2026-10-12T16:00:00Z"
    lines = (await bench.ask("GET", f"{path}/explanation", **head)).json()["lines"]
    kinds = [line["kind"] for line in lines]
    assert kinds[0] == "rule"
    assert {"start", "paused", "make_up", "holiday", "due"} <= set(kinds)
    assert all(line["zh"] and line["en"] for line in lines)
    assert (await bench.ask("GET", R4_PATH)).json()["due_finish"] == "2026-10-12T16:00:00Z"


async def test_a_clock_tells_what_may_be_done_about_it_and_the_second_who_does_it_what_happened(
    bench: Bench,
) -> None:
    await bench.read(application(planned(), planned(**CRITICAL)))
    path, head = f"/v1/clocks/{clock_id('finish', R4)}", ("unit-head", "education")
    seen = await bench.ask("GET", path, *head)
    (move,) = seen.json()["moves"]
    assert (move["verb"], move["reasons"]) == ("pause", list(PAUSE_REASONS))
    assert moment(move["latest"]) == FRIDAY + 30 * DAY
    assert (await bench.ask("GET", path, "department", "education")).json()["moves"] == []
    critical = await bench.ask("GET", f"/v1/clocks/{clock_id('finish', R1)}")
    assert critical.json()["moves"] == []

    body, version = {"reason": "court", "note": "court order of Friday"}, seen.headers["etag"]
    assert (await bench.ask("POST", f"{path}/pause", *head, body=body, if_match=version)).status_code == 200
    second = await bench.ask("POST", f"{path}/pause", *head, body=body, if_match=version)
    assert (second.status_code, second.json()["stored"]["state"]) == (412, "paused")
    now = (await bench.ask("GET", path, *head)).json()
    assert [move["verb"] for move in now["moves"]] == ["resume"]
    assert [(pause["reason"], pause["approver"]) for pause in now["pauses"]] == [("court", "unit-head-test")]


async def test_a_limit_whose_rule_allows_it_is_lengthened_once_by_who_may(bench: Bench) -> None:
    """57 art. 22: dibao in special cases takes up to 45 working days; a referral's limit knows none."""
    proceeding = derived_id("proceeding", "dibao")
    accepted = {
        **{"service": "assistance", "case_id": uuid4(), "chain_id": uuid4(), "application_id": uuid4()},
        **{"proceeding_id": proceeding, "programme": "dibao", "state": "accepted", "at": FRIDAY},
    }
    await bench.read(application(planned()), CaseAccepted.model_validate(accepted))
    path = f"/v1/clocks/{clock_id('L5', proceeding)}"
    why = {"reason": "special_case"}
    before = (await bench.ask("GET", path)).json()
    assert [(move["verb"], move["limit"]) for move in before["moves"]] == [
        ("pause", None),
        ("lengthen", "45wd"),
    ]
    assert (await bench.ask("POST", f"{path}/lengthen", "caseworker", "township", HERE)).status_code == 403
    bare = await bench.ask("POST", f"{path}/lengthen", "district", "civil-affairs")
    assert (bare.status_code, bare.json()["errors"][0]["field"]) == (422, "reason")
    other = f"/v1/clocks/{clock_id('finish', R4)}/lengthen"
    refused = await bench.ask("POST", other, body=why)
    assert (refused.status_code, refused.json()["code"]) == (409, "clock.no_longer")
    assert (await bench.ask("GET", path)).json() == before
    longer = await bench.ask("POST", f"{path}/lengthen", "district", "civil-affairs", body=why)
    assert moment(longer.json()["due_at"]) == due_at(FRIDAY, Limit.parse("45wd"))
    again = await bench.ask("POST", f"{path}/lengthen", "district", "civil-affairs", body=why)
    assert (again.status_code, again.json()["code"]) == (409, "clock.extended")
    lines = (await bench.ask("GET", f"{path}/explanation")).json()["lines"]
    assert "extended" in {line["kind"] for line in lines}


async def test_pages_the_most_pressing_first(bench: Bench) -> None:
    events = [
        application(planned(), application_id=uuid4(), chain_id=uuid4(), at=FRIDAY + n * HOUR)
        for n in (30, 1, 80, 0, 300)
    ]
    await bench.read(*events)
    seen, after = [], ""
    while True:
        page = (await bench.ask("GET", f"/v1/referrals?limit=2{after}", "department", "education")).json()
        seen += [(item["due_finish"], item["referral_id"]) for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen)
    await sweep_all(bench.app.unit, moment("2026-10-12T00:00"))
    overdue = (
        await bench.ask("GET", "/v1/referrals?overdue=true&state=sent", "department", "education")
    ).json()
    assert all(item["overdue"] for item in overdue["items"])
    assert overdue["items"]


@pytest.fixture
async def process(
    servers: Servers, database: str, topic_suffix: str, tmp_path: Path
) -> AsyncIterator[Process]:
    key = tmp_path / "dev.key"
    ensure_dev_key(key)
    environment = {
        "ONEDOOR_ENVIRONMENT": "test",
        "ONEDOOR_KAFKA": servers.kafka,
        "ONEDOOR_POSTGRES": database,
        "ONEDOOR_TOPIC_SUFFIX": topic_suffix,
        "ONEDOOR_DEV_KEY": str(key),
    }
    async with running(Process("onedoor.notify", environment, tmp_path / "notify.log")) as started:
        yield started


async def test_from_an_alarm_to_a_breach_through_kafka(
    process: Process, servers: Servers, database: str, topic_suffix: str
) -> None:
    """The report arrives, the clocks start; business time jumps two days and every breach is published."""
    now = datetime.now(UTC)
    report = application(planned(**CRITICAL), at=now)
    await publish(servers.kafka, f"intake.alarm{topic_suffix}", [enveloped(report, now)])

    async def types() -> list[str]:
        return [event.type for event in await read_topic(servers.kafka, f"notify.clock{topic_suffix}")]

    async def started() -> bool:
        return (await types()).count("clock.started") == 3

    await eventually(started, 30, process.tail())
    (sent,) = await read_topic(servers.kafka, f"notify.referral{topic_suffix}")
    assert sent.type == "referral.sent"
    moved = await business.advance(database, 2 * DAY)

    async with httpx.AsyncClient(base_url=process.url) as client:

        async def swept() -> bool:
            return bool((await client.get("/health/ready")).json().get("swept_epoch") == moved.epoch)

        await eventually(swept, 10, "swept to the new epoch")

    async def breached() -> bool:
        return (await types()).count("clock.breached") == 3

    await eventually(breached, 10, "breaches are published")
    events = await read_topic(servers.kafka, f"notify.clock{topic_suffix}")
    dues: set[UUID] = {event.subject for event in events if event.type == "clock.breached"}
    assert dues == {clock_id(duty, R1) for duty in ("ack", "action", "finish")}
    times = {event.data.duty: event.time - now for event in events if event.type == "clock.breached"}  # type: ignore[attr-defined]
    assert times == {"ack": timedelta(minutes=30), "action": 2 * HOUR, "finish": DAY}


async def test_who_signed_elsewhere_stays_in_the_notes(bench: Bench) -> None:
    """The event says that it was on behalf; for whom, how and on what paper is read here alone."""
    await bench.read(application(planned(to_division=HERE)))
    town: dict[str, Any] = {"role": "child-worker", "department": "township", "division": HERE}
    done = await bench.ask("POST", f"{R4_PATH}/acknowledge", **town, body={"on_behalf_of": BEHALF})
    assert done.status_code == 200, done.text
    (events,) = await bench.rows("select string_agg(payload::text, ' ') as all from events")
    assert not any(word in events["all"] for word in ("李四明", "13900001111", "回执第7号", "电话"))
    (told,) = await bench.rows("select payload from events where type = 'referral.acknowledged'")
    assert '"on_behalf":true' in told["payload"].replace(" ", "")
    notes = (await bench.ask("GET", R4_PATH, **town)).json()["notes"]
    assert {note["kind"]: note["text"] for note in notes} == {
        "behalf_person": BEHALF["person"],
        "behalf_means": BEHALF["means"],
        "behalf_document": BEHALF["document"],
    }


async def test_what_comes_too_late_is_a_problem_and_changes_nothing(bench: Bench) -> None:
    """More time after the end, an answer to what is closed, a feedback that its rule does not know."""
    await bench.read(application(planned(to_division=HERE)))
    school: dict[str, Any] = {"role": "department", "department": "education"}
    town: dict[str, Any] = {"role": "child-worker", "department": "township", "division": HERE}
    await bench.ask("POST", f"{R4_PATH}/acknowledge", **school)
    unknown = {"feedback": "已复学", "outcome": "helped", "results": {"mood": "good"}}
    bench.clock.at = moment("2026-10-10T00:00")
    tried = [
        (await bench.ask("POST", f"{R4_PATH}/extend", **school, body={"reason": "other"}), "until"),
        (await bench.ask("POST", f"{R4_PATH}/answer", **school, body=unknown), "results.mood"),
        (await bench.ask("POST", f"{R4_PATH}/answer", **school, body={"outcome": "other"}), "feedback"),
        (await bench.ask("POST", f"{R4_PATH}/send-on", **town, body={"to": "nobody"}), None),
    ]
    for refused, field in tried:
        assert refused.status_code in (409, 422), refused.text
        problem = refused.json()
        assert problem["detail"]
        assert problem["detail_zh"]
        if field is not None:
            assert problem["errors"][0]["field"] == field
            assert problem["errors"][0]["remedy"]
    assert (await bench.ask("GET", R4_PATH, **school)).json()["state"] == "acknowledged"
    await bench.ask("POST", f"{R4_PATH}/answer", **school, body={"feedback": "已复学"})
    await bench.ask("POST", f"{R4_PATH}/verify", **town)
    await bench.ask("POST", f"{R4_PATH}/close", **town)
    late = await bench.ask("POST", f"{R4_PATH}/answer", **school, body={"feedback": "再次反馈"})
    assert (late.status_code, late.json()["code"]) == (409, "referral.state")
    assert "state is closed" in late.json()["detail"]
    assert "重新办理" in late.json()["detail_zh"]
    view = (await bench.ask("GET", R4_PATH, **school)).json()
    assert view["state"] == "closed"
    assert [note["kind"] for note in view["notes"]] == ["feedback"], "nothing of it was kept"


async def test_what_one_may_do_now_is_told_with_the_referral(bench: Bench) -> None:
    await bench.read(application(planned(to_division=HERE)))
    school: dict[str, Any] = {"role": "department", "department": "education"}
    town: dict[str, Any] = {"role": "child-worker", "department": "township", "division": HERE}
    mine, theirs = [(await bench.ask("GET", R4_PATH, **who)).json() for who in (school, town)]
    assert (mine["verbs"], mine["on_behalf"]) == (["acknowledge", "return"], [])
    assert (theirs["verbs"], theirs["on_behalf"]) == (["revoke"], ["acknowledge", "return"])
    await bench.ask("POST", f"{R4_PATH}/acknowledge", **school)
    await bench.ask("POST", f"{R4_PATH}/extend", **school, body={"reason": "other"})
    theirs = (await bench.ask("GET", R4_PATH, **town)).json()
    assert theirs["verbs"] == ["approve", "decline", "revoke"]
    done = await bench.ask("POST", f"{R4_PATH}/approve", **town)
    assert done.json()["state"] == "extended"
