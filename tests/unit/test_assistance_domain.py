"""Assistance: every state with every command, what is repeated, what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from onedoor.assistance.domain import DECIDER, OUTCOMES, REASONS, RULES
from onedoor.assistance.domain.proceeding import AssistanceCase as Case
from onedoor.assistance.stream import react, responsible_division
from onedoor.contracts.case import (
    ALLOWED,
    Close,
    Decide,
    OpenCase,
    Reopen,
    RequestReferral,
    TakeUp,
    Transfer,
    WithdrawCase,
)
from onedoor.contracts.core import Command, Refusal, derived_id
from onedoor.contracts.events.case import CaseOpened, CaseWithdrawn, ReferralRequested
from onedoor.contracts.events.intake import Emergency
from onedoor.contracts.events.notify import ReferralAnswered
from tests.casework import (
    ADULT,
    APPLICATION,
    CHAIN,
    CHILD,
    Bench,
    application,
    envelope,
    referral,
    withdrawal,
)

STATES = ("none", "opened", "in_work", "decided", "closed", "withdrawn", "transferred")


def bench(state: str = "none") -> Bench[Case]:
    case = Bench(DECIDER, "assistance")
    path: dict[str, tuple[Command, ...]] = {
        "opened": (opening(case),),
        "in_work": (opening(case), TakeUp(target=case.id, worker="worker-1")),
        "withdrawn": (opening(case), withdrawing(case)),
        "transferred": (opening(case), Transfer(target=case.id, to="500106", reason="lives_elsewhere")),
    }
    path["decided"] = (*path["in_work"], Decide(target=case.id, outcome="not_eligible", reason="died"))
    path["closed"] = (*path["decided"], Close(target=case.id, reason="refusal_told"))
    case.give(*path.get(state, ()))
    assert case.case.state == (None if state == "none" else state)
    return case


def opening(case: Bench[Case], urgency: Any = "ordinary") -> OpenCase:
    command = react(envelope(application(urgency=urgency)))[0]
    assert isinstance(command, OpenCase)
    return command


def withdrawing(case: Bench[Case]) -> WithdrawCase:
    return WithdrawCase(target=case.id, application_id=APPLICATION, chain_id=CHAIN)


def asking(case: Bench[Case], **more: Any) -> RequestReferral:
    facts = {
        "target": case.id,
        "request_id": derived_id("wish"),
        "rule": "R12",
        "to": "human-resources",
        "urgency": "ordinary",
        "facts": {"jobless": True},
    }
    return RequestReferral.model_validate(facts | more)


def command_named(case: Bench[Case], name: str) -> Command:
    commands: dict[str, Callable[[], Command]] = {
        "open": lambda: opening(case),
        "raise": lambda: opening(case, "critical"),
        "take up": lambda: TakeUp(target=case.id, worker="worker-2"),
        "decide": lambda: Decide(target=case.id, outcome="not_eligible", reason="duplicate"),
        "close": lambda: Close(target=case.id, reason="moved_away"),
        "withdraw": lambda: withdrawing(case),
        "transfer": lambda: Transfer(target=case.id, to="500109", reason="boundary_change"),
        "reopen": lambda: Reopen(target=case.id, reason="objection"),
        "refer": lambda: asking(case),
    }
    return commands[name]()


TABLE = {
    # none, opened, in_work, decided, closed, withdrawn, transferred
    "open": ("case.opened", "nothing", "nothing", "nothing", "nothing", "nothing", "nothing"),
    "raise": ("case.opened", "case.urgency_raised", "case.urgency_raised", "case.urgency_raised",
              "case.reopened", "case.ended", "case.ended"),
    "take up": ("case.unknown", "case.taken_up", "case.taken_up", "case.state", "case.ended", "case.ended",
                "case.ended"),
    "decide": ("case.unknown", "case.state", "case.decided", "case.state", "case.ended", "case.ended",
               "case.ended"),
    "close": ("case.unknown", "case.state", "case.state", "case.closed", "nothing", "case.ended",
              "case.ended"),
    "withdraw": ("case.withdrawal_marked", "case.withdrawn", "case.withdrawn", "case.state", "case.ended",
                 "nothing", "case.ended"),
    "transfer": ("case.unknown", "case.transferred", "case.transferred", "case.state", "case.ended",
                 "case.ended", "case.ended"),
    "reopen": ("case.unknown", "case.state", "case.state", "case.reopened", "case.reopened", "case.ended",
               "case.ended"),
    "refer": ("case.unknown", "referral.requested", "referral.requested", "referral.requested", "case.ended",
              "case.ended", "case.ended"),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("state", STATES)
def test_every_state_answers_every_command(state: str, name: str) -> None:
    case = bench(state)
    assert case.says(command_named(case, name)) == TABLE[name][STATES.index(state)]


@pytest.mark.parametrize("name", TABLE)
def test_asking_twice_is_asking_once(name: str) -> None:
    case = bench({"close": "decided", "decide": "in_work", "reopen": "closed"}.get(name, "opened"))
    command = command_named(case, name)
    case.give(command)
    version = len(case.events)
    assert case.says(command) in ("nothing", "case.state")
    assert len(case.events) == version


def test_withdrawal_and_opening_lead_to_the_same_in_either_order() -> None:
    first, second = bench(), bench()
    first.give(opening(first), withdrawing(first))
    second.give(withdrawing(second), opening(second))
    published = [[event for event in each.events if event.topic()] for each in (first, second)]
    assert published[0] == published[1]
    assert [type(event) for event in published[0]] == [CaseOpened, CaseWithdrawn]
    assert first.case.state == second.case.state == "withdrawn"


def test_a_supplement_before_the_application_is_the_same_case() -> None:
    forth, back = bench(), bench()
    plain, more = opening(forth), opening(forth, "urgent").model_copy(update={"programmes": ("tekun",)})
    forth.give(plain, more)
    back.give(more, plain)
    assert forth.case == back.case
    assert (forth.case.urgency, forth.case.programmes) == ("urgent", ("tekun",))


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (lambda id_: Decide(target=id_, outcome="plan_made", reason="enrolled"), "outcome"),
        (lambda id_: Decide(target=id_, outcome="helped", reason="duplicate"), "reason"),
        (lambda id_: Transfer(target=id_, to="500109", reason="because"), "reason"),
    ],
)
def test_codes_outside_their_list_are_the_fields_fault(command: Any, field: str) -> None:
    case = bench("in_work")
    refusal = case.give(command(case.id))
    assert isinstance(refusal, Refusal)
    assert refusal.field == field


def test_a_refused_household_is_told_before_the_file_is_closed() -> None:
    case = bench("in_work")
    case.give(Decide(target=case.id, outcome="not_eligible", reason="income_above_standard"))
    assert case.says(Close(target=case.id, reason="aid_completed")) == "case.closed_otherwise"
    assert case.says(Close(target=case.id, reason="refusal_told")) == "case.closed"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, "referral.requested"),
        ({"rule": "R3"}, "referral.rule"),
        ({"rule": "R99"}, "referral.rule"),
        ({"to": "education"}, "referral.to"),
        ({"rule": "R9", "to": "health", "facts": {}}, "referral.urgency"),
        ({"facts": {"violence": True}}, "referral.facts"),
        ({"facts": {"jobless": "since he was ill"}}, "referral.fact"),
        ({"rule": "R23", "to": "village", "urgency": "critical", "facts": {"last_seen_on": "2026-03-01"}},
         "referral.requested"),
        ({"rule": "R23", "to": "village", "urgency": "critical", "facts": {"last_seen_on": "in March"}},
         "referral.fact"),
        ({"subjects": (ADULT,)}, "referral.requested"),
        ({"subjects": (derived_id("somebody else"),)}, "referral.subjects"),
    ],
)  # fmt: skip
def test_a_referral_carries_only_what_its_rule_lets_travel(more: dict[str, Any], code: str) -> None:
    case = bench("in_work")
    assert case.says(asking(case, **more)) == code


def test_the_answer_of_a_referral_closes_its_part() -> None:
    case = bench("in_work")
    case.give(*react(envelope(referral(asked_by=case.id))))
    (part,) = case.case.referrals.values()
    assert part.open
    case.give(*react(envelope(referral(ReferralAnswered, asked_by=case.id))))
    (part,) = case.case.referrals.values()
    assert not part.open


def test_referrals_of_others_and_applications_of_others_are_not_its_matter() -> None:
    assert react(envelope(referral())) == ()
    assert react(envelope(application("child-welfare"))) == ()


def test_events_say_whose_case_it_is_and_never_that_it_concerns_a_child() -> None:
    case = bench("in_work")
    case.give(asking(case))
    last = case.events[-1]
    assert isinstance(last, ReferralRequested)
    assert (last.case_id, last.chain_id, last.application_id) == (case.id, CHAIN, APPLICATION)
    assert last.classification() == "internal"
    assert case.case.subjects == (CHILD, ADULT)


@pytest.mark.parametrize(
    ("more", "division"),
    [
        ({"registered_division": "500112020"}, "500112020"),
        ({"registered_division": "510104020"}, "500112015"),
        ({}, "500112015"),
        ({"registered_division": "500112020", "emergency": Emergency(kind="fire")}, "500112015"),
        ({"place_division": None, "registered_division": "510104020"}, "510104020"),
        ({"place_division": None}, None),
    ],
)
def test_the_township_that_works_on_it(more: dict[str, Any], division: str | None) -> None:
    assert responsible_division(application(**more)) == division


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes in whatever order: the case stays one that a caseworker could explain."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = bench()
        self.highest = "ordinary"

    @rule(name=st.sampled_from(sorted(TABLE)))
    def anything(self, name: str) -> None:
        self.bench.give(command_named(self.bench, name))

    @rule(outcome=st.sampled_from(sorted(OUTCOMES)), data=st.data())
    def decided(self, outcome: str, data: st.DataObject) -> None:
        reason = data.draw(st.sampled_from(sorted(OUTCOMES[outcome])))
        self.bench.give(Decide(target=self.bench.id, outcome=outcome, reason=reason))

    @rule(reason=st.sampled_from(sorted(REASONS[Close])))
    def closed(self, reason: str) -> None:
        self.bench.give(Close(target=self.bench.id, reason=reason))

    @rule(model=st.sampled_from([ReferralAnswered]))
    def answered(self, model: Any) -> None:
        self.bench.give(*react(envelope(referral(model, asked_by=self.bench.id))))

    @rule()
    def withdrawn_at_intake(self) -> None:
        self.bench.give(*react(envelope(withdrawal())))

    @invariant()
    def opened_at_most_once(self) -> None:
        assert sum(isinstance(event, CaseOpened) for event in self.bench.events) <= 1

    @invariant()
    def a_case_in_work_has_a_worker_and_a_decided_one_its_reason(self) -> None:
        case = self.bench.case
        if case.state in ("in_work", "decided", "closed"):
            assert case.worker
        if case.state in ("decided", "closed"):
            assert case.outcome is not None
            assert case.reason in OUTCOMES[case.outcome]

    @invariant()
    def the_archive_folds_to_the_state(self) -> None:
        assert self.bench.folded() == self.bench.case
        assert DECIDER.state.model_validate_json(self.bench.case.model_dump_json()) == self.bench.case


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_every_guarded_command_has_its_states() -> None:
    assert set(RULES.guards) <= set(ALLOWED)
    assert {Decide, TakeUp, Close, WithdrawCase, Transfer, Reopen, RequestReferral} == set(ALLOWED)
