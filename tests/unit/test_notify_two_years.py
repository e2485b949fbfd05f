"""Two simulated years: every clock comes to an end, and another way of counting agrees on each of them."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from onedoor.calendar import PACKAGED, put_in_force
from onedoor.notify.domain import clock as domain
from onedoor.notify.domain.clock import Clock
from onedoor.notify.explanation import explain
from tests.two_years import SHANGHAI, Script, TwoYears, disagreements, told

ENDED = {"met", "met_late", "cancelled", "breached"}


@pytest.fixture(autouse=True)
def packaged() -> Iterator[None]:
    yield
    put_in_force(PACKAGED)


def test_two_years_end_well_and_another_count_agrees_on_every_clock() -> None:
    play = TwoYears(Script(seed=20260105, referrals=2000))
    play.run()
    clocks, known = play.clocks(), told(play.published())
    assert {clock.state for clock in clocks.values()} == ENDED
    assert clocks.keys() == known.keys()
    assert disagreements(clocks, known) == []
    assert_something_of_everything(play, clocks)
    assert_explained(clocks)


def assert_something_of_everything(play: TwoYears, clocks: dict[UUID, Clock]) -> None:
    """The run proves nothing of what did not happen in it."""
    assert len(clocks) > 5000
    assert play.killed > 500
    seen = Counter(event.type for _, event in play.published())
    for type_ in ("recomputed", "paused", "resumed", "rescheduled", "breached", "warned", "cancelled"):
        assert seen[f"clock.{type_}"] > 20, seen
    assert {"L1", "L4", "L5", "L5q", "L6", "ack", "action", "finish"} <= {c.duty for c in clocks.values()}
    assert min(Counter(clock.state for clock in clocks.values()).values()) > 50
    recounts = [recount for clock in clocks.values() for recount in clock.recounts]
    assert sum(recount.previous_due_at != recount.due_at for recount in recounts) > 10
    assert play.refused["clock.breached"] > 5


def last_day(at: datetime) -> date:
    return (at.astimezone(SHANGHAI) - timedelta(microseconds=1)).date()


def assert_explained(clocks: dict[UUID, Clock]) -> None:
    """What a clock that was counted by the calendar in force tells of itself ends on its own last day."""
    explained = [clock for clock in clocks.values() if clock.calendar == 1][::20]
    assert len(explained) > 50
    for clock in explained:
        (line,) = [line for line in explain(clock).lines if line.kind == "due"]
        assert clock.due_at is not None
        day = last_day(clock.due_at)
        assert line.zh.startswith(f"{day.month}月{day.day}日")


def test_a_clock_counted_wrongly_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof can fail: where a recount rewrites what has fallen due unseen, or pauses are forgotten."""
    for name, wrong in (("_fallen_due", lambda *_: False), ("standstills", lambda _: ())):
        with monkeypatch.context() as patched:
            patched.setattr(domain, name, wrong)
            play = TwoYears(Script(seed=20260105, referrals=400))
            play.run()
            assert disagreements(play.clocks(), told(play.published())) != [], name


def test_the_same_seed_tells_the_same_story() -> None:
    stories = []
    for _ in range(2):
        play = TwoYears(Script(seed=7, referrals=30))
        play.run()
        stories.append([(id_, event.model_dump_json()) for id_, event in play.published()])
    assert stories[0] == stories[1]
