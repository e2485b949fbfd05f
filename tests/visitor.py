"""Somebody at the desk, in a real browser, with every page that they see checked by axe."""

import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.async_api import Locator, Page, expect

from tests.system import System

BROWSERS = ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium")
CHROMIUM = Path(os.environ.get("CHROMIUM") or next(filter(os.path.exists, BROWSERS), BROWSERS[-1]))
"""The one without windows takes a quarter less of the processor."""
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A second flag of this name replaces Playwright's, whose features come first; the last two would make two
    # hidden pages for each window, which cost more than the page that is looked at.
    "--disable-features=AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,"
    "HttpsFirstBalancedModeAutoEnable,MediaRouter,PaintHolding,OptimizationHints,NetworkTimeServiceQuerying,"
    "PreconnectToSearch,AimEnabled,WebUIOmniboxPopup,WebUIOmniboxAimPopup",
]
SHOTS = os.environ.get("ONEDOOR_SHOTS")
RECEIPT = re.compile(r"[A-Z]{2}\d{8}-[0-9A-Z]{6}-[0-9A-Z]")
AXE = "axe.run({resultTypes: ['violations']}).then(({violations}) => ({violations}))"
CLEAN: set[str] = set()
"""Pages on which axe has found nothing, as they stood: the same page again need not be gone through."""
LIVE = 15_000
"""Milliseconds until an open page has to show what happened, on a busy machine."""
expect.set_options(timeout=LIVE)


class Visitor:
    """Somebody at the desk, in a browser window of their own. Every page they see is checked by axe."""

    def __init__(self, page: Page, system: System) -> None:
        self.page = page
        self.url = system.processes["desk"].url
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )

    async def sign_in(self, person: str) -> None:
        await self.page.goto(f"{self.url}/signin")
        await self.looked("signin")
        await self.page.locator(f'button[name="person"][value="{person}"]').click()
        await self.page.wait_for_url(lambda url: "/signin" not in url)

    async def posts(self, path: str, form: dict[str, str]) -> str:
        """What a form of this window is answered."""
        answer = await self.page.request.post(self.url + path, form={**form}, headers={"Origin": self.url})
        assert answer.ok, f"{path}: {answer.status}"
        return await answer.text()

    async def goes(self, path: str) -> None:
        answer = await self.page.goto(self.url + path)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"

    async def does(self, row: Locator, verb: str, shot: str, **said: str) -> None:
        """Carry a verb out on a referral of the list, through its dialog."""
        await row.get_by_role("button", name=f"{verb}：").click()
        dialog = self.page.get_by_role("dialog")
        await expect(dialog).to_be_visible()
        await self.looked(shot)
        for name, words in said.items():
            field = dialog.locator(f"[name='{name}']")
            is_list = await field.evaluate("field => field.matches('select')")
            await (field.select_option(words) if is_list else field.fill(words))
        await dialog.get_by_role("button", name=verb, exact=True).click()
        await expect(dialog).to_be_hidden()

    async def looked(self, name: str) -> None:
        """axe finds nothing on the page as it stands, and no script has complained."""
        await self.page.evaluate("Promise.allSettled(document.getAnimations().map(each => each.finished))")
        if SHOTS:
            await self.page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)
        page = await self.page.content()
        if page not in CLEAN:
            if not await self.page.evaluate("'axe' in window"):
                await self.page.evaluate(AXE_SCRIPT)
            found = AxeResults(await self.page.evaluate(AXE))
            assert found.violations_count == 0, f"{name}: {found.generate_report()}"
            CLEAN.add(page)
        assert self.errors == [], name


Visit = Callable[[str], Awaitable[Visitor]]
"""Opens a window for a person of the development list."""
