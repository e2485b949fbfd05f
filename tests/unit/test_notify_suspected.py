"""Nothing reaches the unit that is named as suspected, whoever asks for it and whatever comes first."""

from datetime import timedelta
from itertools import permutations

import pytest

from onedoor.contracts.core import Event, derived_id
from onedoor.contracts.events.assistance import CaseAccepted, JurisdictionChanged
from onedoor.contracts.events.intake import SUSPICION, UnitSuspected
from onedoor.contracts.referral_rules import directory
from onedoor.notify.domain.clock import clock_id
from onedoor.notify.domain.ledger import referral_id
from onedoor.notify.domain.referral import FOLLOWS, Acknowledge, Referral, Return, Revoke, SendOn
from tests.notify import (
    ANYONE,
    APPLICATION,
    CHAIN,
    FRIDAY,
    Notify,
    application,
    of_plan,
    opened,
    planned,
    requested,
)

HERE, THERE, DISTRICT = "500112015", "500112017", "500112"
HOUR = timedelta(hours=1)
OPEN = FOLLOWS[Revoke]


def suspected(department: str, division: str | None = None) -> UnitSuspected:
    unit = {"department": department, "division": division}
    return UnitSuspected.model_validate({"application_id": APPLICATION, "chain_id": CHAIN} | unit)


def referrals(notify: Notify) -> list[Referral]:
    return [state for (kind, _), state in notify.states.items() if kind == "referral"]


def holders(notify: Notify) -> list[tuple[str, str, str | None]]:
    """Rule and unit of every referral that is open."""
    held = [state.wanted for state in referrals(notify) if state.state in OPEN and state.wanted]
    return sorted((each.rule, each.to, each.to_division) for each in held)


def arrived(*events: Event) -> Notify:
    notify = Notify()
    for event in events:
        notify.read(event, FRIDAY)
    return notify


CASES = {
    "a whole department": (
        suspected("verification-centre"),
        requested(FRIDAY, "R16", "verification-centre", facts={"written_authorisation": True}),
        ("R16", "civil-affairs", DISTRICT),
    ),
    "a unit": (
        suspected("disabled-federation", HERE),
        requested(FRIDAY, "R15", "disabled-federation", to_division=HERE),
        ("R15", "disabled-federation", DISTRICT),
    ),
    "another unit": (
        suspected("disabled-federation", THERE),
        requested(FRIDAY, "R15", "disabled-federation", to_division=HERE),
        ("R15", "disabled-federation", HERE),
    ),
    "a protection": (
        suspected("public-security"),
        requested(FRIDAY, "R18", "public-security", urgency="critical"),
        ("R18", "procuratorate", DISTRICT),
    ),
}


@pytest.mark.parametrize("order", list(permutations(("plan", "suspicion", "request"))), ids="-".join)
@pytest.mark.parametrize("case", list(CASES))
def test_what_a_case_asks_for_goes_one_level_up_in_any_order(case: str, order: tuple[str, ...]) -> None:
    suspicion, request, wanted = CASES[case]
    events = {"plan": application(guarded=True), "suspicion": suspicion, "request": request}
    notify = arrived(*(events[name] for name in order))
    assert holders(notify) == [wanted]
    met = (suspicion.department, suspicion.division)
    known = order.index("suspicion") < order.index("request") or order.index("plan") < order.index("request")
    if known:
        assert all(
            state.wanted and (state.wanted.to, state.wanted.to_division) != met for state in referrals(notify)
        )
    (open_,) = [state for state in referrals(notify) if state.state in OPEN]
    assert open_.sent_at == FRIDAY


@pytest.mark.parametrize("first", ["plan", "suspicion"])
def test_what_no_rule_names_does_not_go_to_the_suspected_township(first: str) -> None:
    plan, suspicion = application(manual=True, guarded=True), suspected("township", HERE)
    events = (plan, suspicion) if first == "plan" else (suspicion, plan)
    notify = arrived(*events)
    assert holders(notify) == [("MANUAL", "civil-affairs", DISTRICT)]
    assert len(referrals(notify)) == 1


def test_what_it_has_got_already_is_taken_from_it_and_counts_on() -> None:
    """Also a protection duty's, which nobody revokes: it is not ended, somebody else has it."""
    notify = arrived(application(planned("R1", "public-security", "critical", to_division=HERE)))
    notify.read(suspected("public-security", HERE), FRIDAY + HOUR)
    first = notify.referral(of_plan("R1", "public-security"))
    assert first.state == "revoked"
    assert holders(notify) == [("R1", "public-security", DISTRICT)]
    (id_,) = [state.referral_id for state in referrals(notify) if state.state == "sent"]
    assert id_ is not None
    assert notify.clock("finish", id_).started_at == FRIDAY
    assert notify.clock("finish", of_plan("R1", "public-security")).state == "cancelled"
    notify.read(suspected("public-security", HERE), FRIDAY + HOUR)
    assert len(referrals(notify)) == 2


@pytest.mark.parametrize("sent_on", [False, True])
def test_who_held_it_before_a_suspected_unit_is_relieved_by_who_has_it_after(sent_on: bool) -> None:
    notify = arrived(application(planned("R1", "public-security", "critical")))
    first, between = of_plan("R1", "public-security"), "minor-protection-centre"
    notify.give(Return(target=first, reason="not_our_matter"), FRIDAY, ANYONE)
    notify.give(SendOn(target=first, to=between), FRIDAY, ANYONE)
    if sent_on:
        second = referral_id(first, "R1", between)
        notify.give(Return(target=second, reason="not_our_matter"), FRIDAY, ANYONE)
        notify.give(SendOn(target=second, to="civil-affairs"), FRIDAY, ANYONE)
    notify.read(suspected(between), FRIDAY + HOUR)
    assert notify.referral(first).held
    (last,) = [state.referral_id for state in referrals(notify) if state.state == "sent"]
    assert last is not None
    notify.give(Acknowledge(target=last), FRIDAY + HOUR, ANYONE)
    assert notify.referral(first).released
    assert notify.clock("finish", first).state == "cancelled"


@pytest.mark.parametrize("order", list(permutations(("first", "suspicion", "again"))), ids="-".join)
def test_a_later_plan_and_the_diversion_ask_the_same_unit_once(order: tuple[str, ...]) -> None:
    asked = FRIDAY + HOUR
    events = {
        "first": application(planned("R10", "medical-insurance", asked_at=FRIDAY)),
        "suspicion": suspected("medical-insurance"),
        "again": application(
            planned("R10", "civil-affairs", to_division=DISTRICT, asked_at=asked),
            at=asked,
            supplement=True,
            guarded=True,
        ),
    }
    notify = arrived(*(events[name] for name in order))
    assert holders(notify) == [("R10", "civil-affairs", DISTRICT)]


def test_nobody_sends_it_on_to_them_and_the_bureau_does_not_decide_about_itself() -> None:
    notify = arrived(
        application(planned("R19", "public-security", to_division=HERE)), suspected("civil-affairs")
    )
    id_ = of_plan("R19", "public-security")
    notify.give(Return(target=id_, reason="not_our_matter"), FRIDAY, ANYONE)
    notify.give(SendOn(target=id_, to="civil-affairs"), FRIDAY, ANYONE)
    held = [each for each in holders(notify) if each[1] != "public-security"]
    assert held == [("R19", "procuratorate", DISTRICT)]
    assert directory().bureau == "civil-affairs"
    assert all(
        clock.owner != "civil-affairs" for (kind, _), clock in notify.states.items() if kind == "clock"
    )
    assert clock_id("finish", id_) in {key for kind, key in notify.states if kind == "clock"}


def test_only_notify_is_told_who_it_is() -> None:
    from onedoor.assistance.app import SERVICE as ASSISTANCE
    from onedoor.charity.app import SERVICE as CHARITY
    from onedoor.child_welfare.app import SERVICE as CHILD_WELFARE
    from onedoor.desk.app import SERVICE as DESK
    from onedoor.intake.app import SERVICE as INTAKE
    from onedoor.notify.app import SERVICE as NOTIFY
    from onedoor.vagrancy.app import SERVICE as VAGRANCY

    everyone = (ASSISTANCE, CHARITY, CHILD_WELFARE, DESK, INTAKE, NOTIFY, VAGRANCY)
    assert [service.name for service in everyone if SUSPICION in service.reads] == ["notify"]
    notify = arrived(application(guarded=True), suspected("village", HERE))
    assert [
        event for _, _, _, event in notify.log if event.topics and "village" in event.model_dump_json()
    ] == []


ACCEPTED = CaseAccepted.model_validate(
    {
        "service": "assistance",
        "case_id": derived_id("case", APPLICATION, "assistance"),
        "chain_id": CHAIN,
        "application_id": APPLICATION,
        "proceeding_id": derived_id("proceeding", "dibao"),
        "programme": "dibao",
        "state": "accepted",
        "at": FRIDAY,
    }
)
OPENED = opened().model_copy(update={"division": HERE})


def owners(notify: Notify) -> dict[str, tuple[str, str | None]]:
    """Whose the clocks of statutory duties are."""
    clocks = [state for (kind, _), state in notify.states.items() if kind == "clock" and state.state]
    return {clock.duty: (clock.owner, clock.owner_division) for clock in clocks if clock.duty[0] == "L"}


@pytest.mark.parametrize("order", list(permutations(("opened", "accepted", "suspicion"))), ids="-".join)
def test_the_clocks_of_a_case_are_not_the_suspected_townships(order: tuple[str, ...]) -> None:
    events = {"opened": OPENED, "accepted": ACCEPTED, "suspicion": suspected("township", HERE)}
    notify = arrived(*(events[name] for name in order))
    assert owners(notify) == {
        "L1": ("civil-affairs", DISTRICT),
        "L5": ("civil-affairs", HERE),
        "L5q": ("civil-affairs", HERE),
    }
    moved = JurisdictionChanged.model_validate(ACCEPTED.model_dump() | {"to_division": THERE})
    notify.read(moved, FRIDAY + HOUR)
    assert owners(notify)["L1"] == ("township", THERE)


@pytest.mark.parametrize("order", list(permutations(("plan", "suspicion"))), ids="-".join)
@pytest.mark.parametrize(
    ("unit", "owner"),
    [
        (("township", HERE), ("civil-affairs", DISTRICT)),
        (("township", THERE), ("township", HERE)),
        (("village", HERE), ("township", HERE)),
    ],
)
def test_the_duties_of_a_plan_are_not_the_suspected_townships(
    unit: tuple[str, str], owner: tuple[str, str], order: tuple[str, ...]
) -> None:
    duty = {"id": "L17", "due_on": FRIDAY.date(), "due_at": FRIDAY, "started_at": FRIDAY, "limit": "3cd!"}
    events = {"plan": application(duties=[duty], guarded=True), "suspicion": suspected(*unit)}
    notify = arrived(*(events[name] for name in order))
    assert owners(notify) == {"L17": owner}
    started = [event.owner for _, _, _, event in notify.log if event.type == "clock.started"]  # type: ignore[attr-defined]
    assert started == [owner[0] if order[0] == "suspicion" else "civil-affairs"]
