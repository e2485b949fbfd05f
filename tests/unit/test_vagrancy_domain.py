"""Vagrancy: every state with every command, the way home, and that nobody is kept and no minor admitted."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from onedoor.calendar import local
from onedoor.contracts.core import Command, Event, derived_id
from onedoor.contracts.events.case import CaseReopened, ReferralRequested
from onedoor.contracts.events.intake import Subject
from onedoor.contracts.events.notify import ReferralAnswered
from onedoor.contracts.events.stay import StayAdmitted, StayLeft, StayOpened
from onedoor.contracts.referral_rules import check
from onedoor.contracts.work import RequestReferral
from onedoor.vagrancy.domain import (
    CARE,
    DECIDER,
    ELSEWHERE_FIRST,
    ENDED,
    HERE,
    HOW,
    LEAVING,
    MEANS,
    Admit,
    GiveCare,
    Identify,
    Leave,
    OpenStay,
    Return,
    Stay,
)
from onedoor.vagrancy.stream import react
from tests.casework import ADULT, APPLICATION, CHILD, NOW, Bench, application, envelope, referral, withdrawal

STATES = ("none", "opened", "admitted", "in_care", "identified", "returned", "left")
HOME, FAR = "500112017", "510104001"
MAN = Subject(person_id=ADULT, age=40, facts={"at_station": True})
NOBODY_KNOWS = Subject(
    person_id=ADULT, facts={"at_station": True, "unidentified": True, "cannot_speak": True}
)
GIRL = Subject(person_id=CHILD, age=15, facts={"at_station": True})


def opening(*subjects: Subject, **more: Any) -> OpenStay:
    command = react(envelope(application("vagrancy", "urgent", subjects=subjects or (MAN,), **more)))[0]
    assert isinstance(command, OpenStay)
    return command


def bench(state: str = "none", *subjects: Subject) -> Bench[Stay]:
    stay = Bench(DECIDER, "vagrancy")
    path = {"none": (), "opened": ("open",), "admitted": ("open", "admit")}
    path["in_care"] = (*path["admitted"], "care")
    path["identified"] = (*path["in_care"], "identify")
    path["returned"] = (*path["identified"], "return")
    path["left"] = ("open", "leave")
    for name in path[state]:
        stay.give(opening(*subjects) if name == "open" else command_named(stay, name))
    assert stay.case.state == (None if state == "none" else state)
    return stay


def command_named(stay: Bench[Stay], name: str) -> Command:
    commands: dict[str, Callable[[], Command]] = {
        "open": opening,
        "raise": lambda: opening().model_copy(update={"urgency": "critical"}),
        "admit": lambda: Admit(target=stay.id, screening="fit"),
        "admit a minor": lambda: Admit(target=stay.id, screening="fit", age=17),
        "admit unidentified": lambda: Admit(target=stay.id, screening="fit", unidentified=True),
        "care": lambda: GiveCare(target=stay.id, care=("food", "lodging")),
        "identify": lambda: Identify(target=stay.id, how="document"),
        "return": lambda: Return(target=stay.id, to_division=HOME, means="ticket"),
        "leave": lambda: Leave(target=stay.id, reason="own_wish"),
        "withdraw": lambda: react(envelope(withdrawal()))[0],
        "refer": lambda: RequestReferral(
            target=stay.id, request_id=derived_id("wish"), rule="R9", to="health", urgency="critical"
        ),
    }
    return commands[name]()


UNKNOWN, STATE, ENDS = "stay.unknown", "stay.state", "stay.ended"
MINOR, REFERRED = "stay.to_child_welfare", "referral.requested"
TABLE = {
    "open": ("stay.supplemented", *["nothing"] * 6),
    "raise": ("stay.supplemented", *["case.urgency_raised"] * 4, ENDS, ENDS),
    "admit": (UNKNOWN, "stay.admitted", *["nothing"] * 3, ENDS, ENDS),
    "admit a minor": (UNKNOWN, MINOR, *["nothing"] * 3, ENDS, ENDS),
    "admit unidentified": (UNKNOWN, REFERRED, *["nothing"] * 3, ENDS, ENDS),
    "care": (UNKNOWN, STATE, *["stay.care_given"] * 3, ENDS, ENDS),
    "identify": (UNKNOWN, STATE, *["stay.identified"] * 2, "nothing", "nothing", ENDS),
    "return": (UNKNOWN, STATE, *[REFERRED] * 3, "nothing", ENDS),
    "leave": (UNKNOWN, *["stay.left"] * 4, ENDS, "nothing"),
    "withdraw": ("case.withdrawal_marked", "stay.left", *["nothing"] * 5),
    "refer": (UNKNOWN, *[REFERRED] * 4, ENDS, ENDS),
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("state", STATES)
def test_every_state_answers_every_command(state: str, name: str) -> None:
    stay = bench(state)
    assert stay.says(command_named(stay, name)) == TABLE[name][STATES.index(state)]


def asked(events: list[Event], rule: str) -> list[ReferralRequested]:
    return [event for event in events if isinstance(event, ReferralRequested) and event.rule == rule]


def test_an_unidentified_man_is_admitted_searched_for_and_brought_home() -> None:
    stay = bench("opened", NOBODY_KNOWS)
    stay.give(command_named(stay, "admit"))
    admitted = [event for event in stay.events if isinstance(event, StayAdmitted)]
    assert [(event.unidentified, event.admitted_at) for event in admitted] == [(True, NOW)]
    (police,) = asked(stay.events, "R6")
    assert (police.to, police.request_id, police.facts) == (
        "public-security",
        APPLICATION,
        {"cannot_speak": True, "unidentified": True, "admitted_on": local(NOW).date().isoformat()},
    ), "the application is its origin, as it is of the plan's own R6, so that notify sends one"

    assert stay.says(command_named(stay, "care")) == "stay.care_given"
    assert stay.says(command_named(stay, "return")) == "stay.unidentified"
    assert stay.says(Identify(target=stay.id, how="police_face")) == "stay.identified"
    assert stay.says(command_named(stay, "return")) == REFERRED
    (home,) = asked(stay.events, "R8")
    assert (home.to, home.to_division, home.subjects) == ("township", HOME, (ADULT,))
    assert stay.case.state == "returned"


@pytest.mark.parametrize(
    ("facts", "impaired"),
    [
        ({}, False),
        ({"mental_crisis": True}, True),
        ({"disability": {"type": "visual", "level": 1}}, False),
        ({"disability": {"type": "intellectual", "level": 3}}, True),
    ],
)
def test_signs_of_an_impairment_are_told_with_the_admission(facts: dict[str, Any], impaired: bool) -> None:
    stay = bench("admitted", MAN.model_copy(update={"facts": facts}))
    (admitted,) = (event for event in stay.events if isinstance(event, StayAdmitted))
    assert admitted.impaired is impaired


@pytest.mark.parametrize(("division", "to"), [(HOME, "township"), (FAR, "other-district")])
def test_home_hears_of_the_return(division: str, to: str) -> None:
    told = {"disability": {"type": "visual", "level": 2}, "mental_crisis": True, "violence": True}
    stay = bench("in_care", MAN.model_copy(update={"facts": told}))
    assert stay.says(Return(target=stay.id, to_division=division, means="escorted")) == REFERRED
    (home,) = asked(stay.events, "R8")
    known = {"age": 40, "disability_type": "visual", "disability_level": 2, "mental_crisis": True}
    assert (home.to, home.facts) == (to, known)


def test_a_return_names_who_receives() -> None:
    stay = bench("in_care")
    assert stay.says(Return(target=stay.id, to_division=None, means="ticket")) == "stay.no_receiver"


def test_a_minor_taken_for_an_adult_is_handed_to_the_protection_centre() -> None:
    stay = bench("opened")
    assert stay.says(command_named(stay, "admit a minor")) == MINOR
    assert stay.says(Leave(target=stay.id, reason="to_child_welfare")) == REFERRED
    (handed,) = asked(stay.events, "R5")
    assert (handed.to, handed.urgency, handed.classification()) == (
        "minor-protection-centre",
        "critical",
        "child",
    )


def test_where_there_are_only_minors_nobody_is_admitted() -> None:
    stay = bench("opened", GIRL)
    assert stay.case.subjects == ()
    assert stay.says(command_named(stay, "admit")) == MINOR
    assert stay.says(Admit(target=stay.id, screening="fit", age=19)) == "stay.admitted", (
        "reception has seen it"
    )


def test_a_mother_is_admitted_and_her_child_is_none_of_the_stay() -> None:
    stay = bench("opened", MAN, GIRL)
    assert stay.says(command_named(stay, "admit")) == "stay.admitted"
    assert stay.case.subjects == (ADULT,)
    assert {event.classification() for event in stay.events} == {"internal"}


@pytest.mark.parametrize(("screening", "first"), sorted(ELSEWHERE_FIRST.items()))
def test_who_is_ill_or_dangerous_goes_elsewhere_first(screening: Any, first: str) -> None:
    stay = bench("opened")
    assert stay.says(Admit(target=stay.id, screening=screening)) == f"stay.{first}_first"
    assert stay.says(command_named(stay, "admit")) == "stay.admitted"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_was_recorded_later_counts_in_either_order(order: tuple[int, int]) -> None:
    first = opening(NOBODY_KNOWS)
    later = opening(MAN, supplement=True, recorded_at=NOW + timedelta(hours=1), place_division=HOME)
    stay = bench()
    stay.give(*[(first, later)[each] for each in order])
    assert (stay.case.unidentified, stay.case.facts, stay.case.division) == (False, {"age": 40}, HOME)
    assert sum(isinstance(event, StayOpened) for event in stay.events) == 1


def test_what_reception_found_stands_against_a_later_supplement() -> None:
    stay = bench("opened")
    stay.give(command_named(stay, "admit unidentified"))
    stay.give(opening(MAN, supplement=True, recorded_at=NOW + timedelta(hours=1)))
    assert stay.case.unidentified


def test_a_withdrawal_before_the_opening_ends_it_as_it_opens() -> None:
    stay = bench()
    stay.give(command_named(stay, "withdraw"), command_named(stay, "open"))
    assert (stay.case.state, stay.case.reason) == ("left", "withdrawn")


def test_no_stay_without_a_plan_that_names_vagrancy() -> None:
    assert react(envelope(application("assistance", subjects=(MAN,)))) == ()


def test_what_reaches_the_station_is_noted() -> None:
    stay = bench("opened")
    stay.give(*react(envelope(referral(to="relief-station"))))
    assert [part.open for part in stay.case.referrals.values()] == [True]
    stay.give(*react(envelope(referral(ReferralAnswered, to="relief-station"))))
    assert [part.open for part in stay.case.referrals.values()] == [False]
    assert react(envelope(referral(to="education"))) == ()


@pytest.mark.parametrize(
    ("command", "codes"), [("care", CARE), ("identify", HOW), ("return", MEANS), ("leave", LEAVING)]
)
def test_only_codes_of_the_lists_are_taken(command: str, codes: frozenset[str]) -> None:
    field = {"care": "care", "identify": "how", "return": "means", "leave": "reason"}[command]
    for code in (*sorted(codes), "prose of any kind"):
        stay = bench("in_care")
        given = (code,) if command == "care" else code
        says = stay.says(command_named(stay, command).model_copy(update={field: given}))
        assert (says == "case.not_coded") == (code not in codes), code


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = bench()

    @rule(name=st.sampled_from(sorted(TABLE)))
    def anything(self, name: str) -> None:
        self.bench.give(command_named(self.bench, name))

    @rule(subject=st.sampled_from([MAN, NOBODY_KNOWS, GIRL]), hours=st.integers(0, 3))
    def supplemented(self, subject: Subject, hours: int) -> None:
        self.bench.give(opening(subject, supplement=True, recorded_at=NOW + timedelta(hours=hours)))

    @rule()
    def admitted(self) -> None:
        before = self.bench.case
        says = self.bench.says(command_named(self.bench, "admit"))
        if says not in ("nothing", MINOR, UNKNOWN, ENDS):
            assert before.state == "opened"
            assert not before.only_minors

    @rule(reason=st.sampled_from(sorted(LEAVING)))
    def leaves(self, reason: str) -> None:
        before = self.bench.case.state
        says = self.bench.says(Leave(target=self.bench.id, reason=reason))
        if before in {*HERE, "opened"}:
            assert says in ("stay.left", REFERRED), "nobody is kept"

    @rule()
    def returns(self) -> None:
        before = self.bench.case
        says = self.bench.says(command_named(self.bench, "return"))
        if says == REFERRED:
            assert before.state in HERE
            assert not before.unidentified

    def seen(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.bench.events)

    @invariant()
    def opened_once_then_admitted_and_ended_once_each_time_it_goes_on(self) -> None:
        times = 1 + self.seen(CaseReopened)
        assert self.seen(StayOpened) <= 1
        assert self.seen(StayAdmitted) <= times
        assert self.seen(StayLeft) <= times

    @invariant()
    def what_it_asks_for_may_be_asked_for(self) -> None:
        for event in self.bench.events:
            if isinstance(event, ReferralRequested):
                assert check("vagrancy", event.rule, event.to, event.urgency, event.facts) is None

    @invariant()
    def folds_from_its_archive(self) -> None:
        assert self.bench.folded() == self.bench.case

    @invariant()
    def the_end_is_the_end(self) -> None:
        if self.bench.case.state in ENDED:
            assert self.bench.says(command_named(self.bench, "admit")) == ENDS


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestAnyOrder = AnyOrder.TestCase
