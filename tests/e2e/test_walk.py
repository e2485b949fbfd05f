"""The walk through real Chromium: a child alone is entered, handed over, answered, and falls overdue."""

from datetime import timedelta
from uuid import uuid4

import pytest
from playwright.async_api import expect

from onedoor.contracts.codec import Message
from onedoor.runtime import clock
from tests.harness import eventually, publish_raw
from tests.system import System
from tests.visitor import LIVE, RECEIPT, Visit, Visitor

pytestmark = pytest.mark.timeout(300)


async def enter_child_alone(operator: Visitor) -> str:
    """The operator's form, by keyboard where there is a key. Returns the id of the chain."""
    page = operator.page
    await operator.goes("/console")
    await operator.looked("console-empty")
    await page.keyboard.press("Alt+1")
    await expect(page.get_by_role("checkbox", name="独处")).to_be_checked()
    await page.locator('[name="s0_age"]').fill("9")
    await page.locator('[name="place_division"]').select_option("500112015")
    await page.locator('[name="facts_text"]').fill("九岁男孩一个人在家，敲门会应。")
    plan = page.locator("#plan")
    await expect(plan).to_contain_text("公安", timeout=LIVE)
    await expect(plan).to_contain_text("特急")
    await operator.looked("console-filled")
    await page.keyboard.press("Control+Enter")
    receipt = page.locator("#receipt")
    await expect(receipt).to_have_text(RECEIPT, timeout=LIVE)
    await expect(page.locator("#standing")).to_contain_text("公安", timeout=LIVE)
    await operator.looked("console-receipt")
    chain = await receipt.get_attribute("data-chain")
    assert chain is not None
    return chain


async def referral_to(system: System, chain: str, department: str) -> str:
    """The id of a chain's referral to a department; other walks may have sent it more."""
    async with system.client("desk") as desk:
        told = (await desk.get(f"/v1/chains/{chain}")).json()
    return next(each["referral_id"] for each in told["referrals"] if each["to"] == department)


async def test_a_child_alone_is_handed_over_and_answered_before_everybodys_eyes(
    visitors: Visit, system: System
) -> None:
    operator = await visitors("child-duty-1")
    chain = await enter_child_alone(operator)
    await operator.goes(f"/chains/{chain}")
    ours = operator.page.locator("main")
    await expect(ours).to_contain_text("公安", timeout=LIVE)
    await expect(ours).to_contain_text("儿童保护", timeout=LIVE)
    await operator.looked("chain-sent")

    police = await visitors("police-1")
    await police.goes("/work")
    handed_over = await referral_to(system, chain, "public-security")
    row = police.page.locator(f"#r-{handed_over}")
    await expect(row).to_be_visible(timeout=LIVE)
    await police.looked("work")
    await police.does(row, "签收", "work-acknowledging")
    await expect(ours.locator("[data-type='referral.acknowledged']")).to_be_visible(timeout=LIVE)
    await police.looked("work-acknowledged")

    await police.does(
        row,
        "反馈",
        "work-answering",
        result_child_seen="yes",
        result_measures="temporary_care",
        feedback="民警已到场，孩子安全，已联系姨妈接走。",
    )
    await expect(ours.locator("[data-type='referral.answered']")).to_be_visible(timeout=LIVE)
    await expect(row).to_have_count(0)
    await police.looked("work-answered")
    await operator.looked("chain-answered")


async def test_what_nobody_takes_up_falls_overdue_on_the_open_page(visitors: Visit, system: System) -> None:
    operator = await visitors("child-duty-1")
    chain = await enter_child_alone(operator)
    await operator.goes(f"/chains/{chain}")
    ours = operator.page.locator("main")
    await expect(ours).to_contain_text("公安", timeout=LIVE)
    await clock.advance(system.postgres, timedelta(minutes=45))
    try:
        breach = ours.locator("[data-type='clock.breached']").first
        await expect(breach).to_be_visible(timeout=LIVE)
        await expect(breach).to_contain_text("超")
        await operator.looked("chain-breached")
    finally:
        await clock.reset(system.postgres)


async def test_the_hotline_keeps_an_eye_on_what_it_took_down(visitors: Visit) -> None:
    hotline = await visitors("hotline-1")
    chain = await enter_child_alone(hotline)
    await hotline.goes(f"/chains/{chain}")
    await hotline.looked("chain-of-the-hotline")
    text = await hotline.page.locator("main").inner_text()
    assert "姨妈" not in text
    await hotline.goes("/chains")
    await hotline.looked("chains-of-the-hotline")


async def test_operations_and_every_list_are_accessible_in_both_languages(visitors: Visit) -> None:
    developer = await visitors("everything-1")
    for path in ("/work", "/chains", "/console", "/stream"):
        await developer.goes(path)
        await developer.looked(f"all{path.replace('/', '-')}")
    await developer.page.get_by_role("button", name="English").click()
    await expect(developer.page.locator("html")).to_have_attribute("lang", "en")
    for path in ("/work", "/chains", "/console", "/stream"):
        await developer.goes(path)
        await developer.looked(f"en{path.replace('/', '-')}")


async def test_operations_see_a_dead_letter_without_its_words_and_give_it_up(
    visitors: Visit, system: System
) -> None:
    """What nobody can read lies dead with every reader of the topic, and is given up one by one."""
    readers = 3
    spoilt = Message(b"spoilt", b"{'name': '\xe6\x96\xbd\xe5\xaf\x86', rubbish", [])
    await publish_raw(system.kafka, f"assistance.case{system.suffix}", [spoilt])
    operations = await visitors("ops-1")
    await operations.goes("/stream")
    letters = operations.page.locator(".letters > li:has(button)")
    await expect(letters).to_have_count(readers, timeout=LIVE)
    await expect(operations.page.locator("main")).not_to_contain_text("施密")
    await operations.looked("stream-letters")
    for left in range(readers, 0, -1):
        await expect(letters).to_have_count(left, timeout=LIVE)
        operations.page.once("dialog", lambda dialog: dialog.accept())
        await letters.first.get_by_role("button", name="弃置").click()
    await expect(letters).to_have_count(0, timeout=LIVE)
    await operations.looked("stream-settled")


async def test_a_form_sent_twice_is_one_request(visitors: Visit, system: System) -> None:
    hotline = await visitors("hotline-1")
    form = {"key": uuid4().hex, "channel": "hotline", "danger_alone": "on", "s0_age": "7"}
    answers = [await hotline.posts("/console", form) for _ in range(2)]
    receipts = {RECEIPT.search(answer).group() for answer in answers}  # type: ignore[union-attr]
    assert len(receipts) == 1


async def test_with_intake_away_the_form_keeps_what_was_said_until_it_is_back(
    visitors: Visit, system: System
) -> None:
    hotline = await visitors("hotline-1")
    page = hotline.page
    await hotline.goes("/console")
    await page.locator('[name="s0_age"]').fill("6")
    intake = system.processes["intake"]
    await intake.stop()
    try:
        await page.keyboard.press("Alt+1")
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("#refused")).to_contain_text("受理", timeout=LIVE)
        await expect(page.locator('[name="s0_age"]')).to_have_value("6")
    finally:
        intake.start()
        await intake.ready()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#receipt")).to_have_text(RECEIPT, timeout=LIVE)


async def test_the_duty_desk_records_what_the_police_told_it_by_telephone(visitors: Visit) -> None:
    duty = await visitors("child-duty-1")
    chain = await enter_child_alone(duty)
    await duty.goes("/work?tab=all")
    row = duty.page.locator("tr[id^='r-']").filter(has_text="公安").first
    await expect(row).to_be_visible(timeout=LIVE)
    await row.get_by_role("button", name="签收：").click()
    dialog = duty.page.get_by_role("dialog")
    await dialog.locator("[name='behalf_person']").fill("值班民警")
    await duty.looked("work-on-behalf")
    await dialog.get_by_role("button", name="签收", exact=True).click()
    await expect(dialog).to_be_hidden()
    await duty.goes(f"/chains/{chain}")


async def test_what_is_sealed_stands_on_no_page_of_the_household(visitors: Visit, system: System) -> None:
    body = {
        "channel": "hotline",
        "caller": {"role": "neighbour", "name": "施密", "phone": "000-7788"},
        "place": {"division": "500112017"},
        "needs": ["cash"],
        "subjects": [{"id": "s1", "age": 34, "facts": {"violence": True}}, {"id": "s2", "age": 7}],
    }
    async with system.client("intake") as intake, system.client("desk") as everything:
        taken = (await intake.post("/v1/applications", json=body)).json()
        household, sealed = taken["chain_id"], taken["protection"]["chain_id"]

        async def projected() -> bool:
            found = [await everything.get(f"/v1/chains/{chain}") for chain in (household, sealed)]
            return all(answer.status_code == 200 and answer.json()["referrals"] for answer in found)

        await eventually(projected, 30, "both chains at the desk")
        whole = (await everything.get(f"/v1/chains/{household}")).json()
    assert "R18" in {referral["rule"] for referral in whole["referrals"]}
    async with system.client("desk", "district") as district:
        plain = await district.get(f"/v1/chains/{household}")
        assert (await district.get(f"/v1/chains/{sealed}")).status_code == 404
    assert plain.status_code == 200
    assert "R18" not in plain.text
    assert sealed not in plain.text
    office = await visitors("district-1")
    await office.goes(f"/chains/{household}")
    text = await office.page.content()
    for hidden in (sealed, "家庭暴力", "施密", "000-7788"):
        assert hidden not in text, hidden
    await office.goes("/chains")
    assert sealed not in await office.page.content()
