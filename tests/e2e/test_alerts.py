"""Alerts in a real browser: a roster is imported, the hotline rings, somebody on duty sees to it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect

from onedoor.runtime import clock
from tests.e2e.test_walk import enter_child_alone
from tests.receivers import receiver
from tests.system import System
from tests.visitor import LIVE, Visit

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DUTY = (
    ("public-security", "duty-person", "police-1", "高卫平"),
    ("public-security", "unit-head", "police-head-1", "石长安"),
    ("hotline-12345", "duty-person", "hotline-1", "田小禾"),
)

pytestmark = pytest.mark.timeout(300)


def roster(hook: str) -> str:
    """On duty from yesterday for a month; the person on duty of the police for two days only."""
    now = datetime.now(UTC)
    lines = ["department,function,person,from,to,name,webhook,secret"]
    for department, function, person, name in DUTY:
        days = 2 if person == "police-1" else 30
        start, end = now - timedelta(days=1), now + timedelta(days=days)
        span = f"{start:%Y-%m-%dT00:00},{end:%Y-%m-%dT08:00}"
        lines.append(f"{department},{function},{person},{span},{name},{hook},{SECRET}")
    return "\n".join(lines) + "\n"


async def test_from_the_roster_to_a_named_person(visitors: Visit, system: System, tmp_path: Path) -> None:
    async with receiver() as hook:
        file = tmp_path / "roster.csv"
        file.write_text(roster(hook.url), "utf-8")
        admin = await visitors("admin-1")
        await admin.goes("/duty")
        await admin.page.locator("input[type=file]").set_input_files(file)
        await admin.page.get_by_role("button", name="导入", exact=True).click()
        duty = admin.page.locator("#duty")
        await expect(duty).to_contain_text("已导入：3 人，3 个班次", timeout=LIVE)
        await expect(duty).to_contain_text("以下时段无人值班")
        await expect(duty).to_contain_text("正在值班")
        await admin.looked("duty")
        file.write_text(roster(hook.url).replace("unit-head,", "emperor,"), "utf-8")
        await admin.page.locator("input[type=file]").set_input_files(file)
        await admin.page.get_by_role("button", name="导入", exact=True).click()
        await expect(duty).to_contain_text("line 3, function", timeout=LIVE)
        await expect(duty).to_contain_text("没有这个岗位")
        await admin.looked("duty-refused")

        hotline = await visitors("hotline-1")
        await hotline.goes("/inbox")
        await hotline.looked("inbox-empty")
        police = await visitors("police-1")
        await police.goes("/inbox")
        operator = await visitors("child-duty-1")
        await enter_child_alone(operator)
        receipt = await operator.page.locator("#receipt").inner_text()
        await police.goes("/work")
        await expect(police.page.locator("tr[id^='r-']").first).to_be_visible(timeout=LIVE)
        await police.goes("/inbox")
        try:
            await clock.advance(system.postgres, timedelta(minutes=6))
            calls = hotline.page.get_by_role("button", name="登记通话：")
            await expect(calls.first).to_be_visible(timeout=2 * LIVE)
            await hotline.looked("inbox-call")
            await calls.first.click()
            dialog = hotline.page.get_by_role("dialog")
            await expect(dialog).to_be_visible()
            await hotline.looked("inbox-call-dialog")
            await dialog.get_by_role("button", name="登记", exact=True).click()
            await expect(dialog).to_contain_text("请填写联系到的人员", timeout=LIVE)
            await dialog.locator("[name=reached]").fill("值班民警 9527")
            await dialog.get_by_role("button", name="登记", exact=True).click()
            await expect(dialog).to_be_hidden(timeout=LIVE)

            await clock.advance(system.postgres, timedelta(minutes=25))
            # Other walks' chains, which fell overdue at other times, are alerted about beside it.
            alert = police.page.locator("tr[id^='n-']", has_text="签收").filter(has_text=receipt)
            await expect(alert.first).to_contain_text("系统推送 已送达", timeout=2 * LIVE)
            await expect(alert.first).to_contain_text("高卫平")
            await expect(police.page.locator("#alerts")).to_be_visible(timeout=LIVE)
            await police.looked("inbox-alert")
            # By its id: a further alert may come before it in the list.
            taken = police.page.locator(f"#{await alert.first.get_attribute('id')}")
            await taken.get_by_role("button", name="我负责跟进").click()
            await expect(taken).to_contain_text("高卫平 负责跟进", timeout=LIVE)
            await police.looked("inbox-acknowledged")
            said = "".join(call.body for call in hook.calls)
            assert "QZ" in said or "receipt" in said
            for word in ("姨妈", "child", "chain_id", "儿童"):
                assert word not in said

            await police.goes("/duty")
            await expect(police.page.locator("#duty")).to_contain_text("高卫平")
            await expect(police.page.locator("#duty")).not_to_contain_text("田小禾")
            await police.looked("duty-own")
            await police.goes("/inbox")

            operations = await visitors("ops-1")
            await operations.goes("/duty/deliveries")
            await expect(operations.page.locator("main")).to_contain_text("已送达")
            await operations.looked("deliveries")
            for visitor, path, shot in (
                (police, "/inbox?everything=true", "en-inbox"),
                (admin, "/duty", "en-duty"),
                (operations, "/duty/deliveries", "en-deliveries"),
            ):
                await visitor.page.get_by_role("button", name="English").click()
                await visitor.goes(path)
                await visitor.looked(shot)
        finally:
            await clock.reset(system.postgres)
