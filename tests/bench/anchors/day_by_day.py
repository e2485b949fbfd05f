"""The anchor of counting: a plain walk from day to day, asking chinesecalendar of each whether it works."""

import time
from datetime import date, timedelta
from random import Random

import chinese_calendar

from tests.bench.meter import answer, asked

ONE_DAY = timedelta(days=1)
FIRST, LAST_DAY = date(2022, 1, 1), 4 * 365


def due(start: date, days: int, pauses: list[tuple[date, date]]) -> date:
    """The last of so many working days after the start that are not paused."""
    day = start
    while days:
        day += ONE_DAY
        if not any(begins <= day < ends for begins, ends in pauses) and chinese_calendar.is_workday(day):
            days -= 1
    return day


if __name__ == "__main__":
    chance, total = Random(1), asked()["count"]
    questions = []
    for _ in range(total):
        start = FIRST + timedelta(days=chance.randrange(LAST_DAY))
        pauses = []
        for _ in range(chance.randrange(3)):
            begins = start + timedelta(days=chance.randrange(1, 20))
            pauses.append((begins, begins + timedelta(days=chance.randrange(1, 30))))
        questions.append((start, chance.randrange(1, 46), pauses))
    began, processor = time.perf_counter(), time.process_time()
    for question in questions:
        due(*question)
    used = time.process_time() - processor
    answer({"rate": total / (time.perf_counter() - began), "cpu_us": used / total * 1e6})
