"""What clocks that stand alike do, decided once, is what each of them would decide by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import event, given
from hypothesis import strategies as st

from onedoor.contracts.core import Event
from onedoor.contracts.events.notify import AlertEscalated
from onedoor.contracts.referral_rules import directory
from onedoor.notify import alerts
from onedoor.notify.domain.clock import Clock, _next_at, steps
from onedoor.notify.domain.duties import REFERRAL_DUTIES
from onedoor.notify.telling import notices
from onedoor.triage.duties import packaged_duties

STARTED = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)
MINUTES = st.integers(1, 400 * 24 * 60).map(lambda count: timedelta(minutes=count))
DUTIES = st.one_of(
    st.sampled_from([(duty, None) for duty in REFERRAL_DUTIES]),
    st.sampled_from([(row.id, row.version) for row in packaged_duties().rows]),
    st.just(("of old", None)),
)
OWNERS = st.sampled_from(["education", *sorted(directory().inform_only)])


@st.composite
def clocks(draw: st.DrawFn) -> Clock:
    """An open clock that does not stand still, as `evolve` leaves it."""
    duty, policy = draw(DUTIES)
    due_at = STARTED + draw(MINUTES)
    state: Any = draw(st.sampled_from(["running", "warned", "breached"]))
    heard = draw(st.booleans())
    step = draw(st.integers(0, 4)) if state == "breached" else 0
    found = Clock(
        clock_id=uuid4(), chain_id=uuid4(), subject=uuid4(), duty=duty, policy=policy, owner=draw(OWNERS),
        state=state, started_at=STARTED, due_at=due_at, warn_at=due_at - draw(MINUTES), step=step,
        urgency=draw(st.sampled_from(["critical", "urgent", "ordinary", None])),
        late_entry=draw(st.booleans()), yields_to=draw(st.sampled_from([None, "L5"])),
        acknowledged_at=due_at if heard else None, acknowledged_by="staff-1" if heard else None,
        breached_at=due_at if state == "breached" else None,
    )  # fmt: skip
    return found.model_copy(update={"next_at": _next_at(found)})


def row_of(clock: Clock) -> Any:
    """The clock as the sweep reads it."""
    more = {"id": clock.clock_id, "version": 3, "plain": True, "heard": clock.acknowledged_at is not None}
    return clock.model_dump() | more


def said(of: Event) -> tuple[object, ...]:
    """Its type, step, whom that reaches, and what a notice of it says."""
    step, to = (of.step, of.to) if isinstance(of, AlertEscalated) else (None, None)
    return of.type, step, to, notices.addressed(of)


def noted(kind: Any) -> tuple[str, int] | None:
    """What the statement makes of it for a notice."""
    return (kind.to or notices.HANDLER, kind.step or 0) if kind.told else None


@given(clocks(), st.timedeltas(-timedelta(days=30), timedelta(days=30)))
def test_as_each_decides_by_itself(clock: Clock, later: timedelta) -> None:
    assert clock.due_at is not None
    until = clock.due_at + later
    alone = list(steps(clock, until))
    found = alerts.decided(row_of(clock), until)
    if not all(type(each) in notices.KINDS for step in alone for each in step.events):
        assert found is None, "something follows from it"
        return
    assert found is not None
    event(f"{len(alone)} steps")
    told = [(at, [(*kind[:3], noted(kind)) for kind in sort.kinds]) for at, sort in found.steps]
    assert told == [(step.at, [said(each) for each in step.events]) for step in alone]
    last = alone[-1].clock if alone else clock
    assert found.next_at == last.next_at
    if alone:
        after = found.steps[-1][1].course.after
        assert (after.state, after.step, after.heard) == (
            last.state, last.step, last.acknowledged_at is not None,
        )  # fmt: skip
        anew = clock.state != "breached" == after.state
        assert (last.breached_at, last.acknowledged_at) == (
            (last.due_at, None) if anew else (clock.breached_at, clock.acknowledged_at)
        )
    for step in alone:
        for each in step.events:
            if isinstance(each, AlertEscalated):
                assert each.at == step.at, "the statement writes the step's moment"
