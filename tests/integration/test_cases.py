"""Assistance and child welfare as processes on real servers: from an event to a case, and on by HTTP."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from onedoor.assistance.app import SERVICE as ASSISTANCE
from onedoor.calendar import moment
from onedoor.child_welfare.app import SERVICE as CHILD_WELFARE
from onedoor.contracts.core import Urgency
from onedoor.contracts.events.case import CaseOpened, CaseWithdrawn, ReferralRequested
from onedoor.contracts.events.intake import PersonErased, PersonRecorded
from onedoor.contracts.events.notify import ReferralAnswered
from onedoor.runtime.migrate import folded
from tests.casework import ADULT, CHILD, application, envelope, referral, withdrawal
from tests.harness import eventually
from tests.servers import Servers
from tests.specialised import Cases, running_cases

MIGRATED = (ASSISTANCE, CHILD_WELFARE)
HERE, THERE = "500112015", "500112017"


@pytest.fixture
async def cases(servers: Servers, database: str, topic_suffix: str, tmp_path: Path) -> AsyncIterator[Cases]:
    async with running_cases(servers, database, topic_suffix, tmp_path, ASSISTANCE, CHILD_WELFARE) as cases:
        yield cases


HANDLED = "select count(*) from {}.inbox"


@pytest.mark.parametrize(("service", "urgency"), [("assistance", "ordinary"), ("child-welfare", "critical")])
async def test_an_application_delivered_twice_opens_its_case_once(
    cases: Cases, service: str, urgency: Urgency
) -> None:
    """By the ordinary topic and by the alarms'; again in other bytes, as a supplement."""
    received = envelope(application(service, urgency))
    schema = service.replace("-", "_")
    await cases.send_envelopes(received, received)
    await cases.send(application(service, urgency, supplement=True), withdrawal())
    await cases.becomes(HANDLED.format(schema), 3)
    await cases.becomes(f"select count(*) from {schema}.pending", 0)

    events = await cases.published(service)
    assert sum(isinstance(event.data, CaseOpened) for event in events) == 1
    assert sum(isinstance(event.data, CaseWithdrawn) for event in events) == (service == "assistance")
    refused = await cases.conn.fetch(f"select reason from {schema}.inbox where outcome = 'refused'")
    assert ["protection" in row["reason"] for row in refused] == ([True] if urgency == "critical" else [])
    assert await cases.counted(f"select count(*) from {schema}.dead_letters") == 0


async def test_a_caseworker_works_a_case_to_its_end(cases: Cases) -> None:
    case = await cases.opened("assistance", "urgent")
    await cases.opened("assistance")
    person = PersonRecorded(person_id=ADULT, name="文心兰", birth=date(1986, 2, 1), sex="female")
    await cases.send(person, PersonRecorded(person_id=CHILD, name="文小雨", minor=True))
    await cases.becomes("select count(*) from assistance.people", 2)

    async with (
        cases.client("assistance", "caseworker", HERE, "cw-1") as worker,
        cases.client("assistance", "district", person="district-1") as district,
    ):
        first = (await worker.get("/v1/cases", params={"limit": 1})).json()
        assert [item["case_id"] for item in first["items"]] == [str(case)], "the urgent one comes first"
        rest = (await worker.get("/v1/cases", params={"limit": 1, "after": first["next"]})).json()
        assert (len(rest["items"]), rest["next"]) == (1, None)

        shown = await worker.get(f"/v1/cases/{case}", params={"purpose": "home visit"})
        assert [each["name"] for each in shown.json()["subjects"]] == [None, "文心兰"], "no child's name here"
        seen = await cases.conn.fetchrow(
            "select person, purpose from assistance.access_log where what = 'case'"
        )
        assert seen is not None
        assert tuple(seen) == ("cw-1", "home visit")

        taken = await worker.post(f"/v1/cases/{case}/take-up", json={}, headers={"If-Match": '"1"'})
        assert (taken.status_code, taken.json()["worker"]) == (200, "cw-1")
        stale = await worker.post(f"/v1/cases/{case}/withdraw", json={}, headers={"If-Match": '"1"'})
        assert (stale.status_code, stale.headers["etag"]) == (412, '"2"')
        assert stale.json()["stored"]["state"] == "in_work"

        decision = {"outcome": "not_eligible", "reason": "no_hardship_found"}
        assert (await worker.post(f"/v1/cases/{case}/decide", json=decision)).status_code == 403
        wrong = await district.post(f"/v1/cases/{case}/decide", json=decision | {"reason": "x"})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "reason")
        helped = {"outcome": "helped", "reason": "enrolled"}
        bypass = await district.post(f"/v1/cases/{case}/decide", json=helped)
        assert (bypass.status_code, bypass.json()["code"]) == (422, "case.no_proceeding")
        decided = await district.post(f"/v1/cases/{case}/decide", json=decision)
        assert (decided.status_code, decided.json()["state"]) == (200, "decided")
        early = await district.post(f"/v1/cases/{case}/transfer", json={"to": THERE, "reason": "moved"})
        assert (early.status_code, early.json()["code"]) == (409, "case.state")
        closed = await district.post(f"/v1/cases/{case}/close", json={"reason": "refusal_told"})
        assert closed.json()["state"] == "closed"

        async def told() -> bool:
            published = {str(event.id) for event in await cases.published("assistance")}
            return closed.headers["onedoor-event"] in published

        await eventually(told, what="the closing is published under the id that the answer named")
        await cases.send(PersonErased(person_id=ADULT))
        await cases.becomes("select count(*) from assistance.people", 1)

    stored = await cases.conn.fetchval("select body from assistance.cases where id = $1", case)
    await cases.conn.execute("set search_path to assistance")
    state, version = await folded(cases.conn, ASSISTANCE.deciders[0], case)
    assert ASSISTANCE.deciders[0].state.model_validate_json(stored) == state
    assert version == 4


async def test_a_referral_asked_for_twice_is_requested_once_and_its_answer_is_noted(cases: Cases) -> None:
    case = await cases.opened("assistance")
    wish = {"rule": "R12", "to": "human-resources", "facts": {"jobless": True}}
    async with cases.client("assistance", "caseworker", HERE) as worker:
        answers = [
            await worker.post(f"/v1/cases/{case}/referrals", json=wish, headers={"Idempotency-Key": "wish-1"})
            for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        prose = wish | {"facts": {"jobless": "he says so"}}
        assert (await worker.post(f"/v1/cases/{case}/referrals", json=prose)).status_code == 422

        await cases.becomes("select count(*) from assistance.pending", 0)
        requested = [
            event.data
            for event in await cases.published("assistance")
            if isinstance(event.data, ReferralRequested)
        ]
        assert [str(event.request_id) for event in requested] == [answers[0].json()["request_id"]]
        assert requested[0].subjects == (CHILD, ADULT)

        origin: dict[str, Any] = {
            "application_id": requested[0].application_id,
            "chain_id": requested[0].chain_id,
        }
        await cases.send(referral(asked_by=case, **origin))
        await cases.becomes("select (body->'referrals' <> '{}')::int from assistance.cases", 1)
        assert (await worker.get("/v1/cases")).json()["items"][0]["open_referrals"] == 1
        await cases.send(referral(ReferralAnswered, asked_by=case, **origin))

        async def closed() -> bool:
            shown = (await worker.get(f"/v1/cases/{case}")).json()
            return bool(shown["open_referrals"] == 0 and shown["referrals"][0]["state"] == "answered")

        await eventually(closed)


async def test_a_child_is_protected_step_by_step(cases: Cases) -> None:
    case = await cases.opened("child-welfare", "critical")
    async with (
        cases.client("child-welfare", "child-duty", person="duty-1") as duty,
        cases.client("child-welfare", "child-worker", HERE, "kw-1") as worker,
        cases.client("child-welfare", "child-worker", HERE, "kw-2") as other,
    ):
        unknown = await worker.get(f"/v1/cases/{uuid4()}")
        unseen = await worker.get(f"/v1/cases/{case}")
        assert (unseen.status_code, unseen.json()) == (404, unknown.json())
        assert (await worker.post(f"/v1/cases/{case}/take-up", json={})).status_code == 404
        assert (await worker.get("/v1/cases")).json()["items"] == []

        given = await duty.post(f"/v1/cases/{case}/take-up", json={"worker": "kw-1"})
        assert given.json()["worker"] == "kw-1"
        assert (await other.get(f"/v1/cases/{case}")).status_code == 404
        assert (await worker.post(f"/v1/cases/{case}/take-up", json={"worker": "kw-2"})).status_code == 403

        stands = await worker.post(f"/v1/cases/{case}/withdraw", json={})
        assert (stands.status_code, stands.json()["code"]) == (409, "protection.stands")
        early = await worker.post(f"/v1/cases/{case}/steps", json={"step": "assessment"})
        assert (early.status_code, early.json()["code"]) == (409, "protection.order")
        care = {"step": "temporary_care", "ground": "guardian_unable", "placement": "relative"}
        for step in (
            {"step": "immediate_response"},
            care | {"since": "2026-01-02"},
            {"step": "assessment"},
        ):
            answer = await worker.post(f"/v1/cases/{case}/steps", json=step)
            assert answer.status_code == 200, answer.text
        for day, code in (("2999-01-01", "protection.since"), ("2026-02-30", "invalid-request")):
            wrong = await worker.post(f"/v1/cases/{case}/steps", json=care | {"since": day})
            assert (wrong.status_code, wrong.json()["code"]) == (422, code)
            assert wrong.json()["errors"][0]["field"] == "since"
        plan = {"outcome": "plan_made", "reason": "kinship_care"}
        assert (await duty.post(f"/v1/cases/{case}/decide", json=plan)).json()["state"] == "decided"
        early = await duty.post(f"/v1/cases/{case}/close", json={"reason": "safe_at_home"})
        assert early.json()["code"] == "protection.no_follow_up"
        assert (await worker.post(f"/v1/cases/{case}/steps", json={"step": "follow_up"})).status_code == 200
        closed = await duty.post(f"/v1/cases/{case}/close", json={"reason": "safe_at_home"})
        assert closed.json()["state"] == "closed"
        shown = (await worker.get(f"/v1/cases/{case}")).json()
        assert shown["steps"][-1] == "follow_up"
        assert (shown["ground"], shown["placement"]) == ("guardian_unable", "relative")
        assert datetime.fromisoformat(shown["care_since"]) == moment("2026-01-02")

    kinds = {event.type for event in await cases.published("child-welfare")}
    assert "protection.step_taken" not in kinds
    assert {"protection.care_taken", "protection.followed_up"} <= kinds


async def test_who_may_not_see_a_case_gets_the_answer_of_an_unknown_id(cases: Cases) -> None:
    case = await cases.opened("assistance")
    sealed = await cases.opened("assistance", protection=True)
    url = f"/v1/cases/{case}"
    nobody = httpx.AsyncClient(base_url=cases.processes["assistance"].url)
    async with (
        nobody,
        cases.client("assistance", "caseworker", THERE) as elsewhere,
        cases.client("assistance", "caseworker", HERE) as here,
        cases.client("assistance", "district") as district,
    ):
        assert (await nobody.get(url)).status_code == 401
        for role in ("hotline", "child-duty", "station", "ops", "auditor"):
            async with cases.client("assistance", role, HERE) as barred:
                assert (await barred.get(url)).status_code == 403, role
        unknown = await elsewhere.get(f"/v1/cases/{uuid4()}")
        hidden = await elsewhere.get(url)
        assert (hidden.status_code, hidden.json()) == (404, unknown.json())
        assert (await here.get(url)).status_code == 200
        assert (await here.get(f"/v1/cases/{sealed}")).status_code == 404
        assert (await district.get(f"/v1/cases/{sealed}")).status_code == 200
        assert len((await here.get("/v1/cases")).json()["items"]) == 1
