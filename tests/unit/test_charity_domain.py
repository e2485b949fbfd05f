"""Charity: every state with every command, whose consent counts, and that nothing goes out before it."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from onedoor.charity.domain import (
    ANY_TIME,
    CLOSING,
    DECIDER,
    DECLINING,
    GIVEN,
    Close,
    Consent,
    Decline,
    Deliver,
    DraftNeed,
    Match,
    Need,
)
from onedoor.charity.stream import READS, react
from onedoor.contracts.core import Actor, Command, Event
from onedoor.contracts.events.case import CaseReopened, ReferralRequested
from onedoor.contracts.events.intake import PERSON, Subject
from onedoor.contracts.events.need import NeedDelivered, NeedDrafted, NeedPublished
from onedoor.contracts.events.notify import ReferralAnswered
from onedoor.contracts.referral_rules import check
from tests.casework import (
    ADULT,
    APPLICATION,
    CHILD,
    NOW,
    WORKER,
    Bench,
    application,
    envelope,
    referral,
    withdrawal,
)

STATES = ("none", "drafted", "published", "matched", "delivered", "declined", "closed")
GROWN_UP = Subject(person_id=ADULT, age=40)
BOY = Subject(person_id=CHILD, age=9)
HARMED = Subject(person_id=CHILD, age=9, facts={"suspected_harm": True})
HOUSE, OTHER_HOUSE = "charity-federation", "social-work-station"
GIVER = Actor(person="giver", role="charity", department=HOUSE)
SIGNED = date(2026, 3, 2)


def drafting(*subjects: Subject, **more: Any) -> DraftNeed:
    facts = {"subjects": subjects or (GROWN_UP,), "needs": ("remaining_gap", "medical_cost")} | more
    command = react(envelope(application("charity", **facts)))[0]
    assert isinstance(command, DraftNeed)
    return command


def bench(state: str = "none", *subjects: Subject) -> Bench[Need]:
    need = Bench(DECIDER, "charity")
    path = {"none": (), "drafted": ("draft",), "published": ("draft", "consent")}
    path["matched"] = (*path["published"], "match")
    path["delivered"] = (*path["matched"], "deliver")
    path["declined"] = (*path["matched"], "decline")
    path["closed"] = (*path["delivered"], "close as met")
    for name in path[state]:
        need.give(drafting(*subjects) if name == "draft" else command_named(need, name))
    assert need.case.state == (None if state == "none" else state)
    return need


def command_named(need: Bench[Need], name: str) -> Command:
    commands: dict[str, Callable[[], Command]] = {
        "draft": drafting,
        "raise": lambda: drafting().model_copy(update={"urgency": "urgent"}),
        "consent": lambda: Consent(target=need.id, by="person", signed_on=SIGNED, gap_fen=300_000),
        "match": lambda: Match(target=need.id, provider=HOUSE),
        "match elsewhere": lambda: Match(target=need.id, provider=OTHER_HOUSE),
        "deliver": lambda: Deliver(target=need.id, provider=HOUSE, given="cash", amount_fen=200_000),
        "decline": lambda: Decline(target=need.id, provider=HOUSE, reason="no_funds"),
        "close as met": lambda: Close(target=need.id, reason="met"),
        "close": lambda: Close(target=need.id, reason="need_gone"),
        "take consent back": lambda: Close(target=need.id, reason="consent_withdrawn"),
        "withdraw": lambda: react(envelope(withdrawal()))[0],
    }
    return commands[name]()


UNKNOWN, STATE, ENDS, CLOSED = "need.unknown", "need.state", "need.ended", "need.closed"
R17, EARLY = "referral.requested", "need.not_delivered"
TABLE = {
    "draft": ("need.supplemented", *["nothing"] * 6),
    "raise": ("need.supplemented", *["case.urgency_raised"] * 5, ENDS),
    "consent": (UNKNOWN, R17, *["nothing"] * 5),
    "match": (UNKNOWN, STATE, "need.matched", "nothing", STATE, "need.matched", ENDS),
    "match elsewhere": (UNKNOWN, STATE, "need.matched", STATE, STATE, "need.matched", ENDS),
    "deliver": (UNKNOWN, STATE, STATE, "need.delivered", "need.delivered", STATE, ENDS),
    "decline": (UNKNOWN, STATE, "need.declined", "need.declined", STATE, "need.declined", ENDS),
    "close as met": (UNKNOWN, EARLY, EARLY, STATE, CLOSED, EARLY, "nothing"),
    "close": (UNKNOWN, CLOSED, CLOSED, STATE, CLOSED, CLOSED, "nothing"),
    "take consent back": (UNKNOWN, *[CLOSED] * 5, "nothing"),
    "withdraw": ("case.withdrawal_marked", CLOSED, CLOSED, CLOSED, "nothing", CLOSED, "nothing"),
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("state", STATES)
def test_every_state_answers_every_command(state: str, name: str) -> None:
    need = bench(state)
    assert need.says(command_named(need, name)) == TABLE[name][STATES.index(state)]


def asked(events: list[Event]) -> list[ReferralRequested]:
    return [event for event in events if isinstance(event, ReferralRequested)]


def test_consent_publishes_the_need_and_sends_the_draft_of_the_plan() -> None:
    need = bench("drafted")
    assert asked(need.events) == []
    need.give(command_named(need, "consent"))
    (published,) = [event for event in need.events if isinstance(event, NeedPublished)]
    assert (published.needs, published.division, published.gap_fen) == (
        ("remaining_gap", "medical_cost"),
        "500112015",
        300_000,
    )
    (handed,) = asked(need.events)
    assert (handed.rule, handed.to, handed.request_id) == ("R17", HOUSE, APPLICATION)
    assert (handed.subjects, handed.facts) == ((), {"consent_charity": True, "gap_fen": 300_000})


def test_charity_never_reads_who_anybody_is() -> None:
    assert PERSON not in READS
    need = bench("closed", GROWN_UP, BOY)
    told = "".join(event.model_dump_json() for event in need.events) + need.case.model_dump_json()
    assert str(ADULT) not in told
    assert str(CHILD) not in told


@pytest.mark.parametrize(
    ("subjects", "by", "says"),
    [
        ((GROWN_UP,), "person", R17),
        ((GROWN_UP,), "guardian", R17),
        ((BOY,), "person", "need.guardian_consents"),
        ((BOY,), "guardian", R17),
        ((BOY, GROWN_UP), "person", R17),
        ((HARMED,), "guardian", "need.guardian_suspected"),
        ((HARMED, GROWN_UP), "guardian", "need.guardian_suspected"),
        ((HARMED, GROWN_UP), "person", R17),
        ((HARMED,), "temporary_guardian", R17),
    ],
)
def test_whose_consent_counts(subjects: tuple[Subject, ...], by: Any, says: str) -> None:
    need = bench("drafted", *subjects)
    assert need.says(Consent(target=need.id, by=by, signed_on=SIGNED)) == says
    assert bool(asked(need.events)) == (says == R17)


def test_a_suspicion_once_known_stays() -> None:
    need = bench("drafted", HARMED)
    need.give(drafting(BOY, supplement=True, recorded_at=NOW + timedelta(hours=1)))
    assert need.says(Consent(target=need.id, by="guardian", signed_on=SIGNED)) == "need.guardian_suspected"


def test_a_consent_of_tomorrow_is_none() -> None:
    need = bench("drafted")
    tomorrow = NOW.date() + timedelta(days=1)
    assert need.says(Consent(target=need.id, by="person", signed_on=tomorrow)) == "need.consent_later"


def test_a_gap_is_more_than_nothing() -> None:
    need = bench("drafted")
    assert need.says(Consent(target=need.id, by="person", signed_on=SIGNED, gap_fen=0)) == "need.no_gap"


def test_everybody_speaks_for_their_own_house() -> None:
    need = bench("published")
    assert need.says(command_named(need, "match elsewhere"), actor=GIVER) == "need.other_provider"
    assert need.says(Match(target=need.id, provider=None), actor=WORKER) == "need.provider"
    assert need.says(command_named(need, "match"), actor=GIVER) == "need.matched"
    stranger = Actor(person="other", role="social-worker", department=OTHER_HOUSE)
    theirs = Deliver(target=need.id, provider=OTHER_HOUSE, given="goods", amount_fen=0)
    assert need.says(theirs, actor=stranger) == "need.taken_by_another"
    back = Decline(target=need.id, provider=OTHER_HOUSE, reason="no_funds")
    assert need.says(back, actor=stranger) == "need.taken_by_another"


def test_aid_may_come_in_parts_and_adds_up() -> None:
    need = bench("delivered")
    need.give(Deliver(target=need.id, provider=HOUSE, given="goods", amount_fen=50_000))
    assert (need.case.given, need.case.delivered_fen) == (("cash", "goods"), 250_000)
    less = Deliver(target=need.id, provider=HOUSE, given="cash", amount_fen=-1)
    assert need.says(less) == "need.amount"


def test_what_one_provider_gives_back_another_takes() -> None:
    need = bench("declined")
    assert need.case.provider is None
    assert need.says(command_named(need, "match elsewhere")) == "need.matched"


@pytest.mark.parametrize(
    ("state", "command", "field", "codes"),
    [
        ("matched", "deliver", "given", GIVEN),
        ("matched", "decline", "reason", DECLINING),
        ("delivered", "close", "reason", CLOSING),
    ],
)
def test_only_codes_of_the_lists_are_taken(
    state: str, command: str, field: str, codes: frozenset[str]
) -> None:
    for code in (*sorted(codes), "prose of any kind"):
        need = bench(state)
        says = need.says(command_named(need, command).model_copy(update={field: code}))
        assert (says == "case.not_coded") == (code not in codes), code


def test_a_withdrawal_before_the_draft_closes_it_at_once() -> None:
    need = bench()
    need.give(command_named(need, "withdraw"), command_named(need, "draft"))
    assert (need.case.state, need.case.reason) == ("closed", "withdrawn")


def test_no_need_without_a_plan_that_names_charity() -> None:
    assert react(envelope(application("assistance"))) == ()


def test_what_becomes_of_the_referral_is_noted() -> None:
    need = bench("published")
    need.give(*react(envelope(referral(asked_by=need.id, to=HOUSE, rule="R17", urgency="ordinary"))))
    answered = referral(ReferralAnswered, asked_by=need.id, to=HOUSE, rule="R17", urgency="ordinary")
    need.give(*react(envelope(answered)))
    assert [part.state for part in need.case.referrals.values()] == ["answered"]


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = bench()

    @rule(name=st.sampled_from(sorted(TABLE)))
    def anything(self, name: str) -> None:
        self.bench.give(command_named(self.bench, name))

    @rule(subject=st.sampled_from([GROWN_UP, BOY, HARMED]), hours=st.integers(0, 3))
    def supplemented(self, subject: Subject, hours: int) -> None:
        self.bench.give(drafting(subject, supplement=True, recorded_at=NOW + timedelta(hours=hours)))

    @rule(by=st.sampled_from(["person", "guardian", "temporary_guardian"]), days=st.integers(-2, 1))
    def signed(self, by: Any, days: int) -> None:
        before = self.bench.case
        signed_on = NOW.date() + timedelta(days=days)
        if self.bench.says(Consent(target=self.bench.id, by=by, signed_on=signed_on)) == R17:
            assert before.state == "drafted"
            assert signed_on <= NOW.date()
            assert not (before.suspected and by == "guardian")
            assert not (before.minor and by == "person")

    @rule(house=st.sampled_from([HOUSE, OTHER_HOUSE]))
    def delivered(self, house: str) -> None:
        before = self.bench.case
        command = Deliver(target=self.bench.id, provider=house, given="service", amount_fen=1)
        if self.bench.says(command) == "need.delivered":
            assert before.provider == house

    @rule(reason=st.sampled_from(sorted(ANY_TIME)))
    def ends_at_any_time(self, reason: str) -> None:
        before = self.bench.case.state
        says = self.bench.says(Close(target=self.bench.id, reason=reason))
        assert says == {None: UNKNOWN, "closed": "nothing"}.get(before, "need.closed")

    @invariant()
    def nothing_goes_out_before_a_consent(self) -> None:
        kinds = [event.type for event in self.bench.events if event.topic() is not None]
        early = kinds[: kinds.index("need.published")] if "need.published" in kinds else kinds
        assert set(early) <= {"need.drafted", "case.urgency_raised", "need.closed", "case.reopened"}
        consents = [event for event in self.bench.events if event.type == "need.consent_given"]
        assert len(asked(self.bench.events)) == len(consents) == kinds.count("need.published")

    @invariant()
    def drafted_once_and_published_once_for_each_consent(self) -> None:
        counted = Counter(type(event) for event in self.bench.events)
        assert counted[NeedDrafted] <= 1
        assert counted[NeedPublished] <= 1 + counted[CaseReopened]

    @invariant()
    def what_was_given_adds_up(self) -> None:
        given = [event.amount_fen for event in self.bench.events if isinstance(event, NeedDelivered)]
        assert self.bench.case.delivered_fen == sum(given)

    @invariant()
    def what_it_asks_for_may_be_asked_for(self) -> None:
        for event in asked(self.bench.events):
            assert check("charity", event.rule, event.to, event.urgency, event.facts) is None

    @invariant()
    def folds_from_its_archive(self) -> None:
        assert self.bench.folded() == self.bench.case


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestAnyOrder = AnyOrder.TestCase
