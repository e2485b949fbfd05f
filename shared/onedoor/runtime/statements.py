"""Several writes in one statement: the way to PostgreSQL and back costs more than most of what goes it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from onedoor.runtime.service import Connection

_PARAMETER = re.compile(r"\$([0-9]+)")


@dataclass(frozen=True, slots=True)
class Statement:
    """A write with its arguments, to be done together with others. It has no `with` of its own."""

    sql: str
    args: tuple[Any, ...]


async def together(conn: Connection, statements: Iterable[Statement]) -> None:
    """Do all of them as one statement.

    None sees what another one writes. No two may write the same row: PostgreSQL would do one of them only.
    """
    all_ = list(statements)
    if all_:
        sql = joined(*((each.sql, len(each.args)) for each in all_))
        await conn.execute(sql, *(arg for each in all_ for arg in each.args))


@lru_cache(maxsize=256)
def joined(*parts: tuple[str, int]) -> str:
    """One statement of several, each with the number of its arguments, which it counts from `$1`."""
    counted, before = [], 0
    for sql, arguments in parts:
        counted.append(_moved(sql, before))
        before += arguments
    *others, last = counted
    if not others:
        return last
    named = ", ".join(f"written_{place} as ({sql})" for place, sql in enumerate(others))
    return f"with {named} {last}"


def _moved(sql: str, by: int) -> str:
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + by}", sql)
