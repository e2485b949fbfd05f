"""Why a clock is due when it is: the rule, how sure it is, the notices, each stretch of days, each change."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from onedoor.calendar import Calendar, Due, Limit, Unit, due, in_force, limit_en, limit_zh, local
from onedoor.notify.domain import duties
from onedoor.notify.domain.clock import BY_RULE, Clock, Recount, Standstill, last_moment, standstills

SOURCES = {
    "statutory": ("法定", "statutory"),
    "local": ("本市、本区规定", "set by the city or district"),
    "default": ("系统默认", "the system's default"),
}
CERTAINTIES = {"confirmed": ("已核实", "confirmed"), "assumed": ("暂定，待确认", "assumed, to be confirmed")}
REFERRAL_DUTIES = {
    "ack": ("签收", "acknowledgement"),
    "action": ("处置", "action"),
    "finish": ("办结反馈", "answer"),
}
PAUSES = {
    "waiting_for_applicant": ("等待申请人补正", "waiting for the applicant"),
    "waiting_for_others": ("等待其他单位", "waiting for others"),
    "court": ("法院程序", "a court's procedure"),
    "force_majeure": ("不可抗力", "force majeure"),
    "other": ("其他原因", "another reason"),
    BY_RULE: ("公示期间依规不计", "not counted while posted, by the rule itself"),
}


class Line(BaseModel):
    """One line. `kind`: rule, conflict, anew, extended, notice, recomputed, pause, paused, warning, ended, or
    the calendar's kind of step.
    """

    kind: str
    zh: str
    en: str


class Explanation(BaseModel):
    """The lines in order; `law` is where the limit is written, None for the district's own default.

    policy: the version of the duty that the clock started under, by name; calendar: the edition of the
    calendar that it was counted by, None where it asks for no day.
    """

    clock_id: UUID
    duty: str
    limit: str
    started_at: datetime
    due_at: datetime
    provisional: bool
    source: str
    certainty: str
    law: str | None
    policy: str | None = None
    calendar: int | None = None
    lines: list[Line]


def explain(clock: Clock, calendar: Calendar | None = None) -> Explanation:
    """Explain a clock that has been started, by the calendar it was counted by (None: the one in force)."""
    assert clock.clock_id is not None
    assert clock.started_at is not None
    assert clock.due_at is not None
    calendar = calendar or in_force().calendar
    counted = due(clock.started_at, Limit.parse(clock.limit), standstills(clock.pauses), calendar)
    steps = [Line(kind=step.kind.value, zh=step.zh, en=step.en) for step in counted.steps]
    return Explanation(
        clock_id=clock.clock_id,
        duty=clock.duty,
        limit=clock.limit,
        started_at=clock.started_at,
        due_at=clock.due_at,
        provisional=clock.provisional,
        source=clock.source,
        certainty=clock.certainty,
        law=duties.law(clock.duty, clock.policy),
        policy=clock.policy,
        calendar=clock.calendar,
        lines=[
            _rule(clock),
            *_conflict(clock),
            *_changed(clock),
            *_notices(clock, counted, calendar),
            *_warning(clock),
            *steps,
            *_ended(clock),
        ],
    )


def _rule(clock: Clock) -> Line:
    source_zh, source = SOURCES[clock.source]
    sure_zh, sure = CERTAINTIES[clock.certainty]
    law = duties.law(clock.duty, clock.policy)
    row = duties.duty(clock.duty, clock.policy)
    since = f"，自{row.from_}起施行的版本" if clock.policy else ""
    since_en = f", as in force since {row.from_}" if clock.policy else ""
    limit = Limit.parse(clock.limit)
    name_zh, name = f"时限{clock.duty}", f"limit {clock.duty}"
    if (words := REFERRAL_DUTIES.get(clock.duty)) is not None:
        name_zh, name = f"{words[0]}时限", f"limit of the {words[1]}"
    return Line(
        kind="rule",
        zh=f"{name_zh}：{limit_zh(limit)}，{source_zh}（{sure_zh}）"
        + (f"，依据{law}" if law else "")
        + since,
        en=f"{name}: {limit_en(limit)}, {source} ({sure})" + (f", by {law}" if law else "") + since_en,
    )


def _conflict(clock: Clock) -> list[Line]:
    """Two rules for one duty: which one holds is not this system's to decide."""
    other = duties.duty(clock.duty, clock.policy).beside
    if other is None:
        return []
    law = duties.law(other)
    who_zh, who = (other, other) if clock.yields_to else (clock.duty, clock.duty)
    return [
        Line(
            kind="conflict",
            zh=f"同一职责另有规定{other}（{law}），两者并行计时，冲突未解决；先到期的{who_zh}提醒",
            en=f"another rule, {other} ({law}), governs the same duty; both clocks run, which one holds is "
            f"not settled; the earlier, {who}, warns",
        )
    ]


def _changed(clock: Clock) -> list[Line]:
    """What changed the count: a new round, an extension, an imported notice, each pause."""
    lines = []
    if clock.round > 1:
        lines.append(Line(kind="anew", zh=f"第{clock.round}次起算", en=f"counted anew, round {clock.round}"))
    if clock.extended:
        lines.append(_extended(clock))
    return [*lines, *map(_recount, clock.recounts), *map(_pause, clock.pauses)]


def _extended(clock: Clock) -> Line:
    """An extension is of the rule that allows it, and of no other that governs the same duty."""
    other = duties.duty(clock.duty, clock.policy).beside
    return Line(
        kind="extended",
        zh="已延期一次，时限含延期" + (f"；{other}不因此延长" if other else ""),
        en="extended once, the limit includes it" + (f"; {other} is not made longer by it" if other else ""),
    )


def _recount(recount: Recount) -> Line:
    before, after = _day(recount.previous_due_at), _day(recount.due_at)
    moved = f"由{before}改为{after}" if before != after else f"仍为{after}，不再是暂定"
    moved_en = f"from {before} to {after}" if before != after else f"still {after}, no longer provisional"
    return Line(
        kind="recomputed",
        zh=f"{_moment(recount.at)}按{recount.notice}重算：{moved}",
        en=f"counted again at {_moment(recount.at)} by {recount.notice}: {moved_en}",
    )


def _pause(pause: Standstill) -> Line:
    zh, en = PAUSES.get(pause.reason, (pause.reason, pause.reason))
    if pause.reason != BY_RULE:
        zh, en = f"{zh}，由{pause.approver}批准", f"{en}, by {pause.approver}"
    since = _moment(pause.start)
    if pause.end is None:
        return Line(
            kind="paused",
            zh=f"自{since}起暂停（{zh}），恢复后重算",
            en=f"stands still since {since} ({en}), counted again when it resumes",
        )
    until = _moment(pause.end)
    return Line(
        kind="pause",
        zh=f"{since}至{until}暂停（{zh}）",
        en=f"stood still from {since} to {until} ({en})",
    )


def _notices(clock: Clock, counted: Due, calendar: Calendar) -> list[Line]:
    """The notice that says which days of a year are working days, for each year that the count reaches."""
    assert clock.started_at is not None
    limit = Limit.parse(clock.limit)
    if limit.unit is not Unit.WORKING_DAYS and not limit.moves:
        return []
    lines = []
    for year in range(local(clock.started_at).year, counted.due_on.year + 1):
        notice = calendar.notice(year)
        if notice is not None:
            names = "、".join(f"{each.title}（{each.number}）" for each in notice.sources)
            lines.append(Line(kind="notice", zh=f"{year}年依{names}", en=f"{year} by {names}"))
    return lines


def _warning(clock: Clock) -> list[Line]:
    if clock.warn_at is None or clock.yields_to or duties.duty(clock.duty, clock.policy).keep:
        return []
    share = round(duties.duty(clock.duty, clock.policy).warn * 100)
    at = _moment(clock.warn_at)
    return [
        Line(kind="warning", zh=f"{at}提醒（时限已用{share}%）", en=f"warned at {at}, {share}% of it used")
    ]


def _ended(clock: Clock) -> list[Line]:
    if clock.end is None:
        return []
    at = _moment(clock.end.at)
    words = {
        "met": ("按时完成", "met in time"),
        "met_late": ("超期完成", "met late"),
        "cancelled": ("已取消", "cancelled"),
    }
    zh, en = words[clock.state or "cancelled"]
    return [Line(kind="ended", zh=f"{at}{zh}", en=f"{en} at {at}")]


def _moment(at: datetime) -> str:
    return f"{local(at):%Y-%m-%d %H:%M}"


def _day(due_at: datetime) -> str:
    """The last day, or the moment where it ends within one."""
    here = local(due_at)
    return f"{local(last_moment(due_at)):%Y-%m-%d}" if here.hour == here.minute == 0 else _moment(due_at)
