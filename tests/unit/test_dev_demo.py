"""What the demo decides by itself: which referral is left alone, and what departments do with the rest."""

from typing import Any

from onedoor.dev.demo import (
    ANSWER,
    EN,
    ZH,
    Told,
    answers,
    case_line,
    complete,
    forgotten,
    left_in,
    reached,
    referral_line,
)


def referral(id_: str, urgency: str = "ordinary", state: str = "sent", **more: Any) -> dict[str, Any]:
    return {
        "referral_id": id_,
        "rule": "R9",
        "from": "township",
        "to": "health",
        "urgency": urgency,
        "state": state,
        "due_action": None,
        "due_finish": "2026-03-04T16:00:00Z",
        "overdue": False,
    } | more


def told(*referrals: dict[str, Any]) -> Told:
    return Told("sample", {"chain_id": "c", "receipt": "r", "cases": [], "referrals": list(referrals)})


def verbs(referrals: list[dict[str, Any]], left: dict[str, Any], whole: bool) -> dict[str, list[str]]:
    return {each["referral_id"]: [verb for verb, _ in done] for each, done in answers(referrals, left, whole)}


def test_an_emergency_is_never_the_one_that_is_forgotten() -> None:
    first, second = told(referral("a", "critical")), told(referral("b", state="answered"), referral("c"))
    left = forgotten([first, second])
    assert left is not None
    assert left["referral_id"] == "c"
    assert left_in([first, second], left) is second
    assert forgotten([first]) is None


def test_departments_answer_all_emergencies_and_some_of_the_rest() -> None:
    left = referral("left")
    referrals = [
        referral("emergency", "critical", due_action="2026-03-03T16:00:00Z"),
        referral("odd"),
        referral("even"),
        referral("draft", state="drafted"),
        left,
    ]
    assert verbs(referrals, left, whole=False) == {
        "emergency": ["acknowledge", "act", "answer"],
        "odd": ["acknowledge", "answer"],
        "even": ["acknowledge"],
    }
    assert verbs(referrals, left, whole=True)["even"] == ["acknowledge", ANSWER[0]]


def test_a_chain_is_complete_with_a_case_of_each_service_and_every_referral() -> None:
    plan = {"services": [{"name": "assistance"}], "referrals": [{}]}
    chain: dict[str, Any] = {"cases": [], "referrals": [{}]}
    assert not complete(chain, plan)
    assert complete(chain | {"cases": [{"service": "assistance"}]}, plan)


def test_a_state_that_was_passed_is_reached() -> None:
    chain = {"referrals": [referral("a", state="acted")]}
    assert reached("a", "acknowledged", chain)
    assert not reached("a", "answered", chain)
    assert reached("a", "answered", {"referrals": [referral("a", state="returned")]})


def test_lines_are_said_in_both_languages() -> None:
    one = referral("a", "critical", overdue=True)
    assert referral_line(one, EN).startswith("R9 ")
    assert "24:00" in referral_line(one, ZH)
    assert referral_line(one, ZH) != referral_line(one, EN)
    case = {"service": "assistance", "state": "opened", "urgency": "ordinary"}
    assert case_line(case, ZH) != case_line(case, EN)
