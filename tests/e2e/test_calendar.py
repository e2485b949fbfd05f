"""The calendar in a real browser: why a date is that date, and what a new notice moves before one's eyes."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Locator, expect

from onedoor.calendar import moment
from onedoor.runtime import clock
from onedoor.runtime.clock import Adjustment
from tests.harness import eventually
from tests.notices import NOTICE_2027
from tests.system import System
from tests.visitor import LIVE, Visit, Visitor

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def at(system: System) -> AsyncIterator[System]:
    yield system
    await stands(system, await clock.reset(system.postgres))


async def stands(system: System, adjustment: Adjustment) -> None:
    """Every service works in this time, and notify has swept to it."""

    async def known() -> bool:
        told = []
        for name in ("intake", "notify", "desk"):
            async with system.client(name) as client:
                told.append((await client.get("/health/ready")).json())
        epochs = [each for one in told for each in (one["clock_epoch"], one.get("swept_epoch", 10**9))]
        return min(epochs) >= adjustment.epoch

    await eventually(known, 30, "the services stand in the new time")


async def asked_at(system: System, then: str) -> str:
    """Somebody looks for work at that moment: their chain, once its referral is sent."""
    await stands(system, await clock.set_to(system.postgres, moment(then)))
    async with system.client("intake") as intake, system.client("notify") as notify:
        body = {"channel": "window", "place": {"division": "500112015"}, "needs": ["job"]}
        taken = await intake.post("/v1/applications", json=body | {"subjects": [{"id": "s1", "age": 40}]})
        assert taken.status_code == 201, taken.text
        chain: str = taken.json()["chain_id"]

        async def sent() -> bool:
            page = (await notify.get("/v1/referrals?limit=200")).json()
            return any(referral["chain_id"] == chain for referral in page["items"])

        await eventually(sent, 30, "the referral is sent")
    return chain


async def why(visitor: Visitor, chain: str) -> str:
    """All the reasons of the chain's page, opened."""
    details = visitor.page.locator("main details:has(.why)")

    async def shown() -> bool:
        await visitor.goes(f"/chains/{chain}")
        return await details.count() == 2

    await eventually(shown, 30, "both clocks are on the page")
    return "\n".join([await _reasons(details.nth(index)) for index in range(2)])


async def _reasons(details: Locator) -> str:
    """What stands in it, opened; the page that is drawn anew meanwhile has it closed again."""
    told = ""

    async def read() -> bool:
        nonlocal told
        if await details.get_attribute("open") is None:
            await details.locator("summary").click()
        shown = await details.locator(".why li.due").is_visible()
        told = await details.inner_text()
        return shown and "届满" in told

    await eventually(read, 30, "the reasons are open")
    return told


@pytest.mark.parametrize(
    ("then", "said", "shot"),
    [
        (
            "2026-02-12T10:00",
            ("2月14日(六) 调休上班 第2日", "2月14日(六)24:00届满", "春节放假 不计", "2月28日(六) 调休上班"),
            "spring-festival",
        ),
        ("2026-09-17T10:00", ("9月20日(日) 调休上班 第2日", "9月20日(日)24:00届满"), "make-up-sunday"),
        (
            "2026-12-30T10:00",
            ("元旦法定节假日（当年放假通知未公布） 不计", "1月14日(四)24:00届满", "结果为暂定"),
            "years-end",
        ),
        ("2028-02-25T10:00", ("2月29日(二)24:00届满", "结果为暂定"), "leap-day"),
    ],
)
async def test_the_chains_page_says_which_days_counted(
    visitors: Visit, at: System, then: str, said: tuple[str, ...], shot: str
) -> None:
    visitor = await visitors("everything-1")
    told = await why(visitor, await asked_at(at, then))
    for words in said:
        assert words in told, told
    assert "依国务院办公厅关于2026年部分节假日安排的通知" in told or then.startswith("2028")
    await visitor.looked(f"why-{shot}")


async def test_a_notice_imported_at_the_desk_moves_an_open_deadline_on_the_open_page(
    visitors: Visit, at: System
) -> None:
    chain = await asked_at(at, "2027-02-01T10:00")
    handler = await visitors("everything-1")
    assert "2月17日(三)24:00届满" in await why(handler, chain)
    await expect(handler.page.locator("main")).to_contain_text("暂定", timeout=LIVE)

    admin = await visitors("admin-1")
    await admin.goes("/calendar")
    years = admin.page.get_by_role("region", name="现行放假通知")
    await expect(years).to_contain_text("通知未公布：时限为暂定")
    await admin.looked("calendar")
    text = admin.page.get_by_label("或粘贴内容")
    await text.fill(NOTICE_2027.replace('"2027-06-09"', '"2027-02-30"'))
    await admin.page.get_by_role("button", name="导入").click()
    await expect(admin.page.get_by_role("alert")).to_contain_text("holidays[4].days_off", timeout=LIVE)
    await expect(admin.page.get_by_role("alert")).to_contain_text("不是有效日期")
    await expect(years).not_to_contain_text("测试〔2026〕1号")

    await admin.page.get_by_label("或粘贴内容").fill(NOTICE_2027)
    await admin.page.get_by_role("button", name="导入").click()
    await expect(admin.page.get_by_role("status").first).to_contain_text(
        "2027年放假通知即日生效", timeout=LIVE
    )
    await expect(years).to_contain_text("测试〔2026〕1号", timeout=LIVE)
    await admin.looked("calendar-imported")

    stories = handler.page.locator("[data-type='clock.recomputed']")
    await expect(stories.filter(has_text="2月20日")).to_have_count(1, timeout=LIVE)
    told = await why(handler, chain)
    assert "由2027-02-17改为2027-02-20" in told
    assert "2月20日(六) 调休上班 第10日" in told
    await handler.looked("why-recomputed")
