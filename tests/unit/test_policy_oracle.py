"""The rules against an independent oracle, and the reasons against the rules, over invented households.

`make district` runs the year in its full size.
"""

import os
import re
from datetime import date
from random import Random
from typing import Any

import pytest

from onedoor.policy import Decision, Parameters, decide, packaged_parameters, parse_household
from onedoor.policy.answers import answers
from onedoor.policy.deciding import counted_members
from tests.district import District, household
from tests.entitlements import Oracle, table_of

DAYS = [date(2021, 10, 15), date(2022, 9, 30), date(2025, 3, 10), date(2026, 3, 10), date(2026, 12, 31)]
SIZE = int(os.environ.get("ONEDOOR_DISTRICT", "150"))


def given(raw: dict[str, Any], table: Parameters) -> dict[Any, Any]:
    decisions = decide(parse_household(raw), table).decisions
    return {(one.programme, one.member): (one.outcome, one.amount_fen) for one in decisions}


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_single_decisions_are_the_oracles(day: date) -> None:
    rng, table = Random(f"single {day}"), packaged_parameters()
    ours = table_of(table.rows)
    for _ in range(40):
        raw = household(rng, day)
        assert given(raw, table) == Oracle(raw, ours).answers(), raw


def test_the_year_of_a_district_is_the_oracles() -> None:
    """Births, deaths, moves, new incomes, and a standard that rises in September."""
    raised = packaged_parameters().changed("dibao_standard.urban", date(2026, 9, 1), 801.5)
    table = raised.changed("dibao_standard.rural", date(2026, 9, 1), 655)
    ours, district, seen = table_of(table.rows), District(2026, SIZE, date(2026, 1, 15)), set()
    for month in range(1, 13):
        if month > 1:
            district.live_on(date(2026, month, 15))
        households = [parse_household(raw) for raw in district.households]
        for raw, found in zip(district.households, answers(households, table), strict=True):
            assert found == Oracle(raw, ours).answers(), raw
            seen |= {(programme, outcome) for (programme, _), (outcome, _) in found.items()}
    assert {("dibao", "taper"), ("rigid_expenditure", "eligible"), ("tekun", "eligible")} <= seen
    assert {
        ("unattended_child", "needs_check"),
        ("orphan", "eligible"),
        ("single_person", "eligible"),
    } <= seen


def decisions_of(day: date, number: int) -> list[Decision]:
    rng = Random(f"reasons {day}")
    return [
        decision for _ in range(number) for decision in decide(parse_household(household(rng, day))).decisions
    ]


CHINESE = re.compile("[\u4e00-\u9fff。；]")
CONDITION_NOTES = {"income", "amount", "amount_entered_by_officer", "assumed_figures"}


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_reasons_give_the_outcome(day: date) -> None:
    """No condition is left out and none is superfluous: not met, refused; open, open; all met, granted."""
    for decision in decisions_of(day, 25):
        met = [reason.met for reason in decision.reasons if reason.code not in CONDITION_NOTES]
        said = "not_eligible" if False in met else "needs_check" if None in met else "granted"
        granted = decision.outcome in {"eligible", "taper"}
        assert said == ("granted" if granted else decision.outcome), decision


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_reason_speaks_both_languages_and_says_what_would_change_it(day: date) -> None:
    for decision in decisions_of(day, 25):
        for reason in decision.reasons:
            assert reason.clause
            assert reason.text.endswith("。")
            assert not CHINESE.search(reason.text_en)
            assert reason.text_en.endswith(".")
            open_or_not = reason.met is not True and reason.code not in CONDITION_NOTES
            assert (reason.change is not None) == (reason.change_en is not None) == open_or_not


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_a_refusal_says_how_to_appeal_and_nothing_else_does(day: date) -> None:
    for decision in decisions_of(day, 25):
        assert (decision.appeal is not None) == (decision.outcome == "not_eligible")
        if decision.appeal is not None:
            assert decision.appeal.days == 60
            assert "复议" in decision.appeal.text


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_assumed_figure_is_named_in_words(day: date) -> None:
    for decision in decisions_of(day, 25):
        named = {
            threshold.parameter
            for reason in decision.reasons
            if reason.code == "assumed_figures"
            for threshold in reason.thresholds
        }
        assert named == set(decision.assumed_parameters)
        text = "".join(reason.text for reason in decision.reasons)
        assert all(packaged_parameters()[name].title_zh in text for name in named)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_an_amount_is_explained_or_left_to_the_officer(day: date) -> None:
    for decision in decisions_of(day, 25):
        codes = [reason.code for reason in decision.reasons]
        granted = decision.outcome in {"eligible", "taper"}
        assert ("amount" in codes) == (decision.amount_fen is not None)
        assert ("amount_entered_by_officer" in codes) == (granted and decision.amount_fen is None)


def test_answers_for_many_are_those_for_each() -> None:
    rng, day = Random("many"), date(2026, 3, 10)
    households = [parse_household(household(rng, day)) for _ in range(60)]
    single = [
        {(one.programme, one.member): (one.outcome, one.amount_fen) for one in decide(each).decisions}
        for each in households
    ]
    assert answers(households) == single


def test_answers_need_one_day() -> None:
    rng = Random("days")
    households = [parse_household(household(rng, day)) for day in DAYS[:2]]
    with pytest.raises(ValueError, match="different days"):
        answers(households)
    assert answers([]) == []


def test_the_counted_members_are_the_oracles() -> None:
    rng, table = Random("counted"), table_of(packaged_parameters().rows)
    for _ in range(40):
        raw = household(rng, date(2026, 3, 10))
        expected = tuple(member["id"] for member in Oracle(raw, table).counted)
        assert counted_members(parse_household(raw)) == expected
