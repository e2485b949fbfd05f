"""A register under other figures: the same answers as the cases one by one, and nobody to be recognised."""

import csv
import json
from collections import Counter
from datetime import date
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from typer.testing import CliRunner

from onedoor.dev import rules, simulate
from onedoor.policy import Household, Parameters, packaged_parameters, parse_household
from onedoor.policy.answers import answers
from onedoor.policy.simulation import Effect, RegisterProblem, Study, generated, read_register, register_of
from onedoor.policy.simulation.effects import SMALLEST_GROUP, following, hidden
from onedoor.policy.simulation.study import COSTED, touched_by
from tests.district import household

DAY = date(2026, 9, 1)
app = typer.Typer()
rules.register(app)
simulate.register(app)


@app.command("other")
def other() -> None:
    """So that `simulate` is a subcommand."""


def raised(name: str, value: float) -> Parameters:
    return packaged_parameters().changed(name, DAY, value)


def monthly(households: list[Household], table: Parameters) -> list[int]:
    """What each is paid by all programmes, fen, computed afresh."""
    return [
        sum(one.amount_fen or 0 for (programme, _), one in each.items() if programme in COSTED)
        for each in answers(households, table)
    ]


def alike(households: list[Household]) -> list[Household]:
    """So many of each that nothing is too few to be shown."""
    return [each for each in households for _ in range(SMALLEST_GROUP)]


CHANGES = [
    ("dibao_standard.urban", 900),
    ("dibao_standard.rural", 500.01),
    ("edge_factor", 6),
    ("taper_upper_factor", 1.25),
    ("tekun_basic", 1200),
    ("disability_nursing.1", 5),
    ("disability_living", 0),
    ("last_year_disposable_income", 100),
    ("orphan.scattered", 1400),
    ("unattended_child", 1300),
    ("not_counted.dibao.basic_pension_floor", 1),
    ("not_counted.tekun.social_insurance", 0),
]


PAYS_NOTHING_BY_ITSELF = {
    "taper_upper_factor",
    "last_year_disposable_income",
    "not_counted.tekun.social_insurance",
}


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_an_effect_is_the_sum_of_single_answers(name: str, value: float) -> None:
    """In chunks, and though only what the change touches is computed anew."""
    rng = Random(f"effect {name}")
    households = [parse_household(household(rng, DAY)) for _ in range(60)]
    table = raised(name, value)
    effect = Study(register_of(alike(households), chunk=25), DAY).effect(table)
    before, after = (monthly(households, each) for each in (packaged_parameters(), table))
    changes = [then - now for now, then in zip(before, after, strict=True)]
    assert effect.cost_fen == SMALLEST_GROUP * sum(changes)
    assert any(changes) or name in PAYS_NOTHING_BY_ITSELF
    counts = (60, sum(change > 0 for change in changes), sum(change < 0 for change in changes))
    shown = (effect.total.households, effect.total.gaining, effect.total.losing)
    assert shown == tuple(SMALLEST_GROUP * count for count in counts)


@pytest.mark.parametrize("day", [date(2021, 6, 30), date(2024, 6, 30), DAY], ids=str)
def test_a_change_of_any_figure_on_any_day_is_the_sum_of_single_answers(day: date) -> None:
    """Also where the present figure lets a formula do without what the changed one needs."""
    rng = Random(f"any figure {day}")
    households = [parse_household(household(rng, day)) for _ in range(80)]
    study = Study(register_of(alike(households)), day)
    before = monthly(households, packaged_parameters())
    for parameter in packaged_parameters():
        now = parameter.on(day)
        written = 1 - int(now.value if now and now.value else 0) if parameter.unit == "flag" else 3
        table = packaged_parameters().changed(parameter.id, day, written)
        changes = [then - now for now, then in zip(before, monthly(households, table), strict=True)]
        assert study.effect(table).cost_fen == SMALLEST_GROUP * sum(changes), parameter.id


def test_no_change_has_no_effect() -> None:
    effect = Study(generated(500, DAY), DAY).effect(packaged_parameters())
    assert (effect.cost_fen, effect.total.gaining, effect.total.losing) == (0, 0, 0)


def test_a_change_on_a_later_day_has_no_effect_yet() -> None:
    later = packaged_parameters().changed("dibao_standard.urban", date(2026, 9, 2), 900)
    assert Study(generated(500, DAY), DAY).effect(later).cost_fen == 0


def test_the_variants_of_one_study_do_not_touch_each_other() -> None:
    study = Study(generated(2_000, DAY), DAY)
    first = study.effect(raised("dibao_standard.urban", 900))
    study.effect(raised("edge_factor", 3))
    assert study.effect(raised("dibao_standard.urban", 900)) == first
    assert study.effect(raised("dibao_standard.urban", 900)) != study.effect(raised("edge_factor", 3))


def test_chunks_do_not_show() -> None:
    raws = [household(Random("chunks"), DAY) for _ in range(40)]
    households = [parse_household(raw) for raw in raws]
    table = raised("dibao_standard.urban", 900)
    effects = [Study(register_of(households, chunk=size), DAY).effect(table) for size in (7, 40)]
    assert effects[0] == effects[1]


def test_only_what_reads_a_changed_figure_is_touched() -> None:
    touched = touched_by(packaged_parameters(), raised("disability_nursing.1", 5), DAY)
    assert touched == {"disability_nursing_amount"}
    touched = touched_by(packaged_parameters(), raised("dibao_standard.urban", 900), DAY)
    assert {"standard", "dibao", "dibao_amount", "dibao_edge", "disability_living", "tekun"} <= touched
    assert not {"age", "counted", "household_income", "orphan", "disability_nursing"} & touched


def test_a_generated_register_is_the_same_for_the_same_seed() -> None:
    table = raised("dibao_standard.urban", 900)
    one, same, different = (Study(generated(3_000, DAY, seed), DAY).effect(table) for seed in (1, 1, 2))
    assert one == same != different
    with pytest.raises(ValueError, match="at least one"):
        generated(0, DAY)


def groups(effect: Effect) -> list[Any]:
    return [*effect.by_street, *effect.by_tier, *effect.by_street_and_tier, effect.total]


@pytest.mark.parametrize("seed", range(5))
def test_no_small_group_is_shown(seed: int) -> None:
    effect = Study(generated(300, DAY, seed), DAY).effect(raised("dibao_standard.urban", 900))
    for group in groups(effect):
        for count in (group.households, group.gaining, group.losing):
            assert count is None or count == 0 or count >= SMALLEST_GROUP
        assert (group.gaining is None) == (group.gained_fen is None)
        assert (group.losing is None) == (group.lost_fen is None)
    for one in effect.programmes:
        for count in (one.households_before, one.households_after):
            assert count is None or count == 0 or count >= SMALLEST_GROUP


@settings(max_examples=300, deadline=None)
@given(
    arrays(
        np.int64,
        st.tuples(st.integers(1, 6), st.integers(1, 6)),
        elements=st.one_of(st.just(0), st.integers(1, 4), st.integers(5, 30)),
    )
)
def test_no_hidden_count_and_no_small_sum_follows_from_the_shown_ones(inner: Any) -> None:
    """Whoever solves the equations of all lines for what is hidden finds no single value of it."""
    rows = np.concatenate([inner, inner.sum(axis=0, keepdims=True)], axis=0)
    table = np.concatenate([rows, rows.sum(axis=1, keepdims=True)], axis=1)
    mask = hidden(table)
    small = (table > 0) & (table < SMALLEST_GROUP)
    assert mask[small].all()
    for counts, hides in [*zip(table, mask, strict=True), *zip(table.T, mask.T, strict=True)]:
        if not hides[-1]:
            assert not 0 < counts[:-1][hides[:-1]].sum() < SMALLEST_GROUP
    for row, column in solved(mask):
        others = np.concatenate([table[row][~mask[row]], table[:, column][~mask[:, column]]])
        assert not others.any(), "only where nothing else is there to be hidden"
    if not small.any():
        assert not mask.any()


def solved(mask: Any) -> list[tuple[int, int]]:
    """The hidden places that the equations determine: adding one as known adds nothing."""
    places = [(row, column) for row, column in np.argwhere(mask).tolist()]
    equations = np.zeros((sum(mask.shape), len(places)))
    for number, (row, column) in enumerate(places):
        equations[row, number] = -1 if column == mask.shape[1] - 1 else 1
        equations[mask.shape[0] + column, number] = -1 if row == mask.shape[0] - 1 else 1
    rank = np.linalg.matrix_rank(equations) if places else 0
    known = [np.vstack([equations, np.eye(len(places))[number]]) for number in range(len(places))]
    return [place for place, more in zip(places, known, strict=True) if np.linalg.matrix_rank(more) == rank]


def test_two_circles_do_not_give_away_what_joins_them() -> None:
    """Each line has two hidden values, and yet one follows: that of the place between the circles."""
    mask = np.zeros((5, 5), dtype=bool)
    for place in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (2, 3), (3, 2), (3, 3), (1, 2)]:
        mask[place] = True
    assert following(mask) == solved(mask) == [(1, 2)]


def single(wages: int, **more: Any) -> Household:
    """A household of one."""
    incomes = [{"kind": "wages", "amount": wages, "per": "month"}]
    head = {"id": "m1", "relation": "head", "birth": "1980-05-06", "incomes": incomes}
    file = {"as_of": DAY.isoformat(), "region": "urban", "registered_division": "500112016"}
    return parse_household(file | {"members": [head | more]})


@pytest.mark.parametrize("few", [1, 4])
def test_what_few_lose_does_not_follow_from_any_sum(few: int) -> None:
    disability = {"disability": {"type": "visual", "level": 1}}
    blind = [single(9_000, **disability)] * few
    others = [single(9_000, disability={"type": "visual", "level": 2})] * 30
    study = Study(register_of([*blind, *others]), DAY)
    lost = study.effect(raised("disability_nursing.1", 1))
    assert (lost.total.losing, lost.cost_fen) == (None, None)
    (nursing,) = (one for one in lost.programmes if one.programme == "disability_nursing")
    assert (nursing.before_fen, nursing.after_fen) == (90_00 * 30 + 100_00 * few, None)
    shown = study.effect(raised("disability_nursing.2", 1))
    assert (shown.total.losing, shown.cost_fen) == (30, -89_00 * 30)


def test_a_programme_of_few_does_not_follow_from_the_others() -> None:
    """The cost less the differences of all other programmes would be the hidden one's."""
    few = [single(100, disability={"type": "visual", "level": 1})] * 3
    study = Study(register_of([*few, *[single(100)] * 30]), DAY)
    table = raised("dibao_standard.urban", 900).changed("disability_nursing.1", DAY, 300)
    effect = study.effect(table)
    hides = [one.programme for one in effect.programmes if None in (one.before_fen, one.after_fen)]
    assert {"disability_nursing", "dibao"} <= set(hides)


@pytest.mark.parametrize("few", [1, 4])
def test_two_variants_of_a_study_cannot_be_subtracted_to_learn_of_few(few: int) -> None:
    """Each alone changes many; they differ by the one figure that concerns a few."""
    blind = [single(100, disability={"type": "visual", "level": 1})] * few
    others = [single(100, disability={"type": "visual", "level": 2})] * 30
    alone = raised("dibao_standard.urban", 900)
    both = alone.changed("disability_nursing.1", DAY, 300)
    register = register_of([*blind, *others])
    assert Study(register, DAY).effect(alone).total.gaining == 30 + few
    study = Study(register, DAY)
    first, second = study.effect(alone), study.effect(both)
    assert first.cost_fen is not None
    assert second.cost_fen is second.total.gained_fen is None
    (nursing,) = (one for one in second.programmes if one.programme == "disability_nursing")
    assert nursing.after_fen is None
    assert (study.effect(both), study.effect(alone)) == (second, first)


def test_a_figure_a_fen_apart_pins_nobody_down() -> None:
    """A standard just above somebody's income and one just below would tell what they earn."""
    many = [single(100)] * 30
    study = Study(register_of([*many, single(850)]), DAY)
    below, above = (study.effect(raised("dibao_standard.urban", value)) for value in (850, 850.01))
    assert below.total.gaining == 30
    assert (above.total.gaining, above.cost_fen) == (None, None)
    many_more = Study(register_of([*many, *[single(850)] * 5]), DAY)
    shown = [many_more.effect(raised("dibao_standard.urban", value)).total.gaining for value in (850, 851)]
    assert shown == [30, 35]


@pytest.mark.parametrize("seed", range(6))
def test_no_street_shown_by_two_variants_differs_by_few(seed: int) -> None:
    rng = Random(f"subtracted {seed}")
    households = [parse_household(household(rng, DAY)) for _ in range(150)]
    study = Study(register_of(households), DAY)
    most = raised("dibao_standard.urban", 5000).changed("dibao_standard.rural", DAY, 5000)
    tables = [most, *(most.changed(name, DAY, value) for name, value in rng.sample(CHANGES[2:], 2))]
    told = [study.effect(table) for table in tables]
    paid = [by_programme(households, table) for table in tables]
    for one, other in combinations(range(3), 2):
        apart = [a != b for a, b in zip(paid[one], paid[other], strict=True)]
        for a, b in zip(shown_streets(told[one]), shown_streets(told[other]), strict=True):
            here = [
                differs
                for each, differs in zip(households, apart, strict=True)
                if a.street in (None, each.registered_division)
            ]
            hides = None in (a.gaining, a.losing, b.gaining, b.losing)
            assert hides or not 0 < sum(here) < SMALLEST_GROUP


def shown_streets(effect: Effect) -> list[Any]:
    return [effect.total, *effect.by_street]


def by_programme(households: list[Household], table: Parameters) -> list[dict[str, int]]:
    """What each is paid by each programme, fen."""
    found: list[dict[str, int]] = []
    for each in answers(households, table):
        paid = Counter[str]()
        for (programme, _), one in each.items():
            paid[programme] += (one.amount_fen or 0) if programme in COSTED else 0
        found.append(dict(paid))
    return found


def income(kind: str, amount: Any, per: str) -> dict[str, Any]:
    return {"kind": kind, "amount": amount, "per": per}


def lines(tmp_path: Path, *rows: object, name: str = "register.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), "utf-8")
    return path


def test_json_lines_and_csv_give_one_register(tmp_path: Path) -> None:
    members = [
        row
        for copy in range(SMALLEST_GROUP)
        for row in (
            (f"a{copy}", "urban", "500112016", "head", "1980-05-06", "900", "", ""),
            (f"a{copy}", "urban", "500112016", "child", "2014-03-12", "", "visual", "2"),
            (f"b{copy}", "rural", "500112144", "head", "1970-01-01", "650.5", "", ""),
        )
    ]
    header = (
        "household", "region", "registered_division", "relation", "birth", "income", "disability_type",
        "disability_level",
    )  # fmt: skip
    table = tmp_path / "register.csv"
    with table.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([header, *members])
    child = {
        "id": "m2",
        "relation": "child",
        "birth": "2014-03-12",
        "disability": {"type": "visual", "level": 2},
    }
    head = {"id": "m1", "relation": "head"}
    wages, farming = ("wages", 900, "month"), ("farming", "7806", "year")
    households = [
        {
            "region": "urban",
            "registered_division": "500112016",
            "members": [head | {"birth": "1980-05-06", "incomes": [income(*wages)]}, child],
        },
        {
            "region": "rural",
            "registered_division": "500112144",
            "members": [head | {"birth": "1970-01-01", "incomes": [income(*farming)]}],
        },
    ]
    path = lines(
        tmp_path, *(row for _ in range(SMALLEST_GROUP) for row in (households[0], "", households[1]))
    )
    table_, variant = read_register(table, DAY), raised("dibao_standard.rural", 700)
    effects = [Study(register, DAY).effect(variant) for register in (table_, read_register(path, DAY))]
    assert effects[0] == effects[1]
    assert effects[0].cost_fen == SMALLEST_GROUP * 4_950


@pytest.mark.parametrize(
    ("name", "row", "problem"),
    [
        ("r.jsonl", "{", "line 1: is not JSON"),
        ("r.jsonl", "[]", "line 1: is not a household"),
        ("r.jsonl", "{}", "line 1: region: is missing"),
        ("r.jsonl", "", "holds no household"),
        ("r.csv", "household,shoe_size", "line 1: the columns are household"),
        ("r.csv", "household,birth,relation\na,1980,head", "line 2: region: is missing"),
        ("r.csv", "household,birth,relation", "holds no household"),
        ("r.xlsx", "", "is neither .jsonl nor .csv"),
    ],
)
def test_a_register_that_cannot_be_read_says_where(name: str, row: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(RegisterProblem, match=problem):
        read_register(lines(tmp_path, row, name=name), DAY)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["simulate", *arguments])


def test_the_command_prints_every_variant_in_yuan_and_its_progress_aside() -> None:
    result = run(
        *("--on", "2026-09-01", "--generate", "1000"),
        *("--variant", "dibao_standard.urban=800,dibao_standard.rural=655.5"),
        *("--variant", "edge_factor=2"),
    )
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["households"] == 1000
    first, second = answer["variants"]
    study = Study(generated(1000, DAY), DAY)
    table = raised("dibao_standard.urban", 800).changed("dibao_standard.rural", DAY, 655.5)
    assert first["cost"] == study.effect(table).cost_fen / 100 > 0
    assert second["total"]["gained"] is None or second["total"]["gained"] >= 0
    assert "decided 1,000 households" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--variant", "edge_factor=2"],
        ["--variant", "edge_factor=2", "--generate", "9", "--register", "x.csv"],
        ["--variant", "edge_factor=two", "--generate", "9"],
        ["--variant", "no_such_figure=2", "--generate", "9"],
        ["--variant", "edge_factor=-2", "--generate", "9"],
        ["--variant", "dibao_standard.urban=800.001", "--generate", "9"],
        ["--variant", "edge_factor=2", "--register", "no-such.csv"],
        ["--variant", "edge_factor=2", "--generate", "0"],
    ],
)
def test_what_cannot_be_simulated_is_refused(arguments: list[str]) -> None:
    result = run("--on", "2026-09-01", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
    assert "Traceback" not in result.stderr
