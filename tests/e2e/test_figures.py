"""A leader reads the month in a real browser and takes its tables away, as files that open."""

import csv
from collections import Counter
from datetime import datetime, timedelta
from io import BytesIO, StringIO

import pytest
from docx import Document
from httpx import AsyncClient
from openpyxl import load_workbook
from playwright.async_api import expect

from onedoor.calendar import local
from onedoor.notify.domain.clock import last_moment
from onedoor.runtime import clock
from tests.harness import eventually
from tests.system import System
from tests.visitor import Visit, Visitor

pytestmark = pytest.mark.timeout(300)

ASKED = 12
"""People who look for work; half as many ask for school fees."""


async def test_a_leader_reads_the_month_and_takes_it_away(visitors: Visit, system: System) -> None:
    """Others' small groups hide the smallest that is large enough, not the largest: two are made here."""
    await clock.advance(system.postgres, timedelta(days=70))
    try:
        async with system.client("intake") as intake, system.client("notify") as notify:
            for need in ["job"] * ASKED + ["education_cost"] * (ASKED // 2):
                body = {"channel": "window", "place": {"division": "500112015"}, "needs": [need]}
                subjects = {"subjects": [{"id": "s1", "age": 40}]}
                taken = await intake.post("/v1/applications", json=body | subjects)
                assert taken.status_code == 201, taken.text

            async def handed_over() -> bool:
                page = (await notify.get("/v1/referrals?limit=200")).json()
                return sum(referral["rule"] == "R12" for referral in page["items"]) >= ASKED

            await eventually(handed_over, 30, "who looks for work is handed over")
            await clock.advance(system.postgres, timedelta(days=40))

            async def overdue() -> bool:
                page = (await notify.get("/v1/referrals?overdue=true&limit=200")).json()
                return sum(referral["rule"] == "R12" for referral in page["items"]) >= ASKED

            await eventually(overdue, 30, "nobody took them up")
            month = await month_of_acknowledgement(notify)
            await read_and_take_away(visitors, month)
            await look_behind(visitors, month)
    finally:
        await clock.reset(system.postgres)


async def month_of_acknowledgement(notify: AsyncClient) -> str:
    """The month in which most of them were to be taken up; other walks have left some in other months."""
    page = (await notify.get("/v1/referrals?limit=200")).json()
    due = [last_moment(datetime.fromisoformat(r["due_ack"])) for r in page["items"] if r["rule"] == "R12"]
    ((month, count),) = Counter(f"{local(moment):%Y-%m}" for moment in due).most_common(1)
    assert count >= ASKED
    return month


async def look_behind(visitors: Visit, month: str) -> None:
    """Who may see clocks goes from a figure to those that it counts."""
    worker = await visitors("everything-1")
    await worker.goes(f"/figures?month={month}")
    departments = worker.page.get_by_role("region", name="部门")
    await departments.get_by_role("link", name="人社部门").click()
    await expect(worker.page.get_by_role("table")).to_contain_text("超期未办")
    await worker.looked("figures-clocks")


async def read_and_take_away(visitors: Visit, month: str) -> None:
    leader = await visitors("leader-1")
    await expect(leader.page).to_have_url(f"{leader.url}/figures")
    await leader.goes(f"/figures?month={month}")
    departments = leader.page.get_by_role("region", name="部门")
    await expect(departments).to_contain_text("人社部门")
    await expect(leader.page.get_by_role("region", name="提请协调会研究")).to_contain_text("长期超期")
    await leader.looked("figures")
    assert await departments.get_by_role("link").filter(has_text="人社部门").count() == 0
    table = (await taken(leader, f"/figures/timeliness.csv?by=department&month={month}")).decode("utf-8-sig")
    rows = {row["部门"]: row for row in csv.DictReader(StringIO(table))}
    assert int(rows["人社部门"]["超期未办"]) >= ASKED
    book = load_workbook(BytesIO(await taken(leader, f"/figures/assessment.xlsx?month={month}")))
    assert "人社部门" in [row[0] for row in book.active.iter_rows(min_row=2, values_only=True)]
    for path in (f"/figures/assessment.docx?month={month}", "/figures/agenda.docx"):
        document = Document(BytesIO(await taken(leader, path)))
        assert document.tables
        assert document.paragraphs[0].text
    await leader.page.get_by_role("button", name="English").click()
    await leader.goes(f"/figures?month={month}")
    await leader.looked("figures-en")


async def taken(visitor: Visitor, path: str) -> bytes:
    answer = await visitor.page.request.get(visitor.url + path)
    assert answer.status == 200, path
    assert "attachment" in answer.headers["content-disposition"]
    return await answer.body()
