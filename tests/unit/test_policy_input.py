"""A household file that cannot stand is refused field by field, in words that a clerk understands."""

import copy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from onedoor.dev import policy, rules
from onedoor.policy import FieldProblem, Household, HouseholdProblems, as_file, parse_household
from onedoor.policy.checks import born_by_number

Raw = dict[str, Any]
app = typer.Typer()
rules.register(app)
policy.register(app)


def household() -> Raw:
    return {
        "as_of": "2026-03-10",
        "region": "urban",
        "registered_division": "500112016",
        "members": [
            {
                "id": "m1",
                "relation": "head",
                "birth": "1980-05-06",
                "incomes": [{"kind": "wages", "amount": 900.5, "per": "month"}],
            },
            {"id": "m2", "relation": "spouse", "birth": "1982-08-09"},
            {"id": "m3", "relation": "child", "birth": "2014-03-12"},
        ],
    }


def changed(path: str, value: Any) -> Raw:
    """The household with one field set, `members.0.birth` for the first member's birth."""
    raw = household()
    *parents, last = path.split(".")
    node: Any = raw
    for key in parents:
        node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
    if isinstance(node, list):
        node[int(last) :] = [value]
    else:
        node[last] = value
    return raw


def problems(raw: object, today: date | None = None) -> list[FieldProblem]:
    with pytest.raises(HouseholdProblems) as refused:
        parse_household(raw, today)
    return list(refused.value.problems)


UNREADABLE = [
    ("members.0.birth", "1980-13-06", "is not a day"),
    ("members.0.birth", "19800506", "is not a day"),
    ("members.0.birth", "1980-W21-3", "is not a day"),
    ("members.0.birth", 19800506, "is not a day"),
    ("members.0.incomes.0.amount", -1, "is negative"),
    ("members.0.incomes.0.amount", "-0.01", "is negative"),
    ("members.0.incomes.0.amount", "100000000.01", "is more than a hundred million yuan"),
    ("members.0.incomes.0.amount", 1e300, "is more than a hundred million yuan"),
    ("members.0.incomes.0.amount", "1e999999999", "is not an amount of money"),
    ("members.0.incomes.0.amount", float("nan"), "is not an amount of money"),
    ("members.0.incomes.0.amount", float("inf"), "is not an amount of money"),
    ("members.0.incomes.0.amount", "sNaN", "is not an amount of money"),
    ("members.0.incomes.0.amount", "much", "is not an amount of money"),
    ("members.0.incomes.0.amount", True, "is not an amount of money"),
    ("members.0.incomes.0.amount", 1.005, "has more than two decimals"),
    ("members.0.incomes.0.per", "week", "is none of the values allowed"),
    ("members.0.relation", "boss", "is none of the values allowed"),
    ("members.0.disability", {"type": "visual", "level": 0}, "is too small"),
    ("members.0.disability", {"type": "visual", "level": 5}, "is too great"),
    ("members.0.failed_activities", 7, "is too great"),
    ("members.0.wage", 100, "is not a field of this form"),
    ("members.0.parents", [{"relation": "mother", "status": "dead"}], "has too few entries"),
    ("members.0.id", 1, "is not text"),
    ("members.0.person", "m1", "is not the id of a person"),
    ("members.0.major_illness", "yes", "is neither true nor false"),
    ("members", [], "has too few entries"),
    ("members", "all", "is not a list"),
    ("region", "city", "is none of the values allowed"),
    ("registered_division", 500112016, "is not text"),
    ("registered_division", "50011201", "is not a division of nine digits"),
    ("registered_division", "５００１１２０１６", "is not a division of nine digits"),
    (
        "emergency",
        {"kind": "fire", "at": "0001-01-01T00:00+14:00", "place_division": "500112016"},
        "is not a day or",
    ),
    (
        "enrolments",
        [{"programme": "dibao", "since": "2025-01-01", "taper_first_month": "2026-13"}],
        "is not a month",
    ),
]


@pytest.mark.parametrize(("field", "value", "problem"), UNREADABLE)
def test_a_field_that_cannot_be_read_is_named(field: str, value: Any, problem: str) -> None:
    found = problems(changed(field, value))
    assert len(found) == 1
    assert found[0].field.startswith(field)
    assert found[0].problem.startswith(problem)
    assert found[0].remedy
    assert found[0].problem_zh
    assert found[0].remedy_zh


@pytest.mark.parametrize("field", ["as_of", "region", "registered_division", "members"])
def test_what_is_needed_is_asked_for(field: str) -> None:
    raw = household()
    del raw[field]
    assert [(one.field, one.problem) for one in problems(raw)] == [(field, "is missing")]


@pytest.mark.parametrize("raw", [None, [], "household", 3])
def test_what_is_no_mapping_is_refused(raw: object) -> None:
    assert [(one.field, one.problem) for one in problems(raw)] == [
        ("household", "is not a mapping of fields")
    ]


PERSON = "0192f0c1-2345-7abc-8def-0123456789ab"
CONTRADICTIONS = [
    ("members.2.relation", "spouse", "members.2.relation", "is a second spouse"),
    ("members.1.relation", "head", "members.1.relation", "is a second head"),
    ("members.2.id", "m1", "members.2.id", "stands at two members"),
    ("members.2.birth", "1980-05-06", "members.2.birth", "makes a child or grandchild as old as the head"),
    ("members.1.relation", "parent", "members.1.birth", "makes a parent or grandparent as young as the head"),
    ("members.2.birth", "2026-03-11", "members.2.birth", "lies after the day of the decision"),
    ("members.0.birth", "1880-05-06", "members.0.birth", "lies more than 130 years back"),
    (
        "members.0.whereabouts",
        {"status": "prison", "since": "2027-01-01"},
        "members.0.whereabouts.since",
        "lies after",
    ),
    ("review_decided_on", "2026-03-11", "review_decided_on", "lies after the day of the decision"),
    (
        "emergency",
        {"kind": "fire", "at": "2026-03-10T16:30:00Z", "place_division": "500112016"},
        "emergency.at",
        "lies after the day of the decision",
    ),
    (
        "enrolments",
        [{"programme": "dibao", "since": "2025-03-01", "status": "taper"}],
        "enrolments.0.taper_first_month",
        "is missing although",
    ),
    (
        "enrolments",
        [{"programme": "dibao", "since": "2025-03-01"}] * 2,
        "enrolments.1.programme",
        "is enrolled twice",
    ),
    (
        "enrolments",
        [{"programme": "dibao", "since": "2025-03-01", "status": "taper", "taper_first_month": "2026-05"}],
        "enrolments.0.taper_first_month",
        "lies before the enrolment or more than a month after",
    ),
    (
        "enrolments",
        [{"programme": "dibao", "since": "2025-03-01", "status": "taper", "taper_first_month": "2025-02"}],
        "enrolments.0.taper_first_month",
        "lies before the enrolment or more than a month after",
    ),
    (
        "members.2.enrolments",
        [{"programme": "orphan", "since": "2025-03-01"}] * 2,
        "members.2.enrolments.1.programme",
        "is enrolled twice",
    ),
    (
        "members.2.enrolments",
        [{"programme": "orphan", "since": "2014-03-11"}],
        "members.2.enrolments.0.since",
        "lies before the birth (2014-03-12)",
    ),
    (
        "members.2.whereabouts",
        {"status": "declared_missing", "since": "2014-03-11"},
        "members.2.whereabouts.since",
        "lies before the birth",
    ),
    (
        "members.2.parents",
        [{"relation": "mother", "status": "dead"}] * 2,
        "members.2.parents.1.relation",
        "is the same parent a second time",
    ),
    (
        "members.2.parents",
        [
            {"relation": "father", "status": "dead"},
            {
                "relation": "mother",
                "status": "lost_contact",
                "police_report_on": "2026-02-02",
                "police_slip": "not_found",
                "police_slip_on": "2026-02-01",
            },
        ],
        "members.2.parents.1.police_slip_on",
        "lies before the report to the police",
    ),
    (
        "members.0.supporters",
        [{"relation": "son", "birth": "1980-05-06"}],
        "members.0.supporters.0.birth",
        "makes a son or daughter as old as the parent",
    ),
    (
        "members.0.supporters",
        [{"relation": "mother", "birth": "1980-05-06"}],
        "members.0.supporters.0.birth",
        "makes a parent as young as the son or daughter",
    ),
    ("members.0.id_number", "11010519800506002X", "members.0.id_number", "fails its check digit"),
    ("members.0.id_number", "110105198005060", "members.0.id_number", "fails its check digit"),
    ("members.0.id_number", "11010519491231002X", "members.0.birth", "differs from the identity number"),
]


@pytest.mark.parametrize(("field", "value", "where", "problem"), CONTRADICTIONS)
def test_facts_that_contradict_each_other_are_named(field: str, value: Any, where: str, problem: str) -> None:
    assert [(one.field, one.problem[: len(problem)]) for one in problems(changed(field, value))] == [
        (where, problem)
    ]


def test_one_person_at_two_members_is_one_person_twice() -> None:
    raw = household()
    for index in (0, 1):
        raw["members"][index]["person"] = PERSON
    assert [one.field for one in problems(raw)] == ["members.1.person"]


@pytest.mark.parametrize("again", ["11010519491231002x", "１１０１０５ 19491231-002X", "110105491231002"])
def test_one_number_at_two_members_is_one_person_twice_however_it_is_written(again: str) -> None:
    raw = household()
    raw["members"] = raw["members"][:2]
    for member, number in zip(raw["members"], ("11010519491231002X", again), strict=True):
        member |= {"id_number": number, "birth": "1949-12-31"}
    assert [one.field for one in problems(raw)] == ["members.1.id_number"]


@pytest.mark.parametrize("value", [-1, "much"])
def test_a_list_is_not_called_too_short_for_what_in_it_cannot_be_read(value: Any) -> None:
    raw = household()
    raw["members"] = [raw["members"][0] | {"work_costs": value}]
    assert [one.field for one in problems(raw)] == ["members.0.work_costs"]


def test_a_taper_that_begins_next_month_stands() -> None:
    taper = {"programme": "dibao", "since": "2025-03-01", "status": "taper", "taper_first_month": "2026-04"}
    assert parse_household(changed("enrolments", [taper])).enrolments


def test_a_day_to_come_is_refused_where_today_is_known() -> None:
    assert parse_household(household()).as_of == date(2026, 3, 10)
    assert parse_household(household(), date(2026, 3, 10))
    assert [one.field for one in problems(household(), date(2026, 3, 9))] == ["as_of"]


@pytest.mark.parametrize(
    ("number", "born"),
    [
        ("11010519491231002X", date(1949, 12, 31)),
        ("１１０１０５１９４９１２３１００２ｘ", date(1949, 12, 31)),
        ("110105 19491231 002-x", date(1949, 12, 31)),
        ("110105491231002", date(1949, 12, 31)),
        ("110105490231002", None),
        ("110105194912310021", None),
        ("11010519490231002X", None),
        ("1101051949123100", None),
        ("", None),
    ],
)
def test_an_identity_number_says_the_birth_only_if_it_is_real(number: str, born: date | None) -> None:
    assert born_by_number(number) == born


def test_names_and_identity_numbers_can_be_left_out() -> None:
    raw = household()
    raw["members"][0] |= {"name": "无名氏", "id_number": "11010519491231002X", "birth": "1949-12-31"}
    raw["members"][2]["birth"] = "2014-03-12"
    read = parse_household(raw)
    assert as_file(read)["members"][0]["name"] == "无名氏"
    assert not {"name", "id_number"} & set(as_file(read, identified=False)["members"][0])


def test_the_file_form_of_a_household_reads_as_the_same_household() -> None:
    read = parse_household(household())
    assert parse_household(as_file(read)) == read
    assert as_file(read)["members"][0]["incomes"][0]["amount"] == 900.5


def test_the_command_says_what_is_wrong_and_prints_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "case.yaml"
    file.write_text(yaml.safe_dump(changed("members.0.incomes.0.amount", -1)), "utf-8")
    result = CliRunner().invoke(app, ["decide", str(file)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert (
        "case.yaml: members.0.incomes.0.amount: is negative; write zero or more / 为负数；请填写零或正数"
        in (result.stderr)
    )


@pytest.mark.parametrize(
    "arguments", [[], ["a.yaml", "--batch", "."], ["no-such.yaml"], ["--batch", "no-such"]]
)
def test_the_command_needs_one_readable_source(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["decide", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PLACES = sorted(
    {field for field, _, _ in UNREADABLE} | {"members.1.supporters", "members.2.parents", "charity"}
)


def read_or_refused(raw: Raw) -> Household | HouseholdProblems:
    try:
        return parse_household(raw)
    except HouseholdProblems as refused:
        return refused


@settings(max_examples=300, deadline=None)
@given(place=st.sampled_from(PLACES), value=JSON)
def test_whatever_stands_in_a_field_it_is_read_or_named(place: str, value: Any) -> None:
    raw = changed(place, value)
    before = copy.deepcopy(raw)
    read = read_or_refused(raw)
    if isinstance(read, Household):
        assert parse_household(as_file(read)) == read
    else:
        assert read.problems
    assert repr(raw) == repr(before)
