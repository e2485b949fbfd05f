"""The receiving path on a real database: what is taken down, what is refused, what is stored where."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from onedoor.intake.app import SERVICE
from onedoor.intake.domain import id_number, receipt
from tests.intake import CHILD_ALONE, INCOME, TOWNSHIP, Intake, started_intake

MIGRATED = (SERVICE,)
OTHER_TOWNSHIP = "500112016"


@pytest.fixture
async def intake(database: str, tmp_path: Path) -> AsyncIterator[Intake]:
    """Kafka is out of reach in all these tests: the outbox holds what is to be published."""
    async with started_intake(database, tmp_path) as running:
        yield running


def number(first: str) -> str:
    """A valid identity number of nobody."""
    return first + id_number.check_character(first)


KNOWN = number("11010519850101001")


def with_number(body: dict[str, Any], id_: str = KNOWN, **more: Any) -> dict[str, Any]:
    first, *others = body["subjects"]
    return body | {"subjects": [first | {"id_number": id_}, *others]} | more


async def test_taken_down_with_receipt_plan_and_events_while_kafka_is_away(intake: Intake) -> None:
    answer = await intake.post("applications", CHILD_ALONE, "hotline")
    taken = answer.json()
    assert answer.status_code == 201, taken
    assert receipt.read(taken["receipt"]) == taken["receipt"]
    assert answer.headers["location"] == f"/v1/applications/{taken['application_id']}"
    assert taken["plan"]["services"] == [{"name": "child-welfare", "urgency": "critical"}]
    (received,) = await intake.events("application.%")
    assert received["_topic"] == "intake.alarm"
    assert received["_key"] == received["application_id"] == taken["application_id"]
    assert (received["kind"], received["reporter"]) == ("report", "sealed")
    (person,) = await intake.events("person.%")
    assert (person["name"], person["_classification"]) == ("于小林", "child")
    waiting = await intake.query(
        "select e.id from pending p join events e using (position) order by position"
    )
    assert str(waiting[-1]["id"]) == answer.headers["onedoor-event"]


async def test_twenty_times_the_same_key_at_once_is_one_application_and_one_answer(intake: Intake) -> None:
    body = with_number(INCOME)
    sent = [intake.post("applications", body, "window", **{"idempotency-key": "k1"}) for _ in range(20)]
    answers = await asyncio.gather(*sent)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(await intake.events("application.%")) == 1
    other = await intake.post("applications", CHILD_ALONE, "window", **{"idempotency-key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


async def test_a_receipt_that_another_has_is_drawn_anew(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = await intake.taken(INCOME)
    draw, drawn = receipt.draw, [taken["receipt"]]
    monkeypatch.setattr(receipt, "draw", lambda at: drawn.pop() if drawn else draw(at))
    other = await intake.taken(with_number(INCOME))
    assert not drawn, "the first one drawn was the other application's"
    assert other["receipt"] != taken["receipt"]
    assert len(await intake.query("select from receipts")) == len(await intake.events("application.%")) == 2
    assert len(await intake.query("select from households")) == 2, "nothing is left of the first attempt"


async def test_a_known_number_is_the_same_person_household_and_chain(intake: Intake) -> None:
    first, second = await asyncio.gather(
        intake.taken(with_number(INCOME), "window"),
        intake.taken(with_number(INCOME, "1101 0519850101-001" + KNOWN[-1].lower()), "window"),
    )
    assert first["chain_id"] == second["chain_id"]
    duplicates = [taken["plan"]["duplicates"] for taken in (first, second)]
    assert sorted(map(len, duplicates)) == [0, 1]
    assert max(duplicates) in ([first["application_id"]], [second["application_id"]])
    assert len(await intake.query("select from people where id_valid")) == 1
    assert len(await intake.query("select from households")) == 1
    people = [event for event in await intake.events("person.%") if event["id_number"] == KNOWN]
    assert len(people) == 1, "nothing new was told, so nothing was published"


async def test_a_wrong_check_digit_is_kept_and_marked(intake: Intake) -> None:
    wrong = KNOWN[:-1] + ("0" if KNOWN[-1] != "0" else "1")
    taken = await intake.taken(with_number(INCOME, wrong), "window")
    assert [mark["field"] for mark in taken["marks"]] == ["subjects[0].id_number"]
    (row,) = await intake.query("select id_number, id_valid from people where id_number is not null")
    assert tuple(row) == (wrong, False)
    again = await intake.taken(with_number(INCOME, wrong), "window")
    assert again["chain_id"] != taken["chain_id"], "a number that cannot be right makes nobody known"


async def test_every_field_at_fault_is_named_with_its_remedy(intake: Intake) -> None:
    body = {"channel": "pigeon", "needs": ["income", "gold"], "place": {"division": 7}, "colour": "red"}
    answer = await intake.post("applications", body)
    problem = answer.json()
    assert answer.status_code == 422
    assert {error["field"] for error in problem["errors"]} == {
        "channel",
        "needs[1]",
        "place.division",
        "colour",
    }
    assert all(error["remedy"] and error["remedy_zh"] for error in problem["errors"])
    assert "hotline" in next(error for error in problem["errors"] if error["field"] == "channel")["allowed"]


async def test_a_report_of_danger_is_never_refused(intake: Intake) -> None:
    body = {
        "channel": "pigeon",
        "received_at": "2099-01-01T00:00",
        "place": 5,
        "subjects": [{"age": "about nine", "facts": {"suspected_harm": "yes, bruises", "school": "x"}}],
    }
    taken = await intake.taken(body, "village", division=TOWNSHIP)
    assert {"channel", "place", "received_at"} <= {mark["field"] for mark in taken["marks"]}
    assert [each["rule"] for each in taken["plan"]["referrals"]] == ["R1", "R1"]
    (sealed,) = await intake.query("select unread from sealed_reports")
    assert json.loads(sealed["unread"]) == body


BAD_TIMES = [
    (timedelta(hours=-3), {}, "window", 422),
    (timedelta(hours=-3), {"late_entry_reason": "台账补录"}, "window", 201),
    (timedelta(hours=-3), {}, "everything", 201),
    (timedelta(minutes=-50), {}, "window", 201),
    (timedelta(hours=1), {}, "everything", 422),
    (timedelta(seconds=20), {}, "window", 201),
]


@pytest.mark.parametrize(("ago", "more", "role", "status"), BAD_TIMES)
async def test_which_time_of_receipt_is_believed(
    intake: Intake, ago: timedelta, more: dict[str, Any], role: str, status: int
) -> None:
    told = datetime.now(UTC) + ago
    answer = await intake.post("applications", INCOME | {"received_at": told.isoformat()} | more, role)
    assert answer.status_code == status, answer.text
    if status == 422:
        assert [error["field"] for error in answer.json()["errors"]] == ["received_at"]
        assert await intake.events() == []
        return
    (event,) = await intake.events("application.%")
    assert event["late_entry"] is (ago < timedelta(hours=-1))
    assert datetime.fromisoformat(event["received_at"]) <= datetime.fromisoformat(event["recorded_at"])


async def test_stages_and_tier_are_claims_without_the_import_permission(intake: Intake) -> None:
    body = INCOME | {
        "household": {"size": 2, "tier": "dibao"},
        "stages": [{"kind": "accepted", "programme": "dibao", "day": "2026-01-19"}],
        "earlier_applications": [{"id": "x", "id_numbers": [KNOWN]}],
    }
    claimed = await intake.taken(body, "window", division=TOWNSHIP)
    assert (claimed["plan"]["duties"], claimed["plan"]["duplicates"]) == ([], [])
    read = await intake.get(f"applications/{claimed['application_id']}", "window", TOWNSHIP)
    assert read.json()["claims"]["household_tier"] == "dibao"
    assert read.json()["claims"]["stages"][0]["kind"] == "accepted"
    believed = await intake.taken(body)
    assert {duty["id"] for duty in believed["plan"]["duties"]} == {"L1", "L5", "L5q"}


HARM = INCOME | {
    "facts_text": "学校老师看见淤青",
    "place": {"division": TOWNSHIP, "address": "临时住处 12 号"},
    "subjects": [{"id": "s1", "age": 35, "name": "白若溪", "phone": "000-3344"},
                 {"id": "s2", "age": 7, "name": "白小川", "facts": {"suspected_harm": True}}],
}  # fmt: skip


async def test_harm_travels_on_a_chain_of_its_own_and_the_households_shows_nothing(intake: Intake) -> None:
    taken = await intake.taken(HARM)
    sealed, household = await intake.events("application.%")
    assert (sealed["protection"], household["protection"]) == (True, False)
    assert taken["chain_id"] == household["chain_id"] != sealed["chain_id"]
    assert taken["protection"]["chain_id"] == sealed["chain_id"]
    assert {each["rule"] for each in sealed["plan"]["referrals"]} == {"R1"}
    assert [each["name"] for each in sealed["plan"]["services"]] == ["child-welfare"]
    assert [each["rule"] for each in household["plan"]["referrals"]] == ["R16"]
    assert [each["name"] for each in household["plan"]["services"]] == ["assistance"]
    assert "suspected_harm" not in json.dumps(household)
    shared = {"chain_id", "application_id", "receipt", "_key"}
    assert not {str(sealed[name]) for name in shared} & {str(household[name]) for name in shared}

    read = (await intake.get(f"applications/{household['application_id']}", "window", TOWNSHIP)).text
    assert not [word for word in ("harm", "淤青", "临时", sealed["chain_id"]) if word in read]
    hidden = f"applications/{sealed['application_id']}"
    assert (await intake.get(hidden, "window", TOWNSHIP)).status_code == 404
    assert (await intake.get(hidden, "child-duty")).json()["facts_text"] == "学校老师看见淤青"
    people = await intake.events("person.%")
    assert all(person["phone"] is None and person["address"] is None for person in people)

    told = await intake.taken(HARM, "window", division=TOWNSHIP)
    assert told["protection"] is None, "the window does not learn which chain it is"
    path = f"applications/{household['application_id']}/supplement"
    more = (await intake.post(path, {"needs": ["job"]}, "window", TOWNSHIP)).json()
    assert {each["rule"] for each in more["plan"]["referrals"]} == {"R16", "R12"}
    assert more["protection"] is None
    links = f"chains/{household['chain_id']}/protection"
    assert (await intake.get(links, "child-duty")).json() == {"chains": [sealed["chain_id"]]}
    assert (await intake.get(links, "window", TOWNSHIP)).status_code == 403


async def test_where_nothing_else_follows_there_is_only_the_protection_chain(intake: Intake) -> None:
    child = {"age": 7, "id_number": number("11010520190101001"), "facts": {"violence": True}}
    body = {"place": {"division": TOWNSHIP}, "caller": {"role": "school"}, "subjects": [child]}
    first, second = await asyncio.gather(intake.taken(body), intake.taken(body))
    events = await intake.events("application.%")
    assert [event["protection"] for event in events] == [True, True]
    assert first["chain_id"] == second["chain_id"] == events[0]["chain_id"], (
        "one protection chain a household"
    )
    (household,) = await intake.query("select chain_id from households")
    assert str(household["chain_id"]) != first["chain_id"]
    asks = {"needs": ["income"], "caller": {"role": "self"}, "subjects": [child | {"facts": {}}]}
    later = await intake.taken(body | asks)
    assert later["chain_id"] == str(household["chain_id"])
    assert later["plan"]["duplicates"] == [], "a sealed application is nobody's duplicate"


async def test_the_hotline_may_add_to_a_sealed_report_and_sees_nothing_of_it(intake: Intake) -> None:
    body = {"place": {"division": TOWNSHIP}, "subjects": [{"id": "a", "age": 7, "facts": {"violence": True}}]}
    taken = await intake.taken(body, "hotline")
    path = f"applications/{taken['application_id']}"
    brief = (await intake.get(path, "hotline")).json()
    assert (brief["state"], brief["ring"], len(brief)) == ("received", "hotline-12345", 5)
    more = {"subjects": [{"id": "a", "facts": {"acute_illness": True}}]}
    answer = await intake.post(f"{path}/supplement", more, "hotline")
    assert (answer.status_code, answer.json()["plan"]) == (200, None)
    last = (await intake.events("application.%"))[-1]
    assert last["subjects"][0]["facts"] == {"violence": True, "acute_illness": True}
    assert last["protection"] is True


async def test_a_supplement_evaluates_anew_and_keeps_the_times_of_what_stood(intake: Intake) -> None:
    taken = await intake.taken(INCOME, "window", division=TOWNSHIP)
    path = f"applications/{taken['application_id']}"
    more = {"needs": ["medical_cost"], "subjects": [{"id": "s2", "facts": {"school": "dropped_out"}}]}
    answer = await intake.post(f"{path}/supplement", more, "window", TOWNSHIP, **{"if-match": '"1"'})
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"2"'
    before = {each["rule"]: each for each in taken["plan"]["referrals"]}
    after = {each["rule"]: each for each in answer.json()["plan"]["referrals"]}
    assert after.keys() == {"R16", "R10", "R4"}
    assert after["R16"] == before["R16"]
    (event,) = await intake.events("application.supplemented")
    assert event["needs"] == ["income", "medical_cost"]
    assert [subject["facts"] for subject in event["subjects"]] == [{}, {"school": "dropped_out"}]
    assert len(event["subjects"]) == 2
    stale = await intake.post(f"{path}/supplement", more, "window", TOWNSHIP, **{"if-match": '"1"'})
    assert stale.status_code == 412
    assert (await intake.get(path, "window", TOWNSHIP)).headers["etag"] == '"2"'


async def test_harm_told_later_opens_the_protection_chain_with_clocks_from_then(intake: Intake) -> None:
    taken = await intake.taken(INCOME | {"received_at": "2026-03-03T10:00"})
    path = f"applications/{taken['application_id']}/supplement"
    harm = {"facts_text": "邻居听见哭喊", "subjects": [{"id": "s2", "facts": {"violence": True}}]}
    answer = await intake.post(path, harm)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"1"', "nothing happened on the household's chain, not even a gap"
    received = (await intake.events("application.%"))[-1]
    assert (received["_type"], received["protection"]) == ("application.received", True)
    due = datetime.fromisoformat(received["plan"]["referrals"][0]["due_ack"])
    assert due - datetime.now(UTC) < timedelta(minutes=31)
    assert due > datetime.now(UTC)
    again = await intake.post(path, {"subjects": [{"id": "s2", "facts": {"acute_illness": True}}]})
    assert again.json()["protection"] == received["application_id"]
    last = (await intake.events("application.%"))[-1]
    assert (last["_type"], last["protection"]) == ("application.supplemented", False)
    assert "violence" not in json.dumps(last)
    assert "R9" in {each["rule"] for each in last["plan"]["referrals"]}


async def test_a_withdrawal_never_ends_protection(intake: Intake) -> None:
    income, alone = await intake.taken(INCOME), await intake.taken(CHILD_ALONE)
    for taken, stands in ((income, False), (alone, True)):
        path = f"applications/{taken['application_id']}/withdraw"
        body = {"reason": "孩子的姑姑来接了", "note": "口头"}
        stale = await intake.post(path, body, **{"if-match": '"7"'})
        assert stale.status_code == 412
        answer = await intake.post(path, body, **{"if-match": '"1"'})
        assert answer.status_code == 200, answer.text
        assert answer.json()["protection_stands"] is stands
        event = (await intake.events("application.withdrawn"))[-1]
        assert (event["protection_stands"], event["reason"]) == (stands, "other")
        assert (await intake.post(path, {})).json()["code"] == "application.withdrawn"
    path = f"applications/{income['application_id']}/supplement"
    assert (await intake.post(path, {"needs": ["job"]})).status_code == 409
    danger = await intake.post(path, {"subjects": [{"id": "s2", "facts": {"alone": True}}]})
    assert danger.status_code == 200, "a report of danger is never refused"
    assert "姑姑" not in json.dumps(await intake.events(), default=str)


async def test_receipt_and_secret_tell_the_state_and_five_wrong_secrets_lock(intake: Intake) -> None:
    taken = await intake.taken(CHILD_ALONE, "hotline")
    path = f"/v1/receipts/{taken['receipt'].lower().replace('-', '')}"

    async def asked(secret: str) -> int:
        return (await intake.client.get(path, headers={"onedoor-secret": secret})).status_code

    answer = await intake.client.get(path, headers={"onedoor-secret": taken["secret"]})
    assert answer.json() | {"received_on": ""} == {
        "receipt": taken["receipt"], "state": "received", "state_zh": "已登记", "received_on": "",
        "ring": "hotline-12345", "phone": "12345",
    }  # fmt: skip
    unknown = await intake.client.get(f"/v1/receipts/{receipt.written(datetime.now(UTC).date(), 'AAAAAA')}")
    wrong = await intake.client.get(path, headers={"onedoor-secret": "000"})
    assert (wrong.status_code, wrong.content) == (404, unknown.content)
    stored = await intake.query("select secret_hash::text as hash from receipts")
    assert taken["secret"] not in stored[0]["hash"]
    assert [await asked("1") for _ in range(4)] == [404] * 4
    assert await asked(taken["secret"]) == 404, "locked after five wrong ones"
    await intake.query("update receipts set locked_until = '2000-01-01' returning 1")
    assert await asked(taken["secret"]) == 200


async def test_everyone_sees_what_is_theirs(intake: Intake) -> None:
    mine = await intake.taken(INCOME, "window", division=TOWNSHIP)
    elsewhere = INCOME | {"place": {"division": OTHER_TOWNSHIP}, "registered_division": None}
    await intake.taken(elsewhere, "window", division=OTHER_TOWNSHIP)
    path = f"applications/{mine['application_id']}"
    assert (await intake.get(path, "window", TOWNSHIP)).status_code == 200
    unseen = await intake.get(path, "window", OTHER_TOWNSHIP)
    unknown = await intake.get(f"applications/{uuid4()}", "window", OTHER_TOWNSHIP)
    assert (unseen.status_code, unseen.content) == (unknown.status_code, unknown.content)
    assert unseen.status_code == 404
    assert (await intake.get(path, "ops")).status_code == 403
    assert (await intake.client.get(f"/v1/{path}")).status_code == 401
    listed = (await intake.get("applications", "window", TOWNSHIP)).json()["items"]
    assert [item["application_id"] for item in listed] == [mine["application_id"]]

    called = await intake.taken(CHILD_ALONE, "hotline")
    brief = (await intake.get(f"applications/{called['application_id']}", "hotline")).json()
    assert brief.keys() == {"application_id", "receipt", "state", "received_at", "ring"}
    assert (await intake.get(path, "hotline")).status_code == 404


async def test_pages_follow_one_another(intake: Intake) -> None:
    taken = [(await intake.taken(INCOME, "window"))["application_id"] for _ in range(3)]
    first = (await intake.get("applications", limit=2)).json()
    rest = (await intake.get("applications", limit=2, after=first["next"])).json()
    assert [item["application_id"] for item in (*first["items"], *rest["items"])] == taken[::-1]
    assert rest["next"] is None
    assert (await intake.get("applications", after="nonsense")).status_code == 422


async def test_people_are_told_to_those_who_may_know_and_it_is_logged(intake: Intake) -> None:
    await intake.taken(with_number(INCOME), "window", division=TOWNSHIP)
    ids = [str(row["person_id"]) for row in await intake.query("select person_id from people")]
    told = await intake.get("people", "window", TOWNSHIP, ids=ids, purpose="核实身份")
    assert {person["name"] for person in told.json()} == {"贺知秋", "贺小满"}
    log = await intake.query("select subject, purpose from access_log where what = 'person'")
    assert {(row["subject"], row["purpose"]) for row in log} == {(id_, "核实身份") for id_ in ids}
    assert (await intake.get("people", "window", OTHER_TOWNSHIP, ids=ids, purpose="核实身份")).json() == []
    assert (await intake.get("people", "charity", ids=ids, purpose="核实身份")).status_code == 403
    assert (await intake.get("people", "window", TOWNSHIP, ids=ids)).status_code == 422


async def test_no_clearance_no_row(intake: Intake) -> None:
    await intake.taken(HARM)
    for table in ("applications", "details", "people"):
        (found,) = await intake.query(f"select count(*) from {table}")
        assert found["count"] > 0
    conn = await asyncpg.connect(intake.database, server_settings={"search_path": "intake"})
    try:
        await conn.execute("set role onedoor_intake_reader")
        for table in ("applications", "details", "people"):
            assert await conn.fetchval(f"select count(*) from {table}") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetch("select * from sealed_reports")
        await conn.execute("set role onedoor_intake_writer")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetch("select * from sealed_reports")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetch("select * from sealed_chains")
    finally:
        await conn.close()


async def test_a_preview_stores_nothing(intake: Intake) -> None:
    answer = await intake.post("triage", {"subjects": [{"age": 9, "facts": {"alone": True}}]}, "hotline")
    assert answer.json()["plan"]["services"][0]["urgency"] == "critical"
    wrong = (await intake.post("triage", {"needs": ["gold"]}, "hotline")).json()
    assert (wrong["plan"], wrong["problems"][0]["field"]) == (None, "needs[0]")
    assert (await intake.post("triage", {}, "hotline")).status_code == 200
    assert await intake.events() == []
    assert await intake.query("select from people") == []
