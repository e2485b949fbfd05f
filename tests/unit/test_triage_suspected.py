"""Nothing is handed to whom the report names as suspected, nor by them: it goes one level up."""

from typing import Any

import pytest

from onedoor.calendar import moment
from onedoor.contracts.core import Actor, Context, Refusal, derived_id
from onedoor.contracts.events.intake import SUSPICION, ApplicationReceived, UnitSuspected
from onedoor.intake import domain as intake
from onedoor.intake.domain.application import APPLICATION, Receive
from onedoor.triage import Application, ApplicationForm, evaluate, packaged_rules

HERE, THERE, DISTRICT = "500112015", "500112017", "500112"
CHILD = {"id": "p1", "age": 9, "facts": {"suspected_harm": True}}
AGED = {"id": "p1", "age": 80, "facts": {"unseen": True}}
BED = {"emergency": {"kind": "flood"}, "needs": ["lodging"]}


def receivers(suspected: dict[str, Any] | None, **told: Any) -> dict[str, tuple[str, str, str | None]]:
    """By rule and number: who sends, who gets it, of which division."""
    form = {
        "received_at": "2026-09-18T10:00",
        "channel": "window",
        "place": {"division": HERE},
        "registered_division": HERE,
        "suspected": suspected,
    }
    plan = evaluate(Application.model_validate(form | told))
    return {f"{each.rule}:{each.to}": (each.from_, each.to, each.to_division) for each in plan.referrals}


def test_nobody_is_suspected_by_default() -> None:
    found = receivers(None, subjects=[CHILD])
    assert found["R1:public-security"] == ("township", "public-security", HERE)


def test_a_suspected_police_station_gives_way_to_the_districts_police() -> None:
    found = receivers({"department": "public-security", "division": HERE}, subjects=[CHILD])
    assert found["R1:public-security"] == ("township", "public-security", DISTRICT)
    elsewhere = receivers({"department": "public-security", "division": THERE}, subjects=[CHILD])
    assert elsewhere["R1:public-security"] == ("township", "public-security", HERE)


def test_a_whole_department_gives_way_to_who_stands_over_it() -> None:
    found = receivers({"department": "public-security"}, subjects=[CHILD])
    assert not any(to == "public-security" for _, to, _ in found.values())
    assert "R1:procuratorate" in found
    assert "R1:minor-protection-centre" in found
    centre = receivers({"department": "minor-protection-centre"}, subjects=[CHILD])
    assert "R1:civil-affairs" in centre


def test_a_village_gives_way_to_its_township_and_a_township_to_the_bureau() -> None:
    village = receivers({"department": "village", "division": HERE}, subjects=[AGED])
    assert village["R23:township"] == ("township", "township", HERE)
    township = receivers({"department": "township", "division": HERE}, **BED)
    assert township["R24:civil-affairs"] == ("civil-affairs", "civil-affairs", DISTRICT)


@pytest.mark.parametrize("department", sorted(packaged_rules().departments))
@pytest.mark.parametrize("division", [None, HERE])
def test_whoever_is_named_gets_nothing_and_sends_nothing(department: str, division: str | None) -> None:
    everything = {
        "subjects": [CHILD, AGED | {"id": "p2"}, {"id": "p3", "age": 40, "facts": {"violence": True}}],
        "needs": ["lodging", "medical_cost", "education_cost", "job", "housing", "income"],
        "consent": {"financial_check": True},
        "emergency": {"kind": "flood"},
    }
    found = receivers({"department": department, "division": division}, **everything)
    assert len(found) >= 10
    for sender, to, where in found.values():
        assert sender != department or division is not None
        assert (to, where) != (department, HERE)
        assert to != department or (division is not None and where == DISTRICT)


def test_the_name_goes_to_notify_alone() -> None:
    """What others read says only that somebody is; a supplement that does not repeat it keeps it."""
    at = moment("2026-09-18T10:00")
    times: dict[str, Any] = {"received_at": at, "recorded_at": at, "late_entry": False, "believed": False}
    named = ApplicationForm.model_validate({"suspected": {"department": "village", "division": HERE}})
    known = intake.coded(named, [], **times)
    silent = intake.coded(ApplicationForm.model_validate({"needs": ["cash"]}), [], **times)
    assert intake.merged(known, silent).suspected == known.suspected
    plan = intake.evaluated(known, at, {})
    target, chain = derived_id("application"), derived_id("chain")
    receive = Receive(target=target, chain_id=chain, receipt="Q", known=known, plan=plan)
    context = Context(Actor(person="anyone", role="hotline"), at)
    told = APPLICATION.decide(APPLICATION.initial(), receive, context)
    assert not isinstance(told, Refusal)
    assert [(type(event), event.topic()) for event in told] == [
        (UnitSuspected, SUSPICION),
        (ApplicationReceived, "intake.application"),
    ]
    assert ["village" in event.model_dump_json() for event in told] == [True, False]
    assert told[1].model_dump()["guarded"] is True
    quiet = APPLICATION.decide(APPLICATION.initial(), receive.model_copy(update={"known": silent}), context)
    assert not isinstance(quiet, Refusal)
    assert [(event.type, event.model_dump()["guarded"]) for event in quiet] == [
        ("application.received", False)
    ]
