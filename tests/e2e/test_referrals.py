"""A referral at the desk, by those who hold it: more time, a return, an answer, two who answer at once."""

import asyncio
import re
from uuid import uuid4

import pytest
from playwright.async_api import Locator, expect

from tests.visitor import LIVE, RECEIPT, Visit, Visitor

pytestmark = pytest.mark.timeout(300)


async def asks_for_school_fees(visitors: Visit) -> str:
    """A grown-up asks for education aid at the window. Returns the receipt."""
    window = await visitors("window-1")
    form = {"key": uuid4().hex, "channel": "window", "need_education_cost": "on", "s0_age": "40"}
    answer = await window.posts("/console", form | {"place_division": "500112015"})
    found = RECEIPT.search(answer)
    assert found is not None, answer
    return found.group()


def line(visitor: Visitor, receipt: str) -> Locator:
    return visitor.page.locator("tr[id^='r-']", has_text=receipt)


async def same(visitor: Visitor, sent: Locator) -> Locator:
    """The row of another list for the same referral: its receiver sees no receipt."""
    await expect(sent).to_be_visible(timeout=LIVE)
    await visitor.goes("/work")
    return visitor.page.locator(f"#{await sent.get_attribute('id')}")


async def opens(visitor: Visitor, row: Locator, verb: str) -> Locator:
    """The dialog of a verb, from the row's button or from its details."""
    await expect(row).to_be_visible(timeout=LIVE)
    dialog = visitor.page.get_by_role("dialog")
    button = row.get_by_role("button", name=re.compile(f"^{verb}："))
    if await button.count() == 0:
        # Not the button of the same name that sends the form which this one fetches.
        fetching = visitor.page.locator("[hx-get]")
        button = dialog.get_by_role("button", name=verb, exact=True).and_(fetching)
        await row.get_by_role("button", name="详情：").click()
        async with asyncio.timeout(2 * LIVE / 1000):
            while not await _offered(dialog, button):
                await dialog.get_by_role("button", name="关闭").click()
                await expect(dialog).to_be_hidden()
                await row.get_by_role("button", name="详情：").click()
    await button.click()
    await expect(dialog.locator("button[type=submit]")).to_be_visible(timeout=LIVE)
    return dialog


async def _offered(dialog: Locator, button: Locator) -> bool:
    """Whether the details offer it: opened too early they show what was, and one looks again."""
    await expect(dialog.get_by_role("button", name="关闭")).to_be_visible()
    return bool(await button.count())


async def submits(dialog: Locator) -> None:
    await dialog.locator("button[type=submit]").click()
    await expect(dialog).to_be_hidden(timeout=LIVE)


async def test_more_time_is_asked_for_and_granted_and_the_answer_verified(visitors: Visit) -> None:
    receipt = await asks_for_school_fees(visitors)
    school, town = await visitors("education-1"), await visitors("caseworker-1")
    await town.goes("/work?tab=sent")
    sent = line(town, receipt)
    mine = await same(school, sent)
    await submits(await opens(school, mine, "签收"))
    dialog = await opens(school, mine, "延期")
    await school.looked("referral-extending")
    await dialog.locator("[name=reason]").select_option("waiting_for_others")
    await submits(dialog)
    await expect(sent).to_contain_text("申请延期", timeout=LIVE)
    await town.looked("referral-sent-by-us")
    dialog = await opens(town, sent, "同意延期")
    await town.looked("referral-approving")
    await submits(dialog)
    await expect(sent).to_contain_text("已延期", timeout=LIVE)

    dialog = await opens(school, mine, "反馈")
    await dialog.locator("[name=outcome]").select_option("helped")
    await dialog.locator("[name=feedback]").fill("已批准助学金。")
    await dialog.locator("button[type=submit]").click()
    await expect(dialog).to_contain_text("decision", timeout=LIVE)
    await school.looked("referral-answer-incomplete")
    await dialog.locator("[name=result_decision]").select_option("granted")
    await dialog.locator("[name=result_amount_fen]").fill("1500.50")
    await submits(dialog)
    await submits(await opens(town, sent, "核实"))
    dialog = await opens(town, sent, "办结")
    await submits(dialog)
    await expect(sent).to_have_count(0, timeout=LIVE)


async def test_the_second_of_two_answers_sees_what_happened(visitors: Visit) -> None:
    receipt = await asks_for_school_fees(visitors)
    first, second = await visitors("education-1"), await visitors("education-1")
    town = await visitors("caseworker-1")
    await town.goes("/work?tab=sent")
    rows = [await same(each, line(town, receipt)) for each in (first, second)]
    await submits(await opens(first, rows[0], "签收"))
    await second.goes("/work")
    dialogs = [await opens(each, row, "反馈") for each, row in zip((first, second), rows, strict=True)]
    for dialog, words in zip(dialogs, ("家长已自行缴清。", "学校已减免学费。"), strict=True):
        await dialog.locator("[name=outcome]").select_option("no_need")
        await dialog.locator("[name=feedback]").fill(words)
    await submits(dialogs[0])
    await dialogs[1].locator("button[type=submit]").click()
    await expect(dialogs[1]).to_contain_text("他人已先行办理", timeout=LIVE)
    await expect(dialogs[1]).to_contain_text("已反馈")
    await expect(dialogs[1].locator("button[type=submit]")).to_have_count(0)
    await second.looked("referral-overtaken")


async def test_what_was_returned_is_sent_on(visitors: Visit) -> None:
    receipt = await asks_for_school_fees(visitors)
    school, town = await visitors("education-1"), await visitors("caseworker-1")
    await town.goes("/work?tab=sent")
    sent = line(town, receipt)
    mine = await same(school, sent)
    dialog = await opens(school, mine, "退回")
    await dialog.locator("[name=reason]").select_option("not_our_matter")
    await school.looked("referral-returning")
    await submits(dialog)
    await expect(sent).to_contain_text("已退回", timeout=LIVE)
    dialog = await opens(town, sent, "转交")
    await dialog.locator("[name=to]").select_option("civil-affairs")
    await town.looked("referral-sending-on")
    await submits(dialog)
    await expect(sent).to_contain_text("民政", timeout=LIVE)
    await expect(sent).to_have_count(1)
    bureau = await visitors("district-1")
    await bureau.goes("/work")
    mine = line(bureau, receipt)
    await expect(mine).to_be_visible(timeout=LIVE)
    await mine.get_by_role("button", name="详情：").click()
    dialog = bureau.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("统筹部门已裁定")
    await expect(dialog.get_by_role("button", name="退回", exact=True)).to_have_count(0)
    await bureau.looked("referral-at-the-bureau")


async def test_a_limit_is_paused_on_its_chain_and_the_second_sees_what_happened(visitors: Visit) -> None:
    receipt = await asks_for_school_fees(visitors)
    first, second = await visitors("reviewer-1"), await visitors("reviewer-1")
    dialogs = []
    for each in (first, second):
        await each.goes(f"/chains?q={receipt}")
        pause = each.page.get_by_role("button", name=re.compile("^暂停：")).first
        await expect(pause).to_be_visible(timeout=LIVE)
        await each.looked("chain-to-pause")
        await pause.click()
        dialogs.append(each.page.get_by_role("dialog"))
        await expect(dialogs[-1].locator("button[type=submit]")).to_be_visible(timeout=LIVE)
    mine, theirs = dialogs
    await expect(mine).to_contain_text("沈立诚")
    await first.looked("clock-pausing")
    await mine.locator("[name=reason]").select_option("court")
    await mine.locator("[name=note]").fill("法院裁定未下")
    await mine.locator("[name=until]").fill("2020-01-01T09:00")
    await mine.locator("button[type=submit]").click()
    await expect(mine.locator("#fault-until")).to_contain_text("暂停的截止时间应晚于现在", timeout=LIVE)
    await expect(mine.locator("[name=note]")).to_have_value("法院裁定未下")
    await first.looked("clock-pausing-refused")
    await mine.locator("[name=until]").fill("")
    await submits(mine)
    await expect(first.page.locator("#chain")).to_contain_text("签收时限暂停：法院程序", timeout=LIVE)
    await first.looked("clock-paused")

    await theirs.locator("button[type=submit]").click()
    await expect(theirs).to_contain_text("他人已先行办理", timeout=LIVE)
    await expect(theirs).to_contain_text("沈立诚 批准")
    await second.looked("clock-overtaken")
    await theirs.get_by_role("button", name="恢复计时").click()
    await expect(theirs.locator("button[type=submit]")).to_be_visible(timeout=LIVE)
    await second.looked("clock-resuming")
    await submits(theirs)
    await expect(second.page.locator("#chain")).to_contain_text("签收时限恢复", timeout=LIVE)
    await second.page.get_by_role("button", name="English").click()
    await second.page.get_by_role("button", name=re.compile("^Pause: ")).first.click()
    await expect(theirs.locator("[name=until]")).to_be_visible(timeout=LIVE)
    await second.looked("clock-pausing-en")
