"""Identity numbers (GB 11643) and receipts: what is read, what is found wrong."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onedoor.intake.domain import id_number, receipt

WOMAN = "11010519491231002X"
"""The example of GB 11643 itself."""


@pytest.mark.parametrize(
    "written",
    [
        WOMAN,
        WOMAN.lower(),
        "110105 19491231 002x",
        "110105-19491231-002X",
        "１１０１０５１９４９１２３１００２Ｘ",
        "110105491231002",
    ],
)
def test_one_number_in_many_ways_of_writing(written: str) -> None:
    read = id_number.read(written)
    assert (read.number, read.valid, read.birth, read.sex) == (WOMAN, True, date(1949, 12, 31), "female")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("110105194912310021", "110105194912310021"),
        ("11010519490231002X", "11010519490231002X"),
        ("1101051949123100", "1101051949123100"),
        ("X10105194912310021", "X10105194912310021"),
        ("不清楚", "不清楚"),
        ("", ""),
    ],
)
def test_what_cannot_be_right_is_kept_as_told(written: str, kept: str) -> None:
    read = id_number.read(written)
    assert (read.number, read.valid, read.birth, read.sex) == (kept, False, None, None)


@given(st.text(max_size=40))
def test_any_text_is_read(text: str) -> None:
    assert id_number.read(text).number == id_number.read(id_number.read(text).number).number


@given(st.dates(date(2020, 1, 1), date(2099, 12, 31)), st.text(receipt.ALPHABET, min_size=6, max_size=6))
def test_a_receipt_is_read_as_it_is_said(day: date, characters: str) -> None:
    made = receipt.written(day, characters)
    assert receipt.read(made) == made
    assert receipt.read(f" {made.lower().replace('-', ' ')} ") == made


@given(
    st.dates(date(2020, 1, 1), date(2099, 12, 31)),
    st.text(receipt.ALPHABET, min_size=6, max_size=6),
    st.data(),
)
def test_one_wrong_character_or_two_swapped_are_found(
    day: date, characters: str, data: st.DataObject
) -> None:
    made = receipt.written(day, characters)
    place = data.draw(st.sampled_from([2, 5, 9, 11, 14, 16, 18]))
    other = data.draw(st.sampled_from("0123456789" if place < 10 else receipt.ALPHABET))
    wrong = made[:place] + other + made[place + 1 :]
    assert (receipt.read(wrong) is None) == (other != made[place])
    swap = data.draw(st.sampled_from([2, 8, 11, 15]))
    swapped = made[:swap] + made[swap + 1] + made[swap] + made[swap + 2 :]
    assert (receipt.read(swapped) is None) == (made[swap] != made[swap + 1])


def test_a_drawn_receipt_carries_the_day_in_china() -> None:
    assert receipt.draw(datetime(2026, 3, 3, 16, 30, tzinfo=UTC)).startswith("YD20260304-")


def test_no_character_is_mistaken_for_another() -> None:
    assert not set("0O1IL2Z5S8B6G") & set(receipt.ALPHABET)
    assert len(set(receipt.ALPHABET)) == len(receipt.ALPHABET) == 23


@given(st.text(max_size=80))
def test_any_text_is_a_receipt_or_none(text: str) -> None:
    assert receipt.read(text) in (None, receipt.read(receipt.read(text) or ""))


def test_a_secret_is_kept_as_a_salted_hash() -> None:
    secret = receipt.draw_secret()
    assert len(secret) >= 6
    assert secret.isdigit()
    stored = receipt.hashed(secret, b"salt")
    assert receipt.fits(secret, b"salt", stored)
    assert not receipt.fits(secret, b"pepper", stored)
    assert not receipt.fits("", b"salt", stored)
