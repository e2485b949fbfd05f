"""Finance builds a list in a real browser, another person approves it, and the bank's file holds the sum."""

from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from playwright.async_api import expect

from onedoor.assistance.payments import accounts
from onedoor.calendar import local
from onedoor.contracts.core import Envelope
from onedoor.contracts.events.assistance import Determined
from onedoor.runtime.access import dev_token
from tests.harness import eventually
from tests.system import System
from tests.visitor import Visit

pytestmark = pytest.mark.timeout(300)

LEAD = """
insert into assistance.leads (id, case_id, programme, kind, state, found_at, seen_at, classification)
select gen_random_uuid(), id, 'orphan', 'not_enrolled', 'open', now(), now(), 'internal'
from assistance.cases where classification = 'internal' limit 1
"""


async def test_a_list_is_built_by_one_approved_by_another_and_taken_to_the_bank(
    visitors: Visit, system: System
) -> None:
    month = f"{local(datetime.now(UTC)):%Y-%m}"
    proceeding = await granted(system, month)
    finance, district = await visitors("finance-1"), await visitors("district-1")
    await finance.goes("/payments")
    await finance.looked("payments")
    await finance.page.get_by_role("button", name="编制", exact=True).click()
    await finance.page.wait_for_url("**/payments/*-*")
    await expect(finance.page.locator("main")).to_contain_text("须由他人审批")
    await finance.looked("payment-list-built")
    list_ = finance.page.url.removeprefix(finance.url)

    await district.goes(list_)
    district.page.once("dialog", lambda dialog: dialog.accept())
    await district.page.get_by_role("button", name="审批").click()
    await expect(district.page.get_by_role("heading", level=1)).to_contain_text("已审批")
    await district.looked("payment-list-approved")
    file = await district.page.request.get(f"{district.url}{list_}/bank.csv")
    assert f"白小满,6200000000001234,470.00,{month},dibao,{proceeding}" in await file.text()

    await finance.goes(f"/payments/accounts/{proceeding}")
    await expect(finance.page.locator("main")).to_contain_text("470.00")
    await finance.looked("payment-account")
    await finance.page.get_by_role("button", name="English").click()
    await finance.goes(list_)
    await finance.looked("payment-list-en")


async def granted(system: System, month: str) -> str:
    """A case of assistance with a bank account, and a decision on its account; the proceeding's id."""
    body = {
        "channel": "window",
        "place": {"division": "500112015"},
        "needs": ["income"],
        "subjects": [{"id": "s1", "age": 70}],
    }
    async with system.client("intake") as intake, system.client("assistance") as assistance:
        taken = (await intake.post("/v1/applications", json=body)).json()
        found: list[str] = []

        async def opened() -> bool:
            cases = (await assistance.get("/v1/cases?limit=200")).json()["items"]
            found[:] = [
                each["case_id"] for each in cases if each["application_id"] == taken["application_id"]
            ]
            return bool(found)

        await eventually(opened, 30, "assistance opens its case")
        payee = {
            "holder": "白小满",
            "bank": "invented bank",
            "account": "6200000000001234",
            "document": "copy",
        }
        asked = await assistance.put(f"/v1/cases/{found[0]}/payee", json=payee)
        confirmed = {"change_id": asked.json()["change_id"], "result": "confirmed"}
        another = {"Authorization": f"Bearer {dev_token(system.key, 'everything', person='another')}"}
        path = f"/v1/cases/{found[0]}/payee/settle"
        settled = await assistance.post(path, json=confirmed, headers=another)
        assert settled.status_code == 204, settled.text
    told = Determined.model_validate(
        {
            "service": "assistance",
            "case_id": found[0],
            "chain_id": taken["chain_id"],
            "application_id": taken["application_id"],
            "proceeding_id": uuid4(),
            "programme": "dibao",
            "state": "granted",
            "at": datetime.now(UTC),
            "decision_id": uuid4(),
            "kind": "grant",
            "reason": "conditions_met",
            "amount_fen": 47_000,
            "first_month": month,
            "rule_version": "1",
        }
    )
    event = Envelope(
        id=uuid4(),
        source="assistance",
        subject=told.case_id,
        time=told.at,
        key="",
        data=told,
        classification="internal",
    )
    conn = await asyncpg.connect(system.postgres)
    try:
        await conn.execute("set search_path = assistance")
        await accounts.record(conn, [event])
    finally:
        await conn.close()
    return str(told.proceeding_id)


async def test_a_list_of_another_office_is_compared_and_its_differences_are_settled(visitors: Visit) -> None:
    district = await visitors("district-1")
    page = district.page
    await district.goes("/registry")
    table = "姓名,出生日期\n杜若,1956-03-01\n".encode()
    await page.locator('[name="file"]').set_input_files(
        {"name": "list.csv", "mimeType": "text/csv", "buffer": table}
    )
    await page.get_by_role("button", name="比对", exact=True).click()
    task = page.get_by_role("row").filter(has_text="杜若")
    await expect(task).to_contain_text("对方有，本库无")
    await district.looked("registry")
    await task.get_by_role("button", name="已走访").click()
    await expect(task).to_have_count(0)
    await page.locator('[name="file"]').set_input_files(
        {"name": "list.csv", "mimeType": "text/csv", "buffer": b"\xff\xfe no table"}
    )
    await page.get_by_role("button", name="比对", exact=True).click()
    await expect(page.locator("#refused")).to_contain_text("rows")


async def test_the_rules_are_asked_about_every_household_and_a_lead_is_settled(
    visitors: Visit, system: System
) -> None:
    """A household that looks eligible and is not enrolled: 应保尽保."""
    await granted(system, f"{local(datetime.now(UTC)):%Y-%m}")
    conn = await asyncpg.connect(system.postgres)
    try:
        await conn.execute(LEAD)
    finally:
        await conn.close()
    district = await visitors("district-1")
    page = district.page
    await district.goes("/registry")
    row = page.get_by_role("row").filter(has_text="疑似应保未保").filter(has_text="孤儿")
    await expect(row).to_have_count(1)
    await district.looked("registry-leads")
    await row.get_by_role("button", name="无需救助").click()
    await expect(row).to_have_count(0)
    await page.get_by_role("button", name="对全部在册家庭按政策测算").click()
    await expect(page.locator("#asked")).to_contain_text("已测算")
    await page.get_by_role("link", name="查看线索").click()
    await expect(page.locator("#leads")).to_be_visible()
