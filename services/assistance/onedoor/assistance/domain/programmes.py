"""The programmes' workflows, each as one table.

Sources: 57 = 民发〔2021〕57号 (dibao), 43 = 民发〔2021〕43号 (特困), 649 = 社会救助暂行办法; temporary aid by
国发〔2014〕47号 and its detailing notices; limits Ln by the master table of limits.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from onedoor.assistance.domain import guards, kept, said
from onedoor.assistance.domain.proceeding import SETTLED, STATES, State
from onedoor.assistance.domain.table import Branch, Step, Workflow
from onedoor.contracts.events import assistance as events

TOWNSHIP = frozenset({"caseworker", "reviewer", "everything"})
DISTRICT = frozenset({"district", "everything"})
CONFIRMING = frozenset({"reviewer", "district", "everything"})
ALL = TOWNSHIP | DISTRICT


def _in(*states: State) -> frozenset[State]:
    return frozenset(states)


OPEN: frozenset[State] = frozenset(STATES) - SETTLED - {"suspended", "review", "ending_notice"}
"""Before the first decision."""
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
    """入户调查 by two, and the financial check (57 arts. 11, 15, 17, 20)."""
    return (
        Step("register-relative", _in("received", "accepted", "investigating"), "stay", ALL,
             said.RegisterRelative, kept.RelativeRegistered),
        Step("start-investigation", _in("accepted", "investigating"), "investigating", ALL,
             said.StartInvestigation, events.InvestigationStarted,
             (guards.two_investigators, guards.relatives_visited_by_district,
              guards.not_by_the_unit_fled_from),
             meets=meets),
        Step("record-findings", _in("investigating"), "stay", ALL, said.RecordFindings,
             kept.FindingsRecorded),
    )  # fmt: skip


CHECKING = (
    Step("request-check", _in("accepted", "investigating"), "stay", ALL, said.Nothing, kept.CheckDrafted,
         (guards.household_on_file, guards.check_not_running)),
    Step("record-check", _in("accepted", "investigating"), "stay", ALL, said.RecordCheck,
         kept.CheckRecorded, (guards.check_answered,)),
)  # fmt: skip


def _opining(check: bool, meets: tuple[str, ...] = ()) -> tuple[Step, ...]:
    checked = (guards.checked_before_grant,) if check else ()
    return (
        Step("discuss", _in("investigating", "opinion", "reported"), "stay", ALL, said.Discuss,
             kept.DiscussionRecorded),
        Step("give-opinion", _in("investigating"), "opinion", TOWNSHIP, said.GiveOpinion,
             events.OpinionGiven,
             (guards.household_on_file, guards.investigated, guards.not_a_relative, *checked,
              guards.of_the_present_file, guards.opinion_follows_the_rules),
             assessed=True, meets=meets),
        Step("reconsider-opinion", _in("opinion"), "investigating", TOWNSHIP, said.Stated,
             events.ProceedingReopened),
        Step("withhold-notice", _in("received", "supplement", "accepted", "investigating", "opinion"),
             "stay", ALL, said.Withhold, kept.NoticeWithheld, (guards.ground_is_true,)),
    )  # fmt: skip


def _publicity(clock: str) -> tuple[Step, ...]:
    """公示: only name, household size and amount (57 art. 19, 43 art. 15)."""
    return (
        Step("post-notice", _in("opinion"), "notice", TOWNSHIP, said.Nothing, events.NoticePosted,
             (guards.notice_is_due,), starts=(clock,)),
        Step("take-down-notice", _in("notice", "objection"), "opinion", ALL, said.Withhold,
             events.NoticeEnded, (guards.ground_is_true,), cancels=(clock,)),
        Step("object", _in("notice"), "objection", ALL, said.Stated, events.ObjectionRaised,
             cancels=(clock,)),
        Step("settle-objection", _in("objection"), Branch("result", {"upheld": "investigating",
             "rejected": "opinion"}), ALL, said.SettleObjection, events.ObjectionSettled),
        Step("end-notice", _in("notice"), "reported", TOWNSHIP, said.Nothing, events.NoticeEnded,
             (guards.notice_over,), meets=(clock,)),
    )  # fmt: skip


def _deciding(starts: tuple[str, ...], told: str | None) -> tuple[Step, ...]:
    """Confirmation by others than the investigators, by tiers of the amount (57 art. 20)."""
    tells = (
        (Step("tell-refusal", _in("refused"), "stay", ALL, said.Tell, events.RefusalTold, meets=(told,)),)
        if told
        else (Step("tell-refusal", _in("refused"), "stay", ALL, said.Tell, events.RefusalTold),)
    )
    return (
        Step("report", _in("opinion"), "reported", TOWNSHIP, said.Nothing, events.CaseReported,
             (guards.notice_served_if_due,), starts=starts),
        Step("send-back", _in("reported"), "investigating", CONFIRMING, said.Stated,
             events.ProceedingReopened, cancels=starts),
        Step("confirm", _in("reported"), "granted", CONFIRMING, said.Amount, events.Determined,
             (guards.recommended, guards.notice_served_if_due, guards.not_the_investigator,
              guards.not_a_relative, guards.of_the_present_file, guards.assessed_as_eligible,
              guards.amount_by_rule_or_by_hand, guards.of_the_right_tier),
             decides="grant", assessed=True, meets=starts),
        Step("refuse", _in("reported"), "refused", CONFIRMING, said.Refuse, events.Determined,
             (guards.not_the_investigator, guards.not_a_relative, guards.coded_reason,
              guards.of_the_present_file, guards.refused_as_the_rules_say),
             decides="refuse", assessed=True, starts=(told,) if told else (), meets=starts),
        *tells,
    )  # fmt: skip


def _leaving(*clocks: str) -> tuple[Step, ...]:
    """Ways out before a decision: withdrawal, non-cooperation (57 art. 29), another township's matter."""
    return (
        Step("withdraw", OPEN, "withdrawn", ALL, said.Stated, events.ProceedingEnded, cancels=clocks),
        Step("close-not-cooperating", _in("supplement", "accepted", "investigating"), "not_cooperating",
             TOWNSHIP, said.Stated, events.ProceedingEnded, cancels=clocks),
        Step("hand-over", OPEN | _in("granted", "review"), "stay", ALL, said.HandOver,
             events.JurisdictionChanged, (guards.another_division,)),
    )  # fmt: skip


APPEALING = (
    Step("appeal", _in("granted", "refused", "ended", "papers"), "stay", ALL, said.Appeal,
         events.CaseAppealed, (guards.within_appeal_time,)),
    Step("settle-appeal", _in("granted", "refused", "ended"), Branch("result", {"upheld": "stay",
         "overturned": "investigating"}), DISTRICT, said.SettleAppeal, events.AppealSettled,
         (guards.appealed,)),
    Step("reopen", _in("refused", "withdrawn", "not_cooperating", "ended"), "investigating", DISTRICT,
         said.Reopen, events.ProceedingReopened),
)  # fmt: skip
"""申诉 and 复议 (649; within 60 days), linked to the decision."""


def _suspicion(sources: frozenset[State]) -> tuple[Step, ...]:
    """Suspected fraud: suspend, clear or refuse, recover (649 art. 68)."""
    return (
        Step("suspend", sources, "suspended", ALL, said.Stated, events.CaseSuspended),
        Step("clear-suspicion", _in("suspended"), "back", DISTRICT, said.Stated, events.SuspicionCleared),
        Step("recover", _in("granted", "review", "suspended", "ended"), "stay", DISTRICT, said.Recover,
             events.Determined, (guards.something_in_force, guards.coded_reason), decides="recover"),
    )  # fmt: skip


def _reviewing(ending: bool = False, taper: bool = False) -> tuple[Step, ...]:
    """Review by household kind (L8), and changes that re-open the decision."""
    stop_guards = (guards.coded_reason, guards.of_the_present_file, guards.refused_as_the_rules_say)
    announced = (guards.ending_announced,) if ending else ()
    steps = [
        Step("report-change", _in("granted"), "review", ALL, said.ReportChange, events.ChangeReported,
             (guards.not_in_the_future,), meets=("L8",)),
        Step("start-review", _in("granted"), "review", ALL, said.StartReview, events.ReviewStarted,
             meets=("L8",)),
        Step("adjust", _in("review"), "granted", DISTRICT, said.Amount, events.Determined,
             (guards.not_a_relative, guards.of_the_present_file, guards.assessed_as_eligible,
              guards.amount_by_rule_or_by_hand, guards.of_the_right_tier),
             decides="adjust", assessed=True, starts=("L8",), meets=("L9",)),
        Step("stop", _in("review", "suspended"), "ended", DISTRICT, said.Stop, events.Determined,
             (guards.not_a_relative, *stop_guards, *announced), decides="stop", assessed=True,
             meets=("L9",)),
    ]  # fmt: skip
    if taper:
        steps += [
            Step("taper", _in("review"), "granted", DISTRICT, said.Taper, events.Determined,
                 (guards.not_a_relative, guards.of_the_present_file, guards.assessed_as_taper),
                 decides="taper", assessed=True, starts=("L8",), meets=("L9",)),
        ]  # fmt: skip
    if ending:
        steps += [
            Step("post-ending-notice", _in("review"), "ending_notice", TOWNSHIP, said.Nothing,
                 events.NoticePosted, (guards.not_protected,), starts=("L15",)),
            Step("end-ending-notice", _in("ending_notice"), "review", TOWNSHIP, said.Nothing,
                 events.NoticeEnded, (guards.notice_over,), meets=("L15",)),
            Step("object-to-ending", _in("ending_notice"), "review", ALL, said.Stated,
                 events.ObjectionRaised, cancels=("L15",)),
        ]  # fmt: skip
    return tuple(steps)


def _granting(steps: Iterable[Step]) -> tuple[Step, ...]:
    """A monthly grant starts its review clock."""
    return tuple(
        replace(step, starts=(*step.starts, "L8")) if step.decides == "grant" else step for step in steps
    )


CARE = (
    Step("grade-ability", _in("granted", "review"), "stay", DISTRICT, said.GradeAbility,
         kept.AbilityGraded),
    Step("choose-care", _in("granted", "review"), "stay", ALL, said.ChooseCare, kept.CareChosen),
)  # fmt: skip
"""特困: the district grades the ability, the person chooses home or institution (43 arts. 21-23)."""

FULL = (OPEN | _in("granted", "review")) - _in("received", "supplement")

DIBAO = Workflow(
    "dibao",
    (
        *RECEIVING,
        *_accepting("L1", "L5"),
        *_investigating(meets=("L1",)),
        *CHECKING,
        *_opining(check=True),
        *_publicity("L3"),
        *_granting(_deciding(("L4",), "L6")),
        *_reviewing(taper=True),
        *_suspicion(FULL),
        *APPEALING,
        *_leaving("L1", "L4", "L5"),
    ),
    notice_days=(7, 3),
)

DIBAO_EDGE = replace(
    DIBAO,
    programme="dibao_edge",
    per=None,
    steps=(
        *RECEIVING,
        *_accepting("L1", "L5"),
        *_investigating(meets=("L1",)),
        *CHECKING,
        *_opining(check=True),
        *_publicity("L3"),
        *_granting(_deciding(("L4",), "L6")),
        *_reviewing(),
        *_suspicion(FULL),
        *APPEALING,
        *_leaving("L1", "L4", "L5"),
    ),
)

TEKUN = Workflow(
    "tekun",
    (
        *RECEIVING,
        *_accepting("L11"),
        *_investigating(),
        *CHECKING,
        *_opining(check=True, meets=("L11",)),
        *_publicity("L12"),
        *_granting(_deciding(("L13",), "L6")),
        *CARE,
        *_reviewing(ending=True),
        *_suspicion(FULL | _in("ending_notice")),
        *APPEALING,
        *_leaving("L11", "L13"),
    ),
    person=True,
    notice_days=(7, 7),
)

RIGID = Workflow(
    "rigid_expenditure",
    (
        *RECEIVING,
        *_accepting("L16"),
        *_investigating(),
        *CHECKING,
        *_opining(check=True),
        *_publicity("L3"),
        *_granting(_deciding((), None)),
        *_reviewing(),
        *_suspicion(FULL),
        *APPEALING,
        *_leaving("L16"),
    ),
    per=None,
    notice_days=(7, 3),
)

EXPENDITURE_AID = Workflow(
    "temporary_expenditure",
    (
        *RECEIVING,
        *_accepting(),
        *_investigating(),
        *CHECKING,
        *_opining(check=True),
        *_publicity("L3"),
        *_deciding((), None),
        *_suspicion(FULL),
        *APPEALING,
        *_leaving(),
    ),
    per="once",
    notice_days=(7, 3),
)

SMALL_AID = Workflow(
    "temporary_small",
    (
        Step("confirm-urgency", _in("received"), "urgent", TOWNSHIP | DISTRICT, said.Stated,
             events.UrgencyConfirmed, starts=("L17",)),
        Step("discuss", _in("urgent"), "stay", ALL, said.Discuss, kept.DiscussionRecorded),
        Step("pay-first", _in("urgent"), "papers", CONFIRMING, said.PayFirst, events.AidPaidFirst,
             (guards.not_a_relative, guards.amount_by_rule_or_by_hand, guards.of_the_right_tier),
             decides="grant", starts=("L19",), meets=("L17",)),
        Step("complete-papers", _in("papers"), "granted", ALL, said.Papers, events.PapersCompleted,
             meets=("L19",)),
        Step("confirm", _in("urgent"), "granted", CONFIRMING, said.Amount, events.Determined,
             (guards.not_a_relative, guards.of_the_present_file, guards.assessed_as_eligible,
              guards.amount_by_rule_or_by_hand, guards.of_the_right_tier),
             decides="grant", assessed=True, meets=("L17",)),
        Step("refuse", _in("received", "urgent"), "refused", CONFIRMING, said.Refuse, events.Determined,
             (guards.not_a_relative, guards.coded_reason, guards.of_the_present_file,
              guards.refused_as_the_rules_say),
             decides="refuse", assessed=True, meets=("L17",)),
        Step("tell-refusal", _in("refused"), "stay", ALL, said.Tell, events.RefusalTold),
        Step("register-relative", _in("received", "urgent"), "stay", ALL, said.RegisterRelative,
             kept.RelativeRegistered),
        Step("recover", _in("granted", "papers"), "stay", DISTRICT, said.Recover, events.Determined,
             (guards.something_in_force, guards.coded_reason), decides="recover"),
        Step("appeal", _in("granted", "refused", "papers"), "stay", ALL, said.Appeal, events.CaseAppealed,
             (guards.within_appeal_time,)),
        Step("settle-appeal", _in("granted", "refused", "papers"), Branch("result", {"upheld": "stay",
             "overturned": "urgent"}), DISTRICT, said.SettleAppeal, events.AppealSettled,
             (guards.appealed,), cancels=("L19",)),
        Step("withdraw", _in("received", "urgent"), "withdrawn", ALL, said.Stated, events.ProceedingEnded,
             cancels=("L17",)),
        Step("hand-over", _in("received", "urgent"), "stay", ALL, said.HandOver,
             events.JurisdictionChanged, (guards.another_division,)),
    ),
    per="once",
    check=False,
)  # fmt: skip
"""小额快救: no check, no notice, within three days (L17); aid first, papers later (L19)."""

WORKFLOWS: Mapping[str, Workflow] = {
    workflow.programme: workflow for workflow in (DIBAO, DIBAO_EDGE, TEKUN, RIGID, EXPENDITURE_AID, SMALL_AID)
}

COMMANDS: Mapping[str, tuple[Step, ...]] = {
    command: tuple(step for workflow in WORKFLOWS.values() for step in workflow.by_command.get(command, ()))
    for command in dict.fromkeys(step.command for each in WORKFLOWS.values() for step in each.steps)
}
"""Every command with all its rows: one endpoint each."""
