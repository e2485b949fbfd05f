"""The access table: who may do what, and how far it reaches."""

from itertools import product
from typing import get_args

import pytest

from onedoor.contracts.core import SYSTEM, Actor, Classification
from onedoor.runtime.access import _TABLE, ACTIONS, HOME, ROLES, Grant, clearance, may, reach
from onedoor.runtime.people import BY_ID, PEOPLE

CHILD_ROLES = {"hotline", "window", "village", "department", "unit-head", "child-worker", "child-duty"}
YUELAI, ELSEWHERE = "500112015", "500112020"


def actor(role: str, department: str | None = None, division: str | None = None) -> Actor:
    return Actor(person="p", role=role, department=department or HOME.get(role), division=division)


def test_the_table_knows_exactly_the_roles_and_actions() -> None:
    assert set(_TABLE) == {*ROLES, "system"}
    assert {action for grants in _TABLE.values() for action in grants} == set(ACTIONS)


@pytest.mark.parametrize(
    ("action", "roles"),
    [
        ("import", set()),
        ("everything", set()),
        ("reporter.reveal", {"child-duty"}),
        ("letters.handle", {"ops"}),
        ("audit.read", {"auditor"}),
        ("admin.manage", {"admin"}),
        ("case.decide", {"reviewer", "district", "child-duty"}),
        ("stream.read", {"ops"}),
        ("clock.pause", {"reviewer", "district", "unit-head", "child-duty"}),
    ],
)
def test_rare_actions(action: str, roles: set[str]) -> None:
    allowed = {role for role in ROLES if may(actor(role), action)}
    assert allowed == roles | {"everything"}


@pytest.mark.parametrize("role", ["leader", "ops", "auditor", "admin"])
def test_no_personal_file_for_those_who_need_none(role: str) -> None:
    files = [
        action for action in ACTIONS if action.split(".")[0] in ("application", "person", "case", "chain")
    ]
    assert [action for action in files if may(actor(role), action)] == []


@pytest.mark.parametrize("role", ["caseworker", "reviewer", "district", "finance", "station", "charity"])
def test_assistance_and_relief_see_no_protection_facts(role: str) -> None:
    grants = [may(actor(role), action) for action in ACTIONS]
    assert all("child" not in grant.classifications for grant in grants if grant)


def test_an_unknown_role_or_action_is_barred() -> None:
    assert may(actor("emperor"), "case.read") is None
    assert may(actor("caseworker"), "case.burn") is None
    assert clearance(actor("emperor")) == ""


def test_the_hotline_sees_the_receipt_only() -> None:
    for action in ("application.read", "chain.read"):
        grant = may(actor("hotline"), action)
        assert grant is not None
        assert grant.receipt_only
        assert grant.own_department
    assert may(actor("hotline"), "person.read") is None


def test_a_department_without_division_works_for_all_of_its_own() -> None:
    police = actor("department", "public-security")
    grant = may(police, "referral.handle")
    assert grant is not None
    assert grant.covers(police, classification="child", department="public-security", division=YUELAI)
    assert not grant.covers(police, classification="child", department="education", division=YUELAI)


def test_a_department_with_division_works_for_that_one() -> None:
    police = actor("department", "public-security", YUELAI)
    grant = may(police, "referral.handle")
    assert grant is not None
    assert grant.covers(police, classification="internal", department="public-security", division=YUELAI)
    assert not grant.covers(
        police, classification="internal", department="public-security", division=ELSEWHERE
    )


def test_a_missing_division_or_department_reaches_nothing_that_is_limited_by_it() -> None:
    window = actor("window")
    grant = may(window, "application.read")
    assert grant is not None
    assert not grant.covers(window, classification="internal", department="township", division=None)
    assert not grant.covers(window, classification="internal", department="township", division=YUELAI)
    nobody = Actor(person="p", role="department")
    grant = may(nobody, "referral.read")
    assert grant is not None
    assert not grant.covers(nobody, classification="internal", department=None, division=None)


@pytest.mark.parametrize(("role", "action"), list(product(ROLES, ACTIONS)))
def test_reach_never_exceeds_a_grant(role: str, action: str) -> None:
    for division in (None, YUELAI):
        who = actor(role, division=division)
        grant, common = may(who, action), reach(who)
        if grant is not None:
            assert common.classifications <= grant.classifications
            assert common.own_department >= grant.own_department
            assert common.own_division >= grant.own_division


def test_the_system_and_the_developer_reach_everything() -> None:
    whole = Grant(classifications=frozenset(get_args(Classification)))
    assert all(may(SYSTEM, action) == whole for action in ACTIONS)
    assert all(may(actor("everything"), action) == whole for action in ACTIONS)
    assert clearance(SYSTEM) == "child,internal,public,restricted"


def test_the_seeded_people_cover_every_role_once_at_least() -> None:
    assert {person.role for person in PEOPLE} == set(ROLES)
    assert len(BY_ID) == len(PEOPLE)
    assert {"public-security", "education", "health", "womens-federation", "minor-protection-centre"} <= {
        person.department for person in PEOPLE
    }
    assert len({person.division for person in PEOPLE if person.role == "window"}) == 2
    assert all(Actor.parse(str(person.actor)) == person.actor for person in PEOPLE)
