"""China's working days, and deadlines counted in them.

Days come from the State Council's notices as data (`data/`, one file a year); a year whose notice is not
out yet has its weekends and statutory days off, and what was counted there is provisional.
Everything is pure: business time is a parameter, every moment timezone-aware.

    due(moment("2026-09-18T10:00"), Limit.parse("10wd")).due_on    # 2026-10-09
"""

from onedoor.calendar.almanac import PACKAGED, Almanac, almanac_of, in_force, put_in_force
from onedoor.calendar.counting import Due, due, period_start
from onedoor.calendar.days import CHINA, Calendar, Day, Kind, announced, describe, is_working
from onedoor.calendar.explanation import Step, StepKind, limit_en, limit_zh
from onedoor.calendar.limits import Limit, Pause, Unit
from onedoor.calendar.moments import SHANGHAI, local, moment
from onedoor.calendar.notices import Notice, parse_notice
from onedoor.calendar.office import (
    OFFICE_HOURS,
    OfficeHours,
    office_hours,
    office_minutes,
    office_time,
    parse_office_hours,
    warn_at,
)
from onedoor.calendar.problems import CalendarProblem

__all__ = [
    "CHINA",
    "OFFICE_HOURS",
    "PACKAGED",
    "SHANGHAI",
    "Almanac",
    "Calendar",
    "CalendarProblem",
    "Day",
    "Due",
    "Kind",
    "Limit",
    "Notice",
    "OfficeHours",
    "Pause",
    "Step",
    "StepKind",
    "Unit",
    "almanac_of",
    "announced",
    "describe",
    "due",
    "in_force",
    "is_working",
    "limit_en",
    "limit_zh",
    "local",
    "moment",
    "office_hours",
    "office_minutes",
    "office_time",
    "parse_notice",
    "parse_office_hours",
    "period_start",
    "put_in_force",
    "warn_at",
]
