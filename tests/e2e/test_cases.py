"""Caseworker, reviewer, district and finance carry households through their programmes in a real browser."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import yaml
from playwright.async_api import Page, expect

from onedoor.calendar import local
from onedoor.runtime import clock
from tests.harness import eventually
from tests.system import System
from tests.visitor import Visit, Visitor

pytestmark = pytest.mark.timeout(300)

HERE = "500112015"


async def opened(system: System) -> tuple[str, str]:
    """An application with one person in their forties, and assistance's case of it: case and person."""
    body = {
        "channel": "window",
        "place": {"division": HERE},
        "needs": ["income"],
        "subjects": [{"id": "s1", "age": 40, "name": "文心兰"}],
    }
    async with system.client("intake") as intake, system.client("assistance") as assistance:
        taken = await intake.post("/v1/applications", json=body)
        assert taken.status_code == 201, taken.text
        chain = taken.json()["chain_id"]
        found: list[str] = []

        async def case_is_there() -> bool:
            items = (await assistance.get("/v1/cases", params={"limit": 200})).json()["items"]
            found[:] = [item["case_id"] for item in items if item["chain_id"] == chain]
            return bool(found)

        await eventually(case_is_there, what="assistance opens its case")
        head = (await assistance.get(f"/v1/cases/{found[0]}")).json()
    return found[0], head["subjects"][0]["person_id"]


def file_of(person: str, wages: float, head: dict[str, Any] | None = None, **more: Any) -> str:
    """The file of somebody who lives alone; head, more: what else it says of them and of the household."""
    alone = {
        "id": "m1",
        "relation": "head",
        "birth": "1986-02-01",
        "person": person,
        "incomes": [{"kind": "wages", "amount": wages, "per": "month"}] if wages else [],
    }
    household = {
        "as_of": "2026-01-05",
        "region": "urban",
        "registered_division": HERE,
        "members": [alone | (head or {})],
    }
    return yaml.safe_dump(household | more, sort_keys=False)


async def steps(visitor: Visitor, step: str, shot: str = "", **said: str) -> None:
    """Take a step through its dialog; texts are filled, codes chosen, `name_N` the N-th of several."""
    page = visitor.page
    await page.get_by_role("button", name=step, exact=True).first.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    if shot:
        await visitor.looked(shot)
    for name, words in said.items():
        await filled(dialog.page, name, words)
    await dialog.get_by_role("button", name=step, exact=True).click()
    await expect(dialog).to_be_hidden()


async def filled(page: Page, name: str, words: str) -> None:
    field, _, place = name.partition("__")
    control = (
        page.get_by_role("dialog").locator(f"[name='{field.replace('_of_', '.')}']").nth(int(place or 0))
    )
    if await control.evaluate("element => element.tagName") == "SELECT":
        await control.select_option(words)
    else:
        await control.fill(words)


async def filed(visitor: Visitor, case: str, text: str) -> None:
    """Give the household's file as text."""
    page = visitor.page
    await visitor.goes(f"/cases/{case}/household")
    await page.get_by_text("以文本填写").click()
    await page.locator("textarea[name='file']").fill(text)
    await page.locator(".as-text").get_by_role("button", name="登记", exact=True).click()


async def test_a_clerk_fills_the_household_in_and_is_told_at_the_field(
    visitors: Visit, system: System
) -> None:
    case, person = await opened(system)
    worker = await visitors("caseworker-1")
    await worker.goes(f"/cases/{case}")
    await worker.page.get_by_role("link", name="填写家庭情况").click()
    page = worker.page
    await expect(page.locator("[name='as_of']")).not_to_have_value("")
    await worker.looked("household-empty")
    await page.locator("[name='region']").select_option("urban")
    await page.locator("[name='registered_division']").fill(HERE)
    await page.locator("[name='members.0.person']").select_option(person)
    await page.locator("[name='members.0.birth']").fill("1986-02-01")
    await page.get_by_role("button", name="添加：收入").click()
    await page.locator("[name='members.0.incomes.0.kind']").select_option("wages")
    await page.locator("[name='members.0.incomes.0.amount']").fill("-200")
    await page.locator("[name='members.0.incomes.0.per']").select_option("month")
    await page.get_by_role("button", name="再加一人").click()
    await expect(page.locator("[name='members.0.birth']")).to_have_value("1986-02-01")
    await page.locator("[name='members.1.relation']").select_option("spouse")
    await page.locator("[name='members.1.name']").fill("某某")
    await page.locator("[name='members.1.birth']").fill("2023-05-06")
    await page.get_by_role("button", name="登记", exact=True).first.click()

    refused = page.locator("#refused")
    await expect(refused).to_contain_text("成员1（文心兰）的收入1的金额（元）：为负数；请填写零或正数")
    await expect(page.locator("[name='members.0.incomes.0.amount']")).to_be_focused()
    await worker.looked("household-negative")
    await page.locator("[name='members.0.incomes.0.amount']").fill("200")
    await page.get_by_role("button", name="登记", exact=True).first.click()
    await expect(refused).to_contain_text("成员2（某某）的出生日期：表明已婚者只有")
    await page.locator("[name='region']").focus()
    await refused.get_by_role("link", name="成员2（某某）的出生日期").click()
    await expect(page.locator("[name='members.1.birth']")).to_be_focused()
    await worker.looked("household-married-child")

    await page.get_by_role("button", name="存为草稿").first.click()
    await expect(refused).to_contain_text("已存为草稿")
    await worker.goes(f"/cases/{case}/household")
    await expect(refused).to_contain_text("成员2（配偶）的出生日期：表明已婚者只有")
    await expect(page.locator("[name='members.1.name']")).to_have_value("")
    await worker.looked("household-draft")
    await page.get_by_role("button", name="删除：成员2").click()
    await expect(page.locator("[name='members.1.birth']")).to_have_count(0)
    await page.get_by_role("button", name="登记", exact=True).first.click()
    await page.wait_for_url(f"**/cases/{case}")
    await expect(page.locator("main")).to_contain_text("按政策测算")
    await expect(page.locator("main")).to_contain_text("工资 200 元/月")
    await worker.looked("case-household")

    for wages, button in ((300, "登记"), (400, "存为草稿")):
        await worker.goes(f"/cases/{case}/household")
        async with system.client("assistance") as assistance:
            another = await assistance.put(f"/v1/cases/{case}/household", content=file_of(person, wages))
            assert another.status_code == 200, another.text
        await page.get_by_role("button", name=button, exact=True).first.click()
        await expect(refused).to_contain_text("内容已被他人更新")


async def answered_check(system: System) -> None:
    """The verification centre answers the one check that waits for it."""
    async with system.client("notify") as notify:
        found: list[str] = []

        async def sent() -> bool:
            items = (await notify.get("/v1/referrals", params={"limit": 200})).json()["items"]
            found[:] = [
                each["referral_id"] for each in items if each["rule"] == "R16" and each["state"] == "sent"
            ]
            return bool(found)

        await eventually(sent, what="the check is on the verification centre's list")
        for verb, said in (
            ("acknowledge", {}),
            ("answer", {"outcome": "helped", "feedback": "核对相符", "results": {"report": "consistent"}}),
        ):
            answer = await notify.post(f"/v1/referrals/{found[0]}/{verb}", json=said)
            assert answer.status_code == 200, answer.text


async def test_a_household_comes_to_dibao_by_the_buttons_of_its_workflow(
    visitors: Visit, system: System
) -> None:
    case, person = await opened(system)
    worker = await visitors("caseworker-1")
    await worker.goes("/cases")
    await worker.looked("cases")
    await worker.goes(f"/cases/{case}")
    await worker.page.locator("select[name='programme']").select_option("dibao")
    await worker.page.get_by_role("button", name="申请", exact=True).click()
    main = worker.page.locator("main")
    await expect(main).to_contain_text("已登记")

    await steps(worker, "受理")
    await steps(
        worker,
        "开始入户调查",
        "case-investigation",
        investigators_of_person="caseworker-1",
        investigators_of_person__1="village-1",
    )
    await expect(main).to_contain_text("调查核对中")
    await steps(worker, "登记调查结果", findings="as_stated", statement="与申报一致")

    await filed(worker, case, file_of(person, -1))
    await expect(worker.page.locator("#refused")).to_contain_text("incomes")
    await filed(worker, case, file_of(person, 200))
    await expect(main).to_contain_text("按政策测算")
    await worker.looked("case-assessed")

    await steps(worker, "发起经济状况核对")
    await expect(main).to_contain_text("自动发出")
    await worker.page.locator("#h-auth ~ form button").click()
    await expect(main).not_to_contain_text("自动发出")
    await answered_check(system)
    await eventually(lambda: offered(system, case, "give-opinion"), what="the answer came")
    await worker.goes(f"/cases/{case}")
    await steps(worker, "出具初审意见", recommendation="grant")
    await steps(worker, "公示")
    await expect(main).to_contain_text("文心兰 · 1 人 · 570.00 元")
    await expect(worker.page.get_by_role("button", name="公示期满并上报")).to_be_disabled()
    await worker.looked("case-notice")

    await clock.advance(system.postgres, timedelta(days=8))
    await eventually(lambda: offered(system, case, "end-notice"), what="the notice stood its time")
    await worker.goes(f"/cases/{case}")
    await steps(worker, "公示期满并上报")
    await expect(main).to_contain_text("待确认")

    district = await visitors("district-1")
    await district.goes(f"/cases/{case}")
    await steps(district, "确认批准", "case-confirm")
    decided = district.page.locator("article.decision")
    await expect(decided).to_contain_text("570.00")
    await expect(decided).to_contain_text("逐条理由")
    await district.looked("case-granted")
    file = await district.page.request.get(
        district.url + str(await decided.get_by_role("link", name="封存证据").get_attribute("href"))
    )
    assert (await file.json())["format"].startswith("onedoor.policy.evidence")
    await district.page.get_by_role("button", name="English").click()
    await district.goes(f"/cases/{case}")
    await expect(decided).to_contain_text("Reasons, clause by clause")
    await district.looked("case-granted-en")
    await district.page.get_by_role("button", name="中文").click()

    await worker.goes(f"/cases/{case}")
    await steps(worker, "开始复核", reason="report")
    today = f"{local(datetime.now(UTC)):%Y-%m-%d}"
    employed = file_of(
        person,
        900,
        as_of=today,
        enrolments=[{"programme": "dibao", "since": "2025-01-01"}],
        income_change="employment",
        review_decided_on=today,
    )
    await filed(worker, case, employed)
    await expect(worker.page.locator("main")).to_contain_text("渐退")
    await district.goes(f"/cases/{case}")
    await district.page.get_by_role("button", name="渐退", exact=True).click()
    dialog = district.page.get_by_role("dialog")
    for name, words in (("months", "3"), ("amount_fen", "600"), ("reason", "就业后渐退")):
        await dialog.locator(f"[name='{name}']").fill(words)
    await dialog.get_by_role("button", name="渐退", exact=True).click()
    await expect(dialog.get_by_role("alert")).to_contain_text("570.00")
    await district.looked("case-taper-refused")
    await dialog.locator("[name='amount_fen']").fill("300")
    await dialog.get_by_role("button", name="渐退", exact=True).click()
    await expect(dialog).to_be_hidden()
    await expect(district.page.locator("article.decision").first).to_contain_text("300.00")
    await worker.goes(f"/cases/{case}")
    await steps(worker, "开始复核", reason="report")
    await district.goes(f"/cases/{case}")
    await steps(district, "终止", reason="own_wish")
    await expect(district.page.locator("main")).to_contain_text("已终止")
    await district.looked("case-ended")


async def applied(visitor: Visitor, system: System, programme: str, file: dict[str, Any]) -> str:
    """A case with its household's file and an application for the programme, by the caseworker; its id."""
    case, person = await opened(system)
    page = visitor.page
    await filed(visitor, case, file_of(person, **file))
    await expect(page.locator("main")).to_contain_text("按政策测算")
    await page.locator("select[name='programme']").select_option(programme)
    if programme == "tekun":
        await page.locator("form select[name='person_id']").first.select_option(person)
    await page.get_by_role("button", name="申请", exact=True).click()
    await expect(page.locator("main")).to_contain_text("已登记")
    return case


@pytest.mark.parametrize(
    ("programme", "file", "amount"),
    [
        ("tekun", {"wages": 0, "head": {"birth": "1950-02-01", "supporters": []}}, "1,001.00"),
        ("rigid_expenditure", {"wages": 2000, "income_12mo": 24000, "rigid_costs_12mo": 20000}, None),
    ],
)
async def test_other_programmes_come_to_their_end_by_the_same_buttons(
    visitors: Visit, system: System, programme: str, file: dict[str, Any], amount: str | None
) -> None:
    worker = await visitors("caseworker-1")
    case = await applied(worker, system, programme, file)
    await steps(worker, "受理")
    await steps(
        worker,
        "开始入户调查",
        investigators_of_person="caseworker-1",
        investigators_of_person__1="village-1",
    )
    await steps(worker, "登记调查结果", findings="as_stated", statement="与申报一致")
    await worker.page.locator("#h-auth ~ form button").click()
    await expect(worker.page.locator("#h-auth")).to_have_count(0)
    await steps(worker, "发起经济状况核对")
    await answered_check(system)
    await eventually(lambda: offered(system, case, "give-opinion"), what="the answer came")
    await worker.goes(f"/cases/{case}")
    await steps(worker, "出具初审意见", recommendation="grant")
    await steps(worker, "公示")
    await clock.advance(system.postgres, timedelta(days=8))
    await eventually(lambda: offered(system, case, "end-notice"), what="the notice stood its time")
    await worker.goes(f"/cases/{case}")
    await steps(worker, "公示期满并上报")

    district = await visitors("district-1")
    await district.goes(f"/cases/{case}")
    await steps(district, "确认批准")
    if amount is not None:
        await expect(district.page.locator("article.decision")).to_contain_text(amount)
        await steps(district, "评定自理能力", failed_activities="4")
        await worker.goes(f"/cases/{case}")
        await steps(worker, "选择供养方式", care="home")
    await worker.goes(f"/cases/{case}")
    await steps(worker, "登记情况变化", change="died", on="2026-01-04")
    await district.goes(f"/cases/{case}")
    await steps(district, "终止", reason="died")
    await expect(district.page.locator("main")).to_contain_text("已终止")
    await district.looked(f"case-{programme}-ended")


async def test_small_aid_is_paid_at_once_signed_by_two_and_stands_in_the_banks_file(
    visitors: Visit, system: System
) -> None:
    worker = await visitors("caseworker-1")
    fire = {"kind": "fire", "at": "2026-01-04", "place_division": HERE, "basic_life_in_difficulty": True}
    case = await applied(worker, system, "temporary_small", {"wages": 200, "emergency": fire})
    await steps(worker, "确认急难情形", statement="昨夜失火")
    reviewer = await visitors("reviewer-1")
    await reviewer.goes(f"/cases/{case}")
    await steps(reviewer, "先行救助", amount_fen="600", reason="急需食宿")
    await expect(reviewer.page.get_by_role("button", name="补齐手续")).to_be_disabled()
    await worker.goes(f"/cases/{case}")
    await steps(worker, "补齐手续")
    await worker.page.get_by_role("link", name="账户").click()
    await worker.page.locator("summary").click()
    for name, words in (("holder", "文心兰"), ("bank", "某银行"), ("account", "6200000000005678"),
                        ("document", "银行卡复印件")):  # fmt: skip
        await worker.page.locator(f"input[name='{name}']").fill(words)
    await worker.page.get_by_role("button", name="登记", exact=True).click()
    await expect(worker.page.locator("#proposed")).to_contain_text("6200000000005678")
    await reviewer.goes(worker.page.url.removeprefix(worker.url))
    await reviewer.page.get_by_role("button", name="确认账户").click()
    await expect(reviewer.page.locator("#payee ~ p")).to_contain_text("6200000000005678")
    await worker.looked("case-account")

    finance, district = await visitors("finance-1"), await visitors("district-1")
    await finance.goes("/payments")
    await finance.page.locator("select[name='programme']").select_option("temporary_small")
    await finance.page.get_by_role("button", name="编制", exact=True).click()
    await finance.page.wait_for_url("**/payments/*-*")
    list_ = finance.page.url.removeprefix(finance.url)
    await district.goes(list_)
    district.page.once("dialog", lambda dialog: dialog.accept())
    await district.page.get_by_role("button", name="审批").click()
    await expect(district.page.get_by_role("heading", level=1)).to_contain_text("已审批")
    file = await district.page.request.get(f"{district.url}{list_}/bank.csv")
    assert "文心兰,6200000000005678,600.00," in await file.text()


async def offered(system: System, case: str | UUID, command: str) -> bool:
    """Whether assistance offers the step without anything standing against it."""
    async with system.client("assistance") as assistance:
        answer: httpx.Response = await assistance.get(f"/v1/cases/{case}/proceedings")
        return any(
            offer["command"] == command and "blocked" not in {k for k, v in offer.items() if v}
            for one in answer.json()["items"]
            for offer in one["offers"]
        )
