"""Registers out of files: JSON Lines of households in the full form, or CSV with a line per member."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from onedoor.policy.household import Household, parse_household
from onedoor.policy.problems import HouseholdProblems
from onedoor.policy.simulation.register import Progress, Register, register_of, silent

OF_HOUSEHOLD = ("region", "registered_division", "property", "rigid_deduction")
OF_MEMBER = ("relation", "birth", "work_costs", "student")
FLAGS = ("major_illness", "independent", "dependant")
COLUMNS = (
    "household",
    *OF_HOUSEHOLD,
    *OF_MEMBER,
    *FLAGS,
    "income_kind",
    "income",
    "disability_type",
    "disability_level",
    "whereabouts",
)
"""Of a CSV register: a line per member, the members of a household one after the other, yuan a month."""


class RegisterProblem(ValueError):
    """A register that cannot be used: the line and what is wrong with it."""


def read_register(path: Path, day: date, progress: Progress = silent) -> Register:
    """The register of a .jsonl or .csv file, everyone as of the day.

    Raises RegisterProblem, or OSError where the file cannot be read.
    """
    readers = {".jsonl": _json_lines, ".csv": _csv_lines}
    if path.suffix not in readers:
        raise RegisterProblem(f"{path.name}: is neither .jsonl nor .csv")
    with path.open(encoding="utf-8-sig", newline="") as lines:
        register = register_of(_households(readers[path.suffix](lines), day), progress)
    if register.households == 0:
        raise RegisterProblem(f"{path.name}: holds no household")
    return register


def _households(rows: Iterable[tuple[int, Mapping[str, Any]]], day: date) -> Iterator[Household]:
    for line, row in rows:
        try:
            yield parse_household({**row, "as_of": day.isoformat()})
        except HouseholdProblems as problem:
            raise RegisterProblem(f"line {line}: {problem}") from None


def _json_lines(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise RegisterProblem(f"line {number}: is not JSON") from None
        if not isinstance(row, dict):
            raise RegisterProblem(f"line {number}: is not a household")
        yield number, row


def _csv_lines(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(lines)
    unknown = set(reader.fieldnames or ()) - set(COLUMNS)
    if unknown or not {"household", "birth", "relation"} <= set(reader.fieldnames or ()):
        raise RegisterProblem(f"line 1: the columns are {', '.join(COLUMNS)}")
    numbered = ((reader.line_num, row) for row in reader)
    for _, members in groupby(numbered, key=lambda one: one[1]["household"]):
        rows = list(members)
        first_line, first = rows[0]
        yield (
            first_line,
            {
                **{key: first[key] for key in OF_HOUSEHOLD if first.get(key)},
                "members": [_member(row, number) for number, (_, row) in enumerate(rows, start=1)],
            },
        )


def _member(row: Mapping[str, str], number: int) -> dict[str, Any]:
    member: dict[str, Any] = {"id": f"m{number}"}
    member |= {key: row[key] for key in OF_MEMBER if row.get(key)}
    member |= {key: _flag(row[key]) for key in FLAGS if row.get(key)}
    if row.get("income"):
        kind = row.get("income_kind") or "wages"
        member["incomes"] = [{"kind": kind, "amount": row["income"], "per": "month"}]
    if row.get("disability_level"):
        level = row["disability_level"]
        member["disability"] = {
            "type": row.get("disability_type"),
            "level": int(level) if level.isdecimal() else level,
        }
    if row.get("whereabouts"):
        member["whereabouts"] = {"status": row["whereabouts"]}
    return member


def _flag(text: str) -> bool | str:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
