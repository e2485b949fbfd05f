"""Aid first, asked for twice: two applications of the same people, without a household's file."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from onedoor.assistance.app import SERVICE
from onedoor.assistance.domain.approval import packaged
from onedoor.contracts.case import OpenCase
from onedoor.contracts.core import Actor, derived_id
from onedoor.contracts.work import case_id
from tests.assistance import HERE, THERE, Assistance, assistance
from tests.servers import Servers

MIGRATED = (SERVICE,)
PERSON = derived_id("test-person", "in need")
PAYS = {"amount_fen": 50_000, "reason": "急需"}


@pytest.fixture
async def service(servers: Servers, database: str, tmp_path: Path) -> AsyncIterator[Assistance]:
    async with assistance(servers, database, tmp_path / "dev.key") as service:
        yield service


class Urgent:
    """A case of that person whose urgency is confirmed."""

    def __init__(self, service: Assistance, name: str, division: str = HERE) -> None:
        application = derived_id("test-application", name)
        self.service, self.application, self.division = service, application, division
        self.id, self.proceeding = case_id(application, "assistance"), ""

    async def opened(self, person: UUID = PERSON) -> "Urgent":
        command = OpenCase(
            target=self.id,
            application_id=self.application,
            chain_id=self.application,
            urgency="critical",
            division=self.division,
            programmes=("temporary_small",),
            subjects=(person,),
        )
        async with self.service.app.unit.transaction() as tx:
            await tx.execute(command, actor=Actor(person="stream", role="system"))
        path = f"/v1/cases/{self.id}/proceedings"
        assert (await self.service.ask("POST", path, {"programme": "temporary_small"})).status_code == 201
        (view,) = (await self.service.ask("GET", path)).json()["items"]
        self.proceeding = view["proceeding_id"]
        assert (await self.step("confirm-urgency", "worker", statement="失火")).status_code == 200
        return self

    async def step(self, name: str, person: str = "rev-1", **said: Any) -> httpx.Response:
        path = f"/v1/cases/{self.id}/proceedings/{self.proceeding}/{name}"
        return await self.service.ask("POST", path, said, "reviewer", person, self.division)


async def test_the_same_people_are_not_helped_twice_at_once(service: Assistance) -> None:
    cases = [await Urgent(service, name).opened() for name in ("first", "second")]
    answers = await asyncio.gather(*(each.step("pay-first", **PAYS) for each in cases))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    paid, refused = (cases, cases[::-1])[answers[0].status_code != 200]
    (no,) = [answer.json() for answer in answers if answer.status_code == 409]
    assert no["code"] == "aid.given_elsewhere"
    assert str(paid.id) in no["detail"]
    assert str(paid.id) in no["detail_zh"]
    sides = {"participants": ["a", "b", "c"], "statement": "另一起急难"}
    await refused.step("discuss", result="support", **sides)
    assert (await refused.step("pay-first", **PAYS)).status_code == 200


async def test_who_may_not_see_the_other_case_is_not_told_which(service: Assistance) -> None:
    here = await Urgent(service, "here").opened()
    there = await Urgent(service, "there", THERE).opened()
    stranger = await Urgent(service, "stranger").opened(derived_id("test-person", "stranger"))
    assert (await here.step("pay-first", **PAYS)).status_code == 200
    refused = (await there.step("pay-first", **PAYS)).json()
    assert refused["code"] == "aid.given_elsewhere"
    assert str(here.id) not in str(refused)
    assert (await stranger.step("pay-first", **PAYS)).status_code == 200


async def test_a_later_emergency_is_another_one(service: Assistance, monkeypatch: pytest.MonkeyPatch) -> None:
    first, later = [await Urgent(service, name).opened() for name in ("first", "later")]
    assert (await first.step("pay-first", **PAYS)).status_code == 200
    days = packaged().again_after["temporary_small"].model_copy(update={"days": 0})
    rules = packaged().model_copy(update={"again_after": {"temporary_small": days}})
    monkeypatch.setattr("onedoor.assistance.domain.approval.packaged", lambda: rules)
    assert (await later.step("pay-first", **PAYS)).status_code == 200
