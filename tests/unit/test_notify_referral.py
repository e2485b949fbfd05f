"""A referral: every state with every verb, who may do it, what its clocks do, any order of arrival."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from onedoor.calendar import moment
from onedoor.contracts.core import Actor, Event, Refusal, derived_id
from onedoor.contracts.events.intake import Subject
from onedoor.contracts.events.need import NeedClosed
from onedoor.contracts.events.notify import ReferralAcknowledged, ReferralSent
from onedoor.contracts.referral_rules import check
from onedoor.notify.domain.clock import PauseClock, ResumeClock, clock_id
from onedoor.notify.domain.ledger import referral_id
from onedoor.notify.domain.referral import (
    FOLLOWS,
    REFERRAL,
    Acknowledge,
    Act,
    Answer,
    Approve,
    ByPerson,
    Close,
    Decline,
    Extend,
    Reopen,
    Return,
    Revoke,
    Send,
    SendOn,
    Verify,
)
from onedoor.triage import Application, evaluate, packaged_rules
from tests.notify import (
    ANYONE,
    APPLICATION,
    CHAIN,
    CHILD,
    FRIDAY,
    REQUEST,
    Notify,
    application,
    decided,
    of_plan,
    planned,
    requested,
    withdrawn,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
R4 = of_plan()
GROWN_UP = derived_id("notify-test-grown-up")
R1 = of_plan("R1", "public-security")
POLICE = Actor(person="police-1", role="department", department="public-security")
SCHOOLS = Actor(person="education-1", role="department", department="education")
TOWN = Actor(person="caseworker-1", role="caseworker", department="township")
CRITICAL = {"rule": "R1", "to": "public-security", "urgency": "critical"}

VERBS: dict[str, Callable[[UUID], ByPerson]] = {
    "send": lambda id_: Send(target=id_, stands=True),
    "acknowledge": lambda id_: Acknowledge(target=id_),
    "act": lambda id_: Act(target=id_),
    "return": lambda id_: Return(target=id_, reason="not_our_matter"),
    "extend": lambda id_: Extend(target=id_, reason="waiting_for_others"),
    "approve": lambda id_: Approve(target=id_),
    "decline": lambda id_: Decline(target=id_),
    "send_on": lambda id_: SendOn(target=id_, to="civil-affairs"),
    "answer": lambda id_: Answer(target=id_, outcome="no_need", told=True),
    "verify": lambda id_: Verify(target=id_),
    "close": lambda id_: Close(target=id_),
    "reopen": lambda id_: Reopen(target=id_, reason="need_remains"),
    "revoke": lambda id_: Revoke(target=id_, reason="no_longer_needed"),
}
WAYS: dict[str, tuple[str, ...]] = {
    "drafted": (),
    "sent": (),
    "acknowledged": ("acknowledge",),
    "acted": ("acknowledge", "act"),
    "returned": ("return",),
    "extended": ("acknowledge", "extend"),
    "answered": ("acknowledge", "answer"),
    "verified": ("acknowledge", "answer", "verify"),
    "closed": ("acknowledge", "answer", "verify", "close"),
    "reopened": ("acknowledge", "answer", "reopen"),
    "revoked": ("revoke",),
}
ALLOWED: dict[str, str] = {
    "drafted": "send revoke",
    "sent": "acknowledge return revoke",
    "acknowledged": "act return extend answer revoke",
    "acted": "extend answer revoke",
    "returned": "close reopen revoke send_on",
    "extended": "act answer revoke",
    "answered": "verify reopen",
    "verified": "close reopen",
    "closed": "reopen",
    "reopened": "acknowledge act return extend answer revoke",
    "revoked": "",
}


EXPLAINED = {
    "approve": "referral.no_extension",
    "decline": "referral.no_extension",
    "send_on": "referral.not_returned",
}
"""Verbs that have their own reason to be refused in a state that would let them pass."""


def opened(*referrals: dict[str, Any], **more: Any) -> Notify:
    notify = Notify()
    notify.read(application(*(referrals or (planned(),)), **more), FRIDAY)
    return notify


def in_state(state: str) -> Notify:
    notify = opened(planned(drafted="written_consent" if state == "drafted" else None))
    for verb in WAYS[state]:
        assert not isinstance(notify.give(VERBS[verb](R4), FRIDAY + HOUR, ANYONE), Refusal)
    assert notify.referral(R4).state == state
    return notify


def code(result: list[Event] | Refusal) -> str:
    return result.code if isinstance(result, Refusal) else result[0].type


@pytest.mark.parametrize("state", list(WAYS))
@pytest.mark.parametrize("verb", list(VERBS))
def test_every_state_with_every_verb(state: str, verb: str) -> None:
    notify = in_state(state)
    done = notify.give(VERBS[verb](R4), FRIDAY + 2 * HOUR, ANYONE)
    assert (not isinstance(done, Refusal)) == (verb in ALLOWED[state].split()), code(done)
    if isinstance(done, Refusal):
        assert done.code in ("referral.state", EXPLAINED.get(verb))
        assert done.reason
        assert done.reason_zh
        assert notify.referral(R4).state == state


def test_the_table_names_every_verb() -> None:
    assert {type(make(R4)) for make in VERBS.values()} == set(FOLLOWS)


@pytest.mark.parametrize("urgency", ["critical", "urgent", "ordinary"])
@pytest.mark.parametrize("to", ["public-security", "education"])
def test_due_moments_are_those_that_triage_plans(urgency: Any, to: str) -> None:
    """One file of limits for plan and clocks: 30 min, 2 h, 24 h; 4 h only toward who is always on duty."""
    notify = opened(planned("R1", to, urgency))
    id_ = of_plan("R1", to)
    referral = notify.referral(id_)
    assert notify.clock("ack", id_).due_at == referral.due_ack
    assert notify.clock("finish", id_).due_at == referral.due_finish
    assert notify.clock("action", id_).due_at == referral.due_action
    limits = packaged_rules().duties.referral(urgency, FRIDAY)
    awake = limits.ack_round_the_clock if to == "public-security" else None
    assert notify.clock("ack", id_).limit == str(awake or limits.ack)
    assert (referral.due_action is None) == (urgency != "critical")


def test_a_plan_of_triage_and_its_clocks_agree() -> None:
    """The plan's own due moments, of every urgency, are those that notify counts for itself."""
    form = {
        "received_at": "2026-09-18T10:00",
        "channel": "hotline",
        "place": {"division": "500112015"},
        "registered_division": "500112015",
        "caller": {"role": "neighbour"},
        "needs": ["medical_cost"],
        "emergency": {"kind": "flood", "at": "2026-09-18T08:00"},
        "subjects": [{"id": "p1", "age": 9, "facts": {"alone": True, "school": "dropped_out"}}],
    }
    plan = evaluate(Application.model_validate(form))
    notify = Notify()
    notify.read(application().model_copy(update={"plan": plan}), FRIDAY)
    assert {planned.urgency for planned in plan.referrals} == {"critical", "ordinary"}
    for planned_ in plan.referrals:
        referral = notify.referral(of_plan(planned_.rule, planned_.to))
        planned_dues = (planned_.due_ack, planned_.due_action, planned_.due_finish)
        assert (referral.due_ack, referral.due_action, referral.due_finish) == planned_dues
    assert [duty.due_at for duty in plan.duties] == [notify.clock(duty.id).due_at for duty in plan.duties]


def test_a_critical_report_starts_three_clocks() -> None:
    notify = opened(planned(**CRITICAL))
    dues = {duty: notify.clock(duty, R1).due_at for duty in ("ack", "action", "finish")}
    assert dues == {
        "ack": FRIDAY + timedelta(minutes=30),
        "action": FRIDAY + 2 * HOUR,
        "finish": FRIDAY + 24 * HOUR,
    }
    notify.give(Acknowledge(target=R1), FRIDAY + timedelta(minutes=10), POLICE)
    notify.give(Act(target=R1), FRIDAY + 3 * HOUR, POLICE)
    notify.give(VERBS["answer"](R1), FRIDAY + 4 * HOUR, POLICE)
    states = [notify.clock(duty, R1).state for duty in ("ack", "action", "finish")]
    assert states == ["met", "met_late", "met"]


def test_only_allowed_facts_travel() -> None:
    notify = opened(planned(**CRITICAL), planned())
    sent = {e.rule: e for _, _, _, e in notify.log if isinstance(e, ReferralSent)}
    assert sent["R1"].facts["subjects"] == [{"person_id": str(CHILD), "alone": True, "age": 9}]
    assert sent["R4"].facts["subjects"] == [{"person_id": str(CHILD), "school": "dropped_out", "age": 9}]
    assert sent["R1"].classification() == "child"
    assert (sent["R1"].facts["place_division"], sent["R4"].facts.keys()) == ("500112015", {"subjects"})


def test_nothing_is_answered_before_it_is_acknowledged() -> None:
    notify = in_state("returned")
    notify.give(VERBS["reopen"](R4), FRIDAY + 2 * HOUR, TOWN)
    assert code(notify.give(VERBS["answer"](R4), FRIDAY + 3 * HOUR, SCHOOLS)) == "referral.not_acknowledged"
    assert code(notify.give(VERBS["act"](R4), FRIDAY + 3 * HOUR, SCHOOLS)) == "referral.not_acknowledged"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Return(target=R4), "referral.reason"),
        (Return(target=R4, reason="we do not like it"), "referral.reason"),
        (Extend(target=R4), "referral.reason"),
        (Extend(target=R4, reason="other", until=moment("2026-10-10")), "referral.until"),
        (Extend(target=R4, reason="other", until=moment("2026-10-17")), "referral.until"),
        (Answer(target=R4, outcome="helped"), "referral.feedback"),
        (Answer(target=R4, outcome="fine", told=True), "referral.outcome"),
        (Answer(target=R4, outcome="helped", told=True), "referral.results"),
        (Answer(target=R4, outcome="other", told=True, results={"mood": "good"}), "referral.results"),
        (Answer(target=R4, outcome="helped", told=True, results={"schooling": "maybe"}), "referral.results"),
        (Revoke(target=R4), "referral.reason"),
    ],
)
def test_incomplete_commands_name_the_field(command: ByPerson, expected: str) -> None:
    notify = in_state("acknowledged")
    refusal = notify.give(command, FRIDAY + 2 * HOUR, ANYONE)
    assert isinstance(refusal, Refusal)
    assert refusal.code == expected
    assert refusal.field


def test_one_extension_of_at_most_five_working_days_before_it_is_due() -> None:
    notify = in_state("acknowledged")
    assert notify.referral(R4).due_finish == moment("2026-10-10")
    wish = Extend(target=R4, reason="other", until=moment("2026-10-15"))
    assert code(notify.give(wish, FRIDAY + DAY, SCHOOLS)) == "referral.extension_asked"
    assert notify.clock("finish", R4).due_at == moment("2026-10-10"), "asked for is not granted"
    assert code(notify.give(VERBS["approve"](R4), FRIDAY + DAY, SCHOOLS)) == "referral.own_answer"
    assert code(notify.give(VERBS["approve"](R4), FRIDAY + DAY, TOWN)) == "referral.extended"
    assert notify.referral(R4).due_finish == moment("2026-10-15")
    assert notify.clock("finish", R4).due_at == moment("2026-10-15")
    notify.give(VERBS["act"](R4), FRIDAY + 2 * DAY, SCHOOLS)
    assert code(notify.give(VERBS["extend"](R4), FRIDAY + 2 * DAY, SCHOOLS)) == "referral.extended"
    late = in_state("acknowledged")
    assert code(late.give(VERBS["extend"](R4), moment("2026-10-10"), SCHOOLS)) == "referral.overdue"
    whole = in_state("acknowledged")
    whole.give(VERBS["extend"](R4), FRIDAY + DAY, SCHOOLS)
    whole.give(VERBS["approve"](R4), FRIDAY + DAY, TOWN)
    assert whole.clock("finish", R4).due_at == moment("2026-10-16")


def test_a_pause_and_an_extension_agree_on_the_due_day() -> None:
    notify = in_state("acknowledged")
    finish = clock_id("finish", R4)
    notify.give(PauseClock(target=finish, reason="court"), moment("2026-09-21T09:00"), ANYONE)
    notify.give(ResumeClock(target=finish), moment("2026-09-23T09:00"), ANYONE)
    assert notify.referral(R4).due_finish == notify.clock("finish", R4).due_at == moment("2026-10-13")
    notify.give(VERBS["extend"](R4), moment("2026-09-24T09:00"), SCHOOLS)
    notify.give(VERBS["approve"](R4), moment("2026-09-24T10:00"), TOWN)
    assert notify.referral(R4).due_finish == notify.clock("finish", R4).due_at == moment("2026-10-20")


def test_critical_referrals_are_never_extended() -> None:
    notify = opened(planned(**CRITICAL))
    notify.give(Acknowledge(target=R1), FRIDAY, POLICE)
    assert code(notify.give(VERBS["extend"](R1), FRIDAY + HOUR, POLICE)) == "referral.critical"


def test_a_returned_ordinary_referral_is_no_longer_the_receivers() -> None:
    notify = in_state("returned")
    states = [notify.clock(duty, R4).state for duty in ("ack", "finish")]
    assert states == ["met", "cancelled"]


def test_first_receiver_of_a_critical_one_stays_responsible_until_the_next_acknowledges() -> None:
    notify = opened(planned(**CRITICAL))
    notify.give(Return(target=R1, reason="wrong_division"), FRIDAY + timedelta(minutes=5), POLICE)
    assert notify.referral(R1).held
    assert [notify.clock(duty, R1).state for duty in ("ack", "action", "finish")] == ["running"] * 3
    assert code(notify.give(VERBS["close"](R1), FRIDAY + HOUR, TOWN)) == "referral.held"
    again = requested(FRIDAY + HOUR, "R1", "minor-protection-centre", urgency="critical")
    notify.read(again, FRIDAY + HOUR)
    assert notify.referral(R1).held, "asked for is not yet acknowledged"
    next_ = referral_id(REQUEST, "R1", "minor-protection-centre")
    notify.give(Acknowledge(target=next_), FRIDAY + HOUR + timedelta(minutes=5), ANYONE)
    assert notify.referral(R1).released
    assert [notify.clock(duty, R1).state for duty in ("ack", "action", "finish")] == ["cancelled"] * 3
    assert notify.clock("ack", R1).breached_at is not None, "nobody took it within thirty minutes"
    assert notify.clock("finish", next_).state == "running"


def test_the_first_receiver_may_take_it_after_all() -> None:
    notify = opened(planned(**CRITICAL))
    notify.give(Return(target=R1, reason="duplicate"), FRIDAY + timedelta(minutes=5), POLICE)
    notify.give(Acknowledge(target=R1), FRIDAY + timedelta(minutes=9), POLICE)
    assert notify.referral(R1).state == "acknowledged"
    assert notify.clock("ack", R1).state == "met"


def test_what_was_handed_on_is_not_returned_again_by_who_took_it_after_all() -> None:
    """A second return would bring a third office in, and nobody would relieve the one that stands there."""
    notify = opened(planned(**CRITICAL))
    notify.give(Return(target=R1, reason="duplicate"), FRIDAY, POLICE)
    notify.give(SendOn(target=R1, to="minor-protection-centre"), FRIDAY, ANYONE)
    notify.give(Acknowledge(target=R1), FRIDAY, POLICE)
    assert code(notify.give(Return(target=R1, reason="duplicate"), FRIDAY, POLICE)) == "referral.handed_on"
    assert notify.referral(R1).state == "acknowledged"


def test_reopening_counts_the_finish_clock_anew() -> None:
    notify = in_state("answered")
    at = moment("2026-11-02T09:00")
    notify.give(VERBS["reopen"](R4), at, TOWN)
    clock = notify.clock("finish", R4)
    assert (clock.state, clock.started_at, clock.due_at) == ("running", at, moment("2026-11-17"))
    assert notify.referral(R4).due_finish == clock.due_at
    notify.give(VERBS["answer"](R4), at + DAY, SCHOOLS)
    assert notify.clock("finish", R4).state == "met"


@pytest.mark.parametrize(
    ("actor", "verb", "expected"),
    [
        (SCHOOLS, "acknowledge", "referral.acknowledged"),
        (POLICE, "acknowledge", "referral.not_addressed"),
        (TOWN, "acknowledge", "referral.not_addressed"),
    ],
)
def test_receivers_acknowledge(actor: Actor, verb: str, expected: str) -> None:
    assert code(opened().give(VERBS[verb](R4), FRIDAY, actor)) == expected


def test_senders_verify_and_receivers_do_not_judge_their_own_answer() -> None:
    assert code(in_state("answered").give(VERBS["verify"](R4), FRIDAY, TOWN)) == "referral.verified"
    head = Actor(person="x", role="child-duty", department="education")
    assert code(in_state("answered").give(VERBS["verify"](R4), FRIDAY, head)) == "referral.own_answer"


def test_on_behalf_is_recorded_and_counts_alike() -> None:
    notify = opened()
    notify.give(Acknowledge(target=R4, on_behalf=True), FRIDAY + HOUR, TOWN)
    (event,) = [e for _, _, _, e in notify.log if isinstance(e, ReferralAcknowledged)]
    assert event.on_behalf
    assert notify.clock("ack", R4).state == "met"


def test_withdrawal_revokes_what_is_open_but_no_protection() -> None:
    notify = opened(planned(**CRITICAL), planned(), duties=[duty("L17", "3cd!"), duty("L26", "72h")])
    notify.read(withdrawn(FRIDAY + HOUR), FRIDAY + HOUR)
    assert notify.referral(R4).state == "revoked"
    assert notify.referral(R1).state == "sent"
    assert [notify.clock(d, R4).state for d in ("ack", "finish")] == ["cancelled"] * 2
    assert [notify.clock(d, R1).state for d in ("ack", "action", "finish")] == ["running"] * 3
    assert notify.clock("L17").state == "cancelled"
    assert notify.clock("L26").state == "running"
    assert code(notify.give(VERBS["revoke"](R1), FRIDAY + HOUR, TOWN)) == "referral.protection"


def duty(id_: str, limit: str, at: datetime = FRIDAY) -> dict[str, Any]:
    return {"id": id_, "due_on": at.date(), "due_at": at, "started_at": at, "limit": limit}


def test_asked_for_after_the_withdrawal_is_refused_unless_protection() -> None:
    notify = opened()
    notify.read(withdrawn(FRIDAY + HOUR), FRIDAY + HOUR)
    notify.read(requested(FRIDAY + 2 * HOUR), FRIDAY + 2 * HOUR)
    assert [asked.wanted.rule for asked in notify.ledger.aside] == ["R10"]
    assert notify.referral(referral_id(REQUEST, "R10", "medical-insurance")).state is None
    notify.read(requested(FRIDAY + 2 * HOUR, "R18", "court", urgency="critical"), FRIDAY + 2 * HOUR)
    assert notify.referral(referral_id(REQUEST, "R18", "court")).state == "sent"


def test_a_protection_case_goes_on_asking() -> None:
    notify = opened()
    notify.read(withdrawn(FRIDAY + HOUR, protection_stands=True), FRIDAY + HOUR)
    at = FRIDAY + 2 * HOUR
    notify.read(requested(at, "R4", "education", service="child-welfare"), at)
    assert notify.referral(referral_id(REQUEST, "R4", "education")).state == "sent"
    notify.read(requested(at, "R10", request_id=derived_id("other")), at)
    assert [asked.wanted.rule for asked in notify.ledger.aside] == ["R10"]


def test_a_supplement_adds_what_is_new_and_raises_what_is_more_urgent() -> None:
    notify = opened(planned("R1", "public-security", "urgent"), planned())
    notify.give(Acknowledge(target=R1), FRIDAY + HOUR, POLICE)
    later = FRIDAY + 2 * DAY
    more = application(planned(**CRITICAL), planned(), planned("R9", "health"), at=later, supplement=True)
    notify.read(more, later)
    assert notify.types("referral").count("referral.sent") == 4
    assert notify.referral(R1).critical
    assert notify.referral(R1).state == "sent", "more urgent: acknowledged anew"
    assert notify.clock("ack", R1).due_at == later + timedelta(minutes=30)
    assert notify.clock("action", R1).state == "running"
    assert notify.clock("finish", R1).due_at == later + DAY
    assert notify.clock("finish", R4).started_at == FRIDAY
    assert notify.clock("finish", of_plan("R9", "health")).started_at == later


def test_a_draft_has_no_clock_until_it_is_sent() -> None:
    notify = in_state("drafted")
    assert notify.clock("ack", R4).state is None
    notify.give(Send(target=R4, stands=True), FRIDAY + DAY, TOWN)
    assert notify.clock("ack", R4).started_at == FRIDAY + DAY
    by_supplement = in_state("drafted")
    by_supplement.read(application(planned(), at=FRIDAY + DAY, supplement=True), FRIDAY + DAY)
    assert by_supplement.referral(R4).state == "sent"
    gone = in_state("drafted")
    gone.read(withdrawn(FRIDAY + HOUR), FRIDAY + HOUR)
    assert gone.referral(R4).state == "revoked"
    assert not gone.types("clock")


MANUAL = of_plan("MANUAL", "township")


def test_where_no_rule_names_anybody_the_township_looks_at_it_by_a_clock() -> None:
    notify = Notify()
    notify.read(application(manual=True), FRIDAY)
    notify.read(application(manual=True, supplement=True), FRIDAY + HOUR)
    assert notify.types("referral") == ["referral.sent"]
    wanted = notify.referral(MANUAL).wanted
    assert wanted is not None
    assert (wanted.rule, wanted.from_, wanted.to) == ("MANUAL", "hotline-12345", "township")
    assert (wanted.to_division, wanted.urgency) == ("500112015", "ordinary")
    assert wanted.ground == "district rule, assumed"
    assert wanted.facts == {"place_division": "500112015", "subjects": [{"person_id": str(CHILD)}]}
    limits = packaged_rules().duties.referral("ordinary", FRIDAY)
    assert notify.clock("ack", MANUAL).limit == str(limits.ack)
    assert notify.clock("finish", MANUAL).limit == str(limits.finish)
    notify.sweep(FRIDAY + 60 * DAY)
    assert notify.types().count("clock.breached") == 2


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"place_division": None}, ("hotline-12345", None)),
        ({"channel": "window"}, ("township", "500112015")),
        ({"channel": "carrier-pigeon"}, ("township", "500112015")),
        ({"caller_role": "school"}, ("education", "500112015")),
    ],
)
def test_who_hands_it_to_the_township(more: dict[str, Any], expected: tuple[str, str | None]) -> None:
    notify = Notify()
    notify.read(application(manual=True, **more), FRIDAY)
    wanted = notify.referral(MANUAL).wanted
    assert wanted is not None
    assert (wanted.from_, wanted.to_division) == expected


def test_withdrawal_revokes_what_the_township_looks_at() -> None:
    for order in permutations([application(manual=True), withdrawn(FRIDAY + HOUR)]):
        notify = Notify()
        for event in order:
            notify.read(event, FRIDAY + HOUR)
        assert notify.referral(MANUAL).state == "revoked"
        assert notify.clock("finish", MANUAL).state == "cancelled"


def test_nobody_hands_back_what_no_rule_gives_to_anybody_else() -> None:
    notify = Notify()
    notify.read(application(manual=True), FRIDAY)
    refused = notify.give(Return(target=MANUAL, reason="not_our_matter"), FRIDAY, ANYONE)
    assert isinstance(refused, Refusal)
    assert refused.code == "referral.manual"
    for command in (Acknowledge(target=MANUAL), Answer(target=MANUAL, outcome="helped", told=True)):
        assert not isinstance(notify.give(command, FRIDAY, TOWN), Refusal)


def test_late_entries_carry_the_mark_to_their_clocks() -> None:
    notify = opened(planned(**CRITICAL), late_entry=True)
    notify.sweep(FRIDAY + 30 * DAY)
    assert notify.clock("finish", R1).state == "breached"
    assert "alert.escalated" not in notify.types()


def test_a_decision_meets_the_duty_whatever_comes_first() -> None:
    plan = application(planned(), duties=[duty("L17", "3cd!")])
    first, then = Notify(), Notify()
    first.read(plan, FRIDAY)
    first.read(decided(), FRIDAY + HOUR)
    then.read(decided(), FRIDAY + HOUR)
    then.read(plan, FRIDAY)
    assert first.clock("L17").state == then.clock("L17").state == "met"
    assert first.picture() == then.picture()
    assert first.clock("L17").owner == "township"


def test_two_starts_of_one_duty_have_two_clocks() -> None:
    notify = opened(duties=[duty("L6", "3wd"), duty("L6", "3wd", FRIDAY + DAY), duty("L6", "3wd")])
    assert notify.types("clock").count("clock.started") == 4


EVENTS: dict[str, Event] = {
    "received": application(
        planned(**CRITICAL, asked_at=FRIDAY),
        planned(asked_at=FRIDAY),
        subjects=(Subject(person_id=GROWN_UP, age=40, facts={"school": "dropped_out"}),),
        duties=[duty("L17", "3cd!"), duty("L26", "72h")],
    ),
    "supplemented": application(
        planned(**CRITICAL, asked_at=FRIDAY),
        planned("R4", "education", "urgent", asked_at=FRIDAY + HOUR),
        planned("R10", "medical-insurance", asked_at=FRIDAY + HOUR),
        at=FRIDAY + HOUR,
        supplement=True,
        duties=[duty("L17", "3cd!")],
    ),
    "requested": requested(FRIDAY + 2 * HOUR),
    "decided": decided(),
    "withdrawn": withdrawn(FRIDAY + 3 * HOUR),
}
TIMES = {name: FRIDAY + i * HOUR for i, name in enumerate(EVENTS)} | {"withdrawn": FRIDAY + 3 * HOUR}


def arrived(order: tuple[str, ...], swept: bool = False) -> Notify:
    notify = Notify()
    for name in order:
        notify.read(EVENTS[name], TIMES[name])
        if swept:
            notify.sweep(FRIDAY + 60 * DAY)
    notify.sweep(FRIDAY + 60 * DAY)
    return notify


@pytest.mark.parametrize("first", list(EVENTS))
@pytest.mark.parametrize("second", list(EVENTS))
def test_pairs_of_topics_in_both_orders(first: str, second: str) -> None:
    """The same referrals and clocks, of the same people, with the same facts, as closely kept."""
    if first != second:
        assert arrived((first, second)).picture() == arrived((second, first)).picture()


@pytest.mark.parametrize("swept", [False, True])
def test_all_orders(swept: bool) -> None:
    pictures = [arrived(order, swept).picture() for order in permutations(EVENTS)]
    assert all(picture == pictures[0] for picture in pictures)


def test_a_supplement_before_its_application_opens_what_it_names_once() -> None:
    ahead = arrived(("supplemented", "received"))
    behind = arrived(("received", "supplemented"))
    assert ahead.ledger.entries == behind.ledger.entries
    assert {k for k, _ in ahead.states} == {k for k, _ in behind.states}
    assert ahead.types("clock").count("clock.started") == behind.types("clock").count("clock.started")


class ReferralMachine(RuleBasedStateMachine):
    """Anybody tries anything at any time; the sweep runs when it likes."""

    @initialize(critical=st.booleans())
    def begin(self, critical: bool) -> None:
        self.now = FRIDAY
        self.notify = opened(planned(**CRITICAL) if critical else planned())
        self.id = R1 if critical else R4

    @rule(hours=st.integers(1, 100))
    def time_passes(self, hours: int) -> None:
        self.now += hours * HOUR

    @rule()
    def sweep(self) -> None:
        self.notify.sweep(self.now)

    @rule(verb=st.sampled_from([verb for verb in VERBS if verb != "send"]))
    def somebody_tries(self, verb: str) -> None:
        before = self.notify.referral(self.id)
        done = self.notify.give(VERBS[verb](self.id), self.now, ANYONE)
        if not isinstance(done, Refusal) and verb in ("answer", "act"):
            assert before.acknowledged, "no feedback without acknowledgement"
        if not isinstance(done, Refusal) and verb == "extend":
            assert not before.critical

    @rule()
    def withdraw(self) -> None:
        self.notify.read(withdrawn(self.now), self.now)

    @invariant()
    def protection_is_never_revoked(self) -> None:
        assert not (self.id == R1 and self.notify.referral(self.id).state == "revoked")

    @invariant()
    def an_open_referral_always_has_an_open_clock(self) -> None:
        referral = self.notify.referral(self.id)
        open_ = referral.state in ("sent", "acknowledged", "acted", "extended", "reopened") or referral.held
        states = [self.notify.clock(duty, self.id).state for duty in ("ack", "action", "finish")]
        finish = states[-1] in ("running", "paused", "warned", "breached")
        assert finish == open_, (referral.state, states)

    @invariant()
    def a_referral_and_its_clock_agree_on_the_due_moment(self) -> None:
        assert self.notify.referral(self.id).due_finish == self.notify.clock("finish", self.id).due_at

    @invariant()
    def the_fold_of_the_archive_is_the_state(self) -> None:
        folded = REFERRAL.initial()
        for _, kind, id_, event in self.notify.log:
            if kind == "referral" and id_ == self.id:
                folded = REFERRAL.evolve(folded, event)
        assert folded == self.notify.referral(self.id)


TestReferralMachine = ReferralMachine.TestCase


@given(st.permutations(list(EVENTS)))
def test_nothing_is_opened_twice_in_any_order(order: list[str]) -> None:
    notify = arrived(tuple(order))
    sent = [e.referral_id for _, _, _, e in notify.log if isinstance(e, ReferralSent) and e.rule != "R4"]
    assert len(sent) == len(set(sent))
    assert notify.referral(R1).state == "sent"
    assert notify.clock("finish", R4).state == "cancelled"
    assert notify.ledger.application_id == APPLICATION


FIRE = {"id": "L17", "due_on": FRIDAY.date(), "due_at": FRIDAY, "limit": "3cd!"}
KNOCKS: dict[str, Event] = {
    "received": application(planned(asked_at=FRIDAY), duties=[FIRE | {"started_at": FRIDAY}]),
    "withdrawn": withdrawn(FRIDAY + HOUR),
    "again": application(
        planned(asked_at=FRIDAY + 2 * HOUR),
        planned("R24", "township", "critical", asked_at=FRIDAY + 2 * HOUR),
        at=FRIDAY + 2 * HOUR,
        supplement=True,
        duties=[FIRE | {"started_at": FRIDAY + 2 * HOUR, "again": True}],
    ),
    "requested": requested(FRIDAY + 3 * HOUR),
}


@pytest.mark.parametrize("order", list(permutations(KNOCKS)))
def test_danger_told_after_a_withdrawal_is_served_in_any_order(order: tuple[str, ...]) -> None:
    notify = Notify()
    for name in order:
        notify.read(KNOCKS[name], FRIDAY + list(KNOCKS).index(name) * HOUR)
    bed, again = (
        of_plan("R24", "township"),
        derived_id("duty", APPLICATION, "L17", (FRIDAY + 2 * HOUR).astimezone(UTC).isoformat()),
    )
    assert notify.referral(bed).state == notify.referral(R4).state == "sent"
    assert notify.clock("ack", bed).due_at == FRIDAY + 2 * HOUR + timedelta(minutes=30)
    assert notify.clock("finish", R4).started_at == FRIDAY + 2 * HOUR
    assert notify.clock("L17").state == "cancelled"
    assert notify.clock("L17", again).state == "running"
    asked = referral_id(REQUEST, "R10", "medical-insurance")
    assert notify.referral(asked).state == "sent", "the case asks for a household that knocked again"
    assert not notify.ledger.aside


def test_a_second_withdrawal_takes_back_what_was_told_again() -> None:
    notify = Notify()
    for name, event in KNOCKS.items():
        notify.read(event, FRIDAY + list(KNOCKS).index(name) * HOUR)
    notify.read(withdrawn(FRIDAY + 4 * HOUR), FRIDAY + 4 * HOUR)
    assert notify.referral(R4).state == "revoked"
    assert notify.referral(of_plan("R24", "township")).state == "sent", "danger to life stands"


SEALED = {"protection": True, "subjects": (Subject(person_id=GROWN_UP, age=35, facts={"violence": True}),)}


def test_what_is_sealed_stays_so_in_every_event_and_state() -> None:
    notify = opened(planned("R18", "public-security", "critical"), duties=[duty("L26", "72h")], **SEALED)
    id_ = of_plan("R18", "public-security")
    notify.give(VERBS["return"](id_), FRIDAY + timedelta(minutes=3), ANYONE)
    notify.read(requested(FRIDAY, "R18", "court", urgency="critical", sealed=True), FRIDAY)
    notify.sweep(FRIDAY + 5 * DAY)
    said = {e.classification() for _, kind, _, e in notify.log if kind != "ledger" and e.topics}
    assert said == {"restricted"}
    assert {e.classification() for _, _, _, e in notify.log if hasattr(e, "wanted")} == {"restricted"}


@pytest.mark.parametrize("order", [("received", "later"), ("later", "received")])
def test_a_child_that_becomes_known_later_closes_what_was_open(order: tuple[str, str]) -> None:
    grown_up = (Subject(person_id=GROWN_UP, age=40),)
    events = {
        "received": application(planned(asked_at=FRIDAY), subjects=grown_up, duties=[duty("L17", "3cd!")]),
        "later": application(
            planned(asked_at=FRIDAY), at=FRIDAY + HOUR, supplement=True, duties=[duty("L17", "3cd!")]
        ),
    }
    notify = Notify()
    for name in order:
        notify.read(events[name], FRIDAY + HOUR)
    wanted = notify.referral(R4).wanted
    assert wanted is not None
    assert wanted.child
    assert wanted.subjects == (CHILD,)
    clocks = [notify.clock("ack", R4), notify.clock("finish", R4), notify.clock("L17")]
    assert [(clock.child, clock.started_at) for clock in clocks] == [(True, FRIDAY)] * 3


def test_more_time_is_declined_or_lapses_and_nothing_moves() -> None:
    notify = in_state("acknowledged")
    due = notify.referral(R4).due_finish
    notify.give(VERBS["extend"](R4), FRIDAY + DAY, SCHOOLS)
    assert code(notify.give(VERBS["extend"](R4), FRIDAY + DAY, SCHOOLS)) == "referral.extension_asked"
    assert code(notify.give(VERBS["decline"](R4), FRIDAY + DAY, TOWN)) == "referral.extension_declined"
    assert code(notify.give(VERBS["approve"](R4), FRIDAY + DAY, TOWN)) == "referral.no_extension"
    notify.give(VERBS["extend"](R4), FRIDAY + DAY, SCHOOLS)
    assert code(notify.give(VERBS["approve"](R4), moment("2026-10-10"), TOWN)) == "referral.overdue"
    assert notify.referral(R4).due_finish == notify.clock("finish", R4).due_at == due


def test_a_wrong_unit_returns_within_a_working_day() -> None:
    """Sent on a Friday: until the end of Sunday, a working day in place of one of the National Day week."""
    sunday, monday = moment("2026-09-20T23:59"), moment("2026-09-21T00:01")
    assert code(opened().give(VERBS["return"](R4), sunday, SCHOOLS)) == "referral.returned"
    assert code(opened().give(VERBS["return"](R4), monday, SCHOOLS)) == "referral.return_late"


def test_a_returned_one_goes_to_another_unit_and_the_third_time_to_the_bureau() -> None:
    notify = opened(planned("R3", "public-security"))
    first, units = of_plan("R3", "public-security"), ("disabled-federation", "medical-insurance")
    at, id_ = FRIDAY, first
    for unit in units:
        assert code(notify.give(SendOn(target=id_, to=unit), at, TOWN)) == "referral.not_returned"
        notify.give(VERBS["return"](id_), at + HOUR, ANYONE)
        assert code(notify.give(SendOn(target=id_, to="housing"), at + HOUR, TOWN)) == "referral.to"
        before = notify.referral(id_).wanted
        assert before is not None
        assert code(notify.give(SendOn(target=id_, to=before.to), at + HOUR, TOWN)) == "referral.same_unit"
        at += 2 * HOUR
        assert code(notify.give(SendOn(target=id_, to=unit), at, TOWN)) == "referral.sent_on"
        assert notify.referral(id_).handed_on
        assert code(notify.give(SendOn(target=id_, to=unit), at, TOWN)) == "referral.handed_on"
        assert code(notify.give(VERBS["reopen"](id_), at, TOWN)) == "referral.handed_on"
        id_ = referral_id(id_, "R3", unit)
        assert notify.clock("ack", id_).started_at == at
    notify.give(VERBS["return"](id_), at + HOUR, ANYONE)
    bureau = referral_id(id_, "R3", "civil-affairs")
    wanted = notify.referral(bureau).wanted
    assert wanted is not None
    assert (notify.referral(bureau).state, wanted.settled) == ("sent", True)
    assert wanted.facts == notify.referral(first).wanted.facts  # type: ignore[union-attr]
    head = Actor(person="district-1", role="district", department="civil-affairs")
    assert code(notify.give(VERBS["return"](bureau), at + HOUR, head)) == "referral.settled"
    decided = SendOn(target=bureau, to="justice")
    assert code(notify.give(decided, at + HOUR, TOWN)) == "referral.bureau"
    assert code(notify.give(decided, at + HOUR, head)) == "referral.returned"
    last = referral_id(bureau, "R3", "justice")
    assert notify.referral(last).state == "sent"
    assert code(notify.give(VERBS["return"](last), at + HOUR, ANYONE)) == "referral.settled"
    holders = [
        state.wanted.to
        for (kind, _), state in notify.states.items()
        if kind == "referral" and (state.state in HOLDING or state.held)
    ]
    assert holders == ["justice"]


HOLDING = ("sent", "acknowledged", "acted", "extended", "reopened")


def test_a_critical_one_stays_with_the_bureau_until_its_choice_acknowledges() -> None:
    notify = opened(planned(**CRITICAL))
    id_, at = R1, FRIDAY
    for unit in ("minor-protection-centre", "public-security"):
        notify.give(VERBS["return"](id_), at, ANYONE)
        notify.give(SendOn(target=id_, to=unit), at, ANYONE)
        id_ = referral_id(id_, "R1", unit)
    notify.give(VERBS["return"](id_), at, ANYONE)
    bureau = referral_id(id_, "R1", "civil-affairs")
    assert notify.referral(R1).held, "the first receiver goes on"
    notify.give(Acknowledge(target=bureau), at + HOUR, ANYONE)
    assert notify.referral(id_).released
    notify.give(SendOn(target=bureau, to="minor-protection-centre"), at + HOUR, ANYONE)
    assert notify.referral(bureau).held
    assert notify.clock("finish", bureau).state == "running"
    last = referral_id(bureau, "R1", "minor-protection-centre")
    notify.give(Acknowledge(target=last), at + 2 * HOUR, ANYONE)
    assert notify.referral(bureau).released
    assert notify.clock("finish", bureau).state == "cancelled"


def test_without_consent_it_waits_as_a_draft_and_says_why() -> None:
    refusal = check("assistance", "R17", "charity-federation", "ordinary", {"gap_fen": 100_00})
    assert refusal is not None
    assert (refusal.code, refusal.field) == ("referral.consent", "facts.consent_charity")
    notify = opened()
    notify.read(requested(FRIDAY, "R17", "charity-federation", facts={"gap_fen": 100_00}), FRIDAY)
    id_ = referral_id(REQUEST, "R17", "charity-federation")
    assert notify.referral(id_).state == "drafted"
    refused = notify.give(Send(target=id_), FRIDAY, TOWN)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.field) == ("referral.stands", "note")
    notify.give(Send(target=id_, stands=True), FRIDAY, TOWN)
    assert notify.referral(id_).state == "sent"


def test_a_fact_that_the_rule_does_not_name_stays_behind_whoever_sends_it() -> None:
    notify = opened()
    facts = {"tier": "dibao", "violence": True}
    notify.read(requested(FRIDAY, facts=facts), FRIDAY)
    wanted = notify.referral(referral_id(REQUEST, "R10", "medical-insurance")).wanted
    assert wanted is not None
    assert wanted.facts == {"tier": "dibao"}


def test_the_coded_feedback_travels_with_the_answer() -> None:
    notify = in_state("acknowledged")
    results = {"schooling": "returned", "on": "2026-09-21"}
    answer = Answer(target=R4, outcome="helped", told=True, results=results)
    (event,) = notify.give(answer, FRIDAY + DAY, SCHOOLS)
    assert event.results == results  # type: ignore[attr-defined]
    assert notify.clock("finish", R4).state == "met"


def test_a_person_of_another_division_is_no_receiver() -> None:
    notify = opened(planned(to_division="500112015"))
    elsewhere = SCHOOLS.model_copy(update={"division": "500112017"})
    assert code(notify.give(Acknowledge(target=R4), FRIDAY, elsewhere)) == "referral.not_addressed"
    here = SCHOOLS.model_copy(update={"division": "500112015"})
    assert code(notify.give(Acknowledge(target=R4), FRIDAY, here)) == "referral.acknowledged"


def test_courts_and_procuratorates_are_informed_and_never_chased() -> None:
    notify = opened()
    notify.read(requested(FRIDAY, "R18", "court", urgency="critical"), FRIDAY)
    court = referral_id(REQUEST, "R18", "court")
    notify.sweep(FRIDAY + 30 * DAY)
    assert notify.clock("finish", court).state == "breached"
    assert not any(
        event.owner == "court"
        for _, _, _, event in notify.log
        if event.type == "alert.escalated"  # type: ignore[attr-defined]
    )
    assert not any(kind == "ring" and state.to == "court" for (kind, _), state in notify.states.items())


CONSENTED = {"facts": {"consent_charity": True}, "service": "charity"}


@pytest.mark.parametrize("reason", ["consent_withdrawn", "met"])
@pytest.mark.parametrize("first", ["requested", "closed"])
def test_a_consent_taken_back_takes_back_what_went_to_charities(reason: str, first: str) -> None:
    events: dict[str, tuple[Event, datetime]] = {
        "requested": (requested(FRIDAY, "R17", "charity-federation", **CONSENTED), FRIDAY),
        "closed": (need_closed(reason), FRIDAY + HOUR),
    }
    notify = opened()
    for name in sorted(events, key=lambda name: name != first):
        notify.read(*events[name])
    id_ = referral_id(REQUEST, "R17", "charity-federation")
    assert notify.referral(id_).state == ("revoked" if reason == "consent_withdrawn" else "sent")
    assert notify.referral(R4).state == "sent", "what needs no consent stands"
    if reason == "consent_withdrawn":
        again = requested(
            FRIDAY + 2 * HOUR, "R17", "charity-federation", request_id=derived_id("again"), **CONSENTED
        )
        notify.read(again, FRIDAY + 2 * HOUR)
        anew = notify.referral(referral_id(derived_id("again"), "R17", "charity-federation"))
        assert anew.state == "sent", "who consents anew is served anew"


def need_closed(reason: str) -> NeedClosed:
    return NeedClosed(
        service="charity",
        case_id=derived_id("case", APPLICATION, "charity"),
        chain_id=CHAIN,
        application_id=APPLICATION,
        reason=reason,
    )
