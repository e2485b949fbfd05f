"""A file by its described fields: read out of a form, shown in one, and its places said in words.

The fields are those that assistance tells of the household's file; places are written as `members.0.birth`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from starlette.datastructures import FormData

from onedoor.desk.words import Words

Entry = dict[str, Any]
File = dict[str, Any]
MOST_ROWS = 50
WRITTEN = {"day": re.compile(r"\d{4}-\d\d-\d\d"), "month": re.compile(r"\d{4}-\d\d")}


def read(fields: Sequence[Entry], form: FormData, place: str = "") -> File:
    """The file that a form says. What is left empty is left out; what cannot be read goes as it was typed."""
    found = {entry["name"]: _read(entry, form, _under(place, entry["name"])) for entry in fields}
    return {name: value for name, value in found.items() if value is not None}


def _under(place: str, name: object) -> str:
    return f"{place}.{name}" if place else str(name)


def _read(entry: Entry, form: FormData, place: str) -> Any:
    match entry["kind"]:
        case "part":
            return read(entry["fields"], form, place) or None
        case "parts":
            rows = [read(entry["fields"], form, _under(place, row)) for row in _rows(form, place)]
            return rows or ([] if entry["listed"] and place in form else None)
        case "amounts":
            paid = {name: _typed(form, _under(place, name)) for name in _inside(form, place)}
            return {name: text.replace(",", "") for name, text in paid.items() if text} or None
        case "flag":
            said = place in form
            return said if said != bool(entry["default"]) else None
    text = _typed(form, place)
    if entry["kind"] == "number" and text.isascii() and text.isdigit():
        return int(text)
    return (text.replace(",", "") if entry["kind"] == "yuan" else text) or None


def _typed(form: FormData, place: str) -> str:
    value = form.get(place, "")
    return value.strip() if isinstance(value, str) else ""


def _inside(form: FormData, place: str) -> list[str]:
    """The next words of the form's names under a place, in their order."""
    start = f"{place}."
    return list(dict.fromkeys(name[len(start) :].split(".")[0] for name in form if name.startswith(start)))


def _rows(form: FormData, place: str) -> list[str]:
    numbers = [name for name in _inside(form, place) if name.isascii() and name.isdigit()]
    return sorted(numbers, key=int)[:MOST_ROWS]


def more(fields: Sequence[Entry], file: File, place: str) -> str:
    """One more row in the list at the place, or as many as it needs at least; the new row's place."""
    entry, owner = _at(fields, file, place)
    if entry is None or owner is None or entry["kind"] != "parts":
        return place
    rows = owner.setdefault(entry["name"], [])
    new = len(rows)
    while len(rows) < max(new + 1, entry["least"] or 0) and len(rows) < (entry["most"] or MOST_ROWS):
        rows.append({"id": _free(rows)} if any(each["name"] == "id" for each in entry["fields"]) else {})
    return _under(place, min(new, len(rows) - 1))


def _free(rows: Sequence[File]) -> str:
    """An id that no row has."""
    taken = {row.get("id") for row in rows}
    return next(f"m{number}" for number in range(1, len(rows) + 2) if f"m{number}" not in taken)


def less(fields: Sequence[Entry], file: File, place: str) -> None:
    """Without the row at the place."""
    list_, _, number = place.rpartition(".")
    entry, owner = _at(fields, file, list_)
    rows = owner.get(entry["name"]) if entry is not None and owner is not None else None
    if isinstance(rows, list) and number.isdecimal() and int(number) < len(rows):
        del rows[int(number)]


def _at(fields: Sequence[Entry], file: File, place: str) -> tuple[Entry | None, File | None]:
    """The field at a place, and the part of the file that has it."""
    entry: Entry | None = None
    here: Any = file
    for word in place.split("."):
        if entry is not None:
            here = here.get(entry["name"]) if isinstance(here, dict) else None
            if isinstance(here, list) and word.isdecimal():
                here, fields, entry = _row(here, int(word)), entry["fields"], None
                continue
            fields = entry["fields"]
        entry = next((each for each in fields if each["name"] == word), None)
        if entry is None:
            return None, None
    return entry, here if isinstance(here, dict) else None


def _row(rows: Sequence[Any], number: int) -> Any:
    return rows[number] if number < len(rows) else None


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a list: `first` are the fields asked of everyone, `rest` waits behind a summary."""

    place: str
    title: str
    first: Sequence["Shown"]
    rest: Sequence["Shown"]
    open: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A field as the form shows it. `said`: whether it says anything; `wrong`: its problems."""

    place: str
    title: str
    kind: str
    required: bool
    value: str
    on: bool
    options: Sequence[tuple[str, str]]
    wrong: Sequence[Mapping[str, Any]]
    fields: Sequence["Shown"]
    rows: Sequence[Row]
    room: bool
    listed: bool
    kept: bool
    said: bool
    troubled: bool


@dataclass(frozen=True)
class Form:
    """What is needed to show a file: its fields, whom it may name, and the reader's words."""

    fields: Sequence[Entry]
    people: Mapping[str, str | None]
    words: Words
    first: frozenset[str]

    def shown(self, file: Mapping[str, Any], problems: Sequence[Mapping[str, Any]]) -> Row:
        """The whole file."""
        return self._group(self.fields, file, problems, "", "")

    def _group(
        self,
        fields: Sequence[Entry],
        file: Mapping[str, Any],
        problems: Sequence[Mapping[str, Any]],
        place: str,
        title: str,
    ) -> Row:
        found = [
            (entry, self._field(entry, file.get(entry["name"]), problems, _under(place, entry["name"])))
            for entry in fields
        ]
        first = [each for entry, each in found if entry["label"] in self.first]
        rest = [each for entry, each in found if entry["label"] not in self.first]
        if not first:
            first, rest = rest, []
        return Row(place, title, first, rest, any(each.said or each.troubled for each in rest))

    def _field(
        self,
        entry: Entry,
        value: Any,
        problems: Sequence[Mapping[str, Any]],
        place: str,
        title: str | None = None,
    ) -> Shown:
        kind = entry["kind"]
        below = [each for each in problems if f"{each['field']}.".startswith(f"{place}.")]
        fields: Sequence[Shown] = ()
        rows: Sequence[Row] = ()
        if kind == "part":
            inner = value if isinstance(value, Mapping) else {}
            group = self._group(entry["fields"], inner, below, place, "")
            fields = (*group.first, *group.rest)
        elif kind == "parts":
            rows = [
                self._group(entry["fields"], each, below, f"{place}.{number}",
                            self._numbered(entry, each, number))
                for number, each in enumerate(value if isinstance(value, list) else ())
                if isinstance(each, Mapping)
            ]  # fmt: skip
        elif kind == "amounts":
            fields = list(self._amounts(entry, value if isinstance(value, Mapping) else {}, below, place))
        on = bool(entry["default"]) if value is None else value is not False
        return Shown(
            place=place,
            title=title or self.words.label("file", entry["label"]),
            kind=_control(kind, value),
            required=entry["required"],
            value="" if value is None else str(value),
            on=on,
            options=list(self._options(entry, value)),
            wrong=[each for each in below if each["field"] == place],
            fields=fields,
            rows=rows,
            room=len(rows) < (entry["most"] or MOST_ROWS),
            listed=entry["listed"],
            kept=entry["kept"],
            said=value is not None and (kind != "flag" or on != bool(entry["default"])),
            troubled=bool(below),
        )

    def _amounts(
        self, entry: Entry, value: Mapping[str, Any], below: Sequence[Mapping[str, Any]], place: str
    ) -> Iterator[Shown]:
        for code in dict.fromkeys((*entry["allowed"], *value)):
            one = entry | {"name": code, "kind": "yuan", "allowed": ()}
            yield self._field(one, value.get(code), below, _under(place, code), self._code(entry, code))

    def _options(self, entry: Entry, value: Any) -> Iterator[tuple[str, str]]:
        if entry["kind"] == "person":
            yield from ((id_, name or id_[:8]) for id_, name in self.people.items())
            known = set(self.people)
        else:
            yield from ((code, self._code(entry, code)) for code in entry["allowed"])
            known = set(entry["allowed"])
        if entry["kind"] in ("person", "choice", "open_choice") and value is not None and value not in known:
            yield str(value), str(value)

    def _code(self, entry: Entry, code: str) -> str:
        return self.words.label("filed", f"{entry['name']}.{code}").removeprefix(f"{entry['name']}.")

    def _numbered(self, entry: Entry, row: Mapping[str, Any], number: int) -> str:
        """An entry of a list by its number, with the name of whom it is about, else the relation."""
        title = self.words.label("file", entry["label"])
        name = self.people.get(str(row.get("person"))) or row.get("name") or self._relation(entry, row)
        counted = f"{title}{number + 1}" if self.words.chinese else f"{title} {number + 1}"
        if not name:
            return counted
        return f"{counted}（{name}）" if self.words.chinese else f"{counted} ({name})"

    def _relation(self, entry: Entry, row: Mapping[str, Any]) -> str:
        field = next((each for each in entry["fields"] if each["name"] == "relation"), None)
        code = row.get("relation")
        return self._code(field, code) if field is not None and isinstance(code, str) else ""

    def named(self, place: str, file: Mapping[str, Any]) -> str:
        """A place in words: `members.0.birth` is 成员1（姓名）的出生日期."""
        said: list[str] = []
        fields, here, entry = self.fields, file, None
        for word in place.split("."):
            if entry is not None and entry["kind"] == "parts" and word.isdecimal():
                row = _row(here, int(word)) if isinstance(here, list) else None
                here = row if isinstance(row, Mapping) else {}
                said[-1] = self._numbered(entry, here, int(word))
                fields, entry = entry["fields"], None
                continue
            if entry is not None and entry["kind"] == "amounts":
                said.append(self._code(entry, word))
                break
            fields = entry["fields"] if entry is not None else fields
            entry = next((each for each in fields if each["name"] == word), None)
            said.append(self.words.label("file", entry["label"] if entry is not None else word))
            here = here.get(word, {}) if isinstance(here, Mapping) else {}
        return ("的" if self.words.chinese else ", ").join(said)


def _control(kind: str, value: Any) -> str:
    """A day that is none is shown as the text that it is: a field for days would hide it."""
    written = WRITTEN.get(kind)
    if written is None or value is None or (isinstance(value, str) and _real(kind, written, value)):
        return kind
    return "text"


def _real(kind: str, written: re.Pattern[str], value: str) -> bool:
    if not written.fullmatch(value):
        return False
    try:
        return bool(date.fromisoformat(value if kind == "day" else f"{value}-01"))
    except ValueError:
        return False
