"""Vagrancy, charity and notify as processes on real servers: a stay and a need from the plan to the end."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from onedoor.charity.app import SERVICE as CHARITY
from onedoor.contracts.core import Event
from onedoor.contracts.events import notify
from onedoor.contracts.events.case import ReferralRequested
from onedoor.contracts.events.intake import PersonRecorded, Subject
from onedoor.contracts.events.notify import ReferralDrafted, ReferralEvent, ReferralSent
from onedoor.contracts.plan import Plan
from onedoor.contracts.work import case_id
from onedoor.notify.app import SERVICE as NOTIFY
from onedoor.runtime.migrate import folded
from onedoor.vagrancy.app import SERVICE as VAGRANCY
from tests.casework import ADULT, APPLICATION, NOW, application, envelope, withdrawal
from tests.harness import eventually
from tests.servers import Servers
from tests.specialised import Cases, running_cases

MIGRATED = (VAGRANCY, CHARITY, NOTIFY)
HERE, HOME = "500112015", "500112017"
NAME = "文心兰"
REQUESTED = "select count(*) from charity.events where type = 'referral.requested'"
MAN = Subject(person_id=ADULT, facts={"at_station": True, "unidentified": True})


@pytest.fixture
async def cases(servers: Servers, database: str, topic_suffix: str, tmp_path: Path) -> AsyncIterator[Cases]:
    async with running_cases(servers, database, topic_suffix, tmp_path, VAGRANCY, CHARITY, NOTIFY) as cases:
        yield cases


def planned(service: str, rule: str, from_: str, to: str, urgency: str, drafted: str | None = None) -> Plan:
    referral = {
        "rule": rule,
        "from": from_,
        "to": to,
        "to_division": HERE,
        "urgency": urgency,
        "due_ack": NOW,
        "due_finish": NOW,
        "drafted": drafted,
    }
    services = [{"name": service, "urgency": urgency}]
    return Plan.model_validate({"services": services, "referrals": [referral]})


def of_station(**more: Any) -> Event:
    plan = planned("vagrancy", "R6", "relief-station", "public-security", "urgent")
    return application("vagrancy", plan=plan, subjects=(MAN,), **more)


def of_charity(**more: Any) -> Event:
    plan = planned("charity", "R17", "civil-affairs", "charity-federation", "ordinary", "written_consent")
    grown_up = Subject(person_id=ADULT, age=40)
    needs = ("remaining_gap", "medical_cost")
    return application("charity", plan=plan, subjects=(grown_up,), needs=needs, consent_charity=True, **more)


async def sent(cases: Cases, rule: str) -> list[ReferralSent]:
    return [event for event in await referrals(cases, rule) if isinstance(event, ReferralSent)]


async def referrals(cases: Cases, rule: str) -> list[ReferralEvent]:
    events = [event.data for event in await cases.on(notify.REFERRAL)]
    return [event for event in events if isinstance(event, ReferralEvent) and event.rule == rule]


async def answered(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code in (200, 201), answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.parametrize(("service", "handled"), [("vagrancy", of_station), ("charity", of_charity)])
async def test_an_application_opens_exactly_one(cases: Cases, service: str, handled: Any) -> None:
    """Delivered twice, and again as a supplement."""
    received = envelope(handled())
    await cases.send_envelopes(received, received)
    later, gone = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    await cases.send(handled(supplement=True, recorded_at=later), withdrawal(at=gone))
    await cases.becomes(f"select count(*) from {service}.inbox where topic like 'intake.%'", 3)
    await cases.becomes(f"select count(*) from {service}.pending", 0)
    kinds = [event.type for event in await cases.published(service)]
    expected = {"vagrancy": ["stay.opened", "stay.left"], "charity": ["need.drafted", "need.closed"]}
    assert kinds == expected[service]
    assert await cases.counted(f"select count(*) from {service}.dead_letters") == 0


async def test_an_unidentified_man_from_admission_to_home(cases: Cases) -> None:
    await cases.send(of_station(), PersonRecorded(person_id=ADULT, name=NAME))
    stay = case_id(APPLICATION, "vagrancy")
    await cases.becomes("select count(*) from vagrancy.cases", 1)
    await cases.becomes("select count(*) from vagrancy.people", 1)
    await cases.becomes("select count(*) from notify.referrals", 1)

    station = {"role": "station", "department": "relief-station", "person": "station-1"}
    async with cases.client("vagrancy", **station) as client:
        minor = await client.post(f"/v1/stays/{stay}/admit", json={"screening": "fit", "age": 16})
        assert (minor.status_code, minor.json()["code"]) == (409, "stay.to_child_welfare")
        headers = {"Idempotency-Key": "admission", "If-Match": '"2"'}
        twice = [
            await client.post(f"/v1/stays/{stay}/admit", json={"screening": "fit"}, headers=headers)
            for _ in range(2)
        ]
        assert [answer.status_code for answer in twice] == [200, 200], twice[0].text
        assert twice[0].content == twice[1].content
        assert twice[0].json()["unidentified"] is True
        stale = await client.post(
            f"/v1/stays/{stay}/care", json={"care": ["food"]}, headers={"If-Match": '"1"'}
        )
        assert stale.status_code == 412
        await answered(client, f"/v1/stays/{stay}/care", care=["food", "lodging"])
        early = await client.post(f"/v1/stays/{stay}/return", json={"to_division": HOME, "means": "ticket"})
        assert (early.status_code, early.json()["code"]) == (409, "stay.unidentified")
        await answered(client, f"/v1/stays/{stay}/identify", how="police_face")
        nowhere = await client.post(f"/v1/stays/{stay}/return", json={"means": "ticket"})
        assert (nowhere.status_code, nowhere.json()["errors"][0]["field"]) == (422, "to_division")
        back = await answered(client, f"/v1/stays/{stay}/return", to_division=HOME, means="ticket")
        assert back["state"] == "returned"

        shown = (await client.get(f"/v1/stays/{stay}")).json()
        assert shown["subjects"][0]["name"] == NAME
        assert shown["care"] == ["food", "lodging"]
        assert [item["state"] for item in (await client.get("/v1/stays")).json()["items"]] == ["returned"]

        async def both_open() -> bool:
            parts = (await client.get(f"/v1/stays/{stay}")).json()["referrals"]
            return {part["rule"] for part in parts} >= {"R8"}

        await eventually(both_open, what="the stay hears of its referral home")

    assert len(await sent(cases, "R6")) == 1, "the plan's and the admission's are one"
    (home,) = await sent(cases, "R8")
    assert (home.from_, home.to, home.to_division) == ("relief-station", "township", HOME)
    kinds = [event.type for event in await cases.published("vagrancy")]
    assert kinds == [
        "stay.opened",
        "stay.admitted",
        "referral.requested",
        "stay.care_given",
        "stay.identified",
        "stay.returned",
        "referral.requested",
    ]
    await cases.conn.execute("set search_path to vagrancy")
    state, _ = await folded(cases.conn, VAGRANCY.deciders[0], stay)
    assert state.state == "returned"


async def test_a_need_is_published_after_consent_matched_and_delivered(cases: Cases) -> None:
    await cases.send(of_charity(), PersonRecorded(person_id=ADULT, name=NAME))
    need = case_id(APPLICATION, "charity")
    await cases.becomes("select count(*) from charity.cases", 1)

    async def drafted() -> bool:
        return [type(event) for event in await referrals(cases, "R17")] == [ReferralDrafted]

    await eventually(drafted, what="the plan's R17 is a draft")
    giver = cases.client("charity", "charity", department="charity-federation", person="giver")
    other = cases.client("charity", "charity", department="another-foundation", person="other")
    social = cases.client("charity", "social-worker", department="social-work-station")
    bureau = cases.client("charity", "caseworker", HERE)
    async with giver, other, social, bureau:
        unknown = await giver.get(f"/v1/needs/{uuid4()}")
        hidden = await giver.get(f"/v1/needs/{need}")
        assert (hidden.status_code, hidden.json()) == (404, unknown.json()), "a draft is nobody's to see"
        assert (await giver.get("/v1/needs")).json()["items"] == []
        consent = {"by": "person", "signed_on": date(2026, 3, 2).isoformat(), "gap_fen": 300_000}
        assert (await giver.post(f"/v1/needs/{need}/consent", json=consent)).status_code == 403
        assert (
            await cases.counted("select count(*) from charity.events where type = 'referral.requested'") == 0
        )
        assert (await social.get(f"/v1/needs/{need}")).json()["state"] == "drafted"
        assert (await answered(bureau, f"/v1/needs/{need}/consent", **consent))["state"] == "published"

        (item,) = (await giver.get("/v1/needs", params={"state": "published"})).json()["items"]
        assert (item["needs"], item["gap_fen"]) == (["remaining_gap", "medical_cost"], 300_000)
        offered = (await giver.get(f"/v1/needs/{need}")).json()
        assert offered["whose"] is None, "whose it is stays unsaid until somebody takes it"
        assert (await bureau.get(f"/v1/needs/{need}")).json()["whose"]["application_id"] == str(APPLICATION)
        assert (await bureau.post(f"/v1/needs/{need}/match", json={})).status_code == 403

        taken = await answered(giver, f"/v1/needs/{need}/match")
        assert taken["provider"] == "charity-federation"
        known = (await giver.get(f"/v1/needs/{need}")).json()
        assert known["whose"]["application_id"] == str(APPLICATION)
        assert (await other.get(f"/v1/needs/{need}")).status_code == 404, "what another took is gone"
        gift = {"given": "cash", "amount_fen": 200_000}
        headers = {"Idempotency-Key": "gift"}
        for _ in range(2):
            given = await giver.post(f"/v1/needs/{need}/deliver", json=gift, headers=headers)
            assert given.status_code == 200, given.text
        assert (await bureau.get(f"/v1/needs/{need}")).json()["delivered_fen"] == 200_000
        assert (await answered(bureau, f"/v1/needs/{need}/close", reason="met"))["state"] == "closed"

    async def handed() -> bool:
        return [type(event) for event in await referrals(cases, "R17")] == [ReferralDrafted, ReferralSent]

    await eventually(handed, what="the draft is sent, once")
    (r17,) = await sent(cases, "R17")
    assert (r17.facts, r17.subjects) == ({"gap_fen": 300_000, "consent_charity": True}, ())
    events = await cases.published("charity")
    requested = [event for event in events if isinstance(event.data, ReferralRequested)]
    assert len(requested) == 1
    told = "".join(event.data.model_dump_json() for event in events)
    assert NAME not in told
    assert str(ADULT) not in told
    tables = (
        "select count(*) from information_schema.tables where table_schema = 'charity' and table_name = $1"
    )
    assert await cases.counted(tables, "people") == 0


async def test_who_may_not_see_a_stay_gets_the_answer_of_an_unknown_id(cases: Cases) -> None:
    stay = await cases.opened("vagrancy", "urgent", subjects=(MAN,))
    url = f"/v1/stays/{stay}"
    nobody = httpx.AsyncClient(base_url=cases.processes["vagrancy"].url)
    elsewhere = cases.client("vagrancy", "station", department="another-station")
    async with nobody, elsewhere:
        assert (await nobody.get(url)).status_code == 401
        unknown = await elsewhere.get(f"/v1/stays/{uuid4()}")
        hidden = await elsewhere.get(url)
        assert (hidden.status_code, hidden.json()) == (404, unknown.json())
        assert (await elsewhere.post(f"{url}/leave", json={"reason": "own_wish"})).status_code == 404
        for role in ("caseworker", "charity", "child-duty", "hotline", "ops"):
            async with cases.client("vagrancy", role, HERE) as barred:
                assert (await barred.get(url)).status_code == 403, role


async def test_a_minor_at_the_station_is_handed_over_at_once(cases: Cases) -> None:
    stay = await cases.opened("vagrancy", "urgent", subjects=(MAN,))
    async with cases.client("vagrancy", "station", department="relief-station") as client:
        answer = await client.post(f"/v1/stays/{stay}/leave", json={"reason": "to_child_welfare"})
        assert answer.status_code == 200, answer.text
        assert (await client.get(f"/v1/stays/{stay}")).status_code == 404, (
            "a child's file is not the station's"
        )

    async def there() -> bool:
        return bool(await sent(cases, "R5"))

    await eventually(there)
    (handed,) = await sent(cases, "R5")
    assert (handed.to, handed.urgency, handed.child) == ("minor-protection-centre", "critical", True)
