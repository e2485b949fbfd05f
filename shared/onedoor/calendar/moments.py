"""Moments as people write them, read as Asia/Shanghai."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from onedoor.calendar.problems import CalendarProblem

SHANGHAI = ZoneInfo("Asia/Shanghai")


def local(at: datetime) -> datetime:
    """The same moment in Asia/Shanghai. Raises CalendarProblem for a naive one."""
    if at.tzinfo is SHANGHAI:
        return at
    if at.tzinfo is None:
        raise CalendarProblem(
            "moment", "has no offset", "give a timezone-aware moment", "缺少时区", "请注明时区"
        )
    return at.astimezone(SHANGHAI)


def midnight(day: date) -> datetime:
    """00:00 of the day in Asia/Shanghai."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


def moment(text: object, field: str = "moment") -> datetime:
    """ISO 8601 text (or what a YAML reader made of it) as an aware moment in Asia/Shanghai.

    Without an offset it is Asia/Shanghai already; a date alone is 00:00 of it.
    Raises CalendarProblem naming `field`.
    """
    if isinstance(text, str):
        text = _parse(text.strip(), field)
    if not isinstance(text, date):
        raise CalendarProblem(
            field,
            "is not a date or moment",
            "write it as quoted text",
            "不是日期或时间",
            "请写作带引号的文本",
        )
    if not isinstance(text, datetime):
        return midnight(text)
    return text.replace(tzinfo=SHANGHAI) if text.tzinfo is None else text.astimezone(SHANGHAI)


def _parse(text: str, field: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise CalendarProblem(
            field, "is not a date or moment",
            "write 2026-02-13, 2026-02-13T09:00 or 2026-02-13T09:00:00+08:00",
            "不是日期或时间", "请写作 2026-02-13、2026-02-13T09:00 或 2026-02-13T09:00:00+08:00",
        ) from error  # fmt: skip
