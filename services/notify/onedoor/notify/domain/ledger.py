"""The ledger of one application: which referrals and statutory duties it has led to.

It admits each once, whoever asks and in whatever order. A withdrawal is kept as a mark that counts at its
own time: what was asked for before it is opened and revoked; a protection duty stands. A plan made after it
is a new knock at the door (ADR 4): intake lets it pass only where danger is told, and what it asks for is
opened. A case that asks after a withdrawal without such a knock is set aside, until one is known.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from onedoor.contracts.core import (
    Classification,
    Command,
    Context,
    Decider,
    Event,
    Urgency,
    derived_id,
)
from onedoor.contracts.events.notify import Kept
from onedoor.contracts.referral_rules import DISTRICT_RULE, PROTECTION, RANK, RULES, directory
from onedoor.contracts.work import referral_id as referral_id
from onedoor.notify.domain import duties
from onedoor.notify.domain.referral import Wanted
from onedoor.triage.rules import packaged_rules


def ledger_id(application_id: UUID) -> UUID:
    """The one ledger of an application."""
    return derived_id("ledger", application_id)


class Asked(BaseModel):
    """A referral that is asked for. `origin`: the application or the request."""

    model_config = ConfigDict(frozen=True)

    origin: UUID
    wanted: Wanted

    @property
    def referral_id(self) -> UUID:
        return referral_id(self.origin, self.wanted.rule, self.wanted.to)


class AskedDuty(BaseModel):
    """A statutory duty of the plan that runs since `started_at`; `again`: a withdrawal ended the first."""

    model_config = ConfigDict(frozen=True)

    id: str
    started_at: datetime
    limit: str
    owner_division: str | None = None
    late_entry: bool = False
    child: bool = False
    sealed: bool = False
    again: bool = False
    subject: UUID | None = None


class Entry(BaseModel):
    """What the ledger remembers of a referral: asked for last at `asked_at`, its facts told at `told_at`."""

    model_config = ConfigDict(frozen=True)

    rule: str
    to: str
    to_division: str | None = None
    urgency: Urgency
    drafted: bool
    asked_at: datetime
    told_at: datetime
    child: bool = False
    sealed: bool = False
    service: str | None = None
    returned_at: datetime | None = None
    returns: int = 0
    replaced: bool = False
    diverted: bool = False


class Withdrawal(BaseModel):
    model_config = ConfigDict(frozen=True)

    at: datetime
    protection_stands: bool

    def spares(self, what: "Wanted | Entry") -> bool:
        """Whether it stands all the same: a protection duty's, or of a protection case that goes on."""
        if what.rule in PROTECTION:
            return True
        return self.protection_stands and what.service == "child-welfare"


class Suspected(BaseModel):
    """A unit that nothing may be handed to; without a division the whole department."""

    model_config = ConfigDict(frozen=True)

    department: str
    division: str | None = None


def one_level_up(
    suspected: Iterable[Suspected], department: str, division: str | None
) -> tuple[str, str | None]:
    """The unit as it is, or the one over it that none of these is."""
    for each in suspected:
        named = (each.department, each.division)
        department, division = packaged_rules().unsuspected(named, department, division)
    return department, division


class Ledger(BaseModel):
    """The folded state. plans: when each was made; consents_gone: by fact, when it was last taken back;
    aside: what cases asked for after a withdrawal, or before it was known who is suspected; guarded: somebody
    is; suspected: who.
    """

    model_config = ConfigDict(frozen=True)

    application_id: UUID | None = None
    chain_id: UUID | None = None
    plans: tuple[datetime, ...] = ()
    entries: dict[UUID, Entry] = Field(default_factory=dict)
    duties: tuple[AskedDuty, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    consents_gone: dict[str, datetime] = Field(default_factory=dict)
    aside: tuple[Asked, ...] = ()
    guarded: bool = False
    suspected: tuple[Suspected, ...] = ()

    @property
    def received(self) -> bool:
        """Whether an application's plan has come in."""
        return bool(self.plans)

    def allows(self, asked: Asked) -> bool:
        """Whether a case may ask for it: it is known who must not get it, and the application stands then or
        the withdrawal spares it.
        """
        if self.guarded and not self.suspected:
            return False
        at = asked.wanted.sent_at
        before = [gone for gone in self.withdrawals if gone.at <= at]
        latest = max(before, key=lambda gone: gone.at, default=None)
        if latest is None or latest.spares(asked.wanted):
            return True
        return any(latest.at < plan <= at for plan in self.plans)

    def unsuspected(self, asked: Asked) -> Asked:
        """The same, or asked one level up where its receiver is suspected; likewise who hands it over."""
        wanted = asked.wanted
        to, division = one_level_up(self.suspected, wanted.to, wanted.to_division)
        from_ = wanted.from_
        if wanted.service is not None:
            from_, _ = one_level_up(self.suspected, from_, None)
        moved = wanted.model_copy(update={"to": to, "to_division": division, "from_": from_})
        return asked.model_copy(update={"wanted": moved})

    def owed_by(self, duty: AskedDuty) -> tuple[str, str | None]:
        """Whose duty it is: where its own unit is suspected, or may be, that of one level up."""
        department, division = duties.duty(duty.id).owner, duty.owner_division
        if self.guarded and not self.suspected:
            perhaps = Suspected(department=department, division=division or packaged_rules().home)
            return one_level_up((perhaps,), department, division)
        return one_level_up(self.suspected, department, division)

    def taken_by(self, asked: Asked) -> Withdrawal | None:
        """The first withdrawal after it was asked for that does not spare it."""
        later = (
            gone
            for gone in self.withdrawals
            if asked.wanted.sent_at < gone.at and not gone.spares(asked.wanted)
        )
        return min(later, key=lambda gone: gone.at, default=None)


class OfApplication(Command):
    """Says which application and chain the ledger is of, since it may be the first to come."""

    application_id: UUID
    chain_id: UUID


class Admit(OfApplication):
    """Take up what a plan or a request asks for. `planned_at`: when the plan was made; None: a case asks.

    guarded: a unit is suspected, and told of apart.
    """

    asked: tuple[Asked, ...] = ()
    duties: tuple[AskedDuty, ...] = ()
    planned_at: datetime | None = None
    guarded: bool = False


class Suspect(OfApplication):
    """This unit is suspected: nothing is handed to it, and what it has got is taken from it."""

    unit: Suspected


class Withdraw(OfApplication):
    withdrawn_at: datetime
    protection_stands: bool = False


class WithdrawConsent(OfApplication):
    """The consent that this fact says is taken back: what needs it is, too (PIPL art. 15)."""

    fact: str
    at: datetime


class NoteDecision(OfApplication):
    """A service has decided on its case: the duties that this meets are met."""

    service: str
    at: datetime


class NoteReturn(OfApplication):
    """A referral came back, with all that it carries: the next one of its rule stands in its place."""

    referral_id: UUID
    wanted: Wanted
    at: datetime


COMMANDS: tuple[type[Command], ...] = (
    Admit,
    Suspect,
    Withdraw,
    WithdrawConsent,
    NoteDecision,
    NoteReturn,
)


class LedgerEvent(Event):
    """What the ledger does concerns nobody outside; `react` turns it into referrals and clocks."""

    application_id: UUID
    chain_id: UUID


class PlanReceived(LedgerEvent):
    type = "ledger.plan_received"

    planned_at: datetime
    guarded: bool = False


class UnitNoted(LedgerEvent):
    """Who is suspected, which is as closely kept as anything."""

    type = "ledger.unit_noted"

    unit: Suspected

    def classification(self) -> Classification:
        return "child"


class ReferralDiverted(LedgerEvent):
    """It went to a unit that turns out to be suspected; `to` gets it instead."""

    type = "ledger.referral_diverted"

    referral_id: UUID
    to: str
    to_division: str | None = None

    def classification(self) -> Classification:
        return "child"


class OfWanted(LedgerEvent):
    """What says which facts travel is as closely kept as they are."""

    wanted: Wanted

    def classification(self) -> Classification:
        return Kept(child=self.wanted.child, sealed=self.wanted.sealed).classification()


class ReferralAdmitted(OfWanted):
    type = "ledger.referral_admitted"

    referral_id: UUID


class ReferralInformed(OfWanted):
    """More is known of what was admitted before, or it has to be kept more closely."""

    type = "ledger.referral_informed"

    referral_id: UUID


class RequestSetAside(OfWanted):
    """A case asks for it though the application was withdrawn; only a new knock lets it pass."""

    type = "ledger.request_set_aside"

    origin: UUID


class ReferralReleased(LedgerEvent):
    """What was withdrawn at that moment takes it away."""

    type = "ledger.referral_released"

    referral_id: UUID
    at: datetime
    reason: str = "withdrawn"


class ConsentWithdrawn(LedgerEvent):
    type = "ledger.consent_withdrawn"

    fact: str
    at: datetime


class DutyAdmitted(LedgerEvent):
    """owner, owner_division: who owes it where its own unit is suspected, or may be; None: that unit."""

    type = "ledger.duty_admitted"

    duty: AskedDuty
    owner: str | None = None
    owner_division: str | None = None


class DutyMarked(LedgerEvent):
    """What it watches turned out to be about a child, or sealed."""

    type = "ledger.duty_marked"

    id: str
    subject: UUID
    child: bool
    sealed: bool


class DutyMoved(LedgerEvent):
    """Its unit is suspected, or turns out not to be: this one owes it from now on."""

    type = "ledger.duty_moved"

    id: str
    subject: UUID
    owner: str
    owner_division: str | None = None

    def classification(self) -> Classification:
        return "child"


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
    UnitNoted,
    ReferralDiverted,
    ReferralAdmitted,
    ReferralInformed,
    RequestSetAside,
    ReferralReleased,
    ConsentWithdrawn,
    DutyAdmitted,
    DutyMarked,
    DutyMoved,
    DutyEnded,
    Withdrawn,
    ReturnNoted,
)


def decide(ledger: Ledger, command: Command, context: Context) -> Sequence[Event]:
    """The events of a command; what is known already gives none."""
    match command:
        case Admit():
            return _admit(ledger, command)
        case Suspect():
            return _suspect(ledger, command)
        case Withdraw():
            return _withdraw(ledger, command)
        case WithdrawConsent():
            return _without_consent(ledger, command)
        case NoteDecision():
            return _decided(ledger, command)
        case NoteReturn():
            return _came_back(ledger, command)
    raise TypeError(type(command).__name__)


def _of(command: OfApplication) -> dict[str, UUID]:
    return {"application_id": command.application_id, "chain_id": command.chain_id}


def _admit(ledger: Ledger, command: Admit) -> Sequence[Event]:
    events: list[Event] = []
    if command.planned_at is not None and command.planned_at not in ledger.plans:
        guarded = ledger.guarded or command.guarded
        received = PlanReceived(**_of(command), planned_at=command.planned_at, guarded=guarded)
        events.append(received)
        ledger = evolve(ledger, received)
    allowed = [asked for asked in ledger.aside if ledger.allows(asked)]
    for asked in (*command.asked, *allowed):
        planned = command.planned_at is not None and asked.wanted.rule != duties.MANUAL
        if planned or ledger.allows(asked):
            events.extend(_admitted(ledger, command, asked))
        elif asked not in ledger.aside:
            events.append(RequestSetAside(**_of(command), origin=asked.origin, wanted=asked.wanted))
    for duty in command.duties:
        more = _duty(ledger, command, duty)
        events.extend(more)
        for event in more:
            ledger = evolve(ledger, event)
    return events


def _suspect(ledger: Ledger, command: Suspect) -> Sequence[Event]:
    if command.unit in ledger.suspected:
        return ()
    noted = UnitNoted(**_of(command), unit=command.unit)
    after = evolve(ledger, noted)
    events: list[Event] = [noted]
    for id_, entry in ledger.entries.items():
        unit = (entry.to, entry.to_division)
        over = packaged_rules().unsuspected((command.unit.department, command.unit.division), *unit)
        if over != unit:
            events.append(ReferralDiverted(**_of(command), referral_id=id_, to=over[0], to_division=over[1]))
    for asked in after.aside:
        if after.allows(asked):
            events.extend(_admitted(after, command, asked))
    return [*events, *_moved(ledger, after, command)]


def _moved(before: Ledger, after: Ledger, command: OfApplication) -> Iterable[Event]:
    """Duties that another unit owes now that it is known who is suspected."""
    for duty in after.duties:
        owner, division = after.owed_by(duty)
        if (owner, division) != before.owed_by(duty):
            assert duty.subject is not None
            moved = {"owner": owner, "owner_division": division}
            yield DutyMoved(**_of(command), id=duty.id, subject=duty.subject, **moved)


def _admitted(ledger: Ledger, command: OfApplication, asked: Asked) -> Sequence[Event]:
    first, asked = asked, ledger.unsuspected(asked)
    had = ledger.entries.get(first.referral_id)
    if had is not None and had.diverted:
        if had.replaced:
            return ()  # another unit had it before anybody was suspected
        if asked.wanted.service is not None or asked.wanted.to == first.wanted.to:
            asked = asked.model_copy(update={"origin": first.referral_id})
    known, wanted = ledger.entries.get(asked.referral_id), asked.wanted
    if not _news(known, wanted):
        if known is None or not _says_more(known, wanted):
            return ()
        return (ReferralInformed(**_of(command), referral_id=asked.referral_id, wanted=wanted),)
    wanted = wanted.model_copy(update={"replaces": _replaced(ledger, asked)})
    admitted = ReferralAdmitted(**_of(command), referral_id=asked.referral_id, wanted=wanted)
    released = {"referral_id": asked.referral_id}
    if (gone := ledger.taken_by(asked)) is not None:
        return (admitted, ReferralReleased(**_of(command), **released, at=gone.at))
    at = ledger.consents_gone.get(_consent(asked.wanted.rule) or "")
    if at is None or asked.wanted.sent_at >= at:
        return (admitted,)
    return (admitted, ReferralReleased(**_of(command), **released, at=at, reason="consent_withdrawn"))


def _consent(rule: str) -> str | None:
    """The fact without which the rule sends nothing."""
    row = RULES.get(rule)
    return row.consent.fact if row is not None and row.consent is not None else None


def _without_consent(ledger: Ledger, command: WithdrawConsent) -> Sequence[Event]:
    """What was asked for before is taken back; who consents anew asks anew."""
    known = ledger.consents_gone.get(command.fact)
    if known is not None and known >= command.at:
        return ()
    released = [
        ReferralReleased(**_of(command), referral_id=id_, at=command.at, reason="consent_withdrawn")
        for id_, entry in ledger.entries.items()
        if _consent(entry.rule) == command.fact and entry.asked_at < command.at
    ]
    return (ConsentWithdrawn(**_of(command), fact=command.fact, at=command.at), *released)


def _came_back(ledger: Ledger, command: NoteReturn) -> Sequence[Event]:
    """The third return of one matter goes to the coordinating bureau, which decides whose it is."""
    if command.referral_id not in ledger.entries:
        return ()
    noted = ReturnNoted(**_of(command), referral_id=command.referral_id, at=command.at)
    after = evolve(ledger, noted)
    matter = [entry for entry in after.entries.values() if entry.rule == command.wanted.rule]
    known = directory()
    if sum(entry.returns for entry in matter) < known.returns_to_bureau:
        return (noted,)
    bureau = command.wanted.model_copy(
        update={
            "to": known.bureau,
            "to_division": None,
            "sent_at": command.at,
            "dated": False,
            "ground": DISTRICT_RULE,
            "replaces": command.referral_id,
            "settled": True,
        }
    )
    asked = ledger.unsuspected(Asked(origin=command.referral_id, wanted=bureau))
    return (noted, ReferralAdmitted(**_of(command), referral_id=asked.referral_id, wanted=asked.wanted))


def _news(known: Entry | None, wanted: Wanted) -> bool:
    """Whether it is new, asked for anew, or may be sent now where it was a draft."""
    if known is None:
        return True
    if wanted.sent_at < known.asked_at and wanted.dated:
        return False
    if wanted.sent_at > known.asked_at and wanted.dated:
        return True
    return RANK[wanted.urgency] > RANK[known.urgency] or (known.drafted and wanted.drafted is None)


def _says_more(known: Entry, wanted: Wanted) -> bool:
    """Whether its facts are newer, or show that it has to be kept more closely."""
    return (
        wanted.told_at > known.told_at
        or (wanted.child and not known.child)
        or (wanted.sealed and not known.sealed)
    )


def _replaced(ledger: Ledger, asked: Asked) -> UUID | None:
    """The returned referral of the same rule in whose place this one stands, asked for after the return."""
    if asked.wanted.replaces is not None or asked.referral_id in ledger.entries:
        return asked.wanted.replaces
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
    known = next((known for known in same if known.started_at == duty.started_at), None)
    if known is not None:
        return _marked(command, known, duty)
    first = not duty.again and command.application_id not in {known.subject for known in same}
    own = derived_id("duty", command.application_id, duty.id, duty.started_at.isoformat())
    admitted = duty.model_copy(update={"subject": command.application_id if first else own})
    owner, division = ledger.owed_by(duty)
    over = {"owner": owner, "owner_division": division}
    if (owner, division) == (duties.duty(duty.id).owner, duty.owner_division):
        over = {}
    events: list[Event] = [DutyAdmitted(**_of(command), duty=admitted, **over)]
    gone = [each.at for each in ledger.withdrawals if duty.started_at <= each.at]
    if gone and not duties.duty(duty.id).protection:
        events.append(_ended(command, admitted, min(gone), "cancelled"))
    return events


def _marked(command: OfApplication, known: AskedDuty, duty: AskedDuty) -> Sequence[Event]:
    child, sealed = known.child or duty.child, known.sealed or duty.sealed
    if (child, sealed) == (known.child, known.sealed):
        return ()
    assert known.subject is not None
    return (DutyMarked(**_of(command), id=known.id, subject=known.subject, child=child, sealed=sealed),)


def _ended(
    command: OfApplication, duty: AskedDuty, at: datetime, ending: Literal["met", "cancelled"]
) -> DutyEnded:
    assert duty.subject is not None
    return DutyEnded(**_of(command), id=duty.id, subject=duty.subject, at=at, ending=ending)


def _withdraw(ledger: Ledger, command: Withdraw) -> Sequence[Event]:
    gone = Withdrawal(at=command.withdrawn_at, protection_stands=command.protection_stands)
    if gone in ledger.withdrawals:
        return ()
    released = [
        ReferralReleased(**_of(command), referral_id=id_, at=gone.at)
        for id_, entry in ledger.entries.items()
        if entry.asked_at < gone.at and not gone.spares(entry)
    ]
    ended = [
        _ended(command, duty, gone.at, "cancelled")
        for duty in ledger.duties
        if duty.started_at <= gone.at and not duties.duty(duty.id).protection
    ]
    return (Withdrawn(**_of(command), withdrawal=gone), *released, *ended)


def _decided(ledger: Ledger, command: NoteDecision) -> Sequence[Event]:
    """Meet the duties that are known; before the plan has come, leave a mark with each that may be in it."""
    ids = duties.decided_by(command.service)
    known = [duty for duty in ledger.duties if duty.id in ids and duty.started_at <= command.at]
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
            return {"plans": (*ledger.plans, event.planned_at), "guarded": event.guarded}
        case UnitNoted():
            return {"suspected": (*ledger.suspected, event.unit)}
        case ReferralDiverted():
            taken = ledger.entries[event.referral_id].model_copy(update={"diverted": True})
            return {"entries": ledger.entries | {event.referral_id: taken}}
        case ReferralAdmitted():
            aside = tuple(
                asked for asked in ledger.aside if ledger.unsuspected(asked).referral_id != event.referral_id
            )
            return {"entries": _entries(ledger, event), "aside": aside}
        case ReferralInformed():
            known = ledger.entries[event.referral_id]
            return {"entries": ledger.entries | {event.referral_id: _informed(known, event.wanted)}}
        case RequestSetAside():
            return {"aside": (*ledger.aside, Asked(origin=event.origin, wanted=event.wanted))}
        case DutyAdmitted():
            return {"duties": (*ledger.duties, event.duty)}
        case DutyMarked():
            marks = {"child": event.child, "sealed": event.sealed}
            return {
                "duties": tuple(
                    duty.model_copy(update=marks)
                    if (duty.id, duty.subject) == (event.id, event.subject)
                    else duty
                    for duty in ledger.duties
                )
            }
        case ConsentWithdrawn():
            return {"consents_gone": ledger.consents_gone | {event.fact: event.at}}
        case Withdrawn():
            return {"withdrawals": (*ledger.withdrawals, event.withdrawal)}
        case ReturnNoted():
            known = ledger.entries[event.referral_id]
            back = {"returned_at": event.at, "returns": known.returns + 1, "replaced": False}
            return {"entries": ledger.entries | {event.referral_id: known.model_copy(update=back)}}
    return {}


def _entries(ledger: Ledger, event: ReferralAdmitted) -> Mapping[UUID, Entry]:
    wanted = event.wanted
    entry = Entry(
        rule=wanted.rule,
        to=wanted.to,
        to_division=wanted.to_division,
        urgency=wanted.urgency,
        drafted=wanted.drafted is not None,
        service=wanted.service,
        asked_at=wanted.sent_at,
        told_at=wanted.told_at,
        child=wanted.child,
        sealed=wanted.sealed,
    )
    known = ledger.entries.get(event.referral_id)
    if known is not None:
        entry = _informed(known, wanted).model_copy(
            update={name: getattr(entry, name) for name in ("urgency", "drafted", "asked_at")}
        )
    entries = ledger.entries | {event.referral_id: entry}
    if wanted.replaces is not None:
        relieved = ledger.entries[wanted.replaces].model_copy(update={"replaced": True})
        entries[wanted.replaces] = relieved
    return entries


def _informed(known: Entry, wanted: Wanted) -> Entry:
    return known.model_copy(
        update={
            "told_at": max(known.told_at, wanted.told_at),
            "child": known.child or wanted.child,
            "sealed": known.sealed or wanted.sealed,
        }
    )


LEDGER: Decider[Ledger] = Decider(
    name="ledger",
    state=Ledger,
    initial=Ledger,
    decide=decide,
    evolve=evolve,
    commands=COMMANDS,
    internal=INTERNAL,
)
