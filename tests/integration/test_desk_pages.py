"""The desk's pages without a browser: who gets in, what a foreign site can do, what if others are away."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi.responses import Response

from onedoor.desk import session
from onedoor.desk.settings import Settings
from onedoor.runtime.people import BY_ID, PEOPLE
from onedoor.runtime.tokens import ensure_dev_key
from tests.desk import CHAIN, CLOCK, REFERRAL, Desk, envelopes, running_desk
from tests.servers import Servers

SIGN_IN = "/signin"
PAGES = (
    "/console",
    "/work",
    "/chains",
    f"/chains/{CHAIN}",
    "/stream",
    "/inbox",
    "/duty",
    "/duty/deliveries",
    "/figures",
    "/figures/clocks?value=education",
)


@pytest.fixture(scope="module")
async def desk(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """A desk that knows one chain; every other service is away."""
    async with running_desk(servers, tmp_path_factory.mktemp("pages")) as running:
        await running.absorb(envelopes())
        yield running


@pytest.fixture
async def browser(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody's browser, not signed in yet."""
    async with httpx.AsyncClient(
        base_url=desk.process.url, headers={"Origin": desk.process.url}, timeout=30
    ) as client:
        yield client


async def signed_in(browser: httpx.AsyncClient, person: str = "everything-1") -> httpx.Response:
    answer = await browser.post(SIGN_IN, data={"person": person})
    assert answer.status_code == 303, answer.text
    return answer


async def test_every_page_sends_strangers_to_the_sign_in(browser: httpx.AsyncClient) -> None:
    for path in PAGES:
        answer = await browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, SIGN_IN), path
    assert (await browser.get(SIGN_IN)).status_code == 200


async def test_the_cookie_is_for_this_site_alone_and_no_script_reads_it(browser: httpx.AsyncClient) -> None:
    cookie = (await signed_in(browser)).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


async def test_a_forged_cookie_is_nobody(browser: httpx.AsyncClient) -> None:
    await signed_in(browser)
    name, value = next(iter(browser.cookies.items()))
    browser.cookies.clear()
    # Not the last character: some of its bits stand for nothing.
    browser.cookies.set(name, value[:-5] + ("A" if value[-5] != "A" else "B") + value[-4:])
    assert (await browser.get("/work")).status_code == 303


async def test_an_unknown_person_does_not_get_in(browser: httpx.AsyncClient) -> None:
    answer = await browser.post(SIGN_IN, data={"person": "somebody-else"})
    assert "set-cookie" not in answer.headers
    assert answer.status_code < 500


@pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
async def test_a_page_of_another_site_can_command_nothing(
    browser: httpx.AsyncClient, origin: str | None
) -> None:
    await signed_in(browser)
    del browser.headers["origin"]
    headers = {"Origin": origin} if origin else {"Sec-Fetch-Site": "cross-site"}
    for path in (SIGN_IN, "/console"):
        answer = await browser.post(path, data={"person": "police-1"}, headers=headers)
        assert answer.status_code == 403, path


async def test_no_page_carries_or_allows_a_script_of_its_own(browser: httpx.AsyncClient) -> None:
    await signed_in(browser)
    for path in (*PAGES, SIGN_IN):
        answer = await browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy, path
        assert "unsafe" not in policy, path
        assert "<script>" not in answer.text, path
        assert " style=" not in answer.text, path
        assert " onclick=" not in answer.text, path


async def test_with_every_other_service_away_pages_say_so_instead_of_failing(
    browser: httpx.AsyncClient,
) -> None:
    await signed_in(browser)
    for path in PAGES:
        answer = await browser.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text[:500]}"
    assert (await browser.get("/chains/nonsense")).status_code == 404
    for path in (f"/clocks/{CLOCK['finish']}", f"/clocks/{CLOCK['finish']}/pause"):
        answer = await browser.get(path, headers={"HX-Request": "true"})
        assert "没有响应" in answer.text, path


async def test_a_referral_whose_service_is_away_is_asked_for_again(browser: httpx.AsyncClient) -> None:
    await signed_in(browser)
    path = f"/work/{REFERRAL}"
    details = (await browser.get(path, headers={"HX-Request": "true"})).text
    assert "没有响应" in details
    assert re.search(rf'hx-get="{path}\?[^>]*hx-trigger="load delay:2s"', details)


async def test_only_those_who_may_pause_a_clock_are_asked_how(browser: httpx.AsyncClient) -> None:
    path = f"/clocks/{CLOCK['finish']}/pause"
    for person, status in (("caseworker-1", 403), ("reviewer-1", 200), ("police-head-1", 200)):
        await signed_in(browser, person)
        assert (await browser.get(path)).status_code == status, person
    assert (await browser.get(f"/clocks/{CLOCK['finish']}/stop")).status_code == 404


@pytest.mark.parametrize(
    "file", ["timeliness.csv", "timeliness.xlsx", "assessment.docx", "assessment.csv", "agenda.docx"]
)
async def test_no_file_of_figures_is_empty_because_nobody_counted(
    browser: httpx.AsyncClient, file: str
) -> None:
    await signed_in(browser, "leader-1")
    answer = await browser.get(f"/figures/{file}")
    assert answer.status_code == 503
    assert "content-disposition" not in answer.headers


async def test_every_person_of_the_list_finds_a_page_to_begin_with(browser: httpx.AsyncClient) -> None:
    for person in PEOPLE:
        first = (await signed_in(browser, person.id)).headers["location"]
        answer = await browser.get(first, follow_redirects=True)
        assert answer.status_code == 200, f"{person.id}: {first}"
        assert BY_ID[person.id].name in answer.text, person.id


async def test_the_language_can_be_changed_and_both_are_whole(browser: httpx.AsyncClient) -> None:
    await signed_in(browser)
    chinese = await browser.get(f"/chains/{CHAIN}")
    assert '<html lang="zh-CN"' in chinese.text
    browser.cookies.set("onedoor_language", "en")
    english = await browser.get(f"/chains/{CHAIN}")
    assert '<html lang="en"' in english.text
    assert "Deadline ribbon" in english.text
    assert "时限带" in chinese.text


def test_in_production_nobody_signs_in_from_the_list(tmp_path: Path) -> None:
    key = ensure_dev_key(tmp_path / "dev.key")
    answer = Response()
    assert session.sign_in(Settings(environment="prod", dev_key=key), "everything-1", answer) is None
    assert "set-cookie" not in answer.headers
