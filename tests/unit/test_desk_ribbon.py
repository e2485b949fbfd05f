"""The deadline ribbon: lanes, bars and flags where the calendar has them, drawn from rows alone."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from onedoor.calendar import SHANGHAI, office_time
from onedoor.desk.ribbon import LEFT, WIDTH, Ribbon, ribbon

SENT = datetime(2026, 9, 18, 12, 2, tzinfo=SHANGHAI)
DUE = datetime(2026, 10, 10, 0, 0, tzinfo=SHANGHAI)
NOW = datetime(2026, 10, 12, 9, 36, tzinfo=SHANGHAI)


def referral(**more: Any) -> dict[str, Any]:
    """An ordinary referral to the education department, acknowledged, still open."""
    row: dict[str, Any] = {
        "referral_id": uuid4(),
        "rule": "R4",
        "to": "education",
        "urgency": "ordinary",
        "state": "acknowledged",
        "sent_at": SENT,
        "due_ack": SENT + timedelta(days=3),
        "due_action": None,
        "due_finish": DUE,
        "acknowledged_at": SENT + timedelta(days=2, hours=20),
        "acted_at": None,
        "answered_at": None,
        "ended_at": None,
        "state_at": SENT + timedelta(days=2, hours=20),
        "held": True,
        "overdue": True,
    }
    return row | more


def clock(**more: Any) -> dict[str, Any]:
    """A statutory clock of a township."""
    due = datetime(2026, 10, 16, tzinfo=SHANGHAI)
    row = {"referral_id": None, "owner": "township", "duty": "L17", "due_at": due, "state": "running"}
    return row | more


def drawn(*rows: dict[str, Any], clocks: tuple[dict[str, Any], ...] = (), now: datetime = NOW) -> Ribbon:
    made = ribbon(rows, clocks, SENT, now)
    assert made is not None
    return made


def test_nothing_sent_and_nothing_due_is_no_drawing() -> None:
    assert ribbon((), (), SENT, NOW) is None
    assert (
        ribbon([referral(sent_at=None, due_finish=None, state="drafted", held=False)], (), SENT, NOW) is None
    )


def test_holidays_and_make_up_days_are_bands_as_the_calendar_counts_them() -> None:
    bands = drawn(referral()).bands
    kinds = [band.kind for band in bands]
    assert kinds == ["weekend", "make_up", "holiday", "holiday", "make_up", "weekend"]
    holidays = [band for band in bands if band.kind == "holiday"]
    day = bands[0].width
    assert [round(band.width / day) for band in holidays] == [3, 7]


def test_an_overdue_bar_turns_at_the_limit_and_ends_now() -> None:
    made = drawn(referral())
    (lane,) = made.lanes
    (bar,) = lane.bars
    (flag,) = lane.flags
    assert bar.open
    assert bar.late == flag.x
    assert flag.passed
    assert bar.x + bar.width == pytest.approx(made.now_x, abs=0.2)
    assert lane.held == office_time(SENT, NOW)


def test_an_answered_bar_ends_with_the_answer_and_is_not_late() -> None:
    answered = SENT + timedelta(days=4)
    made = drawn(
        referral(state="answered", held=False, answered_at=answered, state_at=answered, overdue=False)
    )
    (lane,) = made.lanes
    (bar,) = lane.bars
    assert not bar.open
    assert bar.late is None
    assert bar.x + bar.width < made.now_x
    assert [flag.passed for flag in lane.flags] == [False]


def test_an_unacknowledged_referral_flies_the_flag_of_its_acknowledgement() -> None:
    (lane,) = drawn(referral(state="sent", acknowledged_at=None)).lanes
    assert [flag.duty for flag in lane.flags] == ["ack", "finish"]


def test_one_lane_for_each_office_and_a_statutory_clock_has_its_own() -> None:
    made = drawn(referral(), referral(to="health"), referral(rule="R11"), clocks=(clock(),))
    assert [lane.owner for lane in made.lanes] == ["education", "health", "township"]
    assert [len(lane.bars) for lane in made.lanes] == [2, 1, 0]


@pytest.mark.parametrize("years", [0, 1, 3])
def test_far_limits_are_cut_off_and_everything_stays_on_the_paper(years: int) -> None:
    far = clock(due_at=DUE + timedelta(days=365 * years))
    made = drawn(referral(), clocks=(far,))
    assert made.cut == (years > 0)
    for x in [
        made.now_x,
        *(tick.x for tick in made.ticks),
        *(flag.x for lane in made.lanes for flag in lane.flags),
    ]:
        assert LEFT <= x <= WIDTH
    assert all(band.x + band.width <= WIDTH + 0.5 for band in made.bands)


def test_a_day_is_drawn_in_hours() -> None:
    due = SENT + timedelta(hours=24)
    made = drawn(referral(due_finish=due, overdue=False), now=SENT + timedelta(hours=1))
    assert made.hours
    assert {tick.lower for tick in made.ticks} >= {"00:00", "12:00"}
