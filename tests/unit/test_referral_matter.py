"""One matter, whoever tries what: handed over, returned, sent on, extended, answered, reopened, withdrawn.

At any time one office at most is responsible, every open referral has its clocks, none breaches twice for one
end, nobody answers what was not acknowledged, and the time that each office held it adds up to the whole.
"""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from onedoor.contracts.core import Context, Envelope, Refusal
from onedoor.contracts.events.intake import UnitSuspected
from onedoor.contracts.events.notify import ClockBreached, ClockRescheduled
from onedoor.contracts.referral_rules import RULES, directory
from onedoor.notify.domain.clock import OPEN, PauseClock, ResumeClock, clock_id
from onedoor.notify.domain.referral import (
    NAMES,
    Acknowledge,
    Act,
    Answer,
    Approve,
    Decline,
    Extend,
    Referral,
    Reopen,
    Return,
    Revoke,
    SendOn,
    decide,
    possible,
)
from onedoor.notify.figures.holdings import holdings
from onedoor.notify.figures.passes import Pass, pass_of
from tests.notify import ANYONE, APPLICATION, CHAIN, FRIDAY, Notify, application, of_plan, planned, withdrawn

NO_TIME = timedelta()
HOLDING = ("sent", "acknowledged", "acted", "extended", "reopened")
SAID: dict[type, dict[str, Any]] = {
    Return: {"reason": "not_our_matter"},
    Extend: {"reason": "other"},
    Reopen: {"reason": "need_remains"},
    Revoke: {"reason": "no_longer_needed"},
    Answer: {"outcome": "no_need", "told": True},
}
UNITS = [*sorted(RULES["R1"].to | RULES["R3"].to), directory().bureau]
STEPS = [kind for kind in NAMES if kind is not SendOn]


class Matter(RuleBasedStateMachine):
    """Two departments of the rule, the bureau, and all who come after."""

    @initialize(critical=st.booleans())
    def begins(self, critical: bool) -> None:
        self.now = FRIDAY
        self.suspected = set[str]()
        self.rule, self.to = ("R1", "public-security") if critical else ("R3", "public-security")
        self.notify = Notify()
        urgency = "critical" if critical else "ordinary"
        self.first = of_plan(self.rule, self.to)
        self.notify.read(application(planned(self.rule, self.to, urgency, asked_at=FRIDAY)), FRIDAY)

    def known(self) -> dict[UUID, Referral]:
        return {id_: state for (kind, id_), state in self.notify.states.items() if kind == "referral"}

    def any_of(self, data: st.DataObject) -> UUID:
        """The latest one mostly: there something can be done."""
        ids = list(self.known())
        return data.draw(st.sampled_from([*ids, *ids[-1:] * 3]))

    @rule(minutes=st.sampled_from([1, 7, 31, 200, 700, 9000]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def swept(self) -> None:
        self.notify.sweep(self.now)

    @rule(data=st.data(), kind=st.sampled_from(STEPS))
    def somebody_tries(self, data: st.DataObject, kind: Any) -> None:
        id_ = self.any_of(data)
        before = self.notify.referral(id_)
        done = self.notify.give(kind(target=id_, **SAID.get(kind, {})), self.now, ANYONE)
        if isinstance(done, Refusal):
            assert self.notify.referral(id_) == before, "what is refused changes nothing"
            assert done.code.startswith("referral.")
        elif kind in (Act, Answer):
            assert before.acknowledged, "no feedback without acknowledgement"
        elif kind in (Extend, Approve):
            assert not before.critical
            assert not before.extended

    @rule(data=st.data())
    def somebody_does_what_is_offered(self, data: st.DataObject) -> None:
        id_ = self.any_of(data)
        offered = possible(self.notify.referral(id_), Context(ANYONE, self.now))
        if offered:
            kind = data.draw(st.sampled_from(offered))
            more = {"to": data.draw(st.sampled_from(UNITS))} if kind is SendOn else SAID.get(kind, {})
            self.notify.give(kind(target=id_, **more), self.now, ANYONE)

    @rule(data=st.data(), to=st.sampled_from(UNITS))
    def somebody_sends_on(self, data: st.DataObject, to: str) -> None:
        self.notify.give(SendOn(target=self.any_of(data), to=to), self.now, ANYONE)

    @rule(data=st.data(), stands=st.booleans())
    def its_clock_stands_still_or_runs(self, data: st.DataObject, stands: bool) -> None:
        target = clock_id("finish", self.any_of(data))
        command = PauseClock(target=target, reason="court") if stands else ResumeClock(target=target)
        self.notify.give(command, self.now, ANYONE)

    @rule(really=st.sampled_from([True, False, False, False]))
    def withdrawn(self, really: bool) -> None:
        if really:
            self.notify.read(withdrawn(self.now), self.now)

    @rule(really=st.sampled_from([True, False, False, False]), unit=st.sampled_from(UNITS))
    def a_unit_turns_out_to_be_suspected(self, really: bool, unit: str) -> None:
        if really:
            self.suspected.add(unit)
            of = {"application_id": APPLICATION, "chain_id": CHAIN, "department": unit}
            self.notify.read(UnitSuspected.model_validate(of), self.now)

    @invariant()
    def no_suspected_unit_has_it(self) -> None:
        """What it has answered is over; reopened, it would be its own again, so that nobody reopens it."""
        held = {r.wanted.to for r in self.known().values() if r.wanted and (r.state in HOLDING or r.held)}
        assert not held & self.suspected

    @rule()
    def told_again(self) -> None:
        urgency = "critical" if self.rule == "R1" else "ordinary"
        again = planned(self.rule, self.to, urgency, asked_at=FRIDAY)
        self.notify.read(application(again, at=self.now, supplement=True), self.now)

    @invariant()
    def one_office_at_most_is_responsible(self) -> None:
        open_ = {id_: r for id_, r in self.known().items() if r.state in HOLDING or r.held}
        held = {id_ for id_, r in open_.items() if r.waits_for_next}
        waiting = {id_ for id_, r in open_.items() if self.stands_for(r) in held and not r.acknowledged}
        assert len(open_.keys() - waiting) <= 1, {id_: (r.state, r.held) for id_, r in open_.items()}

    def stands_for(self, referral: Referral) -> UUID | None:
        """In whose place it is, of those from whom it was not taken."""
        while (wanted := referral.wanted) is not None and wanted.replaces is not None:
            referral = self.notify.referral(wanted.replaces)
            if referral.state != "revoked":
                return wanted.replaces
        return None

    @invariant()
    def an_open_referral_has_its_clock_and_no_other_has(self) -> None:
        for id_, referral in self.known().items():
            clock = self.notify.clock("finish", id_)
            open_ = referral.state in HOLDING or referral.held
            assert (clock.state in OPEN) == open_, (referral.state, referral.held, clock.state)
            if open_:
                assert clock.due_at == referral.due_finish

    @invariant()
    def nothing_breaches_twice_for_one_end(self) -> None:
        rounds, breaches = Counter[UUID](), Counter[tuple[UUID, datetime, int]]()
        for _, _, id_, event in self.notify.log:
            if isinstance(event, ClockRescheduled) and event.started_at is not None:
                rounds[id_] += 1
            if isinstance(event, ClockBreached):
                breaches[id_, event.due_at, rounds[id_]] += 1
        assert all(times == 1 for times in breaches.values())

    @invariant()
    def what_each_office_held_adds_up(self) -> None:
        """With the time in which it was over and lay with nobody, until it was reopened."""
        passes = self.passes()
        found = holdings(passes)
        for id_ in self.known():
            mine = [each for each in found if each.subject == id_]
            turns = [each for each in passes if each.subject == id_]
            nobody = sum((two.at - one.at for one, two in pairwise(turns) if one.department is None), NO_TIME)
            held = sum(((each.until or self.now) - each.since for each in mine), NO_TIME)
            assert held + nobody == (mine[-1].until or self.now) - mine[0].since + self.over(turns)
            assert all(one.until <= two.since for one, two in pairwise(mine) if one.until is not None)

    def over(self, turns: list[Pass]) -> timedelta:
        """Time at the end that lies with nobody is after the whole, not in it."""
        last = [each for each in turns if each.department is not None][-1]
        after = turns[turns.index(last) + 1 :]
        return after[-1].at - after[0].at if after else NO_TIME

    def passes(self) -> list[Pass]:
        envelopes = [
            Envelope(id=UUID(int=number), source="notify", subject=id_, time=at, key="", data=event)
            for number, (at, _, id_, event) in enumerate(self.notify.log)
        ]
        return [each for envelope in envelopes if (each := pass_of(envelope)) is not None]

    @invariant()
    def what_is_offered_is_not_refused(self) -> None:
        for id_, referral in self.known().items():
            for kind in possible(referral, Context(ANYONE, self.now)):
                if kind in (Acknowledge, Act, Approve, Decline):
                    assert not isinstance(self.tried(kind, id_), Refusal)

    def tried(self, kind: Any, id_: UUID) -> Any:
        return decide(self.notify.referral(id_), kind(target=id_), Context(ANYONE, self.now))


Matter.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestMatter = Matter.TestCase
