"""Why a clock is due when it is: the rule, how sure it is, each stretch of days, pauses and extensions."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from onedoor.calendar import Limit, due, local
from onedoor.notify.domain import duties
from onedoor.notify.domain.clock import Clock, standstills

SOURCES = {
    "statutory": ("法定", "statutory"),
    "local": ("本区规定", "set by the district"),
    "default": ("系统默认", "the system's default"),
}
CERTAINTIES = {"confirmed": ("已核实", "confirmed"), "assumed": ("暂定，待确认", "assumed, to be confirmed")}


class Line(BaseModel):
    """One line. `kind`: rule, anew, extended, paused, ended, or the calendar's kind of step."""

    kind: str
    zh: str
    en: str


class Explanation(BaseModel):
    """The lines in order; `law` is where the limit is written, None for the district's own default."""

    clock_id: UUID
    duty: str
    limit: str
    started_at: datetime
    due_at: datetime
    provisional: bool
    source: str
    certainty: str
    law: str | None
    lines: list[Line]


def explain(clock: Clock) -> Explanation:
    """Explain a clock that has been started."""
    assert clock.clock_id is not None
    assert clock.started_at is not None
    assert clock.due_at is not None
    counted = due(clock.started_at, Limit.parse(clock.limit), standstills(clock.pauses))
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
        law=duties.law(clock.duty),
        lines=[_rule(clock), *_moved(clock), *steps, *_ended(clock)],
    )


def _rule(clock: Clock) -> Line:
    source_zh, source = SOURCES[clock.source]
    sure_zh, sure = CERTAINTIES[clock.certainty]
    law = duties.law(clock.duty)
    return Line(
        kind="rule",
        zh=f"时限{clock.duty}：{clock.limit}，{source_zh}（{sure_zh}）" + (f"，依据{law}" if law else ""),
        en=f"limit {clock.duty}: {clock.limit}, {source} ({sure})" + (f", by {law}" if law else ""),
    )


def _moved(clock: Clock) -> list[Line]:
    """What changed the count: a new round, an extension, a pause that still lasts."""
    lines = []
    if clock.round > 1:
        lines.append(Line(kind="anew", zh=f"第{clock.round}次起算", en=f"counted anew, round {clock.round}"))
    if clock.extended:
        lines.append(
            Line(kind="extended", zh="已延期一次，时限含延期", en="extended once, the limit includes it")
        )
    if clock.state == "paused":
        since = f"{local(clock.pauses[-1].start):%Y-%m-%d %H:%M}"
        lines.append(
            Line(
                kind="paused",
                zh=f"自{since}起暂停，恢复后重算",
                en=f"stands still since {since}, recounted when it resumes",
            )
        )
    return lines


def _ended(clock: Clock) -> list[Line]:
    if clock.end is None:
        return []
    at = f"{local(clock.end.at):%Y-%m-%d %H:%M}"
    words = {
        "met": ("按时完成", "met in time"),
        "met_late": ("超期完成", "met late"),
        "cancelled": ("已取消", "cancelled"),
    }
    zh, en = words[clock.state or "cancelled"]
    return [Line(kind="ended", zh=f"{at}{zh}", en=f"{en} at {at}")]
