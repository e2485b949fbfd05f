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
from tests.households import CONTRADICTIONS, UNREADABLE, Raw, changed, household

app = typer.Typer()
rules.register(app)
policy.register(app)


def problems(raw: object, latest: date | None = None) -> list[FieldProblem]:
    with pytest.raises(HouseholdProblems) as refused:
        parse_household(raw, latest)
    return list(refused.value.problems)


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
    ("field", "value", "where"),
    [
        *((field, value, field) for field, value, _ in UNREADABLE),
        *((field, value, where) for field, value, where, _ in CONTRADICTIONS),
        ("as_of", "2126-03-10", "as_of"),
    ],
)
def test_the_command_names_the_field_of_every_file_that_cannot_stand(
    field: str, value: Any, where: str, tmp_path: Path
) -> None:
    file = tmp_path / "case.yaml"
    file.write_text(yaml.safe_dump(changed(field, value)), "utf-8")
    result = CliRunner().invoke(app, ["decide", str(file)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"case.yaml: {where}")
    assert " / " in result.stderr
    assert "Traceback" not in result.stderr


def test_a_head_who_is_married_is_no_child() -> None:
    raw = changed("members.0.birth", "2010-03-12")
    assert [one.field for one in problems(raw | {"members": raw["members"][:2]})] == ["members.0.birth"]
    alone = raw | {"members": raw["members"][:1]}
    assert parse_household(alone).members[0].relation == "head"


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
