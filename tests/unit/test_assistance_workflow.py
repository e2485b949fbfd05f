"""The programmes' workflows: the straight way, every condition, the derived table and diagram."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import pytest

from onedoor.assistance.documents import workflows_page
from onedoor.assistance.domain import approval, guards
from onedoor.assistance.domain.proceeding import STATES, HouseholdFacts, OtherAid
from onedoor.assistance.domain.programmes import COMMANDS, WORKFLOWS
from onedoor.assistance.domain.table import Branch
from onedoor.assistance.domain.workflow import Act, OpenProceeding, StartPayment, StateTerm, next_month
from onedoor.assistance.payments.schedule import month_number, owed, schedule
from onedoor.calendar import local
from onedoor.contracts import referral_rules
from onedoor.contracts.case import Close, Decide, Transfer, WithdrawCase
from onedoor.contracts.core import SYSTEM, Actor, Refusal
from onedoor.contracts.events import assistance as events
from onedoor.contracts.events.case import CaseDecided, ReferralRequested
from onedoor.contracts.registry import BY_VERSION
from onedoor.contracts.work import NoteReferral, referral_id
from onedoor.runtime.access import may
from onedoor.triage.duties import packaged_duties
from tests.casework import ADULT, APPLICATION, CHAIN, CHILD
from tests.proceedings import (
    CASEWORKER,
    DISTRICT,
    HOUSEHOLD,
    INVESTIGATORS,
    OTHER_DISTRICT,
    REVIEWER,
    START,
    Walk,
    assessed,
)

POSTED = ("dibao", "dibao_edge", "single_person", "tekun", "rigid_expenditure", "temporary_expenditure")


@pytest.mark.parametrize("programme", POSTED)
def test_the_straight_way_from_application_to_confirmation(programme: str) -> None:
    walk = Walk(programme).to("granted")
    assert walk.types() == [
        "case.opened",
        "case.taken_up",
        "case.proceeding_opened",
        "case.accepted",
        "case.investigation_started",
        "referral.requested",
        "case.opinion_given",
        "case.notice_posted",
        "case.notice_ended",
        "case.reported",
        "case.determined",
        "case.decided",
    ]
    decision = walk.proceeding.in_force
    assert decision is not None
    assert (decision.kind, decision.rule_version, decision.decided_by) == ("grant", "rules-1", "dist-1")
    amounts = {"dibao": 47_000, "single_person": 47_000, "tekun": 47_000, "temporary_expenditure": 200_000}
    assert decision.amount_fen == amounts.get(programme, 0)
    assert decision.manual == (programme == "temporary_expenditure")
    once = programme == "temporary_expenditure"
    pays = dict.fromkeys(("dibao", "single_person", "tekun"), ("2026-04", None))
    months = ("2026-03", "2026-03") if once else pays.get(programme, (None, None))
    assert (decision.first_month, decision.last_month) == months
    rigid = programme == "rigid_expenditure"
    assert (decision.review_by is None) == (once or rigid)
    assert (decision.valid_until is not None) == rigid
    assert walk.case.state == "decided"
    assert walk.folded() == walk.case


@pytest.mark.parametrize("programme", ["unattended_child", "orphan"])
def test_a_childs_allowance_is_checked_by_data_and_never_posted(programme: str) -> None:
    walk = Walk(programme).to("accepted")
    walk.household()
    assert walk.says("give-opinion", recommendation="grant") == "findings.missing"
    walk.step("record-findings", findings="as_stated", statement="数据比对一致")
    assert walk.says("give-opinion", recommendation="grant") == "opinion"
    assert "post-notice" not in WORKFLOWS[programme].by_command
    assert walk.says("report") == "reported"
    clocks = {"L21"} if programme == "unattended_child" else set()
    assert walk.owed() == clocks
    assert walk.says("confirm", REVIEWER) == "confirm.tier"
    assert walk.says("confirm", DISTRICT) == "granted"
    assert walk.owed() == {"L8", *(("L21-pay",) if clocks else ())}
    assert walk.proceeding.in_force is not None
    assert walk.proceeding.in_force.first_month == "2026-04"
    assert not {"case.notice_posted", "referral.requested"} & set(walk.types())
    assert walk.folded() == walk.case


def test_what_data_leave_in_dispute_about_a_child_is_visited_first() -> None:
    walk = Walk("unattended_child").to("accepted")
    assert walk.owed() == {"L20"}
    walk.household()
    walk.step("record-findings", findings="differs", statement="父亲去向存疑")
    assert walk.says("give-opinion", recommendation="grant") == "findings.disputed"
    walk.step("start-investigation", investigators=INVESTIGATORS)
    walk.step("record-findings", findings="differs", statement="邻里证明")
    assert walk.says("give-opinion", recommendation="grant") == "opinion"


def test_small_aid_is_paid_first_and_its_papers_follow() -> None:
    walk = Walk("temporary_small")
    assert walk.says("pay-first", REVIEWER, amount_fen=50_000, reason="急需") == "step.state"
    walk.step("confirm-urgency", statement="突发火灾")
    assert walk.says("pay-first", CASEWORKER, amount_fen=50_000, reason="急需") == "step.role"
    assert walk.says("pay-first", REVIEWER, amount_fen=77_001, reason="急需") == "amount.ceiling"
    assert walk.says("pay-first", REVIEWER, amount_fen=50_000, reason="急需") == "papers"
    decision = walk.proceeding.in_force
    assert decision is not None
    version = approval.packaged().version
    assert (decision.amount_fen, decision.manual, decision.rule_version) == (50_000, True, version)
    assert decision.reason == walk.case.reason == "aid_first"
    assert walk.case.outcome == "helped"
    assert walk.says("complete-papers", papers=("event_proof",)) == "granted"
    assert "case.notice_posted" not in walk.types()


def test_missing_papers_are_asked_for_once_and_all_together() -> None:
    walk = Walk()
    assert walk.says("ask-supplement", papers=("id_card", "bills")) == "supplement"
    assert walk.says("receive-supplement", papers=("id_card", "bills")) == "received"
    assert walk.says("ask-supplement", papers=("diagnosis",)) == "supplement.once"


@pytest.mark.parametrize(
    ("role", "did"),
    [("reviewer", "record-findings"), ("district", "start-investigation"), ("district", "record-findings")],
)
def test_who_took_part_before_it_was_sent_back_does_not_confirm_either(role: str, did: str) -> None:
    """Investigated anew by others, it stays what the first ones worked on."""
    first = Actor(person="first-1", role=role, division="500112015")
    walk = Walk()
    walk.step("accept", delegated=True)
    named = ({"person": "first-1", "unit": "district"}, INVESTIGATORS[0])
    walk.step("start-investigation", investigators=named if did == "start-investigation" else INVESTIGATORS)
    walk.household()
    walk.authorise()
    walk.step("request-check")
    walk.answer_check()
    walk.step("record-findings", first, findings="as_stated", statement="一致")
    walk.step("give-opinion", recommendation="grant")
    walk.step("reconsider-opinion", statement="重查")
    walk.step("start-investigation", investigators=INVESTIGATORS)
    walk.step("record-findings", findings="as_stated", statement="一致")
    walk.step("give-opinion", recommendation="grant")
    walk.to("reported")
    assert walk.says("confirm", first) == "confirm.same_person"
    assert walk.says("confirm", OTHER_DISTRICT) == "granted"


def test_small_aid_has_two_people_whichever_way_it_is_paid() -> None:
    """Aid first waits for nobody: the second person signs with the papers."""
    walk = Walk("temporary_small")
    walk.step("confirm-urgency", REVIEWER, statement="突发火灾")
    assert walk.says("confirm", REVIEWER, amount_fen=50_000, reason="核定") == "confirm.same_person"
    assert walk.says("pay-first", REVIEWER, amount_fen=50_000, reason="急需") == "papers"
    assert walk.says("complete-papers", REVIEWER, papers=("event_proof",)) == "papers.same_person"
    assert walk.says("complete-papers", papers=("event_proof",)) == "granted"


def test_who_began_a_review_does_not_decide_it() -> None:
    walk = Walk().to("granted")
    walk.step("start-review", DISTRICT, reason="periodic")
    less = assessed("dibao", amount=20_000)
    assert walk.says("adjust", DISTRICT, less) == "review.same_person"
    assert walk.says("stop", DISTRICT, reason="own_wish") == "review.same_person"
    assert walk.says("adjust", OTHER_DISTRICT, less) == "granted"
    walk.step("start-review", OTHER_DISTRICT, reason="periodic")
    assert walk.says("adjust", DISTRICT, less) == "granted"


@pytest.mark.parametrize(
    ("late", "says"),
    [({"staff": "vil-1"}, "investigators.relative"), ({"staff": "x-1"}, "investigators.relative")],
)
def test_a_relative_found_out_later_is_visited_by_the_district_too(late: dict[str, str], says: str) -> None:
    walk = Walk().to("investigating")
    walk.step("register-relative", **late)
    assert walk.says("record-findings", findings="as_stated", statement="一致") == says
    reported = Walk().to("reported")
    reported.step("register-relative", **late)
    assert reported.says("confirm", DISTRICT) == says
    reported.step("send-back", DISTRICT, statement="须由区级入户")
    reported.step("start-investigation", investigators=(INVESTIGATORS[0], FROM_DISTRICT))
    reported.to("reported")
    assert reported.says("confirm", OTHER_DISTRICT) == "granted"


def test_what_is_confirmed_is_the_file_that_was_investigated_and_posted() -> None:
    walk = Walk().to("reported")
    changed = HOUSEHOLD.model_copy(update={"digest": "file-2"})
    walk.household(changed)
    found = assessed("dibao", amount=90_000).model_copy(update={"household": "file-2"})
    assert walk.says("confirm", DISTRICT, found) == "confirm.file_changed"
    walk.step("send-back", DISTRICT, statement="档案已变更")
    assert walk.proceeding.state == "investigating"


RELATIVE = {"staff": "vil-1"}
FROM_DISTRICT = {"person": "dist-2", "unit": "district"}


@pytest.mark.parametrize(
    ("before", "investigators", "says"),
    [
        ({}, INVESTIGATORS[:1], "investigators.two"),
        ({}, (INVESTIGATORS[0], INVESTIGATORS[0]), "investigators.two"),
        ({"register-relative": RELATIVE}, INVESTIGATORS, "investigators.relative"),
        ({"register-relative": RELATIVE}, (INVESTIGATORS[1], FROM_DISTRICT), "investigators.relative"),
        ({"register-relative": RELATIVE}, (INVESTIGATORS[0], FROM_DISTRICT), "investigating"),
        (
            {
                "withhold-notice": {
                    "ground": "protection_chain",
                    "statement": "保密",
                    "fled_from": "500112015",
                }
            },
            INVESTIGATORS,
            "investigators.unit",
        ),
        (
            {"withhold-notice": {"ground": "hidden_address", "statement": "保密", "fled_from": "500112"}},
            INVESTIGATORS,
            "investigators.unit",
        ),
        (
            {"withhold-notice": {"ground": "hidden_address", "statement": "保密", "fled_from": "500106"}},
            (INVESTIGATORS[0], {"person": "vil-1", "unit": "village"}),
            "investigators.unit",
        ),
        (
            {"withhold-notice": {"ground": "hidden_address", "statement": "保密", "fled_from": "500106"}},
            INVESTIGATORS,
            "investigating",
        ),
        ({}, INVESTIGATORS, "investigating"),
    ],
)
def test_who_may_visit(before: dict[str, Any], investigators: Any, says: str) -> None:
    walk = Walk().to("accepted")
    for name, said in before.items():
        walk.step(name, **said)
    assert walk.says("start-investigation", investigators=investigators) == says


def test_the_check_is_drafted_until_every_counted_adult_has_signed() -> None:
    other = uuid4()
    walk = Walk().to("investigating")
    assert walk.says("request-check") == "household.missing"
    walk.household(HouseholdFacts(digest="f", size=3, adults=(ADULT, other), people={"a": ADULT, "b": other}))
    assert walk.says("request-check") == "investigating"
    assert walk.says("request-check") == "check.drafted"
    assert "referral.requested" not in walk.types()
    walk.authorise()
    assert "referral.requested" not in walk.types()
    walk.authorise(other)
    (asked,) = [event for event in walk.events if isinstance(event, ReferralRequested)]
    assert (asked.rule, asked.to, asked.request_id) == ("R16", "verification-centre", APPLICATION)
    assert asked.facts == {"household_size": 3, "written_authorisation": True}
    assert walk.says("request-check") == "check.running"
    walk.answer_check("differs")
    assert walk.proceeding.check_result == "not_met"
    walk.step("record-findings", findings="differs", statement="收入不符")
    found = assessed("dibao").model_copy(update={"household": "f"})
    assert walk.says("give-opinion", assessment=found, recommendation="grant") == "check.missing"
    assert walk.says("request-check") == "investigating"
    assert [each for each in walk.types() if each == "referral.requested"] == ["referral.requested"] * 2
    assert walk.proceeding.check_result is None
    walk.answer_check()
    assert walk.proceeding.check_result == "met"
    stranger = walk.authorise(CHILD)
    assert isinstance(stranger, Refusal)
    assert stranger.field == "person_id"


@pytest.mark.parametrize(
    ("report", "result"), [("consistent", "met"), ("differs", "not_met"), ("incomplete", "unclear")]
)
def test_the_result_of_the_check_is_the_answer_of_its_referral(report: str, result: str) -> None:
    walk = Walk().to("investigating")
    walk.household()
    walk.authorise()
    walk.step("request-check")
    walk.answer_check(report)
    assert walk.proceeding.check_result == result
    walk.answer_check(state="reopened")
    assert walk.proceeding.check_result is None
    assert walk.says("request-check") == "check.running"
    assert walk.folded() == walk.case


@pytest.mark.parametrize("state", ["returned", "revoked"])
def test_a_check_that_was_not_done_can_be_asked_for_again(state: str) -> None:
    walk = Walk().to("investigating")
    walk.household()
    walk.authorise()
    walk.step("request-check")
    walk.answer_check(state=state)
    assert walk.says("request-check") == "investigating"
    first, second = [event for event in walk.events if isinstance(event, ReferralRequested)]
    assert first.request_id != second.request_id
    walk.answer_check()
    assert walk.proceeding.check_result == "met"


def test_a_check_answered_before_it_was_asked_for_is_asked_for_anew() -> None:
    """The plan's own R16 may be answered before there is a household's file."""
    walk = Walk().to("investigating")
    walk.do(
        NoteReferral(
            target=walk.id,
            application_id=APPLICATION,
            chain_id=CHAIN,
            referral_id=referral_id(APPLICATION, "R16", "verification-centre"),
            rule="R16",
            to="verification-centre",
            urgency="ordinary",
            state="answered",
        )
    )
    walk.household()
    walk.authorise()
    walk.step("request-check")
    (asked,) = [event for event in walk.events if isinstance(event, ReferralRequested)]
    assert asked.request_id != APPLICATION


def test_a_drafted_check_goes_out_when_the_file_no_longer_counts_who_has_not_signed() -> None:
    other = uuid4()
    walk = Walk().to("investigating")
    walk.household(HouseholdFacts(digest="f", size=3, adults=(ADULT, other), people={"a": ADULT, "b": other}))
    walk.step("request-check")
    walk.authorise()
    assert walk.proceeding.check_drafted
    walk.household()
    assert not walk.proceeding.check_drafted
    assert "referral.requested" in walk.types()


def test_a_check_of_another_file_carries_no_opinion() -> None:
    walk = Walk().to("investigating")
    walk.household(HOUSEHOLD.model_copy(update={"digest": "before"}))
    walk.authorise()
    walk.step("request-check")
    walk.answer_check()
    walk.step("record-findings", findings="as_stated", statement="一致")
    walk.household()
    assert walk.says("give-opinion", recommendation="grant") == "check.stale"
    assert walk.says("request-check") == "investigating"
    walk.answer_check()
    assert walk.says("give-opinion", recommendation="grant") == "opinion"


def test_no_opinion_without_findings_and_none_against_the_rules() -> None:
    walk = Walk().to("investigating")
    assert walk.says("give-opinion", recommendation="grant") == "household.missing"
    walk.household()
    assert walk.says("give-opinion", recommendation="grant") == "findings.missing"
    walk.step("record-findings", findings="as_stated", statement="一致")
    walk.authorise()
    walk.step("request-check")
    walk.answer_check()
    refused = assessed("dibao", "not_eligible")
    assert walk.says("give-opinion", assessment=None, recommendation="grant") == "assessment.missing"
    assert walk.says("give-opinion", assessment=refused, recommendation="grant") == "assessment.not_eligible"
    stale = assessed("dibao").model_copy(update={"household": "an older file"})
    assert walk.says("give-opinion", assessment=stale, recommendation="grant") == "assessment.stale"
    assert walk.says("give-opinion", assessment=refused, recommendation="refuse") == "opinion"
    assert walk.says("post-notice") == "notice.refusal"
    assert walk.says("report") == "reported"
    assert walk.says("confirm", DISTRICT) == "confirm.not_recommended"


def test_the_notice_stands_seven_days_and_three_more_after_an_objection() -> None:
    walk = Walk().to("opinion")
    assert walk.says("report") == "notice.skipped"
    walk.to("notice")
    until = walk.proceeding.notice_until
    assert until is not None
    assert until.isoformat() == "2026-03-11T00:00:00+08:00"
    walk.later(days=6)
    assert walk.says("end-notice") == "notice.running"
    assert walk.says("object", statement="邻居反映其有工作") == "objection"
    assert walk.says("settle-objection", result="rejected", statement="查无此事") == "opinion"
    assert walk.says("report") == "notice.skipped"
    walk.step("post-notice")
    assert walk.proceeding.notice_round == 2
    walk.later(days=4)
    assert walk.says("end-notice") == "reported"


def test_an_objection_that_holds_is_investigated_anew() -> None:
    walk = Walk().to("notice")
    walk.step("object", statement="家中有车")
    assert walk.says("settle-objection", result="upheld", statement="属实") == "investigating"
    assert walk.says("give-opinion", recommendation="refuse") == "findings.missing"


@pytest.mark.parametrize("sealed", [True, False])
def test_no_notice_tells_who_must_not_be_found(sealed: bool) -> None:
    walk = Walk(sealed=sealed).to("accepted")
    ground = "protection_chain" if sealed else "minor_applicant"
    if sealed:
        asked_first = walk.says("start-investigation", investigators=INVESTIGATORS)
        assert asked_first == "investigators.withhold_first"
    walk.to("opinion")
    walk.household(HOUSEHOLD.model_copy(update={"minor": not sealed}))
    assert walk.says("post-notice") == "notice.withheld"
    if not sealed:
        assert walk.says("report") == "notice.skipped"
        assert walk.says("withhold-notice", ground=ground, statement="书面理由") == "opinion"
    assert walk.says("report") == "reported"
    said = " ".join(event.model_dump_json() for event in walk.events if event.topic())
    assert ground not in said


def test_a_child_in_special_hardship_is_never_posted_and_no_other_name_is_posted_for_them() -> None:
    """Whose applicant is a minor is asked of the person helped, not of the head of the household."""
    walk = Walk("tekun").to("opinion")
    walk.household(HOUSEHOLD.model_copy(update={"minors": (ADULT,)}))
    assert walk.says("post-notice") == "notice.withheld"
    assert walk.says("withhold-notice", ground="minor_applicant", statement="未成年") == "opinion"
    assert walk.says("report") == "reported"


@pytest.mark.parametrize("state", ["notice", "objection"])
@pytest.mark.parametrize("how", ["chain", "file"])
def test_a_notice_that_stands_is_taken_down_at_once_when_protection_becomes_known(
    state: str, how: str
) -> None:
    walk = Walk().to("notice")
    if state == "objection":
        walk.step("object", statement="邻居来电")
    if how == "chain":
        walk.told_again(sealed=True)
    else:
        walk.household(HOUSEHOLD.model_copy(update={"minor": True}))
    assert walk.proceeding.state == "opinion"
    ended = next(event for event in reversed(walk.events) if isinstance(event, events.NoticeEnded))
    assert not ended.completed
    assert "L3" not in walk.owed()
    assert walk.says("post-notice") == "notice.withheld"
    assert walk.folded() == walk.case


def test_who_fled_is_not_visited_by_investigators_named_before_nor_handed_over_there() -> None:
    walk = Walk().to("investigating")
    walk.step("withhold-notice", ground="hidden_address", statement="保密", fled_from="500112015")
    assert walk.says("record-findings", findings="as_stated", statement="一致") == "investigators.unit"
    walk.step("hand-over", to_division="500112017")
    assert walk.says("hand-over", to_division="500112015") == "handover.fled_from"
    others = [{"person": f"o-{n}", "unit": "township", "division": "500112017"} for n in (1, 2)]
    walk.step("start-investigation", investigators=others)
    assert walk.says("record-findings", findings="as_stated", statement="一致") == "investigating"


def test_a_minor_is_a_ground_only_where_the_file_says_so() -> None:
    walk = Walk().to("opinion")
    assert walk.says("withhold-notice", ground="minor_applicant", statement="x") == "notice.ground"


def test_a_notice_is_taken_down_when_danger_becomes_known() -> None:
    walk = Walk().to("notice")
    assert walk.says("take-down-notice", ground="hidden_address", statement="需保密") == "opinion"
    assert walk.says("post-notice") == "notice.withheld"
    assert walk.says("report") == "reported"
    assert walk.says("confirm", DISTRICT) == "granted"


@pytest.mark.parametrize(
    ("person", "says"),
    [("cw-1", "confirm.same_person"), ("vil-1", "confirm.same_person"), ("dist-9", "granted")],
)
def test_who_investigated_does_not_confirm(person: str, says: str) -> None:
    walk = Walk().to("reported")
    assert walk.says("confirm", Actor(person=person, role="district")) == says


def test_a_relative_does_not_confirm() -> None:
    walk = Walk().to("accepted")
    walk.step("register-relative", staff="dist-1")
    walk.step("start-investigation", investigators=(INVESTIGATORS[0], FROM_DISTRICT))
    walk.to("reported")
    assert walk.says("confirm", DISTRICT) == "confirm.relative"


@pytest.mark.parametrize(
    ("amount", "role", "says"),
    [
        (300_000, "reviewer", "granted"),
        (300_001, "reviewer", "confirm.tier"),
        (2_000_000, "district", "granted"),
        (2_000_001, "district", "confirm.discussion"),
    ],
)
def test_tiers_of_approval_by_amount(amount: int, role: str, says: str) -> None:
    walk = Walk("temporary_expenditure").to("reported")
    unknown = assessed("temporary_expenditure", amount=None)
    actor = Actor(person="other", role=role, division="500112015")
    assert walk.says("confirm", actor, unknown, amount_fen=amount, reason="核定") == says


def test_one_matter_one_discussion_allows_what_the_tiers_and_rules_do_not() -> None:
    walk = Walk("temporary_expenditure").to("reported")
    sat = {"participants": ("a", "b", "c"), "result": "support", "amount_fen": 2_500_000, "statement": "纪要"}
    assert walk.says("discuss", **sat | {"participants": ("a", "a", "b")}) == "discussion.three"
    walk.step("discuss", **sat)
    unknown = assessed("temporary_expenditure", "not_eligible", None)
    said = {"reason": "一事一议"}
    assert walk.says("confirm", DISTRICT, unknown, amount_fen=2_500_001, **said) == "amount.ceiling"
    assert walk.says("confirm", DISTRICT, unknown, amount_fen=2_500_000, **said) == "granted"


def test_the_township_confirms_only_where_that_was_delegated() -> None:
    own, delegated = Walk(), Walk()
    own.to("reported")
    delegated.step("accept", delegated=True)
    delegated.to("reported")
    assert own.says("confirm", REVIEWER) == "confirm.tier"
    assert delegated.says("confirm", REVIEWER) == "granted"


@pytest.mark.parametrize(
    ("amount", "said", "says"),
    [
        (47_000, {"amount_fen": 48_000, "reason": "x"}, "amount.computed"),
        (47_000, {"amount_fen": 47_000}, "granted"),
        (None, {}, "amount.by_hand"),
        (None, {"amount_fen": 30_000}, "amount.by_hand"),
        (None, {"amount_fen": 30_000, "reason": "参数未定"}, "granted"),
    ],
)
def test_an_amount_is_entered_only_where_the_rules_know_none(
    amount: int | None, said: dict[str, Any], says: str
) -> None:
    walk = Walk().to("reported")
    assert walk.says("confirm", DISTRICT, assessed("dibao", amount=amount), **said) == says


@pytest.mark.parametrize(
    ("reason", "outcome", "says"),
    [
        ("income_above_standard", "not_eligible", "refused"),
        ("income_above_standard", "eligible", "assessment.eligible"),
        ("false_statement", "eligible", "refused"),
        ("because", "not_eligible", "reason.not_coded"),
        ("overpaid", "not_eligible", "reason.not_coded"),
    ],
)
def test_a_refusal_has_a_coded_reason_that_holds(reason: str, outcome: str, says: str) -> None:
    walk = Walk().to("reported")
    assert walk.says("refuse", DISTRICT, assessed("dibao", outcome), reason=reason) == says
    if says == "refused":
        decided = walk.events[-1]
        assert isinstance(decided, CaseDecided)
        assert (decided.outcome, decided.reason) == ("not_eligible", reason)
        assert walk.says("tell-refusal", means="post") == "refused"


def test_an_appeal_is_linked_to_its_decision_and_reconsideration_to_its_sixty_days() -> None:
    walk = Walk().to("reported")
    walk.step("refuse", DISTRICT, reason="false_statement")
    (decision,) = walk.proceeding.decisions
    id_ = decision.decision_id
    assert walk.says("appeal", decision_id=uuid4(), way="complaint") == "appeal.unknown_decision"
    settled = {"decision_id": id_, "statement": "x"}
    assert walk.says("settle-appeal", DISTRICT, result="upheld", **settled) == "appeal.none"
    walk.later(days=63)
    assert walk.says("appeal", decision_id=id_, way="reconsideration") == "appeal.late"
    assert walk.says("appeal", decision_id=id_, way="complaint") == "refused"
    assert walk.proceeding.decisions[0].appealed == "open"
    assert walk.says("settle-appeal", DISTRICT, result="overturned", **settled) == "appeal.same_person"
    assert walk.says("settle-appeal", OTHER_DISTRICT, result="overturned", **settled) == "investigating"
    assert walk.case.state == "in_work"
    assert walk.proceeding.decisions[0].appealed == "overturned"


def test_an_application_begun_anew_has_a_whole_notice_its_own_papers_and_its_own_check() -> None:
    walk = Walk()
    walk.step("ask-supplement", papers=("bills",))
    walk.step("receive-supplement", papers=("bills",))
    walk.to("reported")
    walk.step("refuse", DISTRICT, reason="false_statement")
    assert walk.says("reopen", DISTRICT, reason="new_facts", statement="情况变化") == "received"
    assert walk.says("ask-supplement", papers=("diagnosis",)) == "supplement"
    walk.step("receive-supplement")
    walk.to("investigating")
    walk.step("record-findings", findings="as_stated", statement="一致")
    assert walk.says("give-opinion", recommendation="grant") == "check.missing"
    walk.to("notice")
    until = walk.proceeding.notice_until
    assert until is not None
    assert (until - walk.now).days == 7
    assert walk.folded() == walk.case


def test_a_notice_after_sending_back_stands_seven_days_again() -> None:
    walk = Walk().to("reported")
    walk.step("send-back", DISTRICT, statement="补充调查")
    walk.to("notice")
    assert walk.proceeding.notice_until is not None
    assert (walk.proceeding.notice_until - walk.now).days == 7


def test_a_discussion_is_of_its_own_matter_and_names_the_amount() -> None:
    walk = Walk().to("investigating")
    sat = {"participants": ("a", "b", "c"), "result": "support", "statement": "纪要"}
    walk.step("discuss", **sat)
    walk.to("granted")
    walk.step("start-review", reason="periodic")
    refused = assessed("dibao", "not_eligible")
    said = {"amount_fen": 30_000, "reason": "一事一议"}
    assert walk.says("adjust", DISTRICT, refused, **said) == "assessment.not_eligible"
    walk.later(days=1)
    walk.step("discuss", **sat)
    assert walk.says("adjust", DISTRICT, refused, **said) == "granted"
    aid = Walk("temporary_expenditure").to("reported")
    aid.step("discuss", **sat)
    unknown = assessed("temporary_expenditure", amount=None)
    unnamed = aid.says("confirm", DISTRICT, unknown, amount_fen=9_000_000, reason="核定")
    assert unnamed == "confirm.discussion"


@pytest.mark.parametrize("state", ["review", "suspended"])
def test_a_grant_under_review_or_suspicion_does_not_end_with_its_application(state: str) -> None:
    walk = Walk().to("granted")
    if state == "review":
        walk.step("start-review", reason="periodic")
    else:
        walk.step("suspend", statement="疑似骗保")
    for command in (
        WithdrawCase(target=walk.id, application_id=APPLICATION, chain_id=CHAIN),
        Transfer(target=walk.id, to="500106", reason="lives_elsewhere"),
    ):
        refused = walk.do(command, DISTRICT)
        assert isinstance(refused, Refusal)
        assert refused.code == "case.granted"
    assert walk.proceeding.state == state


def test_a_death_is_reported_while_the_household_is_under_review() -> None:
    walk = Walk().to("granted")
    walk.step("start-review", reason="periodic")
    assert walk.says("report-change", change="died", on=walk.now) == "review"
    assert "L9" in walk.owed()


def test_an_ending_notice_is_of_this_ending() -> None:
    walk = Walk("tekun").to("granted")
    walk.step("start-review", reason="periodic")
    walk.step("post-ending-notice")
    walk.later(days=8)
    walk.step("end-ending-notice")
    assert walk.says("adjust", DISTRICT, assessed("tekun")) == "granted"
    walk.step("start-review", reason="periodic")
    assert walk.says("stop", DISTRICT, reason="own_wish") == "notice.ending"


def test_a_change_reopens_the_decision_and_a_later_one_replaces_it() -> None:
    walk = Walk().to("granted")
    walk.later(days=40)
    on = walk.now
    assert walk.says("report-change", change="died", on=on.replace(year=2027)) == "change.future"
    assert walk.says("report-change", change="income_changed", on=on) == "review"
    assert walk.case.state == "in_work"
    less = assessed("dibao", amount=20_000)
    assert walk.says("adjust", DISTRICT, less) == "granted"
    assert walk.case.state == "decided"
    first, second = walk.proceeding.decisions
    assert first.superseded_by == second.decision_id
    assert walk.proceeding.in_force == second
    assert (second.kind, second.amount_fen, second.first_month) == ("adjust", 20_000, "2026-05")


@pytest.mark.parametrize(
    ("programme", "kind", "review"),
    [
        ("dibao", "stable", "2027-03-12"),
        ("dibao", "unstable", "2026-09-12"),
        ("dibao", "jobless_urban", "2026-04-14"),
        ("single_person", "jobless_rural", "2026-06-12"),
        ("dibao_edge", "jobless_urban", "2026-09-12"),
        ("dibao_edge", "stable", "2027-03-12"),
        ("tekun", "unstable", "2027-03-12"),
    ],
)
def test_a_grant_is_reviewed_by_the_kind_of_its_household(programme: str, kind: str, review: str) -> None:
    walk = Walk(programme).to("reported")
    known = WORKFLOWS[programme].per == "month"
    found = assessed(programme, amount=47_000 if known else None).model_copy(update={"kind": kind})
    assert walk.says("confirm", DISTRICT, found) == "granted"
    decision = walk.proceeding.in_force
    assert decision is not None
    assert decision.review_by is not None
    assert decision.review_by.isoformat()[:10] == review
    (told,) = [event for event in walk.events if isinstance(event, events.Determined)]
    assert (told.household_kind, told.unstable) == (kind, kind != "stable")
    assert "L8" in walk.owed()


@pytest.mark.parametrize("programme", WORKFLOWS)
@pytest.mark.parametrize("kind", get_args(events.HouseholdKind))
def test_the_clock_of_a_review_is_the_decisions_own_day(programme: str, kind: events.HouseholdKind) -> None:
    """The decision names the day, the duties' file starts the clock: one interval, whoever says it."""
    review = approval.packaged().review(programme, kind)
    marks = (kind, *(("unstable",) if kind != "stable" else ()))
    clocks = [
        str(row.limit_for(marks))
        for row in packaged_duties().rows
        if row.id == "L8" and programme in row.programme
    ]
    assert clocks == ([] if review is None else [f"{review.months}mo"])


def test_help_for_rigid_expenditure_ends_after_twelve_months() -> None:
    """However often it is adjusted; then the household applies again."""
    walk = Walk("rigid_expenditure").to("granted")
    until = walk.proceeding.granted.valid_until  # type: ignore[union-attr]
    assert until is not None
    assert until.isoformat()[:10] == "2027-03-12"
    assert "L16-end" in walk.owed()
    walk.later(days=200)
    walk.step("start-review", reason="report")
    walk.step("adjust", DISTRICT, assessed("rigid_expenditure", amount=None))
    assert walk.proceeding.granted is not None
    assert walk.proceeding.granted.valid_until == until
    assert walk.says("lapse", REVIEWER) == "term.running"
    walk.now = until - timedelta(seconds=1)
    assert walk.says("lapse", REVIEWER) == "term.running"
    walk.now = until
    assert walk.says("lapse", CASEWORKER) == "step.role"
    assert walk.says("lapse", REVIEWER) == "ended"
    (stop,) = [each for each in walk.proceeding.decisions if each.kind == "stop"]
    assert (stop.reason, walk.owed()) == ("term_over", set())
    assert not walk.proceeding.runs
    assert walk.says("reopen", DISTRICT, reason="new_facts", statement="再次申请") == "received"


def test_a_grant_of_before_its_programme_had_a_term_is_given_it_once() -> None:
    """Counted from the grant, not from an adjustment nor from the day on which it is stated."""
    walk = Walk("rigid_expenditure").to("granted")
    granted_at, until = walk.now, walk.proceeding.granted.valid_until  # type: ignore[union-attr]
    walk.later(days=200)
    walk.step("start-review", reason="report")
    walk.step("adjust", DISTRICT, assessed("rigid_expenditure", amount=None))
    walk.forget_terms()
    walk.later(days=300)
    assert walk.says("lapse", REVIEWER) == "term.none"
    state_term = StateTerm(target=walk.id, proceeding=walk.proceeding_id)
    (stated,) = walk.do(state_term, SYSTEM)  # type: ignore[misc]
    assert isinstance(stated, events.TermStated)
    assert (stated.granted_at, stated.valid_until, stated.state) == (granted_at, until, "granted")
    assert walk.proceeding.granted.valid_until == until  # type: ignore[union-attr]
    assert walk.do(state_term, SYSTEM) == ()
    assert walk.says("lapse", REVIEWER) == "ended"
    assert walk.do(state_term, SYSTEM) == ()


def test_what_has_no_term_is_given_none() -> None:
    walk = Walk("dibao").to("granted")
    assert walk.do(StateTerm(target=walk.id, proceeding=walk.proceeding_id), SYSTEM) == ()
    unknown = walk.do(StateTerm(target=walk.id, proceeding=uuid4()), SYSTEM)
    assert isinstance(unknown, Refusal)


def test_a_change_of_ability_is_assessed_within_its_limit() -> None:
    walk = Walk("tekun").to("granted")
    walk.step("grade-ability", DISTRICT, failed_activities=1)
    assert "L14" not in walk.owed()
    assert walk.says("report-ability", statement="卧床") == "granted"
    assert "L14" in walk.owed()
    walk.step("start-review", reason="report")
    assert walk.says("adjust", DISTRICT, assessed("tekun")) == "granted"
    assert "L14" in walk.owed(), "no adjustment assesses anybody"
    assert walk.says("grade-ability", DISTRICT, failed_activities=5) == "granted"
    assert "L14" not in walk.owed()
    assert walk.proceeding.self_care == "total_loss"
    assert "total_loss" not in "".join(event.model_dump_json() for event in walk.events if event.topic())
    walk.step("report-ability", statement="卧床")
    walk.step("report-change", change="died", on=walk.now)
    assert walk.says("stop", OTHER_DISTRICT, reason="died") == "ended"
    assert "L14" not in walk.owed()


SETTLED = {"result": "overturned", "statement": "申诉成立"}


def test_an_appeal_that_held_opens_aid_given_once_again() -> None:
    """It is decided anew for the month in which it was given, and what is paid follows the new decision."""
    walk = Walk("temporary_expenditure").to("granted")
    (first,) = walk.proceeding.decisions
    appealed = {"decision_id": first.decision_id}
    walk.step("appeal", way="reconsideration", **appealed)
    walk.later(days=40)
    assert walk.says("settle-appeal", OTHER_DISTRICT, **appealed, **SETTLED) == "review"
    assert walk.case.state == "in_work"
    assert not walk.proceeding.settled
    unknown = assessed("temporary_expenditure", amount=None)
    more = {"amount_fen": 250_000, "reason": "申诉后重新核定"}
    assert walk.says("adjust", DISTRICT, unknown, first_month="2026-04", **more) == "decision.month"
    assert walk.says("adjust", DISTRICT, unknown, **more) == "granted"
    assert walk.case.state == "decided"
    assert owed_so_far(walk) == 250_000
    again = walk.proceeding.decisions[-1]
    assert (again.first_month, again.last_month) == ("2026-03", "2026-03")
    walk.step("appeal", decision_id=again.decision_id, way="complaint")
    walk.step("settle-appeal", OTHER_DISTRICT, decision_id=again.decision_id, **SETTLED)
    assert walk.says("stop", DISTRICT, reason="false_statement") == "ended"
    assert owed_so_far(walk) == 0


def test_an_appeal_against_small_aid_is_settled_on_complete_papers_and_opens_it_again() -> None:
    walk = Walk("temporary_small")
    walk.step("confirm-urgency", statement="突发火灾")
    walk.step("pay-first", REVIEWER, amount_fen=50_000, reason="急需")
    (first,) = walk.proceeding.decisions
    appealed = {"decision_id": first.decision_id}
    walk.step("appeal", way="complaint", **appealed)
    assert walk.says("settle-appeal", OTHER_DISTRICT, **appealed, **SETTLED) == "step.state"
    walk.step("complete-papers", papers=("event_proof",))
    assert walk.says("settle-appeal", OTHER_DISTRICT, **appealed, **SETTLED) == "review"
    walk.household()
    unknown = assessed("temporary_small", amount=None)
    assert walk.says("adjust", DISTRICT, unknown, amount_fen=60_000, reason="核定") == "granted"
    assert owed_so_far(walk) == 60_000


def owed_so_far(walk: Walk) -> int:
    month = month_number(f"{local(walk.now):%Y-%m}")
    return owed(schedule(map(guards.as_paid, walk.proceeding.decisions)), month)


def test_aid_that_the_same_people_were_given_in_another_case_is_not_given_again() -> None:
    other = OtherAid(case_id=uuid4(), at=START)
    hidden = other.model_copy(update={"case_id": None})
    for aided in (other, hidden):
        walk = Walk("temporary_small")
        walk.step("confirm-urgency", statement="突发火灾")
        walk.aided = (aided,)
        refused = walk.step("pay-first", REVIEWER, amount_fen=50_000, reason="急需")
        assert isinstance(refused, Refusal)
        assert refused.code == "aid.given_elsewhere"
        assert (str(other.case_id) in refused.reason) == (aided is other)
        assert (str(other.case_id) in refused.reason_zh) == (aided is other)
        assert walk.says("confirm", DISTRICT, amount_fen=50_000, reason="核定") == "aid.given_elsewhere"
        walk.step("discuss", participants=("a", "b", "c"), result="support", statement="另一起急难")
        assert walk.says("pay-first", REVIEWER, amount_fen=50_000, reason="急需") == "papers"


def test_what_was_recovered_is_not_taken_back_again_by_a_later_decision() -> None:
    walk = Walk().to("granted")
    walk.later(days=60)
    walk.step("recover", DISTRICT, amount_fen=47_000, reason="overpaid", statement="多发")
    walk.step("start-review", reason="report")
    assert walk.says("stop", DISTRICT, reason="died", first_month="2026-04") == "decision.recovered"
    less = assessed("dibao", amount=10_000)
    assert walk.says("adjust", DISTRICT, less, first_month="2026-04") == "decision.recovered"
    assert walk.says("stop", DISTRICT, reason="died", first_month="2026-05") == "ended"
    assert owed_so_far(walk) == 0


def test_taper_lasts_six_months_at_most_and_is_entered_by_a_person() -> None:
    walk = Walk().to("granted")
    walk.step("start-review", reason="periodic")
    said = {"months": 6, "amount_fen": 30_000, "reason": "就业渐退"}
    assert walk.says("taper", DISTRICT, assessed("dibao"), **said) == "assessment.no_taper"
    assert walk.says("taper", DISTRICT, assessed("dibao", "taper"), **said) == "granted"
    decision = walk.proceeding.in_force
    assert decision is not None
    assert (decision.kind, decision.manual) == ("taper", True)
    assert (decision.first_month, decision.last_month) == ("2026-04", "2026-09")


def test_tapers_last_six_months_together_and_pay_no_more_than_before() -> None:
    walk = Walk().to("granted")
    walk.step("start-review", reason="periodic")
    gone = assessed("dibao", "taper")
    more = {"months": 4, "amount_fen": 47_001, "reason": "就业渐退"}
    assert walk.says("taper", DISTRICT, gone, **more) == "taper.amount"
    assert walk.says("taper", DISTRICT, gone, **more | {"amount_fen": 47_000}) == "granted"
    walk.later(days=90)
    walk.step("start-review", reason="periodic")
    again = {"amount_fen": 20_000, "reason": "就业渐退"}
    assert walk.says("taper", DISTRICT, gone, months=4, **again) == "taper.months"
    assert walk.says("taper", DISTRICT, gone, months=3, **again) == "granted"
    assert walk.proceeding.in_force is not None
    assert walk.proceeding.in_force.last_month == "2026-09"


@pytest.mark.parametrize(
    ("month", "says"),
    [
        ("2026-03", "decision.month"),
        ("2026-04", "ended"),
        ("2026-06", "ended"),
        ("2026-07", "decision.month"),
    ],
)
def test_a_stop_reaches_back_to_the_grant_and_no_further_than_next_month(month: str, says: str) -> None:
    walk = Walk().to("granted")
    walk.later(days=60)
    walk.step("start-review", reason="report")
    assert walk.says("stop", DISTRICT, reason="died", first_month=month) == says


def test_arrears_follow_an_appeal_that_held_and_nothing_else() -> None:
    walk = Walk().to("reported")
    early = walk.says("confirm", DISTRICT, first_month="2026-03")
    assert early == "decision.month"
    walk.step("refuse", DISTRICT, reason="false_statement")
    (refusal,) = walk.proceeding.decisions
    walk.step("appeal", decision_id=refusal.decision_id, way="reconsideration")
    walk.later(days=60)
    settled = {"decision_id": refusal.decision_id, "result": "overturned", "statement": "申诉成立"}
    walk.step("settle-appeal", OTHER_DISTRICT, **settled)
    walk.to("reported")
    assert walk.says("confirm", DISTRICT, first_month="2026-03") == "decision.month"
    assert walk.says("confirm", DISTRICT, first_month="2026-04") == "granted"
    assert walk.proceeding.in_force is not None
    assert walk.proceeding.in_force.first_month == "2026-04"


def test_no_more_is_recovered_than_was_due_and_nothing_twice() -> None:
    walk = Walk().to("granted")
    said = {"reason": "overpaid", "statement": "多发"}
    assert walk.says("recover", DISTRICT, amount_fen=1, **said) == "recover.too_much"
    walk.later(days=60)
    assert walk.says("recover", DISTRICT, amount_fen=94_001, **said) == "recover.too_much"
    assert walk.says("recover", DISTRICT, amount_fen=47_000, **said) == "granted"
    walk.step("start-review", reason="report")
    walk.step("stop", DISTRICT, reason="died", first_month="2026-05")
    assert walk.says("recover", DISTRICT, amount_fen=1, **said) == "recover.too_much"


def test_a_second_grant_begins_to_be_paid_again() -> None:
    walk = Walk().to("granted")
    start = StartPayment(target=walk.id, proceeding=walk.proceeding_id, month="2026-04")
    walk.do(start)
    walk.step("start-review", reason="report")
    walk.step("stop", DISTRICT, reason="own_wish")
    walk.step("reopen", DISTRICT, reason="new_facts", statement="再次申请")
    walk.to("granted")
    assert "L7" in walk.owed()
    walk.do(start.model_copy(update={"month": "2026-05"}))
    assert "L7" not in walk.owed()


def test_a_stop_names_the_first_month_without_payment_and_a_recovery_changes_no_month() -> None:
    walk = Walk().to("granted")
    walk.step("start-review", reason="report")
    assert walk.says("stop", DISTRICT, reason="income_above_standard") == "assessment.eligible"
    gone = assessed("dibao", "not_eligible")
    walk.later(days=60)
    assert walk.says("stop", DISTRICT, gone, reason="income_above_standard") == "ended"
    assert walk.says("recover", DISTRICT, amount_fen=9_400, reason="overpaid", statement="多发") == "ended"
    grant, stop, recovery = walk.proceeding.decisions
    assert (stop.first_month, stop.amount_fen) == ("2026-06", 0)
    assert (recovery.first_month, recovery.amount_fen, recovery.per) == (None, 9_400, "once")
    assert walk.proceeding.in_force == stop
    assert grant.superseded_by == stop.decision_id


def test_the_end_of_special_hardship_is_posted_first_save_after_a_death() -> None:
    walk = Walk("tekun").to("granted")
    assert walk.says("grade-ability", DISTRICT, failed_activities=4) == "granted"
    assert walk.proceeding.self_care == "total_loss"
    walk.step("choose-care", care="home")
    walk.step("start-review", reason="periodic")
    assert walk.says("stop", DISTRICT, reason="own_wish") == "notice.ending"
    assert walk.says("post-ending-notice") == "ending_notice"
    assert walk.says("end-ending-notice") == "notice.running"
    walk.later(days=8)
    assert walk.says("end-ending-notice") == "review"
    assert walk.says("stop", DISTRICT, reason="own_wish") == "ended"
    dead = Walk("tekun").to("granted")
    dead.step("report-change", change="died", on=dead.now)
    assert dead.says("stop", DISTRICT, reason="died") == "ended"


@pytest.mark.parametrize(("programme", "state"), [("dibao", "granted"), ("temporary_small", "papers")])
def test_a_suspicion_is_referred_once_to_each_who_may_look_into_it(programme: str, state: str) -> None:
    walk = Walk(programme)
    if programme == "temporary_small":
        walk.step("confirm-urgency", statement="急难")
        walk.step("pay-first", REVIEWER, amount_fen=10_000, reason="急需")
    else:
        walk.to(state)
    assert walk.says("refer-suspicion", to="public-security") == "step.state"
    walk.step("suspend", statement="疑似骗保")
    sent: list[ReferralRequested] = []
    for to in ("public-security", "civil-affairs"):
        referral, kept_ = walk.step("refer-suspicion", to=to)  # type: ignore[misc]
        assert isinstance(referral, ReferralRequested)
        assert (referral.rule, referral.to, referral.urgency, referral.facts) == ("R19", to, "ordinary", {})
        assert referral_rules.check("assistance", "R19", to, "ordinary", {}) is None
        assert set(referral.subjects) <= {ADULT, CHILD}
        assert referral.subjects
        assert kept_.topic() is None, "that there is a suspicion is nobody else's matter"
        sent.append(referral)
    assert walk.says("refer-suspicion", to="public-security") == "suspicion.referred"
    walk.step("clear-suspicion", DISTRICT, statement="查无实据")
    walk.step("suspend", statement="再次疑似骗保")
    (again, _) = walk.step("refer-suspicion", to="public-security")  # type: ignore[misc]
    assert again.request_id not in {each.request_id for each in sent}
    assert walk.folded() == walk.case


def test_suspicion_suspends_and_gives_back_where_it_stood() -> None:
    walk = Walk().to("granted")
    assert walk.says("suspend", statement="疑似骗保") == "suspended"
    assert walk.says("clear-suspicion", DISTRICT, statement="查无实据") == "granted"
    walk = Walk().to("investigating")
    walk.step("suspend", statement="疑似骗保")
    assert walk.says("stop", DISTRICT, reason="false_statement") == "decision.none"
    assert walk.says("refuse", DISTRICT, None, reason="false_statement") == "refused"


def test_handing_over_keeps_the_clock_running() -> None:
    walk = Walk().to("accepted")
    accepted = walk.proceeding.accepted_at
    walk.later(days=3)
    assert walk.says("hand-over", to_division="500112015") == "handover.same"
    walk.step("hand-over", to_division="500112017")
    moved = walk.events[-1]
    assert isinstance(moved, events.JurisdictionChanged)
    assert moved.accepted_at == accepted
    assert (walk.case.division, walk.proceeding.state) == ("500112017", "accepted")


def test_the_case_ends_with_its_proceedings_and_never_above_a_grant() -> None:
    walk = Walk().to("accepted")
    withdraw = WithdrawCase(target=walk.id, application_id=APPLICATION, chain_id=CHAIN)
    assert not isinstance(walk.do(withdraw), Refusal)
    assert walk.proceeding.state == "withdrawn"
    assert walk.case.state == "withdrawn"
    away = Walk().to("accepted")
    away.do(Transfer(target=away.id, to="500106", reason="lives_elsewhere"))
    assert away.proceeding.state == "transferred"
    granted = Walk().to("granted")
    for command in (Close(target=granted.id, reason="aid_completed"),):
        refused = granted.do(command, DISTRICT)
        assert isinstance(refused, Refusal)
        assert refused.code == "case.granted"


def test_a_case_is_decided_when_no_proceeding_is_open() -> None:
    walk = Walk().to("reported")
    walk.do(OpenProceeding(target=walk.id, programme="temporary_small"))
    walk.step("confirm", DISTRICT)
    assert walk.case.state == "in_work"
    refused = walk.do(Decide(target=walk.id, outcome="not_eligible", reason="died"), DISTRICT)
    assert isinstance(refused, Refusal)
    assert refused.code == "case.proceeding_open"
    walk.programme, walk.proceeding_id = (
        "temporary_small",
        max(walk.case.proceedings, key=lambda id_: walk.case.proceedings[id_].programme),
    )
    walk.step("withdraw", statement="不再需要")
    assert (walk.case.state, walk.case.outcome, walk.case.reason) == ("decided", "helped", "enrolled")


def test_nobody_is_enrolled_past_the_workflow() -> None:
    walk = Walk(open_=False)
    refused = walk.do(Decide(target=walk.id, outcome="helped", reason="enrolled"), DISTRICT)
    assert isinstance(refused, Refusal)
    assert refused.code == "case.state"


@pytest.mark.parametrize(
    ("programme", "person", "field"),
    [
        ("lottery", None, "programme"),
        ("tekun", None, "person_id"),
        ("dibao", ADULT, "person_id"),
        ("tekun", uuid4(), "person_id"),
    ],
)
def test_a_proceeding_is_for_whom_its_programme_is(programme: str, person: Any, field: str) -> None:
    walk = Walk()
    refused = walk.do(OpenProceeding(target=walk.id, programme=programme, person_id=person))
    assert isinstance(refused, Refusal)
    assert refused.field == field


def test_applying_twice_is_applying_once_and_payment_starts_once() -> None:
    walk = Walk()
    assert walk.do(OpenProceeding(target=walk.id, programme="dibao")) == ()
    walk.to("granted")
    start = StartPayment(target=walk.id, proceeding=walk.proceeding_id, month="2026-04")
    assert len(list(walk.do(start))) == 1  # type: ignore[arg-type]
    assert walk.do(start) == ()
    unknown = walk.do(StartPayment(target=walk.id, proceeding=uuid4(), month="2026-04"))
    assert isinstance(unknown, Refusal)


def test_an_unknown_proceeding_or_step_is_refused() -> None:
    walk = Walk()
    said = WORKFLOWS["dibao"].by_command["accept"][0].said()
    unknown = walk.do(Act(target=walk.id, proceeding=uuid4(), name="accept", said=said))
    assert isinstance(unknown, Refusal)
    assert unknown.code == "proceeding.unknown"
    assert walk.says("end-notice") == "step.state"


def test_words_never_travel() -> None:
    walk = Walk().to("notice")
    walk.step("object", statement="暗语甲乙丙丁")
    walk.step("settle-objection", result="upheld", statement="暗语甲乙丙丁")
    assert "暗语" not in " ".join(event.model_dump_json() for event in walk.events)


def test_every_row_can_be_done_by_somebody_and_names_events_that_exist() -> None:
    for command, rows in COMMANDS.items():
        assert len({row.said for row in rows}) == 1, command
        assert len({row.action for row in rows}) == 1, command
        assert len({row.assessed for row in rows}) == 1, command
        for row in rows:
            for role in row.who:
                assert may(Actor(person="x", role=role), row.action) is not None, (command, role)
            if row.event.topics:
                assert (row.event.type, row.event.version) in BY_VERSION


@pytest.mark.parametrize("programme", WORKFLOWS)
def test_every_state_can_be_reached_and_left_or_is_an_end(programme: str) -> None:
    workflow = WORKFLOWS[programme]
    reached, left = {"received"}, set()
    for step in workflow.steps:
        targets = step.to.to.values() if isinstance(step.to, Branch) else (step.to,)
        reached |= {to for to in targets if to not in ("stay", "back")}
        left |= step.sources
    assert left <= reached
    assert reached <= set(STATES)
    assert reached - left <= {"withdrawn", "not_cooperating"}
    for step in workflow.steps:
        rows = [each for each in workflow.by_command[step.command] if each.sources & step.sources]
        assert rows == [step], f"{step.command} is ambiguous"


def test_every_value_of_the_file_of_approvals_says_how_sure_it_is() -> None:
    rules = approval.packaged()
    assert set(rules.approvals) == set(WORKFLOWS)
    assert {name for name, each in WORKFLOWS.items() if each.per} <= set(rules.payment_start)
    for tiers in rules.approvals.values():
        assert tiers[-1].up_to_fen is None


def test_months_follow_each_other_over_the_year() -> None:
    assert [next_month(date(2026, 11, 30), n) for n in (0, 1, 2)] == ["2026-11", "2026-12", "2027-01"]


def test_the_documents_diagrams_are_those_of_the_tables() -> None:
    committed = Path(__file__).parents[2] / "docs" / "workflows.md"
    assert committed.read_text("utf-8") == workflows_page(), (
        "write it anew: python -m onedoor.assistance.documents"
    )


@pytest.mark.parametrize("programme", WORKFLOWS)
def test_the_clocks_of_the_tables_are_those_of_the_duties_file(programme: str) -> None:
    """What a row of the table starts, the file starts by the row's event."""
    rows = [row for row in packaged_duties().rows if row.concerns(programme)]
    for step in WORKFLOWS[programme].steps:
        for clock in step.starts:
            found = [row for row in rows if clock in (row.id, row.id.partition("-")[0])]
            assert found, f"{step.command}: the file knows no {clock}"
            events_of = {trigger.name for row in found for trigger in row.start}
            assert {"case.determined" if step.decides else step.event.type, step.event.type} & events_of, (
                f"{step.command}: {clock} starts by {events_of}"
            )
