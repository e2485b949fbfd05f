"""Every row of the triage rules: what follows from it, and what must not."""

import time
from importlib.resources import files
from typing import Any

import pytest

from onedoor.calendar import moment
from onedoor.contracts.plan import Plan
from onedoor.triage import evaluate, packaged_rules, parse_form
from onedoor.triage.conditions import CONDITIONS
from onedoor.triage.duties import packaged_duties
from onedoor.triage.rules import RulesProblem, parse_rules

RECEIVED = "2026-03-10T10:00"
HERE = "500112004"

CHILD_CRITICAL = {("child-welfare", "critical")}
R1 = {("R1", "public-security", "critical"), ("R1", "minor-protection-centre", "critical")}
R18 = {("R18", "public-security", "critical"), ("R18", "womens-federation", "critical")}
R9 = {("R9", "health", "critical")}
R5 = {("R5", "minor-protection-centre", "critical")}
R2 = {("R2", "township", "critical")}
NOTHING: set[Any] = set()


def plan(*subjects: dict[str, Any], **fields: Any) -> Plan:
    """The plan for subjects given as {age, **facts}."""
    people = [
        {
            "id": f"s{number}",
            **({"age": facts["age"]} if "age" in facts else {}),
            "facts": {name: value for name, value in facts.items() if name != "age"},
        }
        for number, facts in enumerate(subjects)
    ]
    raw = {"received_at": RECEIVED, "channel": "hotline", "place": {"division": HERE}, "subjects": people}
    form, marks = parse_form({**raw, **fields})
    assert marks == ()
    return evaluate(form.received(form.received_at or moment(RECEIVED)))


def services(of: Plan) -> set[tuple[str, str]]:
    return {(service.name, service.urgency) for service in of.services}


def names(of: Plan) -> set[str]:
    return {service.name for service in of.services}


def referrals(of: Plan) -> set[tuple[str, str, str]]:
    found = [(referral.rule, referral.to, referral.urgency) for referral in of.referrals]
    assert len(found) == len(set(found)), "one entry per receiver"
    return set(found)


def parent(status: str, **more: str) -> dict[str, str]:
    return {"relation": "father", "status": status, **more}


@pytest.mark.parametrize(
    ("subjects", "expected_services", "expected_referrals"),
    [
        ([{"age": 17, "suspected_harm": True}], CHILD_CRITICAL, R1),
        ([{"age": 18, "suspected_harm": True}], NOTHING, NOTHING),
        ([{"age": 9, "violence": True}], CHILD_CRITICAL, R1 | R18),
        ([{"age": 31, "violence": True}], NOTHING, R18),
        ([{"age": 31, "violence": True}, {"age": 6}], CHILD_CRITICAL, R1 | R18),
        ([{"age": 31, "violence": True}, {"age": 18}], NOTHING, R18),
        ([{"age": 15, "alone": True}], CHILD_CRITICAL, R1),
        ([{"age": 16, "alone": True}], {("child-welfare", "urgent")}, NOTHING),
        ([{"age": 17, "alone": True, "suspected_harm": True}], CHILD_CRITICAL, R1),
        ([{"age": 17, "alone": True, "violence": True}], CHILD_CRITICAL, R1 | R18),
        ([{"age": 17, "alone": True, "acute_illness": True}], CHILD_CRITICAL, R1 | R9),
        ([{"age": 17, "alone": True, "mental_crisis": True}], CHILD_CRITICAL, R1 | R9),
        ([{"age": 17, "mental_crisis": True}], NOTHING, R9),
        ([{"age": 70, "acute_illness": True}], NOTHING, R9),
        ([{"age": 11, "begging": True}], CHILD_CRITICAL, R5),
        ([{"age": 11, "street": True}], CHILD_CRITICAL, R5),
        ([{"age": 11, "street": True, "unidentified": True, "companion": "unverified"}], CHILD_CRITICAL, R5),
        ([{"age": 16, "street": True, "alone": True}], CHILD_CRITICAL, R5),
        ([{"age": 40, "begging": True}], NOTHING, NOTHING),
        ([{"age": 18, "street": True}], {("vagrancy", "urgent")}, NOTHING),
        ([{"age": 50, "at_station": True}], {("vagrancy", "urgent")}, NOTHING),
        ([{"age": 50, "street": True, "unidentified": True}], {("vagrancy", "urgent")}, NOTHING),
        (
            [{"age": 50, "at_station": True, "unidentified": True, "cannot_speak": True}],
            {("vagrancy", "urgent")},
            {("R6", "public-security", "urgent")},
        ),
        (
            [{"age": 30, "street": True}, {"age": 5, "street": True}],
            CHILD_CRITICAL | {("vagrancy", "urgent")},
            R5,
        ),
        ([{"age": 13, "school": "dropped_out"}], NOTHING, {("R4", "education", "ordinary")}),
        ([{"age": 7, "school": "not_enrolled"}], NOTHING, {("R4", "education", "ordinary")}),
        ([{"age": 40, "id_problem": "photo_differs"}], NOTHING, {("R19", "public-security", "ordinary")}),
        ([{"age": 40, "id_problem": "check_digit"}], NOTHING, NOTHING),
        ([{"age": 82, "unseen": True, "lives_alone": True}], NOTHING, {("R23", "village", "critical")}),
        ([{"age": 40, "jobless": True}], NOTHING, NOTHING),
    ],
)
def test_facts(subjects: list[dict[str, Any]], expected_services: Any, expected_referrals: Any) -> None:
    found = plan(*subjects)
    assert services(found) == expected_services
    assert referrals(found) == expected_referrals
    urgencies = {urgency for *_, urgency in (*expected_services, *expected_referrals)}
    assert found.critical is ("critical" in urgencies)
    assert found.manual == (None if expected_services or expected_referrals else "township")


@pytest.mark.parametrize(
    ("parents", "expected_services", "expected_referrals"),
    [
        ([parent("detention", since="2026-03-09"), parent("present")], NOTHING, R2),
        ([parent("prison", since="2026-03-03"), parent("present")], NOTHING, R2),
        ([parent("prison", since="2026-03-02"), parent("present")], NOTHING, NOTHING),
        ([parent("forced_detox"), parent("present")], NOTHING, R2),
        ([parent("prison", since="2024-01-01"), parent("dead")], {"child-welfare"}, R2),
        ([parent("prison", since="2024-01-01")], {"child-welfare"}, R2),
        ([parent("dead"), parent("lost_contact")], {"child-welfare"}, NOTHING),
        ([parent("dead"), parent("present")], NOTHING, NOTHING),
        ([parent("present"), parent("present")], NOTHING, NOTHING),
    ],
)
def test_parents(parents: list[Any], expected_services: Any, expected_referrals: Any) -> None:
    found = plan({"age": 10, "parents": parents})
    assert names(found) == expected_services
    assert referrals(found) == expected_referrals
    assert plan({"age": 18, "parents": parents}).referrals == ()


@pytest.mark.parametrize(
    ("need", "expected_services", "expected_referrals"),
    [
        ("care", NOTHING, NOTHING),
        ("cash", {"assistance"}, NOTHING),
        ("food", {"assistance"}, NOTHING),
        ("lodging", {"assistance"}, NOTHING),
        ("income", {"assistance"}, NOTHING),
        ("medical_cost", {"assistance"}, {("R10", "medical-insurance", "ordinary")}),
        ("education_cost", {"assistance"}, {("R11", "education", "ordinary")}),
        ("job", {"assistance"}, {("R12", "human-resources", "ordinary")}),
        ("housing", {"assistance"}, {("R13", "housing", "ordinary")}),
        ("disability_certificate", NOTHING, {("R15", "disabled-federation", "ordinary")}),
        ("rehabilitation", NOTHING, {("R15", "disabled-federation", "ordinary")}),
        ("remaining_gap", NOTHING, NOTHING),
    ],
)
def test_needs(need: str, expected_services: Any, expected_referrals: Any) -> None:
    found = plan({"age": 40}, needs=[need])
    assert names(found) == expected_services
    assert referrals(found) == expected_referrals


def test_both_needs_of_the_disabled_federation_make_one_referral() -> None:
    found = plan({"age": 40}, needs=["disability_certificate", "rehabilitation"])
    assert referrals(found) == {("R15", "disabled-federation", "ordinary")}


def test_who_is_fed_and_lodged_already_needs_no_assistance_for_it() -> None:
    assert names(plan({"age": 50, "street": True}, needs=["food", "lodging"])) == {"vagrancy"}
    assert names(plan({"age": 9, "alone": True}, needs=["food"])) == {"child-welfare"}
    assert names(plan({"age": 30}, {"age": 9, "suspected_harm": True}, needs=["food"])) == {
        "child-welfare",
        "assistance",
    }
    assert names(plan({"age": 50, "street": True}, needs=["food", "cash"])) == {"vagrancy", "assistance"}


@pytest.mark.parametrize("kind", ["fire", "traffic", "sudden_illness", "other_sudden"])
def test_an_emergency(kind: str) -> None:
    found = plan({"age": 40}, emergency={"kind": kind, "at": RECEIVED})
    assert services(found) == {("assistance", "urgent")}
    assert referrals(found) == NOTHING
    assert [duty.id for duty in found.duties] == ["L17"]
    assert found.suggested_programmes == ("temporary_small",)


@pytest.mark.parametrize("kind", ["flood", "earthquake", "landslide", "storm"])
def test_a_natural_disaster(kind: str) -> None:
    found = plan(emergency={"kind": kind, "at": RECEIVED}, needs=["lodging"])
    assert referrals(found) == {
        ("R14", "emergency-management", "critical"),
        ("R24", "township", "critical"),
    }


def test_lodging_without_an_emergency_is_no_bed_tonight() -> None:
    assert referrals(plan({"age": 40}, needs=["lodging"])) == NOTHING


def test_charity_is_asked_with_consent_only() -> None:
    asked = plan({"age": 40}, needs=["remaining_gap"], consent={"charity": True})
    assert services(asked) == {("charity", "ordinary")}
    assert referrals(asked) == {("R17", "charity-federation", "ordinary")}
    assert asked.suggested_programmes == ("charity_need",)
    assert [referral.drafted for referral in asked.referrals] == ["written_consent"]
    refused = plan({"age": 40}, needs=["remaining_gap"], consent={"charity": False})
    assert (refused.services, refused.referrals, refused.suggested_programmes) == ((), (), ())
    assert plan({"age": 40}, needs=["cash"], consent={"charity": True}).referrals == ()


CHECK = {("R16", "verification-centre", "ordinary")}
EARLIER = {"id": "first", "received_at": RECEIVED, "programme": "dibao", "id_numbers": ["11010519491231002x"]}


def test_a_financial_check_is_drafted_where_it_may_be() -> None:
    asked: dict[str, Any] = {"needs": ["income"], "consent": {"financial_check": True}}
    assert referrals(plan({"age": 40}, **asked)) == CHECK
    assert plan({"age": 40}, **asked).referrals[0].drafted == "written_authorisation"
    assert referrals(plan({"age": 40}, needs=["income"])) == NOTHING
    assert referrals(plan({"age": 40}, **{**asked, "needs": ["cash"]})) == NOTHING
    withdrawn = [{"kind": "withdrawn", "programme": "dibao", "day": "2026-03-10"}]
    assert referrals(plan({"age": 40}, **asked, stages=withdrawn)) == NOTHING
    twice = [{"id": "s1", "age": 40, "id_number": "11010519491231002X"}]
    again = plan(**asked, subjects=twice, earlier_applications=[EARLIER])
    assert (again.duplicates, referrals(again)) == (("first",), NOTHING)


def test_only_earlier_applications_of_the_same_people_are_duplicates() -> None:
    other = {**EARLIER, "id": "other", "id_numbers": ["440524188001010014"]}
    someone = [{"id": "s1", "age": 40, "id_number": " 11010519491231002Ｘ "}]
    assert plan(subjects=someone, earlier_applications=[other, EARLIER]).duplicates == ("first",)
    assert plan({"age": 40}, earlier_applications=[EARLIER]).duplicates == ()
    nobody = {**EARLIER, "id_numbers": [""]}
    assert plan(subjects=[{"id": "s1", "id_number": ""}], earlier_applications=[nobody]).duplicates == ()


def test_a_household_registered_outside_chongqing() -> None:
    away = plan({"age": 40}, needs=["income"], registered_division="511902000")
    assert referrals(away) == {("R22", "other-district", "ordinary")}
    assert away.referrals[0].to_division == "511902000"
    for division in ("500112016", "500103001"):
        assert referrals(plan({"age": 40}, needs=["income"], registered_division=division)) == NOTHING
    assert referrals(plan({"age": 40}, needs=["cash"], registered_division="511902000")) == NOTHING


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([{"kind": "review", "programme": "dibao"}], {"assistance"}),
        ([{"kind": "withdrawn", "programme": "dibao"}], NOTHING),
        (
            [{"kind": "accepted", "programme": "dibao"}, {"kind": "withdrawn", "programme": "dibao"}],
            {"assistance"},
        ),
        ([{"kind": "papers_complete", "programme": "two_subsidies_cross_province"}], {"assistance"}),
        ([{"kind": "station_admitted"}], NOTHING),
    ],
)
def test_a_stage_with_a_programme_is_assistance(stages: list[dict[str, Any]], expected: Any) -> None:
    assert names(plan({"age": 40}, stages=stages)) == expected


def test_an_unattended_child() -> None:
    stages = [{"kind": "received", "programme": "unattended_child", "day": "2026-02-02"}]
    parents = [parent("dead"), parent("lost_contact", police_report_on="2026-01-19")]
    found = plan({"age": 10, "parents": parents}, {"age": 8, "parents": parents}, stages=stages)
    assert names(found) == {"child-welfare", "assistance"}
    assert referrals(found) == {("R3", "public-security", "ordinary")}
    assert found.suggested_programmes == ("unattended_child",)
    assert {duty.id: str(duty.due_on) for duty in found.duties} == {"L20": "2026-02-28", "L22": "2026-07-20"}
    assert len(found.duties) == 2
    present = plan({"age": 10, "parents": [parent("present")]}, stages=stages)
    assert (referrals(present), present.suggested_programmes) == (NOTHING, ())


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (
            {"kind": "accepted", "programme": "dibao"},
            {"L1": "2026-03-13", "L5": "2026-04-22", "L5q": "2026-04-09"},
        ),
        (
            {"kind": "accepted", "programme": "dibao", "delegated": True},
            {"L1": "2026-03-13", "L5": "2026-04-08", "L5q": "2026-04-09"},
        ),
        ({"kind": "accepted", "programme": "tekun"}, {"L11": "2026-03-31"}),
        ({"kind": "accepted", "programme": "rigid_expenditure"}, {"L16": "2026-04-22"}),
        ({"kind": "accepted", "programme": "unattended_child"}, {}),
        ({"kind": "received", "programme": "unattended_child"}, {"L20": "2026-03-31"}),
        ({"kind": "received", "programme": "dibao"}, {}),
        ({"kind": "file_at_district", "programme": "dibao"}, {"L4": "2026-03-24"}),
        ({"kind": "file_at_district", "programme": "tekun"}, {"L13": "2026-03-31"}),
        ({"kind": "file_at_district", "programme": "unattended_child"}, {"L21": "2026-03-31"}),
        ({"kind": "publicity_posted", "programme": "dibao"}, {"L3": "2026-03-17"}),
        ({"kind": "publicity_posted", "programme": "tekun"}, {"L12": "2026-03-17"}),
        ({"kind": "refused", "programme": "dibao"}, {"L6": "2026-03-13"}),
        ({"kind": "refused", "programme": "tekun"}, {"L6": "2026-03-13"}),
        ({"kind": "refused", "programme": "orphan"}, {}),
        ({"kind": "ability_report", "programme": "tekun"}, {"L14": "2026-03-24"}),
        ({"kind": "death", "programme": "dibao"}, {"L9": "2026-06-10"}),
        ({"kind": "dna_requested"}, {"L31": "2026-04-10"}),
        (
            {"kind": "papers_complete", "programme": "two_subsidies_cross_province"},
            {"L37-push": "2026-03-13", "L37-decide": "2026-03-27", "L37-tell": "2026-04-01"},
        ),
        ({"kind": "papers_complete", "programme": "dibao"}, {}),
        ({"kind": "protection_order_requested"}, {"L26": "2026-03-13"}),
        ({"kind": "protection_order_requested", "urgent": True}, {"L26": "2026-03-11"}),
        ({"kind": "station_admitted"}, {}),
    ],
)
def test_a_stage_starts_its_duties(stage: dict[str, Any], expected: dict[str, str]) -> None:
    found = plan({"age": 40}, stages=[{**stage, "day": "2026-03-10"}])
    assert {duty.id: str(duty.due_on) for duty in found.duties} == expected


def test_a_stage_with_a_moment_starts_hours_from_it() -> None:
    admitted = [{"kind": "station_admitted", "at": "2026-04-28T23:30"}]
    found = plan({"age": 50, "at_station": True, "unidentified": True}, stages=admitted)
    ends = {duty.id: duty.due_at.isoformat() for duty in found.duties}
    assert ends == {
        "L29": "2026-04-29T23:30:00+08:00",
        "L30": "2026-05-12T00:00:00+08:00",
        "L33": "2026-05-09T00:00:00+08:00",
        "L34": "2026-07-29T00:00:00+08:00",
    }


def test_small_fast_aid_does_not_wait_for_the_end_of_a_holiday() -> None:
    found = plan(received_at="2026-10-03T02:15", emergency={"kind": "fire"})
    assert [(duty.id, str(duty.due_on), duty.limit) for duty in found.duties] == [
        ("L17", "2026-10-06", "3cd!")
    ]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"age": 40, "disability": {"type": "physical", "level": 2}}, {"disability_nursing"}),
        ({"age": 9, "disability": {"type": "mental", "level": 1}}, {"disability_nursing"}),
        ({"age": 40, "disability": {"type": "physical", "level": 3}}, NOTHING),
        (
            {
                "age": 40,
                "disability": {"type": "physical", "level": 1},
                "jobless": True,
                "lives_with_family": True,
            },
            {"disability_nursing", "single_person", "disability_living"},
        ),
        ({"age": 60, "no_means": True, "no_able_supporter": True}, {"tekun"}),
        ({"age": 59, "no_means": True, "no_able_supporter": True}, NOTHING),
        ({"age": 70, "no_means": True}, NOTHING),
    ],
)
def test_suggested_programmes(facts: dict[str, Any], expected: Any) -> None:
    assert set(plan(facts).suggested_programmes) == expected
    away = plan(facts, registered_division="511902000").suggested_programmes
    assert set(away) == expected - {"single_person"}


def test_flags() -> None:
    assert plan({"age": 40}, relative_of_staff=True).flags == ("near_relative",)
    assert plan({"age": 40, "violence": True}).flags == ("hide_address",)
    assert plan({"age": 40, "id_problem": "check_digit"}).flags == ("id_check_digit",)
    assert plan({"age": 15, "at_station": True}).flags == ("minor_at_station",)


@pytest.mark.parametrize(
    ("received", "registered", "place", "code", "name"),
    [
        ("2025-11-05T23:59", "500112133", HERE, "500112", "渝北区"),
        ("2026-01-25T00:00", "500112133", HERE, "500109", "北碚区"),
        ("2026-01-25T00:00", "500112143", HERE, "500109", "北碚区"),
        ("2026-01-25T00:00", "500112016", "500112133", None, "两江新区"),
        ("2026-03-10T10:00", None, "500112135", "500109", "北碚区"),
        ("2026-03-10T10:00", "511902000", "500112016", None, "两江新区"),
        ("2026-03-10T10:00", "500103001", "500112138", "500109", "北碚区"),
        ("2026-03-10T10:00", None, "500103001", "500103", None),
        ("2025-12-01T10:00", "500112133", HERE, None, None),
    ],
)
def test_jurisdiction(
    received: str, registered: str | None, place: str, code: str | None, name: str | None
) -> None:
    fields = {"registered_division": registered} if registered else {}
    found = plan({"age": 40}, received_at=received, place={"division": place}, **fields).jurisdiction
    assert found is not None
    assert (found.code, found.name) == (code, name)


def test_the_clocks_of_each_urgency() -> None:
    critical = plan({"age": 9, "alone": True}).referrals[0]
    assert [str(end) for end in (critical.due_ack, critical.due_action, critical.due_finish)] == [
        "2026-03-10 10:30:00+08:00",
        "2026-03-10 12:00:00+08:00",
        "2026-03-11 10:00:00+08:00",
    ]
    urgent = plan({"age": 50, "at_station": True, "unidentified": True}).referrals[0]
    assert [str(end) for end in (urgent.due_ack, urgent.due_action, urgent.due_finish)] == [
        "2026-03-10 14:00:00+08:00",
        "None",
        "2026-03-14 00:00:00+08:00",
    ]
    ordinary = plan({"age": 13, "school": "dropped_out"}, received_at="2026-09-18T10:00").referrals[0]
    assert [str(end) for end in (ordinary.due_ack, ordinary.due_action, ordinary.due_finish)] == [
        "2026-09-22 00:00:00+08:00",
        "None",
        "2026-10-10 00:00:00+08:00",
    ]


def test_who_hands_over_and_who_receives_within_the_department() -> None:
    found = plan(
        {"age": 9, "alone": True, "school": "dropped_out"},
        caller={"role": "police"},
        registered_division="500112016",
    )
    ways = {(r.rule, r.to): (r.from_, r.to_division) for r in found.referrals}
    assert ways == {
        ("R1", "public-security"): ("township", HERE),
        ("R1", "minor-protection-centre"): ("public-security", HERE),
        ("R4", "education"): ("township", "500112016"),
    }
    away = plan({"age": 40}, needs=["housing"], registered_division="511902000").referrals[0]
    assert away.to_division == HERE


def test_an_unknown_age_is_read_in_favour_of_a_child() -> None:
    found = plan({"alone": True})
    assert services(found) == CHILD_CRITICAL
    assert referrals(found) == R1
    assert found.flags == ("age_unknown",)
    assert services(plan({"begging": True})) == CHILD_CRITICAL
    assert services(plan({"street": True})) == {("vagrancy", "urgent")}


def test_an_age_may_be_guessed_or_follow_from_the_birth() -> None:
    born = [{"birth": "2016-03-10", "facts": {"alone": True}}, {"age_about": 70}]
    assert services(plan(subjects=born)) == CHILD_CRITICAL
    assert names(plan(subjects=[{"birth": "2010-03-10", "facts": {"alone": True}}])) == {"child-welfare"}
    assert services(plan(subjects=[{"birth": "2010-03-10", "facts": {"alone": True}}])) == {
        ("child-welfare", "urgent")
    }


def test_the_plan_travels_as_json_and_comes_back() -> None:
    found = plan({"age": 9, "alone": True}, emergency={"kind": "fire"}, needs=["lodging"])
    assert found.rules_version
    assert Plan.model_validate_json(found.model_dump_json(by_alias=True)) == found


def test_every_condition_is_explained_and_every_rule_has_a_ground() -> None:
    rules = packaged_rules()
    assert all(rule.source for rule in rules.referrals)
    assert all(duty.source for duty in rules.duties.rows)
    assert all(held.__doc__ for name, held in CONDITIONS.items() if not name.startswith("need "))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("when: minor_in_danger", "when: full_moon", "full_moon"),
        ("from: public-security", "from: the-moon", "the-moon"),
        ("ground: statute", "ground: an opinion", "ground"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(old: str, new: str, says: str) -> None:
    text = (files("onedoor.triage") / "rules.yaml").read_text("utf-8")
    with pytest.raises(RulesProblem, match=says):
        parse_rules(text.replace(old, new, 1), packaged_duties())


def test_an_evaluation_takes_well_under_a_millisecond() -> None:
    form, _ = parse_form({"place": {"division": HERE}, "subjects": [{"age": 9, "facts": {"alone": True}}]})
    application = form.received(moment(RECEIVED))
    evaluate(application)
    best = min(_seconds(application) for _ in range(50))
    assert best < 0.001


def _seconds(application: Any) -> float:
    start = time.perf_counter()
    evaluate(application)
    return time.perf_counter() - start
