"""The hotline rings where a critical referral is not acknowledged within five minutes; in any order."""

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from onedoor.contracts.core import SYSTEM, Actor, Context, Event, Refusal, derived_id
from onedoor.notify.domain import referral
from onedoor.notify.domain.ring import (
    RING,
    AskForCall,
    DropRing,
    ExpectAcknowledgement,
    RecordCall,
    Ring,
    ring_id,
)
from tests.notify import ANYONE, FRIDAY, Notify, application, of_plan, planned, withdrawn

REFERRAL = derived_id("ring-test")
TASK = ring_id(REFERRAL)
FIVE, HOUR = timedelta(minutes=5), timedelta(hours=1)
OF: dict[str, Any] = {"target": TASK, "referral_id": REFERRAL, "chain_id": REFERRAL, "to": "public-security"}
HOTLINE = Actor(person="hotline-1", role="hotline", department="hotline-12345")
R9 = of_plan("R9", "health")


def expect(at: datetime) -> ExpectAcknowledgement:
    return ExpectAcknowledgement(**OF, sent_at=at)


def drop(at: datetime) -> DropRing:
    return DropRing(**OF, at=at)


def given(*commands: Any, now: datetime = FRIDAY + FIVE) -> tuple[Ring, list[Event], list[Refusal]]:
    ring, events, refusals = Ring(), [], []
    for command in commands:
        decided = RING.decide(ring, command, Context(HOTLINE, now))
        if isinstance(decided, Refusal):
            refusals.append(decided)
            continue
        for event in decided:
            ring = RING.evolve(ring, event)
            events.append(event)
    return ring, events, refusals


def call(outcome: str | None = "reached", named: bool = True) -> RecordCall:
    return RecordCall(target=TASK, outcome=outcome, named=named)


def test_five_minutes_and_then_a_call() -> None:
    ring, events, _ = given(expect(FRIDAY), AskForCall(target=TASK))
    assert [event.type for event in events] == ["ring.expected", "ring.asked"]
    assert ring.state == "asked"
    ring, events, _ = given(expect(FRIDAY), AskForCall(target=TASK), now=FRIDAY + FIVE - timedelta(seconds=1))
    assert ring.state == "waiting"
    assert ring.open_at == FRIDAY + FIVE


def test_it_rings_until_somebody_is_reached_by_name() -> None:
    asked = (expect(FRIDAY), AskForCall(target=TASK))
    ring, events, refusals = given(*asked, call("no_answer", False), call("reached", False), call())
    assert [refusal.field for refusal in refusals] == ["reached"]
    assert [event.type for event in events][-2:] == ["ring.recorded", "ring.recorded"]
    assert (ring.state, ring.calls) == ("done", 2)
    assert given(*asked, call("shouted"))[2][0].code == "ring.outcome"
    assert given(*asked, call(), call())[2][0].code == "ring.none"
    assert given(expect(FRIDAY), call())[2][0].code == "ring.none"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_any_order_the_latest_sending_counts_with_the_ends_after_it(order: tuple[int, ...]) -> None:
    """Sent, acknowledged, sent anew since the urgency was raised: it waits for the second sending."""
    commands = (expect(FRIDAY), drop(FRIDAY + FIVE / 2), expect(FRIDAY + FIVE))
    ring, _, _ = given(*(commands[index] for index in order))
    assert ring.state == "waiting"
    assert ring.open_at == FRIDAY + 2 * FIVE


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_an_acknowledgement_before_or_after_its_sending_came_to_us(order: tuple[int, ...]) -> None:
    commands = (expect(FRIDAY), drop(FRIDAY + FIVE / 2))
    ring, _, _ = given(*(commands[index] for index in order), AskForCall(target=TASK))
    assert ring.state == "done"
    assert ring.open_at is None


def test_an_older_end_that_comes_late_asks_for_no_second_call() -> None:
    asked, older = (expect(FRIDAY), AskForCall(target=TASK)), drop(FRIDAY - FIVE)
    ring, events, _ = given(*asked, older, AskForCall(target=TASK))
    assert [event.type for event in events].count("ring.asked") == 1
    assert ring.state == "asked"
    assert given(*asked, call(), older)[0].state == "done"


def ring_of(notify: Notify) -> Ring:
    ring: Ring = notify.states.get(("ring", ring_id(R9)), Ring())
    return ring


def sent(urgency: str = "critical", **more: Any) -> Notify:
    notify = Notify()
    notify.read(application(planned("R9", "health", urgency), **more), FRIDAY)
    return notify


def test_only_critical_referrals_that_are_no_late_entry_are_rung_about() -> None:
    assert ring_of(sent()).open_at == FRIDAY + FIVE
    assert ring_of(sent("ordinary")).state is None
    assert ring_of(sent(late_entry=True)).state is None


@pytest.mark.parametrize(
    "command",
    [referral.Acknowledge(target=R9), referral.Return(target=R9, reason="not_our_matter")],
)
def test_whoever_speaks_for_the_receiver_ends_the_wait(command: referral.ByPerson) -> None:
    notify = sent()
    notify.give(command, FRIDAY + FIVE / 2, ANYONE)
    assert ring_of(notify).state == "done"
    assert notify.give(AskForCall(target=ring_id(R9)), FRIDAY + HOUR, SYSTEM) == []


def test_what_stands_after_a_withdrawal_is_rung_about_as_well() -> None:
    notify = sent()
    notify.read(withdrawn(FRIDAY + FIVE / 2), FRIDAY + FIVE / 2)
    assert ring_of(notify).state == "waiting", "danger to life stands whatever is signed"
