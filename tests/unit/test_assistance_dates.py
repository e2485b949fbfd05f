"""Dates of decisions and notices follow the calendar, in favour of those who rely on them, and say so."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from onedoor.assistance.domain import dates
from onedoor.assistance.domain.programmes import WORKFLOWS
from onedoor.calendar import PACKAGED, almanac_of, moment, parse_notice, put_in_force
from tests.notices import NOTICE_2027
from tests.proceedings import DISTRICT, Walk

LONGER = NOTICE_2027.replace("2027-01-01/2027-01-03", "2027-01-01/2027-01-05")


@pytest.fixture(autouse=True)
def packaged() -> Iterator[None]:
    put_in_force(PACKAGED)
    yield
    put_in_force(PACKAGED)


def announced(text: str = LONGER) -> None:
    put_in_force(almanac_of([(1, parse_notice(text))]))


def refused(at: str) -> Walk:
    walk = Walk().to("reported")
    walk.now = moment(at)
    walk.step("refuse", DISTRICT, reason="false_statement")
    return walk


def test_the_last_day_to_appeal_moves_with_the_notice_and_is_provisional_before_it() -> None:
    walk = refused("2026-11-05T10:00")
    (decision,) = walk.proceeding.decisions
    before = dates.appeal_until(decision)
    assert before is not None
    assert (before.until, before.provisional, before.told) == (moment("2027-01-05"), True, None)
    announced()
    after = dates.appeal_until(decision)
    assert after is not None
    assert (after.until, after.provisional, after.told) == (moment("2027-01-07"), False, moment("2027-01-05"))
    walk.now = moment("2027-01-06T10:00")
    assert walk.says("appeal", decision_id=decision.decision_id, way="reconsideration") == "refused"


def test_nobody_loses_a_day_that_was_told() -> None:
    announced()
    walk = refused("2026-11-05T10:00")
    announced(NOTICE_2027.replace("2027-01-01/2027-01-03", "2027-01-01"))
    (decision,) = walk.proceeding.decisions
    last = dates.appeal_until(decision)
    assert last is not None
    assert (last.until, last.told) == (moment("2027-01-07"), None)


def test_a_notice_stands_until_the_day_that_the_calendar_in_force_gives() -> None:
    walk = Walk().to("opinion")
    walk.now = moment("2026-12-28T10:00")
    walk.to("notice")
    table = WORKFLOWS["dibao"]
    told = walk.proceeding.notice_until
    first = dates.notice_until(walk.proceeding, table)
    assert first is not None
    assert (told, first.provisional) == (moment("2027-01-05"), True)
    announced()
    stands = dates.notice_until(walk.proceeding, table)
    assert stands is not None
    assert (stands.until, stands.told) == (moment("2027-01-07"), told)
    walk.now = moment("2027-01-06T10:00")
    assert walk.says("end-notice") == "notice.running"
    walk.now = stands.until
    assert walk.says("end-notice") == "reported"
    assert walk.folded() == walk.case


@pytest.mark.parametrize(
    ("at", "before", "after"),
    [("2026-01-04T10:00", "2027-01-05", "2027-01-07"), ("2026-03-03T10:00", "2027-03-04", "2027-03-04")],
)
def test_a_review_is_due_as_its_clock_is(at: str, before: str, after: str) -> None:
    """Its months are read from the day that was told: twelve, whatever kind of household."""
    walk = Walk().to("granted")
    told: datetime = moment(before)
    (decision,) = walk.proceeding.decisions
    decision = decision.model_copy(update={"decided_at": moment(at), "review_by": told})
    assert dates.review_by(decision) == dates.Counted(until=told, provisional=True)
    announced()
    review = dates.review_by(decision)
    assert review is not None
    assert (review.until, review.provisional) == (moment(after), False)
