"""Figures: minutes are lost to nobody, hand-overs are counted, small groups stay hidden."""

from collections import Counter
from datetime import time, timedelta
from itertools import pairwise
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onedoor.calendar import OFFICE_HOURS, OfficeHours, moment
from onedoor.calendar.office import office_minutes
from onedoor.contracts.core import Envelope, Refusal, derived_id
from onedoor.notify.domain.clock import Clock
from onedoor.notify.domain.ledger import referral_id
from onedoor.notify.domain.referral import Return, SendOn
from onedoor.notify.figures import holdings as holding
from onedoor.notify.figures.assessment import Overdue, agenda, assess, returns
from onedoor.notify.figures.holdings import hand_overs, holdings, journey
from onedoor.notify.figures.passes import Pass, pass_of
from onedoor.notify.figures.published import Shown, hidden, published
from onedoor.notify.figures.timeliness import Key, Tally, tally, verdict
from tests.notify import ANYONE, Notify, application, of_plan, planned

FRIDAY = moment("2026-09-18T10:00")
DAY = timedelta(days=1)
CHAIN = derived_id("figures-chain")
SUBJECT = derived_id("figures-subject")


def passed(
    type_: str,
    department: str | None,
    after: timedelta,
    subject: UUID = SUBJECT,
    chain: UUID = CHAIN,
    kind: str = "referral",
) -> Pass:
    id_ = derived_id("figures-pass", type_, str(department), str(after), str(subject))
    receipt = "QZ-20260918-ABCDEF-7" if kind == "application" else None
    return Pass(id_, chain, subject, kind, type_, department, None, FRIDAY + after, receipt, "internal")


SENT_BACK_AND_ON = (
    passed("application.received", "hotline-12345", timedelta(), derived_id("a"), kind="application"),
    passed("referral.sent", "education", timedelta(hours=1)),
    passed("referral.returned", "township", timedelta(hours=2)),
    passed("referral.sent", "housing", timedelta(hours=7), derived_id("second")),
    passed("referral.answered", "township", 3 * DAY, derived_id("second")),
    passed("referral.closed", None, 4 * DAY, derived_id("second")),
    passed("referral.revoked", None, timedelta(hours=6)),
)


def test_each_office_answers_for_the_minutes_in_which_it_held_it() -> None:
    lived = journey(SENT_BACK_AND_ON, FRIDAY + 9 * DAY)
    assert lived.departments["education"] == 60
    assert lived.departments["township"] == 120 + office_minutes(FRIDAY + 3 * DAY, FRIDAY + 4 * DAY)
    assert lived.departments["housing"] == office_minutes(FRIDAY + timedelta(hours=7), FRIDAY + 3 * DAY)
    assert lived.hand_overs == 3
    assert (lived.asked_at, lived.ended_at) == (FRIDAY, FRIDAY + 4 * DAY)
    assert lived.total_minutes == 4 * 24 * 60


def test_who_is_on_duty_at_night_answers_for_the_night() -> None:
    night = moment("2026-09-18T22:00") - FRIDAY
    held = (
        passed("referral.sent", "public-security", night),
        passed("referral.closed", None, night + timedelta(hours=3)),
    )
    assert holdings(held)[0].minutes(FRIDAY + DAY) == 180


def test_each_office_answers_for_its_own_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    mornings = OfficeHours(((time(8), time(12)),))
    own = {"education": mornings}
    monkeypatch.setattr(holding, "office_hours", lambda department: own.get(department, OFFICE_HOURS))
    for department, minutes in (("education", 120), ("housing", 360)):
        held = passed("referral.sent", department, timedelta())
        assert holdings((held,))[0].minutes(moment("2026-09-19T00:00")) == minutes


def test_sent_again_to_the_same_office_is_no_hand_over() -> None:
    again = (
        passed("referral.sent", "education", timedelta()),
        passed("referral.sent", "education", timedelta(hours=1)),
    )
    assert hand_overs(again) == 1
    assert len(holdings(again)) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["education", "housing", "public-security", None]), st.integers(0, 60 * 24 * 40)
        ),
        min_size=1,
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=150, deadline=None)
def test_no_minute_is_lost_or_counted_twice_in_whatever_order_passes_come(
    turns: list[tuple[str | None, int]], random: Random
) -> None:
    passes = [passed("referral.sent", who, timedelta(minutes=at)) for who, at in turns]
    shuffled = random.sample(passes, len(passes))
    held = holdings(passes)
    assert holdings(shuffled) == held
    ordered = sorted(passes, key=lambda each: (each.at, each.event_id))
    whole = ordered[-1].at - ordered[0].at
    with_nobody = sum(
        (after.at - before.at for before, after in pairwise(ordered) if before.department is None),
        timedelta(),
    )
    with_offices = sum(((each.until or ordered[-1].at) - each.since for each in held), timedelta())
    assert with_offices + with_nobody == whole


def clock(state: str, duty: str = "finish", late_entry: bool = False, owner: str = "education") -> Clock:
    return Clock.model_validate(
        {"state": state, "duty": duty, "owner": owner, "due_at": FRIDAY, "late_entry": late_entry}
    )


@pytest.mark.parametrize(
    ("counted", "as_"),
    [
        (clock("met"), "met"),
        (clock("met_late"), "late"),
        (clock("breached"), "overdue"),
        (clock("paused"), None),
        (clock("cancelled"), None),
        (clock("running"), None),
        (clock("warned"), None),
        (clock("breached", late_entry=True), None),
        (clock("met", duty="L3"), None),
    ],
)
def test_what_counts(counted: Clock, as_: str | None) -> None:
    assert verdict(counted) == as_


def test_counts_by_owner_and_month() -> None:
    clocks = [clock("met"), clock("met_late"), clock("breached", owner="housing")]
    assert tally(clocks, ["department", "month"]) == {
        Key(department="education", month="2026-09"): Tally(met=1, late=1),
        Key(department="housing", month="2026-09"): Tally(overdue=1),
    }


def test_the_last_midnight_of_a_month_belongs_to_it() -> None:
    ended = clock("met").model_copy(update={"due_at": moment("2026-10-01T00:00")})
    assert tally([ended], ["month"]) == {Key(month="2026-09"): Tally(met=1)}


def test_one_small_group_takes_the_next_with_it() -> None:
    """Else the sum would give it away."""
    groups = {Key(area="a"): Tally(4), Key(area="b"): Tally(9), Key(area="c"): Tally(20)}
    assert hidden(groups) == {Key(area="a"), Key(area="b")}
    assert hidden(groups | {Key(area="d"): Tally(1)}) == {Key(area="a"), Key(area="d")}
    assert hidden({Key(area="b"): Tally(5)}) == frozenset()


def test_small_groups_that_are_few_together_take_a_bigger_one_with_them() -> None:
    """The sum without what is shown would be three clocks of two villages."""
    groups = {Key(area="a"): Tally(1), Key(area="b"): Tally(0, 2), Key(area="c"): Tally(20)}
    assert hidden(groups) == set(groups)
    assert hidden(groups | {Key(area="d"): Tally(7)}) == {Key(area=name) for name in "abd"}


MONTHS = ("2026-01", "2026-02", "2026-03")
COUNTS = st.dictionaries(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(MONTHS)),
    st.tuples(st.integers(0, 9), st.integers(0, 3)).filter(any),
    min_size=1,
)


@given(COUNTS)
@settings(max_examples=300, deadline=None)
def test_no_hidden_number_can_be_subtracted_from_any_others(
    counts: dict[tuple[str, str], tuple[int, int]],
) -> None:
    """Whatever two periods are subtracted, nothing is left of what is hidden, nor of a sum of few."""
    found = {Key(area=area, month=month): Tally(*n) for (area, month), n in counts.items()}
    spans = [MONTHS[i:j] for i in range(len(MONTHS)) for j in range(i + 1, len(MONTHS) + 1)]
    by_area, total = {}, {}
    for span in spans:
        part = {key: tally for key, tally in found.items() if key.month in span}
        by_area[span], total[span] = published(part, ["area"])
    for key, cell in found.items():
        assert key.month is not None
        alone = by_area[(key.month,)][Key(area=key.area)]
        for longer, shorter in (
            (a, b) for a in spans for b in spans if {*a} - {*b} == {key.month} > {*b} - {*a}
        ):
            left = by_area[longer][Key(area=key.area)].tally.total
            left -= by_area[shorter].get(Key(area=key.area), Shown()).tally.total
            assert left == (0 if alone.hidden else cell.total)
        if cell.total < 5:
            assert alone.hidden
    for month in MONTHS:
        rows = by_area[(month,)].values()
        rest = total[(month,)].tally.total - sum(row.tally.total for row in rows)
        if total[(month,)].hidden:
            assert all(row.hidden for row in rows)
        else:
            assert rest == 0 or (rest >= 5 and sum(row.hidden for row in rows) > 1)


def test_a_sum_of_months_names_those_that_it_leaves_out() -> None:
    found = {Key(area="a", month="2026-01"): Tally(6), Key(area="a", month="2026-02"): Tally(2)}
    rows, total = published(found, ["area"])
    assert rows == {Key(area="a"): Shown(Tally(6), ("2026-02",))}
    assert total == Shown(Tally(6), ("2026-02",))
    course, _ = published(found, ["month"])
    assert course[Key(month="2026-02")].hidden


def test_a_units_month_counts_only_the_minutes_within_it() -> None:
    start, end = FRIDAY + timedelta(minutes=90), FRIDAY + 2 * DAY
    units = {
        unit.department: unit for unit in assess(SENT_BACK_AND_ON, {"housing": Tally(1, 2, 3)}, start, end)
    }
    assert units["education"].minutes == 30
    assert (units["education"].held, units["education"].returned) == (1, 1)
    assert units["education"].median_minutes == 60
    assert units["housing"].tally == Tally(1, 2, 3)
    assert units["housing"].minutes == office_minutes(FRIDAY + timedelta(hours=7), end)


def test_who_sends_back_is_who_held_it() -> None:
    assert returns(SENT_BACK_AND_ON, FRIDAY, FRIDAY + DAY) == {"education": 1}


@pytest.mark.parametrize("critical", [False, True])
def test_each_return_counts_for_who_sent_it_back_and_none_for_who_decided(critical: bool) -> None:
    """The bureau hands on what came back three times: it has sent nothing back. A critical one that is
    returned stays where it is, and was returned all the same."""
    rule, units = ("R1", ("minor-protection-centre",)) if critical else ("R3", ("justice",))
    notify, urgency = Notify(), "critical" if critical else "ordinary"
    notify.read(application(planned(rule, "public-security", urgency)), FRIDAY)
    id_, back, at = of_plan(rule, "public-security"), [], FRIDAY
    for unit in (*units, "public-security", None):
        at += timedelta(minutes=1)
        notify.give(Return(target=id_, reason="not_our_matter"), at, ANYONE)
        back.append(notify.referral(id_).wanted.to)  # type: ignore[union-attr]
        if unit is not None:
            notify.give(SendOn(target=id_, to=unit), at + timedelta(seconds=1), ANYONE)
            id_ = referral_id(id_, rule, unit)
    decided = SendOn(target=referral_id(id_, rule, "civil-affairs"), to=units[0])
    assert not isinstance(notify.give(decided, at + timedelta(minutes=1), ANYONE), Refusal)
    told = (
        Envelope(id=UUID(int=number), source="notify", subject=subject, time=at, key="", data=event)
        for number, (at, _, subject, event) in enumerate(notify.log)
    )
    passes = [each for event in told if (each := pass_of(event)) is not None]
    assert returns(passes, FRIDAY, FRIDAY + DAY) == Counter(back)
    (item,) = agenda(passes, {}, lambda due: False)
    assert (item.why, item.returned) == (("returned",), 3)


def test_the_meeting_speaks_about_what_is_stuck_returned_or_with_many() -> None:
    stuck, often, many, fine = (derived_id("chain", name) for name in ("stuck", "often", "many", "fine"))
    passes = [
        passed("referral.sent", "education", timedelta(), derived_id("s1"), stuck),
        *(
            passed(type_, who, timedelta(hours=hour), derived_id("s2"), often)
            for hour, (type_, who) in enumerate(
                3 * [("referral.sent", "housing"), ("referral.returned", "township")]
            )
        ),
        *(
            passed("referral.sent", who, timedelta(), derived_id("m", who), many)
            for who in ("education", "housing", "health", "justice")
        ),
        passed("referral.sent", "education", timedelta(), derived_id("f"), fine),
    ]
    nobody = derived_id("chain", "nobody")
    passes.append(passed("referral.closed", None, timedelta(), derived_id("n"), nobody))
    late = {
        stuck: Overdue(2, FRIDAY),
        fine: Overdue(1, FRIDAY + 9 * DAY),
        nobody: Overdue(1, FRIDAY - DAY, ("civil-affairs",)),
    }
    items = agenda(passes, late, lambda due: due <= FRIDAY)
    assert items[0].holds == ("civil-affairs",), "nobody holds it: who owes it"
    assert [(item.chain_id, item.why) for item in items] == [
        (nobody, ("stuck",)),
        (stuck, ("stuck",)),
        (often, ("returned",)),
        (many, ("complex",)),
    ]
    assert items[2].returned == 3
    assert items[3].holds == ("education", "health", "housing", "justice")
