"""The ledger of one application: which referrals and statutory duties it has led to.

It admits each once, whoever asks and in whatever order. A withdrawal is kept as a mark that counts at its
own time: what was asked for before it is opened and revoked, what is asked for after it is refused; a
protection duty stands in either case.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from onedoor.contracts.core import Command, Context, Decider, Event, Refusal, Urgency, derived_id
from onedoor.contracts.referral_rules import RANK
from onedoor.notify.domain import duties
from onedoor.notify.domain.referral import Wanted


def ledger_id(application_id: UUID) -> UUID:
    """The one ledger of an application."""
    return derived_id("ledger", application_id)


@lru_cache(maxsize=4096)
def referral_id(origin: UUID, rule: str, to: str) -> UUID:
    """The one referral that an application or a request leads to, by this rule, to this receiver."""
    return derived_id("referral", origin, rule, to)


class Asked(BaseModel):
    """A referral that is asked for. `origin`: the application or the request."""

    model_config = ConfigDict(frozen=True)

    origin: UUID
    wanted: Wanted

    @property
    def referral_id(self) -> UUID:
        return referral_id(self.origin, self.wanted.rule, self.wanted.to)


class AskedDuty(BaseModel):
    """A statutory duty of the plan that runs since `started_at`."""

    model_config = ConfigDict(frozen=True)

    id: str
    started_at: datetime
    limit: str
    owner_division: str | None = None
    late_entry: bool = False
    child: bool = False
    subject: UUID | None = None


class Entry(BaseModel):
    """What the ledger remembers of a referral."""

    model_config = ConfigDict(frozen=True)

    rule: str
    to: str
    urgency: Urgency
    drafted: bool
    service: str | None = None
    returned_at: datetime | None = None
    replaced: bool = False


class Withdrawal(BaseModel):
    model_config = ConfigDict(frozen=True)

    at: datetime
    protection_stands: bool

    def spares(self, what: "Wanted | Entry") -> bool:
        """Whether it stands all the same: a protection duty's, or of a protection case that goes on."""
        if what.rule in duties.PROTECTION:
            return True
        return self.protection_stands and what.service == "child-welfare"


class Ledger(BaseModel):
    """The folded state. received: an application's plan has come in."""

    model_config = ConfigDict(frozen=True)

    application_id: UUID | None = None
    chain_id: UUID | None = None
    received: bool = False
    entries: dict[UUID, Entry] = Field(default_factory=dict)
    duties: tuple[AskedDuty, ...] = ()
    withdrawal: Withdrawal | None = None

    def allows(self, asked: Asked) -> bool:
        """Whether it may be asked for: not after the withdrawal, unless it stands."""
        gone = self.withdrawal
        return gone is None or asked.wanted.sent_at < gone.at or gone.spares(asked.wanted)

    def falls_away(self, asked: Asked) -> bool:
        """Whether the withdrawal takes it away again."""
        return self.withdrawal is not None and not self.withdrawal.spares(asked.wanted)


class OfApplication(Command):
    """Says which application and chain the ledger is of, since it may be the first to come."""

    application_id: UUID
    chain_id: UUID


class Admit(OfApplication):
    """Take up what a plan or a request asks for. `plan`: it is the plan of an application."""

    asked: tuple[Asked, ...] = ()
    duties: tuple[AskedDuty, ...] = ()
    plan: bool = True


class Withdraw(OfApplication):
    withdrawn_at: datetime
    protection_stands: bool = False


class NoteDecision(OfApplication):
    """A service has decided on its case: the duties that this meets are met."""

    service: str
    at: datetime


class NoteReturn(OfApplication):
    """A critical referral came back: the next one of its rule is to relieve its first receiver."""

    referral_id: UUID
    at: datetime


COMMANDS: tuple[type[Command], ...] = (Admit, Withdraw, NoteDecision, NoteReturn)


class LedgerEvent(Event):
    """What the ledger does concerns nobody outside; `react` turns it into referrals and clocks."""

    application_id: UUID
    chain_id: UUID


class PlanReceived(LedgerEvent):
    type = "ledger.plan_received"


class ReferralAdmitted(LedgerEvent):
    type = "ledger.referral_admitted"

    referral_id: UUID
    wanted: Wanted

    def classification(self) -> Literal["child", "internal"]:
        return "child" if self.wanted.child else "internal"


class ReferralReleased(LedgerEvent):
    """The withdrawal of that moment takes it away."""

    type = "ledger.referral_released"

    referral_id: UUID
    at: datetime


class DutyAdmitted(LedgerEvent):
    type = "ledger.duty_admitted"

    duty: AskedDuty


class DutyEnded(LedgerEvent):
    """`ending`: met by a decision, or cancelled by the withdrawal, at that event's own time."""

    type = "ledger.duty_ended"

    id: str
    subject: UUID
    at: datetime
    ending: Literal["met", "cancelled"]


class Withdrawn(LedgerEvent):
    type = "ledger.withdrawn"

    withdrawal: Withdrawal


class ReturnNoted(LedgerEvent):
    type = "ledger.return_noted"

    referral_id: UUID
    at: datetime


INTERNAL: tuple[type[Event], ...] = (
    PlanReceived,
    ReferralAdmitted,
    ReferralReleased,
    DutyAdmitted,
    DutyEnded,
    Withdrawn,
    ReturnNoted,
)


def decide(ledger: Ledger, command: Command, context: Context) -> Sequence[Event] | Refusal:
    """The events of a command; what is known already gives none."""
    match command:
        case Admit():
            return _admit(ledger, command)
        case Withdraw():
            return _withdraw(ledger, command)
        case NoteDecision():
            return _decided(ledger, command)
        case NoteReturn():
            known = ledger.entries.get(command.referral_id)
            if known is None or known.returned_at is not None:
                return ()
            return (ReturnNoted(**_of(command), referral_id=command.referral_id, at=command.at),)
    raise TypeError(type(command).__name__)


def _of(command: OfApplication) -> dict[str, UUID]:
    return {"application_id": command.application_id, "chain_id": command.chain_id}


def _admit(ledger: Ledger, command: Admit) -> Sequence[Event] | Refusal:
    events: list[Event] = []
    if command.plan and not ledger.received:
        events.append(PlanReceived(**_of(command)))
    refused = [asked for asked in command.asked if not ledger.allows(asked)]
    if refused and not command.plan:
        return Refusal(
            "ledger.withdrawn",
            "The application was withdrawn before; only a protection duty is still handed over.",
            "申请此前已撤回，只有保护职责可以继续转介。",
        )
    for asked in command.asked:
        if asked not in refused:
            events.extend(_admitted(ledger, command, asked))
    for duty in command.duties:
        more = _duty(ledger, command, duty)
        events.extend(more)
        for event in more:
            ledger = evolve(ledger, event)
    return events


def _admitted(ledger: Ledger, command: Admit, asked: Asked) -> Sequence[Event]:
    if not _news(ledger.entries.get(asked.referral_id), asked.wanted):
        return ()
    wanted = asked.wanted.model_copy(update={"replaces": _replaced(ledger, asked)})
    admitted = ReferralAdmitted(**_of(command), referral_id=asked.referral_id, wanted=wanted)
    if not ledger.falls_away(asked):
        return (admitted,)
    assert ledger.withdrawal is not None
    gone = ledger.withdrawal.at
    return (admitted, ReferralReleased(**_of(command), referral_id=asked.referral_id, at=gone))


def _news(known: Entry | None, wanted: Wanted) -> bool:
    """Whether it is new, more urgent than known, or may be sent now where it was a draft."""
    if known is None or RANK[wanted.urgency] > RANK[known.urgency]:
        return True
    return known.drafted and wanted.drafted is None


def _replaced(ledger: Ledger, asked: Asked) -> UUID | None:
    """The returned critical referral of the same rule that this one, asked for after the return, relieves."""
    if asked.referral_id in ledger.entries:
        return None
    returned = (
        id_
        for id_, entry in ledger.entries.items()
        if entry.rule == asked.wanted.rule
        and entry.returned_at is not None
        and not entry.replaced
        and asked.wanted.sent_at >= entry.returned_at
    )
    return next(returned, None)


def _duty(ledger: Ledger, command: Admit, duty: AskedDuty) -> Sequence[Event]:
    """Its clock's subject is the application; a second start of one duty has a subject of its own."""
    same = [known for known in ledger.duties if known.id == duty.id]
    if any(known.started_at == duty.started_at for known in same):
        return ()
    own = derived_id("duty", command.application_id, duty.id, duty.started_at.isoformat())
    admitted = duty.model_copy(update={"subject": own if same else command.application_id})
    events: list[Event] = [DutyAdmitted(**_of(command), duty=admitted)]
    gone = ledger.withdrawal
    if gone is not None and not duties.duty(duty.id).protection:
        events.append(_ended(command, admitted, gone.at, "cancelled"))
    return events


def _ended(
    command: OfApplication, duty: AskedDuty, at: datetime, ending: Literal["met", "cancelled"]
) -> DutyEnded:
    assert duty.subject is not None
    return DutyEnded(**_of(command), id=duty.id, subject=duty.subject, at=at, ending=ending)


def _withdraw(ledger: Ledger, command: Withdraw) -> Sequence[Event]:
    if ledger.withdrawal is not None:
        return ()
    gone = Withdrawal(at=command.withdrawn_at, protection_stands=command.protection_stands)
    released = [
        ReferralReleased(**_of(command), referral_id=id_, at=gone.at)
        for id_, entry in ledger.entries.items()
        if not gone.spares(entry)
    ]
    ended = [
        _ended(command, duty, gone.at, "cancelled")
        for duty in ledger.duties
        if not duties.duty(duty.id).protection
    ]
    return (Withdrawn(**_of(command), withdrawal=gone), *released, *ended)


def _decided(ledger: Ledger, command: NoteDecision) -> Sequence[Event]:
    """Meet the duties that are known; before the plan has come, leave a mark with each that may be in it."""
    ids = duties.decided_by(command.service)
    known = [duty for duty in ledger.duties if duty.id in ids]
    if known or ledger.received:
        return [_ended(command, duty, command.at, "met") for duty in known]
    application = command.application_id
    return [
        DutyEnded(**_of(command), id=id_, subject=application, at=command.at, ending="met") for id_ in ids
    ]


def evolve(ledger: Ledger, event: Event) -> Ledger:
    """The state after the event."""
    assert isinstance(event, LedgerEvent)
    of = {"application_id": event.application_id, "chain_id": event.chain_id}
    return ledger.model_copy(update=of | dict(_changes(ledger, event)))


def _changes(ledger: Ledger, event: LedgerEvent) -> Mapping[str, Any]:
    match event:
        case PlanReceived():
            return {"received": True}
        case ReferralAdmitted():
            return {"entries": _entries(ledger, event)}
        case DutyAdmitted():
            return {"duties": (*ledger.duties, event.duty)}
        case Withdrawn():
            return {"withdrawal": event.withdrawal}
        case ReturnNoted():
            entry = ledger.entries[event.referral_id].model_copy(update={"returned_at": event.at})
            return {"entries": ledger.entries | {event.referral_id: entry}}
    return {}


def _entries(ledger: Ledger, event: ReferralAdmitted) -> Mapping[UUID, Entry]:
    wanted = event.wanted
    entry = Entry(
        rule=wanted.rule,
        to=wanted.to,
        urgency=wanted.urgency,
        drafted=wanted.drafted is not None,
        service=wanted.service,
    )
    entries = ledger.entries | {event.referral_id: entry}
    if wanted.replaces is not None:
        relieved = ledger.entries[wanted.replaces].model_copy(update={"replaced": True})
        entries[wanted.replaces] = relieved
    return entries


LEDGER: Decider[Ledger] = Decider(
    name="ledger",
    state=Ledger,
    initial=Ledger,
    decide=decide,
    evolve=evolve,
    commands=COMMANDS,
    internal=INTERNAL,
)
