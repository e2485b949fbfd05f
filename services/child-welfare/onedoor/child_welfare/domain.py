"""What child welfare decides about a protection case: the chain of steps from the report to the follow-up.

Report, immediate response, temporary care, assessment, plan and follow-up are steps inside the case's states:
the report opens it, the plan is its decision. Sources: WBF = 未成年人保护法; 62 = 民发〔2019〕62号;
D = a rule of this house.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from onedoor.contracts import case
from onedoor.contracts.case import (
    Case,
    CaseState,
    Close,
    Decide,
    KeptEvent,
    Reopen,
    Rules,
    Transfer,
    WithdrawCase,
)
from onedoor.contracts.core import Command, Context, Decider, Event, Refusal
from onedoor.contracts.events.case import CaseDecided, CaseEvent, CaseOpened, CaseReopened
from onedoor.contracts.events.protection import CareTaken, FollowedUp, ReturnedHome

NAME = "child-welfare"

Step = Literal["report", "immediate_response", "temporary_care", "assessment", "plan", "follow_up"]

OUTCOMES: Mapping[str, frozenset[str]] = {
    "plan_made": frozenset(
        {
            "help_at_home",
            "return_home",
            "kinship_care",
            "foster_care",
            "institution",
            "long_term_guardianship",
        }
    ),
    "no_need": frozenset({"child_safe", "report_unfounded", "not_a_minor", "known_elsewhere"}),
}

REASONS: Mapping[type[Command], frozenset[str]] = {
    Close: frozenset({"safe_at_home", "long_term_care", "adopted", "of_age", "no_need", "died"}),
    Transfer: frozenset({"lives_elsewhere", "registered_elsewhere", "boundary_change"}),
    Reopen: frozenset({"new_report", "new_facts", "court_ruling", "error"}),
}

GROUNDS: frozenset[str] = frozenset(
    {
        "vagrant_or_unidentified",
        "guardian_missing",
        "guardian_unable",
        "guardian_refuses",
        "guardian_incites",
        "guardian_harms",
        "other_by_law",
    }
)
"""The seven grounds on which the civil affairs bureau takes over temporary guardianship (WBF art. 92)."""

PLACEMENTS: frozenset[str] = frozenset({"relative", "foster_family", "centre", "children_home"})
"""Where a child in temporary guardianship is placed (WBF art. 93)."""


@dataclass(frozen=True, slots=True)
class Path:
    """When a step may be taken: after which step, in which states of the case; `again`: more than once."""

    after: Step
    states: frozenset[CaseState]
    again: bool = False


PATHS: Mapping[Step, Path] = {
    "immediate_response": Path("report", frozenset({"in_work"})),
    "temporary_care": Path("immediate_response", frozenset({"in_work", "decided"})),
    "assessment": Path("immediate_response", frozenset({"in_work"})),
    "follow_up": Path("plan", frozenset({"decided"}), again=True),
}


class ProtectionCase(Case):
    """A case with the steps taken since it was (last) opened, and the temporary care if there is one."""

    steps: tuple[Step, ...] = ()
    ground: str | None = None
    placement: str | None = None
    care_since: datetime | None = None

    @property
    def vagrant(self) -> bool:
        """Whether the child lived on the street: found there, or handed over as a begging minor (R5)."""
        return self.ground == "vagrant_or_unidentified" or any(
            part.rule == "R5" for part in self.referrals.values()
        )


class TakeStep(Command):
    """One step of the protection chain; `ground`, `placement` and `since` belong to temporary care.

    since: the day of the order, or on which the child was taken over; None: as known, else now.
    """

    step: Step
    ground: str | None = None
    placement: str | None = None
    since: datetime | None = None


class StepTaken(KeptEvent):
    type = "protection.step_taken"

    step: Step
    ground: str | None = None
    placement: str | None = None
    since: datetime | None = None


PROTECTION_STANDS = Refusal(
    "protection.stands",
    "A protection case is not withdrawn: the duty to the child stands whatever anyone signs.",
    "未成年人保护个案不因撤回申请而终止，保护职责继续履行。",
)
"""Withdrawal never closes a protection duty (D, from WBF arts. 4 and 92)."""


def _assessed(state: ProtectionCase, command: Decide, context: Context) -> Refusal | None:
    """Neither a plan nor its absence is decided before the child was seen and assessed."""
    if "assessment" in state.steps:
        return None
    return Refusal(
        "protection.not_assessed",
        "Record the immediate response and the assessment first.",
        "请先记录应急处置和评估情况，再作决定。",
    )


def _followed_up(state: ProtectionCase, command: Close, context: Context) -> Refusal | None:
    """A plan is carried out and looked after before its case is closed."""
    if state.outcome != "plan_made" or "follow_up" in state.steps:
        return None
    return Refusal(
        "protection.no_follow_up", "Record a follow-up of the plan first.", "请先记录计划实施后的跟踪回访。"
    )


def _critical_needs_plan_or_second_person(
    state: ProtectionCase, command: Close, context: Context
) -> Refusal | None:
    """Critical and without a plan: somebody other than its worker must agree that nothing is needed (D)."""
    if state.urgency != "critical" or state.outcome == "plan_made" or context.actor.person != state.worker:
        return None
    return Refusal(
        "protection.second_person",
        "A critical case without a plan is closed by another person than its worker.",
        "特急个案未制定保护计划的，应由承办人以外的人员办结。",
    )


def _answered(state: ProtectionCase, command: Close, context: Context) -> Refusal | None:
    """While a critical referral is unanswered nobody knows that the child is safe (D)."""
    if not any(part.open and part.urgency == "critical" for part in state.referrals.values()):
        return None
    return Refusal(
        "protection.referral_open",
        "A critical referral of this case is unanswered: wait for the answer, or revoke the referral.",
        "本案仍有特急转介未反馈，请等待反馈或撤销转介后再办结。",
    )


def _first_receiver(state: ProtectionCase, command: Transfer, context: Context) -> Refusal | None:
    """Who received a critical report first answers it before handing it on (首接负责)."""
    if state.urgency != "critical" or "immediate_response" in state.steps:
        return None
    return Refusal(
        "protection.first_receiver",
        "A critical case is handed on only after the immediate response (首接负责).",
        "特急个案实行首接负责，应先完成应急处置再移交。",
    )


RULES: Rules[ProtectionCase] = Rules(
    service=NAME,
    outcomes=OUTCOMES,
    reasons=REASONS,
    guards={
        Decide: (_assessed,),
        Close: (_followed_up, _critical_needs_plan_or_second_person, _answered),
        Transfer: (_first_receiver,),
    },
    revives=frozenset({"closed", "transferred"}),
)


def decide(state: ProtectionCase, command: Command, context: Context) -> Sequence[Event] | Refusal:
    """Withdrawal is refused, steps follow their paths, the rest is what any case knows."""
    match command:
        case WithdrawCase():
            return () if state.state is None else PROTECTION_STANDS
        case TakeStep():
            return _take(state, command, context)
    decided = case.decide(RULES, state, command, context)
    return decided if isinstance(decided, Refusal) else (*decided, *_homecoming(state, decided, context))


def _homecoming(state: ProtectionCase, decided: Sequence[Event], context: Context) -> Sequence[Event]:
    """A plan that brings the child home is told, since a child of the street is visited there (62)."""
    return [
        ReturnedHome(**_identity(event), at=context.now, vagrant=state.vagrant)
        for event in decided
        if isinstance(event, CaseDecided) and event.reason == "return_home"
    ]


def _identity(event: CaseEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in CaseEvent.model_fields}


def _take(state: ProtectionCase, command: TakeStep, context: Context) -> Sequence[Event] | Refusal:
    path = PATHS.get(command.step)
    if path is None:
        return case.not_coded("step", frozenset(PATHS))
    since = command.since or state.care_since
    if command.step in state.steps and not path.again:
        known = (state.ground, state.placement, state.care_since)
        same = known == (command.ground, command.placement, since)
        if command.step != "temporary_care" or same:
            return ()
    if state.state not in path.states or path.after not in state.steps:
        return _too_early(state, path)
    return _care(command, context.now) or _taken(state, command, since or context.now, context.now)


def _taken(state: ProtectionCase, command: TakeStep, since: datetime, now: datetime) -> Sequence[Event]:
    """What others count from it, and the step."""
    identity = case.identity_of(NAME, state, command)
    said = command.model_dump(include={"step", "ground", "placement"})
    match command.step:
        case "temporary_care":
            harm = command.ground == "guardian_harms"
            told = CareTaken(**identity, at=now, since=since, after_harm=harm)
            return (told, StepTaken(**identity, **said, since=since))
        case "follow_up":
            return (FollowedUp(**identity, at=now), StepTaken(**identity, **said))
    return (StepTaken(**identity, **said),)


def _too_early(state: ProtectionCase, path: Path) -> Refusal:
    states = ", ".join(sorted(path.states))
    return Refusal(
        "protection.order",
        f"This step comes after {path.after}, in a case that is {states}; it is {state.state}.",
        f"此步骤应在 {path.after} 之后、个案处于 {states} 状态时进行（当前为 {state.state}）。",
    )


def _care(command: TakeStep, now: datetime) -> Refusal | None:
    """Temporary care names its ground and placement, and no day to come; no other step has them."""
    if command.step != "temporary_care":
        stray = [name for name in ("ground", "placement", "since") if getattr(command, name)]
        return _only_care(stray[0]) if stray else None
    if command.ground not in GROUNDS:
        return case.not_coded("ground", GROUNDS)
    if command.placement not in PLACEMENTS:
        return case.not_coded("placement", PLACEMENTS)
    return NOT_YET if command.since is not None and command.since > now else None


NOT_YET = Refusal(
    "protection.since",
    "Temporary care has not begun yet: give the day of the order, or of taking the child over.",
    "临时监护尚未开始：请填写裁定或接收当日的日期。",
    "since",
)


def _only_care(field: str) -> Refusal:
    return Refusal(
        "protection.only_care",
        f"{field} belongs to temporary_care; leave it out.",
        f"{field} 仅用于 temporary_care，请删除。",
        field,
    )


def evolve(state: ProtectionCase, event: Event) -> ProtectionCase:
    """What any case folds, and the steps: a reopened case starts its chain anew from the report."""
    folded = case.evolve(state, event)
    match event:
        case CaseOpened() | CaseReopened():
            return folded.model_copy(update={"steps": ("report",), "care_since": None})
        case CaseDecided(outcome="plan_made"):
            return folded.model_copy(update={"steps": (*state.steps, "plan")})
        case StepTaken():
            update: dict[str, object] = {"steps": (*state.steps, event.step)}
            if event.step == "temporary_care":
                update |= {name: getattr(event, name) for name in ("ground", "placement")}
                update["care_since"] = event.since
            return folded.model_copy(update=update)
    return folded


DECIDER: Decider[ProtectionCase] = Decider(
    name="case",
    state=ProtectionCase,
    initial=ProtectionCase,
    decide=decide,
    evolve=evolve,
    commands=(*case.COMMANDS, TakeStep),
    internal=(*case.INTERNAL, StepTaken),
)
