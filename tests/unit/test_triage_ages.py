"""The age of a person in need, from what was told."""

from datetime import date

import pytest

from onedoor.triage.application import Subject

DAY = date(2026, 3, 3)


@pytest.mark.parametrize(
    ("told", "age"),
    [
        ({"age": 9, "birth": "1950-01-01"}, 9),
        ({"birth": "2017-03-03"}, 9),
        ({"birth": "2017-03-04"}, 8),
        ({"birth": "2027-01-01"}, 0),
        ({"birth": "1876-03-03"}, 150),
        ({"birth": "0670-05-02"}, None),
        ({"birth": "0670-05-02", "age_about": 60}, 60),
        ({"age_about": 40}, 40),
        ({}, None),
    ],
)
def test_age_as_told_else_from_a_birth_that_can_be_else_as_guessed(
    told: dict[str, object], age: int | None
) -> None:
    assert Subject.model_validate(told).age_on(DAY) == age
