"""What assistance decides about a case: help is granted, or nobody is eligible, with a coded reason.

The commands and states that any case knows are in `onedoor.contracts.case`; the programmes' workflows are the
tables of `programmes`, carried out by `workflow`. Sources: 57 = 民发〔2021〕57号.
"""

from collections.abc import Mapping, Sequence

from onedoor.assistance.domain import approval, kept, workflow
from onedoor.assistance.domain.proceeding import OVER, AssistanceCase
from onedoor.contracts import case
from onedoor.contracts.case import (
    Close,
    Decide,
    NoteReferral,
    OpenCase,
    Reopen,
    Rules,
    Transfer,
    WithdrawCase,
)
from onedoor.contracts.core import Command, Context, Decider, Event, Refusal
from onedoor.contracts.work import identity_of

NAME = "assistance"

OUTCOMES: Mapping[str, frozenset[str]] = {
    # aid_first is 先行救助: the papers follow once the emergency eases
    "helped": frozenset({"enrolled", "aid_granted", "aid_first"}),
    "not_eligible": frozenset(approval.packaged().reasons) - {"overpaid"},
}

REASONS: Mapping[type[Command], frozenset[str]] = {
    Close: frozenset({"aid_completed", "refusal_told", "moved_away", "died"}),
    Transfer: frozenset({"registered_elsewhere", "lives_elsewhere", "boundary_change"}),
    Reopen: frozenset({"objection", "new_facts", "court_ruling", "error"}),
}


def _closes_as_decided(state: AssistanceCase, command: Close, context: Context) -> Refusal | None:
    """A refusal is told with its reason before the file is closed (L6: 57 art. 21)."""
    wrong = {"not_eligible": "aid_completed", "helped": "refusal_told"}.get(state.outcome or "")
    if command.reason != wrong:
        return None
    return Refusal(
        "case.closed_otherwise",
        f"The case was decided as {state.outcome}: close it with a reason that fits.",
        f"本案决定为 {state.outcome}，请选择与之相符的办结原因。",
        "reason",
    )


def _nothing_granted_runs(state: AssistanceCase, command: Command, context: Context) -> Refusal | None:
    running = [each for each in state.proceedings.values() if each.runs]
    if not running:
        return None
    programmes = ", ".join(each.programme for each in running)
    return Refusal(
        "case.granted",
        f"Help that was granted still runs ({programmes}); stop it first.",
        f"已批准的救助（{programmes}）仍在执行，请先终止。",
    )


def _by_its_workflow(state: AssistanceCase, command: Decide, context: Context) -> Refusal | None:
    """No one is enrolled without application, investigation and confirmation (57 art. 28)."""
    open_ = [each.programme for each in state.proceedings.values() if not each.settled]
    if open_:
        return Refusal(
            "case.proceeding_open",
            f"Its programmes are decided each by its own steps: {', '.join(open_)}.",
            f"请按各项目流程作出决定：{'、'.join(open_)}。",
        )
    helped = any(each.state not in OVER for each in state.proceedings.values())
    if command.outcome != "helped" or helped:
        return None
    return Refusal(
        "case.no_proceeding",
        "Help is granted by the steps of a programme; apply for one in this case.",
        "救助须经相应项目流程批准，请先在本案中申请项目。",
        "outcome",
    )


RULES: Rules[AssistanceCase] = Rules(
    service=NAME,
    outcomes=OUTCOMES,
    reasons=REASONS,
    guards={
        Decide: (_by_its_workflow,),
        Close: (_closes_as_decided, _nothing_granted_runs),
        WithdrawCase: (_nothing_granted_runs,),
        Transfer: (_nothing_granted_runs,),
    },
    revives=frozenset({"closed"}),
)


def decide(state: AssistanceCase, command: Command, context: Context) -> Sequence[Event] | Refusal:
    """A workflow's command, or one that any case knows; the end of a case ends what is open in it."""
    if isinstance(command, workflow.COMMANDS):
        return workflow.decide(NAME, state, command, context)
    decided = case.decide(RULES, state, command, context)
    if isinstance(decided, Refusal) or not decided:
        return decided
    identity = identity_of(NAME, state, command)
    match command:
        case NoteReferral():
            return [*decided, *workflow.check_heard(state, command, context, identity)]
        case OpenCase(sealed=True) if not state.sealed:
            sealed = state.model_copy(update={"sealed": True})
            return [*decided, *workflow.notices_taken_down(sealed, context, identity)]
        case WithdrawCase():
            return [*workflow.endings(state, "withdrawn", context, identity), *decided]
        case Transfer():
            return [*workflow.endings(state, "transferred", context, identity), *decided]
    return decided


DECIDER: Decider[AssistanceCase] = Decider(
    name="case",
    state=AssistanceCase,
    initial=AssistanceCase,
    decide=decide,
    evolve=workflow.evolve,
    commands=(*case.COMMANDS, *workflow.COMMANDS),
    internal=(*case.INTERNAL, *kept.INTERNAL),
    fold=4,
)
