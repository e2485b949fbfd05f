"""Who is told what, when and by which way: on a real database, SMTP server and HTTP receiver."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from onedoor.calendar import moment
from onedoor.contracts.events.operations import LetterSetAside
from onedoor.notify.app import SERVICE
from onedoor.notify.domain.ring import ring_id
from onedoor.notify.sweep import sweep_all
from onedoor.notify.telling import sender, teller, times, upkeep
from onedoor.notify.telling.channels import Ways
from onedoor.runtime import database as pools
from tests.harness import eventually
from tests.notify import CHAIN, FRIDAY, application, of_plan, planned
from tests.notify_bench import Bench, enveloped, notify_bench
from tests.receivers import Mailbox, mailbox, receiver
from tests.servers import Servers

MIGRATED = (SERVICE,)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
RECEIPT = "QZ-20260918-ABCDEF-7"
POLICE = {"rule": "R1", "to": "public-security", "urgency": "critical"}
R1 = of_plan("R1", "public-security")
R4 = of_plan()
DUE = FRIDAY + 30 * MINUTE
HERE = (ip_network("127.0.0.0/8"),)
PATIENCE = 3.0
"""Seconds that a receiver has: more than a busy machine needs, less than anybody who hangs."""

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")


class Office:
    """notify on a bench, with a roster, and its senders worked by hand."""

    def __init__(self, bench: Bench, ways: Ways) -> None:
        self.bench = bench
        self.ways = ways

    async def receives(self, *referrals: dict[str, Any], **more: Any) -> None:
        """An application arrives as it does from its topic: the receipt is remembered with it."""
        event = application(*referrals, at=self.bench.clock.now(), **more)
        assert SERVICE.absorb is not None
        async with self.bench.app.unit.transaction() as tx:
            await SERVICE.absorb(tx.conn, [enveloped(event, self.bench.clock.now())])
        await self.bench.read(event)

    async def passes(self, at: datetime) -> None:
        """Time passes: the clocks are swept, calls are asked for, and whoever is to be told is told."""
        self.bench.clock.at = at
        await sweep_all(self.bench.app.unit, at)
        await self.tells()

    async def tells(self) -> None:
        app = self.bench.app
        await teller.ask_for_calls(app.unit, app.clock.now())
        async with app.unit.transaction() as tx:
            await teller.note_own_letters(tx.conn, tx.now)
            while await teller.tell(tx.conn, tx.now, critical=True):
                pass
            while await teller.tell(tx.conn, tx.now, critical=False):
                pass
            await teller.tell_again(tx.conn, tx.now)
            await teller.tell_upwards(tx.conn, tx.now)

    async def sends(self, at: datetime | None = None, system: datetime | None = None) -> list[str]:
        """Everything that is due goes out; what became of each."""
        outcomes = []
        while (outcome := await self.sends_one(at, system)) is not None:
            outcomes.append(outcome)
        return outcomes

    async def sends_one(self, at: datetime | None = None, system: datetime | None = None) -> str | None:
        now = at or self.bench.clock.now()
        async with self.bench.app.unit.transaction() as tx:
            return await sender.send_one(
                tx.conn, self.ways, now, system or datetime.now(UTC), "http://desk.example"
            )

    async def imports(self, text: str, form: str = "yaml") -> httpx.Response:
        token = (await self.bench.ask("GET", "/health/live", "admin")).request.headers["authorization"]
        return await self.bench.client.put(
            f"/v1/roster?format={form}",
            content=text,
            headers={"Authorization": token, "content-type": "text/plain"},
        )

    async def notices(self, role: str, department: str | None = None, **query: str) -> list[dict[str, Any]]:
        answer = await self.bench.ask("GET", "/v1/notices", role, department)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def deliveries(self) -> Sequence[asyncpg.Record]:
        return await self.bench.rows("select * from deliveries order by decided_at, id")


ONE = ("public-security.duty-person",)


def roster(
    hook: str | None = None,
    *,
    mail: bool = True,
    without: tuple[str, ...] = (),
    only: tuple[str, ...] | None = None,
) -> str:
    """Everybody whom a ladder reaches is on duty from Monday for three months, save some."""
    people, shifts = [], []
    for department, function in (
        ("public-security", "duty-person"),
        ("public-security", "unit-head"),
        ("education", "duty-person"),
        ("education", "unit-head"),
        ("civil-affairs", "coordinating-bureau"),
        ("civil-affairs", "leadership"),
        ("hotline-12345", "duty-person"),
        ("operations", "duty-person"),
    ):
        who = f"{department}.{function}"
        if who in without or (only is not None and who not in only):
            continue
        contact = {"person": who, "name": f"值班{len(people)}"}
        contact |= {"email": f"{who}@example.org"} if mail else {}
        contact |= {"webhook": hook, "secret": SECRET} if hook else {}
        people.append(contact)
        shifts.append(
            {"department": department, "function": function, "person": who,
             "from": "2026-09-14T00:00", "to": "2026-12-14T00:00"}
        )  # fmt: skip
    return json.dumps({"people": people, "shifts": shifts}, ensure_ascii=False)


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as made:
        yield made


@pytest.fixture
async def office(servers: Servers, database: str, tmp_path: Path, box: Mailbox) -> AsyncIterator[Office]:
    async with notify_bench(servers, database, tmp_path / "dev.key") as bench:
        ways = Ways({"email": box.url}, PATIENCE, HERE)
        yield Office(bench, ways)
        await ways.close()


async def test_a_jump_records_every_step_and_tells_only_the_last(office: Office) -> None:
    assert (await office.imports(roster())).status_code == 200
    await office.receives(planned(**POLICE), planned())
    await office.passes(FRIDAY + 60 * DAY)
    types = Counter(await office.bench.types())
    assert types["alert.escalated"] == 3 * 4 + 2 * 2
    told = await office.bench.rows("select * from notices where state = 'told' order by at")
    assert [(row["kind"], row["function"]) for row in told if row["duty"]] == [
        ("ring", "duty-person"),
        ("escalated", "leadership"),
        ("escalated", "leadership"),
        ("escalated", "leadership"),
        ("escalated", "coordinating-bureau"),
        ("escalated", "coordinating-bureau"),
    ]
    steps = await office.bench.rows(
        "select time from events where type like 'clock.%' or type = 'alert.escalated' order by position"
    )
    late = [row["time"] for row in steps if row["time"] > FRIDAY]
    assert late == sorted(late)
    assert len(late) == 5 * 2 + 3 * 4 + 2 * 2


async def test_a_step_at_a_time_each_is_told_to_the_next_function_until_somebody_acknowledges(
    office: Office, box: Mailbox
) -> None:
    await office.imports(roster())
    await office.receives(planned(**POLICE))
    for half in range(2):
        await office.passes(DUE + half * 30 * MINUTE)
        assert set(await office.sends()) == {"sent"}
    assert Counter(mail.to[0].split("@")[0] for mail in box.mails) == {
        "hotline-12345.duty-person": 2,
        "public-security.duty-person": 1,
        "public-security.unit-head": 1,
    }
    notice = next(n for n in await office.notices("unit-head", "public-security") if n["step"] == 2)
    answer = await office.bench.ask(
        "POST", f"/v1/notices/{notice['notice_id']}/acknowledge", "unit-head", "public-security"
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["acknowledged_by"] == "unit-head-test"
    await office.passes(DUE + 70 * MINUTE)
    await office.sends()
    assert not [mail for mail in box.mails if mail.to[0].startswith("civil-affairs")]
    notice = next(n for n in await office.notices("unit-head", "public-security") if n["step"] == 2)
    assert notice["acknowledged_by"] == "unit-head-test"
    assert [way["state"] for way in notice["ways"]] == ["sent"]
    assert notice["told"][0]["person"] == "public-security.unit-head"
    (event,) = await office.bench.rows("select * from events where type = 'alert.acknowledged'")
    assert event["topic"] == "notify.clock"
    assert event["actor"].endswith("unit-head-test")


async def test_the_top_of_the_ladder_is_told_every_half_hour_until_somebody_acknowledges(
    office: Office, box: Mailbox
) -> None:
    await office.imports(roster())
    await office.receives(planned(**POLICE))
    top = DUE + 90 * MINUTE
    await office.passes(top)
    await office.sends()

    def leaders() -> int:
        own = (mail for mail in box.mails if mail.to == ["civil-affairs.leadership@example.org"])
        return sum("签收" in mail.text for mail in own)

    assert leaders() == 1
    for half in (1, 2):
        await office.passes(top + half * 30 * MINUTE)
        await office.sends()
    assert leaders() == 3
    (notice,) = (each for each in await office.notices("leader") if each["duty"] == "ack")
    answer = await office.bench.ask("POST", f"/v1/notices/{notice['notice_id']}/acknowledge", "leader")
    assert answer.status_code == 200
    await office.passes(top + 100 * MINUTE)
    await office.sends()
    assert leaders() == 3


async def test_where_nobody_is_on_duty_that_is_said_and_the_next_one_up_is_told(
    office: Office, box: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    await office.imports(roster(without=("public-security.duty-person", "public-security.unit-head")))
    await office.receives(planned(**POLICE))
    await office.passes(DUE)
    await office.sends()
    (notice,) = (n for n in await office.notices("department", "public-security") if n["kind"] == "escalated")
    assert notice["gap"]
    assert [told["function"] for told in notice["told"]] == ["coordinating-bureau"]
    assert "nobody on duty can be reached" in caplog.text
    assert ["civil-affairs.coordinating-bureau@example.org"] in [mail.to for mail in box.mails]


async def test_alerts_of_one_chain_are_folded_and_critical_ones_never(office: Office, box: Mailbox) -> None:
    await office.imports(roster())
    await office.receives(
        planned(**POLICE),
        planned("R9", "public-security", "critical"),
        planned(),
        planned("R11", "education"),
    )
    await office.passes(FRIDAY + 25 * MINUTE)
    critical = await office.sends()
    assert len([mail for mail in box.mails if mail.to == ["public-security.duty-person@example.org"]]) == 2
    assert set(critical) == {"sent"}
    monday = moment("2026-09-21T17:00")
    await office.passes(monday)
    folded = [row for row in await office.deliveries() if row["person"].startswith("education")]
    assert len(folded) == 1
    assert len(folded[0]["notices"]) == 2
    assert folded[0]["not_before"] == monday + times.FOLDING
    before = len(box.mails)
    await office.sends(at=monday + times.FOLDING)
    (mail,) = (m for m in box.mails[before:] if m.to == ["education.duty-person@example.org"])
    assert mail.text.count("签收 即将到期") == 2


async def test_the_night_is_quiet_and_the_morning_has_a_digest(office: Office, box: Mailbox) -> None:
    """Due at midnight before Tuesday: the ordinary notice waits until half past eight, the critical never."""
    await office.imports(roster())
    await office.receives(planned(), planned("R11", "education"))
    await office.passes(moment("2026-09-22T00:00"))
    morning = moment("2026-09-22T08:30")
    assert await office.sends(at=morning - MINUTE) == []
    assert await office.sends(at=morning) == ["sent"]
    (mail,) = box.mails
    assert mail.text.count("签收 已到期") == 2
    assert "【一门】提醒：2 项" in mail.subject


async def test_what_is_dealt_with_meanwhile_is_not_told(office: Office, box: Mailbox) -> None:
    await office.imports(roster())
    await office.receives(planned())
    await office.passes(moment("2026-09-22T00:00"))
    await office.bench.ask("POST", f"/v1/referrals/{R4}/acknowledge")
    await office.passes(moment("2026-09-22T08:30"))
    assert await office.sends() == ["needless"]
    assert box.mails == []


async def test_what_stands_still_is_not_told_and_what_moves_is_told_as_it_is_then(
    office: Office, box: Mailbox
) -> None:
    await office.imports(roster())
    await office.receives(planned())
    await office.bench.ask("POST", f"/v1/referrals/{R4}/acknowledge")
    (clock,) = await office.bench.rows("select * from clocks where duty = 'finish'")
    evening = moment("2026-09-30T19:00")
    await office.passes(evening)
    (notice,) = await office.bench.rows("select * from notices where ended_at is null")
    assert (notice["kind"], notice["due_at"]) == ("warned", clock["due_at"])
    path = f"/v1/clocks/{clock['id']}"
    paused = await office.bench.ask("POST", f"{path}/pause", body={"reason": "waiting_for_applicant"})
    assert paused.status_code == 200, paused.text
    assert await office.sends(at=moment("2026-10-08T08:30")) == ["needless"]
    office.bench.clock.at = moment("2026-10-12T10:00")
    resumed = await office.bench.ask("POST", f"{path}/resume")
    assert resumed.status_code == 200, resumed.text
    (moved,) = await office.bench.rows("select due_at from notices where ended_at is null")
    assert moved["due_at"] == datetime.fromisoformat(resumed.json()["due_at"]) > clock["due_at"]
    assert box.mails == []


async def test_late_entries_and_courts_tell_nobody(office: Office) -> None:
    await office.imports(roster())
    await office.receives(
        planned(**POLICE),
        planned(),
        late_entry=True,
    )
    await office.receives(
        application_id=UUID(int=7),
        duties=[{"id": "L26", "limit": "72h", "due_on": "2026-09-21", "due_at": FRIDAY + 3 * DAY}],
    )
    await office.passes(FRIDAY + 60 * DAY)
    types = Counter(await office.bench.types())
    assert types["clock.breached"] == 6
    assert await office.bench.rows("select * from notices") == []


async def test_a_message_names_the_receipt_the_time_left_the_reason_and_a_link_and_nobody(
    office: Office, box: Mailbox
) -> None:
    await office.imports(roster())
    await office.receives(planned(**POLICE))
    await office.passes(DUE + 12 * MINUTE)
    await office.sends()
    mail = next(mail for mail in box.mails if mail.to == ["public-security.duty-person@example.org"])
    assert RECEIPT in mail.subject
    zh, en = mail.text.strip().replace("\r", "").split("\n\n")
    assert RECEIPT in zh
    assert "已超 12 分" in zh
    assert "到期2026-09-18 10:30" in zh
    assert "依据：签收时限：30分钟，系统默认" in zh
    assert "http://desk.example/inbox#n-" in zh
    assert "12 min over" in en
    assert "by limit of the acknowledgement: 30 minutes" in en
    assert "the system's default" in en
    for word in ("儿童", "child", "R1", "public-security", str(CHAIN), "dropped"):
        assert word not in mail.text
        assert word not in mail.subject
    assert mail.headers["x-onedoor-delivery"] in {str(row["id"]) for row in await office.deliveries()}


async def test_a_mail_server_that_refuses_is_tried_again(office: Office, box: Mailbox) -> None:
    await office.imports(roster())
    await office.receives(planned(**POLICE))
    await office.passes(FRIDAY + 24 * MINUTE)
    box.refusing = 1
    system = datetime.now(UTC)
    assert await office.sends_one(system=system) == "again"
    (waiting,) = (row for row in await office.deliveries() if row["attempts"] == 1)
    assert waiting["state"] == "waiting"
    assert "451" in waiting["error"]
    assert "@" not in waiting["error"]
    assert "sent" in await office.sends(system=waiting["retry_at"])
    history = await office.bench.rows(
        "select number, error is null as ok from attempts where delivery_id = $1 order by number",
        waiting["id"],
    )
    assert [tuple(row) for row in history] == [(1, False), (2, True)]


async def test_a_webhook_is_signed_and_a_repetition_has_the_same_id(office: Office) -> None:
    async with receiver("fails", "hangs", "drops", "late", "takes") as hook:
        hook.late = 0.2
        await office.imports(roster(hook.url, mail=False, only=ONE))
        await office.receives(planned(**POLICE))
        await office.passes(FRIDAY + 24 * MINUTE)
        (delivery,) = (row for row in await office.deliveries() if "public" in row["person"])
        system, outcomes = datetime.now(UTC), []
        while outcomes[-1:] != ["sent"]:
            outcome = await office.sends_one(system=system)
            if outcome is not None:
                outcomes.append(outcome)
            system += HOUR
        row = await office.bench.app.writer.fetchrow("select * from deliveries where id = $1", delivery["id"])
        assert outcomes == ["again", "again", "again", "sent"]
        assert (row["state"], row["attempts"]) == ("sent", 4)
        errors = await office.bench.rows("select error from attempts order by number")
        assert [each["error"] for each in errors] == ["HTTP 500", "timeout", "RemoteProtocolError", None]
        assert {call.headers["webhook-id"] for call in hook.calls} == {str(delivery["id"])}
        for call in hook.calls:
            said = Webhook(SECRET).verify(call.body, call.headers)
        assert said["type"] == "onedoor.alert"
        (alert,) = said["alerts"]
        assert (alert["receipt"], alert["kind"], alert["minutes_left"]) == (RECEIPT, "warned", 6)
        assert alert["link"].startswith("http://desk.example/inbox#n-")
        assert alert["reason_zh"] and alert["reason"]  # noqa: PT018
        assert not {"child", "chain_id", "rule"} & set(alert)


async def test_a_webhook_goes_to_no_machine_of_our_own_network(office: Office) -> None:
    """Nor by a name that leads there, and nothing is asked of it."""
    async with receiver() as hook:
        await office.imports(roster(hook.url.replace("127.0.0.1", "localhost"), mail=False, only=ONE))
        await office.receives(planned(**POLICE))
        await office.passes(FRIDAY + 24 * MINUTE)
        strict = Ways({}, PATIENCE)
        async with office.bench.app.unit.transaction() as tx:
            outcome = await sender.send_one(tx.conn, strict, tx.now, datetime.now(UTC), "http://desk.example")
        await strict.close()
        assert (outcome, hook.calls) == ("failed", [])
        (delivery,) = await office.deliveries()
        assert delivery["error"] == "the address is in no network that webhooks may go to"
        await office.bench.ask("POST", f"/v1/deliveries/{delivery['id']}/retry", "ops")
        assert await office.sends() == ["sent"], "allowed, it goes by the name"
        assert hook.calls[0].headers["host"] == f"localhost:{hook.port}"


async def test_an_answer_later_than_we_wait_counts_as_none_and_is_repeated_recognisably(
    office: Office,
) -> None:
    async with receiver("late") as hook:
        hook.late = PATIENCE + 1
        await office.imports(roster(hook.url, mail=False, only=ONE))
        await office.receives(planned(**POLICE))
        await office.passes(FRIDAY + 24 * MINUTE)
        system = datetime.now(UTC)
        assert await office.sends_one(system=system) == "again"
        assert await office.sends_one(system=system + HOUR) == "sent"
        assert len({call.headers["webhook-id"] for call in hook.calls}) == 1
        assert len(hook.calls) == 2


async def test_what_fails_for_good_is_seen_and_can_be_sent_once_more(office: Office) -> None:
    async with receiver("gone") as hook:
        await office.imports(roster(hook.url, mail=False, only=ONE))
        await office.receives(planned(**POLICE))
        await office.passes(FRIDAY + 24 * MINUTE)
        assert await office.sends() == ["failed"]
        failed = (await office.bench.ask("GET", "/v1/deliveries?state=failed", "ops")).json()["items"]
        assert [(each["channel"], each["error"]) for each in failed] == [("webhook", "HTTP 410")]
        (notice,) = await office.notices("department", "public-security")
        assert notice["ways"][0]["state"] == "failed"
        retry = f"/v1/deliveries/{failed[0]['delivery_id']}/retry"
        assert (await office.bench.ask("POST", retry, "leader")).status_code == 403
        assert (await office.bench.ask("POST", retry, "ops")).status_code == 204
        assert (await office.bench.ask("POST", retry, "ops")).status_code == 404
        assert await office.sends() == ["sent"]


async def test_retries_end(office: Office) -> None:
    async with receiver(*["fails"] * 20) as hook:
        await office.imports(roster(hook.url, mail=False, only=ONE))
        await office.receives(planned(**POLICE))
        await office.passes(FRIDAY + 24 * MINUTE)
        system, outcomes = datetime.now(UTC), []
        while (outcome := await office.sends_one(system=system)) is not None:
            outcomes.append(outcome)
            system += HOUR
        assert outcomes == ["again"] * len(sender.CRITICAL_RETRIES) + ["failed"]
        assert len(hook.calls) == len(outcomes)


async def test_a_way_that_nobody_has_set_up_fails_at_once_and_says_so(office: Office) -> None:
    text = json.loads(roster(mail=False, only=ONE))
    text["people"] = [{**person, "wecom": "abc"} for person in text["people"]]
    await office.imports(json.dumps(text))
    await office.receives(planned(**POLICE))
    await office.passes(FRIDAY + 24 * MINUTE)
    assert await office.sends() == ["failed"]
    assert [row["error"] for row in await office.deliveries()] == ["this way is not set up"]


async def test_where_every_way_fails_the_next_function_up_is_told_at_once(office: Office) -> None:
    """Nobody waits half an hour for the next rung because a receiver is gone."""
    async with receiver("gone", "gone") as hook:
        only = ("public-security.duty-person", "public-security.unit-head", "civil-affairs.leadership")
        await office.imports(roster(hook.url, mail=False, only=only))
        await office.receives(planned(**POLICE))
        office.bench.clock.at = FRIDAY + 3 * MINUTE
        await office.bench.police("POST", f"/v1/referrals/{R1}/acknowledge")
        await office.passes(FRIDAY + 97 * MINUTE)
        assert await office.sends() == ["failed"]
        await office.tells()
        assert await office.sends() == ["failed"], "the unit head's way is gone too"
        await office.tells()
        assert await office.sends() == ["sent"]
        await office.tells()
        assert await office.sends() == []
        (notice,) = (
            n for n in await office.notices("department", "public-security") if n["kind"] == "warned"
        )
        assert notice["gap"]
        assert [told["function"] for told in notice["told"]] == ["leadership", "duty-person", "unit-head"]


async def test_one_way_that_fails_beside_one_that_leads_tells_nobody_else(
    office: Office, box: Mailbox
) -> None:
    async with receiver("gone") as hook:
        await office.imports(roster(hook.url, without=("hotline-12345.duty-person",)))
        await office.receives(planned(**POLICE))
        office.bench.clock.at = FRIDAY + 3 * MINUTE
        await office.bench.police("POST", f"/v1/referrals/{R1}/acknowledge")
        await office.passes(FRIDAY + 97 * MINUTE)
        assert sorted(await office.sends()) == ["failed", "sent"]
        await office.tells()
        assert await office.sends() == []
        assert {row["person"] for row in await office.deliveries()} == {ONE[0]}


async def test_a_morning_of_reminders_is_one_message_to_a_person(office: Office, box: Mailbox) -> None:
    """Twelve chains are due on one day: the reminders all come when offices open."""
    await office.imports(roster())
    await office.receives(planned())
    for number in range(11):
        await office.receives(planned(), application_id=UUID(int=number), chain_id=UUID(int=number))
    nine = moment("2026-09-23T09:00")
    await office.passes(nine)
    assert await office.sends(at=nine + times.FOLDING) == ["sent"]
    (mail,) = box.mails
    assert mail.to == ["education.unit-head@example.org"]
    assert mail.text.count("签收 催办") == 12


async def test_one_that_cannot_be_written_out_holds_up_no_other_and_is_named_all_the_same(
    office: Office, box: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    await office.imports(roster(only=("education.unit-head",)))
    await office.receives(planned())
    await office.receives(planned(), application_id=UUID(int=1), chain_id=UUID(int=1))
    nine = moment("2026-09-23T09:00")
    await office.passes(nine)
    spoilt = """update clocks set pauses = '{"13800000000": "王小明"}' where referral_id = $1"""
    await office.bench.rows(spoilt, R4)
    assert await office.sends(at=nine + times.FOLDING) == ["sent"]
    (mail,) = box.mails
    assert mail.text.count("签收 催办") == 1
    assert mail.text.count("详情未能生成，请到站内查看") == 1
    assert "【一门】提醒：2 项" in mail.subject
    assert "王小明" not in caplog.text + mail.text
    assert "a notice cannot be written out" in caplog.text
    by_referral = {
        each["referral_id"]: each
        for each in await office.notices("unit-head", "education")
        if each["function"] == "unit-head"
    }
    assert [each["unwritten"] for id_, each in by_referral.items() if id_ == str(R4)] == [True]
    assert [each["unwritten"] for id_, each in by_referral.items() if id_ != str(R4)] == [False]
    (delivery,) = (await office.bench.ask("GET", "/v1/deliveries", "ops")).json()["items"]
    assert delivery["unwritten"] == [by_referral[str(R4)]["notice_id"]]


async def test_what_has_waited_till_night_waits_for_the_morning(office: Office, box: Mailbox) -> None:
    """Mail was away in the evening: what is not critical wakes nobody when it comes back."""
    await office.imports(roster())
    await office.receives(planned(), planned("R1", "public-security", "urgent"))
    await office.passes(moment("2026-09-21T17:57"))
    assert {row["not_before"] for row in await office.deliveries()} == {moment("2026-09-22T08:30")}
    assert await office.sends(at=moment("2026-09-22T02:00")) == []
    await office.bench.rows("update deliveries set not_before = $1", moment("2026-09-21T17:50"))
    assert await office.sends(at=moment("2026-09-22T02:00")) == []
    assert set(await office.sends(at=moment("2026-09-22T08:30"))) == {"sent"}


async def test_nothing_joins_a_message_that_may_have_gone_out_already(office: Office) -> None:
    """A receiver that took it, too late for us, drops the same id: what joined would be lost."""
    async with receiver("late") as hook:
        hook.late = PATIENCE + 1
        await office.imports(roster(hook.url, mail=False, only=("education.duty-person",)))
        await office.receives(planned())
        office.bench.clock.at = FRIDAY + HOUR
        await office.receives(planned("R11", "education"), application_id=UUID(int=3), chain_id=UUID(int=3))
        await office.passes(moment("2026-09-21T14:00"))
        assert await office.sends_one(at=moment("2026-09-21T14:05")) == "again"
        await office.passes(moment("2026-09-21T14:13"))
        told = await office.deliveries()
        assert [len(row["notices"]) for row in told] == [1, 1]


async def test_a_receiver_that_hangs_comes_after_those_who_have_not_been_tried(office: Office) -> None:
    async with receiver("fails", "fails") as hook:
        await office.imports(roster(hook.url, mail=False, only=ONE))
        await office.receives(planned(**POLICE), planned("R9", "public-security", "critical"))
        await office.passes(FRIDAY + 24 * MINUTE)
        system = datetime.now(UTC)
        assert [await office.sends_one(system=system) for _ in range(2)] == ["again", "again"]
        await office.receives(planned(**POLICE), application_id=UUID(int=3), chain_id=UUID(int=3))
        await office.passes(FRIDAY + 50 * MINUTE)
        fresh = {row["id"] for row in await office.deliveries() if row["attempts"] == 0}
        assert fresh
        await office.sends_one(system=system + HOUR)
        assert hook.calls[2].headers["webhook-id"] in {str(id_) for id_ in fresh}


async def test_two_processes_do_not_send_twice(office: Office) -> None:
    async with receiver() as hook:
        await office.imports(roster(hook.url, mail=False, only=ONE))
        await office.receives(*(planned(f"R{n}", "public-security", "critical") for n in (1, 9, 14, 18, 23)))
        await office.passes(FRIDAY + 24 * MINUTE)
        done = await asyncio.gather(*(office.sends() for _ in range(4)))
        assert sorted(outcome for each in done for outcome in each) == ["sent"] * 5
        assert len({call.headers["webhook-id"] for call in hook.calls}) == len(hook.calls) == 5


async def test_one_that_hangs_does_not_hold_up_the_others(office: Office) -> None:
    async with receiver("hangs") as hook:
        await office.imports(roster(hook.url, mail=False, only=ONE))
        await office.receives(planned(**POLICE), planned("R9", "public-security", "critical"))
        await office.passes(FRIDAY + 24 * MINUTE)
        hanging = asyncio.create_task(office.sends_one())
        await hook.arrived.wait()
        assert await office.sends_one() == "sent"
        assert not hanging.done()
        assert await hanging == "again"


async def test_nobody_waits_for_a_message_that_is_being_sent(office: Office) -> None:
    """It is told in a message of its own; a command about the same referral is not held up either."""
    async with receiver("hangs") as hook:
        only = ("education.duty-person",)
        await office.imports(roster(hook.url, mail=False, only=only))
        await office.receives(planned(), planned("R11", "education"))
        monday = moment("2026-09-21T17:00")
        await office.bench.ask("POST", f"/v1/referrals/{of_plan('R11', 'education')}/acknowledge")
        await office.passes(monday)
        hanging = asyncio.create_task(office.sends_one(at=monday + times.FOLDING))
        await hook.arrived.wait()
        async with asyncio.timeout(PATIENCE - 0.5):
            await office.receives(planned("R11", "education", "urgent"), supplement=True)
            await office.passes(moment("2026-09-21T17:30"))
            answer = await office.bench.ask("POST", f"/v1/referrals/{R4}/acknowledge")
        assert answer.status_code == 200
        assert await hanging == "again"


async def test_a_notice_that_cannot_be_told_holds_up_no_other(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await office.imports(roster(only=ONE))
    await office.receives(planned(**POLICE), planned("R9", "public-security", "critical"))
    reach = teller.reach

    def spoilt(notice: Any, duty: Any) -> Any:
        if notice["referral_id"] == R1:
            raise ValueError("spoilt")
        return reach(notice, duty)

    monkeypatch.setattr(teller, "reach", spoilt)
    await office.passes(FRIDAY + 24 * MINUTE)
    (delivery,) = await office.deliveries()
    assert await office.sends() == ["sent"]
    spoiled = await office.bench.rows("select * from notices where referral_id = $1", R1)
    assert {(row["state"], row["gap"]) for row in spoiled} == {("told", True)}
    assert "nobody could be told" in caplog.text
    assert delivery["notices"] != [row["id"] for row in spoiled]


async def test_a_sender_that_dies_before_it_has_recorded_it_sends_the_same_once_more(office: Office) -> None:
    async with receiver() as hook:
        await office.imports(roster(hook.url, mail=False, only=ONE))
        await office.receives(planned(**POLICE))
        await office.passes(FRIDAY + 24 * MINUTE)
        hook.hold = asyncio.Event()
        conn = await pools.connect(SERVICE, office.bench.app.settings)

        async def dying() -> None:
            async with conn.transaction():
                now = office.bench.clock.now()
                await sender.send_one(conn, office.ways, now, datetime.now(UTC), "http://desk.example")

        process = asyncio.create_task(dying())
        await hook.arrived.wait()
        assert await office.sends_one() is None, "it is held by the other"
        conn.terminate()
        hook.hold.set()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await process
        await eventually(lambda: _released(office), 10, "its lock falls with its connection")
        assert (await office.deliveries())[0]["state"] == "sent"
        first, second = hook.calls
        assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def _released(office: Office) -> bool:
    return await office.sends_one() == "sent"


async def test_the_hotline_rings_after_five_minutes_and_records_who_was_reached(
    office: Office, box: Mailbox
) -> None:
    await office.imports(roster())
    await office.receives(planned(**POLICE))
    await office.passes(FRIDAY + 4 * MINUTE)
    assert (await office.bench.ask("GET", "/v1/rings", "hotline", "hotline-12345")).json() == []
    await office.passes(FRIDAY + 6 * MINUTE)
    assert await office.sends() == ["sent"]
    assert box.mails[0].to == ["hotline-12345.duty-person@example.org"]
    assert "请电话联系" in box.mails[0].text
    (task,) = (await office.bench.ask("GET", "/v1/rings", "hotline", "hotline-12345")).json()
    assert task["ring_id"] == str(ring_id(R1))
    path = f"/v1/rings/{task['ring_id']}/record"

    async def rings(**body: str) -> httpx.Response:
        return await office.bench.ask("POST", path, "hotline", "hotline-12345", body=body)

    assert (await rings(outcome="no_answer")).json()["state"] == "asked"
    (notice,) = await office.notices("hotline", "hotline-12345")
    read = await office.bench.ask(
        "POST", f"/v1/notices/{notice['notice_id']}/acknowledge", "hotline", "hotline-12345"
    )
    assert (read.status_code, read.json()["code"]) == (409, "notice.call")
    nameless = await rings(outcome="reached")
    assert nameless.status_code == 422
    assert nameless.json()["errors"][0]["field"] == "reached"
    done = await rings(outcome="reached", reached="值班民警 9527")
    assert (done.json()["state"], done.json()["calls"]) == ("done", 2)
    assert (await rings(outcome="reached", reached="x")).status_code == 409
    view = (await office.bench.police("GET", f"/v1/referrals/{R1}")).json()
    assert ("reached", "值班民警 9527") in [(note["kind"], note["text"]) for note in view["notes"]]
    for event in await office.bench.rows("select payload from events where type like 'ring.%'"):
        assert "9527" not in event["payload"]
    assert (await office.bench.ask("POST", path, "leader", body={"outcome": "reached"})).status_code == 403


async def test_an_acknowledgement_in_time_spares_the_call(office: Office) -> None:
    await office.imports(roster())
    await office.receives(planned(**POLICE))
    office.bench.clock.at = FRIDAY + 3 * MINUTE
    await office.bench.police("POST", f"/v1/referrals/{R1}/acknowledge")
    await office.passes(FRIDAY + 6 * MINUTE)
    assert await office.bench.rows("select * from notices where kind = 'ring'") == []


async def test_what_is_over_for_long_is_dropped_and_what_is_open_never(office: Office, box: Mailbox) -> None:
    await office.imports(roster())
    await office.receives(planned(), planned("R11", "education"))
    await office.passes(moment("2026-09-22T08:45"))
    await office.sends(at=moment("2026-09-22T08:50"))
    await office.bench.ask("POST", f"/v1/referrals/{R4}/acknowledge")
    ended = office.bench.clock.now()
    counts = (
        "select (select count(*) from notices) as n, (select count(*) from tellings) as t,"
        " (select count(*) from deliveries) as d, (select count(*) from attempts) as a"
    )

    async def purged(at: datetime) -> tuple[int, ...]:
        async with office.bench.app.unit.transaction() as tx:
            await upkeep.purge(tx.conn, at)
        return tuple((await office.bench.rows(counts))[0])

    before = tuple((await office.bench.rows(counts))[0])
    assert await purged(ended + 729 * DAY) == before
    folded = await purged(ended + 731 * DAY)
    assert folded[2:] == before[2:], "its message tells of an open one, too"
    await office.bench.ask("POST", f"/v1/referrals/{of_plan('R11', 'education')}/acknowledge")
    assert await purged(ended + 900 * DAY) == (0, 0, 0, 0)
    assert await office.bench.rows("select * from shifts") == []
    assert await office.bench.rows("select * from events where type = 'clock.breached'")


async def test_a_fresh_start_says_aloud_that_there_is_no_roster(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    async with office.bench.app.writer.acquire() as conn:
        gaps = await upkeep.say_gaps(conn, office.bench.clock.now())
    assert "there is no duty roster" in caplog.text
    assert {gap.function for gap in gaps} == {"duty-person", "coordinating-bureau", "leadership"}
    caplog.clear()
    await office.imports(roster(without=("hotline-12345.duty-person",)))
    async with office.bench.app.writer.acquire() as conn:
        gaps = await upkeep.say_gaps(conn, office.bench.clock.now())
    assert "there is no duty roster" not in caplog.text
    assert ("hotline-12345", "duty-person") in {(gap.department, gap.function) for gap in gaps}
    assert "nobody is on duty" in caplog.text
    await upkeep.count_gaps(office.bench.app)
    assert b"onedoor_roster_gaps 3.0" in office.bench.app.metrics.exposition()


async def test_without_any_roster_the_ladder_climbs_to_its_top_and_everybody_sees_it(office: Office) -> None:
    await office.receives(planned(**POLICE))
    for half in range(4):
        await office.passes(DUE + half * 30 * MINUTE)
    steps = Counter(
        row["function"]
        for row in await office.bench.rows(
            "select function from notices where duty = 'ack' and kind = 'escalated'"
        )
    )
    assert steps == dict.fromkeys(("duty-person", "unit-head", "coordinating-bureau", "leadership"), 1)
    (top,) = (n for n in await office.notices("leader") if n["duty"] == "ack")
    assert top["gap"]
    await office.imports(roster())
    await office.passes(DUE + 121 * MINUTE)
    assert "civil-affairs.leadership" in {row["person"] for row in await office.deliveries()}, (
        "once there is one"
    )


async def test_who_sees_which_notices(office: Office) -> None:
    await office.receives(planned(**POLICE, to_division="500112015"))
    await office.passes(DUE + 90 * MINUTE)
    await office.passes(DUE + 91 * MINUTE)

    async def seen(role: str, department: str | None = None, division: str | None = None) -> set[str]:
        answer = await office.bench.ask("GET", "/v1/notices", role, department, division)
        return {notice["function"] for notice in answer.json()["items"]}

    assert await seen("leader") == {"leadership"}
    assert await seen("department", "education") == set()
    assert await seen("department", "public-security", "500112017") == set()
    for role, department in (("caseworker", "township"), ("reviewer", "civil-affairs")):
        assert await seen(role, department, "500112015") == set()
    assert (await office.bench.ask("GET", "/v1/notices", "auditor")).status_code == 403
    unknown = await office.bench.ask("POST", f"/v1/notices/{R1}/acknowledge", "leader")
    (top, *_) = await office.notices("leader")
    foreign = await office.bench.ask(
        "POST", f"/v1/notices/{top['notice_id']}/acknowledge", "department", "education"
    )
    assert unknown.status_code == foreign.status_code == 404
    assert unknown.json() == foreign.json()


async def test_who_works_at_the_township_is_told_of_what_is_due_there_and_of_nothing_else(
    office: Office,
) -> None:
    """Somebody has nowhere to sleep tonight: it is handed to the township of one division."""
    await office.receives(planned("R24", "township", "critical", to_division="500112015"))
    await office.passes(FRIDAY + 24 * MINUTE)

    async def told(role: str, department: str, division: str) -> list[str]:
        answer = await office.bench.ask("GET", "/v1/notices", role, department, division)
        assert answer.status_code == 200, answer.text
        return [notice["kind"] for notice in answer.json()["items"]]

    assert await told("caseworker", "township", "500112015") == ["warned"]
    assert await told("caseworker", "township", "500112017") == []
    assert await told("reviewer", "civil-affairs", "500112015") == []
    assert (await office.bench.ask("GET", "/v1/notices", "finance", "civil-affairs")).status_code == 403


async def test_the_badge_counts_what_i_have_not_seen(office: Office) -> None:
    await office.receives(planned())
    await office.passes(moment("2026-09-22T08:45"))

    async def waiting() -> dict[str, int]:
        counted: dict[str, int] = (
            await office.bench.ask("GET", "/v1/notices/waiting", "department", "education")
        ).json()
        return counted

    assert await waiting() == {"critical": 0, "unseen": 1}
    (notice,) = await office.notices("department", "education")
    body = {"notices": [notice["notice_id"], str(UUID(int=1))]}
    told = await office.bench.ask("POST", "/v1/notices/seen", "department", "education", body=body)
    assert told.status_code == 200
    assert await waiting() == {"critical": 0, "unseen": 0}


async def test_a_dead_letter_among_the_alarms_pages_operations(office: Office, box: Mailbox) -> None:
    await office.imports(roster())
    await office.bench.rows(
        'insert into dead_letters (consumer, topic, partition, "offset", headers, child, kind)'
        " values ('notify-alarm', 'intake.alarm', 0, 7, '[]', true, 'letter')"
    )
    await office.passes(FRIDAY + MINUTE)
    await office.tells()
    assert await office.sends() == ["sent"]
    assert box.mails[0].to == ["operations.duty-person@example.org"]
    assert "报警流有事件无法处理" in box.mails[0].text
    assert "http://desk.example/stream" in box.mails[0].text
    (notice,) = await office.notices("ops")
    await office.passes(FRIDAY + 40 * MINUTE)
    assert await office.sends() == ["sent"], "again, since nobody has taken it up"
    answer = await office.bench.ask("POST", f"/v1/notices/{notice['notice_id']}/acknowledge", "ops")
    assert answer.json()["acknowledged_by"] == "ops-test"
    await office.passes(FRIDAY + 2 * HOUR)
    assert await office.sends() == []
    assert (await office.notices("ops"))[0]["ended_at"] is not None


async def test_other_services_letters_page_operations_too_and_once(office: Office, box: Mailbox) -> None:
    await office.imports(roster())
    letter = LetterSetAside(
        letter_id=UUID(int=5), service="child-welfare", alarm=False, child=True, set_aside_at=FRIDAY
    )
    assert SERVICE.takes is not None
    assert letter.type in SERVICE.takes
    assert "ops.letter" in SERVICE.reads
    for _ in range(2):
        async with office.bench.app.unit.transaction() as tx:
            await SERVICE.absorb(tx.conn, [enveloped(letter, FRIDAY)])  # type: ignore[misc]
        await office.tells()
    assert await office.sends() == ["sent"]
    assert "child-welfare 涉未成年人的求助链已停滞" in box.mails[0].text


CSV = """department,function,person,from,to,name,email
public-security,duty-person,police-1,2026-09-18 08:00,2026-09-19 08:00,高值班,a@example.org
public-security,duty-person,police-2,2026-09-19 08:00,2026-09-20 08:00,石值班,b@example.org
"""


async def test_a_roster_as_csv_with_its_gaps_said(office: Office) -> None:
    taken = await office.imports(CSV, "csv")
    assert taken.status_code == 200, taken.text
    assert (taken.json()["people"], taken.json()["shifts"]) == (2, 2)
    shown = (await office.bench.ask("GET", "/v1/roster", "admin")).json()
    assert [shift["name"] for shift in shown["shifts"]] == ["高值班", "石值班"]
    assert shown["shifts"][0]["ways"] == ["email"]
    gaps = [(gap["department"], gap["function"]) for gap in shown["gaps"]]
    assert ("public-security", "duty-person") in gaps
    assert ("public-security", "unit-head") in gaps
    assert ("hotline-12345", "duty-person") in gaps
    assert "education" in shown["without"]
    again = CSV.replace("police-2", "police-1").replace("石值班", "高值班")
    await office.imports(again, "csv")
    shown = (await office.bench.ask("GET", "/v1/roster?department=public-security", "admin")).json()
    assert [shift["person"] for shift in shown["shifts"]] == ["police-1", "police-1"], "replaced, not doubled"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("public-security", "moon-office"), "line 2, department"),
        (("duty-person", "emperor"), "line 2, function"),
        (("2026-09-18 08:00", "soon"), "line 2, from"),
        (("2026-09-19 08:00", "2026-09-17 08:00"), "line 2"),
        (("a@example.org", "nowhere"), "line 2, email"),
        (("a@example.org", '"a@example.org,b@example.org"'), "line 2, email"),
        (("department,", "office,"), "line 1"),
        (("police-2,2026-09-19", "police-1,2026-09-18"), "overlap"),
        (("高值班,a@example.org", ","), "person police-1"),
    ],
)
async def test_a_faulty_roster_names_the_line_and_changes_nothing(
    office: Office, change: tuple[str, str], field: str
) -> None:
    refused = await office.imports(CSV.replace(*change, 1), "csv")
    assert refused.status_code == 422, refused.text
    errors = refused.json()["errors"]
    assert any(field in error["field"] or field in error["problem"] for error in errors), errors
    assert all(error["remedy"] and error["remedy_zh"] for error in errors)
    assert await office.bench.rows("select * from shifts") == []
    assert await office.bench.rows("select * from contacts") == []


async def test_a_department_sees_its_own_roster_alone(office: Office) -> None:
    await office.imports(roster())
    own = (
        await office.bench.ask("GET", "/v1/roster?department=education", "unit-head", "public-security")
    ).json()
    assert {shift["department"] for shift in own["shifts"]} == {"public-security"}
    assert own["without"] == []
    assert {gap["department"] for gap in own["gaps"]} <= {"public-security"}
    everybody = (await office.bench.ask("GET", "/v1/roster", "ops")).json()
    assert len({shift["department"] for shift in everybody["shifts"]}) == 5
    assert (await office.bench.ask("GET", "/v1/roster", "leader")).status_code == 403


async def test_only_admin_touches_rosters_and_no_address_is_shown(office: Office) -> None:
    await office.imports(roster("http://127.0.0.1:1/hook"))
    for role in ("department", "leader", "ops", "district"):
        assert (await office.bench.ask("PUT", "/v1/contacts", role, body={})).status_code == 403
    shown = await office.bench.ask("GET", "/v1/contacts", "admin")
    assert "@" not in shown.text
    assert "whsec" not in shown.text
    assert {"person", "name", "ways"} == set(shown.json()[0])
    shift = {"department": "education", "function": "duty-person", "person": "nobody",
             "from": "2026-09-18T08:00", "to": "2026-09-19T08:00"}  # fmt: skip
    refused = await office.bench.ask("POST", "/v1/roster/shifts", "admin", body=shift)
    assert refused.json()["errors"][0]["field"] == "person"
    added = await office.bench.ask(
        "POST", "/v1/roster/shifts", "admin", body=shift | {"person": "education.unit-head"}
    )
    assert added.status_code == 201
    path = f"/v1/roster/shifts/{added.json()['shift_id']}"
    assert (await office.bench.ask("DELETE", path, "admin")).status_code == 204
    assert (await office.bench.ask("DELETE", path, "admin")).status_code == 404
