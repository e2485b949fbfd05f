"""One running system and one browser for all walks."""

import asyncio
import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from playwright.async_api import Browser, async_playwright

from onedoor.desk import assets
from onedoor.dev.topics import delete_topics, ensure_topics
from tests.servers import Servers, cloned
from tests.system import System, running_system
from tests.visitor import CHROMIUM, QUIET, Visit, Visitor


@pytest.fixture(scope="package")
async def system(
    servers: Servers, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """All services on a database and topics of their own, the pages' third-party files at hand."""
    await asyncio.to_thread(assets.install)
    suffix = f".{uuid4().hex[:8]}"
    await ensure_topics(servers.kafka, suffix)
    async with (
        cloned(template_database) as postgres,
        running_system(servers.kafka, postgres, suffix, tmp_path_factory.mktemp("walk")) as running,
    ):
        yield running
    await delete_topics(servers.kafka, suffix)


@pytest.fixture(scope="package")
async def browser() -> AsyncIterator[Browser]:
    if not CHROMIUM.is_file():
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing(f"no Chromium at {CHROMIUM}; name one in CHROMIUM")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        await started.close()


@pytest.fixture
async def visitors(browser: Browser, system: System) -> AsyncIterator[Visit]:
    """Opens a window for a person of the development list."""
    opened = []

    async def visit(person: str) -> Visitor:
        context = await browser.new_context(locale="zh-CN", viewport={"width": 1366, "height": 900})
        opened.append(context)
        visitor = Visitor(await context.new_page(), system)
        await visitor.sign_in(person)
        return visitor

    yield visit
    for context in opened:
        await context.close()
