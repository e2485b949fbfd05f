"""The receiving path: one transaction from a readable form to people, receipt, plan, and the events."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from onedoor.contracts.core import Actor
from onedoor.contracts.plan import Plan
from onedoor.intake import sent as reading
from onedoor.intake.domain import Known, Part, Parts, Receive, coded, evaluated, split
from onedoor.intake.domain.entry import times
from onedoor.intake.domain.protection import is_sealed
from onedoor.intake.sent import Sent
from onedoor.intake.views import applications, people, receipts, sealed
from onedoor.intake.views.applications import Details, divisions
from onedoor.intake.views.people import Settled
from onedoor.runtime.statements import Statement
from onedoor.runtime.unit import Outcome, Transaction
from onedoor.triage import FieldMark


@dataclass(frozen=True, slots=True)
class Received:
    """What came of it: how it was taken down, the sealed part beside it, the whole plan."""

    taken: Receive
    secret: str
    known: Known
    plan: Plan
    marks: tuple[FieldMark, ...]
    protection: Receive | None
    outcome: Outcome


async def receive(tx: Transaction, sent: Sent, actor: Actor, believed: bool) -> Received:
    """Take an application down.

    believed: the actor may import, so that stages, tier and a time long past are facts. Raises a 422 problem
    for a time of receipt that is not believed, unless danger is reported.
    """
    when = times(sent.form.received_at, tx.now, believed, sent.late_entry_reason)
    if when.mark is not None and not sent.danger:
        raise reading.problem_of([when.mark])
    sent = sent.marked(when.mark)
    known = coded(
        sent.form,
        [uuid4() for _ in sent.form.subjects],
        received_at=when.received_at,
        recorded_at=tx.now,
        late_entry=when.late_entry,
        believed=believed,
    )
    settled = await _settled(tx, sent, known, actor)
    known = known.with_people(settled.ids, settled.household_id)
    met = [subject.person_id for subject in known.subjects if subject.person_id not in settled.new]
    earlier = await people.earlier(tx.conn, met)
    plan = evaluated(known, known.received_at, earlier)
    return await _take_down(tx, sent, known, plan, settled, actor, believed)


async def _settled(tx: Transaction, sent: Sent, known: Known, actor: Actor) -> Settled:
    """People and household; of a sealed report nothing that tells where they are."""
    told = reading.identities(sent.form, known)
    told += reading.members(sent.form, [uuid4() for _ in sent.form.household.members], tx.now.year)
    if is_sealed(known):
        told = [each.without_contact() for each in told]
    here = divisions(known.place_division, known.registered_division, actor.division)
    return await people.settle(tx.conn, told, uuid4(), uuid4(), here, tx.now)


async def _take_down(
    tx: Transaction, sent: Sent, known: Known, plan: Plan, settled: Settled, actor: Actor, believed: bool
) -> Received:
    told = reading.details(sent, known, believed)
    own, aside = await _parted(tx, split(known, plan), settled.chain_id, told)
    both = [aside, own] if aside else [own]
    commands = [each.command for each in both]
    ids = [command.target for command in commands]
    tx.last += [write for each in both for write in each.writes] + sealed_report(sent, known, ids, tx.now)
    outcomes = await tx.execute(*settled.people, *commands, actor=actor, new=settled.new.union(ids))
    beside = aside.command if aside else None
    return Received(own.command, own.secret, known, plan, sent.marks, beside, outcomes[-1])


@dataclass(frozen=True, slots=True)
class Taken:
    """A part of an application: the command that takes it down, and what is to be written beside its events.

    secret: its receipt's, which is stored nowhere.
    """

    command: Receive
    secret: str
    writes: tuple[Statement, ...]


async def _parted(
    tx: Transaction, parts: Parts, household_chain: UUID, told: Details
) -> tuple[Taken, Taken | None]:
    """The application, and its sealed part where that stands beside it."""
    id_ = uuid4()
    if parts.household is None:
        assert parts.protection is not None
        chain = await sealed.protection_chain(tx.conn, household_chain)
        return part_taken(id_, chain, parts.protection, told, protection=True), None
    if parts.protection is None:
        return part_taken(id_, household_chain, parts.household, told), None
    aside = await open_protection(tx, id_, household_chain, parts.protection, told)
    return part_taken(id_, household_chain, parts.household, reading.without_sealed(told)), aside


def part_taken(
    application_id: UUID,
    chain_id: UUID,
    part: Part,
    told: Details,
    *,
    protection: bool = False,
    parted: bool = False,
) -> Taken:
    """Draw the receipt of a part. Where it makes no child file, caseworkers may know whom it names."""
    receipt, secret, drawn = receipts.draw(application_id, part.known.received_at)
    class_ = part.reading_class(protection)
    command = Receive(
        target=application_id,
        chain_id=chain_id,
        receipt=receipt,
        known=part.known,
        plan=part.plan,
        protection=protection,
    )
    writes = [
        drawn,
        applications.kept(application_id, part.known, told, class_, parted),
        people.named(application_id, part.known),
    ]
    if not protection and class_ != "child":
        writes.append(people.files_opened(part.known))
    return Taken(command, secret, tuple(writes))


async def open_protection(
    tx: Transaction, application_id: UUID, household_chain: UUID, part: Part, told: Details
) -> Taken:
    """The sealed part of an application, linked to it in the sealed tables only.

    Its receipt is nobody's: the caller has the household's.
    """
    protection_id = uuid4()
    chain = await sealed.protection_chain(tx.conn, household_chain)
    taken = part_taken(protection_id, chain, part, told, protection=True, parted=True)
    return replace(taken, writes=(*taken.writes, sealed.linked(application_id, protection_id)))


def sealed_report(sent: Sent, known: Known, ids: list[UUID], at: datetime) -> list[Statement]:
    """What puts the reporter where nobody reads without purpose; nothing if nothing needs it."""
    report = reading.report(sent, known)
    return [] if report.empty else [sealed.kept(report, ids, at)]
