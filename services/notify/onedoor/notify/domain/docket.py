"""The docket of one application: the duties that its cases, stays and referrals have started, and their ends.

Which event starts and ends which duty is data (`duties.yaml`). A start and an end count at their own times,
whichever of them arrives first; what a withdrawal ends is started anew by what happens after it. Duties that
the plan itself started are the ledger's; the docket knows them, since events of a case may end them too.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from onedoor.contracts.core import Command, Context, Decider, Event, derived_id
from onedoor.contracts.events.notify import Kept
from onedoor.notify.domain import duties


def docket_id(application_id: UUID) -> UUID:
    """The one docket of an application."""
    return derived_id("docket", application_id)


class Owed(BaseModel):
    """A duty that runs since `started_at`.

    base: the proceeding, case or referral whose duty it is; subject: of its clock; by: the type of the event
    that started it; None: the plan did.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    base: UUID
    started_at: datetime
    limit: str = ""
    owner: str = ""
    owner_division: str | None = None
    programme: str | None = None
    beside: str | None = None
    case_id: UUID | None = None
    by: str | None = None
    subject: UUID | None = None

    @property
    def key(self) -> tuple[str, str, datetime]:
        return (self.id, str(self.base), self.started_at)


class Settlement(BaseModel):
    """What ends duties at `at`: these, or where none is named all that are not of protection.

    scope: the proceeding, case, referral or application that it speaks of.
    """

    model_config = ConfigDict(frozen=True)

    ids: tuple[str, ...]
    scope: UUID
    at: datetime
    ending: Literal["met", "cancelled"]
    reason: str = ""
    by: str

    @property
    def key(self) -> tuple[datetime, str, str, tuple[str, ...]]:
        return (self.at, self.by, str(self.scope), self.ids)


class Docket(BaseModel):
    """The folded state. Both lists are kept in order, so that the order of arrival leaves no trace.

    divisions: whose each case is.
    """

    model_config = ConfigDict(frozen=True)

    application_id: UUID | None = None
    chain_id: UUID | None = None
    owed: tuple[Owed, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    divisions: dict[UUID, str] = Field(default_factory=dict)
    child: bool = False
    sealed: bool = False

    def ends(self, owed: Owed, settlement: Settlement) -> bool:
        """Whether this settlement is of this duty, and came after its start (or with it, otherwise)."""
        if settlement.ids:
            if owed.id not in settlement.ids:
                return False
        elif duties.duty(owed.id).protection:
            return False
        in_scope = settlement.scope in (owed.base, owed.case_id, self.application_id)
        if not in_scope and not (owed.by is None and settlement.ids):
            return False
        return owed.started_at < settlement.at or (
            owed.started_at == settlement.at and owed.by != settlement.by
        )


class OfDocket(Command):
    """Says whose docket it is, since it may be the first to come, and how closely it is kept."""

    application_id: UUID
    chain_id: UUID
    child: bool = False
    sealed: bool = False


class Owe(OfDocket):
    """These duties have started."""

    owed: tuple[Owed, ...]


class Place(OfDocket):
    """The case is this division's from now on."""

    case_id: UUID
    division: str


class Settle(OfDocket):
    """`keep`: what it ends may be told later, by another topic; else its start has come before."""

    settlement: Settlement
    keep: bool = True


class Hold(OfDocket):
    """The rules of these duties let the time of `scope` stand still from `at`, at most until `until`."""

    ids: tuple[str, ...]
    scope: UUID
    at: datetime
    until: datetime | None = None


class LetRun(OfDocket):
    """What they stood still for is over."""

    ids: tuple[str, ...]
    scope: UUID
    at: datetime


COMMANDS: tuple[type[Command], ...] = (Owe, Place, Settle, Hold, LetRun)


class DocketEvent(Kept):
    """What the docket does concerns nobody outside; `react` turns it into commands to clocks."""

    application_id: UUID
    chain_id: UUID


class DutyOwed(DocketEvent):
    type = "docket.duty_owed"

    owed: Owed


class SettlementNoted(DocketEvent):
    type = "docket.settlement_noted"

    settlement: Settlement


class DutySettled(DocketEvent):
    type = "docket.duty_settled"

    id: str
    subject: UUID
    at: datetime
    ending: Literal["met", "cancelled"]
    reason: str


class DutyHeld(DocketEvent):
    type = "docket.duty_held"

    id: str
    subject: UUID
    at: datetime
    until: datetime | None


class DutyLetRun(DocketEvent):
    type = "docket.duty_let_run"

    id: str
    subject: UUID
    at: datetime


class DocketMarked(DocketEvent):
    """Everything in it has to be kept more closely from now on."""

    type = "docket.marked"

    clocks: tuple[tuple[str, UUID], ...]


class CasePlaced(DocketEvent):
    """The clocks of a case are that division's from now on."""

    type = "docket.case_placed"

    case_id: UUID
    division: str
    clocks: tuple[tuple[str, UUID], ...]


INTERNAL: tuple[type[Event], ...] = (
    DutyOwed,
    SettlementNoted,
    DutySettled,
    DutyHeld,
    DutyLetRun,
    DocketMarked,
    CasePlaced,
)


def decide(docket: Docket, command: OfDocket, context: Context) -> Sequence[Event]:
    """The events of a command; what is known already gives none."""
    marks = {"child": docket.child or command.child, "sealed": docket.sealed or command.sealed}
    of: dict[str, Any] = {"application_id": command.application_id, "chain_id": command.chain_id, **marks}
    events: list[Event] = []
    if marks != {"child": docket.child, "sealed": docket.sealed}:
        started = tuple((owed.id, owed.subject) for owed in docket.owed if owed.subject and owed.by)
        events.append(DocketMarked(**of, clocks=started))
    match command:
        case Owe():
            events += _owe(docket, command, of)
        case Place():
            events += _place(docket, command, of)
        case Settle():
            events += _settle(docket, command, of)
        case Hold():
            held = {"at": command.at, "until": command.until}
            running = _of_scope(docket, command.ids, command.scope)
            events += [DutyHeld(**of, id=owed.id, subject=owed.subject, **held) for owed in running]
        case LetRun():
            running = _of_scope(docket, command.ids, command.scope)
            events += [DutyLetRun(**of, id=owed.id, subject=owed.subject, at=command.at) for owed in running]
    return events


def _owe(docket: Docket, command: Owe, of: dict[str, Any]) -> Iterable[Event]:
    known = list(docket.owed)
    for owed in command.owed:
        if any(owed.key == each.key for each in known):
            continue
        same = any((owed.id, owed.base) == (each.id, each.base) for each in known)
        own = derived_id("duty", owed.base, owed.id, owed.started_at.isoformat()) if same else owed.base
        where = owed.owner_division or (docket.divisions.get(owed.case_id) if owed.case_id else None)
        owed = owed.model_copy(update={"subject": owed.subject or own, "owner_division": where})
        known.append(owed)
        yield DutyOwed(**of, owed=owed)
        for settlement in docket.settlements:
            if docket.ends(owed, settlement):
                yield _settled(owed, settlement, of)


def _place(docket: Docket, command: Place, of: dict[str, Any]) -> Iterable[Event]:
    if docket.divisions.get(command.case_id) == command.division:
        return
    own = [owed for owed in docket.owed if owed.case_id == command.case_id and owed.by and owed.subject]
    clocks = tuple((owed.id, owed.subject) for owed in own)
    yield CasePlaced(**of, case_id=command.case_id, division=command.division, clocks=clocks)


def _settle(docket: Docket, command: Settle, of: dict[str, Any]) -> Iterable[Event]:
    settlement = command.settlement
    ended = [owed for owed in docket.owed if docket.ends(owed, settlement)]
    if settlement in docket.settlements or not (ended or command.keep):
        return
    yield SettlementNoted(**of, settlement=settlement)
    for owed in ended:
        yield _settled(owed, settlement, of)


def _settled(owed: Owed, settlement: Settlement, of: dict[str, Any]) -> DutySettled:
    return DutySettled(
        **of,
        id=owed.id,
        subject=owed.subject,
        at=settlement.at,
        ending=settlement.ending,
        reason=settlement.reason,
    )


def _of_scope(docket: Docket, ids: tuple[str, ...], scope: UUID) -> list[Owed]:
    return [
        owed
        for owed in docket.owed
        if owed.id in ids and (scope in (owed.base, owed.case_id) or owed.by is None)
    ]


def evolve(docket: Docket, event: Event) -> Docket:
    """The state after the event."""
    assert isinstance(event, DocketEvent)
    changes: dict[str, Any] = {
        "application_id": event.application_id,
        "chain_id": event.chain_id,
        "child": event.child,
        "sealed": event.sealed,
    }
    match event:
        case DutyOwed():
            changes["owed"] = tuple(sorted((*docket.owed, event.owed), key=lambda owed: owed.key))
        case SettlementNoted():
            noted = (*docket.settlements, event.settlement)
            changes["settlements"] = tuple(sorted(noted, key=lambda settlement: settlement.key))
        case CasePlaced():
            changes["divisions"] = docket.divisions | {event.case_id: event.division}
    return docket.model_copy(update=changes)


DOCKET: Decider[Docket] = Decider(
    name="docket",
    state=Docket,
    initial=Docket,
    decide=decide,
    evolve=evolve,
    commands=COMMANDS,
    internal=INTERNAL,
)
