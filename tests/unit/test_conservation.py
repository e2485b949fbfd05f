"""The conservation check itself: what it calls doubled, and what it calls lost."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from onedoor.contracts.core import Envelope, derived_id
from onedoor.contracts.events.notify import ClockBreached, ReferralDrafted, ReferralSent
from onedoor.contracts.plan import Plan, PlannedReferral, PlannedService
from tests.casework import APPLICATION, CHAIN, NOW, application, envelope, referral
from tests.chaos.evidence import Evidence, Found
from tests.conservation import Accepted, doubled_on_topics, lost_on_topics

ACCEPTED = Accepted(
    receipt="QZ-20260303-ABCDEF-7",
    application_id=str(APPLICATION),
    chain_id=str(CHAIN),
    plan=Plan(
        services=(PlannedService(name="charity", urgency="ordinary"),),
        referrals=(
            PlannedReferral(
                rule="R9", from_="township", to="health", urgency="ordinary", due_ack=NOW, due_finish=NOW
            ),
        ),
    ),
)


def under_another_id(event: Envelope) -> Envelope:
    return replace(event, id=derived_id("another", event.id))


def breach(minutes: int) -> Envelope:
    facts: dict[str, Any] = {"clock_id": UUID(int=1), "chain_id": CHAIN, "duty": "ack", "owner": "health"}
    due = NOW + timedelta(minutes=minutes)
    return envelope(ClockBreached(**facts, subject=UUID(int=2), due_at=due))


def test_one_event_delivered_twice_is_not_doubled() -> None:
    sent = envelope(referral())
    assert doubled_on_topics([sent, sent]) == []


def test_one_fact_under_two_ids_is_doubled() -> None:
    for event in (envelope(referral()), envelope(application()), breach(0)):
        assert len(doubled_on_topics([event, under_another_id(event)])) == 1


def test_a_referral_whose_urgency_was_raised_is_sent_again() -> None:
    assert doubled_on_topics([envelope(referral(urgency=u)) for u in ("urgent", "critical")]) == []


def test_a_clock_counted_anew_may_be_breached_again() -> None:
    assert doubled_on_topics([breach(0), breach(5)]) == []


def test_what_the_plan_promised_and_nobody_published_is_lost() -> None:
    received = envelope(application())
    told = [line.partition(": ")[2] for line in lost_on_topics([ACCEPTED], [received])]
    assert told == ["no case of charity", "no referral R9 to health"]
    for kept in (referral(ReferralSent), referral(ReferralDrafted, reason="consent")):
        left = lost_on_topics([ACCEPTED], [received, envelope(kept)])
        assert [line.partition(": ")[2] for line in left] == ["no case of charity"]


HIT = Found(open=1, relays=1, uncommitted=3, handled=0)
MISSED = Found(open=0, relays=0, uncommitted=0, handled=0)


@pytest.mark.parametrize(
    ("evidence", "lacks"),
    [
        (Evidence(), ["killed", "inbox", "relay"]),
        (Evidence(kills={"desk": [MISSED, HIT]}, redelivered=Counter(desk=1), republished=1), []),
        (Evidence(kills={"desk": [HIT], "intake": [MISSED]}, redelivered=Counter(desk=1), republished=1),
         ["intake"]),
        (Evidence(kills={"desk": [HIT]}, republished=1), ["inbox"]),
        (Evidence(kills={"desk": [HIT]}, redelivered=Counter(desk=1)), ["relay"]),
    ],
)  # fmt: skip
def test_chaos_proves_nothing_unless_its_kills_hit_work(evidence: Evidence, lacks: list[str]) -> None:
    told = evidence.lacks()
    assert len(told) == len(lacks)
    assert all(word in line for word, line in zip(lacks, told, strict=True))
