"""The application (求助申请): taken down once, supplemented, withdrawn. A danger survives its withdrawal."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from onedoor.contracts.core import Command, Context, Decider, Event, Refusal
from onedoor.contracts.events.intake import (
    ApplicationReceived,
    ApplicationSupplemented,
    ApplicationWithdrawn,
    UnitSuspected,
)
from onedoor.contracts.plan import Plan
from onedoor.intake.domain.known import Known


class Application(BaseModel):
    """The folded state: as little as the decisions need."""

    model_config = ConfigDict(frozen=True)

    state: Literal["unknown", "received", "withdrawn"] = "unknown"
    chain_id: UUID | None = None
    receipt: str = ""
    protection: bool = False
    duty_stands: bool = False


class Receive(Command):
    """Take it down: on this chain, with this receipt and the plan that triage made."""

    chain_id: UUID
    receipt: str
    known: Known
    plan: Plan
    protection: bool = False


class Supplement(Command):
    """More became known: everything known now, and the whole plan anew."""

    known: Known
    plan: Plan


class Withdraw(Command):
    """The applicant does not want it any more. `reason` is a code, never prose."""

    reason: str | None = None


UNKNOWN = Refusal(
    "application.unknown",
    "There is no such application. Check its id.",
    "没有这条求助，请核对编号。",
)
EXISTS = Refusal(
    "application.exists",
    "This application was taken down before. Supplement it instead.",
    "该求助已登记，请改为补充情况。",
)
WITHDRAWN = Refusal(
    "application.withdrawn",
    "The application was withdrawn. Enter a new one.",
    "该求助已撤回，请重新登记。",
)


def decide(
    state: Application, command: Receive | Supplement | Withdraw, context: Context
) -> Sequence[Event] | Refusal:
    """What happens to an application, or why it does not."""
    if isinstance(command, Receive):
        return _receive(state, command)
    if state.state == "unknown" or state.chain_id is None:
        return UNKNOWN
    if isinstance(command, Supplement):
        return _supplement(state, state.chain_id, command, context)
    if state.state == "withdrawn":
        return WITHDRAWN
    return [
        ApplicationWithdrawn(
            application_id=command.target,
            chain_id=state.chain_id,
            withdrawn_at=context.now,
            protection_stands=state.duty_stands,
            reason=command.reason,
        )
    ]


def _receive(state: Application, command: Receive) -> Sequence[Event] | Refusal:
    if state.state != "unknown":
        return EXISTS
    return [
        *_suspected(command, command.chain_id),
        ApplicationReceived(
            application_id=command.target,
            chain_id=command.chain_id,
            receipt=command.receipt,
            protection=command.protection,
            plan=command.plan,
            **command.known.told(),
        ),
    ]


def _suspected(command: Receive | Supplement, chain_id: UUID) -> Sequence[Event]:
    """For notify alone: whom no referral may reach."""
    named = command.known.suspected
    if named is None:
        return ()
    unit = {"department": named.department, "division": named.division}
    of = {"application_id": command.target, "chain_id": chain_id, "child": command.known.minors}
    return (UnitSuspected.model_validate(of | unit),)


def _supplement(
    state: Application, chain_id: UUID, command: Supplement, context: Context
) -> Sequence[Event] | Refusal:
    """After a withdrawal only danger is taken, as a new knock (ADR 4): a report of danger is never refused.

    What newly follows is counted from the supplement's own recording, not from the application's.
    """
    if state.state == "withdrawn" and not dangerous(command.known, command.plan):
        return WITHDRAWN
    return [
        *_suspected(command, chain_id),
        ApplicationSupplemented(
            application_id=command.target,
            chain_id=chain_id,
            receipt=state.receipt,
            protection=state.protection,
            plan=command.plan,
            **(command.known.told() | {"recorded_at": context.now}),
        ),
    ]


def dangerous(known: Known, plan: Plan) -> bool:
    """Whether life may be in danger: something critical follows, or a sudden event has struck."""
    return plan.critical or known.emergency is not None


def evolve(state: Application, event: Event) -> Application:
    """Fold one event."""
    if isinstance(event, ApplicationReceived | ApplicationSupplemented):
        return Application(
            state="received",
            chain_id=event.chain_id,
            receipt=event.receipt,
            protection=event.protection,
            duty_stands=state.duty_stands or standing(event.plan, event.protection),
        )
    if isinstance(event, ApplicationWithdrawn):
        return state.model_copy(update={"state": "withdrawn"})
    return state


def standing(plan: Plan, protection: bool) -> bool:
    """Whether a duty of protection stands, whatever anyone signs (未成年人保护法 arts. 4, 92)."""
    cared_for = any(service.name == "child-welfare" for service in plan.services)
    return protection or plan.critical or cared_for


APPLICATION: Decider[Application] = Decider(
    name="application",
    state=Application,
    initial=Application,
    decide=decide,
    evolve=evolve,
    commands=(Receive, Supplement, Withdraw),
)
