"""The receiving path: one transaction from a readable form to people, receipt, plan, and the events."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from onedoor.contracts.core import Actor
from onedoor.contracts.plan import Plan
from onedoor.intake import sent as reading
from onedoor.intake.domain import Known, Part, Receive, coded, evaluated, split
from onedoor.intake.domain.entry import times
from onedoor.intake.domain.protection import is_sealed
from onedoor.intake.sent import Sent
from onedoor.intake.views import applications, people, receipts, sealed
from onedoor.intake.views.applications import Details, divisions
from onedoor.intake.views.people import Settled
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
    earlier = await people.earlier(tx.conn, [subject.person_id for subject in known.subjects])
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
    parts, application_id, household_chain = split(known, plan), uuid4(), settled.chain_id
    told, aside = reading.details(sent, known, believed), None
    if parts.household is None:
        assert parts.protection is not None
        chain = await sealed.protection_chain(tx.conn, household_chain)
        command, secret = await part_taken(tx, application_id, chain, parts.protection, told, protection=True)
    else:
        if parts.protection is not None:
            aside = await open_protection(tx, application_id, household_chain, parts.protection, told)
            told = reading.without_sealed(told)
        command, secret = await part_taken(tx, application_id, household_chain, parts.household, told)
        await _open_files(tx, parts.household)
    both = [aside, command] if aside else [command]
    await seal_report(tx, sent, known, [each.target for each in both])
    outcomes = await tx.execute(*settled.people, *both, actor=actor)
    return Received(command, secret, known, plan, sent.marks, aside, outcomes[-1])


async def _open_files(tx: Transaction, part: Part) -> None:
    if part.reading_class(protection=False) != "child":
        await people.open_files(tx.conn, [subject.person_id for subject in part.known.subjects])


async def part_taken(
    tx: Transaction,
    application_id: UUID,
    chain_id: UUID,
    part: Part,
    told: Details,
    *,
    protection: bool = False,
    parted: bool = False,
) -> tuple[Receive, str]:
    """Draw its receipt, keep its details; the command that takes it down, and the receipt's secret."""
    receipt, secret = await receipts.draw(tx.conn, application_id, part.known.received_at)
    class_ = part.reading_class(protection)
    await applications.keep(tx.conn, application_id, part.known, told, class_, parted)
    named = [(subject.person_id, subject.mark) for subject in part.known.subjects]
    await people.name_in_application(tx.conn, application_id, named)
    command = Receive(
        target=application_id,
        chain_id=chain_id,
        receipt=receipt,
        known=part.known,
        plan=part.plan,
        protection=protection,
    )
    return command, secret


async def open_protection(
    tx: Transaction, application_id: UUID, household_chain: UUID, part: Part, told: Details
) -> Receive:
    """The command that takes down the sealed part of an application, linked to it in the sealed tables only.

    Its receipt is nobody's: the caller has the household's.
    """
    protection_id = uuid4()
    chain = await sealed.protection_chain(tx.conn, household_chain)
    await sealed.link(tx.conn, application_id, protection_id)
    command, _ = await part_taken(tx, protection_id, chain, part, told, protection=True, parted=True)
    return command


async def seal_report(tx: Transaction, sent: Sent, known: Known, ids: list[UUID]) -> None:
    """Put the reporter where nobody reads without purpose."""
    report = reading.report(sent, known)
    if not report.empty:
        await sealed.seal(tx.conn, report, ids, tx.now)
