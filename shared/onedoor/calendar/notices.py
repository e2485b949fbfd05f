"""The State Council's yearly notices and the statutory days, read from data files of our own format.

A file `data/<year>.yaml` says which days a notice takes off and which it makes working days. Its dates may
lie in the December before. `data/statutory.yaml` holds the days that the regulation itself fixes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from onedoor.calendar.problems import CalendarProblem

_LAST_YEAR = 2999
_LONGEST = 31
_THIRTEEN_DAYS_SINCE = 2025


@dataclass(frozen=True, slots=True)
class Source:
    """The document that a year's days come from."""

    title: str
    number: str
    issued: date
    url: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One year's arrangement: names of the days off and of the make-up working days, by date."""

    year: int
    sources: tuple[Source, ...]
    off: Mapping[date, str]
    make_up: Mapping[date, str]


def parse_notice(text: str) -> Notice:
    """A notice from the text of a data file. Raises CalendarProblem naming the field and the remedy."""
    raw = _mapping(_yaml(text), "file")
    year = raw.get("year")
    if not isinstance(year, int) or isinstance(year, bool):
        raise CalendarProblem(
            "year", "is missing or no number", "write the year, as in year: 2026",
            "缺失或不是数字", "请写明年份，如 year: 2026",
        )  # fmt: skip
    if not 2000 <= year <= _LAST_YEAR:
        raise CalendarProblem(
            "year", f"is {year}", f"write a year from 2000 to {_LAST_YEAR}",
            f"为{year}", f"请填写2000至{_LAST_YEAR}之间的年份",
        )  # fmt: skip
    sources = tuple(_source(row, f"sources[{i}]") for i, row in enumerate(_rows(raw, "sources")))
    off: dict[date, str] = {}
    make_up: dict[date, str] = {}
    for i, row in enumerate(_rows(raw, "holidays")):
        where = f"holidays[{i}]"
        _no_other(row, ("name", "days_off", "make_up"), where)
        name = _text(row, "name", where)
        _add(off, _span(_text(row, "days_off", where), f"{where}.days_off"), name, year, f"{where}.days_off")
        _add(make_up, _dates(row.get("make_up", []), where), name, year, f"{where}.make_up")
    _no_other(raw, ("year", "sources", "holidays"), "file")
    _check_make_up(off, make_up)
    _check_statutory(year, off)
    return Notice(year, sources, off, make_up)


@cache
def packaged_notice(year: int) -> Notice | None:
    """The notice of this year that came with the package, or None: not announced yet."""
    file = files(__package__) / "data" / f"{year}.yaml"
    return parse_notice(file.read_text("utf-8")) if file.is_file() else None


def statutory_days(year: int) -> Mapping[date, str]:
    """Names of the days that the holiday regulation takes off in this year, by date.

    For years without computed lunar days (before 2027 and after 2029) only those of the solar calendar.
    """
    data = _statutory_data()
    days: dict[date, str] = {}
    for row in data["every_year"]:
        span = "/".join(f"{year:04d}-{part}" for part in row["days_off"].split("/"))
        days.update(dict.fromkeys(_span(span, "every_year"), row["name"]))
    for row in data["years"].get(year, ()):
        for day in _span(row["days_off"], "years"):
            days[day] = f"{days[day]}、{row['name']}" if day in days else row["name"]
    return days


@cache
def _statutory_data() -> Any:
    return _yaml((files(__package__) / "data" / "statutory.yaml").read_text("utf-8"))


def _yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise CalendarProblem(
            "file", "is not YAML", "correct the syntax", "不是有效的YAML", "请更正格式"
        ) from error


def _mapping(raw: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise CalendarProblem(
            field, "is not a mapping", "follow the form of the other years' files",
            "结构不符", "请参照其他年份的文件",
        )  # fmt: skip
    return raw


def _rows(raw: Mapping[str, Any], field: str) -> Iterator[Mapping[str, Any]]:
    rows = raw.get(field)
    if not isinstance(rows, list) or not rows:
        raise CalendarProblem(
            field, "is missing or empty", "list at least one entry", "缺失或为空", "请至少列出一项"
        )
    return (_mapping(row, f"{field}[{i}]") for i, row in enumerate(rows))


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise CalendarProblem(
            f"{where}.{key}", "is missing or no text", "write it as quoted text",
            "缺失或不是文本", "请以引号内的文本填写",
        )  # fmt: skip
    return value


def _no_other(row: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """A key that nobody knows is a known one spelt wrongly: its days would be missed without a word."""
    for key in row:
        if key not in known:
            raise CalendarProblem(
                f"{where}.{str(key)[:40]}", "is no part of a notice", f"write {', '.join(known)}",
                "不是通知文件的内容", f"可用：{'、'.join(known)}",
            )  # fmt: skip


def _source(row: Mapping[str, Any], where: str) -> Source:
    _no_other(row, ("title", "number", "issued", "url"), where)
    return Source(
        title=_text(row, "title", where),
        number=_text(row, "number", where),
        issued=_date(_text(row, "issued", where), f"{where}.issued"),
        url=str(row.get("url", "")),
    )


def _date(text: object, field: str) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError as error:
        raise CalendarProblem(
            field, f"{str(text)[:40]!r} is no date of the calendar", "write it as 2026-10-01",
            f"“{str(text)[:40]}”不是有效日期", "请写作 2026-10-01",
        ) from error  # fmt: skip


def _dates(raw: object, where: str) -> list[date]:
    if not isinstance(raw, list):
        raise CalendarProblem(
            f"{where}.make_up", "is not a list", 'write ["2026-10-10"]', "不是列表", '请写作 ["2026-10-10"]'
        )
    return [_date(text, f"{where}.make_up") for text in raw]


def _span(text: str, field: str) -> list[date]:
    first, _, last = text.partition("/")
    start = _date(first, field)
    end = _date(last, field) if last else start
    if end < start:
        raise CalendarProblem(
            field, "ends before it starts", "write first/last", "结束早于开始", "请写作 首日/末日"
        )
    if (end - start).days > _LONGEST:
        raise CalendarProblem(
            field, f"is longer than {_LONGEST} days", "write the first and the last day off",
            f"超过{_LONGEST}天", "请核对首日和末日",
        )  # fmt: skip
    return [start + timedelta(days=i) for i in range((end - start).days + 1)]


def _add(days: dict[date, str], new: list[date], name: str, year: int, field: str) -> None:
    for day in new:
        if day.year != year and (day.year, day.month) != (year - 1, 12):
            raise CalendarProblem(
                field, f"{day} is not in {year}", "put it in its own year's file",
                f"{day}不属于{year}年", "请写入该年的文件",
            )  # fmt: skip
        if day in days:
            raise CalendarProblem(
                field, f"{day} is listed twice", "list each day once", f"{day}重复", "每日只列一次"
            )
        days[day] = name


def _check_make_up(off: Mapping[date, str], make_up: Mapping[date, str]) -> None:
    for day in make_up:
        if day in off:
            raise CalendarProblem(
                "holidays", f"{day} is both off and a make-up day", "keep one of the two",
                f"{day}既放假又调休上班", "请保留其中一项",
            )  # fmt: skip
        if day.weekday() < 5:
            raise CalendarProblem(
                "make_up", f"{day} is a weekday", "only a Saturday or Sunday can be one",
                f"{day}不是周末", "只有周六、周日可以调休上班",
            )  # fmt: skip


def _check_statutory(year: int, off: Mapping[date, str]) -> None:
    """A notice takes off at least the days that the regulation fixes, which stand since 2025."""
    missing = sorted(set(statutory_days(year)) - set(off)) if year >= _THIRTEEN_DAYS_SINCE else []
    if missing:
        raise CalendarProblem(
            "holidays", f"{missing[0]} is a statutory day off and is not listed", "list every day off",
            f"缺少法定节假日{missing[0]}", "请列出全部放假日",
        )  # fmt: skip
