"""What decisions owe: the spans agree with a plain count, month by month, of the decision that rules it."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onedoor.assistance.payments.schedule import Decided, Span, month_number, month_text, owed, schedule
from onedoor.contracts.core import derived_id

JUNE = month_number("2026-06")


def decided(
    number: int, kind: str, first: int, last: int | None = None, fen: int = 47_000, per: str = "month"
) -> Decided:
    return Decided(derived_id("decision", number), kind, per, fen, first, last)  # type: ignore[arg-type]


@pytest.mark.parametrize("month", ["2025-12", "2026-01", "2026-12", "2027-01"])
def test_months_are_numbers_that_count_on(month: str) -> None:
    assert month_text(month_number(month)) == month
    assert month_number("2027-01") - month_number("2026-12") == 1


def test_a_grant_owes_until_it_is_stopped() -> None:
    made = [decided(1, "grant", JUNE), decided(2, "stop", JUNE + 3)]
    assert schedule(made) == [Span(made[0].decision_id, JUNE, JUNE + 2, 47_000)]
    assert [owed(schedule(made), JUNE + n) for n in (-1, 0, 2, 9)] == [0, 47_000, 141_000, 141_000]


def test_a_change_backwards_makes_an_arrear_or_a_debt() -> None:
    granted = [decided(1, "grant", JUNE)]
    before = owed(schedule(granted), JUNE + 2)
    more = owed(schedule([*granted, decided(2, "adjust", JUNE + 1, fen=50_000)]), JUNE + 2)
    less = owed(schedule([*granted, decided(2, "adjust", JUNE, fen=40_000)]), JUNE + 2)
    assert (more - before, less - before) == (6_000, -21_000)


def test_aid_given_once_is_owed_once() -> None:
    assert owed(schedule([decided(1, "grant", JUNE, per="once", fen=200_000)]), JUNE + 40) == 200_000


def test_what_is_recovered_is_taken_back_beside_what_is_owed() -> None:
    made = [decided(1, "grant", JUNE), decided(2, "recover", JUNE + 1, fen=100_000)]
    assert owed(schedule(made), JUNE + 1) == 2 * 47_000 - 100_000


KINDS = st.sampled_from(["grant", "adjust", "taper", "stop", "recover"])


@st.composite
def decisions(draw: st.DrawFn) -> list[Decided]:
    made = []
    for number in range(draw(st.integers(1, 7))):
        first = JUNE + draw(st.integers(-8, 12))
        last = draw(st.none() | st.integers(first, first + 9))
        kind, per = draw(KINDS), draw(st.sampled_from(["month", "month", "once"]))
        fen = 0 if kind == "stop" else draw(st.integers(1, 10**12))
        made.append(decided(number, kind, first, last, fen, per))
    return made


def plainly_owed(made: list[Decided], month: int) -> int:
    """Month by month: the latest decision that has begun by then says what the month is worth."""
    total = -sum(each.amount_fen for each in made if each.kind == "recover" and each.first <= month)
    ruling = [each for each in made if each.kind != "recover"]
    for m in range(JUNE - 10, month + 1):
        last = next((each for each in reversed(ruling) if each.first <= m), None)
        if last is not None and last.kind != "stop":
            ends = last.first if last.per == "once" else last.last
            total += last.amount_fen if ends is None or m <= ends else 0
    return total


@given(decisions(), st.integers(-9, 24))
@settings(max_examples=500, deadline=None)
def test_spans_owe_what_a_plain_count_owes(made: list[Decided], after: int) -> None:
    spans = schedule(made)
    assert owed(spans, JUNE + after) == plainly_owed(made, JUNE + after)
    regular = sorted((span.first, span.last) for span in spans if span.amount_fen > 0)
    for (_, last), (first, _) in pairwise(regular):
        assert last is not None
        assert last < first
