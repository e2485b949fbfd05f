"""What cannot be is refused at every door: the field and the remedy are named, and nothing has changed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from onedoor.calendar import PACKAGED, moment, put_in_force
from onedoor.notify.app import SERVICE
from onedoor.notify.domain.clock import clock_id
from onedoor.runtime.access import dev_token
from tests.notices import NOTICE_2027
from tests.notify import application, of_plan, planned
from tests.notify_bench import HERE, Bench, notify_bench
from tests.servers import Servers

MIGRATED = (SERVICE,)
SCHOOLS = ("department", "education", HERE)
REFERRAL = f"/v1/referrals/{of_plan()}"
CLOCK = f"/v1/clocks/{clock_id('finish', of_plan())}"
OVER = moment("2026-11-20T10:00")


@pytest.fixture
async def bench(servers: Servers, database: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with notify_bench(servers, database, tmp_path / "dev.key") as bench:
        await bench.read(application(planned()))
        yield bench
    put_in_force(PACKAGED)


async def standing(bench: Bench) -> list[Any]:
    """Everything that a wish could have changed."""
    wanted = ("events", "clocks", "referrals", "calendar_notices", "notes")
    return [await bench.rows(f"select * from {table} order by 1") for table in wanted]


def told(reply: httpx.Response) -> tuple[int, str, str | None]:
    """Status and code, and which field is at fault; each is said in both languages, with what to do."""
    body = reply.json()
    assert reply.status_code >= 400, body
    assert body["detail"]
    assert body["detail_zh"]
    for error in body["errors"]:
        assert all(error[name] for name in ("problem", "problem_zh", "remedy", "remedy_zh"))
    return reply.status_code, body["code"], next((error["field"] for error in body["errors"]), None)


NOTICES = {
    "an unknown date": ('"2027-06-09"', '"2027-02-30"', "holidays[4].days_off"),
    "an overlap": ("2027-05-01/2027-05-02", "2027-04-05/2027-05-02", "holidays[3].days_off"),
    "a missing year": ("year: 2027", "", "year"),
    "a key spelt wrongly": ('make_up: ["2027-10-09"]', 'makeup: ["2027-10-09"]', "holidays[6].makeup"),
    "no source": ("sources:", "source:", "sources"),
}


async def test_a_notice_that_cannot_be_right(bench: Bench) -> None:
    before = await standing(bench)
    token = dev_token(bench.key, "admin", None, None, "admin-test")
    headers = {"authorization": f"Bearer {token}", "content-type": "text/plain; charset=utf-8"}
    for name, (old, new, field) in NOTICES.items():
        assert old in NOTICE_2027
        text = NOTICE_2027.replace(old, new).encode()
        reply = await bench.client.post("/v1/calendar/notices", content=text, headers=headers)
        assert told(reply) == (422, "invalid-request", field), name
    assert await standing(bench) == before


PAUSES: dict[str, tuple[dict[str, Any], str]] = {
    "ends before it starts": ({"reason": "court", "until": "2026-09-01T00:00:00+08:00"}, "until"),
    "on no day of the calendar": ({"reason": "court", "until": "2026-02-30"}, "until"),
    "longer than thirty days": ({"reason": "court", "until": "2026-12-01"}, "until"),
    "without a reason": ({"until": "2026-09-25"}, "reason"),
    "from another day than today": ({"reason": "court", "from": "2026-09-01"}, "from"),
}


async def test_a_pause_that_cannot_be(bench: Bench) -> None:
    before = await standing(bench)
    for name, (body, field) in PAUSES.items():
        reply = await bench.ask("POST", f"{CLOCK}/pause", body=body)
        assert (told(reply)[0], told(reply)[2]) == (422, field), name
    assert await standing(bench) == before


async def test_an_extension_after_it_was_due_and_an_answer_to_what_is_closed(bench: Bench) -> None:
    assert (await bench.ask("POST", f"{REFERRAL}/acknowledge", *SCHOOLS)).status_code == 200
    bench.clock.at = OVER
    before = await standing(bench)
    asked = {"reason": "waiting_for_others", "until": "2026-11-27"}
    late = await bench.ask("POST", f"{REFERRAL}/extend", *SCHOOLS, asked)
    assert told(late) == (422, "referral.overdue", "until")
    assert await standing(bench) == before
    answer = {
        "outcome": "helped",
        "feedback": "已返校",
        "results": {"schooling": "returned", "on": "2026-11-19"},
    }
    for verb, body in (("answer", answer), ("verify", {}), ("close", {})):
        who = SCHOOLS if verb == "answer" else ("everything", None, None)
        assert (await bench.ask("POST", f"{REFERRAL}/{verb}", *who, body)).status_code == 200, verb
    before = await standing(bench)
    again = await bench.ask("POST", f"{REFERRAL}/answer", *SCHOOLS, answer | {"feedback": "另一结果"})
    assert told(again) == (409, "referral.state", "state")
    assert "reopen" in again.json()["detail"]
    assert await standing(bench) == before
