"""The household's file as a form: what is typed is what is sent, and a problem's place is said in words."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import FormData

from onedoor.assistance.household_form import Entry, household_form, kept_of
from onedoor.desk import filing
from onedoor.desk.divisions import DIVISIONS
from onedoor.desk.pages.household import FIRST
from onedoor.desk.web import render
from onedoor.desk.words import Words
from onedoor.policy import FieldProblem, HouseholdProblems, as_file, parse_household
from tests.district import household
from tests.households import CONTRADICTIONS, UNREADABLE, Raw, changed

NOW = datetime(2026, 3, 10, 2, tzinfo=UTC)
FIELDS = [entry.model_dump() for entry in household_form()]
PERSON = "0192f0c1-2345-7abc-8def-0123456789ab"


def form(language: str = "zh") -> filing.Form:
    return filing.Form(FIELDS, {PERSON: "文心兰"}, Words(language), FIRST)


class Typed(HTMLParser):
    """What a browser would send of a form, left as it was drawn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self.drawn: list[str] = []
        self.marked: dict[str, dict[str, str | None]] = {}
        self._select = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        name, value = said.get("name") or "", said.get("value") or ""
        if "id" in said:
            self.marked[said["id"] or ""] = said
        if tag == "select":
            self._select = name
        elif tag == "option" and "selected" in said:
            self.sent.append((self._select, value))
        elif tag == "input":
            self.drawn.append(name)
            if said.get("type") != "checkbox" or "checked" in said:
                self.sent.append((name, value))


def drawn(raw: Raw, problems: Sequence[FieldProblem] = (), language: str = "zh") -> str:
    shows = form(language)
    said = [told(each) for each in problems]
    return render(
        "fragments/household_form.html",
        Words(language),
        NOW,
        case_id=PERSON,
        form=shows.shown(raw, said),
        wrong=[(each, shows.named(each["field"], raw)) for each in said],
        told="refused" if said else None,
        version="1",
        focus=said[0]["field"] if said else "",
        divisions=DIVISIONS,
    )


def told(problem: FieldProblem) -> dict[str, Any]:
    """As a service tells it: without what is empty."""
    return {name: value for name, value in problem.model_dump().items() if value}


def typed(raw: Raw) -> Raw:
    """The file after it was shown in the form and sent as it stood there."""
    return filing.read(FIELDS, FormData(Typed(drawn(raw)).sent))


def problems_of(raw: Raw) -> list[tuple[str, str]]:
    try:
        parse_household(raw)
    except HouseholdProblems as wrong:
        return [(each.field, each.problem) for each in wrong.problems]
    return []


@pytest.mark.parametrize("seed", range(40))
def test_a_file_that_is_shown_and_sent_is_the_same_file(seed: int) -> None:
    raw = as_file(parse_household(household(Random(f"form {seed}"), date(2026, 3, 10))))
    assert parse_household(typed(raw)) == parse_household(raw)


def test_every_field_of_the_file_can_be_said_in_the_form() -> None:
    read = parse_household(FULL)
    assert parse_household(typed(as_file(read))) == read
    silent = [
        entry.label
        for entry, value in said(household_form(), as_file(read))
        if value is None and entry.name not in ("name", "id_number")
    ]
    assert silent == [], "the example says everything that the file can"


def said(fields: Sequence[Entry], *parts: Any) -> Iterator[tuple[Entry, Any]]:
    """Each field with what the first of the parts that says it says of it."""
    for entry in fields:
        values = [part[entry.name] for part in parts if entry.name in part]
        yield entry, next(iter(values), None)
        inner = [each for value in values for each in (value if isinstance(value, list) else [value])]
        yield from said(entry.fields, *(each for each in inner if isinstance(each, dict)))


def held(field: str, value: Any) -> bool:
    """Whether JSON can hold it, and a field of the form can show it."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return not (field == "members" or field.endswith(".wage"))


FULL: Raw = {
    "as_of": "2026-03-10",
    "region": "urban",
    "registered_division": "500112016",
    "property": "unknown",
    "rigid_deduction": 1.5,
    "income_change": "employment",
    "review_decided_on": "2026-02-10",
    "income_12mo": 54000,
    "rigid_costs_12mo": 32400.01,
    "expenditure_hardship": True,
    "enrolments": [
        {"programme": "dibao", "since": "2025-03-01", "status": "taper", "taper_first_month": "2026-04"}
    ],
    "emergency": {
        "kind": "fire",
        "at": "2026-03-09",
        "place_division": "500112016",
        "basic_life_in_difficulty": True,
    },
    "charity": {"gap": 60000, "received": 20000, "consent": True},
    "members": [
        {
            "id": "m1",
            "relation": "head",
            "birth": "2010-05-06",
            "person": PERSON,
            "name": "文心兰",
            "incomes": [{"kind": "wages", "amount": 900.5, "per": "month"}],
            "work_costs": 20,
            "disability": {"type": "visual", "level": 1},
            "major_illness": True,
            "work": "学徒",
            "student": "compulsory",
            "independent": False,
            "dependant": True,
            "lives_together": False,
            "whereabouts": {"status": "prison", "since": "2026-01-01", "term_months": 6},
            "enrolments": [{"programme": "unattended_child", "since": "2025-01-01", "payment": "top_up"}],
            "supporters": [
                {
                    "relation": "father",
                    "birth": "1950-01-01",
                    "tekun": True,
                    "on_dibao": True,
                    "disability": {"type": "mental", "level": 3},
                    "income": 12.34,
                    "property": "low_income",
                    "civil_capacity": "none",
                    "status": "prison",
                }
            ],
            "failed_activities": 3,
            "placement": "scattered",
            "choice": "orphan",
            "already_paid": {"dibao": 400},
            "parents": [
                {
                    "relation": "father",
                    "status": "prison",
                    "since": "2025-05-01",
                    "term_months": 9,
                    "disability": {"type": "physical", "level": 2},
                    "serious_illness_listed": True,
                },
                {
                    "relation": "mother",
                    "status": "lost_contact",
                    "police_report_on": "2025-02-02",
                    "police_slip": "not_found",
                    "police_slip_on": "2025-08-02",
                },
            ],
        }
    ],
}


WRONG = [
    *((field, value) for field, value, _ in UNREADABLE if held(field, value)),
    *((field, value) for field, value, _, _ in CONTRADICTIONS),
]


@pytest.mark.parametrize(("field", "value"), WRONG, ids=str)
def test_a_draft_is_shown_with_its_problem_at_the_very_field(field: str, value: Any) -> None:
    raw = changed(field, value)
    raw = raw if field == "members.0.id_number" else kept_of(raw)
    with pytest.raises(HouseholdProblems) as refused:
        parse_household(raw)
    shown = Typed(drawn(raw, refused.value.problems))
    for problem in refused.value.problems:
        assert shown.marked[f"f-{problem.field}"]["aria-invalid"] == "true"
        assert f"wrong-{problem.field}" in shown.marked
    assert [mark for mark, said in shown.marked.items() if "data-focus" in said] == [
        f"f-{refused.value.problems[0].field}"
    ]


@pytest.mark.parametrize(
    ("place", "zh", "en"),
    [
        ("members.0.birth", "成员1（文心兰）的出生日期", "member 1 (文心兰), date of birth"),
        ("members.1.incomes.0.amount", "成员2的收入1的金额（元）", "member 2, income 1, amount (yuan)"),
        ("members.0.disability.level", "成员1（文心兰）的残疾人证的残疾等级（1至4）",
         "member 1 (文心兰), disability certificate, level (1 to 4)"),
        ("members.0.already_paid.dibao", "成员1（文心兰）的已领取的补贴（元/月）的低保",
         "member 1 (文心兰), paid already (yuan a month), dibao"),
        ("members.2.birth", "成员3（子女）的出生日期", "member 3 (child), date of birth"),
        ("members.7.birth", "成员8的出生日期", "member 8, date of birth"),
        ("as_of", "计算日期", "day of the calculation"),
        ("household", "家庭情况", "the household's file"),
        ("members.0.wage", "成员1（文心兰）的wage", "member 1 (文心兰), wage"),
    ],
)  # fmt: skip
def test_a_place_is_said_in_the_clerks_words(place: str, zh: str, en: str) -> None:
    file = {"members": [{"person": PERSON}, {"incomes": [{}]}, {"relation": "child"}]}
    assert (form("zh").named(place, file), form("en").named(place, file)) == (zh, en)


def test_a_member_comes_with_a_number_that_nobody_has_and_goes_again() -> None:
    file: Raw = {"members": [{"id": "m1"}, {"id": "m3"}]}
    assert filing.more(FIELDS, file, "members") == "members.2"
    assert [each["id"] for each in file["members"]] == ["m1", "m3", "m2"]
    filing.less(FIELDS, file, "members.0")
    assert [each["id"] for each in file["members"]] == ["m3", "m2"]
    assert filing.more(FIELDS, file, "members.1.incomes") == "members.1.incomes.0"
    assert filing.more(FIELDS, file, "members.1.parents") == "members.1.parents.0"
    assert file["members"][1] == {"id": "m2", "incomes": [{}], "parents": [{}, {}]}


@pytest.mark.parametrize(
    "place",
    ["", "as_of", "nowhere", "members.9.incomes", "members.x", "members.0.birth", "members.0.0.0", "²"],
)
def test_a_place_that_is_no_list_changes_nothing(place: str) -> None:
    file: Raw = {"as_of": "2026-03-10", "members": [{"id": "m1", "birth": "x"}]}
    filing.more(FIELDS, file, place)
    filing.less(FIELDS, file, f"{place}.0")
    assert file == {"as_of": "2026-03-10", "members": [{"id": "m1", "birth": "x"}]}


def test_nobody_who_owes_support_is_something_else_than_not_asked() -> None:
    asked = [("members.0.id", "m1"), ("members.0.supporters", "1")]
    (member,) = filing.read(FIELDS, FormData(asked))["members"]
    (other,) = filing.read(FIELDS, FormData(asked[:1]))["members"]
    assert (member["supporters"], "supporters" in other) == ([], False)


NAMES = st.sampled_from(
    [
        "as_of",
        "members",
        "members.0.birth",
        "members.2.incomes.0.amount",
        "members.1",
        "members.x.id",
        "charity.gap",
        "members.0.supporters",
        "members.0.already_paid.dibao",
        "members.0.already_paid.a.b",
        "members..id",
        "emergency",
    ]
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(NAMES, st.text(max_size=12)), max_size=12))
def test_whatever_is_typed_can_be_read_kept_and_shown_again(items: list[tuple[str, str]]) -> None:
    file = filing.read(FIELDS, FormData(items))
    kept = kept_of(file)
    with pytest.raises(HouseholdProblems) as refused:
        parse_household(file)
    assert drawn(kept, refused.value.problems)
    assert kept_of(typed(kept)) == kept
