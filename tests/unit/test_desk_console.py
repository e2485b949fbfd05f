"""The console's form as intake's application format: nothing typed stops it, and a danger always arrives."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import FormData

from onedoor.desk.pages.console import DANGERS, MOST_SUBJECTS, age_of, body_of
from onedoor.triage.application import CHOICES, MARKS
from onedoor.triage.form import ALWAYS_DANGER, parse_form, reports_danger

FIELDS = [
    "channel", "caller_role", "caller_name", "caller_phone", "caller_anonymous", "place_division",
    "place_address", "contact_phone", "household_size", "registered_division", "emergency", "statement",
    "facts_text", "consent_charity", "need_food", "need_lodging", "need_income", "danger_alone",
    "danger_violence", "s0_name", "s0_age", "s0_sex", "s0_school", "s0_father_status", "s0_father_since",
    "s0_disability_level", "s0_disability_type", "s0_fact_street", "s1_age", f"s{MOST_SUBJECTS - 1}_name",
]  # fmt: skip


def body(**fields: str) -> dict[str, Any]:
    return body_of(FormData(fields))


def test_an_empty_form_says_nothing_but_how_it_came() -> None:
    assert body(channel="hotline", place_division="", s0_name=" ") == {"channel": "hotline"}


def test_a_child_alone_is_the_first_person() -> None:
    sent = body(channel="hotline", danger_alone="on", s0_age="9", place_division="500112015")
    form, marks = parse_form(sent)
    assert marks == ()
    (child,) = form.subjects
    assert (child.age, child.facts.alone, form.place.division) == (9, True, "500112015")


def test_every_coded_fact_of_the_format_can_be_told_at_the_console() -> None:
    marks = {f"s0_fact_{name}": "on" for name in MARKS}
    dangers = {f"danger_{name}": "on" for name in DANGERS}
    sent = body(**marks, **dangers, **{f"s0_{name}": codes[0] for name, codes in CHOICES.items()})
    form, problems = parse_form(sent)
    assert problems == ()
    facts = form.subjects[0].facts
    assert all(getattr(facts, name) for name in (*MARKS, *CHOICES))


@pytest.mark.parametrize("known", [{"type": "visual"}, {"level": 2}, {"type": "mental", "level": 1}])
def test_a_disability_is_told_as_far_as_it_is_known(known: dict[str, Any]) -> None:
    form, problems = parse_form(
        body(**{f"s0_disability_{name}": str(value) for name, value in known.items()})
    )
    assert problems == ()
    disability = form.subjects[0].facts.disability
    assert disability is not None
    assert disability.model_dump(exclude_none=True) == known


def test_nowhere_to_sleep_is_the_street_unless_a_fire_took_the_bed() -> None:
    assert body(need_lodging="on")["subjects"][0]["facts"] == {"street": True}
    after_a_fire = body(need_lodging="on", emergency="fire", s0_age="40")
    assert "facts" not in after_a_fire["subjects"][0]
    assert after_a_fire["needs"] == ["lodging"]


@pytest.mark.parametrize("danger", sorted(ALWAYS_DANGER & set(DANGERS)))
@pytest.mark.parametrize("level", ["", "2", "two", "²", "-1"])
def test_a_slip_elsewhere_does_not_lose_the_danger(danger: str, level: str) -> None:
    sent = body(**{f"danger_{danger}": "on", "s0_disability_level": level, "s0_age": "?"})
    form, _ = parse_form(sent)
    assert getattr(form.subjects[0].facts, danger)


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=12)))
@settings(max_examples=300, deadline=None)
def test_nothing_that_is_typed_stops_a_report_of_danger(typed: dict[str, str]) -> None:
    sent = body(**{**typed, "danger_alone": "on"})
    assert reports_danger(sent)
    form, _ = parse_form(sent)
    assert form.subjects[0].facts.alone


@pytest.mark.parametrize(
    ("typed", "known"),
    [
        ("9", {"age": 9}),
        ("9岁", {"age": 9}),
        ("约9岁", {"age_about": 9}),
        ("大约 70", {"age_about": 70}),
        ("2017-05-01", {"birth": "2017-05-01"}),
        ("小学生", {}),
        (None, {}),
    ],
)
def test_an_age_as_it_is_typed(typed: str | None, known: dict[str, Any]) -> None:
    assert age_of(typed) == known
