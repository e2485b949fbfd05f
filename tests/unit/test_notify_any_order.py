"""The docket, the task to ring and the calendar, whatever comes in whatever order.

Clocks, referrals and the ledger have machines of their own: test_notify_clock.py, test_notify_referral.py,
test_referral_matter.py.
"""

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from onedoor.contracts.core import SYSTEM, Command, Context, Decider, Event, Refusal, derived_id
from onedoor.contracts.events.notify import NoticeImported, RingAsked, RingRecorded
from onedoor.notify.domain.docket import (
    DOCKET,
    CasePlaced,
    DocketEvent,
    DutyOwed,
    DutySettled,
    Owe,
    Owed,
    Place,
    Settle,
    Settlement,
)
from onedoor.notify.domain.notice import NOTICE, TellNotice, calendar_id
from onedoor.notify.domain.ring import (
    OUTCOMES,
    PATIENCE,
    RING,
    AskForCall,
    DropRing,
    ExpectAcknowledgement,
    RecordCall,
)
from onedoor.triage.duties import packaged_duties
from tests.notify import APPLICATION, CHAIN, FRIDAY

CASE, PROCEEDING = derived_id("any-order-case"), derived_id("any-order-proceeding")
PROTECTED = next(row.id for row in packaged_duties().rows if row.protection)
STATUTORY = "L5"
HOURS = st.integers(0, 12).map(lambda hours: FRIDAY + timedelta(hours=hours))


class Machine(RuleBasedStateMachine):
    """One aggregate of a decider, and everything that it said."""

    decider: Decider[Any]

    def __init__(self) -> None:
        super().__init__()
        self.now = FRIDAY
        self.state = self.decider.initial()
        self.events: list[Event] = []

    def give(self, command: Command) -> list[Event] | Refusal:
        """What came of the command; a refusal changes nothing."""
        decided = self.decider.decide(self.state, command, Context(SYSTEM, self.now))
        if isinstance(decided, Refusal):
            return decided
        for event in decided:
            self.events.append(event)
            self.state = self.decider.evolve(self.state, event)
        return list(decided)

    @invariant()
    def folds_from_its_archive_and_from_json(self) -> None:
        folded = self.decider.initial()
        for event in self.events:
            folded = self.decider.evolve(folded, type(event).model_validate_json(event.model_dump_json()))
        assert folded == self.state
        assert self.decider.state.model_validate_json(self.state.model_dump_json()) == self.state


class OneDocket(Machine):
    """Duties start and end in any order; an end is told once of each start that it is meant for."""

    decider = DOCKET

    def tell(self, kind: type[Command], marks: dict[str, bool], **told: Any) -> None:
        """Told twice, it says nothing the second time."""
        of = {"target": APPLICATION, "application_id": APPLICATION, "chain_id": CHAIN}
        command = kind.model_validate(of | marks | told)
        self.give(command)
        assert self.give(command) == []

    @rule(
        id_=st.sampled_from([PROTECTED, STATUTORY, "L1"]),
        base=st.sampled_from([CASE, PROCEEDING]),
        at=HOURS,
        by=st.sampled_from([None, "case.accepted"]),
        child=st.booleans(),
    )
    def starts(self, id_: str, base: UUID, at: Any, by: str | None, child: bool) -> None:
        owed = Owed(id=id_, base=base, started_at=at, by=by, case_id=CASE)
        self.tell(Owe, {"child": child}, owed=(owed,))

    @rule(
        ids=st.sampled_from([(), (STATUTORY,), (PROTECTED, "L1")]),
        scope=st.sampled_from([CASE, PROCEEDING, APPLICATION]),
        at=HOURS,
        ending=st.sampled_from(["met", "cancelled"]),
        by=st.sampled_from(["case.accepted", "case.determined"]),
        sealed=st.booleans(),
    )
    def ends(self, ids: tuple[str, ...], scope: UUID, sealed: bool, **told: Any) -> None:
        settlement = Settlement(ids=ids, scope=scope, **told)
        self.tell(Settle, {"sealed": sealed}, settlement=settlement)

    @rule(division=st.sampled_from(["500112015", "500112017"]))
    def moves(self, division: str) -> None:
        self.tell(Place, {}, case_id=CASE, division=division)
        assert self.state.divisions[CASE] == division

    @invariant()
    def each_start_is_told_once(self) -> None:
        told = [event.owed.key for event in self.events if isinstance(event, DutyOwed)]
        assert len(told) == len(set(told)) == len(self.state.owed)
        clocks = [(owed.id, owed.subject) for owed in self.state.owed]
        assert len(clocks) == len(set(clocks)), "each start has a clock of its own"

    @invariant()
    def each_end_is_told_once_of_each_start_that_it_is_meant_for(self) -> None:
        told = Counter(
            (event.id, event.subject, event.at, event.ending)
            for event in self.events
            if isinstance(event, DutySettled)
        )
        meant = Counter(
            (owed.id, owed.subject, settlement.at, settlement.ending)
            for owed in self.state.owed
            for settlement in self.state.settlements
            if self.state.ends(owed, settlement)
        )
        assert told == meant

    @invariant()
    def what_ends_everything_leaves_protection(self) -> None:
        general = [each for each in self.state.settlements if not each.ids]
        protected = [owed for owed in self.state.owed if owed.id == PROTECTED]
        assert not any(self.state.ends(owed, each) for owed in protected for each in general)

    @invariant()
    def it_is_never_kept_less_closely_than_before(self) -> None:
        marks = [(event.child, event.sealed) for event in self.events if isinstance(event, DocketEvent)]
        assert all(a <= c and b <= d for (a, b), (c, d) in pairwise(marks))

    @invariant()
    def a_case_is_placed_anew_only_elsewhere(self) -> None:
        where = [event.division for event in self.events if isinstance(event, CasePlaced)]
        assert all(a != b for a, b in pairwise(where))


class OneRing(Machine):
    """Sent, sent anew, acknowledged late or early; the hotline rings and is answered or not."""

    decider = RING
    of: ClassVar[dict[str, Any]] = {"target": CASE, "referral_id": CASE, "chain_id": CHAIN, "to": "health"}

    @rule(minutes=st.sampled_from([1, 5, 59, 400]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(at=HOURS)
    def sent(self, at: Any) -> None:
        self.give(ExpectAcknowledgement(**self.of, sent_at=at))

    @rule(at=HOURS)
    def ended(self, at: Any) -> None:
        self.give(DropRing(**self.of, at=at))

    @rule()
    def looked_at(self) -> None:
        waited = self.state.sent_at
        for event in self.give(AskForCall(target=CASE)):
            assert isinstance(event, RingAsked)
            assert waited is not None
            assert event.asked_at == waited + PATIENCE <= self.now

    @rule(outcome=st.sampled_from([*OUTCOMES, "shouted", None]), named=st.booleans())
    def rung(self, outcome: str | None, named: bool) -> None:
        before = self.state
        done = self.give(RecordCall(target=CASE, outcome=outcome, named=named))
        fits = before.state == "asked" and outcome in OUTCOMES and (outcome != "reached" or named)
        assert isinstance(done, Refusal) != fits

    @invariant()
    def nobody_is_rung_about_what_is_over(self) -> None:
        sent, ended = self.state.sent_at, self.state.ended_at
        if sent is not None and ended is not None and ended >= sent:
            assert self.state.state == "done"
            assert self.state.open_at is None
        if self.state.state in ("waiting", "asked"):
            assert sent is not None
            assert ended is None or ended < sent

    @invariant()
    def each_sending_asks_for_one_call_at_most(self) -> None:
        asked = Counter(event.asked_at for event in self.events if isinstance(event, RingAsked))
        assert set(asked.values()) <= {1}
        assert self.state.calls == sum(isinstance(event, RingRecorded) for event in self.events)


class OneCalendar(Machine):
    """Each edition is told once, in whichever order they come."""

    decider = NOTICE

    @rule(edition=st.integers(1, 6), year=st.integers(2027, 2029))
    def imported(self, edition: int, year: int) -> None:
        told = {"year": year, "title": "通知", "number": "测试", "body": "year: 2027"}
        told["imported_at"] = self.now
        before = self.state.told
        done = self.give(TellNotice.model_validate({"target": calendar_id(), "edition": edition} | told))
        assert bool(done) == (edition not in before)

    @invariant()
    def each_edition_is_told_once(self) -> None:
        editions = [event.edition for event in self.events if isinstance(event, NoticeImported)]
        assert len(editions) == len(set(editions))
        assert set(editions) == set(self.state.told)


for machine in (OneDocket, OneRing, OneCalendar):
    machine.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestDocket = OneDocket.TestCase
TestRing = OneRing.TestCase
TestCalendar = OneCalendar.TestCase
