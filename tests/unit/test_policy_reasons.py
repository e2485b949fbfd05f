"""What a resident and a clerk read: value, figure with day and source, met or not, what would change it."""

import re
from typing import Any

import pytest

from onedoor.policy import Decision, Reason, decide, parse_household

Raw = dict[str, Any]


def household(wages: float = 900, **changes: Any) -> Raw:
    return {
        "as_of": "2026-03-10",
        "region": "urban",
        "registered_division": "500112016",
        "members": [
            {
                "id": "m1",
                "relation": "head",
                "birth": "1980-05-06",
                "incomes": [{"kind": "wages", "amount": wages, "per": "month"}],
            },
            {"id": "m2", "relation": "spouse", "birth": "1982-08-09"},
            {"id": "m3", "relation": "child", "birth": "2014-03-12"},
        ],
        **changes,
    }


def decision(programme: Any, raw: Raw, member: str | None = None) -> Decision:
    return decide(parse_household(raw)).of(programme, member)


def reason(code: str, found: Decision) -> Reason:
    return next(one for one in found.reasons if one.code == code)


def test_a_condition_states_value_figure_day_source_and_certainty() -> None:
    said = reason("income_below_standard", decision("dibao", household()))
    assert said.text == (
        "家庭月收入900.00元，计入3人，月人均收入300.00元；"
        "城镇低保标准每人每月770元（2026-01-01起，渝民规〔2025〕6号，推定，待核实）：符合。"
    )
    assert said.text_en == (
        "Household income 900.00 yuan a month, 3 counted, 300.00 yuan per head; "
        "minimum-living standard, urban, 770 yuan a person a month "
        "(from 2026-01-01, Yumingui 2025 no. 6, assumed, to be confirmed): met."
    )
    threshold = said.thresholds[0]
    assert (threshold.parameter, threshold.value, threshold.source) == ("dibao_standard.urban", "770", "S25")
    assert (threshold.since.isoformat(), threshold.certainty) == ("2026-01-01", "assumed")
    assert said.change is None


def test_a_condition_that_is_not_met_says_by_how_much() -> None:
    refused = decision("dibao", household(2400.5))
    said = reason("income_below_standard", refused)
    assert said.met is False
    assert said.change == "家庭月收入须低于2310.00元，现超出90.50元"
    assert said.change_en is not None
    assert "it is 90.50 yuan above" in said.change_en
    assert refused.appeal is not None
    assert (refused.appeal.clause, refused.appeal.days) == ("FY art. 20", 60)


def test_an_amount_is_computed_before_the_eyes() -> None:
    said = reason("amount", decision("dibao", household()))
    assert said.text == "770.00元×3人－900.00元＝1410.00元（每月，四舍五入到分）。"
    assert said.clause == "57 art. 23"


def test_the_income_is_taken_apart() -> None:
    raw = household(rigid_deduction=50)
    raw["members"][1] |= {
        "incomes": [
            {"kind": "preferential_pension", "amount": 800, "per": "month"},
            {"kind": "farming", "amount": 1200, "per": "year"},
        ],
        "work_costs": 100,
    }
    raw["members"].append({"id": "m4", "relation": "sibling", "birth": "1985-01-01"})
    said = reason("income", decision("dibao", raw))
    assert said.text == (
        "计入家庭的成员及月收入：户主 900.00元、配偶 100.00元、子女 0.00元；不计入的成员：兄弟姐妹；"
        "不计入的收入：配偶 优待抚恤金800.00元；扣减必要就业成本100.00元、认可的刚性支出50.00元。"
    )
    assert reason("amount", decision("dibao", raw)).text.startswith("770.00元×3人－850.00元＝1460.00元")


def test_who_shares_a_relation_is_numbered_and_no_sentence_says_an_id() -> None:
    raw = household()
    raw["members"].insert(1, {"id": "m4", "relation": "child", "birth": "2010-01-01", "dependant": True})
    decisions = decide(parse_household(raw)).decisions
    said = reason("income", next(each for each in decisions if each.programme == "dibao"))
    assert "户主 900.00元、子女1 0.00元、配偶 0.00元、子女2 0.00元" in said.text
    assert "child 1 0.00 yuan, spouse 0.00 yuan, child 2 0.00 yuan" in said.text_en
    sentences = [
        text
        for each in decisions
        for one in each.reasons
        for text in (one.text, one.text_en, one.change, one.change_en)
        if text
    ]
    assert not [text for text in sentences if re.search(r"m\d", text)]


def test_a_third_of_a_fen_is_only_rounded_for_the_eye() -> None:
    assert "月人均收入约333.33元" in reason("income_below_standard", decision("dibao", household(1000))).text


def test_an_unknown_figure_is_said_and_none_invented() -> None:
    raw = household(members=[{"id": "m1", "relation": "child", "birth": "2012-06-01"}])
    raw["members"][0] |= {
        "placement": "scattered",
        "parents": [{"relation": who, "status": "dead"} for who in ("mother", "father")],
    }
    orphan = decision("orphan", raw, "m1")
    assert (orphan.outcome, orphan.amount_fen) == ("eligible", None)
    assert "当日没有已知的标准" in reason("amount_entered_by_officer", orphan).text
    early = decision("dibao", household(as_of="2016-09-30"))
    assert (early.outcome, early.amount_fen) == ("needs_check", None)
    assert reason("income_below_standard", early).change == "当日没有已知的数值，需先查明"


def test_twelve_months_that_nobody_filed_leave_their_conditions_open() -> None:
    rigid = decision("rigid_expenditure", household(4500))
    assert rigid.outcome == "not_eligible"
    met = {one.code: one.met for one in rigid.reasons}
    assert met["twelve_months_known"] is False
    assert met["income_below_average"] is met["rigid_costs_above_ratio"] is None
    assert reason("rigid_costs_above_ratio", rigid).change == "请补充近12个月收入和刚性支出凭证"


def test_a_taper_says_its_months_and_that_its_amount_is_entered() -> None:
    raw = household(
        2400,
        enrolments=[{"programme": "dibao", "since": "2025-03-01"}],
        income_change="employment",
        review_decided_on="2026-03-10",
    )
    taper = decision("dibao", raw)
    assert taper.outcome == "taper"
    assert "渐退期自2026-04至2026-09" in reason("taper_not_over", taper).text
    assert reason("amount_entered_by_officer", taper).met is None


def test_what_another_decision_assumed_is_assumed_here_too() -> None:
    raw = household(3000, expenditure_hardship=True)
    aid = decision("temporary_expenditure", raw)
    assert aid.outcome == "eligible"
    assert aid.assumed_parameters == ("dibao_standard.urban",)
    assert reason("edge_or_rigid_household", aid).thresholds[0].parameter == "dibao_standard.urban"


@pytest.mark.parametrize(
    ("programme", "assumed"),
    [
        ("dibao", ()),
        ("dibao_edge", ()),
        ("rigid_expenditure", ()),
        ("temporary_small", ()),
        ("temporary_expenditure", ()),
        ("charity_need", ()),
    ],
)
def test_what_was_settled_without_a_figure_names_none(programme: str, assumed: tuple[str, ...]) -> None:
    """Registered elsewhere: no standard entered the refusal, although its conditions show one."""
    refused = decision(programme, household(registered_division="511902000"))
    assert refused.outcome == "not_eligible"
    assert refused.assumed_parameters == assumed


def test_the_law_is_named_for_people_too() -> None:
    said = reason("income_below_edge", decision("dibao_edge", household(3000)))
    assert "《最低生活保障审核确认办法》（民发〔2021〕57号），已确认" in said.text
    assert [one.parameter for one in said.thresholds] == ["dibao_standard.urban", "edge_factor"]
