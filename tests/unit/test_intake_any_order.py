"""Whoever says what of an application or a person, in whatever order: what intake may never do."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from onedoor.contracts.core import SYSTEM, Command, Context, Event, Refusal
from onedoor.contracts.events.intake import (
    ApplicationReceived,
    ApplicationSupplemented,
    ApplicationWithdrawn,
    PersonRecorded,
    UnitSuspected,
)
from onedoor.intake.domain import (
    APPLICATION,
    PERSON,
    Known,
    Receive,
    RecordPerson,
    Supplement,
    Withdraw,
    coded,
    evaluated,
)
from onedoor.intake.domain.application import dangerous, standing
from onedoor.triage import parse_form

NOW = datetime(2026, 3, 3, 13, 40, tzinfo=UTC)
ID, CHAIN = UUID(int=1), UUID(int=2)
SUSPECTED = "500112015003"


def known(**body: Any) -> Known:
    form, _ = parse_form({"place": {"division": "500112004"}, **body})
    ids = [UUID(int=place + 10) for place in range(len(form.subjects))]
    return coded(form, ids, received_at=NOW, recorded_at=NOW, late_entry=False, believed=True)


FORMS = (
    known(needs=["income"], subjects=[{"id": "a", "age": 40}]),
    known(subjects=[{"id": "a", "age": 9, "facts": {"alone": True}}]),
    known(emergency={"kind": "flood"}, subjects=[{"id": "a", "age": 40}]),
    known(
        needs=["cash"],
        suspected={"department": "village", "division": SUSPECTED},
        subjects=[{"id": "a", "age": 12}],
    ),
)


class OneApplication(RuleBasedStateMachine):
    """Taken down, supplemented and withdrawn by anybody who tries."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.state = APPLICATION.initial()
        self.events: list[Event] = []
        self.plans: list[bool] = []
        """Of each plan that was taken, whether a duty stands by it."""

    def give(self, command: Command) -> str | None:
        """The code of a refusal; None: it was done."""
        decided = APPLICATION.decide(self.state, command, Context(SYSTEM, self.now))
        if isinstance(decided, Refusal):
            return decided.code
        for event in decided:
            self.events.append(event)
            self.state = APPLICATION.evolve(self.state, event)
        return None

    def told(self) -> list[ApplicationReceived | ApplicationSupplemented]:
        both = (ApplicationReceived, ApplicationSupplemented)
        return [event for event in self.events if isinstance(event, both)]

    @rule(minutes=st.integers(1, 600))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(facts=st.sampled_from(FORMS), protection=st.booleans(), receipt=st.sampled_from(["R1", "R2"]))
    def received(self, facts: Known, protection: bool, receipt: str) -> None:
        first, plan = self.state.state == "unknown", evaluated(facts, self.now, {})
        refused = self.give(
            Receive(target=ID, chain_id=CHAIN, receipt=receipt, known=facts, plan=plan, protection=protection)
        )
        assert refused == (None if first else "application.exists")
        if first:
            self.plans.append(standing(plan, protection))

    @rule(facts=st.sampled_from(FORMS))
    def supplemented(self, facts: Known) -> None:
        before, plan = self.state, evaluated(facts, self.now, {})
        refused = self.give(Supplement(target=ID, known=facts, plan=plan))
        match before.state:
            case "unknown":
                assert refused == "application.unknown"
            case "withdrawn" if not dangerous(facts, plan):
                assert refused == "application.withdrawn"
            case _:
                assert refused is None, "what may be danger is never refused"
                self.plans.append(standing(plan, before.protection))

    @rule()
    def withdrawn(self) -> None:
        before = self.state.state
        refused = self.give(Withdraw(target=ID, reason="changed_mind"))
        assert (refused is None) == (before == "received")
        if refused is None:
            gone = self.events[-1]
            assert isinstance(gone, ApplicationWithdrawn)
            assert gone.protection_stands == any(self.plans), "a duty once known survives every withdrawal"

    @invariant()
    def it_is_taken_down_once_and_keeps_its_receipt_and_chain(self) -> None:
        told = self.told()
        assert sum(isinstance(event, ApplicationReceived) for event in told) <= 1
        assert len({(event.receipt, event.chain_id, event.protection) for event in told}) <= 1
        assert self.state.duty_stands == any(self.plans)

    @invariant()
    def who_is_suspected_travels_to_notify_alone(self) -> None:
        others = [event for event in self.events if not isinstance(event, UnitSuspected)]
        assert SUSPECTED not in " ".join(event.model_dump_json() for event in others)

    @invariant()
    def folds_from_its_archive_and_from_json(self) -> None:
        folded = APPLICATION.initial()
        for event in self.events:
            folded = APPLICATION.evolve(folded, type(event).model_validate_json(event.model_dump_json()))
        assert folded == self.state == APPLICATION.state.model_validate_json(self.state.model_dump_json())


class OnePerson(RuleBasedStateMachine):
    """The same identity is told once, however often it is recorded; each change is told."""

    def __init__(self) -> None:
        super().__init__()
        self.state = PERSON.initial()
        self.told: list[PersonRecorded] = []

    @rule(
        name=st.sampled_from([None, "何归程", "何归城"]),
        phone=st.sampled_from([None, "02300000000"]),
        aliases=st.sampled_from([(), ("小何",)]),
        minor=st.booleans(),
    )
    def recorded(self, **identity: Any) -> None:
        command = RecordPerson(target=ID, **identity)
        decided = PERSON.decide(self.state, command, Context(SYSTEM, NOW))
        assert not isinstance(decided, Refusal)
        now = PersonRecorded(person_id=ID, **identity)
        assert list(decided) == ([] if self.told[-1:] == [now] else [now])
        for event in decided:
            self.told.append(now)
            self.state = PERSON.evolve(self.state, event)

    @invariant()
    def its_state_tells_nothing_of_it(self) -> None:
        assert "何" not in self.state.model_dump_json()


for machine in (OneApplication, OnePerson):
    machine.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestApplication = OneApplication.TestCase
TestPerson = OnePerson.TestCase
