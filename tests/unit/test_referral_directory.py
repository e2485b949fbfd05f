"""The directory of referrals: every row is whole, and agrees with what triage plans."""

import re
from datetime import date

import pytest

from onedoor.contracts.referral_rules import (
    FACTS,
    PROTECTION,
    RULES,
    ReferralRule,
    check,
    check_feedback,
    directory,
    rule_on,
    travelling,
)
from onedoor.triage.duties import packaged_duties
from onedoor.triage.rules import packaged_rules

TODAY = date(2026, 9, 18)


def test_no_rule_that_was_ever_issued_is_gone() -> None:
    assert RULES.keys() >= {f"R{number}" for number in range(1, 25)}


@pytest.mark.parametrize("row", directory().referrals, ids=lambda row: f"{row.rule}-{row.valid_from}")
def test_a_row_is_whole(row: ReferralRule) -> None:
    departments = packaged_rules().departments
    assert row.to
    assert row.to <= departments
    assert set(row.from_) <= departments | {"any"}
    assert row.facts <= FACTS.keys()
    assert row.feedback, "something is expected back"
    assert any(each.required for each in row.feedback)
    assert all(each.codes for each in row.feedback if each.shape == "code")
    assert row.basis
    if row.ground == "statute":
        assert row.basis != "district", "a district rule is no statute"
    if row.to & directory().charities:
        assert row.consent is not None, "a charity gets nothing without a consent"
        assert row.consent.fact in row.facts
    if row.rule in ("R21",):
        assert not row.services
    else:
        assert row.services


def test_the_directory_and_triage_say_the_same() -> None:
    for planned in packaged_rules().referrals:
        row = RULES[planned.rule]
        assert set(planned.to) <= row.to
        assert planned.ground == row.ground
        if row.basis != "district":
            assert planned.source.split(" art.")[0] in row.basis
        if planned.drafted is not None:
            assert row.consent is not None
            assert planned.drafted == row.consent.drafted
    assert directory().bureau in packaged_rules().departments
    assert directory().inform_only | directory().charities <= packaged_rules().departments


def test_what_is_critical_is_protection() -> None:
    assert {planned.rule for planned in packaged_rules().referrals if planned.urgency == "critical"} <= set(
        PROTECTION
    )


def test_a_later_row_counts_from_its_day_and_the_first_one_before_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = RULES["R4"]
    later = first.model_copy(update={"valid_from": date(2027, 1, 1), "facts": frozenset({"age"})})
    rows = (*directory().referrals, later)
    changed = directory().model_copy(update={"referrals": rows})
    monkeypatch.setattr("onedoor.contracts.referral_rules.directory", lambda: changed)
    rule_on.cache_clear()
    facts = {"age": 9, "school": "dropped_out", "violence": True}
    assert travelling("R4", facts, TODAY) == {"age": 9, "school": "dropped_out"}
    assert travelling("R4", facts, date(2027, 1, 1)) == {"age": 9}
    assert travelling("R4", facts, date(1999, 1, 1)) == {"age": 9, "school": "dropped_out"}
    assert travelling("R99", facts, TODAY) == {}
    rule_on.cache_clear()


@pytest.mark.parametrize(
    ("rule", "outcome", "results", "field"),
    [
        ("R4", "helped", {"schooling": "returned"}, None),
        ("R4", "helped", {"schooling": "returned", "on": "2026-09-21"}, None),
        ("R4", "helped", {"schooling": "returned", "on": "soon"}, "results.on"),
        ("R4", "helped", {}, "results.schooling"),
        ("R4", "not_found", {}, None),
        ("R4", "not_found", {"schooling": 3}, "results.schooling"),
        ("R12", "helped", {"offers": 2, "refused": -1}, "results.refused"),
        ("R12", "partly_helped", {"offers": True, "refused": 0}, "results.offers"),
        ("R10", "helped", {"decision": "granted", "amount_fen": 12.5}, "results.amount_fen"),
        ("R17", "helped", {"accepted": "yes"}, "results.accepted"),
        ("MANUAL", "helped", {}, None),
        ("MANUAL", "helped", {"anything": 1}, "results.anything"),
    ],
)
def test_feedback_is_what_its_rule_expects(
    rule: str, outcome: str, results: dict[str, object], field: str | None
) -> None:
    refusal = check_feedback(rule, outcome, results, TODAY)
    assert (refusal and refusal.field) == field
    if refusal is not None:
        assert refusal.reason
        assert not re.search("[a-z] [a-z]", refusal.reason_zh), "no English words in the Chinese"


@pytest.mark.parametrize(
    ("facts", "code", "field"),
    [
        ({"tier": "none", "violence": True}, "referral.facts", "facts.violence"),
        ({"tier": "poor and old"}, "referral.fact", "facts.tier"),
        ({"tier": "none"}, None, None),
    ],
)
def test_what_may_not_travel_is_named(facts: dict[str, object], code: str | None, field: str | None) -> None:
    refusal = check("assistance", "R13", "housing", "ordinary", facts)
    assert (refusal and (refusal.code, refusal.field)) == (code and (code, field))


def test_the_statutory_limits_that_a_row_names_are_in_the_table_of_duties() -> None:
    known = {row.id for row in packaged_duties().rows}
    named = {duty for row in directory().referrals for duty in row.duties}
    assert {duty for duty in named if duty in known} >= {"L20", "L26", "L29", "L30", "L31", "L33", "L34"}
