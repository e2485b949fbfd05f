"""Dates that the calendar moves: as they were told, and as they are counted by the calendar in force.

What was told stays where it was written. A notice of the working days that is imported later moves what is
open: nothing that somebody relies on (to appeal, to object) ends earlier than was told, and what the office
itself owes is due as it is counted now, as its clock at notify is.
"""

from datetime import date, datetime, timedelta
from itertools import count

from pydantic import BaseModel, ConfigDict

from onedoor.assistance.domain.proceeding import Decision, Proceeding
from onedoor.assistance.domain.table import Workflow
from onedoor.calendar import Limit, Unit, due, local

APPEAL_DAYS = 60
APPEAL = Limit(APPEAL_DAYS, Unit.CALENDAR_DAYS)
"""行政复议 within sixty days of learning of the decision (FY art. 20)."""

_LONGEST_MOVE = timedelta(days=15)
"""No holiday moves a day farther, and no month is so short."""


class Counted(BaseModel):
    """A date as it holds now. provisional: it reaches a year that is not announced yet; told: what was told
    first, where that is another day.
    """

    model_config = ConfigDict(frozen=True)

    until: datetime
    provisional: bool
    told: datetime | None = None


def appeal_until(decision: Decision) -> Counted | None:
    """Until when reconsideration may be asked for."""
    told = decision.appeal_until
    return None if told is None else _relied_on(decision.decided_at, APPEAL, told)


def review_by(decision: Decision) -> Counted | None:
    """By when the grant is looked at again (L8)."""
    told = decision.review_by
    if told is None:
        return None
    now = due(decision.decided_at, _months(decision.decided_at, told))
    return _counted(now.due_at, now.provisional, told)


def notice_until(proceeding: Proceeding, workflow: Workflow) -> Counted | None:
    """Until when a notice stands (L3, L12, L15)."""
    told, since = proceeding.notice_until, proceeding.notice_since
    if told is None:
        return None
    if since is None:
        return Counted(until=told, provisional=False)
    round_ = 1 if proceeding.state == "ending_notice" else proceeding.notice_round
    return _relied_on(since, Limit(workflow.days_posted(round_), Unit.CALENDAR_DAYS), told)


def _relied_on(start: datetime, limit: Limit, told: datetime) -> Counted:
    now = due(start, limit)
    return _counted(max(told, now.due_at), now.provisional, told)


def _counted(until: datetime, provisional: bool, told: datetime) -> Counted:
    return Counted(until=until, provisional=provisional, told=told if told != until else None)


def _months(start: datetime, told: datetime) -> Limit:
    """The limit in months that gave the told day: the one whose own day lies at most a holiday before it."""
    last = _day(told)
    return next(
        limit
        for limit in (Limit(number, Unit.MONTHS) for number in count(1))
        if _day(due(start, limit).due_at) + _LONGEST_MOVE > last
    )


def _day(due_at: datetime) -> date:
    return local(due_at - timedelta(microseconds=1)).date()
