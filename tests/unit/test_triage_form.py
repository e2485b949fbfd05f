"""Reading an application: strict, and never refusing a report of danger."""

from contextlib import suppress
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from onedoor.calendar import moment
from onedoor.contracts.core import Personal
from onedoor.triage import ApplicationForm, FormProblems, evaluate, parse_form
from onedoor.triage.application import Part
from onedoor.triage.form import reports_danger

# The machine may be busy: how long one example takes says nothing about the rule.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
HARMLESS: dict[str, Any] = {"place": {"division": "500112004"}, "needs": ["cash"], "subjects": [{"age": 40}]}
DANGER: dict[str, Any] = {
    "place": {"division": "500112004"},
    "subjects": [{"age": 9, "facts": {"alone": True}}],
}


def problems(raw: object) -> dict[str, tuple[str, ...]]:
    with pytest.raises(FormProblems) as caught:
        parse_form(raw)
    for mark in caught.value.problems:
        assert mark.problem
        assert mark.problem_zh
        assert mark.remedy
        assert mark.remedy_zh
    return {mark.field: mark.allowed for mark in caught.value.problems}


def marked(raw: dict[str, Any]) -> tuple[ApplicationForm, dict[str, tuple[str, ...]]]:
    form, marks = parse_form(raw)
    return form, {mark.field: mark.allowed for mark in marks}


def test_a_whole_http_body_is_read() -> None:
    form, marks = parse_form(
        {
            "id": "x",
            "title": "ignored",
            "note": "ignored",
            "expect": {"ignored": True},
            "kind": "lead",
            "channel": "order-12345",
            "statement": "原话",
            "facts_text": "可转内容",
            "caller": {
                "role": "neighbour",
                "name": "某某",
                "phone": "13800000000",
                "safe_to_call": False,
                "anonymous": True,
                "wants_reply": True,
            },
            "place": {
                "division": "500112004",
                "address": "某路1号",
                "landmark": "桥头",
                "lon": 106.6,
                "lat": 29.7,
            },
            "contact": {"phone": "13900000000", "safe": True, "language": "川渝方言"},
            "registered_division": "500112016",
            "household": {"size": 2, "tier": "none", "address": "某路1号", "members": [{"name": "某某"}]},
            "subjects": [
                {
                    "id": "s1",
                    "name": "某某",
                    "aliases": ["小某"],
                    "sex": "male",
                    "birth": "2017-01-31",
                    "age_about": 9,
                    "phone": "1",
                    "relation": "neighbour's child",
                    "guardian": "某某",
                    "school_name": "某小学",
                    "facts": {"alone": True},
                }
            ],
        }
    )
    assert marks == ()
    assert (form.taken_as, form.subjects[0].facts.alone) == ("lead", True)


@pytest.mark.parametrize(
    ("role", "kind"), [("self", "application"), ("relative", "application"), ("police", "report")]
)
def test_the_kind_follows_from_the_caller(role: str, kind: str) -> None:
    assert parse_form({**HARMLESS, "caller": {"role": role}})[0].taken_as == kind


@pytest.mark.parametrize(
    ("change", "field", "allowed"),
    [
        ({"channel": "fax"}, "channel", "grid"),
        ({"caller": {"role": "uncle"}}, "caller.role", "village_worker"),
        ({"needs": ["cash", "holiday"]}, "needs[1]", "remaining_gap"),
        ({"household": {"tier": "poor"}}, "household.tier", "edge"),
        ({"stages": [{"kind": "lost"}]}, "stages[0].kind", "papers_complete"),
        (
            {"stages": [{"kind": "accepted", "programme": "x"}]},
            "stages[0].programme",
            "two_subsidies_cross_province",
        ),
        ({"subjects": [{"age": 40, "facts": {"school": "x"}}]}, "subjects[0].facts.school", "dropped_out"),
        ({"subjects": [{"age": 40, "facts": {"companion": "x"}}]}, "subjects[0].facts.companion", "verified"),
        (
            {"subjects": [{"age": 40, "facts": {"id_problem": "x"}}]},
            "subjects[0].facts.id_problem",
            "check_digit",
        ),
        (
            {"subjects": [{"age": 40, "facts": {"disability": {"type": "x", "level": 1}}}]},
            "subjects[0].facts.disability.type",
            "intellectual",
        ),
        ({"colour": "red"}, "colour", "needs"),
        ({"place": {"city": "x"}}, "place.city", "landmark"),
        ({"subjects": [{"age": 40, "facts": {"lonely": True}}]}, "subjects[0].facts.lonely", "lives_alone"),
        ({"place": {"division": "here"}}, "place.division", None),
        ({"received_at": "yesterday"}, "received_at", None),
        ({"received_at": 5}, "received_at", None),
        ({"subjects": [{"age": -1}]}, "subjects[0].age", None),
        ({"subjects": [{"age": True}]}, "subjects[0].age", None),
        ({"subjects": [{"facts": {"disability": {"level": 5}}}]}, "subjects[0].facts.disability.level", None),
        ({"subjects": {"age": 40}}, "subjects", None),
        ({"relative_of_staff": "perhaps"}, "relative_of_staff", None),
        ({"stages": [{"programme": "dibao"}]}, "stages[0].kind", None),
    ],
)
def test_a_problem_names_the_field_and_the_allowed_values(
    change: dict[str, Any], field: str, allowed: str | None
) -> None:
    found = problems({**HARMLESS, **change})
    assert list(found) == [field]
    assert allowed is None or allowed in found[field]


@pytest.mark.parametrize("raw", [None, [], "text", 5])
def test_what_is_no_mapping_is_refused(raw: object) -> None:
    assert list(problems(raw)) == ["application"]


def test_one_of_place_contact_or_facts_is_enough() -> None:
    assert list(problems({"channel": "hotline", "subjects": [{"age": 40}]})) == ["place"]
    for enough in (
        {"place": {"landmark": "桥头"}},
        {"contact": {"phone": "1"}},
        {"caller": {"phone": "1"}},
        {"facts_text": "某事"},
        {"subjects": [{"facts": {"jobless": True}}]},
        {"emergency": {"kind": "fire"}},
    ):
        parse_form(enough)


def test_an_unknown_field_in_a_report_of_danger_is_marked() -> None:
    form, found = marked({**DANGER, "colour": "red", "channel": "fax", "household": {"tier": "poor"}})
    assert set(found) == {"colour", "channel", "household.tier"}
    assert "hotline" in found["channel"]
    assert form.subjects[0].facts.alone


@pytest.mark.parametrize(
    ("facts", "held"),
    [
        ({"alone": "yes, since noon"}, "alone"),
        ({"violence": ["daily"]}, "violence"),
        ({"suspected_harm": {"where": "arm"}}, "suspected_harm"),
        ({"acute_illness": "fever"}, "acute_illness"),
        ({"mental_crisis": 3}, "mental_crisis"),
        ({"unseen": "two days"}, "unseen"),
        ({"begging": "at the metro"}, "begging"),
        (["alone", "hungry"], "alone"),
    ],
)
def test_a_danger_fact_with_an_unreadable_value_counts_as_reported(facts: Any, held: str) -> None:
    form, found = marked({"subjects": [{"facts": facts}]})
    assert getattr(form.subjects[0].facts, held) is True
    assert found


@pytest.mark.parametrize("said", [False, None, "no", "unknown", ""])
def test_a_danger_that_is_denied_or_unknown_is_not_reported(said: object) -> None:
    assert not reports_danger({"subjects": [{"age": 9, "facts": {"alone": said, "violence": said}}]})


def test_what_is_a_danger_to_minors_only_depends_on_the_age() -> None:
    for facts in ({"street": True}, {"begging": True}, {"parents": [{"status": "detention"}]}):
        assert reports_danger({"subjects": [{"age": 9, "facts": facts}]})
        assert reports_danger({"subjects": [{"age": "nine", "facts": facts}]})
        assert not reports_danger({"subjects": [{"age": 40, "facts": facts}]})


@pytest.mark.parametrize(
    "emergency", [{"kind": "gas explosion", "at": "noon"}, {}, "fire", True, {"kind": None}]
)
def test_an_emergency_is_taken_however_it_is_written(emergency: object) -> None:
    raw = {"place": {"division": "500112004"}, "emergency": emergency}
    if not emergency:
        problems(raw)
        return
    form, found = marked(raw)
    assert form.emergency is not None
    assert form.emergency.kind in ("other_sudden", "fire")
    assert found


def test_unreadable_entries_of_a_list_are_left_out_and_the_others_kept() -> None:
    parents = [
        {"relation": "mother", "status": "dead"},
        {"relation": "father", "status": "arrested"},
        {"since": "x"},
    ]
    raw = {
        "needs": ["food", "sweets", "care"],
        "subjects": [{"age": 9, "facts": {"alone": True, "parents": parents}}, 7],
    }
    form, found = marked(raw)
    assert form.needs == ("food", "care")
    assert [parent.relation for parent in form.subjects[0].facts.parents] == ["mother"]
    assert len(form.subjects) == 1
    assert "subjects[0].facts.parents[1].status" in found


def test_keys_that_yaml_reads_as_something_else_are_marked_too() -> None:
    _, found = marked({**DANGER, False: "off", 7: "seven"})  # type: ignore[dict-item]
    assert set(found) == {"False", "7"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from([*ApplicationForm.model_fields, "id", "colour"])


@patient
@given(st.dictionaries(keys, json_values, max_size=8), json_values)
def test_no_body_whatever_makes_a_report_of_danger_refused(body: dict[str, Any], fact: Any) -> None:
    body["subjects"] = [
        {"age": fact, "facts": {"alone": True, "parents": fact, "disability": fact, "x": fact}}
    ]
    form, _ = parse_form(body)
    plan = evaluate(form.received(moment("2026-03-10T10:00")))
    assert form.subjects[0].facts.alone
    assert plan.critical or (form.subjects[0].age or 0) >= 16


@patient
@given(st.dictionaries(keys, json_values, max_size=8))
def test_any_body_is_read_or_refused_with_its_problems(body: dict[str, Any]) -> None:
    with suppress(FormProblems):
        form, _ = parse_form(body)
        evaluate(form.received(form.received_at or moment("2026-03-10T10:00")))


def personal_fields(model: type[BaseModel]) -> set[str]:
    return {
        name
        for name, field in model.model_fields.items()
        if any(isinstance(mark, Personal) for mark in field.metadata)
        or any(isinstance(mark, Personal) for mark in getattr(field.annotation, "__metadata__", ()))
        or "PERSONAL" in str(get_args(field.annotation))
    }


def test_what_identifies_a_person_is_marked() -> None:
    models: list[type[BaseModel]] = [ApplicationForm, *Part.__subclasses__()]
    by_model = {model.__name__: personal_fields(model) for model in models}
    assert by_model["ApplicationForm"] == {"statement", "facts_text"}
    assert by_model["Caller"] == {"name", "phone"}
    assert by_model["Place"] == {"address", "landmark", "lon", "lat"}
    assert {"name", "aliases", "id_number", "birth", "phone", "guardian", "school_name"} <= by_model[
        "Subject"
    ]
    assert by_model["Facts"] == set()


def test_a_schema_can_be_made_for_the_http_description() -> None:
    schema = ApplicationForm.model_json_schema()
    assert schema["additionalProperties"] is False
    assert "channel" in schema["properties"]
