"""Whatever is asked for in whatever order: what must hold of every proceeding of every programme."""

from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import ValidationError

from onedoor.assistance import forms
from onedoor.assistance.domain import DECIDER, guards, kept, workflow
from onedoor.assistance.domain.proceeding import OVER, Assessment, HouseholdFacts, Proceeding
from onedoor.assistance.domain.programmes import COMMANDS, WORKFLOWS
from onedoor.assistance.domain.table import Step
from onedoor.assistance.payments.schedule import month_number, owed, schedule
from onedoor.calendar import local
from onedoor.contracts.case import WithdrawCase
from onedoor.contracts.core import Actor, Context, Event, Refusal, derived_id
from onedoor.contracts.events import assistance as events
from tests.casework import APPLICATION, CHAIN, CHILD
from tests.proceedings import HOUSEHOLD, INVESTIGATORS, Walk, assessed

ACTORS = [
    Actor(person=person, role=role, division="500112015")
    for role in ("caseworker", "reviewer", "district", "finance")
    for person in ("cw-1", f"{role}-2")
]
SAID: dict[str, list[dict[str, Any]]] = {
    "ask-supplement": [{"papers": ("bills",)}],
    "accept": [{}, {"delegated": True}],
    "register-relative": [{"staff": "cw-1"}, {"staff": "district-2"}],
    "start-investigation": [
        {"investigators": INVESTIGATORS},
        {"investigators": (INVESTIGATORS[0], {"person": "district-2", "unit": "district"})},
        {"investigators": INVESTIGATORS[:1]},
    ],
    "record-findings": [{"findings": "as_stated", "statement": "一致"}],
    "discuss": [{"participants": ("a", "b", "c"), "result": "support", "statement": "纪要"}],
    "give-opinion": [{"recommendation": "grant"}, {"recommendation": "refuse"}],
    "withhold-notice": [
        {"ground": "hidden_address", "statement": "书面"},
        {"ground": "minor_applicant", "statement": "书面"},
    ],
    "take-down-notice": [{"ground": "hidden_address", "statement": "书面"}],
    "settle-objection": [
        {"result": "upheld", "statement": "属实"},
        {"result": "rejected", "statement": "不实"},
    ],
    "confirm": [{}, {"amount_fen": 10_000, "reason": "核定"}],
    "pay-first": [{"amount_fen": 10_000, "reason": "急需"}],
    "adjust": [{}, {"amount_fen": 9_000, "reason": "核定"}, {"first_month": "2026-04"}],
    "taper": [{"months": 3, "amount_fen": 8_000, "reason": "就业"}],
    "refuse": [{"reason": "false_statement"}, {"reason": "income_above_standard"}],
    "stop": [{"reason": "died"}, {"reason": "own_wish"}, {"reason": "died", "first_month": "2026-04"}],
    "recover": [{"amount_fen": 100, "reason": "overpaid", "statement": "多发"}],
    "refer-suspicion": [{"to": "public-security"}, {"to": "civil-affairs"}],
    "tell-refusal": [{"means": "post"}],
    "start-review": [{"reason": "periodic"}],
    "report-change": [{"change": "income_changed", "on": "2026-03-01T00:00:00+08:00"}],
    "reopen": [{"reason": "new_facts", "statement": "新情况"}],
    "grade-ability": [{"failed_activities": 3}],
    "choose-care": [{"care": "home"}],
    "hand-over": [{"to_division": "500112017"}, {"to_division": "500112015"}],
}
ALONGSIDE = {"L2", "L7", "L10", "L21-pay"}
"""Ended by others: the verification centre, the payment list, the months of a taper."""
LEAVING = ("withdraw", "close-not-cooperating", "suspend")
"""From where little follows: left to chance, so that the rest is walked often."""
ALLOWED_AT_REST = {
    "granted": {"L8", "L9", "L14", "L16-end"},
    "papers": {"L19"},
    "refused": {"L6"},
}
"""Which clocks may still run where nobody owes a decision; elsewhere none may."""


class AnyOrder(RuleBasedStateMachine):
    @initialize(
        programme=st.sampled_from(sorted(WORKFLOWS)),
        state=st.sampled_from(("received", "opinion", "notice", "reported", "reported", "granted")),
        sealed=st.sampled_from((False, False, True)),
    )
    def opened(self, programme: str, state: str, sealed: bool) -> None:
        """Some way along the straight way, as far as a sealed household goes it."""
        if state == "notice" and not WORKFLOWS[programme].notice_days:
            state = "opinion"
        self.walk = Walk(programme, sealed)
        if programme != "temporary_small":
            self.walk.to("opinion" if sealed and state in ("notice", "reported", "granted") else state)
        self.granted_by: list[tuple[Proceeding, events.Determined, str]] = []
        self.taking_part: set[str] = set()
        self.took_part: dict[UUID, frozenset[str]] = {}

    @rule(
        name=st.sampled_from(sorted(COMMANDS)),
        actor=st.sampled_from(ACTORS),
        outcome=st.sampled_from(("eligible", "eligible", "not_eligible", "taper", None)),
        known=st.booleans(),
        data=st.data(),
    )
    def anything(
        self, name: str, actor: Actor, outcome: str | None, known: bool, data: st.DataObject
    ) -> None:
        self._step(name, actor, outcome, known, data)

    @rule(data=st.data())
    def what_follows(self, data: st.DataObject) -> None:
        """One of the steps that lead on from where it stands, by somebody who may."""
        table = WORKFLOWS[self.walk.programme]
        state = self.walk.proceeding.state
        rows = [
            step
            for step in table.steps
            if state in step.sources and step.to != "stay" and step.command not in LEAVING
        ]
        if rows:
            deciding = [step for step in rows if step.decides] or rows
            wanted = deciding if data.draw(st.booleans()) else rows
            name = data.draw(st.sampled_from(sorted({step.command for step in wanted})))
            step = table.step(name, state)
            assert step is not None
            actors = [actor for actor in ACTORS if actor.role in step.who]
            self._step(name, data.draw(st.sampled_from(actors)), "eligible", True, data)

    @precondition(lambda self: self.walk.proceeding.state == "opinion")
    @rule(name=st.sampled_from(("report", "post-notice")), data=st.data())
    def going_on(self, name: str, data: st.DataObject) -> None:
        self._step(name, ACTORS[1], "eligible", True, data)

    @precondition(lambda self: self.walk.proceeding.state == "opinion")
    @rule()
    def hurried(self) -> None:
        """Past the notice, by whoever could confirm otherwise."""
        confirming = [actor for actor in ACTORS if actor.role == "district"][-1]
        for name, actor in (("report", ACTORS[1]), ("confirm", confirming)):
            self._take(name, actor, assessed(self.walk.programme, "eligible", 20_000), {})

    @precondition(lambda self: self.walk.proceeding.state == "reported")
    @rule(actor=st.sampled_from([actor for actor in ACTORS if actor.role == "district"]), data=st.data())
    def confirmed(self, actor: Actor, data: st.DataObject) -> None:
        self._step("confirm", actor, "eligible", True, data)

    def _step(self, name: str, actor: Actor, outcome: str | None, known: bool, data: st.DataObject) -> None:
        walk = self.walk
        if name not in WORKFLOWS[walk.programme].by_command:
            return
        said = dict(data.draw(st.sampled_from(SAID.get(name, [{}]))))
        if name in ("appeal", "settle-appeal"):
            decisions = [each.decision_id for each in walk.proceeding.decisions] or [derived_id("none")]
            said["decision_id"] = data.draw(st.sampled_from(decisions))
            said |= {"way": "reconsideration"} if name == "appeal" else {"result": "overturned"}
        model = COMMANDS[name][0].said
        if "statement" in model.model_fields and "statement" not in said:
            said["statement"] = "书面"
        found = None
        if outcome is not None:
            found = assessed(walk.programme, outcome, 20_000 if known else None)
        self._take(name, actor, found, said)

    def _take(self, name: str, actor: Actor, found: Assessment | None, said: dict[str, Any]) -> None:
        walk, before = self.walk, self.walk.proceeding
        row = WORKFLOWS[walk.programme].step(name, before.state)
        decided = walk.step(name, actor, found, **said)
        if isinstance(decided, Refusal) or not decided:
            return
        assert row is not None
        assert actor.role in row.who
        self._remember_who(name, actor, said, decided)
        self.granted_by += [
            (before, event, actor.person)
            for event in decided
            if isinstance(event, events.Determined) and event.kind in ("grant", "adjust", "taper")
        ]

    def _remember_who(self, name: str, actor: Actor, said: dict[str, Any], decided: Sequence[Event]) -> None:
        """Who took part until each decision, counted beside the product."""
        if name == "start-investigation":
            self.taking_part |= {each["person"] for each in said["investigators"]}
        if name in ("record-findings", "give-opinion", "confirm-urgency", "start-review", "report-change"):
            self.taking_part.add(actor.person)
        for event in decided:
            if isinstance(event, events.Determined) and event.kind != "recover":
                self.took_part[event.decision_id] = frozenset(self.taking_part)
                self.taking_part = set()

    @rule(really=st.integers(0, 9))
    def protection_becomes_known(self, really: int) -> None:
        if really == 9:
            self.walk.told_again(sealed=True)

    @rule(minor=st.booleans())
    def household_entered(self, minor: bool) -> None:
        self.walk.household(HouseholdFacts(**HOUSEHOLD.model_dump(exclude={"minor"}), minor=minor))

    @rule()
    def authorised(self) -> None:
        self.walk.authorise()

    @rule(
        report=st.sampled_from(("consistent", "consistent", "differs", "incomplete")),
        state=st.sampled_from(("answered", "answered", "reopened", "returned", "revoked")),
    )
    def check_answered(self, report: str, state: str) -> None:
        if self.walk.proceeding.checks:
            self.walk.answer_check(report, state)

    @rule(days=st.sampled_from((1, 8, 70, 366)))
    def time_passes(self, days: int) -> None:
        self.walk.later(days=days)

    @rule(programme=st.sampled_from(sorted(WORKFLOWS)))
    def another_programme(self, programme: str) -> None:
        person = CHILD if WORKFLOWS[programme].person else None
        self.walk.do(workflow.OpenProceeding(target=self.walk.id, programme=programme, person_id=person))

    @rule(really=st.integers(0, 9))
    def application_withdrawn(self, really: int) -> None:
        walk = self.walk
        if really != 9:
            return
        command = WithdrawCase(target=walk.id, application_id=APPLICATION, chain_id=CHAIN)
        if walk.proceeding.granted and walk.proceeding.runs:
            assert isinstance(walk.do(command), Refusal)
            return
        if not isinstance(walk.do(command), Refusal) and walk.proceeding.state == "withdrawn":
            walk.running = set()

    @invariant()
    def nothing_is_granted_without_a_rule_version(self) -> None:
        for each in self.walk.case.proceedings.values():
            assert all(decision.rule_version for decision in each.decisions)
            assert all(decision.decided_by for decision in each.decisions)

    @invariant()
    def nobody_confirms_what_they_investigated(self) -> None:
        """Aid first alone is paid by whoever is there; another person completes its papers."""
        for before, event, person in self.granted_by:
            if event.kind == "grant" and event.reason != "aid_first":
                assert person not in {each.person for each in before.investigators}
                assert person != before.opined_by
            if event.reason != "aid_first":
                assert person not in self.took_part[event.decision_id]
            assert person not in before.relatives

    @invariant()
    def no_first_grant_skips_the_notice(self) -> None:
        """By what was published alone: it stood its time, with the opinion that was confirmed."""
        for before, event, _ in self.granted_by:
            if event.kind != "grant" or not WORKFLOWS[before.programme].notice_days:
                continue
            if before.withheld:
                assert any(isinstance(each, kept.NoticeWithheld) for each in self.walk.events)
                continue
            told = [each for each in self.walk.events if isinstance(each, events.ProceedingEvent)]
            told = [each for each in told if each.proceeding_id == event.proceeding_id]
            told = told[: told.index(event)]
            opinion = max(n for n, each in enumerate(told) if isinstance(each, events.OpinionGiven))
            (posted,) = [each for each in told[opinion:] if isinstance(each, events.NoticePosted)][-1:]
            (ended,) = [each for each in told[opinion:] if isinstance(each, events.NoticeEnded)][-1:]
            assert ended.completed
            assert ended.at >= posted.until
            assert posted.until - posted.at >= timedelta(days=WORKFLOWS[before.programme].notice_days[-1])

    @invariant()
    def a_protected_household_is_never_posted(self) -> None:
        case = self.walk.case
        for each in case.proceedings.values():
            if each.state in ("notice", "ending_notice"):
                assert not case.protected(each)

    @invariant()
    def no_amount_is_above_its_ceiling(self) -> None:
        for before, event, _ in self.granted_by:
            discussed = before.discussion is not None and before.discussion.amount_fen is not None
            if before.programme == "temporary_small" and not discussed:
                assert event.amount_fen <= 77_000
            if event.kind == "taper" and before.in_force is not None:
                assert event.amount_fen <= before.in_force.amount_fen

    @invariant()
    def no_more_is_taken_back_than_was_due(self) -> None:
        month = month_number(f"{local(self.walk.now):%Y-%m}")
        for each in self.walk.case.proceedings.values():
            assert owed(schedule(map(guards.as_paid, each.decisions)), month) >= 0

    @invariant()
    def every_clock_is_met_cancelled_or_owed_by_a_step_that_can_be_taken(self) -> None:
        proceeding = self.walk.proceeding
        if proceeding.settled:
            allowed = ALLOWED_AT_REST.get(proceeding.state, set()) | ALONGSIDE
            assert self.walk.running <= allowed, proceeding.state
        ends = {
            clock for step in WORKFLOWS[proceeding.programme].steps for clock in (*step.meets, *step.cancels)
        }
        assert self.walk.running <= ends | ALONGSIDE

    @invariant()
    def what_the_duties_file_starts_it_also_ends(self) -> None:
        proceeding = self.walk.proceeding
        if proceeding.settled:
            allowed = ALLOWED_AT_REST.get(proceeding.state, set()) | ALONGSIDE
            assert self.walk.owed() <= allowed, proceeding.state

    @invariant()
    def at_most_one_decision_is_in_force(self) -> None:
        for each in self.walk.case.proceedings.values():
            open_ = [
                decision
                for decision in each.decisions
                if decision.superseded_by is None and decision.kind != "recover"
            ]
            assert len(open_) <= 1

    @invariant()
    def amounts_are_never_negative_and_nothing_runs_after_the_end(self) -> None:
        for each in self.walk.case.proceedings.values():
            assert all(decision.amount_fen >= 0 for decision in each.decisions)
            if each.state in OVER and each.in_force is not None:
                assert each.in_force.kind in ("refuse", "stop")

    @invariant()
    def a_decided_case_has_no_open_proceeding(self) -> None:
        case = self.walk.case
        if case.state in ("decided", "closed", "withdrawn"):
            assert all(each.settled for each in case.proceedings.values())

    @invariant()
    def every_offered_step_can_be_asked(self) -> None:
        proceeding = self.walk.proceeding
        for actor in ACTORS:
            for step in WORKFLOWS[proceeding.programme].steps:
                if proceeding.state in step.sources:
                    asked = workflow.Asked(
                        WORKFLOWS[proceeding.programme], step, Context(actor, self.walk.now)
                    )
                    workflow.refusal_of(self.walk.case, proceeding, asked)

    @invariant()
    def the_archive_folds_to_the_state(self) -> None:
        assert self.walk.folded() == self.walk.case
        read = DECIDER.state.model_validate_json(self.walk.case.model_dump_json())
        assert read == self.walk.case


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


def test_the_machine_fills_in_every_command() -> None:
    for name, rows in COMMANDS.items():
        for said in SAID.get(name, [{}]):
            required = {key for key, field in rows[0].said.model_fields.items() if field.is_required()}
            filled = set(said) | {"statement", "decision_id", "way", "result"}
            assert required <= filled, name
            try:
                rows[0].said.model_validate(
                    dict(said) | ({"statement": "x"} if "statement" in required else {})
                )
            except ValidationError:
                assert name in ("appeal", "settle-appeal")


def answers(field: forms.Field) -> st.SearchStrategy[Any]:
    """What a form of this field could carry, and a little beyond."""
    codes = st.sampled_from(field.allowed or ["x", "500112017", "cw-1"])
    people = {"person": codes | st.just("cw-1"), "unit": st.sampled_from(("township", "district"))}
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "text": st.text(max_size=20),
        "code": codes | st.text(max_size=5),
        "choice": codes,
        "reason": codes,
        "choices": st.lists(codes, max_size=4),
        "number": st.integers(-1, 9),
        "fen": st.integers(-1, 10_000_000_001),
        "flag": st.booleans(),
        "moment": st.datetimes(timezones=st.just(UTC)),
        "month": st.sampled_from(("2000-01", "2026-04", "2099-12", "2026-13", "")),
        "people": st.lists(st.fixed_dictionaries(people), max_size=4),
        "names": st.lists(codes, max_size=5),
        "id": st.uuids(),
    }
    return kinds[field.kind]


def bodies(row: Step) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies of a step: all that it needs, and some of the rest."""
    fields = forms.fields_of(row)
    return st.fixed_dictionaries(
        {field.name: answers(field) for field in fields if field.required},
        optional={field.name: answers(field) for field in fields if not field.required},
    )


@pytest.mark.parametrize("name", COMMANDS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_whatever_is_said_is_done_or_refused(name: str, data: st.DataObject) -> None:
    """Any body that a request can carry, at any place of the way: events or a refusal, never an error."""
    row = COMMANDS[name][0]
    body = data.draw(bodies(row))
    try:
        said = row.said.model_validate(body)
    except ValidationError:
        return
    programmes = [each for each, table in WORKFLOWS.items() if name in table.by_command]
    walk = Walk(data.draw(st.sampled_from(programmes)))
    if walk.programme != "temporary_small":
        posted = ("notice",) if WORKFLOWS[walk.programme].notice_days else ()
        walk.to(data.draw(st.sampled_from(("received", "opinion", *posted, "reported", "granted"))))
    for actor in ACTORS:
        walk.step(name, actor, assessed(walk.programme), **said.model_dump())
    assert walk.folded() == walk.case
