"""The registry on a real database: tiers follow decisions on any day, differences become tasks."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from onedoor.assistance.app import SERVICE
from onedoor.assistance.domain import DECIDER
from onedoor.assistance.registry.terms import state_terms
from onedoor.assistance.registry.tiers import packaged
from onedoor.contracts.core import SYSTEM, Context, derived_id
from onedoor.contracts.events.assistance import JurisdictionChanged, ProceedingEnded
from onedoor.runtime.unit import Decided
from tests.assistance import HERE, JUNE, THERE, Assistance, assistance
from tests.proceedings import Walk
from tests.servers import Servers

MIGRATED = (SERVICE,)
BORN = date(1956, 3, 1)


@pytest.fixture
async def service(servers: Servers, database: str, tmp_path: Path) -> AsyncIterator[Assistance]:
    async with assistance(servers, database, tmp_path / "dev.key") as service:
        yield service


async def tiers(service: Assistance, day: str = "") -> dict[str, str]:
    path = "/v1/registry?limit=200" + (f"&day={day}" if day else "")
    return {row["case_id"]: row["tier"] for row in (await service.ask("GET", path)).json()["items"]}


async def test_a_household_stands_in_the_first_tier_that_fits_on_every_day(service: Assistance) -> None:
    case = await service.case("one")
    await service.determined(case, "grant", "dibao_edge")
    service.clock.at = JUNE + timedelta(days=30)
    await service.determined(case, "grant", "dibao")
    service.clock.at = JUNE + timedelta(days=60)
    await service.determined(case, "taper", "dibao")
    assert await tiers(service) == {str(case): "dibao"}
    (row,) = (await service.ask("GET", "/v1/registry")).json()["items"]
    assert (row["programmes"], row["taper"], row["since"]) == (["dibao", "dibao_edge"], True, "2026-06-20")
    service.clock.at = JUNE + timedelta(days=90)
    await service.determined(case, "stop", "dibao")
    await service.told(
        ProceedingEnded(**service.of(case, "dibao_edge") | {"state": "ended"}, reason="withdrawn")
    )
    assert await tiers(service) == {str(case): "other"}, "it is watched for a year"
    assert await tiers(service, "2026-06-19") == {}
    assert await tiers(service, "2026-06-20") == {str(case): "edge"}
    assert await tiers(service, "2026-08-30") == {str(case): "dibao"}
    assert await tiers(service, "2027-09-19") == {}


async def test_granted_again_on_the_day_it_ended(service: Assistance) -> None:
    case = await service.case("again")
    for kind in ("grant", "stop", "grant", "adjust"):
        await service.determined(case, kind)
    assert await tiers(service) == {str(case): "dibao"}


async def test_each_sees_the_own_division_and_leaders_only_numbers(service: Assistance) -> None:
    for n in range(6):
        await service.determined(await service.case(f"here {n}"))
    moved = await service.case("moves", division=HERE)
    await service.determined(moved)
    await service.told(JurisdictionChanged(**service.of(moved), to_division=THERE))
    await service.app.writer.execute("update cases set division = $2 where id = $1", moved, THERE)
    asked = [
        await service.ask("GET", "/v1/registry?limit=200", role="caseworker", division=each)
        for each in (HERE, THERE)
    ]
    assert [len(answer.json()["items"]) for answer in asked] == [6, 1]
    counted = (await service.ask("GET", "/v1/registry/counts", role="leader")).json()
    assert {(row["division"], row["households"]) for row in counted} == {(HERE, 6), (THERE, None)}
    assert (await service.ask("GET", "/v1/registry", role="leader")).status_code == 403
    page = (await service.ask("GET", "/v1/registry?limit=4")).json()
    rest = (await service.ask("GET", f"/v1/registry?limit=4&after={page['next']}")).json()
    assert len({row["case_id"] for row in (*page["items"], *rest["items"])}) == 7


def listed(*rows: tuple[str, date | None], month: str = "2026-06") -> dict[str, Any]:
    people = [{"name": name, "birth": birth and birth.isoformat()} for name, birth in rows]
    return {"source": "agriculture", "month": month, "rows": people}


async def open_tasks(service: Assistance) -> dict[str, str]:
    tasks = (await service.ask("GET", "/v1/registry/differences?limit=200")).json()["items"]
    return {task["name"]: task["kind"] for task in tasks}


async def test_what_differs_from_another_offices_list_is_a_task_once(service: Assistance) -> None:
    """On both, on theirs only, on ours only, and one whose birth they did not write."""
    both, ours, unsure = [await service.person(name, BORN) for name in ("石青山", "柳春晓", "贺知秋")]
    await service.determined(await service.case("three", (both, ours, unsure)))
    their = listed(("石青山", BORN), ("杜若", BORN), ("贺知秋", None))
    told = await service.ask("POST", "/v1/registry/lists", their)
    assert told.status_code == 201
    expected = {"杜若": "missing_here", "柳春晓": "missing_there", "贺知秋": "doubtful"}
    assert await open_tasks(service) == expected
    their["rows"].reverse()
    again = await service.ask("POST", "/v1/registry/lists", their)
    assert (again.status_code, again.json()["fresh"]) == (200, False)
    await service.ask("POST", "/v1/registry/lists", their | {"month": "2026-07"})
    assert await open_tasks(service) == expected, "what is open is not asked twice"


async def tasks_of(service: Assistance, *rows: tuple[str, date | None], month: str = "2026-06") -> list[str]:
    """The kinds of all open tasks after this list came."""
    assert (await service.ask("POST", "/v1/registry/lists", listed(*rows, month=month))).status_code == 201
    tasks = (await service.ask("GET", "/v1/registry/differences?limit=200")).json()["items"]
    return sorted(task["kind"] for task in tasks)


async def test_whose_list_is_owed_this_month_is_told(service: Assistance) -> None:
    """Agriculture's each month, the medical insurance's each quarter, the federation's each half-year."""

    async def due() -> dict[str, tuple[str | None, bool]]:
        told = (await service.ask("GET", "/v1/registry/lists", role="caseworker", division=HERE)).json()
        return {each["source"]: (each["last"], each["due"]) for each in told}

    assert set((await due()).values()) == {(None, True)}
    for source in ("agriculture", "medical-insurance"):
        await service.ask("POST", "/v1/registry/lists", listed(("杜若", BORN)) | {"source": source})
    assert await due() == {
        "agriculture": ("2026-06", False),
        "medical-insurance": ("2026-06", False),
        "disabled-federation": (None, True),
    }
    service.clock.at = JUNE + timedelta(days=30)
    assert (await due())["agriculture"] == ("2026-06", True)
    assert (await due())["medical-insurance"] == ("2026-06", False)


async def test_namesakes_are_counted_and_none_is_lost(service: Assistance) -> None:
    """Of one name and birth: two here and one there, then as many, then more there; and undated ones."""
    for name in ("first", "second"):
        person = await service.person("石青山", BORN)
        await service.determined(await service.case(name, (person,)))
    one = ("石青山", BORN)
    assert await tasks_of(service, one) == ["doubtful"], "which of the two they have, a person has to see"
    await service.app.writer.execute("delete from differences")
    assert await tasks_of(service, one, one, month="2026-07") == []
    assert await tasks_of(service, one, one, one, month="2026-08") == ["missing_here"]
    assert await tasks_of(service, *[one] * 4, month="2026-09") == ["missing_here"] * 2
    await service.app.writer.execute("delete from differences")
    undated = ("石青山", None)
    assert await tasks_of(service, *[undated] * 3, month="2026-10") == ["doubtful"] * 2 + ["missing_here"]


async def test_a_person_of_a_tier_whose_name_is_not_known_here_is_a_task(service: Assistance) -> None:
    nameless = uuid4()
    await service.determined(await service.case("nameless", (nameless,)))
    await service.ask("POST", "/v1/registry/lists", listed(("杜若", BORN)))
    tasks = (await service.ask("GET", "/v1/registry/differences")).json()["items"]
    found = {(task["kind"], task["person_id"], task["name"]) for task in tasks}
    assert found == {("missing_here", None, "杜若"), ("doubtful", str(nameless), "")}


async def test_who_does_not_count_is_known_and_looked_for_on_no_list(service: Assistance) -> None:
    """The dead and the uncounted of a household: no task, on their list or not."""
    alive, dead, grown, listed_dead = [
        await service.person(name, BORN) for name in ("石青山", "柳春晓", "贺知秋", "杜若")
    ]
    case = await service.case("four", (alive, dead, grown, listed_dead))
    gone = json.dumps([str(each) for each in (dead, grown, listed_dead)])
    await service.app.writer.execute(
        "update cases set body = jsonb_set(body, '{household,uncounted}', $2::jsonb) where id = $1",
        case,
        gone,
    )
    await service.determined(case)
    assert await tasks_of(service, ("石青山", BORN), ("杜若", BORN)) == []
    assert await tasks_of(service, ("杜若", BORN), month="2026-07") == ["missing_there"]
    assert await open_tasks(service) == {"石青山": "missing_there"}


async def test_of_a_personal_programme_only_its_person_stands_in_the_tier(service: Assistance) -> None:
    old, other = [await service.person(name, BORN) for name in ("石青山", "柳春晓")]
    await service.determined(await service.case("tekun", (old, other)), programme="tekun", person_id=old)
    assert await tasks_of(service, ("杜若", BORN)) == ["missing_here", "missing_there"]
    assert await open_tasks(service) == {"杜若": "missing_here", "石青山": "missing_there"}


async def test_help_of_limited_term_ends_in_the_registry_on_its_last_day(service: Assistance) -> None:
    """Whether or not somebody has recorded it: rigid expenditure, twelve months."""
    case = await on_file(service, "石青山")
    until = datetime(2027, 6, 20, 16, tzinfo=UTC)
    await service.determined(case, "grant", "rigid_expenditure", amount_fen=0, valid_until=until)
    assert await tiers(service, "2027-06-20") == {str(case): "rigid"}
    assert await tiers(service, "2027-06-21") == {str(case): "other"}, "it is watched for a year"
    service.clock.at = until + timedelta(days=1)
    await service.determined(case, "stop", "rigid_expenditure", amount_fen=0)
    assert await tiers(service, "2027-06-21") == {str(case): "other"}
    assert await tiers(service, "2027-06-20") == {str(case): "rigid"}


async def test_grants_of_before_the_term_are_given_it_from_the_day_of_the_grant(service: Assistance) -> None:
    """A year old by now: the registry ends it on its last day, and the clock of its end is told of it."""
    walk = Walk("rigid_expenditure").to("granted")
    granted_at = walk.now
    walk.forget_terms()
    unit, told = service.app.unit, Decided(walk.id, walk.events, walk.case, Context(SYSTEM, granted_at))
    async with unit.transaction() as tx:
        await unit.record(tx.conn, DECIDER, {walk.id: 0}, [told])
    assert await tiers(service, "2027-06-20") == {str(walk.id): "rigid"}, "it never ended"

    service.clock.at = granted_at + timedelta(days=500)
    assert await state_terms(unit) == 1
    assert await tiers(service, "2027-03-11") == {str(walk.id): "rigid"}
    assert await tiers(service, "2027-03-12") == {str(walk.id): "other"}
    stated = "select payload ->> 'granted_at' from events where type = 'case.term_stated'"
    assert datetime.fromisoformat(await service.app.writer.fetchval(stated)) == granted_at
    assert await state_terms(unit) == 0


@pytest.mark.parametrize(
    "hide", ["sealed = true, worker = 'colleague'", "classification = 'child'"], ids=["relative", "child"]
)
async def test_the_registry_shows_of_a_case_what_its_list_shows(service: Assistance, hide: str) -> None:
    """A case that is sealed or narrowed after its rows were written takes them along; sums count it."""
    person = await service.person("柳春晓", BORN)
    case = await service.case("hidden", (person,))
    await service.determined(case)
    for n in range(4):
        await service.determined(await service.case(f"open {n}"))
    await on_file(service, "贺知秋")
    await service.app.writer.execute(
        "insert into households (case_id, digest, file, changed_at, classification)"
        " select $1, digest, file, changed_at, classification from households",
        case,
    )
    await service.ask("POST", "/v1/registry/lists", listed(("杜若", BORN)))
    await service.ask("POST", "/v1/registry/leads")

    async def seen() -> list[int]:
        paths = ("", "/differences?kind=missing_there", "/leads?kind=no_longer", "/leads?kind=not_enrolled")
        answers = [
            await service.ask("GET", f"/v1/registry{path}", role="caseworker", division=HERE)
            for path in paths
        ]
        return [len(answer.json()["items"]) for answer in answers]

    before = await seen()
    theirs = "/v1/registry/differences?kind=missing_here"
    assert not (await service.ask("GET", theirs, role="caseworker", division=HERE)).json()["items"]
    await service.app.writer.execute(f"update cases set {hide} where id = $1", case)
    assert (await seen())[:2] == [before[0] - 1, before[1] - 1] == [4, 0]
    counted = (await service.ask("GET", "/v1/registry/counts", role="leader")).json()
    assert [(row["tier"], row["households"]) for row in counted] == [("dibao", 5)]


async def test_a_task_is_settled_once_and_asked_again_if_it_still_differs_later(service: Assistance) -> None:
    await service.ask("POST", "/v1/registry/lists", listed(("杜若", BORN)))
    (task,) = (await service.ask("GET", "/v1/registry/differences")).json()["items"]
    path = f"/v1/registry/differences/{task['id']}/settle"
    assert (await service.ask("POST", path, {"result": "visited"})).json()["state"] == "settled"
    assert (await service.ask("POST", path, {"result": "applied"})).json()["code"] == "registry.settled"
    assert await open_tasks(service) == {}
    await service.ask("POST", "/v1/registry/lists", listed(("杜若", BORN), month="2026-07"))
    assert await open_tasks(service) == {"杜若": "missing_here"}


async def on_file(service: Assistance, name: str, wages: int = 0, **more: Any) -> UUID:
    """A household of one with that monthly income, entered in its case's file."""
    person = await service.person(name, BORN)
    case = await service.case(name, (person,))
    head = {"id": "m1", "person": str(person), "relation": "head", "birth": "1956-03-01"}
    incomes = [{"kind": "wages", "amount": wages, "per": "month"}] if wages else []
    file = {
        "as_of": "2026-06-01",
        "region": "urban",
        "registered_division": "500112015",
        "members": [head | {"incomes": incomes}],
    } | more
    await service.app.writer.execute(
        "insert into households (case_id, digest, file, changed_at, classification)"
        " values ($1, 'x', $2, $3, 'internal')",
        case,
        json.dumps(file),
        JUNE,
    )
    return case


async def reviewed(service: Assistance, limit: int = 200) -> set[tuple[str, str, str]]:
    """All pages of the review, then the open leads: case, programme, kind."""
    after = ""
    while True:
        page = await service.ask("POST", f"/v1/registry/leads?limit={limit}{after}")
        assert page.status_code == 200, page.text
        if page.json()["next"] is None:
            break
        after = f"&after={page.json()['next']}"
    items = (await service.ask("GET", "/v1/registry/leads?limit=200")).json()["items"]
    return {(item["case_id"], item["programme"], item["kind"]) for item in items}


async def test_who_looks_eligible_or_no_longer_fits_is_a_lead_until_it_is_not_so(service: Assistance) -> None:
    poor, rich, fits = [
        await on_file(service, name, wages)
        for name, wages in (("柳春晓", 0), ("石青山", 9_000), ("贺知秋", 0))
    ]
    await service.determined(rich)
    await service.determined(fits)
    expected = {(str(poor), "dibao", "not_enrolled"), (str(rich), "dibao", "no_longer")}
    assert await reviewed(service) == expected
    service.clock.at = JUNE + timedelta(days=30)
    assert await reviewed(service, limit=1) == expected, "page by page, and nothing twice"
    await service.determined(poor)
    assert await reviewed(service) == {(str(rich), "dibao", "no_longer")}
    (lead,) = (await service.ask("GET", "/v1/registry/leads")).json()["items"]
    path = f"/v1/registry/leads/{lead['id']}/settle"
    assert (await service.ask("POST", path, {"result": "reviewed"})).json()["result"] == "reviewed"
    assert (await service.ask("POST", path, {"result": "reviewed"})).json()["code"] == "registry.settled"
    assert await reviewed(service) == set(), "what somebody settled is not asked again the same month"
    changed = "update households set changed_at = $2 where case_id = $1"
    await service.app.writer.execute(changed, rich, service.clock.at + timedelta(days=1))
    service.clock.at += timedelta(days=2)
    assert await reviewed(service) == {(str(rich), "dibao", "no_longer")}, "but at once when the file changes"
    (lead,) = (await service.ask("GET", "/v1/registry/leads")).json()["items"]
    await service.ask("POST", f"/v1/registry/leads/{lead['id']}/settle", {"result": "reviewed"})
    assert await reviewed(service) == set()
    service.clock.at += timedelta(days=30)
    assert await reviewed(service) == {(str(rich), "dibao", "no_longer")}


async def test_a_household_that_left_is_not_told_to_the_other_office(service: Assistance) -> None:
    """And no other household's tier in its place."""
    names = sorted(("one", "two"), key=lambda name: derived_id("test-case", name))
    person = await service.person("柳春晓", BORN)
    case, after = await service.case(names[0], (person,)), await service.case(names[1])
    await service.determined(case)
    await service.determined(after, "grant", "tekun")
    await service.ask("POST", "/v1/registry/lists", listed(("杜若", BORN)))
    tasks = (await service.ask("GET", "/v1/registry/differences?kind=missing_there")).json()["items"]
    await service.determined(case, "stop")
    service.clock.at = JUNE + timedelta(days=400)
    (task,) = [task for task in tasks if task["name"] == "柳春晓"]
    answered = await service.ask("POST", f"/v1/registry/differences/{task['id']}/refer")
    assert answered.json()["code"] == "registry.left"


async def test_other_figures_are_tried_on_the_households_on_file(service: Assistance) -> None:
    """Six poor people would each get 43 yuan more; a file that nobody can read is counted apart."""
    for n in range(6):
        await on_file(service, f"poor {n}")
    await on_file(service, "unreadable", region="lunar")
    body = {"on": "2026-09-01", "changes": {"dibao_standard.urban": 800}}
    told = (await service.ask("POST", "/v1/registry/simulations", body, role="leader")).json()
    assert (told["households"], told["unread"]) == (6, 1)
    (dibao,) = [row for row in told["programmes"] if row["programme"] == "dibao"]
    assert dibao["after_fen"] == 6 * 80_000
    assert dibao["after_fen"] > dibao["before_fen"] > 0
    wrong = await service.ask("POST", "/v1/registry/simulations", body | {"changes": {"moon": 1}})
    assert wrong.status_code == 422
    assert "dibao_standard.urban" in wrong.json()["errors"][0]["allowed"]
    assert (await service.ask("POST", "/v1/registry/simulations", body, role="caseworker")).status_code == 403


async def test_a_household_that_moved_away_or_applied_anew_is_asked_about_once(service: Assistance) -> None:
    """Not by the file of a case handed elsewhere, nor of an ended one whose people have a newer one."""
    away, ended, anew, alone = [await on_file(service, name) for name in ("away", "ended", "anew", "alone")]
    for case, state in ((away, "transferred"), (ended, "closed"), (alone, "closed")):
        await service.app.writer.execute("update cases set state = $2 where id = $1", case, state)
    person = uuid4()
    for case in (ended, anew):
        await service.app.writer.execute("insert into household_members values ($1, $2)", case, person)
    assert {case for case, _, _ in await reviewed(service)} == {str(anew), str(alone)}
    body = {"on": "2026-09-01", "changes": {"dibao_standard.urban": 800}}
    told = (await service.ask("POST", "/v1/registry/simulations", body, role="leader")).json()
    assert told["households"] == 2


async def test_a_file_that_the_rules_cannot_read_is_named_and_holds_up_no_other(service: Assistance) -> None:
    broken = await on_file(service, "杜若", region="lunar")
    fine = await on_file(service, "柳春晓")
    page = (await service.ask("POST", "/v1/registry/leads")).json()
    assert page["broken"] == [str(broken)]
    assert (await reviewed(service)) == {(str(fine), "dibao", "not_enrolled")}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (listed(("杜若", BORN)) | {"source": "neighbours"}, "source"),
        (listed(("杜若", BORN), month="2026-00"), "month"),
        (listed(), "rows"),
        (listed(("", BORN)), "name"),
        (
            {"source": "agriculture", "month": "2026-06", "rows": [{"name": "杜若", "birth": "1956-02-30"}]},
            "birth",
        ),
    ],
)
async def test_a_list_that_cannot_be_compared_gets_a_clear_answer(
    service: Assistance, body: dict[str, Any], field: str
) -> None:
    answered = await service.ask("POST", "/v1/registry/lists", body)
    assert answered.status_code == 422
    assert field in answered.json()["errors"][0]["field"]
    assert await service.app.writer.fetchval("select count(*) from lists") == 0


def test_every_tier_and_list_says_how_sure_it_is() -> None:
    registry = packaged()
    assert {row.tier for row in registry.tiers} >= {"tekun", "dibao", "edge", "rigid", "other"}
    assert all(row.source for row in registry.tiers)
    assert registry.tier_of({"dibao", "tekun"}) == "tekun"
    assert registry.tier_of(set(), {"dibao"}) == "other"
    assert registry.tier_of(set()) is None
