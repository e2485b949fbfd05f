"""When what is not critical may disturb somebody: in waking hours of working days, else in the digest."""

from datetime import datetime, time, timedelta

from onedoor.calendar import SHANGHAI, in_force, local

MORNING, EVENING = time(8, 30), time(18, 0)
"""Assumed: the digest half an hour before offices open, quiet from their close."""

FOLDING = timedelta(minutes=5)
"""So long a message waits for more to the same person."""


def awake(at: datetime) -> bool:
    """Whether it is no quiet hour."""
    here = local(at)
    return in_force().calendar.is_working(here.date()) and MORNING <= here.time() < EVENING


def next_chance(at: datetime) -> datetime:
    """When a message that is not critical may go out, if it is decided on now: once more of the same may have
    come together, or with the next digest where that would be in quiet hours."""
    folded = at + FOLDING
    return folded if awake(at) and awake(folded) else next_morning(at)


def next_morning(at: datetime) -> datetime:
    """When the next digest goes out: the moment itself, if it is one."""
    here = local(at)
    day = here.date()
    while True:
        digest = datetime.combine(day, MORNING, SHANGHAI)
        if digest >= here and in_force().calendar.is_working(day):
            return digest
        day += timedelta(days=1)
