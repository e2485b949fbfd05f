"""From application to confirmation by HTTP, with assistance and notify as processes on real servers."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import yaml

from onedoor.assistance.app import SERVICE as ASSISTANCE
from onedoor.contracts.events.intake import PersonRecorded
from onedoor.notify.app import SERVICE as NOTIFY
from onedoor.policy.evidence import read_evidence, reproduce
from onedoor.runtime import clock
from onedoor.runtime.migrate import folded
from tests.casework import ADULT, CHILD
from tests.harness import PLAIN, eventually
from tests.households import CONTRADICTIONS, UNREADABLE, changed
from tests.servers import Servers
from tests.specialised import Cases, running_cases

MIGRATED = (ASSISTANCE, NOTIFY)
HERE, THERE = "500112015", "500112017"
START = datetime(2026, 3, 3, 2, tzinfo=UTC)
INVESTIGATORS = [
    {"person": "cw-1", "unit": "township", "division": HERE},
    {"person": "vil-1", "unit": "village", "division": HERE},
]


def household(**more: Any) -> dict[str, Any]:
    """A mother with 600 yuan a month and her child: by the standard of 770 they lack 940."""
    members = [
        {
            "id": "m1",
            "relation": "head",
            "birth": "1986-02-01",
            "person": str(ADULT),
            "incomes": [{"kind": "wages", "amount": 600, "per": "month"}],
        },
        {"id": "m2", "relation": "child", "birth": "2016-10-09", "person": str(CHILD)},
    ]
    file = {
        "as_of": "2026-03-03",
        "region": "urban",
        "registered_division": HERE,
        "property": "ok",
        "members": members,
    }
    return file | more


@pytest.fixture
async def cases(
    request: pytest.FixtureRequest, servers: Servers, database: str, topic_suffix: str, tmp_path: Path
) -> AsyncIterator[Cases]:
    """Assistance; with the parameter also notify."""
    running = getattr(request, "param", (ASSISTANCE,))
    async with running_cases(servers, database, topic_suffix, tmp_path, *running) as cases:
        await clock.set_to(database, START)
        await settled(cases, database)
        yield cases


async def settled(cases: Cases, database: str) -> None:
    """Every process counts by the adjusted time."""
    wanted = (await clock.show(database)).epoch

    async def follows() -> bool:
        async with httpx.AsyncClient(verify=PLAIN) as client:
            answers = [await client.get(f"{each.url}/health/ready") for each in cases.processes.values()]
        return all(
            answer.json().get("clock_epoch", answer.json().get("epoch")) == wanted for answer in answers
        )

    await eventually(follows, what="the processes follow the clock")


@dataclass
class Case:
    """One case at HTTP, asked by people of different roles."""

    id: UUID
    worker: httpx.AsyncClient
    district: httpx.AsyncClient
    proceeding: str = ""

    async def apply(self, programme: str) -> None:
        applied = await self.worker.post(f"/v1/cases/{self.id}/proceedings", json={"programme": programme})
        assert applied.status_code == 201, applied.text
        self.proceeding = (await self.view())["proceeding_id"]

    async def view(self) -> dict[str, Any]:
        answer = await self.worker.get(f"/v1/cases/{self.id}/proceedings")
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()["items"][-1]
        return view

    async def step(self, name: str, district: bool = False, **said: Any) -> httpx.Response:
        client = self.district if district else self.worker
        return await client.post(f"/v1/cases/{self.id}/proceedings/{self.proceeding}/{name}", json=said)

    async def does(self, name: str, to: str, district: bool = False, **said: Any) -> None:
        answer = await self.step(name, district, **said)
        assert (answer.status_code, answer.json().get("proceeding")) == (200, to), answer.text

    async def refuses(self, name: str, code: str, district: bool = False, **said: Any) -> None:
        answer = await self.step(name, district, **said)
        assert answer.json().get("code") == code, answer.text
        assert answer.status_code in (409, 422)
        assert answer.json()["detail_zh"]


@pytest.fixture
async def case(cases: Cases) -> AsyncIterator[Case]:
    await cases.send(PersonRecorded(person_id=ADULT, name="文心兰", birth=date(1986, 2, 1), sex="female"))
    id_ = await cases.opened("assistance")
    await cases.becomes("select count(*) from assistance.people", 1)
    async with (
        cases.client("assistance", "caseworker", HERE, "cw-1") as worker,
        cases.client("assistance", "district", person="dist-1") as district,
    ):
        yield Case(id_, worker, district)


async def answered_check(cases: Cases, case: Case) -> None:
    """The verification centre acknowledges and answers its referral at notify; assistance hears it."""
    found: list[Any] = []

    async def sent() -> bool:
        found[:] = await cases.conn.fetch("select id from notify.referrals where rule = 'R16'")
        return len(found) == 1

    await eventually(sent, what="the check is on the verification centre's list")
    async with cases.client("notify") as notify:
        path = f"/v1/referrals/{found[0]['id']}"
        assert (await notify.post(f"{path}/acknowledge", json={})).status_code == 200
        told = await notify.post(
            f"{path}/answer",
            json={"outcome": "helped", "feedback": "核对相符", "results": {"report": "consistent"}},
        )
        assert told.status_code == 200, told.text

    async def heard() -> bool:
        return bool((await case.view())["check_result"] == "met")

    await eventually(heard, what="the answer of the check reaches the case")


@pytest.mark.parametrize("cases", [(ASSISTANCE, NOTIFY)], indirect=True)
async def test_dibao_from_application_to_confirmation(cases: Cases, case: Case, database: str) -> None:
    await case.apply("dibao")
    await case.refuses("start-investigation", "step.state", investigators=INVESTIGATORS)
    await case.does("accept", "accepted")
    await case.refuses("start-investigation", "investigators.two", investigators=INVESTIGATORS[:1])
    await case.does("start-investigation", "investigating", investigators=INVESTIGATORS)
    await case.does("record-findings", "investigating", findings="as_stated", statement="与申报一致")
    await case.refuses("request-check", "household.missing")

    saved = await case.worker.put(f"/v1/cases/{case.id}/household", json=household())
    assert saved.status_code == 200, saved.text
    assert saved.json()["household_size"] == 2
    said = (await case.worker.get(f"/v1/cases/{case.id}/assessment")).json()
    dibao = next(each for each in said["decisions"] if each["programme"] == "dibao")
    assert (dibao["outcome"], dibao["amount"]) == ("eligible", 940.0)
    assert all(reason["clause"] and reason["text"] and reason["text_en"] for reason in dibao["reasons"])
    titles = {"m1": {"zh": "户主", "en": "head"}, "m2": {"zh": "子女", "en": "child"}}
    assert said["members"] == titles
    (income,) = [reason["text"] for reason in dibao["reasons"] if reason["code"] == "income"]
    assert "户主" in income
    assert "m1" not in income

    await case.does("request-check", "investigating")
    assert await cases.counted("select count(*) from notify.referrals where rule = 'R16'") == 0
    assert (await case.view())["check_drafted"]
    signed = await case.worker.post(f"/v1/cases/{case.id}/authorisations", json={"person_id": str(ADULT)})
    assert signed.status_code == 200, signed.text
    await answered_check(cases, case)

    await case.does("give-opinion", "opinion", recommendation="grant")
    await case.refuses("report", "notice.skipped")
    await case.does("post-notice", "notice")
    view = await case.view()
    assert view["notice"] == {
        "name": "文心兰",
        "household_size": 2,
        "amount_fen": 94_000,
        "until": "2026-03-11T00:00:00+08:00",
        "provisional": False,
        "told": None,
    }
    assert [each["blocked"]["code"] for each in view["offers"] if each["command"] == "end-notice"] == [
        "notice.running"
    ]
    await clock.advance(database, timedelta(days=8))
    await settled(cases, database)
    await case.does("end-notice", "reported")

    barred = await case.step("confirm")
    assert barred.status_code == 403
    async with cases.client("assistance", "district", person="cw-1") as same:
        path = f"/v1/cases/{case.id}/proceedings/{case.proceeding}/confirm"
        refused = await same.post(path, json={})
        assert refused.json()["code"] == "confirm.same_person"
    await case.refuses("confirm", "amount.computed", True, amount_fen=100_000, reason="加发")
    await case.does("confirm", "granted", True)

    view = await case.view()
    (decision,) = view["decisions"]
    assert (decision["amount_fen"], decision["first_month"], decision["manual"]) == (94_000, "2026-04", False)
    assert decision["computed"]["reasons"]
    frozen = await case.worker.get(
        f"/v1/cases/{case.id}/evidence", params={"decision_id": decision["decision_id"]}
    )
    assert reproduce(read_evidence(frozen.content)).decisions.of("dibao").amount_fen == 94_000
    assert "文心兰" not in frozen.text

    ended = {"L1": "met", "L2": "met", "L3": "met", "L4": "met", "L5": "met", "L5q": "met"}
    clocks: dict[str, str] = {}

    async def every_clock_is_met() -> bool:
        rows = await cases.conn.fetch("select duty, state from notify.clocks where duty ^@ 'L'")
        clocks.update({row["duty"]: row["state"] for row in rows})
        return clocks == ended | {"L7": "running", "L8": "running"}

    await eventually(every_clock_is_met, what=f"the clocks of a granted case: {clocks}")

    words = (await case.worker.get(f"/v1/cases/{case.id}/words")).json()
    assert [each["words"] for each in words] == ["与申报一致"]
    state = await cases.conn.fetchval("select state from assistance.cases where id = $1", case.id)
    assert state == "decided"
    await cases.conn.execute("set search_path to assistance")
    kept, version = await folded(cases.conn, ASSISTANCE.deciders[0], case.id)
    stored = await cases.conn.fetchrow("select body, version from cases where id = $1", case.id)
    assert (kept.model_dump(mode="json"), version) == (json.loads(stored["body"]), stored["version"])


async def test_aid_first_waits_for_no_file(cases: Cases, case: Case) -> None:
    await case.apply("temporary_small")
    await case.does("confirm-urgency", "urgent", statement="昨夜失火")
    await case.refuses("confirm", "assessment.missing", True)
    await case.refuses("pay-first", "amount.ceiling", True, amount_fen=77_001, reason="急需")
    await case.does("pay-first", "papers", True, amount_fen=77_000, reason="急需食宿")

    async def told() -> bool:
        types = [event.type for event in await cases.published("assistance")]
        return {"case.aid_paid_first", "case.determined", "case.decided"} <= set(types)

    await eventually(told, what="aid first is published")
    published = " ".join(event.data.model_dump_json() for event in await cases.published("assistance"))
    assert "急需" not in published
    assert "失火" not in published
    await case.does("complete-papers", "granted", papers=["event_proof"])


async def test_a_wrong_file_names_its_fields_and_is_kept_as_a_draft(cases: Cases, case: Case) -> None:
    path = f"/v1/cases/{case.id}/household"
    wrong = household(as_of="2027-01-01")
    wrong["members"][0]["incomes"] = [{"kind": "wages", "amount": -5, "per": "month"}]
    refused = await case.worker.put(path, json=wrong)
    assert refused.status_code == 422
    (field,) = refused.json()["errors"]
    assert field["field"] == "members.0.incomes.0.amount"
    assert field["remedy_zh"]
    assert (await case.worker.get(path)).json()["file"] is None

    draft = await case.worker.put(path, params={"draft": True}, json=wrong)
    assert (draft.status_code, draft.json()["draft"]) == (200, True)
    assert draft.json()["problems"]
    kept = (await case.worker.get(path)).json()
    assert (kept["file"], kept["draft"]) == (None, wrong)

    anonymous = household()
    del anonymous["members"][1]["person"]
    unnamed = await case.worker.put(path, json=anonymous)
    assert unnamed.json()["errors"][0]["field"] == "members.1.person"
    as_json, as_yaml = "application/json", "application/yaml"
    aliases = b"a: &a [1]\nb: [*a, *a]"
    for body, media in ((b"{", as_json), (b"\xff", as_yaml), (b"a: [", as_yaml), (aliases, as_yaml)):
        answer = await case.worker.put(path, content=body, headers={"Content-Type": media})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")
    for body in ("[]", "3", "null", '"x"'):
        answer = await case.worker.put(path, content=body, headers={"Content-Type": as_json})
        assert answer.status_code == 422, answer.text
        kept = await case.worker.put(
            path, params={"draft": True}, content=body, headers={"Content-Type": as_json}
        )
        assert kept.status_code == 422, "no field of it could be shown again"

    written = yaml.safe_dump(household(), allow_unicode=True)
    saved = await case.worker.put(path, content=written, headers={"Content-Type": as_yaml})
    assert saved.status_code == 200, saved.text
    assert (await case.worker.get(path)).json()["draft"] is None


def held(raw: Any) -> bool:
    """Whether JSON can hold it."""
    try:
        return bool(json.dumps(raw, allow_nan=False))
    except ValueError:
        return False


async def test_whatever_cannot_stand_is_named_at_its_field_and_kept_as_a_draft(
    cases: Cases, case: Case
) -> None:
    path = f"/v1/cases/{case.id}/household"
    wrong = [(field, value, field) for field, value, _ in UNREADABLE]
    wrong += [(field, value, where) for field, value, where, _ in CONTRADICTIONS]
    wrong += [("as_of", "2026-03-04", "as_of")]
    for field, value, where in wrong:
        raw = {**changed("as_of", "2026-03-03"), **changed(field, value)}
        raw["as_of"] = value if field == "as_of" else "2026-03-03"
        if not held(raw):
            continue
        refused = await case.worker.put(path, json=raw)
        assert refused.status_code == 422, (field, value)
        (error,) = refused.json()["errors"]
        assert error["field"].startswith(where), (field, value)
        assert error["remedy_zh"]
        draft = await case.worker.put(path, params={"draft": True}, json=raw)
        assert (draft.status_code, draft.json()["problems"]) == (200, refused.json()["errors"])
        kept = (await case.worker.get(path)).json()
        assert kept["file"] is None
        assert kept["draft"]["region"] == raw["region"]


async def test_a_draft_keeps_no_name_and_no_identity_number(cases: Cases, case: Case) -> None:
    path = f"/v1/cases/{case.id}/household"
    raw = household()
    raw["members"][0] |= {"name": "文心兰", "id_number": "110105198602010021", "nickname": "小文"}
    raw["members"][1] = "文小满"
    draft = await case.worker.put(path, params={"draft": True}, json=raw)
    assert {each["field"] for each in draft.json()["problems"]} == {"members.0.nickname", "members.1"}
    kept = (await case.worker.get(path)).json()
    (member,) = kept["draft"]["members"]
    assert (member["birth"], member["incomes"]) == ("1986-02-01", raw["members"][0]["incomes"])
    stored = await cases.conn.fetchval("select draft::text from assistance.households")
    assert not any(word in stored for word in ("文心兰", "110105198602010021", "小文", "文小满"))


async def test_of_two_who_fill_a_file_in_at_once_the_second_is_told(cases: Cases, case: Case) -> None:
    path = f"/v1/cases/{case.id}/household"
    begun = await case.worker.get(path)
    assert (begun.headers["ETag"], begun.json()["revision"]) == ('"0"', 0)
    unfinished = household(region="")
    seen = {"If-Match": begun.headers["ETag"]}
    first = await case.worker.put(path, params={"draft": True}, json=unfinished, headers=seen)
    assert (first.status_code, first.headers["ETag"], first.json()["revision"]) == (200, '"1"', 1)
    for params, raw in (({"draft": True}, household(region="nowhere")), ({}, household())):
        second = await case.worker.put(path, params=params, json=raw, headers=seen)
        assert (second.status_code, second.json()["stored"]["version"]) == (412, 1)
    kept = await case.worker.get(path)
    assert (kept.headers["ETag"], kept.json()["file"], kept.json()["draft"]) == ('"1"', None, unfinished)

    ready = await case.worker.put(path, params={"draft": True}, json=household(), headers={"If-Match": '"1"'})
    assert (ready.headers["ETag"], ready.json()["problems"]) == ('"2"', [])
    assert (await case.worker.get(path)).json()["file"] is None, "a draft is no file, be it without fault"
    recorded = await case.worker.put(path, json=household(), headers={"If-Match": '"2"'})
    assert (recorded.status_code, recorded.headers["ETag"]) == (200, '"3"')
    late = await case.worker.put(path, params={"draft": True}, json=unfinished, headers={"If-Match": '"2"'})
    assert late.status_code == 412
    assert (await case.worker.get(path)).json()["draft"] is None


async def test_the_files_form_is_told_only_where_the_case_is(cases: Cases, case: Case) -> None:
    path = f"/v1/cases/{case.id}/household/form"
    fields = (await case.worker.get(path)).json()
    assert [each["name"] for each in fields if each["required"]] == [
        "as_of", "region", "registered_division", "members",
    ]  # fmt: skip
    async with cases.client("assistance", "caseworker", THERE, "cw-9") as elsewhere:
        assert (await elsewhere.get(path)).status_code == 404


async def test_nobody_stands_in_two_running_households(cases: Cases, case: Case) -> None:
    assert (await case.worker.put(f"/v1/cases/{case.id}/household", json=household())).status_code == 200
    other = await cases.opened("assistance")
    path = f"/v1/cases/{other}/household"
    refused = await case.worker.put(path, json=household())
    assert refused.status_code == 422
    assert [each["field"] for each in refused.json()["errors"]] == ["members.0.person", "members.1.person"]
    withdrawn = await case.worker.post(f"/v1/cases/{case.id}/withdraw", json={})
    assert withdrawn.status_code == 200, withdrawn.text
    assert (await case.worker.put(path, json=household())).status_code == 200


async def test_bad_bodies_are_problems_that_name_the_field(cases: Cases, case: Case) -> None:
    await case.apply("dibao")
    for name, said, field in (
        ("accept", {"delegated": "maybe"}, "delegated"),
        ("accept", {"unknown": 1}, "unknown"),
        ("ask-supplement", {"papers": []}, "papers"),
        ("ask-supplement", {"papers": ["passport"]}, "papers[0]"),
    ):
        answer = await case.step(name, **said)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == field
    unknown = await case.worker.post(f"/v1/cases/{case.id}/proceedings/{uuid4()}/accept", json={})
    assert unknown.status_code == 404
    lottery = await case.worker.post(f"/v1/cases/{case.id}/proceedings", json={"programme": "lottery"})
    assert (lottery.status_code, lottery.json()["errors"][0]["field"]) == (422, "programme")
    stale = await case.worker.post(
        f"/v1/cases/{case.id}/proceedings/{case.proceeding}/accept", json={}, headers={"If-Match": '"1"'}
    )
    assert stale.status_code == 412


async def test_a_file_is_seen_and_changed_only_where_the_case_is(cases: Cases, case: Case) -> None:
    await case.apply("dibao")
    assert (await case.worker.put(f"/v1/cases/{case.id}/household", json=household())).status_code == 200
    async with cases.client("assistance", "caseworker", THERE, "cw-9") as elsewhere:
        for path in ("household", "proceedings", "assessment", "words", "evidence"):
            assert (await elsewhere.get(f"/v1/cases/{case.id}/{path}")).status_code == 404
        hidden = await elsewhere.put(f"/v1/cases/{case.id}/household", json=household())
        assert hidden.status_code == 404
    async with cases.client("assistance", "finance") as finance:
        assert (await finance.put(f"/v1/cases/{case.id}/household", json={})).status_code == 403
    rows = await cases.conn.fetch("select what from assistance.access_log")
    assert not rows
    assert (await case.worker.get(f"/v1/cases/{case.id}/household")).status_code == 200
    rows = await cases.conn.fetch("select what, person from assistance.access_log")
    assert [tuple(row) for row in rows] == [("household", "cw-1")]


async def test_the_work_list_names_whom_its_reader_may_know_and_says_so(cases: Cases, case: Case) -> None:
    async def listed(role: str, division: str | None) -> list[Any]:
        async with cases.client("assistance", role, division, "reader-1") as client:
            return [each.get("name") for each in (await client.get("/v1/cases")).json()["items"]]

    assert await listed("caseworker", HERE) == ["文心兰"]
    assert await listed("caseworker", THERE) == []
    rows = await cases.conn.fetch("select what, subject, person from assistance.access_log")
    assert [tuple(row) for row in rows] == [("work-list", str(case.id), "reader-1")]


async def test_the_same_key_takes_a_step_once(cases: Cases, case: Case) -> None:
    await case.apply("dibao")
    path = f"/v1/cases/{case.id}/proceedings/{case.proceeding}/accept"
    answers = [await case.worker.post(path, json={}, headers={"Idempotency-Key": "k-1"}) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].content == answers[1].content
