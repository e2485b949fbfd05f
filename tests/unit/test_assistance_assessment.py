"""A household's file as a case remembers it, what the rules say of it, and the forms of steps."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from onedoor.assistance import assessment, forms
from onedoor.assistance.domain.proceeding import HouseholdFacts, Proceeding, proceeding_id
from onedoor.assistance.domain.programmes import COMMANDS, WORKFLOWS
from onedoor.policy import HouseholdProblems
from onedoor.policy.evidence import read_evidence, reproduce
from tests.proceedings import START

DAY = date(2026, 3, 10)
HEAD, SPOUSE, SON, STUDENT = (uuid4() for _ in range(4))


def member(id_: str, relation: str, birth: str, person: UUID, **more: Any) -> dict[str, Any]:
    return {"id": id_, "relation": relation, "birth": birth, "person": str(person), **more}


def file(*members: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "as_of": "2026-03-03",
        "region": "urban",
        "registered_division": "500112015",
        "members": list(members),
        **more,
    }


FAMILY = file(
    member("m1", "head", "1980-05-06", HEAD, incomes=[{"kind": "wages", "amount": 1000, "per": "month"}]),
    member("m2", "spouse", "1982-08-09", SPOUSE),
    member("m3", "child", "2000-01-01", SON),
    member("m4", "child", "2004-01-01", STUDENT, student="undergraduate"),
)


def facts(raw: dict[str, Any]) -> HouseholdFacts:
    return assessment.facts_of(assessment.checked(raw, DAY))


def proceeding(programme: str, person: UUID | None = None) -> Proceeding:
    return Proceeding(
        proceeding_id=proceeding_id(uuid4(), programme, person),
        programme=programme,
        person_id=person,
        opened_at=START,
    )


def test_counted_adults_authorise_and_a_grown_child_does_not_count() -> None:
    found = facts(FAMILY)
    assert (found.size, found.adults, found.head, found.minor) == (3, (HEAD, SPOUSE, STUDENT), HEAD, False)
    assert found.people == {"m1": HEAD, "m2": SPOUSE, "m3": SON, "m4": STUDENT}


@pytest.mark.parametrize(("birth", "minor"), [("2008-03-04", True), ("2008-03-03", False)])
def test_the_applicant_is_a_minor_to_the_day(birth: str, minor: bool) -> None:
    assert facts(file(member("m1", "head", birth, HEAD))).minor == minor


def test_every_member_is_named_by_a_person() -> None:
    unnamed = file(
        member("m1", "head", "1980-05-06", HEAD), {"id": "m2", "relation": "spouse", "birth": "1982-08-09"}
    )
    with pytest.raises(HouseholdProblems) as wrong:
        assessment.checked(unnamed, DAY)
    (problem,) = wrong.value.problems
    assert problem.field == "members.1.person"
    assert problem.remedy
    assert problem.remedy_zh


def test_the_digest_is_of_the_file_and_the_decision_of_its_day() -> None:
    before, later = (
        assessment.assess(FAMILY, proceeding("dibao"), day) for day in (date(2025, 12, 31), date(2026, 1, 1))
    )
    assert before is not None
    assert later is not None
    assert before.assessment.household == later.assessment.household == facts(FAMILY).digest
    assert (before.assessment.amount_fen, later.assessment.amount_fen) == (125_000, 131_000)
    assert before.assessment.evidence != later.assessment.evidence
    assert reproduce(read_evidence(later.evidence)).decisions.of("dibao").amount_fen == 131_000


def test_names_and_numbers_are_not_kept_with_the_file() -> None:
    named = file(member("m1", "head", "1980-05-06", HEAD, name="文心兰"))
    household = assessment.checked(named, DAY)
    assert "文心兰" not in str(assessment.stored(household))
    assert facts(named).digest == facts(file(member("m1", "head", "1980-05-06", HEAD))).digest


def test_a_persons_programme_is_assessed_for_that_person() -> None:
    old = file(member("m1", "head", "1950-01-01", HEAD, supporters=[]))
    found = assessment.assess(old, proceeding("tekun", HEAD), DAY)
    assert found is not None
    assert (found.assessment.outcome, found.assessment.kind) == ("eligible", "stable")
    assert assessment.assess(old, proceeding("tekun", SON), DAY) is None


WORKS = {"incomes": [{"kind": "wages", "amount": 1000, "per": "month"}]}
ILL = {"major_illness": True}


@pytest.mark.parametrize(
    ("head", "spouse", "child", "region", "kind"),
    [
        (WORKS, WORKS, {"student": "undergraduate"}, "urban", "unstable"),
        (WORKS, {}, {"student": "undergraduate"}, "urban", "jobless_urban"),
        (WORKS, {}, {"student": "undergraduate"}, "rural", "jobless_rural"),
        (WORKS, ILL, {"student": "undergraduate"}, "urban", "unstable"),
        (ILL, ILL, {"student": "undergraduate"}, "urban", "stable"),
        (ILL, ILL, {}, "urban", "stable"),
    ],
    ids=["both work", "one is jobless", "in the country", "one is ill", "both are ill", "a grown child"],
)
def test_by_who_could_work_and_does_a_household_is_reviewed(
    head: dict[str, Any], spouse: dict[str, Any], child: dict[str, Any], region: str, kind: str
) -> None:
    """Whoever does not count in the household, as a grown child, says nothing of it."""
    raw = file(
        member("m1", "head", "1980-05-06", HEAD, **head),
        member("m2", "spouse", "1982-08-09", SPOUSE, **spouse),
        member("m3", "child", "2004-01-01", SON, **child),
        region=region,
    )
    found = assessment.assess(raw, proceeding("dibao"), DAY, facts(raw).uncounted)
    assert found is not None
    assert found.assessment.kind == kind


def test_who_does_not_count_is_remembered() -> None:
    dead = member("m2", "spouse", "1982-08-09", SPOUSE, whereabouts={"status": "dead", "since": "2026-01-05"})
    assert facts(FAMILY).uncounted == (SON,)
    assert facts(file(member("m1", "head", "1980-05-06", HEAD), dead)).uncounted == (SPOUSE,)


@pytest.mark.parametrize(
    ("programme", "people", "region", "ceiling"),
    [
        ("temporary_small", 3, "urban", 231_000),
        ("temporary_small", 2, "rural", 126_000),
        ("temporary_small", None, None, 77_000),
        ("dibao", 3, "urban", None),
    ],
)
def test_what_may_be_entered_by_hand(
    programme: str, people: int | None, region: str | None, ceiling: int | None
) -> None:
    known = HouseholdFacts(digest="x", size=people) if people else None
    assert assessment.ceiling_fen(programme, known, region, DAY) == ceiling


def test_every_step_has_a_form_with_all_that_its_body_needs() -> None:
    for rows in COMMANDS.values():
        for row in rows:
            fields = {field.name: field for field in forms.fields_of(row)}
            assert set(fields) == set(row.said.model_fields)
            for name, field in row.said.model_fields.items():
                assert fields[name].required == field.is_required()
                if fields[name].kind in ("choice", "choices", "reason"):
                    assert fields[name].allowed, (row.command, name)


def test_forms_know_what_kind_of_answer_each_field_takes() -> None:
    kinds = {
        (row.command, field.name): field.kind
        for row in WORKFLOWS["dibao"].steps
        for field in forms.fields_of(row)
    }
    assert kinds["confirm", "amount_fen"] == "fen"
    assert kinds["confirm", "reason"] == "text"
    assert kinds["refuse", "reason"] == kinds["stop", "reason"] == "reason"
    assert kinds["ask-supplement", "papers"] == "choices"
    assert kinds["start-investigation", "investigators"] == "people"
    assert kinds["discuss", "participants"] == "names"
    assert kinds["report-change", "on"] == "moment"
    assert kinds["appeal", "decision_id"] == "id"
    assert kinds["stop", "first_month"] == "month"
    assert kinds["accept", "delegated"] == "flag"
    assert kinds["taper", "months"] == "number"
