"""The desk's read model: whatever the order in which topics arrive, the same story, clocks and referrals."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from itertools import permutations

import pytest

from onedoor.contracts.core import Envelope, derived_id
from onedoor.contracts.events import intake, notify
from onedoor.contracts.plan import Plan, PlannedService
from onedoor.desk.app import SERVICE
from tests.desk import CHAIN, HERE, STORY, THERE, Desk, application, at, clock, envelopes, running_desk
from tests.servers import Servers


@pytest.fixture(scope="module")
async def desk(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with running_desk(servers, tmp_path_factory.mktemp("desk")) as running:
        yield running


def by_topic(events: Sequence[Envelope]) -> list[list[Envelope]]:
    """The events of each topic, in the order that Kafka keeps."""
    topics: dict[str, list[Envelope]] = {}
    for event in events:
        topics.setdefault(str(event.data.topic()), []).append(event)
    return list(topics.values())


async def test_any_order_of_topics_gives_the_same_rows(desk: Desk) -> None:
    await desk.clear()
    story = envelopes()
    await desk.absorb(*([event] for event in story))
    as_it_happened = await desk.read_model()
    topics = by_topic(story)
    assert len(topics) == 5
    for order in permutations(topics):
        await desk.clear()
        await desk.absorb(*order)
        assert await desk.read_model() == as_it_happened, [topic[0].data.topic() for topic in order]


async def test_one_batch_or_the_same_events_again_changes_nothing(desk: Desk) -> None:
    await desk.clear()
    story = envelopes()
    await desk.absorb(*([event] for event in story))
    one_by_one = await desk.read_model()
    await desk.absorb(story, story[5:], story[:9])
    assert await desk.read_model() == one_by_one
    await desk.clear()
    await desk.absorb(story)
    assert await desk.read_model() == one_by_one


async def test_what_says_nothing_new_writes_no_row_anew(desk: Desk) -> None:
    async def versions() -> list[str]:
        tables = ("chains", "applications", "timeline", "cases", "clocks")
        found = [await desk.conn.fetch(f"select xmin::text from {table} order by 1") for table in tables]
        assert all(found)
        return [row["xmin"] for rows in found for row in rows]

    await desk.clear()
    story = envelopes()
    await desk.absorb(story)
    written = await versions()
    await desk.absorb(story, story[5:])
    assert await versions() == written


async def test_the_chain_over_http_has_the_agreed_shape(desk: Desk) -> None:
    await desk.clear()
    await desk.absorb(envelopes())
    response = await desk.get(f"/v1/chains/{CHAIN}")
    assert response.status_code == 200, response.text
    chain = response.json()
    assert chain["chain_id"] == str(CHAIN)
    assert chain["receipt"] == "QZ-20260303-ABCDEF-7"
    timeline = chain["timeline"]
    assert [(entry["time"], entry["event_id"]) for entry in timeline] == sorted(
        (entry["time"], entry["event_id"]) for entry in timeline
    )
    assert len(timeline) == len(STORY)
    for entry in timeline:
        assert {"event_id", "type", "time", "service", "department", "summary"} <= entry.keys()
        assert any("一" <= letter <= "鿿" for letter in entry["summary"]), entry
    (of_child,) = chain["cases"]
    assert (of_child["service"], of_child["state"]) == ("child-welfare", "decided")
    assert {"case_id", "urgency"} <= of_child.keys()
    (sent,) = chain["referrals"]
    assert (sent["rule"], sent["from"], sent["to"]) == ("R1", "hotline-12345", "public-security")
    assert (sent["state"], sent["urgency"], sent["overdue"]) == ("answered", "critical", False)
    assert datetime.fromisoformat(sent["due_ack"]) == at(31)
    assert {"referral_id", "to_division", "due_action", "due_finish"} <= sent.keys()
    clocks = {entry["duty"]: entry for entry in chain["clocks"]}
    assert {duty: entry["state"] for duty, entry in clocks.items()} == {"ack": "met_late", "finish": "met"}
    assert {"clock_id", "subject", "owner", "due_at", "provisional"} <= clocks["ack"].keys()


async def test_who_may_not_see_a_chain_is_told_that_there_is_none(desk: Desk) -> None:
    await desk.clear()
    await desk.absorb(envelopes())
    nowhere = await desk.get(f"/v1/chains/{derived_id('no such chain')}")
    assert nowhere.status_code == 404
    hidden = await desk.get(f"/v1/chains/{CHAIN}", "child-worker", division=THERE)
    assert (hidden.status_code, hidden.json()) == (404, nowhere.json())
    assert (await desk.get(f"/v1/chains/{CHAIN}", "child-worker", division=HERE)).status_code == 200
    assert (await desk.get(f"/v1/chains/{CHAIN}", "department", department="health")).status_code == 403
    assert (await desk.get(f"/v1/chains/{CHAIN}", None)).status_code == 401
    assert (await desk.get("/v1/chains", None)).status_code == 401
    for path in ("/v1/chains?after=nonsense", "/v1/chains/nonsense"):
        assert (await desk.get(path)).status_code == 422, path


async def test_a_child_in_a_household_that_asks_for_income_makes_no_child_file(desk: Desk) -> None:
    await desk.clear()
    income = derived_id("desk-income")
    plan = Plan(services=(PlannedService(name="assistance", urgency="ordinary"),))
    await desk.absorb(envelopes([application(0), application(0, chain_id=income, plan=plan)]))
    for role, whose in (("caseworker", {"division": HERE}), ("district", {})):
        assert (await desk.get(f"/v1/chains/{income}", role, **whose)).status_code == 200, role
        assert (await desk.get(f"/v1/chains/{CHAIN}", role, **whose)).status_code == 404, role
    assert (await desk.get(f"/v1/chains/{income}", "caseworker", division=THERE)).status_code == 404


async def test_a_sealed_chain_is_in_no_list_but_child_protections(desk: Desk) -> None:
    await desk.clear()
    sealed = derived_id("desk-sealed")
    plain = application(0, chain_id=sealed, protection=True)
    await desk.absorb(envelopes([application(0), plain]))
    for role, whose in (("window", {"division": HERE}), ("district", {}), ("hotline", {})):
        listed = await desk.get("/v1/chains", role, **whose)
        assert str(sealed) not in listed.text, role
        assert (await desk.get(f"/v1/chains/{sealed}", role, **whose)).status_code == 404, role
    assert str(sealed) in (await desk.get("/v1/chains", "child-duty")).text


async def test_the_list_pages_through_all_chains_once(desk: Desk) -> None:
    await desk.clear()
    chains = [derived_id("listed", number) for number in range(7)]
    story = [
        application(0, chain_id=chain, received_at=at(number % 3)) for number, chain in enumerate(chains)
    ]
    await desk.absorb(envelopes(story))
    seen: list[str] = []
    path: str | None = "/v1/chains?limit=3"
    while path:
        page = (await desk.get(path)).json()
        seen += [item["chain_id"] for item in page["items"]]
        path = f"/v1/chains?limit=3&after={page['next']}" if page["next"] else None
    assert sorted(seen) == sorted(map(str, chains))


async def test_open_pages_are_told_which_chains_changed(desk: Desk) -> None:
    await desk.clear()
    told: asyncio.Queue[str] = asyncio.Queue()
    await desk.conn.add_listener("onedoor_desk_changed", lambda *args: told.put_nowait(str(args[3])))
    await desk.absorb(envelopes())
    assert await asyncio.wait_for(told.get(), 5) == str(CHAIN)
    assert told.empty()


async def test_no_name_reaches_the_read_model(desk: Desk) -> None:
    assert intake.PERSON not in SERVICE.reads
    await desk.clear()
    await desk.absorb(envelopes())
    text = json.dumps(await desk.read_model())
    assert "hotline-1" not in text.replace("hotline-12345", "")


async def test_a_referrals_limits_are_those_of_its_clocks_whatever_moved_them(desk: Desk) -> None:
    """A pause or an imported notice moves a clock; the lists order by where it stands then."""
    await desk.clear()
    notice = {"notice": "通知", "calendar": 1, "recomputed_at": at(90), "previously_provisional": True}
    times = {"previous_due_at": at(60), "due_at": at(4000), "warn_at": at(3000), "provisional": False}
    *story, moved = envelopes((*STORY, clock(90, "finish", notify.ClockRecomputed, **notice, **times)))
    for order in ((story, [moved]), ([moved], story)):
        await desk.clear()
        await desk.absorb(*order)
        (sent,) = (await desk.get(f"/v1/chains/{CHAIN}")).json()["referrals"]
        assert datetime.fromisoformat(sent["due_finish"]) == at(4000)
