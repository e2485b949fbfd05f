"""The dated figures of the law: a table that is data, hashed, and replaceable as a whole.

Amounts are yuan in the files, as a lawyer reads them, and whole fen (int) in `Entry.value`; factors and
ratios are exact fractions. Before the first entry, and in an entry of null, none is known or invented.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Literal

Certainty = Literal["confirmed", "assumed"]
AMOUNT_UNITS = frozenset({"yuan/person/month", "yuan/household/month", "yuan"})
WHOLE_UNITS = frozenset({"months", "flag"})


class TableProblem(ValueError):
    """A table of parameters that cannot be used: which entry, and what is wrong with it."""


@dataclass(frozen=True)
class Entry:
    """One value from one day on: fen for amounts, else a fraction; None where no figure is known."""

    since: date
    value: int | Fraction | None
    certainty: Certainty
    source: str
    written: str
    note: str = ""

    @property
    def assumed(self) -> bool:
        return self.certainty == "assumed"


@dataclass(frozen=True)
class Parameter:
    """A named figure of the law with all its dated values, oldest first."""

    id: str
    unit: str
    title_zh: str
    title_en: str
    entries: tuple[Entry, ...]

    def on(self, day: date) -> Entry | None:
        """The entry in force on the day; None before the first."""
        found = bisect_right([entry.since for entry in self.entries], day)
        return self.entries[found - 1] if found else None


class Parameters:
    """A whole table. Equal content gives an equal `hash`."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """`rows` are written as in the files. Raises TableProblem."""
        written = list(rows)
        parameters = [_parameter(row) for row in written]
        self.rows = [_plain(row) for row in written]
        self._by_id = {parameter.id: parameter for parameter in parameters}
        if len(self._by_id) != len(parameters):
            raise TableProblem("a parameter is there twice")

    def __getitem__(self, name: str) -> Parameter:
        return self._by_id[name]

    def __iter__(self) -> Any:
        return iter(self._by_id.values())

    def __contains__(self, name: str) -> bool:
        return name in self._by_id

    def on(self, name: str, day: date) -> Entry | None:
        """The entry of a parameter in force on the day. Raises KeyError for an unknown name."""
        return self._by_id[name].on(day)

    @cached_property
    def hash(self) -> str:
        """`sha256:` of the table's canonical JSON."""
        return content_hash(sorted(self.rows, key=lambda row: str(row["id"])))

    def replaced(self, rows: Iterable[Mapping[str, Any]]) -> "Parameters":
        """This table with the parameters of `rows` in place of those of the same id."""
        newer = {str(row["id"]): dict(row) for row in rows}
        unknown = newer.keys() - self._by_id.keys()
        if unknown:
            raise TableProblem(f"unknown parameters: {', '.join(sorted(unknown))}")
        return Parameters(newer.get(str(row["id"]), row) for row in self.rows)

    def changed(self, name: str, since: date, value: Any, source: str = "variant") -> "Parameters":
        """This table with one more value of one parameter from a day on; a value of that same day gives way.

        Later values of the parameter stay.
        """
        if name not in self._by_id:
            raise TableProblem(f"unknown parameters: {name}")
        row = next(row for row in self.rows if row["id"] == name)
        entry = {"from": since.isoformat(), "value": value, "certainty": "assumed", "source": source}
        kept = [old for old in row["values"] if old["from"] != entry["from"]]
        return self.replaced([{**row, "values": [*kept, entry]}])


def content_hash(value: object) -> str:
    """`sha256:` of a JSON value, independent of key order and spacing."""
    return f"sha256:{hashlib.sha256(canonical(value)).hexdigest()}"


def canonical(value: object) -> bytes:
    """A JSON value in the one way in which it is hashed and kept: keys sorted, no spaces."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its days as text, also where a YAML reader made dates of them."""
    return {**row, "values": [{**value, "from": str(value["from"])} for value in row["values"]]}


def _parameter(row: Mapping[str, Any]) -> Parameter:
    try:
        name, unit, title = str(row["id"]), str(row["unit"]), row.get("title") or {}
        entries = sorted((_entry(value, unit) for value in row["values"]), key=lambda entry: entry.since)
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise TableProblem(f"{row.get('id', 'a parameter')}: {error}") from error
    if len({entry.since for entry in entries}) != len(entries):
        raise TableProblem(f"{name}: two values begin on the same day")
    return Parameter(name, unit, title.get("zh", name), title.get("en", name), tuple(entries))


def _entry(row: Mapping[str, Any], unit: str) -> Entry:
    if row["certainty"] not in ("confirmed", "assumed"):
        raise ValueError("certainty is neither confirmed nor assumed")
    value = row["value"]
    return Entry(
        since=date.fromisoformat(str(row["from"])),
        value=None if value is None else _exact(value, unit),
        certainty=row["certainty"],
        source=str(row["source"]),
        written="" if value is None else str(value),
        note=str(row.get("note", "")),
    )


def _exact(value: Any, unit: str) -> int | Fraction:
    number = Decimal(str(value))
    if number < 0:
        raise ValueError("a value is negative")
    if unit in AMOUNT_UNITS or unit in WHOLE_UNITS:
        scaled = number * 100 if unit in AMOUNT_UNITS else number
        if scaled != int(scaled):
            raise ValueError(f"{value} is not whole fen" if unit in AMOUNT_UNITS else f"{value} is not whole")
        return int(scaled)
    return Fraction(number).limit_denominator(10_000)


def read_table(text: str) -> Parameters:
    """The table of a YAML text `{parameters: [...]}`. Raises TableProblem."""
    import yaml

    try:
        rows = _yaml(text)["parameters"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise TableProblem("is not the mapping {parameters: [...]}") from error
    return Parameters(rows)


@cache
def packaged_parameters() -> Parameters:
    """The product's own table, out of `parameters/*.yaml`."""
    folder = files("onedoor.policy") / "parameters"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".yaml"))
    texts = [(folder / name).read_text("utf-8") for name in names if name != "sources.yaml"]
    return Parameters(row for text in texts for row in _yaml(text)["parameters"])


@cache
def sources() -> Mapping[str, Mapping[str, str]]:
    """What the short names of sources and laws stand for: {name: {zh, en}}."""
    text = (files("onedoor.policy") / "parameters" / "sources.yaml").read_text("utf-8")
    names: Mapping[str, Mapping[str, str]] = _yaml(text)["sources"]
    return names


def _yaml(text: str) -> Any:
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
