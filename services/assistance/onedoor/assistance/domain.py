"""What assistance decides about a case: help is granted, or nobody is eligible, with a coded reason.

The commands and states that any case knows are in `onedoor.contracts.case`. Sources: 57 = 民发〔2021〕57号.
"""

from collections.abc import Mapping, Sequence

from onedoor.contracts import case
from onedoor.contracts.case import Case, Close, Reopen, Rules, Transfer
from onedoor.contracts.core import Command, Context, Decider, Event, Refusal

NAME = "assistance"

OUTCOMES: Mapping[str, frozenset[str]] = {
    # aid_first is 先行救助: the papers follow once the emergency eases
    "helped": frozenset({"enrolled", "aid_granted", "aid_first"}),
    # income and property: 57 art. 23; not_cooperating: 57 art. 29; duplicate: the first accepted one leads
    "not_eligible": frozenset(
        {
            "income_above_standard",
            "property_above_limit",
            "no_hardship_found",
            "not_cooperating",
            "duplicate",
            "false_statement",
            "died",
        }
    ),
}

REASONS: Mapping[type[Command], frozenset[str]] = {
    Close: frozenset({"aid_completed", "refusal_told", "moved_away", "died"}),
    Transfer: frozenset({"registered_elsewhere", "lives_elsewhere", "boundary_change"}),
    Reopen: frozenset({"objection", "new_facts", "court_ruling", "error"}),
}


def _closes_as_decided(state: Case, command: Close, context: Context) -> Refusal | None:
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


RULES: Rules[Case] = Rules(
    service=NAME,
    outcomes=OUTCOMES,
    reasons=REASONS,
    guards={Close: (_closes_as_decided,)},
    revives=frozenset({"closed"}),
)


def decide(state: Case, command: Command, context: Context) -> Sequence[Event] | Refusal:
    """Assistance adds no command of its own to what any case knows."""
    return case.decide(RULES, state, command, context)


DECIDER: Decider[Case] = Decider(
    name="case",
    state=Case,
    initial=Case,
    decide=decide,
    evolve=case.evolve,
    commands=case.COMMANDS,
    internal=case.INTERNAL,
)
