"""The desk's words: catalogues of labels and sentences, zh-CN first, English second; and how times are said.

Message ids are short English texts; the labels of codes have the code as id and their list as context. The
catalogues are read as they are committed (.po), so nothing has to be compiled before a start.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from onedoor.calendar import local

LOCALES: Mapping[str, str] = {"zh": "zh_CN", "en": "en"}
FOLDER = Path(__file__).parent / "locale"
WEEKDAYS_ZH = "一二三四五六日"
WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

MARKS: Mapping[str, str] = {"：": ": ", "、": ", ", "，": ", ", "（": " (", "）": ") "}


@lru_cache
def catalogue(language: str) -> GNUTranslations:
    """The catalogue of a language (`zh` or `en`)."""
    with (FOLDER / LOCALES[language] / "desk.po").open("rb") as file:
        read = read_po(file, locale=LOCALES[language])
    compiled = BytesIO()
    write_mo(compiled, read)
    compiled.seek(0)
    return GNUTranslations(compiled)


_EMPTY = re.compile(r"（「」）|「」|（）| *\( *\)| +(?=[ ,:)]|$)")
"""What is left of a sentence around something that nobody said."""


class Words:
    """Everything that a page says in one language."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LOCALES else "zh"
        self._catalogue = catalogue(self.language)

    @property
    def chinese(self) -> bool:
        return self.language == "zh"

    def __call__(self, text: str, **values: object) -> str:
        """A text of the pages; `{name}` in it stands for a value."""
        said = self._catalogue.gettext(text)
        return said.format(**values) if values else said

    def label(self, list_: str, code: object) -> str:
        """The label of a code; an unknown code stands for itself, nothing for None."""
        return "" if code in (None, "") else self._catalogue.pgettext(list_, str(code))

    def labels(self, list_: str, codes: Any) -> str:
        """The labels of several codes."""
        return self.mark("、").join(self.label(list_, code) for code in codes or ())

    def mark(self, mark: str) -> str:
        """A Chinese mark of punctuation as the language writes it."""
        return mark if self.chinese else MARKS[mark]

    def sentence(self, type_: str, values: Mapping[str, object]) -> str:
        """The plain sentence for an event type; what it names and nobody said is left out."""
        said = self._catalogue.pgettext("sentence", type_)
        return _EMPTY.sub("", said.format_map(defaultdict(str, values)))

    def moment(self, at: datetime | None, now: datetime | None = None) -> str:
        """Month, day and time in Shanghai; with the year where it is not this one."""
        if at is None:
            return "—"
        here = local(at)
        return f"{self.day(at, now)} {here:%H:%M}"

    def day(self, at: datetime, now: datetime | None = None) -> str:
        """Month and day in Shanghai; with the year where it is not this one."""
        here = local(at)
        other = now is not None and local(now).year != here.year
        if self.chinese:
            return (f"{here.year}年" if other else "") + f"{here.month}月{here.day}日"
        return f"{here.day} {MONTHS_EN[here.month - 1]}" + (f" {here.year}" if other else "")

    def full(self, at: datetime) -> str:
        """Day, weekday and time, as the clock in the bar shows it."""
        return f"{self.day(at)} {self.weekday(at)} {local(at):%H:%M}"

    def weekday(self, at: datetime) -> str:
        day = local(at).weekday()
        return f"周{WEEKDAYS_ZH[day]}" if self.chinese else WEEKDAYS_EN[day]

    def deadline(self, at: datetime | None, now: datetime | None = None) -> str:
        """A due moment: midnight is said as 24:00 of the day before."""
        if at is None:
            return "—"
        here = local(at)
        if here.hour == here.minute == 0:
            return f"{self.day(at - timedelta(minutes=1), now)} 24:00"
        return self.moment(at, now)

    def span(self, length: timedelta) -> str:
        """A length of time in its two greatest units."""
        minutes = max(int(length.total_seconds() // 60), 0)
        days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
        zh = self.chinese
        if days:
            return f"{days} {'天' if zh else 'd'}" + (f" {hours} {'小时' if zh else 'h'}" if hours else "")
        if hours:
            return f"{hours} {'小时' if zh else 'h'}" + (f" {rest} {'分' if zh else 'min'}" if rest else "")
        return f"{rest} {'分钟' if zh else 'min'}"

    def left(self, due: datetime | None, now: datetime) -> str:
        """How long there is, or how long it is over."""
        if due is None:
            return ""
        if due >= now:
            return self("{span} left", span=self.span(due - now))
        return self("{span} over", span=self.span(now - due))

    @staticmethod
    def parse(text: str) -> datetime:
        """A moment as another service wrote it."""
        return datetime.fromisoformat(text)

    @staticmethod
    def share(start: datetime | None, due: datetime, now: datetime) -> int:
        """How much of a limit is used, in per cent, 100 at most."""
        if start is None or due <= start:
            return 100
        return round(min(max((now - start) / (due - start), 0.0), 1.0) * 100)

    def limit(self, text: str | None) -> str:
        """A limit in the notation of `onedoor due`, in words."""
        if not text:
            return ""
        number = text.rstrip("!+*abcdefghijklmnopqrstuvwxyz")
        unit = text[len(number) :].rstrip("!+*")
        words = f"{number} {self.label('unit', unit)}".strip()
        marks = {"+": self("at least {limit}", limit=words), "*": self("every {limit}", limit=words)}
        return marks.get(text[-1], words)
