"""The application as a decider, what is sealed of it, and what a supplement changes: tables, no database."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onedoor.contracts.core import Actor, Context, Event, Refusal
from onedoor.contracts.events.intake import ApplicationReceived, ApplicationWithdrawn, PersonRecorded
from onedoor.contracts.plan import Plan
from onedoor.intake.domain import (
    APPLICATION,
    PERSON,
    Application,
    Known,
    Person,
    Receive,
    RecordPerson,
    Supplement,
    Withdraw,
    coded,
    evaluated,
    merged,
    split,
)
from onedoor.intake.domain.entry import FUTURE, LONG_PAST, times
from onedoor.intake.domain.known import kept_times
from onedoor.intake.domain.protection import SEALED_FACTS, SEALED_RULES, sees_links
from onedoor.triage import parse_form

NOW = datetime(2026, 3, 3, 13, 40, tzinfo=UTC)
CONTEXT = Context(Actor(person="p", role="window"), NOW)
ID, CHAIN = uuid4(), uuid4()


def known(believed: bool = True, **body: Any) -> Known:
    form, _ = parse_form({"place": {"division": "500112004"}, **body})
    ids = [UUID(int=place + 1) for place in range(len(form.subjects))]
    return coded(form, ids, received_at=NOW, recorded_at=NOW, late_entry=False, believed=believed)


def planned(facts: Known) -> Plan:
    return evaluated(facts, NOW, {})


def history(*commands: Any) -> tuple[Application, list[Event], list[Refusal]]:
    state, events, refusals = APPLICATION.initial(), list[Event](), list[Refusal]()
    for command in commands:
        decided = APPLICATION.decide(state, command, CONTEXT)
        if isinstance(decided, Refusal):
            refusals.append(decided)
            continue
        for event in decided:
            events.append(event)
            state = APPLICATION.evolve(state, event)
    return state, events, refusals


def taken(facts: Known, protection: bool = False) -> Receive:
    return Receive(
        target=ID, chain_id=CHAIN, receipt="R", known=facts, plan=planned(facts), protection=protection
    )


INCOME = known(needs=["income"], caller={"role": "self"}, subjects=[{"id": "a", "age": 40}])
ALONE = known(subjects=[{"id": "a", "age": 9, "facts": {"alone": True}}])


def test_taken_down_once() -> None:
    state, (event,), (refusal,) = history(taken(INCOME), taken(INCOME))
    assert isinstance(event, ApplicationReceived)
    assert (event.kind, event.reporter, event.subjects[0].age) == ("application", "sealed", 40)
    assert (state.state, state.chain_id, state.duty_stands) == ("received", CHAIN, False)
    assert refusal.code == "application.exists"


@pytest.mark.parametrize(
    ("facts", "protection", "stands"), [(INCOME, False, False), (ALONE, False, True), (INCOME, True, True)]
)
def test_withdrawn_once_and_protection_stands(facts: Known, protection: bool, stands: bool) -> None:
    withdraw = Withdraw(target=ID, reason="moved_away")
    state, events, (refusal,) = history(taken(facts, protection), withdraw, withdraw)
    last = events[-1]
    assert isinstance(last, ApplicationWithdrawn)
    assert (last.protection_stands, last.withdrawn_at, last.reason) == (stands, NOW, "moved_away")
    assert state.state == "withdrawn"
    assert refusal.code == "application.withdrawn"


def test_after_withdrawal_only_danger_is_taken() -> None:
    more = Supplement(target=ID, known=INCOME, plan=planned(INCOME))
    danger = Supplement(target=ID, known=ALONE, plan=planned(ALONE))
    state, _, refusals = history(taken(INCOME), Withdraw(target=ID), more, danger)
    assert [refusal.code for refusal in refusals] == ["application.withdrawn"]
    assert (state.state, state.duty_stands) == ("received", True)


def test_what_does_not_exist_is_not_supplemented_or_withdrawn() -> None:
    _, events, refusals = history(
        Withdraw(target=ID), Supplement(target=ID, known=INCOME, plan=planned(INCOME))
    )
    assert events == []
    assert [refusal.code for refusal in refusals] == ["application.unknown"] * 2


MOTHER = {"age": 31, "facts": {"violence": True}}
SPLITS = [
    ("no harm", {"needs": ["income"], "subjects": [{"age": 40}]}, {"assistance"}, set(), None, None),
    ("harm, nothing else", {"subjects": [{"age": 7, "facts": {"suspected_harm": True}}]},
     None, None, {"child-welfare"}, {"R1"}),
    ("harm and income", {"needs": ["income"], "subjects": [{"age": 7, "facts": {"suspected_harm": True}}]},
     {"assistance"}, set(), {"child-welfare"}, {"R1"}),
    ("violence, a child beside it", {"needs": ["cash"], "subjects": [MOTHER, {"age": 6}]},
     {"assistance"}, set(), {"child-welfare"}, {"R1", "R18"}),
    ("violence, no child", {"needs": ["job"], "subjects": [MOTHER]}, {"assistance"}, {"R12"}, set(), {"R18"}),
    ("violence and illness", {"subjects": [{"age": 31, "facts": {"violence": True, "acute_illness": True}}]},
     set(), {"R9"}, set(), {"R18"}),
    ("harm to a child alone whose father was taken away", {"subjects": [{"age": 9, "facts": {
        "alone": True, "suspected_harm": True, "parents": [{"relation": "father", "status": "detention"}]}}]},
     set(), {"R2"}, {"child-welfare"}, {"R1"}),
    ("harm to an adult", {"subjects": [{"age": 80, "facts": {"suspected_harm": True}}]},
     None, None, set(), set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "services", "rules", "sealed_services", "sealed_rules"),
    [row[1:] for row in SPLITS],
    ids=[row[0] for row in SPLITS],
)
def test_what_is_sealed(
    body: Any, services: Any, rules: Any, sealed_services: Any, sealed_rules: Any
) -> None:
    facts = known(**body)
    parts = split(facts, planned(facts))
    for part, wanted in (
        (parts.household, (services, rules)),
        (parts.protection, (sealed_services, sealed_rules)),
    ):
        found = part and (
            {each.name for each in part.plan.services},
            {each.rule for each in part.plan.referrals},
        )
        assert found == (None if wanted == (None, None) else wanted)
    if parts.protection is not None:
        assert parts.protection.known == facts


def test_a_protection_order_is_sealed_even_as_a_claim() -> None:
    body: dict[str, Any] = {
        "needs": ["income"],
        "stages": [{"kind": "protection_order_requested", "at": "2026-03-03T20:00"}],
    }
    believed, claimed = known(**body), known(False, **body)
    parts = split(believed, planned(believed))
    assert parts.protection is not None
    assert parts.household is not None
    assert [duty.id for duty in parts.protection.plan.duties] == ["L26"]
    assert parts.household.plan.duties == ()
    assert parts.household.known.stages == ()
    assert split(claimed, planned(claimed)).protection is not None
    assert claimed.stages == ()


FACTS = ("alone", "suspected_harm", "violence", "begging", "street", "acute_illness", "unseen")
NEEDS = ("income", "cash", "lodging", "job", "remaining_gap")
flag = st.booleans()
facts_of = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("alone", "suspected_harm", "violence", "begging", "street", "acute_illness", "unseen"), flag
    ),
)
subject_of = st.fixed_dictionaries({"facts": facts_of}, optional={"age": st.integers(0, 90)})
body_of = st.fixed_dictionaries(
    {"subjects": st.lists(subject_of, max_size=3)},
    optional={
        "needs": st.lists(st.sampled_from(NEEDS), unique=True),
        "consent": st.fixed_dictionaries({"financial_check": flag, "charity": flag}),
        "emergency": st.just({"kind": "fire"}),
    },
)


@given(body_of)
def test_nothing_is_lost_by_sealing_and_nothing_sealed_shows(body: dict[str, Any]) -> None:
    facts = known(**body)
    whole = planned(facts)
    parts = split(facts, whole)
    both = [part.plan for part in (parts.household, parts.protection) if part is not None]
    assert both
    for name in ("services", "referrals", "duties"):
        there = [each for plan in both for each in getattr(plan, name)]
        assert sorted(map(str, there)) == sorted(map(str, getattr(whole, name))), name
    if parts.household is not None:
        told = parts.household.known.told()["subjects"]
        assert not any(SEALED_FACTS & subject["facts"].keys() for subject in told)
    if parts.household is not None and parts.protection is not None:
        assert not SEALED_RULES & {each.rule for each in parts.household.plan.referrals}
        assert "hide_address" not in parts.household.plan.flags
        assert parts.household.plan.services or parts.household.plan.referrals or parts.household.plan.manual


@given(body_of, body_of)
def test_a_supplement_only_adds(first: dict[str, Any], second: dict[str, Any]) -> None:
    before, more = known(**first), known(**second)
    after = merged(before, more)
    assert set(after.needs) == set(before.needs) | set(more.needs)
    assert len(after.subjects) == max(len(before.subjects), len(more.subjects))
    assert merged(after, more) == after, "told twice is told once"
    assert after.received_at == before.received_at


def test_what_stood_keeps_its_times_unless_it_became_more_urgent() -> None:
    later = NOW + timedelta(days=3)
    before = planned(ALONE)
    more = merged(ALONE, known(subjects=[{"id": "a", "age": 9, "facts": {"acute_illness": True}}]))
    after = kept_times(before, evaluated(more, later, {}), later)
    times_of = {each.rule: each.due_ack for each in after.referrals}
    assert times_of["R1"] == NOW + timedelta(minutes=30)
    assert times_of["R9"] == later + timedelta(minutes=30)


def test_emergency_duties_keep_their_start() -> None:
    fire = known(emergency={"kind": "fire"})
    later = NOW + timedelta(days=2)
    assert kept_times(planned(fire), evaluated(fire, later, {}), later).duties == planned(fire).duties


TIMES = [
    (None, False, None, NOW, False, None),
    (NOW - timedelta(minutes=59), False, None, NOW - timedelta(minutes=59), False, None),
    (NOW - timedelta(hours=2), False, None, NOW, False, LONG_PAST),
    (NOW - timedelta(hours=2), True, None, NOW - timedelta(hours=2), True, None),
    (NOW - timedelta(hours=2), False, "补录", NOW - timedelta(hours=2), True, None),
    (NOW + timedelta(seconds=30), False, None, NOW, False, None),
    (NOW + timedelta(minutes=2), True, "补录", NOW, False, FUTURE),
]


@pytest.mark.parametrize(("told", "believed", "reason", "at", "late", "mark"), TIMES)
def test_which_time_counts(told: Any, believed: bool, reason: Any, at: Any, late: bool, mark: Any) -> None:
    found = times(told, NOW, believed, reason)
    assert (found.received_at, found.late_entry, found.mark) == (at, late, mark)


def test_an_identity_is_published_only_when_it_changed() -> None:
    command = RecordPerson(target=ID, name="甲乙", aliases=("小乙",), minor=True)
    state = Person()
    (event,) = PERSON.decide(state, command, CONTEXT)  # type: ignore[misc]
    assert isinstance(event, PersonRecorded)
    assert (event.person_id, event.classification(), event.key()) == (ID, "child", str(ID))
    state = PERSON.evolve(state, event)
    assert "甲乙" not in state.model_dump_json()
    assert PERSON.decide(state, command, CONTEXT) == []
    assert PERSON.decide(state, command.model_copy(update={"phone": "1"}), CONTEXT) != []


def test_only_child_protection_on_duty_knows_the_link() -> None:
    roles = ("child-duty", "everything", "child-worker", "window", "district", "hotline")
    assert [sees_links(Actor(person="p", role=role)) for role in roles] == [True, True] + [False] * 4
