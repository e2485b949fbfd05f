"""What other figures would do to the households on file: who gains, who loses, what it costs a month."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from onedoor.assistance.registry.leads import STANDING
from onedoor.policy import Household, HouseholdProblems, packaged_parameters, parse_household
from onedoor.runtime.service import Connection

_FILES = f"""
select file from households join cases on cases.id = households.case_id where {STANDING} order by case_id
"""  # noqa: S608 - own words


async def files(conn: Connection) -> list[str]:
    """Every household's file that still speaks of one here, as it is stored."""
    return [row["file"] for row in await conn.fetch(_FILES)]


def effect(stored: Sequence[str], day: date, changes: Mapping[str, float]) -> dict[str, Any]:
    """Present against changed figures from `day` on, small groups hidden; households that the rules cannot
    read are left out and counted as `unread`. Figures in fen. It computes: keep it off the loop.

    Raises TableProblem for a figure that there is not.
    """
    from onedoor.policy.simulation import Study, register_of

    table = packaged_parameters()
    for name, value in changes.items():
        table = table.changed(name, day, value)
    read = list(_read(stored, day))
    told = Study(register_of(read), day).effect(table).model_dump(mode="json")
    return {"as_of": day.isoformat(), "households": len(read), "unread": len(stored) - len(read), **told}


def _read(stored: Sequence[str], day: date) -> Iterator[Household]:
    for text in stored:
        try:
            yield parse_household(json.loads(text)).model_copy(update={"as_of": day})
        except HouseholdProblems:
            continue
