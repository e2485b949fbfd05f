"""What messages say and by which ways they go: words, shortness, addresses that never show."""

import base64
import hmac
import json
import subprocess
import sys
import threading
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from onedoor.calendar import moment
from onedoor.desk.pages import duty
from onedoor.notify.domain import ladder
from onedoor.notify.telling import channels, roster, teller, times
from onedoor.notify.telling.addresses import NotPublic, may_be_reached, resolved
from onedoor.notify.telling.channels import NotDelivered, Ways
from onedoor.notify.telling.message import KINDS, STEPS, Line, line_of, message_of
from onedoor.notify.telling.roster import Gap, OnDuty, gaps
from onedoor.notify.telling.teller import reach
from tests.receivers import receiver

FRIDAY = moment("2026-09-18T10:00")
DELIVERY = UUID(int=9)

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")


def notice(**more: Any) -> dict[str, Any]:
    return {
        "id": UUID(int=1),
        "kind": "escalated",
        "critical": False,
        "receipt": "QZ-20260918-ABCDEF-7",
        "duty": "finish",
        "function": "unit-head",
        "due_at": FRIDAY,
        "service": None,
        "role": None,
        "department": "education",
        "division": None,
        **more,
    }


def line(**more: Any) -> Line:
    return line_of(notice(**more), None, FRIDAY + timedelta(days=1, hours=2, minutes=5), "http://desk/")


def test_a_reminder_and_a_supervision_notice_are_called_so() -> None:
    assert "办结反馈 催办，已超 1 天 2 小时，到期2026-09-18 10:00" in line().zh
    assert "督办" in line(function="coordinating-bureau").zh
    assert "supervision notice, 1 d 2 h over, due 2026-09-18 10:00" in line(function="coordinating-bureau").en
    assert line().link == "http://desk/inbox#n-00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("function", [*STEPS, "handler", "duty-person"])
def test_every_kind_has_words_in_both_languages(kind: str, function: str) -> None:
    said = line(kind=kind, function=function)
    assert said.zh
    assert said.en.isascii()


def test_critical_lines_come_first_then_what_is_due_first() -> None:
    lines = [
        line(id=UUID(int=3)),
        line(id=UUID(int=4), due_at=FRIDAY - timedelta(days=1)),
        line(id=UUID(int=5), critical=True),
    ]
    message = message_of(lines)
    assert [each.notice.int for each in message.lines] == [5, 4, 3]
    assert message.subject == "【一门】特急：3 项 / OneDoor: 3 matters"


async def test_an_sms_gateway_gets_chinese_alone_and_the_address_where_it_belongs() -> None:
    async with receiver() as gateway:
        url = f"json://127.0.0.1:{gateway.port}/send?+X-To={{address}}&+X-Id={{delivery}}"
        ways = Ways({"sms": url}, 5.0)
        await ways.send("sms", "+8613812345678", None, DELIVERY, message_of([line()]))
        await ways.close()
    (call,) = gateway.calls
    assert call.headers["x-to"] == "+8613812345678"
    assert call.headers["x-id"] == str(DELIVERY)
    said = json.loads(call.body)["message"]
    assert "催办" in said
    assert "reminder" not in said
    assert "13812345678" not in call.body


async def test_what_loading_takes_is_not_the_receivers_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first message after a start went out and was believed not to have."""
    never = threading.Event()
    monkeypatch.setattr(channels, "_load", lambda: never.wait(1.3))
    async with receiver() as gateway:
        ways = Ways({"sms": f"json://127.0.0.1:{gateway.port}/send?+X-To={{address}}"}, 0.2)
        await ways.send("sms", "13812345678", None, DELIVERY, message_of([line()]))
        await ways.close()
    assert len(gateway.calls) == 1


@pytest.mark.parametrize("mood", ["fails", "hangs", "drops"])
async def test_a_gateway_that_does_not_take_it_is_said_without_the_address(mood: Any) -> None:
    async with receiver(mood) as gateway:
        ways = Ways({"sms": f"json://127.0.0.1:{gateway.port}/send?+X-To={{address}}"}, 1.0)
        with pytest.raises(NotDelivered) as failed:
            await ways.send("sms", "13812345678", None, DELIVERY, message_of([line()]))
        await ways.close()
    assert failed.value.reason
    assert "138" not in failed.value.reason
    assert not failed.value.final


@pytest.mark.parametrize(
    ("channel", "template", "address"),
    [
        ("wecom", "wecombot://{address}", "8b1e9b5c-0000-4000-8000-123456789abc"),
        ("dingtalk", "dingtalk://{address}", "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4"),
        ("email", "mailto://u:p@mail.example.org?to={address}", "duty@example.org"),
    ],
)
def test_the_ways_of_the_manual_are_understood(channel: str, template: str, address: str) -> None:
    import apprise

    url = Ways({}, 5.0)._patient(template.format(address=address))
    plugin = apprise.Apprise.instantiate(url, suppress_exceptions=False)
    assert plugin is not None
    assert plugin.socket_read_timeout == 5.0


OK = '{"errcode":0,"errmsg":"ok"}'
ROBOTS = [
    ("wecom", "wecombot://{address}", "/send?key=abc-1"),
    ("dingtalk", "dingtalk://{address}", "/send?access_token=abc1"),
]


def robots_at(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two services, on this machine."""
    from apprise.plugins import dingtalk, wecombot

    here = f"http://127.0.0.1:{port}/send"
    monkeypatch.setattr(wecombot.NotifyWeComBot, "notify_url", here + "?key={key}")
    monkeypatch.setattr(dingtalk.NotifyDingTalk, "notify_url", here + "?access_token={token}")


@pytest.mark.parametrize(("channel", "template", "target"), ROBOTS)
async def test_a_robot_is_told_in_its_own_words(
    channel: str, template: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver() as service:
        robots_at(service.port, monkeypatch)
        service.replies = [OK]
        ways = Ways({channel: template}, 5.0)
        await ways.send(channel, target.partition("=")[2], None, DELIVERY, message_of([line()]))
        await ways.close()
    (call,) = service.calls
    said = json.loads(call.body)
    assert (call.target, said["msgtype"]) == (target, "text")
    assert "办结反馈 催办" in said["text"]["content"]
    assert said["text"]["content"].startswith("【一门】提醒：QZ-20260918-ABCDEF-7")


@pytest.mark.parametrize("reply", ['{"errcode":93000,"errmsg":"invalid webhook url"}', "<html>", "[]", "{}"])
@pytest.mark.parametrize(("channel", "template", "target"), ROBOTS)
async def test_a_robot_that_refuses_with_200_has_not_taken_it(
    channel: str, template: str, target: str, reply: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver() as service:
        robots_at(service.port, monkeypatch)
        service.replies = [reply]
        ways = Ways({channel: template}, 5.0)
        with pytest.raises(NotDelivered) as failed:
            await ways.send(channel, target.partition("=")[2], None, DELIVERY, message_of([line()]))
        await ways.close()
    assert failed.value.reason in ("errcode 93000", "answered without errcode")
    assert not failed.value.final


@pytest.mark.parametrize("mood", ["fails", "hangs", "drops"])
@pytest.mark.parametrize(("channel", "template", "target"), ROBOTS)
async def test_a_robot_that_does_not_answer_is_tried_again(
    channel: str, template: str, target: str, mood: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver(mood) as service:
        robots_at(service.port, monkeypatch)
        ways = Ways({channel: template}, 0.5)
        with pytest.raises(NotDelivered) as failed:
            await ways.send(channel, target.partition("=")[2], None, DELIVERY, message_of([line()]))
        await ways.close()
    assert failed.value.reason
    assert "abc" not in failed.value.reason
    assert not failed.value.final


async def test_a_signed_robot_signs_as_the_service_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver() as service:
        robots_at(service.port, monkeypatch)
        service.replies = [OK]
        ways = Ways({"dingtalk": "dingtalk://SEC1@{address}"}, 5.0)
        await ways.send("dingtalk", "abc1", None, DELIVERY, message_of([line()]))
        await ways.close()
    asked = parse_qs(urlsplit(service.calls[0].target).query)
    signed = f"{asked['timestamp'][0]}\nSEC1".encode()
    assert asked["sign"] == [base64.b64encode(hmac.digest(b"SEC1", signed, "sha256")).decode()]


async def test_a_robot_gets_no_more_than_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is counted and linked: the service refuses what is longer as a whole."""
    async with receiver() as service:
        robots_at(service.port, monkeypatch)
        service.replies = [OK]
        ways = Ways({"wecom": "wecombot://{address}"}, 5.0)
        many = message_of([line(id=UUID(int=number)) for number in range(60)])
        await ways.send("wecom", "abc-1", None, DELIVERY, many)
        await ways.close()
    content = json.loads(service.calls[0].body)["text"]["content"]
    assert len(content.encode()) <= 2048
    shown = content.count("办结反馈 催办")
    assert shown > 3
    assert content.endswith(f"另有 {60 - shown} 项，见 http://desk/inbox")


@pytest.mark.parametrize("size", [1, 100, 400, 900, 5_000, 50_000])
def test_a_message_is_never_longer_than_it_may_be(size: int) -> None:
    many = message_of([line(id=UUID(int=number)) for number in range(40)])
    assert len(many.within(size).encode()) <= size


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.5", "192.168.1.1", "172.16.9.9", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "::1", "::", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "ff02::1",
    ],
)  # fmt: skip
def test_no_machine_of_our_own_network_is_reached_unless_it_is_allowed(address: str) -> None:
    assert not may_be_reached(ip_address(address), ())
    assert may_be_reached(ip_address("223.5.5.5"), ())
    assert may_be_reached(ip_address("2400:3200::1"), ())
    assert may_be_reached(ip_address("10.20.1.2"), [ip_network("10.20.0.0/16")])
    assert not may_be_reached(ip_address("10.21.1.2"), [ip_network("10.20.0.0/16")])


@pytest.mark.parametrize("written", ["127.1", "2130706433", "0x7f000001", "localhost"])
async def test_a_loopback_written_otherwise_is_one(written: str) -> None:
    with pytest.raises(NotPublic):
        await resolved(written, 80, ())


async def test_two_mail_addresses_are_not_one() -> None:
    ways = Ways({"email": "mailto://127.0.0.1:1?to={address}"}, 1.0)
    with pytest.raises(NotDelivered) as failed:
        await ways.send("email", "a@example.org,b@example.org", None, DELIVERY, message_of([line()]))
    await ways.close()
    assert (failed.value.reason, failed.value.final) == ("not one mail address", True)


async def test_a_way_that_is_not_understood_is_final() -> None:
    ways = Ways({"sms": "nonsense"}, 1.0)
    with pytest.raises(NotDelivered) as failed:
        await ways.send("sms", "1", None, DELIVERY, message_of([line()]))
    await ways.close()
    assert failed.value.final


def test_apprise_is_imported_only_when_something_is_sent() -> None:
    code = "import sys, onedoor.notify.app; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("at", "awake", "morning"),
    [
        ("2026-09-18T08:29", False, "2026-09-18T08:30"),
        ("2026-09-18T08:30", True, "2026-09-18T08:30"),
        ("2026-09-18T17:59", True, "2026-09-20T08:30"),
        ("2026-09-18T18:00", False, "2026-09-20T08:30"),
        ("2026-09-19T12:00", False, "2026-09-20T08:30"),
        ("2026-09-20T12:00", True, "2026-09-21T08:30"),
        ("2026-10-01T09:00", False, "2026-10-08T08:30"),
    ],
)
def test_quiet_hours_know_holidays_and_the_make_up_sunday(at: str, awake: bool, morning: str) -> None:
    assert times.awake(moment(at)) is awake
    assert times.next_morning(moment(at)) == moment(morning)


def on_duty(function: str, department: str, person: str = "a", ways: tuple[str, ...] = ("sms",)) -> OnDuty:
    return OnDuty(
        person=person, name=person, department=department, division=None, function=function, ways=ways
    )


HEAD = on_duty("unit-head", "education", "head")
BUREAU = on_duty("coordinating-bureau", "civil-affairs", "bureau")


@pytest.mark.parametrize(
    ("critical", "function", "duty", "people", "gap"),
    [
        (True, "duty-person", [on_duty("duty-person", "education"), HEAD], ["a"], False),
        (True, "duty-person", [HEAD, BUREAU], ["head"], True),
        (True, "duty-person", [on_duty("duty-person", "education", ways=()), HEAD], ["a", "head"], True),
        (True, "handler", [on_duty("duty-person", "education")], ["a"], False),
        (True, "handler", [], [], True),
        (True, "coordinating-bureau", [BUREAU], ["bureau"], False),
        (False, "handler", [on_duty("duty-person", "education"), HEAD], ["a"], False),
        (False, "handler", [HEAD], [], False),
        (False, "unit-head", [HEAD, BUREAU], ["head"], False),
        (True, "duty-person", [on_duty("duty-person", "health"), BUREAU], ["bureau"], True),
    ],
)
def test_whom_a_notice_reaches(
    critical: bool, function: str, duty: list[OnDuty], people: list[str], gap: bool
) -> None:
    telling = reach(notice(critical=critical, function=function), duty)
    assert sorted(person.person for person in telling.people) == sorted(people)
    assert telling.gap is gap


def test_a_division_with_a_roster_of_its_own_is_told_there() -> None:
    own = on_duty("duty-person", "township", "own").model_copy(update={"division": "500112015"})
    whole = on_duty("duty-person", "township", "whole")
    told = notice(critical=True, function="duty-person", department="township", division="500112015")
    assert [person.person for person in reach(told, [own, whole]).people] == ["own"]
    elsewhere = {**told, "division": "500112017"}
    assert [person.person for person in reach(elsewhere, [own, whole]).people] == ["whole"]


def test_gaps_are_what_no_shift_of_the_whole_unit_covers() -> None:
    def shift(start: str, end: str, division: str | None = None) -> dict[str, Any]:
        return {"department": "education", "function": "duty-person", "division": division,
                "starts_at": moment(start), "ends_at": moment(end)}  # fmt: skip

    rows = [
        shift("2026-09-18T08:00", "2026-09-19T08:00"),
        shift("2026-09-18T20:00", "2026-09-20T00:00"),
        shift("2026-09-20T00:00", "2026-09-21T00:00", "500112015"),
    ]
    found = gaps(rows, moment("2026-09-18T08:00"), moment("2026-09-21T00:00"))
    own = [gap for gap in found if (gap.department, gap.function) == ("education", "duty-person")]
    assert own == [
        Gap(
            department="education",
            function="duty-person",
            starts_at=moment("2026-09-20T00:00"),
            ends_at=moment("2026-09-21T00:00"),
        )
    ]
    assert ("education", "unit-head") in {(gap.department, gap.function) for gap in found}


def test_each_rung_of_a_ladder_is_known_to_the_roster_the_way_up_the_messages_and_the_desk() -> None:
    """A rung whose function a roster cannot name would reach nobody."""
    functions = ladder.functions()
    assert functions <= set(roster.FUNCTIONS)
    assert functions <= set(teller.UPWARDS)
    assert functions <= set(duty.FUNCTIONS)
