"""How a programme's workflow is written down: one row per step, from which everything else is derived.

The domain's decisions, the check of who may, the desk's buttons and the diagram in the docs all read these
rows; nothing about a step is said a second time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from onedoor.assistance.domain.proceeding import Assessment, AssistanceCase, OtherAid, Proceeding, State
from onedoor.assistance.domain.said import Said
from onedoor.contracts.core import Context, Refusal
from onedoor.contracts.events.assistance import Kind, Per, ProceedingEvent


@dataclass(frozen=True, slots=True)
class Asked:
    """A step that somebody asks for. said: None while only its button is shown, with nothing filled in yet.

    assessment: what the rules say today; ceiling_fen: the most that may be entered by hand, None: not known;
    aided: what the same people were given lately in other cases.
    """

    workflow: "Workflow"
    step: "Step"
    context: Context
    said: Any = None
    assessment: Assessment | None = None
    ceiling_fen: int | None = None
    aided: Sequence[OtherAid] = ()


Guard = Callable[[AssistanceCase, Proceeding, Asked], Refusal | None]


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a step leads depends on one coded field of what is said; "stay": nowhere else."""

    field: str
    to: Mapping[str, State | Literal["stay"]]


Target = State | Literal["stay", "back"] | Branch


@dataclass(frozen=True, slots=True)
class Step:
    """One row. who: the roles that may; said: the fields that are asked for; event: what is published.

    to: "stay" leaves the state, "back" restores the one before a suspension; decides: the kind of decision
    that it makes; assessed: the rules are calculated for it; starts, meets, cancels: statutory clocks by
    their number in the table of limits.
    """

    command: str
    sources: frozenset[State]
    to: Target
    who: frozenset[str]
    said: type[Said]
    event: type[ProceedingEvent]
    guards: tuple[Guard, ...] = ()
    decides: Kind | None = None
    assessed: bool = False
    starts: tuple[str, ...] = ()
    meets: tuple[str, ...] = ()
    cancels: tuple[str, ...] = ()

    def leads_to(self, proceeding: Proceeding, said: Said) -> State:
        """The state after it."""
        to = self.to.to[str(getattr(said, self.to.field))] if isinstance(self.to, Branch) else self.to
        match to:
            case "stay":
                return proceeding.state
            case "back":
                return proceeding.before or proceeding.state
        return to

    @property
    def action(self) -> str:
        """The action of the access table behind which it lies: deciding, or working."""
        return "case.decide" if self.decides else "case.work"


@dataclass(frozen=True)
class Workflow:
    """The steps of one programme. person: it is one person's, not the household's; per: how it is paid
    (None: it pays nothing of its own); notice_days: 公示 in calendar days, by round (empty: none is due);
    opening: the clocks that the application itself starts.
    """

    programme: str
    steps: tuple[Step, ...]
    person: bool = False
    per: Per | None = "month"
    notice_days: tuple[int, ...] = ()
    opening: tuple[str, ...] = ()

    @cached_property
    def by_command(self) -> Mapping[str, tuple[Step, ...]]:
        """The rows of each command; more than one where it leads from different states to different ones."""
        found: dict[str, tuple[Step, ...]] = {}
        for step in self.steps:
            found[step.command] = (*found.get(step.command, ()), step)
        return found

    def days_posted(self, round_: int) -> int:
        """For how many days its notice of this round stands."""
        return self.notice_days[min(round_, len(self.notice_days)) - 1]

    def step(self, command: str, state: State) -> Step | None:
        """The row of this command that may be taken in this state."""
        return next((step for step in self.by_command.get(command, ()) if state in step.sources), None)


def diagram(workflow: Workflow) -> str:
    """The workflow as a mermaid state diagram; steps that leave the state stand in a table beside it."""
    lines = ["stateDiagram-v2", "  [*] --> received"]
    for step in workflow.steps:
        targets = step.to.to if isinstance(step.to, Branch) else {"": step.to}
        for value, to in targets.items():
            if to == "stay":
                continue
            label = f"{step.command} ({value})" if value else step.command
            shown = "before" if to == "back" else to
            lines += [f"  {source} --> {shown}: {label}" for source in sorted(step.sources)]
    return "\n".join(lines)


def rows(workflow: Workflow) -> str:
    """The table itself in Markdown."""
    lines = [
        "| command | from | to | who | guards | event | clocks |",
        "|---|---|---|---|---|---|---|",
    ]
    if workflow.opening:
        opens = ", ".join(f"starts {id_}" for id_ in workflow.opening)
        lines.append(f"| apply | | received | | | `case.proceeding_opened` | {opens} |")
    for step in workflow.steps:
        to = (
            ", ".join(f"{value}: {target}" for value, target in step.to.to.items())
            if isinstance(step.to, Branch)
            else step.to
        )
        clocks = [
            *(f"starts {id_}" for id_ in step.starts),
            *(f"meets {id_}" for id_ in step.meets),
            *(f"cancels {id_}" for id_ in step.cancels),
        ]
        cells = (
            f"`{step.command}`",
            ", ".join(sorted(step.sources)),
            to,
            ", ".join(sorted(step.who)),
            ", ".join(guard.__name__ for guard in step.guards),
            f"`{step.event.type}`",
            ", ".join(clocks),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
