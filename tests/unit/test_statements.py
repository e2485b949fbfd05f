"""Several writes as one statement: their arguments are counted through."""

from onedoor.runtime.statements import joined


def test_one_stays_as_it_is() -> None:
    assert joined(("insert into a values ($1, $2)", 2)) == "insert into a values ($1, $2)"


def test_arguments_are_counted_through_and_the_last_one_is_the_statement_itself() -> None:
    first, second = "insert into a values ($1, $2)", "update b set c = $1 where d = $1"
    assert joined((first, 2), (second, 1), (second, 1)) == (
        "with written_0 as (insert into a values ($1, $2)), "
        "written_1 as (update b set c = $3 where d = $3) "
        "update b set c = $4 where d = $4"
    )


def test_the_tenth_argument_is_not_the_first_one() -> None:
    ten = "insert into a values ($1, $10)"
    assert joined((ten, 10), (ten, 10)).endswith("insert into a values ($11, $20)")
