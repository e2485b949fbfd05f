"""Every threshold of the law plus and minus one fen, every first day plus and minus one day."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from onedoor.policy import Decision, Decisions, Parameters, decide, packaged_parameters, parse_household

Raw = dict[str, Any]


def household(*incomes: object, **changes: Any) -> Raw:
    """An urban family of three on 2026-03-10, when S is 770, with the head's monthly income in yuan."""
    head: Raw = {"id": "m1", "relation": "head", "birth": "1980-05-06"}
    head["incomes"] = [{"kind": "wages", "amount": str(income), "per": "month"} for income in incomes]
    return {
        "as_of": "2026-03-10",
        "region": "urban",
        "registered_division": "500112016",
        "members": [
            head,
            {"id": "m2", "relation": "spouse", "birth": "1982-08-09"},
            {"id": "m3", "relation": "child", "birth": "2014-03-12", "student": "compulsory"},
        ],
        **changes,
    }


def decided(raw: Raw, table: Parameters | None = None) -> Decisions:
    return decide(parse_household(raw), table)


def fen(amount: int) -> str:
    return str(Decimal(amount) / 100)


ON_DIBAO = {
    "enrolments": [{"programme": "dibao", "since": "2025-03-01"}],
    "income_change": "employment",
    "review_decided_on": "2026-03-10",
}


@pytest.mark.parametrize("region", ["urban", "rural"])
@pytest.mark.parametrize(
    ("multiple", "changes", "programme", "below", "at"),
    [
        ("1", {}, "dibao", "eligible", "not_eligible"),
        ("1", {}, "dibao_edge", "not_eligible", "eligible"),
        ("1.5", {}, "dibao_edge", "eligible", "not_eligible"),
        ("1", ON_DIBAO, "dibao", "eligible", "taper"),
        ("2", ON_DIBAO, "dibao", "taper", "not_eligible"),
    ],
)
def test_income_per_head(
    region: str, multiple: str, changes: Raw, programme: Any, below: str, at: str
) -> None:
    standard = packaged_parameters().on(f"dibao_standard.{region}", date(2026, 3, 10))
    assert standard is not None
    limit = int(Decimal(multiple) * int(standard.value or 0) * 3)

    def outcome(amount: int) -> str:
        return decided(household(fen(amount), region=region, **changes)).of(programme).outcome

    assert [outcome(limit - 1), outcome(limit), outcome(limit + 1)] == [below, at, at]


def test_one_fen_below_the_standard_is_one_fen_of_dibao() -> None:
    assert decided(household("2309.99")).of("dibao").amount_fen == 1


def tekun(decisions: Decisions) -> Decision:
    return decisions.of("tekun", "m1")


def elder(**changes: Any) -> Raw:
    head = {"id": "m1", "relation": "head", "birth": "1950-01-01", "supporters": [], **changes}
    return household(members=[head])


def income(kind: str, amount: str, per: str = "month") -> Raw:
    return {"incomes": [{"kind": kind, "amount": amount, "per": per}]}


@pytest.mark.parametrize(
    ("amount", "outcome"),
    [("769.99", "eligible"), ("770.00", "not_eligible"), ("770.01", "not_eligible")],
)
def test_own_income_in_special_hardship(amount: str, outcome: str) -> None:
    assert tekun(decided(elder(**income("rent", amount)))).outcome == outcome


@pytest.mark.parametrize(
    ("amount", "outcome"),
    [("769.99", "eligible"), ("770.00", "not_eligible"), ("770.01", "not_eligible")],
)
def test_own_income_of_a_single_person(amount: str, outcome: str) -> None:
    raw = household("2400")
    raw["members"][1] |= {"major_illness": True, **income("wages", amount)}
    decision = decided(raw).of("single_person", "m2")
    assert decision.outcome == outcome
    assert decision.amount_fen == (1 if outcome == "eligible" else None)


@pytest.mark.parametrize(
    ("amount", "outcome"),
    [("3399.99", "eligible"), ("3400.00", "not_eligible"), ("3400.01", "not_eligible")],
)
def test_a_weak_supporters_income(amount: str, outcome: str) -> None:
    son = {"relation": "son", "birth": "1950-01-01", "property": "low_income", "income": amount}
    assert tekun(decided(elder(birth="1930-01-01", supporters=[son]))).outcome == outcome


@pytest.mark.parametrize(
    ("costs", "outcome"),
    [("32399.99", "not_eligible"), ("32400.00", "not_eligible"), ("32400.01", "eligible")],
)
def test_rigid_costs(costs: str, outcome: str) -> None:
    raw = household("4500", income_12mo=54000, rigid_costs_12mo=costs)
    assert decided(raw).of("rigid_expenditure").outcome == outcome


@pytest.mark.parametrize(
    ("year", "outcome"),
    [("122399.99", "eligible"), ("122400.00", "not_eligible"), ("122400.01", "not_eligible")],
)
def test_average_income_of_rigid_expenditure(year: str, outcome: str) -> None:
    raw = household("4500", income_12mo=year, rigid_costs_12mo=100000)
    assert decided(raw).of("rigid_expenditure").outcome == outcome


@pytest.mark.parametrize(("received", "amount"), [("59999.99", 1), ("60000.00", None), ("60000.01", None)])
def test_charity(received: str, amount: int | None) -> None:
    raw = household(0, charity={"gap": 60000, "received": received, "consent": True})
    assert decided(raw).of("charity_need").amount_fen == amount


def test_a_top_up_never_falls_below_zero() -> None:
    parents = [{"relation": who, "status": "deported"} for who in ("mother", "father")]
    for paid, amount in (("1224.99", 1), ("1225.00", 0), ("1225.01", 0)):
        child = {"id": "m1", "relation": "child", "birth": "2012-06-01", "parents": parents}
        raw = household(as_of="2021-10-15", members=[{**child, "already_paid": {"dibao": paid}}])
        assert decided(raw).of("unattended_child", "m1").amount_fen == amount


def test_a_month_and_a_year_add_up_exactly_and_are_rounded_once() -> None:
    """A twelfth of 0.01 a year is not seen until the end: 0.06 a year is half a fen, rounded up."""

    def amount(per_year: str) -> int | None:
        raw = household()
        raw["members"][0]["incomes"] = [{"kind": "farming", "amount": per_year, "per": "year"}]
        return decided(raw).of("dibao").amount_fen

    assert [amount(year) for year in ("0", "0.05", "0.06", "0.07")] == [231000, 231000, 231000, 230999]


@pytest.mark.parametrize("wages", ["10000000", "10000000.01", "17895697.06", "21474836.48", "99999999.99"])
def test_great_sums_stay_exact(wages: str) -> None:
    """Ten million yuan, and sums around 2 to the 31st fen a month and a year."""
    raw = household(wages, wages, wages)
    decisions = decided(raw)
    assert decisions.of("dibao").outcome == "not_eligible"
    total = Decimal(wages) * 3
    assert f"家庭月收入{total:.2f}元" in decisions.of("dibao").reasons[2].text


def test_131072_yuan_and_one_fen_is_not_rounded() -> None:
    raw = household("0", charity={"gap": "131072.01", "consent": True})
    assert decided(raw).of("charity_need").amount_fen == 13107201
    table = packaged_parameters().changed("dibao_standard.urban", date(2026, 3, 1), "43690.67")
    assert decided(household("131072.01"), table).of("dibao").outcome == "not_eligible"
    assert decided(household("131072.00"), table).of("dibao").amount_fen == 1


def nursing(level: int) -> Callable[[str], Raw]:
    def raw(day: str) -> Raw:
        member = {"id": "m1", "relation": "head", "birth": "1980-01-01"}
        return household(as_of=day, members=[{**member, "disability": {"type": "physical", "level": level}}])

    return raw


def parents(status: str) -> list[Raw]:
    return [{"relation": who, "status": status} for who in ("mother", "father")]


def child(**facts: Any) -> Callable[[str], Raw]:
    member = {"id": "m1", "relation": "child", "birth": "2012-06-01", **facts}
    return lambda day: household(as_of=day, members=[member])


DATED: dict[str, tuple[str, Callable[[str], Raw]]] = {
    "dibao_standard.urban": ("dibao", lambda day: household(as_of=day, members=[ALONE])),
    "dibao_standard.rural": ("dibao", lambda day: household(as_of=day, region="rural", members=[ALONE])),
    "tekun_basic": ("tekun", lambda day: household(as_of=day, members=[ELDER])),
    "orphan.institution": ("orphan", child(parents=parents("dead"), placement="institution")),
    "orphan.scattered": ("orphan", child(parents=parents("dead"), placement="scattered")),
    "unattended_child": ("unattended_child", child(parents=parents("deported"))),
    "disability_living": ("disability_living", nursing(4)),
    "disability_nursing.1": ("disability_nursing", nursing(1)),
    "disability_nursing.2": ("disability_nursing", nursing(2)),
}
ALONE: Raw = {"id": "m1", "relation": "head", "birth": "1970-01-01"}
ELDER: Raw = {"id": "m1", "relation": "head", "birth": "1930-01-01", "supporters": []}


def starts() -> list[Any]:
    return [
        pytest.param(name, entry.since, id=f"{name}-{entry.since}")
        for name in DATED
        for entry in packaged_parameters()[name].entries
    ]


@pytest.mark.parametrize(("name", "since"), starts())
def test_a_figure_holds_from_its_first_day_and_not_the_day_before(name: str, since: date) -> None:
    programme, raw = DATED[name]
    for day in (since - timedelta(days=1), since, since + timedelta(days=1)):
        entry = packaged_parameters().on(name, day)
        decisions = decided(raw(day.isoformat()))
        member = None if programme == "dibao" else "m1"
        decision = decisions.of(programme, member)  # type: ignore[arg-type]
        assert decision.amount_fen == (None if entry is None else entry.value), day
        if entry is None and programme == "dibao":
            assert decision.outcome == "needs_check"
        certain = entry is None or entry.certainty == "confirmed"
        if programme in ("dibao", "orphan", "unattended_child", "disability_nursing"):
            assert (decision.assumed_parameters == ()) == certain, day


@pytest.mark.parametrize(
    ("day", "counts"),
    [("2020-12-31", True), ("2021-01-01", False), ("2025-12-31", False), ("2026-01-01", True)],
)
def test_the_basic_pension_is_left_out_only_in_its_time(day: str, counts: bool) -> None:
    raw = household(as_of=day, members=[{**ALONE, **income("basic_pension_floor", "100")}])
    standard = packaged_parameters().on("dibao_standard.urban", date.fromisoformat(day))
    assert standard is not None
    assert isinstance(standard.value, int)
    assert decided(raw).of("dibao").amount_fen == standard.value - (10_000 if counts else 0)


@pytest.mark.parametrize(
    ("birth", "as_of", "age", "outcome"),
    [
        ("1966-04-10", "2026-04-09", 59, "not_eligible"),
        ("1966-04-10", "2026-04-10", 60, "eligible"),
        ("2010-04-10", "2026-04-09", 15, "eligible"),
        ("2010-04-10", "2026-04-10", 16, "not_eligible"),
    ],
)
def test_the_age_of_special_hardship(birth: str, as_of: str, age: int, outcome: str) -> None:
    decision = tekun(decided({**elder(birth=birth), "as_of": as_of}))
    assert decision.outcome == outcome
    (reason,) = (one for one in decision.reasons if one.code == "unable_to_work")
    assert f"{age}周岁" in reason.text


@pytest.mark.parametrize(("as_of", "members"), [("2032-03-11", 3), ("2032-03-12", 2)])
def test_a_child_counts_until_the_eighteenth_birthday(as_of: str, members: int) -> None:
    raw = household("100", as_of=as_of)
    raw["members"][2]["student"] = "none"
    assert f"计入{members}人" in decided(raw).of("dibao").reasons[2].text


@pytest.mark.parametrize(
    ("as_of", "outcome"),
    [("2026-08-31", "not_eligible"), ("2026-09-01", "not_eligible"), ("2026-09-02", "eligible")],
)
def test_six_months_of_custody_are_over_the_day_after(as_of: str, outcome: str) -> None:
    held = [{"relation": who, "status": "detention", "since": "2026-03-01"} for who in ("mother", "father")]
    assert decided(child(parents=held)(as_of)).of("unattended_child", "m1").outcome == outcome


@pytest.mark.parametrize(("as_of", "outcome"), [("2026-02-28", "not_eligible"), ("2026-03-01", "eligible")])
def test_six_months_from_a_day_that_february_lacks_end_with_february(as_of: str, outcome: str) -> None:
    held = [{"relation": who, "status": "prison", "since": "2025-08-31"} for who in ("mother", "father")]
    assert decided(child(parents=held)(as_of)).of("unattended_child", "m1").outcome == outcome


@pytest.mark.parametrize(("as_of", "outcome"), [("2026-09-30", "taper"), ("2026-10-01", "not_eligible")])
def test_a_taper_ends_with_its_sixth_month(as_of: str, outcome: str) -> None:
    decision = decided(household("2400", **{**ON_DIBAO, "as_of": as_of})).of("dibao")
    assert decision.outcome == outcome
    if outcome == "taper":
        assert decision.taper is not None
        assert (decision.taper.first_month, decision.taper.last_month) == ("2026-04", "2026-09")


def test_a_review_in_december_tapers_from_january() -> None:
    raw = household("2400", **{**ON_DIBAO, "as_of": "2026-12-31", "review_decided_on": "2026-12-31"})
    taper = decided(raw).of("dibao").taper
    assert taper is not None
    assert (taper.first_month, taper.last_month) == ("2027-01", "2027-06")


def test_in_taper_a_household_that_falls_below_the_standard_is_eligible_again() -> None:
    enrolment = {
        "programme": "dibao",
        "since": "2024-03-01",
        "status": "taper",
        "taper_first_month": "2026-01",
    }
    assert decided(household("900", enrolments=[enrolment])).of("dibao").amount_fen == 141000


@pytest.mark.parametrize(
    ("supporter", "asked"),
    [
        ({"birth": "1950-01-01", "property": "low_income", "income": 3400}, True),
        ({"birth": "1950-01-01", "property": "above", "income": 100}, False),
        ({"birth": "1950-01-01", "property": "low_income", "income": 100, "tekun": True}, False),
        ({"birth": "1956-03-11", "property": "low_income", "income": 100}, False),
        ({"birth": "1990-01-01", "property": "low_income", "status": "prison"}, False),
        (
            {"birth": "1990-01-01", "property": "low_income", "disability": {"type": "mental", "level": 3}},
            True,
        ),
    ],
)
def test_the_average_income_enters_only_where_a_supporters_income_decides(
    supporter: Raw, asked: bool
) -> None:
    decision = tekun(decided(elder(birth="1920-01-01", supporters=[{"relation": "son", **supporter}])))
    assert ("last_year_disposable_income" in decision.assumed_parameters) == asked
