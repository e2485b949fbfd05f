"""What a message says: the receipt, the time left, why that is the limit, a link. No word about a person.

Chinese first, English second. What concerns a child or a sealed chain reads like anything else.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from onedoor.calendar import local
from onedoor.notify.domain.clock import Clock
from onedoor.notify.explanation import REFERRAL_DUTIES, explain

Pair = tuple[str, str]

KINDS: Mapping[str, Pair] = {
    "warned": ("即将到期", "due soon"),
    "breached": ("已到期", "due now"),
    "escalated": ("超期", "overdue"),
    "ring": ("请电话联系", "please ring"),
    "alarm_letter": ("报警流有事件无法处理", "an alarm cannot be handled"),
    "parked_child": ("涉未成年人的求助链已停滞", "a chain with a child is held up"),
    "unwritten": ("详情未能生成，请到站内查看", "could not be written out, look in the inbox"),
}
STEPS: Mapping[str, Pair] = {
    "unit-head": ("催办", "reminder"),
    "coordinating-bureau": ("督办", "supervision notice"),
    "leadership": ("报请分管领导", "to the leadership"),
}


class Line(BaseModel):
    """One thing that the message tells. due_at: UTC; minutes_left: negative when overdue."""

    model_config = ConfigDict(frozen=True)

    notice: UUID
    kind: str
    critical: bool
    receipt: str | None
    duty: str | None
    function: str
    due_at: datetime | None
    minutes_left: int | None
    reason_zh: str
    reason: str
    link: str
    service: str | None = None

    @property
    def zh(self) -> str:
        """The line in Chinese."""
        return self._said(0, "：", "，", "依据：", "办理：")

    @property
    def en(self) -> str:
        """The line in English."""
        return self._said(1, ": ", ", ", "by ", "see ")

    def _said(self, lang: int, colon: str, comma: str, because: str, go: str) -> str:
        reason = (self.reason_zh, self.reason)[lang]
        parts = [
            " ".join(filter(None, (self.receipt, self._duty(lang), self._kind(lang)))),
            _left(self.minutes_left, lang) if self.minutes_left is not None else "",
            (f"{('到期', 'due ')[lang]}{_when(self.due_at)}") if self.due_at is not None else "",
            f"{because}{reason}" if reason else "",
            f"{go}{self.link}",
        ]
        return comma.join(part for part in parts if part)

    def _duty(self, lang: int) -> str:
        if self.duty is None:
            return self.service or ""
        return REFERRAL_DUTIES[self.duty][lang] if self.duty in REFERRAL_DUTIES else self.duty

    def _kind(self, lang: int) -> str:
        said = STEPS.get(self.function) if self.kind == "escalated" else None
        return (said or KINDS[self.kind])[lang]


class Message(BaseModel):
    """A message as every way takes it."""

    model_config = ConfigDict(frozen=True)

    lines: tuple[Line, ...]

    @property
    def critical(self) -> bool:
        return any(line.critical for line in self.lines)

    @property
    def unwritten(self) -> list[UUID]:
        """The notices of which it says no more than that they are there."""
        return [line.notice for line in self.lines if line.kind == "unwritten"]

    @property
    def subject(self) -> str:
        """The title of a mail: the receipt, or how many things there are."""
        first = self.lines[0]
        mark = "特急" if self.critical else "提醒"
        if len(self.lines) > 1:
            return f"【一门】{mark}：{len(self.lines)} 项 / OneDoor: {len(self.lines)} matters"
        which = " ".join(filter(None, (first.receipt, first._duty(0), first._kind(0))))
        return f"【一门】{mark}：{which} / OneDoor {first._kind(1)}"

    @property
    def short(self) -> str:
        """For ways that carry little: Chinese alone."""
        return "【一门】" + "\n".join(line.zh for line in self.lines)

    @property
    def text(self) -> str:
        """Chinese, then English."""
        return "\n".join([*(line.zh for line in self.lines), "", *(line.en for line in self.lines)])

    def within(self, size: int) -> str:
        """As much as so many bytes hold: both languages, else Chinese alone, else its first lines and how
        many more there are."""
        if len(self.text.encode()) <= size:
            return self.text
        said = [line.zh for line in self.lines]
        for count in range(len(said), 0, -1):
            left = len(said) - count
            rest = [f"另有 {left} 项，见 {self.lines[0].link.partition('#')[0]}"] if left else []
            text = "\n".join([*said[:count], *rest])
            if len(text.encode()) <= size:
                return text
        return said[0].encode()[:size].decode(errors="ignore")

    def payload(self, delivery: UUID) -> dict[str, Any]:
        """What a webhook is given."""
        return {
            "type": "onedoor.alert",
            "delivery": str(delivery),
            "critical": self.critical,
            "alerts": [line.model_dump(mode="json") for line in self.lines],
        }


def _when(at: datetime) -> str:
    return f"{local(at):%Y-%m-%d %H:%M}"


def _left(minutes: int, lang: int) -> str:
    span = _span(abs(minutes), lang)
    if minutes >= 0:
        return (f"剩余 {span}", f"{span} left")[lang]
    return (f"已超 {span}", f"{span} over")[lang]


def _span(minutes: int, lang: int) -> str:
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    units = (("天", "小时", "分"), ("d", "h", "min"))[lang]
    parts = [f"{n} {unit}" for n, unit in zip((days, hours, rest), units, strict=True) if n]
    return " ".join(parts[:2]) or f"0 {units[2]}"


def line_of(notice: Mapping[str, Any], clock: Clock | None, now: datetime, desk_url: str) -> Line:
    """The line of a notice, as things stand now; `clock`: the one it is about, if it is about one."""
    due_at = clock.due_at if clock is not None else notice["due_at"]
    reason_zh, reason = _reason(clock)
    page = "stream" if notice["kind"] in ("alarm_letter", "parked_child") else "inbox"
    return Line(
        notice=notice["id"],
        kind=notice["kind"],
        critical=notice["critical"],
        receipt=notice["receipt"],
        duty=notice["duty"],
        function=notice["function"],
        due_at=due_at,
        minutes_left=None if due_at is None else int((due_at - now).total_seconds() // 60),
        reason_zh=reason_zh,
        reason=reason,
        link=f"{desk_url.rstrip('/')}/{page}" + (f"#n-{notice['id']}" if page == "inbox" else ""),
        service=notice["service"],
    )


def bare_line(notice: Mapping[str, Any], desk_url: str) -> Line:
    """All that is said of a notice whose line cannot be written: that it is there, and where."""
    return Line(
        notice=notice["id"],
        kind="unwritten",
        critical=notice["critical"],
        receipt=notice["receipt"],
        duty=None,
        function="",
        due_at=None,
        minutes_left=None,
        reason_zh="",
        reason="",
        link=f"{desk_url.rstrip('/')}/inbox#n-{notice['id']}",
    )


def _reason(clock: Clock | None) -> Pair:
    """Why it is due then: the rule line of its explanation."""
    if clock is None:
        return "", ""
    rule = next(line for line in explain(clock).lines if line.kind == "rule")
    return rule.zh, rule.en


def message_of(lines: Sequence[Line]) -> Message:
    """Critical lines first, then by what falls due first."""
    return Message(lines=tuple(sorted(lines, key=lambda line: (not line.critical, str(line.due_at)))))
