"""The conditions that the workflows' rows name. Each says why a step may not be taken, or None.

A condition about what is said holds as long as nothing is said yet, so that the desk can show the button.
"""

from datetime import date, datetime, timedelta
from functools import wraps

from onedoor.assistance.domain import approval, dates
from onedoor.assistance.domain.proceeding import AssistanceCase, Decision, Investigator, Proceeding
from onedoor.assistance.domain.table import Asked, Guard, Workflow
from onedoor.assistance.payments.schedule import Decided, month_number, month_text, owed, schedule
from onedoor.calendar import local
from onedoor.contracts.core import Refusal

PARTICIPANTS = 3
CHECK_RULE, CHECK_BY = "R16", "verification-centre"
"""核对: the referral of the financial check, and who does it."""
SUSPICION_RULE = "R19"
"""冒名、骗取救助: the referral of a suspicion."""


def about_what_is_said(guard: Guard) -> Guard:
    """Holds while only the button is shown."""

    @wraps(guard)
    def checked(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
        return None if asked.said is None else guard(case, proceeding, asked)

    return checked


def next_month(day: date, months: int = 1) -> str:
    """The month so many after that of the day, as `2026-06`."""
    return month_text(day.year * 12 + day.month - 1 + months)


def first_month(workflow: Workflow, now: datetime) -> str:
    """The month from which on a decision of now usually pays."""
    start = approval.packaged().payment_start.get(workflow.programme)
    this = start is not None and start.start == "this_month"
    return next_month(local(now).date(), 0 if this else 1)


def usual_month(proceeding: Proceeding, asked: Asked) -> str:
    """The month from which on the step's decision rules; help given once is decided anew for its own."""
    granted = proceeding.granted
    anew = asked.workflow.per == "once" and asked.step.decides in ("adjust", "stop")
    if anew and granted is not None and granted.first_month is not None:
        return granted.first_month
    return first_month(asked.workflow, asked.context.now)


def _day(at: datetime) -> str:
    """The last day of a limit that ends at midnight."""
    return f"{local(at) - timedelta(seconds=1):%Y-%m-%d}"


def _unless(holds: bool, code: str, reason: str, reason_zh: str, field: str | None = None) -> Refusal | None:
    return None if holds else Refusal(code, reason, reason_zh, field)


def supplement_not_asked_before(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _unless(
        not proceeding.supplement_asked,
        "supplement.once",
        "Missing papers are asked for once and all together, and they were; accept or refuse.",
        "材料应一次性告知，且已经告知；请受理或作出决定。",
    )


@about_what_is_said
def two_investigators(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    people = {each.person for each in asked.said.investigators}
    return _unless(
        len(people) >= 2,
        "investigators.two",
        "At least two different people investigate; name them.",
        "入户调查须由两名以上不同人员进行，请填写。",
        "investigators",
    )


@about_what_is_said
def relatives_visited_by_district(
    case: AssistanceCase, proceeding: Proceeding, asked: Asked
) -> Refusal | None:
    return _relatives_visited(proceeding, asked.said.investigators)


def _relatives_visited(proceeding: Proceeding, investigators: tuple[Investigator, ...]) -> Refusal | None:
    own = {each.person for each in investigators} & set(proceeding.relatives)
    return _unless(
        not proceeding.relatives or (not own and any(each.unit == "district" for each in investigators)),
        "investigators.relative",
        "A near relative of a member of staff applies: the district visits, and never that member.",
        "申请人系经办人员近亲属，应由区级入户，且该人员应当回避。",
        "investigators",
    )


@about_what_is_said
def not_by_the_unit_fled_from(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _by_other_units(proceeding, asked.said.investigators)


def _by_other_units(proceeding: Proceeding, investigators: tuple[Investigator, ...]) -> Refusal | None:
    """Of each investigator the division is known, and it is not, nor lies in, the one that was fled from."""
    fled = proceeding.fled_from
    return _unless(
        fled is None or all(each.division and not _within(each.division, fled) for each in investigators),
        "investigators.unit",
        "Another unit has to visit this household; name each investigator's division, and choose others.",
        "该户须由其他单位入户，请逐一填写调查人员所属区划并另选人员。",
        "investigators",
    )


def _within(division: str, other: str) -> bool:
    """Whether one of the two divisions lies in the other, by their codes."""
    return division.startswith(other) or other.startswith(division)


def visited_as_due(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """What became known after the investigators were named holds of them too."""
    named = proceeding.investigators
    return _relatives_visited(proceeding, named) or _by_other_units(proceeding, named) if named else None


def ground_given_if_sealed(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """Who must not visit is asked before anybody visits."""
    return _unless(
        not case.sealed or proceeding.withheld is not None,
        "investigators.withhold_first",
        "This household is protected: withhold its notice with the ground first, and say from where it fled.",
        "该户受保护：请先书面说明不予公示的理由并填写其离开的地区，再安排入户。",
    )


@about_what_is_said
def three_took_part(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _unless(
        len(set(asked.said.participants)) >= PARTICIPANTS,
        "discussion.three",
        "At least three different people take part in a joint discussion; name them.",
        "一事一议须有三名以上不同人员参加，请填写。",
        "participants",
    )


def household_on_file(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _unless(
        case.household is not None,
        "household.missing",
        "Enter the household's file first.",
        "请先录入家庭档案。",
    )


def investigated(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _unless(
        proceeding.findings is not None,
        "findings.missing",
        "Record what the investigation found first.",
        "请先登记入户调查结果。",
    )


def disputed_is_visited(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """What data leave in dispute is looked at by two people (62)."""
    return _unless(
        proceeding.findings != "differs" or bool(proceeding.investigators),
        "findings.disputed",
        "The data do not agree: visit the household before the opinion.",
        "数据核实存在争议，请先入户调查再出具初审意见。",
    )


def check_not_running(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    if proceeding.check_drafted:
        return Refusal(
            "check.drafted",
            "The check is drafted and goes out by itself when the last counted adult has authorised it.",
            "核对请求已拟好，待全部应授权成年成员签署授权后自动发出。",
        )
    running = proceeding.check is not None and proceeding.check_result is None
    return _unless(
        not running,
        "check.running",
        "A financial check is on its way; its answer will stand here by itself.",
        "核对正在进行，答复后结果自动登记。",
    )


@about_what_is_said
def checked_before_grant(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    if getattr(asked.said, "recommendation", "grant") == "refuse":
        return None
    if proceeding.check_result != "met":
        return Refusal(
            "check.missing",
            "Nobody is recommended without a financial check that was met: ask for one.",
            "经济状况核对未通过或未完成，不能建议纳入；请发起核对或重新核对。",
        )
    return _unless(
        case.household is not None and proceeding.checked == case.household.digest,
        "check.stale",
        "The household's file has changed since it was checked; ask for the check again.",
        "核对后家庭档案已变更，请重新发起核对。",
    )


@about_what_is_said
def opinion_follows_the_rules(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    if asked.said.recommendation == "grant":
        return _eligible(proceeding, asked)
    return None


@about_what_is_said
def not_referred_to_them(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _unless(
        asked.said.to not in proceeding.referred,
        "suspicion.referred",
        "They were asked to look into this suspicion already; their answer will stand with the referrals.",
        "该线索已移送该部门，答复后将在转介中显示。",
        "to",
    )


def notice_is_due(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    if proceeding.recommendation != "grant":
        return Refusal(
            "notice.refusal",
            "Only a recommended grant is posted; report the file.",
            "仅拟纳入的予以公示；请直接上报。",
        )
    return _unless(
        not case.protected(proceeding),
        "notice.withheld",
        "No notice may be posted for this household; withhold it with a written ground.",
        "该户不得公示；请书面说明理由后不予公示。",
    )


@about_what_is_said
def ground_is_true(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    if asked.said.ground != "minor_applicant":
        return None
    return _unless(
        case.minor(proceeding),
        "notice.ground",
        "By the household's file the applicant is not a minor; choose another ground or correct the file.",
        "家庭档案显示申请人并非未成年人，请更正理由或档案。",
        "ground",
    )


def not_protected(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _unless(
        not case.protected(proceeding),
        "notice.withheld",
        "No notice may be posted for this household.",
        "该户不得公示。",
    )


def notice_over(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    notice = dates.notice_until(proceeding, asked.workflow)
    assert notice is not None
    until = notice.until
    return _unless(
        asked.context.now >= until,
        "notice.running",
        f"The notice stands until the end of {_day(until)}.",
        f"公示期至{_day(until)}止。",
    )


def notice_served_if_due(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """公示 is never skipped: it stood its time, it is withheld with a written ground, or none is due."""
    due = bool(asked.workflow.notice_days) and proceeding.recommendation == "grant"
    return _unless(
        not due or proceeding.notice_served or proceeding.withheld is not None,
        "notice.skipped",
        "A recommended grant is posted first, or its notice withheld with a written ground.",
        "拟纳入的应先行公示，或书面说明理由后不予公示。",
    )


def not_the_investigator(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    investigated = {each.person for each in proceeding.investigators} | {proceeding.opined_by}
    return _unless(
        asked.context.actor.person not in investigated | set(proceeding.involved),
        "confirm.same_person",
        "Who investigated or gave the opinion does not confirm; another person has to.",
        "调查人员或出具初审意见的人员不得确认，请由他人办理。",
    )


def not_who_began_the_review(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _unless(
        asked.context.actor.person not in proceeding.involved,
        "review.same_person",
        "Who began the review or reported the change does not decide it; another person has to.",
        "发起核查或报告变化的人员不得作出决定，请由他人办理。",
    )


def second_signature(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """先行救助: one person pays at once, another one puts the papers right."""
    decision = proceeding.in_force
    return _unless(
        decision is None or decision.decided_by != asked.context.actor.person,
        "papers.same_person",
        "Who paid first does not complete the papers; another person has to.",
        "先行发放的人员不得自行补办手续，请由他人办理。",
    )


@about_what_is_said
def not_the_decider(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """Nobody judges the appeal against their own decision."""
    own = {each.decision_id for each in proceeding.decisions if each.decided_by == asked.context.actor.person}
    return _unless(
        asked.said.decision_id not in own,
        "appeal.same_person",
        "Who made the decision does not settle the appeal against it; another person has to.",
        "作出决定的人员不得办理对该决定的申诉或复议，请由他人办理。",
    )


def not_a_relative(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _unless(
        asked.context.actor.person not in proceeding.relatives,
        "confirm.relative",
        "You are registered as a near relative; another person has to do this.",
        "您已登记为近亲属，应当回避。",
    )


def recommended(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _unless(
        proceeding.recommendation == "grant",
        "confirm.not_recommended",
        "The opinion is to refuse; send the file back if it should be granted.",
        "初审意见为不予纳入；如需纳入，请退回重新办理。",
    )


def _eligible(proceeding: Proceeding, asked: Asked) -> Refusal | None:
    found = asked.assessment
    if found is None:
        return Refusal(
            "assessment.missing",
            "The rules have not been calculated; enter the household's file.",
            "尚未按政策测算，请录入家庭档案。",
        )
    return _unless(
        found.outcome == "eligible" or proceeding.supported,
        "assessment.not_eligible",
        f"By the rules the outcome is {found.outcome}; see the reasons. "
        "Only a supporting joint discussion allows otherwise.",
        f"按政策测算结果为 {found.outcome}，详见理由；仅一事一议同意后方可例外。",
    )


@about_what_is_said
def assessed_as_eligible(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _eligible(proceeding, asked)


@about_what_is_said
def assessed_as_taper(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    found = asked.assessment
    return _unless(
        found is not None and found.outcome == "taper",
        "assessment.no_taper",
        "By the rules this household is not in taper; see the reasons.",
        "按政策测算该户不符合渐退条件，详见理由。",
    )


@about_what_is_said
def taper_within_its_bounds(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """渐退: so many months in all, however often it is decided, and never more than before."""
    rule = approval.packaged().taper
    tapers: list[Decision] = []
    for each in reversed([each for each in proceeding.decisions if each.kind != "recover"]):
        if each.kind != "taper":
            break
        tapers.append(each)
    before = proceeding.granted
    if before is not None and asked.said.amount_fen > before.amount_fen:
        most = f"{before.amount_fen / 100:.2f}"
        return Refusal(
            "taper.amount",
            f"In taper at most what was paid before is paid: {most} yuan.",
            f"渐退期金额不得超过原发放金额 {most} 元。",
            "amount_fen",
        )
    today = local(asked.context.now).date()
    first = next((each.first_month for each in reversed(tapers)), None) or next_month(today)
    last = next_month(today, asked.said.months)
    return _unless(
        month_number(last) - month_number(first) < rule.months,
        "taper.months",
        f"Taper lasts {rule.months} months in all, and began in {first}.",
        f"渐退期合计不超过 {rule.months} 个月，自 {first} 起算。",
        "months",
    )


@about_what_is_said
def of_the_present_file(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """What was calculated is about the file as it stands now."""
    found = asked.assessment
    return _unless(
        found is None or (case.household is not None and found.household == case.household.digest),
        "assessment.stale",
        "The household's file has changed meanwhile; look at it again.",
        "家庭档案已变更，请重新查看后再办理。",
    )


@about_what_is_said
def as_the_opinion_saw_it(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """What was investigated, checked and posted is what is confirmed."""
    seen, found = proceeding.assessment, asked.assessment
    return _unless(
        seen is None or found is None or seen.household == found.household,
        "confirm.file_changed",
        "The household's file has changed since the opinion; send it back to be investigated again.",
        "初审后家庭档案已变更，请退回重新调查。",
    )


@about_what_is_said
def amount_by_rule_or_by_hand(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """人工核定 only where the rules know no amount, with a reason, within any known ceiling."""
    entered = getattr(asked.said, "amount_fen", None)
    if asked.workflow.per is None:
        return _unless(
            entered is None,
            "amount.none",
            "This programme pays nothing of its own; leave the amount out.",
            "本项目不直接发放资金，请勿填写金额。",
            "amount_fen",
        )
    found = asked.assessment
    if found is not None and found.outcome == "eligible" and found.amount_fen is not None:
        return _unless(
            entered in (None, found.amount_fen),
            "amount.computed",
            "The amount follows from the rules; leave it out.",
            "金额由政策测算得出，请勿手工填写。",
            "amount_fen",
        )
    if entered is None or not getattr(asked.said, "reason", None):
        missing = "amount_fen" if entered is None else "reason"
        return Refusal(
            "amount.by_hand",
            "The rules know no amount here: enter it, with a reason.",
            "政策参数未给出金额，请人工核定并说明理由。",
            missing,
        )
    return _under_the_ceiling(proceeding, asked, entered)


def _under_the_ceiling(proceeding: Proceeding, asked: Asked, amount: int) -> Refusal | None:
    ceiling = asked.ceiling_fen
    discussion = proceeding.discussion
    if proceeding.supported and discussion is not None and discussion.amount_fen is not None:
        ceiling = discussion.amount_fen
    return _unless(
        ceiling is None or amount <= ceiling,
        "amount.ceiling",
        f"The most that may be entered here is {(ceiling or 0) / 100:.2f} yuan.",
        f"人工核定金额不得超过 {(ceiling or 0) / 100:.2f} 元。",
        "amount_fen",
    )


def not_aided_elsewhere(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """The same people are not helped twice for one emergency, unless a joint discussion supports it."""
    if proceeding.supported or not asked.aided:
        return None
    other = asked.aided[0]
    day = f"{local(other.at):%Y-%m-%d}"
    named = f"in case {other.case_id}" if other.case_id else "in a case that the district can see"
    named_zh = f"个案 {other.case_id} " if other.case_id else "另一个案（请向区级了解）"
    return Refusal(
        "aid.given_elsewhere",
        f"Some of these people were given this aid on {day} {named}; "
        "a second time it needs a joint discussion that supports it.",
        f"同一求助对象已于 {day} 在{named_zh}中获得该项救助；再次救助须先经一事一议同意。",
    )


@about_what_is_said
def of_the_right_tier(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """分级审批: by the amount, whose turn it is to confirm."""
    tier = approval.packaged().tier(proceeding.programme, amount_of(asked))
    by = tier.delegated | tier.by if proceeding.delegated else tier.by
    if asked.context.actor.role not in by | {"everything"}:
        who = ", ".join(sorted(by))
        return Refusal(
            "confirm.tier",
            f"An amount like this is confirmed by: {who}.",
            f"该金额应由下列角色确认：{who}。",
        )
    named = proceeding.discussion is not None and proceeding.discussion.amount_fen is not None
    return _unless(
        not tier.discussed or (proceeding.supported and named),
        "confirm.discussion",
        "An amount like this needs a joint discussion with its record first, which names the amount.",
        "该金额须先经一事一议并形成载明金额的记录。",
    )


def amount_of(asked: Asked) -> int:
    """The amount that a step grants (fen): entered by hand, else by the rules, else none."""
    entered = getattr(asked.said, "amount_fen", None)
    if entered is not None:
        return int(entered)
    found = asked.assessment
    return (found.amount_fen or 0) if found is not None else 0


@about_what_is_said
def coded_reason(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    assert asked.step.decides is not None
    codes = approval.packaged().reasons_for(asked.step.decides)
    allowed = ", ".join(sorted(codes))
    return _unless(
        asked.said.reason in codes,
        "reason.not_coded",
        f"reason must be one of: {allowed}.",
        f"reason 应为下列之一：{allowed}。",
        "reason",
    )


RULES_REASONS = frozenset({"income_above_standard", "property_above_limit", "conditions_not_met",
                           "no_hardship_found"})  # fmt: skip
"""Reasons that say what the rules say, so that they must say it."""


@about_what_is_said
def refused_as_the_rules_say(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    found = asked.assessment
    return _unless(
        asked.said.reason not in RULES_REASONS or (found is not None and found.outcome != "eligible"),
        "assessment.eligible",
        "By the rules the household is eligible, or nothing was calculated; this reason does not hold.",
        "按政策测算符合条件或尚未测算，不能以此理由拒绝或终止。",
        "reason",
    )


@about_what_is_said
def ending_announced(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """特困: an ending is posted before (43 art. 26), save after a death."""
    return _unless(
        asked.said.reason == "died" or proceeding.ending_served or case.protected(proceeding),
        "notice.ending",
        "That help ends is posted first.",
        "终止救助供养应先行公示。",
    )


def within_appeal_time(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    if asked.said is None:
        return _unless(
            bool(proceeding.decisions),
            "appeal.no_decision",
            "There is no decision yet to appeal against.",
            "尚无可申诉的决定。",
        )
    decision = next(
        (each for each in proceeding.decisions if each.decision_id == asked.said.decision_id), None
    )
    if decision is None:
        return Refusal(
            "appeal.unknown_decision",
            "There is no such decision in this proceeding; check its id.",
            "该办件中没有此决定，请核对编号。",
            "decision_id",
        )
    last = dates.appeal_until(decision)
    late = (
        getattr(asked.said, "way", None) == "reconsideration"
        and last is not None
        and asked.context.now > last.until
    )
    return _unless(
        not late,
        "appeal.late",
        f"Reconsideration can be asked for within {dates.APPEAL_DAYS} days; a complaint stays possible.",
        f"行政复议应在 {dates.APPEAL_DAYS} 日内提出；仍可申诉。",
        "way",
    )


def appealed(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    open_ = {each.decision_id for each in proceeding.decisions if each.appealed == "open"}
    return _unless(
        bool(open_) if asked.said is None else asked.said.decision_id in open_,
        "appeal.none",
        "No appeal against this decision is open.",
        "该决定没有正在办理的申诉或复议。",
        "decision_id",
    )


@about_what_is_said
def not_to_the_unit_fled_from(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    fled = {each.fled_from for each in case.proceedings.values() if each.fled_from is not None}
    return _unless(
        not any(_within(asked.said.to_division, each) for each in fled),
        "handover.fled_from",
        "The household fled from there: choose another division, or ask the district.",
        "该户系从该地区离开，不得移交该单位，请另选单位或报区级。",
        "to_division",
    )


@about_what_is_said
def another_division(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _unless(
        asked.said.to_division != case.division,
        "handover.same",
        "The case is there already.",
        "本案已由该单位办理。",
        "to_division",
    )


@about_what_is_said
def not_in_the_future(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _unless(
        asked.said.on <= asked.context.now,
        "change.future",
        "It has not happened yet; enter the day on which it happened.",
        "日期不能晚于现在，请填写实际发生日期。",
        "on",
    )


@about_what_is_said
def month_in_reach(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """A decision rules at the latest from next month on, and no month before help was granted or wrongly
    refused; a first grant has its usual month.
    """
    wanted = asked.said.first_month
    if wanted is None:
        return None
    usual = usual_month(proceeding, asked)
    if asked.step.decides == "grant":
        wrong = [each for each in proceeding.decisions if each.appealed == "overturned"]
        months = [each.first_month or next_month(local(each.decided_at).date()) for each in wrong]
    elif asked.workflow.per == "once":
        months = []
    else:
        months = [each.first_month for each in proceeding.decisions if each.first_month is not None]
    earliest = min((*months, usual))
    return _unless(
        earliest <= wanted <= usual,
        "decision.month",
        f"first_month lies from {earliest} to {usual}.",
        f"起始月份应在 {earliest} 至 {usual} 之间。",
        "first_month",
    )


@about_what_is_said
def no_more_than_was_owed(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """What is recovered was due by a decision; what a stop or an adjustment took back is not taken twice."""
    month = month_number(f"{local(asked.context.now):%Y-%m}")
    due = owed(schedule(map(as_paid, proceeding.decisions)), month)
    return _unless(
        asked.said.amount_fen <= due,
        "recover.too_much",
        f"By the decisions {max(due, 0) / 100:.2f} yuan were due until now; no more can be taken back.",
        f"截至目前按决定应发 {max(due, 0) / 100:.2f} 元，追回金额不得超过该数。",
        "amount_fen",
    )


@about_what_is_said
def no_less_than_was_recovered(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    """What was recovered stays due after the decision: the same months are not taken back a second time."""
    kind, per = asked.step.decides, asked.workflow.per
    assert kind is not None
    first = month_number(asked.said.first_month or usual_month(proceeding, asked))
    amount = 0 if kind == "stop" else amount_of(asked)
    new = Decided(proceeding.proceeding_id, kind, per or "month", amount, first, None)
    month = month_number(f"{local(asked.context.now):%Y-%m}")
    left = owed(schedule((*map(as_paid, proceeding.decisions), new)), month)
    return _unless(
        left >= 0,
        "decision.recovered",
        f"{-left / 100:.2f} yuan of these months were recovered already; choose a later month, or more.",
        f"所涉月份中已有 {-left / 100:.2f} 元被追回，请选择更晚的起始月份或更高的金额。",
        "first_month",
    )


def as_paid(decision: Decision) -> Decided:
    """A decision as payments see it."""
    first = decision.first_month or f"{local(decision.decided_at):%Y-%m}"
    last = None if decision.last_month is None else month_number(decision.last_month)
    kind = "stop" if decision.kind == "refuse" else decision.kind
    return Decided(decision.decision_id, kind, decision.per, decision.amount_fen, month_number(first), last)


def term_is_over(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    granted = proceeding.granted
    until = granted.valid_until if granted is not None else None
    if until is None:
        return Refusal(
            "term.none",
            "This grant has no term: end it by a review.",
            "该决定没有期限，请通过核查予以终止。",
        )
    return _unless(
        asked.context.now >= until,
        "term.running",
        f"It holds until the end of {_day(until)}; to end it before, review it.",
        f"有效期至{_day(until)}止；如需提前终止，请发起核查。",
    )


def nothing_in_force(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    decision = proceeding.in_force
    return _unless(
        decision is None or decision.kind in ("refuse", "stop"),
        "decision.stop",
        "Help that was granted is stopped, not refused.",
        "已批准的救助应予终止，而非不予批准。",
    )


def something_in_force(case: AssistanceCase, proceeding: Proceeding, asked: Asked) -> Refusal | None:
    return _unless(
        proceeding.in_force is not None,
        "decision.none",
        "No decision is in force.",
        "没有生效的决定。",
    )
