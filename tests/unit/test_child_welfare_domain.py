"""Child welfare: every state with every command, the protection chain, and what no signature ends."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from onedoor.child_welfare.domain import (
    DECIDER,
    GROUNDS,
    OUTCOMES,
    PATHS,
    PLACEMENTS,
    REASONS,
    ProtectionCase,
    TakeStep,
)
from onedoor.child_welfare.stream import react
from onedoor.contracts.case import Close, Decide, OpenCase, Reopen, RequestReferral, TakeUp, Transfer
from onedoor.contracts.core import Command, derived_id
from onedoor.contracts.events.case import CaseEvent, CaseOpened
from onedoor.contracts.events.notify import ReferralAnswered
from tests.casework import CHILD, NOW, OTHER, WORKER, Bench, application, envelope, referral, withdrawal

STATES = ("none", "opened", "in_work", "assessed", "decided", "closed", "transferred")
CARE = {"ground": "guardian_unable", "placement": "relative"}


def opening(urgency: Any = "urgent") -> OpenCase:
    command = react(envelope(application("child-welfare", urgency)))[0]
    assert isinstance(command, OpenCase)
    return command


def bench(state: str = "none", urgency: Any = "urgent") -> Bench[ProtectionCase]:
    case = Bench(DECIDER, "child-welfare")
    path: dict[str, tuple[Command, ...]] = {
        "opened": (opening(urgency),),
        "in_work": (opening(urgency), TakeUp(target=case.id, worker=WORKER.person)),
        "transferred": (opening(urgency), Transfer(target=case.id, to="500106", reason="lives_elsewhere")),
    }
    path["assessed"] = (*path["in_work"], step(case, "immediate_response"), step(case, "assessment"))
    path["decided"] = (*path["assessed"], Decide(target=case.id, outcome="plan_made", reason="return_home"))
    path["closed"] = (*path["decided"], step(case, "follow_up"), Close(target=case.id, reason="safe_at_home"))
    case.give(*path.get(state, ()))
    expected = {"none": None, "assessed": "in_work"}.get(state, state)
    assert case.case.state == expected
    return case


def step(case: Bench[ProtectionCase], name: Any, **more: Any) -> TakeStep:
    return TakeStep(target=case.id, step=name, **more)


def command_named(case: Bench[ProtectionCase], name: str) -> Command:
    commands: dict[str, Callable[[], Command]] = {
        "open": lambda: opening(),
        "raise": lambda: opening("critical"),
        "take up": lambda: TakeUp(target=case.id, worker="worker-2"),
        "response": lambda: step(case, "immediate_response"),
        "care": lambda: step(case, "temporary_care", **CARE),
        "assess": lambda: step(case, "assessment"),
        "plan": lambda: Decide(target=case.id, outcome="plan_made", reason="kinship_care"),
        "no need": lambda: Decide(target=case.id, outcome="no_need", reason="child_safe"),
        "follow up": lambda: step(case, "follow_up"),
        "close": lambda: Close(target=case.id, reason="safe_at_home"),
        "withdraw": lambda: react(envelope(withdrawal()))[0],
        "transfer": lambda: Transfer(target=case.id, to="500109", reason="boundary_change"),
        "reopen": lambda: Reopen(target=case.id, reason="new_report"),
        "refer": lambda: RequestReferral(
            target=case.id, request_id=derived_id("wish"), rule="R4", to="education", urgency="ordinary"
        ),
    }
    return commands[name]()


ENDED = ("case.ended", "case.ended")
STEP, ORDER = "protection.step_taken", "protection.order"
TABLE = {
    "open": ("case.opened", *["nothing"] * 6),
    "raise": ("case.opened", *["case.urgency_raised"] * 4, "case.reopened", "case.reopened"),
    "take up": ("case.unknown", *["case.taken_up"] * 3, "case.state", *ENDED),
    "response": (ORDER, ORDER, STEP, "nothing", "nothing", "nothing", ORDER),
    "care": (ORDER, ORDER, ORDER, STEP, STEP, ORDER, ORDER),
    "assess": (ORDER, ORDER, ORDER, "nothing", "nothing", "nothing", ORDER),
    "plan": ("case.unknown", "case.state", "protection.not_assessed", "case.decided", "case.state", *ENDED),
    "no need": ("case.unknown", "case.state", "protection.not_assessed", "case.decided", "case.state",
                *ENDED),
    "follow up": (ORDER, ORDER, ORDER, ORDER, STEP, ORDER, ORDER),
    "close": ("case.unknown", *["case.state"] * 3, "protection.no_follow_up", "nothing", "case.ended"),
    "withdraw": ("nothing", *["protection.stands"] * 6),
    "transfer": ("case.unknown", *["case.transferred"] * 3, "case.state", *ENDED),
    "reopen": ("case.unknown", *["case.state"] * 3, "case.reopened", "case.reopened", "case.ended"),
    "refer": ("case.unknown", *["referral.requested"] * 4, *ENDED),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("state", STATES)
def test_every_state_answers_every_command(state: str, name: str) -> None:
    case = bench(state)
    assert case.says(command_named(case, name)) == TABLE[name][STATES.index(state)]


def test_the_whole_chain_from_report_to_follow_up() -> None:
    case = bench("in_work", "critical")
    for each in ("response", "care", "assess", "plan", "follow up", "follow up"):
        case.give(command_named(case, each))
    assert case.case.steps == (
        "report",
        "immediate_response",
        "temporary_care",
        "assessment",
        "plan",
        "follow_up",
        "follow_up",
    )
    assert (case.case.ground, case.case.placement) == ("guardian_unable", "relative")
    assert case.says(command_named(case, "close")) == "case.closed"


def test_a_critical_case_without_a_plan_is_closed_by_a_second_person() -> None:
    case = bench("assessed", "critical")
    case.give(command_named(case, "no need"))
    assert case.says(Close(target=case.id, reason="no_need"), actor=WORKER) == "protection.second_person"
    assert case.says(Close(target=case.id, reason="no_need"), actor=OTHER) == "case.closed"


def test_a_case_is_not_closed_while_a_critical_referral_is_unanswered() -> None:
    case = bench("decided")
    case.give(step(case, "follow_up"), *react(envelope(referral(asked_by=case.id))))
    assert case.says(command_named(case, "close")) == "protection.referral_open"
    case.give(*react(envelope(referral(ReferralAnswered, asked_by=case.id))))
    assert case.says(command_named(case, "close")) == "case.closed"


def test_what_reaches_the_protection_centre_is_noted_even_before_the_case_is_open() -> None:
    case = bench()
    case.give(*react(envelope(referral(to="minor-protection-centre"))))
    assert case.case.state is None
    case.give(opening())
    assert len(case.case.referrals) == 1


def test_a_critical_case_is_handed_on_only_after_the_immediate_response() -> None:
    case = bench("in_work", "critical")
    assert case.says(command_named(case, "transfer")) == "protection.first_receiver"
    case.give(step(case, "immediate_response"))
    assert case.says(command_named(case, "transfer")) == "case.transferred"


def test_a_reopened_case_starts_its_chain_anew() -> None:
    case = bench("closed")
    case.give(command_named(case, "raise"))
    assert (case.case.state, case.case.steps, case.case.urgency) == ("in_work", ("report",), "critical")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, "case.not_coded"),
        ({"ground": "guardian_unable"}, "case.not_coded"),
        ({"ground": "guardian_unable", "placement": "somewhere"}, "case.not_coded"),
        *[({"ground": ground, "placement": "centre"}, STEP) for ground in sorted(GROUNDS)],
        *[({"ground": "guardian_missing", "placement": place}, STEP) for place in sorted(PLACEMENTS)],
    ],
)
def test_temporary_care_names_its_ground_and_placement(more: dict[str, Any], code: str) -> None:
    case = bench("assessed")
    assert case.says(step(case, "temporary_care", **more)) == code


def test_no_other_step_has_a_ground() -> None:
    case = bench("in_work")
    assert case.says(step(case, "immediate_response", ground="guardian_missing")) == "protection.only_care"


def test_a_child_in_care_can_be_placed_elsewhere() -> None:
    case = bench("assessed")
    care = step(case, "temporary_care", **CARE)
    case.give(care)
    assert case.says(care) == "nothing"
    assert case.says(step(case, "temporary_care", ground="guardian_unable", placement="centre")) == STEP
    assert case.case.placement == "centre"


def public(case: Bench[ProtectionCase]) -> list[dict[str, Any]]:
    """What others are told of care, return and follow-ups."""
    events = [event for event in case.events if event.topic() and event.type.startswith("protection.")]
    kept = set(CaseEvent.model_fields)
    return [{"type": event.type.partition(".")[2]} | event.model_dump(exclude=kept) for event in events]


def test_care_is_told_with_the_orders_day_and_goes_on_when_the_child_is_placed_elsewhere() -> None:
    case = bench("assessed")
    ordered = NOW - timedelta(days=2)
    for placement, since in (("centre", ordered), ("foster_family", None)):
        case.give(step(case, "temporary_care", ground="guardian_harms", placement=placement, since=since))
    told = {"type": "care_taken", "at": NOW, "since": ordered, "after_harm": True}
    assert public(case) == [told, told]
    case.give(step(case, "temporary_care", **CARE))
    assert public(case)[-1]["after_harm"] is False


def test_care_begins_on_no_day_to_come_and_no_other_step_has_one() -> None:
    case = bench("assessed")
    later = NOW + timedelta(days=1)
    assert case.says(step(case, "temporary_care", **CARE, since=later)) == "protection.since"
    decided = bench("decided")
    assert decided.says(step(decided, "follow_up", since=NOW)) == "protection.only_care"


@pytest.mark.parametrize("how", ["ground", "R5", None])
def test_a_return_home_says_whether_the_child_had_lived_on_the_street(how: str | None) -> None:
    case = bench("assessed")
    if how == "ground":
        taken = {"ground": "vagrant_or_unidentified", "placement": "centre"}
        case.give(step(case, "temporary_care", **taken))
    if how == "R5":
        case.give(*react(envelope(referral(to="minor-protection-centre", rule="R5"))))
    case.give(Decide(target=case.id, outcome="plan_made", reason="return_home"), step(case, "follow_up"))
    assert public(case)[-2:] == [
        {"type": "returned_home", "at": NOW, "vagrant": how is not None},
        {"type": "followed_up", "at": NOW},
    ]


def test_no_other_plan_is_a_return_home() -> None:
    case = bench("assessed")
    case.give(command_named(case, "plan"))
    assert public(case) == []


def test_report_and_plan_are_not_taken_as_steps() -> None:
    case = bench("assessed")
    assert case.says(step(case, "plan")) == "case.not_coded"
    assert case.says(step(case, "report")) == "case.not_coded"


def test_the_case_is_about_the_children_alone_and_all_its_events_are_childrens() -> None:
    case = bench("closed")
    assert case.case.subjects == (CHILD,)
    assert {event.classification() for event in case.events} == {"child"}


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes in whatever order: no child's case ends without what protects it."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = bench()

    @rule(name=st.sampled_from(sorted(TABLE)), actor=st.sampled_from([WORKER, OTHER]))
    def anything(self, name: str, actor: Any) -> None:
        self.bench.give(command_named(self.bench, name), actor=actor)

    @rule(state=st.sampled_from(["assessed", "decided"]))
    def worked_on(self, state: str) -> None:
        for each in ("open", "take up", "response", "assess", *(["plan"] if state == "decided" else [])):
            self.bench.give(command_named(self.bench, each))

    @rule(reason=st.sampled_from(sorted(REASONS[Close])), actor=st.sampled_from([WORKER, OTHER]))
    def closed(self, reason: str, actor: Any) -> None:
        before = self.bench.case
        says = self.bench.says(Close(target=self.bench.id, reason=reason), actor=actor)
        if says == "case.closed":
            assert before.outcome == "no_need" or "follow_up" in before.steps
            assert "assessment" in before.steps
            if before.urgency == "critical" and before.outcome != "plan_made":
                assert actor.person != before.worker
            assert not any(part.open and part.urgency == "critical" for part in before.referrals.values())

    @rule(model=st.sampled_from([ReferralAnswered]))
    def answered(self, model: Any) -> None:
        self.bench.give(*react(envelope(referral(model, to="minor-protection-centre"))))

    @invariant()
    def never_withdrawn_and_opened_at_most_once(self) -> None:
        assert self.bench.case.state != "withdrawn"
        assert sum(isinstance(event, CaseOpened) for event in self.bench.events) <= 1

    @invariant()
    def each_step_comes_after_the_one_it_needs(self) -> None:
        steps = self.bench.case.steps
        for position, each in enumerate(steps):
            if each in PATHS:
                assert PATHS[each].after in steps[:position]
        if self.bench.case.state == "decided":
            assert self.bench.case.outcome in OUTCOMES

    @invariant()
    def the_archive_folds_to_the_state(self) -> None:
        assert self.bench.folded() == self.bench.case
        assert DECIDER.state.model_validate_json(self.bench.case.model_dump_json()) == self.bench.case


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
