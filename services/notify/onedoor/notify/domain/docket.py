"""The docket of one application: the duties that its cases, stays and referrals have started, and their ends.

Which event starts and ends which duty is data (`duties.yaml`). A start and an end count at their own times,
whichever of them arrives first; what a withdrawal ends is started anew by what happens after it. Duties that
the plan itself started are the ledger's; the docket knows them, since events of a case may end them too.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from onedoor.calendar import Limit, period_start
from onedoor.contracts.core import Classification, Command, Context, Decider, Event, derived_id
from onedoor.contracts.events.notify import Kept
from onedoor.notify.domain import duties
from onedoor.notify.domain.ledger import Suspected, one_level_up


def docket_id(application_id: UUID) -> UUID:
    """The one docket of an application."""
    return derived_id("docket", application_id)


class Owed(BaseModel):
    """A duty that runs since `started_at`.

    base: the proceeding, case or referral whose duty it is; subject: of its clock; by: the type of the event
    that started it; None: the plan did; since: where the duty recurs and this is not its first period, when
    that began.
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
    since: datetime | None = None

    @property
    def key(self) -> tuple[str, str, datetime]:
        return (self.id, str(self.base), self.started_at)


class Settlement(BaseModel):
    """What ends duties at `at`: these, or where none is named all that are not of protection.

    scope: the proceeding, case, referral or application that it speaks of; before: it ends what starts later,
    too.
    """

    model_config = ConfigDict(frozen=True)

    ids: tuple[str, ...]
    scope: UUID
    at: datetime
    ending: Literal["met", "cancelled"]
    reason: str = ""
    by: str
    before: bool = False

    @property
    def key(self) -> tuple[datetime, str, str, tuple[str, ...]]:
        return (self.at, self.by, str(self.scope), self.ids)


class Docket(BaseModel):
    """The folded state. Both lists are kept in order, so that the order of arrival leaves no trace.

    divisions: whose each case is; suspected: units that owe nothing here, since they are suspected.
    """

    model_config = ConfigDict(frozen=True)

    application_id: UUID | None = None
    chain_id: UUID | None = None
    owed: tuple[Owed, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    divisions: dict[UUID, str] = Field(default_factory=dict)
    suspected: tuple[Suspected, ...] = ()
    child: bool = False
    sealed: bool = False

    def division_of(self, owed: Owed) -> str | None:
        """A referral's duty is its receiver's, if that is known; any other goes with the case."""
        place = self.divisions.get(owed.case_id) if owed.case_id else None
        receivers = owed.by is not None and owed.by.startswith("referral.") and owed.owner_division
        return owed.owner_division if receivers or place is None else place

    def owed_by(self, owed: Owed) -> tuple[str, str | None]:
        """Whose duty it is: of one level up where its own unit is suspected."""
        return one_level_up(self.suspected, owed.owner, self.division_of(owed))

    def ends(self, owed: Owed, settlement: Settlement) -> bool:
        """Whether this settlement is of this duty, and came after its start (or with it, otherwise), where it
        does not end what starts later as well.
        """
        if settlement.ids:
            if owed.id not in settlement.ids:
                return False
        elif duties.duty(owed.id).protection:
            return False
        in_scope = settlement.scope in (owed.base, owed.case_id, self.application_id)
        if not in_scope and not (owed.by is None and settlement.ids):
            return False
        if settlement.before:
            return True
        gone = settlement.ending == "cancelled"
        start = owed.since if gone and owed.since else owed.started_at
        return start < settlement.at or (start == settlement.at and owed.by != settlement.by)


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


class Shun(OfDocket):
    """This unit is suspected: what it owes the one over it owes instead."""

    unit: Suspected


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


COMMANDS: tuple[type[Command], ...] = (Owe, Place, Shun, Settle, Hold, LetRun)


class DocketEvent(Kept):
    """What the docket does concerns nobody outside; `react` turns it into commands to clocks."""

    application_id: UUID
    chain_id: UUID


class DutyOwed(DocketEvent):
    """owner, owner_division: who owes it where its own unit is suspected; None: that unit."""

    type = "docket.duty_owed"

    owed: Owed
    owner: str | None = None
    owner_division: str | None = None


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
    """The case is that division's from now on."""

    type = "docket.case_placed"

    case_id: UUID
    division: str


class UnitNoted(DocketEvent):
    """Who is suspected, which is as closely kept as anything."""

    type = "docket.unit_noted"

    unit: Suspected

    def classification(self) -> Classification:
        return "child"


class DutyMoved(DocketEvent):
    """This unit owes it from now on."""

    type = "docket.duty_moved"

    id: str
    subject: UUID
    owner: str
    owner_division: str | None = None

    def classification(self) -> Classification:
        return "child"


INTERNAL: tuple[type[Event], ...] = (
    DutyOwed,
    SettlementNoted,
    DutySettled,
    DutyHeld,
    DutyLetRun,
    DocketMarked,
    CasePlaced,
    UnitNoted,
    DutyMoved,
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
        case Shun():
            events += _shun(docket, command, of)
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
        own = derived_id("duty", owed.base, owed.started_at.isoformat()) if same else owed.base
        where = docket.division_of(owed)
        owed = owed.model_copy(update={"subject": owed.subject or own, "owner_division": where})
        known.append(owed)
        yield from _begun(docket, owed, of)


def _begun(docket: Docket, owed: Owed, of: dict[str, Any]) -> Iterable[Event]:
    """A duty with the ends that are known of it, and its next period where it recurs."""
    unit = owner, division = docket.owed_by(owed)
    own = unit == (owed.owner, owed.owner_division)
    yield DutyOwed(**of, owed=owed, **{} if own else {"owner": owner, "owner_division": division})
    for settlement in docket.settlements:
        if docket.ends(owed, settlement):
            yield _settled(owed, settlement, of)
    yield from _next(docket, owed, of)


def _next(docket: Docket, owed: Owed, of: dict[str, Any]) -> Iterable[Event]:
    """The period after the one in which a recurring duty was met: nothing is owed twice in one period."""
    limit = Limit.parse(owed.limit or "now")
    ends = sorted((each for each in docket.settlements if docket.ends(owed, each)), key=lambda each: each.at)
    if not limit.recurring or not ends or ends[0].ending != "met":
        return
    first = owed.since or owed.started_at
    starts = (period_start(first, limit, number).astimezone(UTC) for number in count(2))
    start = next(start for start in starts if start > ends[0].at)
    subject = derived_id("duty", owed.base, start.isoformat())
    period = owed.model_copy(update={"started_at": start, "since": first, "subject": subject})
    if all(period.key != known.key for known in docket.owed):
        yield from _begun(docket, period, of)


def _place(docket: Docket, command: Place, of: dict[str, Any]) -> Iterable[Event]:
    if docket.divisions.get(command.case_id) == command.division:
        return
    placed = CasePlaced(**of, case_id=command.case_id, division=command.division)
    yield placed
    yield from _moved(docket, evolve(docket, placed), of)


def _shun(docket: Docket, command: Shun, of: dict[str, Any]) -> Iterable[Event]:
    if command.unit in docket.suspected:
        return
    noted = UnitNoted(**of, unit=command.unit)
    yield noted
    yield from _moved(docket, evolve(docket, noted), of)


def _moved(before: Docket, after: Docket, of: dict[str, Any]) -> Iterable[Event]:
    """What another unit owes now; of the plan's duties the ledger knows that."""
    for owed in after.owed:
        owner, division = after.owed_by(owed)
        if owed.by and owed.subject and (owner, division) != before.owed_by(owed):
            yield DutyMoved(**of, id=owed.id, subject=owed.subject, owner=owner, owner_division=division)


def _settle(docket: Docket, command: Settle, of: dict[str, Any]) -> Iterable[Event]:
    settlement = command.settlement
    ended = [owed for owed in docket.owed if docket.ends(owed, settlement)]
    if settlement in docket.settlements or not (ended or command.keep):
        return
    noted = SettlementNoted(**of, settlement=settlement)
    after = evolve(docket, noted)
    yield noted
    for owed in ended:
        yield _settled(owed, settlement, of)
        yield from _next(after, owed, of)


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
        case UnitNoted():
            changes["suspected"] = (*docket.suspected, event.unit)
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
