"""The programmes' workflows, each as one table.

Sources: 57 = 民发〔2021〕57号 (dibao), 43 = 民发〔2021〕43号 (特困), 62 = 民发〔2019〕62号 and
54 = 国办发〔2010〕54号 (children), 649 = 社会救助暂行办法; temporary aid by 国发〔2014〕47号 and its
detailing notices; limits Ln by the master table of limits.
"""

from collections.abc import Mapping
from dataclasses import replace

from onedoor.assistance.domain import guards, kept, said
from onedoor.assistance.domain.proceeding import State
from onedoor.assistance.domain.table import Branch, Step, Workflow
from onedoor.contracts.events import assistance as events

TOWNSHIP = frozenset({"caseworker", "reviewer", "everything"})
DISTRICT = frozenset({"district", "everything"})
CONFIRMING = frozenset({"reviewer", "district", "everything"})
ALL = TOWNSHIP | DISTRICT
EVERY = ("all",)
"""Of a step's clocks: whichever of the proceeding still run."""


def _in(*states: State) -> frozenset[State]:
    return frozenset(states)


OPEN = _in(
    "received", "supplement", "accepted", "investigating", "opinion", "notice", "objection", "reported"
)
"""Before the first decision."""
RUNS = _in("granted", "review")
"""After a grant."""
NOT_HELPED = _in("refused", "ended")
"""After a decision that gives nothing, or no longer."""
RECEIVING = (
    Step("ask-supplement", _in("received"), "supplement", TOWNSHIP, said.AskSupplement,
         events.SupplementAsked, (guards.supplement_not_asked_before,)),
    Step("receive-supplement", _in("supplement"), "received", TOWNSHIP, said.Papers,
         events.SupplementReceived),
)  # fmt: skip
"""Missing papers are told once, all together (57 art. 10)."""


def _accepting(*clocks: str) -> tuple[Step, ...]:
    return (
        Step("accept", _in("received"), "accepted", TOWNSHIP, said.Accept, events.CaseAccepted,
             starts=clocks),
    )  # fmt: skip


def _investigating(meets: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """入户调查 by two (57 arts. 11, 15, 20)."""
    return (
        Step("register-relative", OPEN - _in("supplement"), "stay", ALL,
             said.RegisterRelative, kept.RelativeRegistered),
        Step("start-investigation", _in("accepted", "investigating"), "investigating", ALL,
             said.StartInvestigation, events.InvestigationStarted,
             (guards.ground_given_if_sealed, guards.two_investigators,
              guards.relatives_visited_by_district, guards.not_by_the_unit_fled_from),
             meets=meets),
        Step("record-findings", _in("investigating"), "stay", ALL, said.RecordFindings,
             kept.FindingsRecorded, (guards.visited_as_due,)),
    )  # fmt: skip


CHECKING = (
    Step("request-check", _in("accepted", "investigating"), "stay", ALL, said.Nothing, kept.CheckDrafted,
         (guards.household_on_file, guards.check_not_running)),
)  # fmt: skip
"""Its result is no step: it is the answer of the referral."""


def _opining(meets: tuple[str, ...] = ()) -> tuple[Step, ...]:
    return (
        Step("discuss", _in("investigating", "opinion", "reported"), "stay", ALL, said.Discuss,
             kept.DiscussionRecorded, (guards.three_took_part,)),
        Step("give-opinion", _in("investigating"), "opinion", TOWNSHIP, said.GiveOpinion,
             events.OpinionGiven,
             (guards.household_on_file, guards.investigated, guards.not_a_relative,
              guards.visited_as_due, guards.checked_before_grant, guards.of_the_present_file,
              guards.opinion_follows_the_rules),
             assessed=True, meets=meets),
        Step("reconsider-opinion", _in("opinion"), "investigating", TOWNSHIP, said.Stated,
             events.ProceedingReopened),
        Step("withhold-notice", _in("received", "supplement", "accepted", "investigating", "opinion"),
             "stay", ALL, said.Withhold, kept.NoticeWithheld, (guards.ground_is_true,)),
    )  # fmt: skip


def _publicity(clocks: tuple[str, ...], objection: tuple[str, ...]) -> tuple[Step, ...]:
    """公示: only name, household size and amount (57 art. 19, 43 art. 15)."""
    return (
        Step("post-notice", _in("opinion"), "notice", TOWNSHIP, said.Nothing, events.NoticePosted,
             (guards.notice_is_due,), starts=clocks),
        Step("take-down-notice", _in("notice", "objection"), "opinion", ALL, said.Withhold,
             events.NoticeEnded, (guards.ground_is_true,), cancels=(*clocks, *objection)),
        Step("object", _in("notice"), "objection", ALL, said.Stated, events.ObjectionRaised,
             starts=objection, cancels=clocks),
        Step("settle-objection", _in("objection"), Branch("result", {"upheld": "investigating",
             "rejected": "opinion"}), ALL, said.SettleObjection, events.ObjectionSettled,
             meets=objection),
        Step("end-notice", _in("notice"), "reported", TOWNSHIP, said.Nothing, events.NoticeEnded,
             (guards.notice_over,), meets=clocks),
    )  # fmt: skip


def _deciding(
    starts: tuple[str, ...],
    whole: tuple[str, ...],
    told: tuple[str, ...],
    running: tuple[str, ...],
    reported: tuple[str, ...] = (),
) -> tuple[Step, ...]:
    """Confirmation by others than the investigators, by tiers of the amount (57 art. 20)."""
    return (
        Step("report", _in("opinion"), "reported", TOWNSHIP, said.Nothing, events.CaseReported,
             (guards.notice_served_if_due,), starts=starts, meets=reported),
        Step("send-back", _in("reported"), "investigating", CONFIRMING, said.Stated,
             events.ProceedingReopened, cancels=starts),
        Step("confirm", _in("reported"), "granted", CONFIRMING, said.Amount, events.Determined,
             (guards.recommended, guards.notice_served_if_due, guards.not_the_investigator,
              guards.not_a_relative, guards.visited_as_due, guards.of_the_present_file,
              guards.as_the_opinion_saw_it, guards.assessed_as_eligible,
              guards.amount_by_rule_or_by_hand, guards.of_the_right_tier, guards.month_in_reach),
             decides="grant", assessed=True, starts=running, meets=(*starts, *whole)),
        Step("refuse", _in("reported"), "refused", CONFIRMING, said.Refuse, events.Determined,
             (guards.not_the_investigator, guards.not_a_relative, guards.coded_reason,
              guards.of_the_present_file, guards.refused_as_the_rules_say),
             decides="refuse", assessed=True, starts=told, meets=(*starts, *whole)),
        Step("tell-refusal", _in("refused"), "stay", ALL, said.Tell, events.RefusalTold, meets=told),
    )  # fmt: skip


def _leaving() -> tuple[Step, ...]:
    """Ways out before a decision: withdrawal, non-cooperation (57 art. 29), another township's matter."""
    return (
        Step("withdraw", OPEN, "withdrawn", ALL, said.Stated, events.ProceedingEnded, cancels=EVERY),
        Step("close-not-cooperating", _in("supplement", "accepted", "investigating"), "not_cooperating",
             TOWNSHIP, said.Stated, events.ProceedingEnded, cancels=EVERY),
        Step("hand-over", OPEN | RUNS, "stay", ALL, said.HandOver,
             events.JurisdictionChanged, (guards.another_division, guards.not_to_the_unit_fled_from)),
    )  # fmt: skip


def _appealing(told: tuple[str, ...], again: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """申诉 and 复议 (649; within 60 days), linked to the decision; and the district's own reopening.

    again: the clocks of an application begun anew.
    """
    return (
        Step("appeal", NOT_HELPED | _in("granted"), "stay", ALL, said.Appeal, events.CaseAppealed,
             (guards.within_appeal_time,)),
        *_settling("investigating", told),
        Step("reopen", NOT_HELPED | _in("withdrawn", "not_cooperating"), "received", DISTRICT,
             said.Reopen, events.ProceedingReopened, starts=again, cancels=told),
    )  # fmt: skip


def _settling(anew: State, told: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """An appeal that held opens the case again: a grant is decided anew, where nothing is granted it goes
    back to `anew`.
    """
    return (
        Step("settle-appeal", _in("granted"), Branch("result", {"upheld": "stay",
             "overturned": "review"}), DISTRICT, said.SettleAppeal, events.AppealSettled,
             (guards.appealed, guards.not_the_decider)),
        Step("settle-appeal", NOT_HELPED, Branch("result", {"upheld": "stay",
             "overturned": anew}), DISTRICT, said.SettleAppeal, events.AppealSettled,
             (guards.appealed, guards.not_the_decider), cancels=told),
    )  # fmt: skip


def _suspending(sources: frozenset[State]) -> tuple[Step, ...]:
    return (
        Step("suspend", sources, "suspended", ALL, said.Stated, events.CaseSuspended),
        Step("refer-suspicion", _in("suspended"), "stay", ALL, said.ReferSuspicion, kept.SuspicionReferred,
             (guards.not_referred_to_them,)),
        Step("clear-suspicion", _in("suspended"), "back", DISTRICT, said.Stated, events.SuspicionCleared),
    )  # fmt: skip


def _suspicion(told: tuple[str, ...]) -> tuple[Step, ...]:
    """Suspected fraud: suspend, refer, clear or refuse, recover (649 art. 68)."""
    sources = (OPEN | RUNS) - _in("received", "supplement")
    return (
        *_suspending(sources),
        Step("refuse", _in("suspended"), "refused", DISTRICT, said.Refuse, events.Determined,
             (guards.nothing_in_force, guards.not_the_investigator, guards.not_a_relative,
              guards.coded_reason, guards.of_the_present_file, guards.refused_as_the_rules_say),
             decides="refuse", assessed=True, starts=told, cancels=EVERY),
        Step("recover", RUNS | _in("ended", "suspended"), "stay", DISTRICT, said.Recover,
             events.Determined,
             (guards.something_in_force, guards.coded_reason, guards.no_more_than_was_owed),
             decides="recover"),
    )  # fmt: skip


def _deciding_anew(
    again: tuple[str, ...] = (), changed: tuple[str, ...] = (), ending: bool = False
) -> tuple[Step, ...]:
    """A grant under review, or whose appeal held: adjusted or stopped, by others than who began that.

    The clocks: again, of the next review; changed, of the look at a change. ending: it is posted before.
    """
    announced = (guards.ending_announced,) if ending else ()
    objection = ("L15-objection",) if ending else ()
    return (
        Step("adjust", _in("review"), "granted", DISTRICT, said.Amount, events.Determined,
             (guards.not_who_began_the_review, guards.not_a_relative, guards.of_the_present_file,
              guards.assessed_as_eligible, guards.amount_by_rule_or_by_hand, guards.of_the_right_tier,
              guards.month_in_reach, guards.no_less_than_was_recovered),
             decides="adjust", assessed=True, starts=again, meets=(*changed, *objection)),
        Step("stop", _in("review", "suspended"), "ended", DISTRICT, said.Stop, events.Determined,
             (guards.something_in_force, guards.not_who_began_the_review, guards.not_a_relative,
              guards.coded_reason, guards.of_the_present_file, guards.refused_as_the_rules_say,
              guards.month_in_reach, guards.no_less_than_was_recovered, *announced),
             decides="stop", assessed=True, meets=(*changed, *objection), cancels=EVERY),
    )  # fmt: skip


def _checking_anew() -> tuple[Step, ...]:
    return (
        Step("request-check", _in("review"), "stay", ALL, said.Nothing, kept.CheckDrafted,
             (guards.household_on_file, guards.check_not_running)),
        Step("discuss", _in("review"), "stay", ALL, said.Discuss, kept.DiscussionRecorded,
             (guards.three_took_part,)),
    )  # fmt: skip


def _reviewing(
    again: tuple[str, ...] = (), changed: tuple[str, ...] = (), ending: bool = False, taper: bool = False
) -> tuple[Step, ...]:
    """Review by household kind, and changes that re-open the decision; the clocks as in `_deciding_anew`."""
    steps = [
        Step("report-change", RUNS, "review", ALL, said.ReportChange,
             events.ChangeReported, (guards.not_in_the_future,), starts=changed),
        Step("start-review", _in("granted"), "review", ALL, said.StartReview, events.ReviewStarted,
             meets=again),
        *_deciding_anew(again, changed, ending),
        *_checking_anew(),
    ]  # fmt: skip
    if taper:
        steps += [
            Step("taper", _in("review"), "granted", DISTRICT, said.Taper, events.Determined,
                 (guards.not_who_began_the_review, guards.not_a_relative, guards.of_the_present_file,
                  guards.assessed_as_taper, guards.taper_within_its_bounds),
                 decides="taper", assessed=True, starts=("L10",), meets=(*again, *changed)),
        ]  # fmt: skip
    if ending:
        steps += [
            Step("post-ending-notice", _in("review"), "ending_notice", TOWNSHIP, said.Nothing,
                 events.NoticePosted, (guards.not_protected,), starts=("L15",)),
            Step("end-ending-notice", _in("ending_notice"), "review", TOWNSHIP, said.Nothing,
                 events.NoticeEnded, (guards.notice_over,), meets=("L15",)),
            Step("object-to-ending", _in("ending_notice"), "review", ALL, said.Stated,
                 events.ObjectionRaised, starts=("L15-objection",), cancels=("L15",)),
        ]  # fmt: skip
    return tuple(steps)


def _lapsing(term: tuple[str, ...]) -> tuple[Step, ...]:
    """The end of a grant of limited term is recorded; by law it has ended by itself. term: its clock."""
    return (
        Step("lapse", RUNS, "ended", CONFIRMING, said.Nothing, events.Determined, (guards.term_is_over,),
             decides="stop", meets=term, cancels=EVERY),
    )  # fmt: skip


CARE = (
    Step("report-ability", RUNS, "stay", ALL, said.Stated, events.AbilityReported, starts=("L14",)),
    Step("grade-ability", RUNS, "stay", DISTRICT, said.GradeAbility, events.AbilityReassessed,
         meets=("L14",)),
    Step("choose-care", RUNS, "stay", ALL, said.ChooseCare, kept.CareChosen),
)  # fmt: skip
"""特困: the district grades the ability, at first and after a report that it changed; the person chooses home
or institution (43 arts. 21-23).
"""


def _whole(
    accept: tuple[str, ...],
    *own: Step,
    investigate: tuple[str, ...] = (),
    opinion: tuple[str, ...] = (),
    notice: tuple[str, ...] = (),
    objection: tuple[str, ...] = (),
    decide: tuple[str, ...] = (),
    told: tuple[str, ...] = (),
    running: tuple[str, ...] = (),
) -> tuple[Step, ...]:
    """From application to decision, as all programmes have it that are checked and posted, and `own` steps.

    The clocks: accept, those that acceptance starts; of them investigate and opinion meet theirs and the
    decision the others; decide, those of the district's decision; told, that of telling a refusal; running,
    those that a grant starts.
    """
    whole = tuple(clock for clock in accept if clock not in (*investigate, *opinion))
    return (
        *RECEIVING,
        *_accepting(*accept),
        *_investigating(investigate),
        *CHECKING,
        *_opining(opinion),
        *_publicity(notice, objection),
        *_deciding(decide, whole, told, running),
        *own,
        *_suspicion(told),
        *_leaving(),
    )


def _dibao(taper: bool) -> tuple[Step, ...]:
    return (
        *_whole(
            ("L1", "L5"),
            investigate=("L1",),
            notice=("L3",),
            decide=("L4",),
            told=("L6",),
            running=("L7", "L8"),
        ),
        *_reviewing(again=("L8",), changed=("L9",), taper=taper),
        *_appealing(("L6",)),
    )


SINGLE_PERSON = Workflow("single_person", _dibao(taper=False), person=True, notice_days=(7, 3))
"""参照单人户: dibao for one member of an edge household (57 art. 8)."""

DIBAO = Workflow("dibao", _dibao(taper=True), notice_days=(7, 3))
"""公示 stands seven days, and three more after an objection (57 art. 19, CQDB art. 18)."""

DIBAO_EDGE = Workflow(
    "dibao_edge",
    (
        *_whole(("L16",), told=("L6",), running=("L8",)),
        *_reviewing(again=("L8",)),
        *_appealing(("L6",)),
    ),
    per=None,
    notice_days=(7, 3),
)

TEKUN = Workflow(
    "tekun",
    (
        *_whole(
            ("L11",),
            *CARE,
            opinion=("L11",),
            notice=("L12",),
            objection=("L12-objection",),
            decide=("L13",),
            told=("L6",),
            running=("L8",),
        ),
        *_reviewing(again=("L8",), ending=True),
        *_appealing(("L6",)),
    ),
    person=True,
    notice_days=(7, 7),
)

RIGID = Workflow(
    "rigid_expenditure",
    (*_whole(("L16",), running=("L16-end",)), *_lapsing(("L16-end",)), *_reviewing(), *_appealing(())),
    per=None,
    notice_days=(7, 3),
)
"""刚性支出困难家庭 (民发〔2024〕57号): for at most twelve months, then a new application."""

UNPOSTED = _in("notice", "objection")


def _childs(
    checked: tuple[str, ...], decided: tuple[str, ...], paid: tuple[str, ...] = ()
) -> tuple[Step, ...]:
    """A child's allowance: the township compares data and visits what is disputed, nothing is posted, the
    district confirms (62, 54).

    The clocks: checked, that of the township; decided, that of the district; paid, of the first payment.
    """
    steps = (
        *RECEIVING,
        *_accepting(),
        *_investigating(),
        *_opining(),
        *_deciding(decided, (), (), (*paid, "L8"), checked),
        *_suspicion(()),
        *_leaving(),
        *_reviewing(again=("L8",)),
        *_appealing((), checked),
    )
    return tuple(map(_by_data, steps))


def _by_data(step: Step) -> Step:
    """The row of a programme without notice, whose findings may come from data alone."""
    step = replace(step, sources=step.sources - UNPOSTED)
    match step.command:
        case "record-findings":
            return replace(step, sources=_in("accepted", "investigating"))
        case "give-opinion":
            without = [each for each in step.guards if each is not guards.checked_before_grant]
            checks = (guards.disputed_is_visited, *without)
            return replace(step, sources=_in("accepted", "investigating"), guards=checks)
    return step


UNATTENDED_CHILD = Workflow(
    "unattended_child", _childs(("L20",), ("L21",), ("L21-pay",)), person=True, opening=("L20",)
)
"""事实无人抚养儿童 (62): 15 working days at the township, 15 at the district, no notice; paid from the month
after.
"""

ORPHAN = Workflow("orphan", _childs((), ()), person=True)
"""孤儿 (54): as de facto unattended children, without numbers for its limits."""

EXPENDITURE_AID = Workflow(
    "temporary_expenditure",
    (*_whole(()), *_deciding_anew(), *_checking_anew(), *_appealing(())),
    per="once",
    notice_days=(7, 3),
)

SMALL_AID = Workflow(
    "temporary_small",
    (
        Step("confirm-urgency", _in("received"), "urgent", TOWNSHIP | DISTRICT, said.Stated,
             events.UrgencyConfirmed),
        Step("discuss", _in("urgent", "review"), "stay", ALL, said.Discuss, kept.DiscussionRecorded,
             (guards.three_took_part,)),
        Step("pay-first", _in("urgent"), "papers", CONFIRMING, said.PayFirst, events.AidPaidFirst,
             (guards.not_a_relative, guards.not_aided_elsewhere, guards.amount_by_rule_or_by_hand,
              guards.of_the_right_tier),
             decides="grant", starts=("L19",), meets=("L17",)),
        Step("complete-papers", _in("papers"), "granted", ALL, said.Papers, events.PapersCompleted,
             (guards.second_signature,), meets=("L19",)),
        Step("confirm", _in("urgent"), "granted", CONFIRMING, said.Amount, events.Determined,
             (guards.not_the_investigator, guards.not_a_relative, guards.not_aided_elsewhere,
              guards.of_the_present_file, guards.assessed_as_eligible,
              guards.amount_by_rule_or_by_hand, guards.of_the_right_tier, guards.month_in_reach),
             decides="grant", assessed=True, meets=("L17",)),
        Step("refuse", _in("received", "urgent"), "refused", CONFIRMING, said.Refuse, events.Determined,
             (guards.not_a_relative, guards.coded_reason, guards.of_the_present_file,
              guards.refused_as_the_rules_say),
             decides="refuse", assessed=True, meets=("L17",)),
        Step("tell-refusal", _in("refused"), "stay", ALL, said.Tell, events.RefusalTold),
        Step("register-relative", _in("received", "urgent"), "stay", ALL, said.RegisterRelative,
             kept.RelativeRegistered),
        *_deciding_anew(),
        *_suspending(RUNS | _in("papers")),
        Step("recover", RUNS | _in("papers", "ended", "suspended"), "stay", DISTRICT, said.Recover,
             events.Determined,
             (guards.something_in_force, guards.coded_reason, guards.no_more_than_was_owed),
             decides="recover"),
        Step("appeal", NOT_HELPED | _in("granted", "papers"), "stay", ALL, said.Appeal, events.CaseAppealed,
             (guards.within_appeal_time,)),
        *_settling("urgent"),
        Step("withdraw", _in("received", "urgent"), "withdrawn", ALL, said.Stated, events.ProceedingEnded,
             cancels=EVERY),
        Step("hand-over", _in("received", "urgent"), "stay", ALL, said.HandOver,
             events.JurisdictionChanged, (guards.another_division, guards.not_to_the_unit_fled_from)),
    ),
    per="once",
)  # fmt: skip
"""小额快救: no check, no notice, within three days (L17); aid first, papers later (L19). An
appeal against aid paid first is settled on the complete papers."""

WORKFLOWS: Mapping[str, Workflow] = {
    workflow.programme: workflow
    for workflow in (
        DIBAO,
        DIBAO_EDGE,
        SINGLE_PERSON,
        TEKUN,
        RIGID,
        EXPENDITURE_AID,
        SMALL_AID,
        UNATTENDED_CHILD,
        ORPHAN,
    )
}

COMMANDS: Mapping[str, tuple[Step, ...]] = {
    command: tuple(step for workflow in WORKFLOWS.values() for step in workflow.by_command.get(command, ()))
    for command in dict.fromkeys(step.command for each in WORKFLOWS.values() for step in each.steps)
}
"""Every command with all its rows: one endpoint each."""
