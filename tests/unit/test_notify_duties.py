"""Duties as data: what may stand in the file, and that each starts, ends and runs by what the law names."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from onedoor.calendar import SHANGHAI, CalendarProblem, Limit, moment
from onedoor.contracts.core import SYSTEM, Context, Event, Refusal, derived_id
from onedoor.contracts.events import assistance, protection, stay
from onedoor.contracts.events.case import CaseClosed, CaseDecided, CaseOpened, CaseTransferred, CaseWithdrawn
from onedoor.contracts.events.intake import UnitSuspected
from onedoor.contracts.events.notify import ReferralAnswered
from onedoor.contracts.events.operations import LETTER
from onedoor.contracts.registry import EVENTS
from onedoor.notify.app import SERVICE
from onedoor.notify.domain import docket, duties
from onedoor.notify.domain.clock import Clock, LengthenClock, clock_id
from onedoor.notify.domain.duties import due_at
from onedoor.notify.explanation import explain
from onedoor.triage.duties import packaged_duties, parse_duties
from tests.notify import APPLICATION, CHAIN, FRIDAY, Notify, application, planned, requested, withdrawn

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TEXT = (files("onedoor.triage") / "duties.yaml").read_text("utf-8")
CASE = derived_id("case", APPLICATION, "assistance")
STAY = derived_id("case", APPLICATION, "vagrancy")
DIBAO, TEKUN, SMALL = (derived_id("proceeding", name) for name in ("dibao", "tekun", "temporary_small"))


def of(model: type[Event], at: datetime, programme: str = "dibao", **more: Any) -> Event:
    """An event of a proceeding of that programme."""
    facts = {
        "service": "assistance",
        "case_id": CASE,
        "chain_id": CHAIN,
        "application_id": APPLICATION,
        "proceeding_id": {"dibao": DIBAO, "tekun": TEKUN}.get(programme, SMALL),
        "programme": programme,
        "state": "accepted",
        "at": at,
    }
    return model.model_validate(facts | more)


def determined(at: datetime, kind: str = "grant", programme: str = "dibao", **more: Any) -> Event:
    facts = {
        "decision_id": derived_id("decision", kind, at),
        "kind": kind,
        "reason": "x",
        "rule_version": "1",
    }
    return of(assistance.Determined, at, programme, **facts | more)


def of_stay(model: type[Event], **more: Any) -> Event:
    facts = {"service": "vagrancy", "case_id": STAY, "chain_id": CHAIN, "application_id": APPLICATION}
    return model.model_validate(facts | more)


def admitted(at: datetime, unidentified: bool = True, **more: Any) -> Event:
    return of_stay(stay.StayAdmitted, admitted_at=at, unidentified=unidentified, **more)


def duty(id_: str, limit: str, at: datetime = FRIDAY) -> dict[str, Any]:
    return {"id": id_, "due_on": at.date(), "due_at": at, "started_at": at, "limit": limit}


def of_case(model: type[Event], service: str, **more: Any) -> Event:
    case = derived_id("case", APPLICATION, service)
    facts = {"service": service, "case_id": case, "chain_id": CHAIN, "application_id": APPLICATION}
    return model.model_validate(facts | more)


def answered(rule: str, to: str) -> Event:
    facts = {
        "referral_id": derived_id("referral", rule, to),
        "chain_id": CHAIN,
        "application_id": APPLICATION,
    }
    facts |= {"rule": rule, "from": "township", "to": to, "urgency": "critical", "outcome": "helped"}
    return ReferralAnswered.model_validate(facts)


def states(notify: Notify, *wanted: tuple[str, UUID]) -> list[str | None]:
    return [notify.clock(id_, subject).state for id_, subject in wanted]


def started(notify: Notify) -> set[str]:
    return {clock.duty for (kind, _), clock in notify.states.items() if kind == "clock" and clock.state}


def test_every_limit_of_the_table_is_started_by_something_or_says_why_not() -> None:
    """L1 to L44 and no other; what nothing starts stands there with its reason, so that none is forgotten."""
    known = packaged_duties()
    table = {f"L{number}" for number in range(1, 45)}
    here = {re.match(r"L\d+", row.id).group() for row in known.rows}  # type: ignore[union-attr]
    assert here | known.not_started.keys() == table
    assert here & known.not_started.keys() == set()
    assert all(len(reason) > 20 for reason in known.not_started.values())
    nothing = (18, 24, 25, 27, 35, 36, 38, 39, 40, 41, 42, 43, 44)
    assert set(known.not_started) == {f"L{number}" for number in nothing}


def test_every_clock_that_can_start_can_be_met() -> None:
    """One that nothing meets would be overdue for ever, whatever anybody does."""
    assert [row.version for row in packaged_duties().rows if not row.met] == []


@pytest.mark.parametrize(
    ("id_", "limit", "event"),
    [
        ("L14", "10wd", of(assistance.AbilityReassessed, FRIDAY + DAY, "tekun")),
        ("L26", "72h", answered("R18", "court")),
        ("L37-push", "3wd", of_case(CaseDecided, "assistance", outcome="helped", reason="aid_first")),
        ("L37-push", "3wd", requested(FRIDAY + DAY, "R22", "other-district")),
    ],
)
def test_what_only_a_plan_starts_is_met_by_what_comes_of_it(id_: str, limit: str, event: Event) -> None:
    notify = Notify()
    notify.read(application(planned(), duties=[duty(id_, limit)]), FRIDAY)
    assert notify.clock(id_).state == "running"
    notify.read(answered("R18", "public-security"), FRIDAY + HOUR)
    assert notify.clock(id_).state == "running"
    notify.read(event, FRIDAY + DAY)
    assert notify.clock(id_).state == "met"


def test_every_event_that_the_file_names_exists_and_has_the_fields_that_it_asks_for() -> None:
    models = {event.type: event for event in EVENTS}
    known = packaged_duties()
    kinds = ("start", "met", "cancelled", "stands_still")
    triggers = [trigger for row in known.rows for kind in kinds for trigger in getattr(row, kind)]
    for trigger in (*triggers, *known.endings):
        if trigger.of_event:
            fields = models[trigger.name].model_fields
            assert {name.partition(".")[0] for name in trigger.needs} <= set(fields), trigger
            assert trigger.at in fields or trigger.at == "at", trigger


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("    source: 民发〔2021〕57号 art. 15\n", "", "L1.source"),
        ("    limit: 3wd\n", "    limit: 0wd\n", "L1.limit"),
        ("    limit: 3wd\n", "    limit: 10000cd\n", "L1.limit"),
        ("    limit: 3wd\n", "    limit: soon\n", "L1.limit"),
        ("    owner: township\n", "", "L1.owner"),
        ("    kind: statutory\n", "    kind: custom\n", "L1.kind"),
        ("    certainty: confirmed\n", "    certainty: maybe\n", "L1.certainty"),
        ('    from: "2021-07-01"\n', '    from: "2021-02-30"\n', "L1.from"),
        ('    from: "2021-07-01"\n', '    from: "2021-07-01"\n    until: "2021-06-01"\n', "L1.until"),
        ('    from: "2021-07-01"\n', '    from: "2021-07-01"\n    warn: 1.5\n', "L1.warn"),
        ('    from: "2021-07-01"\n', '    from: "2021-07-01"\n    deadline: 3wd\n', "L1.deadline"),
        ("    beside: L5q\n", "    beside: L99\n", "L5.beside"),
        ("    longest: 45wd\n", "    longest: 45cd\n", "L5.longest"),
        ("    longest: 45wd\n", "    longest: 30wd\n", "L5.longest"),
        ("    limit_if: {delegated: 20wd}\n", "    limit_if: {delegated: 20}\n", "L5.limit_if.delegated"),
        ("    start: [accepted, case.accepted]\n", "    start: accepted\n", "L1.start"),
        ("    met: [case.investigation_started]\n", "    met: [{kind: grant}]\n", "L1.met"),
        ("warn: 0.8 #", "warn: 0 #", "file.warn"),
        ("{urgency: urgent,", "{urgency: calm,", "referrals[1].urgency"),
        ("duties:\n  # 低保\n", "duties: []\nrows:\n", "file.duties"),
    ],
)
def test_a_wrong_file_names_the_duty_the_field_and_the_remedy(old: str, new: str, field: str) -> None:
    assert old in TEXT
    with pytest.raises(CalendarProblem) as problem:
        parse_duties(TEXT.replace(old, new, 1))
    assert problem.value.field == field
    assert problem.value.remedy
    assert re.search("[一-鿿]", problem.value.problem_zh + problem.value.remedy_zh)


def test_taking_down_a_call_is_not_acceptance() -> None:
    notify = Notify()
    notify.read(application(planned()), FRIDAY)
    notify.read(of(assistance.ProceedingOpened, FRIDAY), FRIDAY)
    assert started(notify) == {"ack", "finish"}
    notify.read(of(assistance.CaseAccepted, FRIDAY + DAY), FRIDAY + DAY)
    assert started(notify) == {"ack", "finish", "L1", "L5", "L5q"}
    assert notify.clock("L5", DIBAO).started_at == FRIDAY + DAY


def test_a_dibao_case_from_acceptance_to_its_first_payment() -> None:
    notify = Notify()
    at = FRIDAY
    for event in (
        of(assistance.CaseAccepted, at),
        of(assistance.InvestigationStarted, at + DAY, investigators=2),
        of(assistance.OpinionGiven, at + 3 * DAY, recommendation="grant"),
        of(assistance.NoticePosted, at + 4 * DAY, until=at + 11 * DAY),
        of(assistance.NoticeEnded, at + 21 * DAY, completed=True),
        of(assistance.CaseReported, at + 21 * DAY),
        determined(at + 25 * DAY, "grant", per="month", amount_fen=60000),
        of(assistance.PaymentStarted, at + 40 * DAY, month="2026-11"),
    ):
        notify.read(event, event.at)  # type: ignore[attr-defined]
    done = [(id_, DIBAO) for id_ in ("L1", "L3", "L4", "L5", "L5q", "L7")]
    assert states(notify, *done) == ["met"] * 6
    assert notify.clock("L7", DIBAO).due_at == moment("2026-12-01T00:00")
    assert notify.clock("L8", DIBAO).state == "running"
    assert notify.clock("L3", DIBAO).limit == "7cd+"
    assert [notify.clock("L5q", DIBAO).pauses[0].reason, notify.clock("L5", DIBAO).pauses] == [
        "publicity",
        (),
    ]


def test_of_two_rules_for_one_duty_both_run_the_earlier_warns_and_the_page_says_so() -> None:
    notify = Notify()
    notify.read(of(assistance.CaseAccepted, FRIDAY), FRIDAY)
    national, local = notify.clock("L5", DIBAO), notify.clock("L5q", DIBAO)
    assert local.due_at < national.due_at  # type: ignore[operator]
    assert (national.yields_to, local.yields_to) == ("L5q", None)
    notify.sweep(FRIDAY + 90 * DAY)
    warned = [e.duty for _, _, _, e in notify.log if e.type == "clock.warned"]  # type: ignore[attr-defined]
    breached = {e.duty for _, _, _, e in notify.log if e.type == "clock.breached"}  # type: ignore[attr-defined]
    assert "L5q" in warned
    assert "L5" not in warned
    assert {"L5", "L5q"} <= breached
    for clock in (national, local):
        lines = [line for line in explain(clock).lines if line.kind == "conflict"]
        assert len(lines) == 1
        assert "未解决" in lines[0].zh
        assert "not settled" in lines[0].en


def test_where_the_decision_is_delegated_the_national_limit_is_the_earlier_one() -> None:
    notify = Notify()
    notify.read(of(assistance.CaseAccepted, moment("2026-03-10T10:00"), delegated=True), FRIDAY)
    national, local = notify.clock("L5", DIBAO), notify.clock("L5q", DIBAO)
    assert (national.limit, national.yields_to, local.yields_to) == ("20wd", None, "L5")


def who_warns(notify: Notify) -> set[str]:
    return {id_ for id_ in ("L5", "L5q") if notify.clock(id_, DIBAO).yields_to is None}


def test_what_makes_one_of_two_rules_the_later_one_makes_the_other_warn() -> None:
    """A longer limit, a standstill, a second acceptance: always the earlier of the two warns."""
    at = moment("2026-03-10T10:00")
    notify = Notify()
    notify.read(of(assistance.CaseAccepted, at, delegated=True), at)
    assert who_warns(notify) == {"L5"}
    notify.give(LengthenClock(target=clock_id("L5", DIBAO), reason="special_case"), at + DAY)
    assert who_warns(notify) == {"L5q"}
    (line,) = [line for line in explain(notify.clock("L5", DIBAO)).lines if line.kind == "extended"]
    assert "L5q不因此延长" in line.zh
    assert "L5q is not made longer" in line.en
    notify.sweep(moment("2026-06-30T00:00"))
    warned = [(at, e.duty) for at, _, _, e in notify.log if e.type == "clock.warned"]  # type: ignore[attr-defined]
    ((warned_at, duty),) = [each for each in warned if each[1].startswith("L5")]
    assert duty == "L5q"
    assert warned_at < notify.clock("L5q", DIBAO).due_at  # type: ignore[operator]


def test_while_one_rule_does_not_count_the_other_one_warns() -> None:
    notify = Notify()
    notify.read(of(assistance.CaseAccepted, FRIDAY), FRIDAY)
    assert who_warns(notify) == {"L5q"}
    posted = FRIDAY + 12 * DAY
    notify.read(of(assistance.NoticePosted, posted, until=posted + 11 * DAY), posted)
    assert "L5" in who_warns(notify)
    ended = posted + 25 * DAY
    notify.read(of(assistance.NoticeEnded, ended, completed=True), ended)
    national, local = notify.clock("L5", DIBAO), notify.clock("L5q", DIBAO)
    assert who_warns(notify) == {min((national.due_at, "L5"), (local.due_at, "L5q"))[1]}
    assert (national.beside_due, local.beside_due) == (local.due_at, national.due_at)


def test_a_second_acceptance_weighs_its_own_two_clocks() -> None:
    notify = Notify()
    again = FRIDAY + 30 * DAY
    for at in (FRIDAY, again):
        notify.read(of(assistance.CaseAccepted, at), at)
    own = derived_id("duty", DIBAO, again.astimezone(UTC).isoformat())
    national, local = notify.clock("L5", own), notify.clock("L5q", own)
    assert (national.yields_to, local.yields_to) == ("L5q", None)
    assert (national.beside_due, local.beside_due) == (local.due_at, national.due_at)


def test_the_clocks_of_a_case_are_its_townships_and_move_with_it() -> None:
    opened = of_case(CaseOpened, "assistance", urgency="ordinary", opened_at=FRIDAY, division="500112015")
    accepted = of(assistance.CaseAccepted, FRIDAY + HOUR)
    moved = of(assistance.JurisdictionChanged, FRIDAY + DAY, to_division="500112017")
    notify = Notify()
    for event in (opened, accepted):
        notify.read(event, FRIDAY + HOUR)
    assert {notify.clock(id_, DIBAO).owner_division for id_ in ("L1", "L5", "L5q")} == {"500112015"}
    notify.read(moved, FRIDAY + DAY)
    notify.read(of(assistance.CaseReported, FRIDAY + 2 * DAY), FRIDAY + 2 * DAY)
    assert {notify.clock(id_, DIBAO).owner_division for id_ in ("L1", "L4", "L5")} == {"500112017"}
    assert notify.clock("L1", DIBAO).started_at == FRIDAY + HOUR


def test_a_special_case_takes_up_to_45_working_days_once_and_before_it_is_due() -> None:
    notify = Notify()
    notify.read(of(assistance.CaseAccepted, FRIDAY), FRIDAY)
    longer = LengthenClock(target=clock_id("L5", DIBAO), reason="special_case")
    first = notify.clock("L5", DIBAO)
    assert not isinstance(notify.give(longer, FRIDAY + DAY), Refusal)
    clock = notify.clock("L5", DIBAO)
    assert (clock.limit, clock.due_at) == ("45wd", due_at(FRIDAY, Limit.parse("45wd")))
    assert clock.warn_at > first.warn_at  # type: ignore[operator]
    assert _code(notify.give(longer, FRIDAY + DAY)) == "clock.extended"
    for id_, at, code in (("L1", FRIDAY, "clock.no_longer"), ("L16", FRIDAY + 90 * DAY, "clock.breached")):
        notify = Notify()
        programme = "rigid_expenditure" if id_ == "L16" else "dibao"
        notify.read(of(assistance.CaseAccepted, FRIDAY, programme), FRIDAY)
        subject = DIBAO if id_ == "L1" else SMALL
        before = notify.clock(id_, subject)
        late = LengthenClock(target=clock_id(id_, subject), reason="special_case")
        assert _code(notify.give(late, at)) == code
        assert notify.clock(id_, subject) == before


def _code(outcome: list[Event] | Refusal) -> str:
    assert isinstance(outcome, Refusal)
    return outcome.code


def test_a_person_nobody_knows_is_traced_from_admission() -> None:
    notify = Notify()
    notify.read(admitted(FRIDAY), FRIDAY)
    assert started(notify) == {"L29", "L30", "L33", "L34"}
    assert notify.clock("L29", STAY).due_at == FRIDAY + DAY
    notify.read(
        requested(FRIDAY + HOUR, "R6", "public-security", case_id=STAY, service="vagrancy"), FRIDAY + HOUR
    )
    assert notify.clock("L30", STAY).state == "met"
    assert "L31" in started(notify)
    notify.read(of_stay(stay.StayIdentified, how="dna"), FRIDAY + 2 * DAY)
    assert states(notify, *((id_, STAY) for id_ in ("L29", "L30", "L33", "L34"))) == [
        "met_late", "met", "met", "met",
    ]  # fmt: skip


@pytest.mark.parametrize("told_first", ["referral", "admission"])
def test_the_police_that_were_asked_before_the_admission_are_asked(told_first: str) -> None:
    """The request's plan asks them (R6); the stay asks for the same, and nothing is sent a second time."""
    asked = application(planned("R6", "public-security", "urgent", asked_at=FRIDAY))
    told = [(asked, FRIDAY), (admitted(FRIDAY + HOUR), FRIDAY + HOUR)]
    notify = Notify()
    for event, at in told if told_first == "referral" else reversed(told):
        notify.read(event, at)
    stay_asks = {"request_id": APPLICATION, "case_id": STAY, "service": "vagrancy", "urgency": "urgent"}
    notify.read(requested(FRIDAY + HOUR, "R6", "public-security", **stay_asks), FRIDAY + HOUR)
    assert notify.types("referral").count("referral.sent") == 1
    assert notify.clock("L30", STAY).state == "met"
    notify.sweep(FRIDAY + 60 * DAY)
    assert notify.clock("L30", STAY).breached_at is None


def test_a_term_that_is_stated_later_counts_from_the_grant() -> None:
    notify = Notify()
    granted, now = FRIDAY - 500 * DAY, FRIDAY
    stated = {"decision_id": CASE, "granted_at": granted, "valid_until": FRIDAY}
    notify.read(of(assistance.TermStated, now, "rigid_expenditure", **stated), now)
    clock = notify.clock("L16-end", SMALL)
    assert (clock.started_at, clock.limit) == (granted, "12mo")
    notify.read(determined(now + DAY, "stop", "rigid_expenditure"), now + DAY)
    assert notify.clock("L16-end", SMALL).state == "met_late"


def test_the_tracing_notice_meets_its_day() -> None:
    notify = Notify()
    notify.read(admitted(FRIDAY), FRIDAY)
    notify.read(of_stay(stay.StayCareGiven, care=("food",)), FRIDAY + HOUR)
    assert notify.clock("L29", STAY).state == "running"
    notify.read(of_stay(stay.StayCareGiven, care=("food", "tracing_notice")), FRIDAY + 2 * HOUR)
    assert notify.clock("L29", STAY).state == "met"


def test_who_is_known_has_ten_days_and_no_tracing() -> None:
    notify = Notify()
    notify.read(admitted(FRIDAY, unidentified=False), FRIDAY)
    assert started(notify) == {"L32"}
    notify.read(of_stay(stay.StayReturned, to_division="500112015", means="train"), FRIDAY + DAY)
    assert notify.clock("L32", STAY).state == "met"


def test_ten_days_bind_nobody_with_signs_of_a_mental_or_intellectual_impairment() -> None:
    notify = Notify()
    notify.read(admitted(FRIDAY, unidentified=False, impaired=True), FRIDAY)
    assert started(notify) == set()


def test_where_somebody_is_to_stay_is_asked_in_ten_days_and_a_place_in_three_months() -> None:
    """R7 to the bureau meets both limits, each by what it asks for; whom nobody knows may stay on."""
    notify = Notify()
    notify.read(admitted(FRIDAY), FRIDAY)
    for days, over, l34 in ((9, "ten_days", "running"), (80, "three_months", "met")):
        at = FRIDAY + days * DAY
        wish = {"facts": {"stay_over": over}, "request_id": derived_id("wish", over)}
        asked = requested(at, "R7", "civil-affairs", case_id=STAY, service="vagrancy", **wish)
        notify.sweep(at)
        notify.read(asked, at)
        assert states(notify, ("L33", STAY), ("L34", STAY)) == ["met", l34]


def test_an_objection_to_the_end_of_tekun_is_looked_into_by_its_own_article() -> None:
    for ending, id_, article in ((False, "L12-objection", "art. 15"), (True, "L15-objection", "art. 26")):
        notify = Notify()
        notify.read(of(assistance.ObjectionRaised, FRIDAY, "tekun", ending=ending), FRIDAY)
        assert started(notify) == {id_}
        clock = notify.clock(id_, TEKUN)
        assert (clock.limit, explain(clock).law) == ("15wd", f"民发〔2021〕43号 {article}")
        notify.read(determined(FRIDAY + DAY, "stop", "tekun"), FRIDAY + DAY)
        assert notify.clock(id_, TEKUN).state == "met"


def test_an_unattended_child_is_paid_from_the_month_after() -> None:
    notify = Notify()
    granted = determined(FRIDAY, "grant", "unattended_child", per="month", amount_fen=150000)
    notify.read(granted, FRIDAY)
    assert notify.clock("L21-pay", SMALL).due_at == moment("2026-11-01T00:00")
    paid = of(assistance.PaymentStarted, FRIDAY + 20 * DAY, "unattended_child", month="2026-10")
    notify.read(paid, FRIDAY + 20 * DAY)
    assert notify.clock("L21-pay", SMALL).state == "met"


def test_that_two_rules_name_another_month_of_payment_is_said() -> None:
    notify = Notify()
    notify.read(determined(FRIDAY, "grant", per="month", amount_fen=60000), FRIDAY)
    assert "art. 22 为批准当月，冲突未解决" in explain(notify.clock("L7", DIBAO)).lines[0].zh


def test_a_withdrawal_ends_what_the_law_lets_it_end() -> None:
    notify = Notify()
    notify.read(of(assistance.CaseAccepted, FRIDAY), FRIDAY)
    notify.read(admitted(FRIDAY), FRIDAY)
    notify.read(withdrawn(FRIDAY + DAY), FRIDAY + DAY)
    assert states(notify, ("L1", DIBAO), ("L5", DIBAO), ("L5q", DIBAO)) == ["cancelled"] * 3
    assert states(notify, ("L30", STAY), ("L33", STAY), ("L34", STAY)) == ["running"] * 3


def test_what_is_accepted_after_a_withdrawal_has_clocks_of_its_own() -> None:
    notify = Notify()
    notify.read(withdrawn(FRIDAY), FRIDAY)
    notify.read(of(assistance.CaseAccepted, FRIDAY + DAY), FRIDAY + DAY)
    assert notify.clock("L1", DIBAO).state == "running"


def test_a_proceeding_that_ends_ends_its_own_clocks_only() -> None:
    notify = Notify()
    for programme in ("dibao", "tekun"):
        notify.read(of(assistance.CaseAccepted, FRIDAY, programme), FRIDAY)
    notify.read(of(assistance.ProceedingEnded, FRIDAY + DAY, reason="not_cooperating"), FRIDAY + DAY)
    assert states(notify, ("L1", DIBAO), ("L11", TEKUN)) == ["cancelled", "running"]
    notify.read(of(CaseTransferred, FRIDAY + 2 * DAY, to="500109", reason="moved"), FRIDAY + 2 * DAY)
    assert notify.clock("L11", TEKUN).state == "cancelled"


def test_a_second_acceptance_of_one_proceeding_counts_for_itself() -> None:
    notify = Notify()
    for at in (FRIDAY, FRIDAY + 30 * DAY):
        notify.read(of(assistance.CaseAccepted, at), at)
        notify.read(of(assistance.InvestigationStarted, at + DAY, investigators=2), at + DAY)
    clocks: list[Clock] = [
        clock for (kind, _), clock in notify.states.items() if kind == "clock" and clock.duty == "L1"
    ]
    assert sorted(clock.end.at for clock in clocks if clock.end) == [FRIDAY + DAY, FRIDAY + 31 * DAY]


def test_what_turns_out_to_be_a_childs_is_kept_as_closely_from_then_on() -> None:
    notify = Notify()
    notify.read(of(assistance.CaseAccepted, FRIDAY), FRIDAY)
    assert not notify.clock("L1", DIBAO).child
    notify.read(of(assistance.InvestigationStarted, FRIDAY + DAY, investigators=2, child=True), FRIDAY + DAY)
    assert notify.clock("L5", DIBAO).child


PROTECTION = derived_id("case", APPLICATION, "child-welfare")
RETURNED = moment("2026-03-10T10:00")


def home(vagrant: bool = True) -> Event:
    return of_case(protection.ReturnedHome, "child-welfare", at=RETURNED, vagrant=vagrant)


def visit(day: str) -> Event:
    return of_case(protection.FollowedUp, "child-welfare", at=moment(day))


def visits(notify: Notify) -> list[tuple[str, str | None]]:
    """Of each quarter's visit, in their order: its first day, and what became of it."""
    clocks = [state for (kind, _), state in notify.states.items() if kind == "clock" and state.duty == "L23"]
    return sorted((f"{clock.started_at.astimezone(SHANGHAI):%Y-%m-%d}", clock.state) for clock in clocks)


def told(*events: Event) -> Notify:
    notify = Notify()
    for event in events:
        at = getattr(event, "at", None) or getattr(event, "told", None) or FRIDAY
        notify.sweep(at)
        notify.read(event, at)
    return notify


def test_a_child_of_the_street_is_visited_once_in_every_quarter_from_its_return() -> None:
    """Early in one quarter and late in the next is once in each; the next one begins where one ends."""
    notify = told(home(), visit("2026-03-20T10:00"), visit("2026-04-01T10:00"), visit("2026-09-09T10:00"))
    assert visits(notify) == [("2026-03-10", "met"), ("2026-06-10", "met"), ("2026-09-10", "running")]
    last = max((c for (kind, _), c in notify.states.items() if kind == "clock"), key=lambda c: c.started_at)
    assert (last.limit, last.due_at) == ("3mo*", moment("2026-12-11T00:00"))
    assert "每3个月一次" in explain(last).lines[0].zh
    assert (last.owner, last.source, last.certainty) == ("minor-protection-centre", "statutory", "assumed")


def test_a_quarter_without_a_visit_is_late_until_the_next_visit_which_counts_for_its_own() -> None:
    notify = told(home(), visit("2026-10-01T10:00"))
    assert visits(notify) == [("2026-03-10", "met_late"), ("2026-12-10", "running")]
    assert notify.at("clock.breached") == [moment("2026-06-11T00:00")]


def test_nobody_visits_who_never_lived_on_the_street_nor_after_the_end() -> None:
    assert visits(told(home(vagrant=False), visit("2026-03-20T10:00"))) == []
    ended = of_case(CaseClosed, "child-welfare", reason="safe_at_home")
    notify = told(home(), visit("2026-03-20T10:00"))
    notify.read(withdrawn(RETURNED + 11 * DAY), RETURNED + 11 * DAY)
    assert visits(notify) == [("2026-03-10", "met"), ("2026-06-10", "running")]
    notify.read(ended, RETURNED + 12 * DAY)
    assert visits(notify) == [("2026-03-10", "met"), ("2026-06-10", "cancelled")]
    notify.read(visit("2026-07-01T10:00"), moment("2026-07-01T10:00"))
    assert len(visits(notify)) == 2


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_visit_that_is_told_before_the_return_counts_as_well(order: tuple[int, ...]) -> None:
    """One topic keeps the order; a docket that has a visit before its start loses nothing all the same."""
    docket_, of_ = docket.Docket(), {"application_id": APPLICATION, "chain_id": CHAIN}
    target = docket.docket_id(APPLICATION)
    owed = docket.Owed(id="L23", base=PROTECTION, started_at=RETURNED, limit="3mo*", by="x")
    settled = [
        docket.Settlement(ids=("L23",), scope=PROTECTION, at=moment(day), ending="met", by="y")
        for day in ("2026-03-20T10:00", "2026-07-01T10:00")
    ]
    commands: list[docket.OfDocket] = [
        docket.Owe(target=target, **of_, owed=(owed,)),
        *(docket.Settle(target=target, **of_, settlement=each) for each in settled),
    ]
    for number in order:
        for event in docket.decide(docket_, commands[number], Context(SYSTEM, RETURNED)):
            docket_ = docket.evolve(docket_, event)
    starts = {each.started_at for each in docket_.owed}
    assert {moment("2026-03-10T10:00"), moment("2026-06-10T10:00"), moment("2026-09-10T10:00")} <= starts


def taken(since: str, after_harm: bool = True) -> Event:
    facts = {"at": RETURNED, "since": moment(since), "after_harm": after_harm}
    return of_case(protection.CareTaken, "child-welfare", **facts)


def test_temporary_care_after_a_guardians_harm_counts_a_year_from_the_orders_day() -> None:
    notify = told(taken("2026-03-02"))
    clock = notify.clock("L28", PROTECTION)
    assert (clock.started_at, clock.due_at) == (moment("2026-03-02"), moment("2027-03-03T00:00"))
    assert (clock.owner, clock.certainty) == ("minor-protection-centre", "assumed")
    notify.read(withdrawn(RETURNED + DAY), RETURNED + DAY)
    assert notify.clock("L28", PROTECTION).state == "running"
    notify.read(of_case(CaseDecided, "child-welfare", outcome="plan_made", reason="foster_care"), FRIDAY)
    assert notify.clock("L28", PROTECTION).state == "met"


def test_another_ground_than_harm_has_no_such_year() -> None:
    assert started(told(taken("2026-03-02", after_harm=False))) == set()
    notify = told(taken("2026-03-02"), taken("2026-03-02", after_harm=False))
    assert notify.clock("L28", PROTECTION).state == "cancelled"


PLAN = application(planned(), duties=[duty("L5", "30wd"), duty("L17", "3cd!")])
PAIRS: dict[str, tuple[Event, datetime]] = {
    "intake.application: received": (PLAN, FRIDAY),
    "intake.application: withdrawn": (withdrawn(FRIDAY + 3 * DAY), FRIDAY + 3 * DAY),
    "intake.alarm: supplemented": (
        application(
            planned("R9", "health", "critical", asked_at=FRIDAY + 2 * HOUR),
            duties=[duty("L5", "30wd"), duty("L17", "3cd!")],
            at=FRIDAY + 2 * HOUR,
            supplement=True,
        ),
        FRIDAY + 2 * HOUR,
    ),
    "intake.suspicion: named": (
        UnitSuspected(application_id=APPLICATION, chain_id=CHAIN, department="village"),
        FRIDAY + 2 * HOUR,
    ),
    "assistance.case: accepted": (of(assistance.CaseAccepted, FRIDAY + HOUR), FRIDAY + HOUR),
    "assistance.case: determined": (determined(FRIDAY + DAY), FRIDAY + DAY),
    "vagrancy.stay: admitted": (admitted(FRIDAY + HOUR), FRIDAY + HOUR),
    "vagrancy.stay: left": (of_stay(stay.StayLeft, reason="own_wish"), FRIDAY + 2 * DAY),
    "child-welfare.case: decided": (
        of_case(CaseDecided, "child-welfare", outcome="helped", reason="aid_first"),
        FRIDAY + DAY,
    ),
    "charity.need: requested": (requested(FRIDAY + HOUR, service="charity"), FRIDAY + HOUR),
    "assistance.case: withdrawn": (
        of_case(CaseWithdrawn, "assistance", withdrawn_at=FRIDAY + 3 * DAY),
        FRIDAY + 3 * DAY,
    ),
}


def _in_order(names: tuple[str, ...]) -> bool:
    """Within one topic a chain's events come as they were written."""
    seen: dict[str, datetime] = {}
    for name in names:
        topic = name.partition(":")[0]
        if PAIRS[name][1] < seen.get(topic, PAIRS[name][1]):
            return False
        seen[topic] = PAIRS[name][1]
    return True


def _picture(names: tuple[str, ...], swept: bool) -> dict[Any, Any]:
    notify = Notify()
    for name in names:
        notify.read(*PAIRS[name])
        if swept:
            notify.sweep(FRIDAY + 120 * DAY)
    notify.sweep(FRIDAY + 120 * DAY)
    return notify.picture()


def _pairs() -> Iterator[tuple[str, str]]:
    names = list(PAIRS)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            if first.partition(":")[0] != second.partition(":")[0]:
                yield first, second


def test_the_pairs_are_of_every_topic_that_notify_reads() -> None:
    """But dead letters, which are of no chain."""
    assert {name.partition(":")[0] for name in PAIRS} == set(SERVICE.reads) - {LETTER}


@pytest.mark.parametrize("swept", [False, True])
@pytest.mark.parametrize("pair", list(_pairs()), ids=" / ".join)
def test_every_pair_of_topics_in_both_orders(pair: tuple[str, str], swept: bool) -> None:
    """The other events come before in one order, and each pair is turned round among them."""
    others = tuple(name for name in PAIRS if name not in pair)
    for before in ((), others):
        first, second = (*before, *pair), (*before, *reversed(pair))
        if _in_order(first) and _in_order(second):
            assert _picture(first, swept) == _picture(second, swept)


def test_any_order_of_all_topics_gives_the_same_clocks() -> None:
    left_out = ("charity", "child-welfare", "intake.alarm", "intake.suspicion")
    names = [name for name in PAIRS if not name.startswith(left_out)]
    pictures = [_picture(order, False) for order in permutations(names) if _in_order(order)]
    assert len(pictures) > 100
    assert all(picture == pictures[0] for picture in pictures)


@pytest.mark.parametrize(
    ("household", "limit"),
    [
        ({"unstable": False}, "12mo"),
        ({"unstable": True}, "6mo"),
        ({"unstable": True, "household_kind": "jobless_rural"}, "3mo"),
        ({"unstable": True, "household_kind": "jobless_urban"}, "1mo"),
    ],
)
def test_the_more_of_a_household_could_work_the_sooner_it_is_looked_at_again(
    household: dict[str, Any], limit: str
) -> None:
    notify = Notify()
    told = determined(FRIDAY, "grant", per="month", amount_fen=60000, **household)
    notify.read(told, FRIDAY)
    assert notify.clock("L8", DIBAO).limit == limit


def test_a_changed_duty_applies_to_clocks_started_after_it() -> None:
    """The old version goes on to its last day; each clock names the version that it runs under."""
    changed = TEXT.replace(
        "  - id: L2\n",
        """  - id: L1
    programme: [dibao, single_person]
    start: [accepted, case.accepted]
    limit: 5wd
    owner: civil-affairs
    source: an invented amendment
    kind: local
    certainty: assumed
    from: "2026-10-01"
  - id: L2
""",
        1,
    )
    known = parse_duties(changed)
    rows = known.started_by["case.accepted"]
    limits = {
        day: [str(row.limit) for row in known.in_force(rows, moment(day)) if row.id == "L1"]
        for day in ("2020-01-01", "2026-09-30", "2026-10-01", "2027-01-01")
    }
    assert list(limits.values()) == [["3wd"], ["3wd"], ["5wd"], ["5wd"]]
    versions = {row.version for row in known.rows if row.id == "L1"}
    assert versions == {"L1/dibao/2021-07-01", "L1/dibao/2026-10-01"}


def test_a_clock_keeps_the_version_it_started_under() -> None:
    notify = Notify()
    notify.read(of(assistance.CaseAccepted, FRIDAY), FRIDAY)
    clock = notify.clock("L1", DIBAO)
    assert clock.policy == "L1/dibao/2021-07-01"
    assert duties.law("L1", clock.policy) == "民发〔2021〕57号 art. 15"
    notify.read(determined(FRIDAY + DAY, "refuse"), FRIDAY + DAY)
    notify.read(of(assistance.CaseAccepted, FRIDAY, "tekun"), FRIDAY)
    notify.read(determined(FRIDAY + DAY, "refuse", "tekun"), FRIDAY + DAY)
    laws = [duties.law("L6", notify.clock("L6", subject).policy) for subject in (DIBAO, TEKUN)]
    assert laws == ["民发〔2021〕57号 art. 21", "民发〔2021〕43号 art. 18"]
