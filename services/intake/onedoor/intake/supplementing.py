"""What becomes known later: merged, evaluated anew, and parted again into what is sealed and what is not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from onedoor.contracts.core import Actor, Command
from onedoor.contracts.plan import Plan
from onedoor.intake import sent as reading
from onedoor.intake.domain import (
    Known,
    Part,
    Parts,
    RecordPerson,
    Supplement,
    coded,
    evaluated,
    id_number,
    merged,
    split,
)
from onedoor.intake.domain.application import WITHDRAWN, dangerous
from onedoor.intake.domain.known import kept_times
from onedoor.intake.domain.protection import added, is_sealed, sealed_plan, without_sealed
from onedoor.intake.receiving import open_protection, sealed_report
from onedoor.intake.sent import Sent
from onedoor.intake.views import applications, people, sealed
from onedoor.intake.views.applications import Details, Standing, divisions
from onedoor.runtime.http import not_found, refused
from onedoor.runtime.statements import together
from onedoor.runtime.unit import Outcome, StaleVersion, Transaction
from onedoor.triage import FieldMark


@dataclass(frozen=True, slots=True)
class Supplemented:
    """What came of it: the application, the whole plan, the id of its sealed part, the last outcome.

    open_plan: the plan for those who may not know of a sealed part: the application's own, and what follows
    from the harm that they have told themselves.
    """

    application: Standing
    plan: Plan
    open_plan: Plan
    marks: tuple[FieldMark, ...]
    protection: UUID | None
    version: int
    outcome: Outcome | None


async def supplement(
    tx: Transaction, application_id: UUID, sent: Sent, actor: Actor, believed: bool, expected: int | None
) -> Supplemented:
    """Add what was sent to a standing application.

    Raises StaleVersion; the problem of a refusal where it was withdrawn and no danger is reported.
    """
    target, aside = await _standing(tx, application_id)
    if expected not in (None, target.version):
        assert expected is not None
        raise StaleVersion(application_id, expected, target.version, target)
    base = aside.known if aside else target.known
    more, recorded = await _more(tx, sent, base, actor, believed)
    known = merged(base, more)
    plan = await _plan(tx, known, target, aside)
    if target.state == "withdrawn" and not dangerous(known, plan):
        raise refused(WITHDRAWN)
    parts = await _parts(tx, target, known, plan)
    told = reading.details(sent, more, believed)
    commands = await _commands(tx, told, target, aside, parts, more, actor)
    told_of = [each.target for each in commands] or [application_id]
    await together(tx.conn, sealed_report(sent, more, told_of, tx.now))
    outcomes = await tx.execute(*recorded, *commands, actor=actor)
    own = next((outcome for outcome in outcomes if outcome.target == application_id), None)
    other = next((command.target for command in commands if command.target != application_id), None)
    return Supplemented(
        application=target,
        plan=plan,
        open_plan=_open_plan(target, commands, more),
        marks=sent.marks,
        protection=aside.application_id if aside else other,
        version=own.version if own else target.version,
        outcome=own or (outcomes[-1] if outcomes else None),
    )


def _open_plan(target: Standing, commands: Sequence[Command], more: Known) -> Plan:
    own = [
        each.plan
        for each in commands
        if isinstance(each, Supplement) and each.target == target.application_id
    ]
    plan = own[0] if own else target.plan
    if target.protection or not is_sealed(more):
        return plan
    told = sealed_plan(evaluated(more, more.received_at, {}))
    return plan.model_copy(
        update={
            "services": (*plan.services, *told.services),
            "referrals": (*plan.referrals, *told.referrals),
            "duties": (*plan.duties, *told.duties),
        }
    )


async def _standing(tx: Transaction, id_: UUID) -> tuple[Standing, Standing | None]:
    aside = await sealed.protection_application(tx.conn, id_)
    found = await applications.standing(tx.conn, id_, *([aside] if aside else []))
    if id_ not in found:
        not_found()
    return found[id_], found[aside] if aside else None


async def _more(
    tx: Transaction, sent: Sent, base: Known, actor: Actor, believed: bool
) -> tuple[Known, tuple[RecordPerson, ...]]:
    """The coded facts that are new, and the people whose identity is to be recorded."""
    draft = coded(
        sent.form,
        [uuid4() for _ in sent.form.subjects],
        received_at=tx.now,
        recorded_at=tx.now,
        late_entry=False,
        believed=believed,
    )
    same = await _recognised(tx, sent, draft, base)
    draft = draft.with_people(same, base.household_id)
    told = reading.identities(sent.form, draft)
    if is_sealed(base) or is_sealed(draft):
        told = [each.without_contact() for each in told]
    standing = {subject.person_id for subject in base.subjects}
    amended = await people.amend(tx.conn, [each for each in told if each.person_id in standing], tx.now)
    newcomers = [each for each in told if each.person_id not in standing]
    here = divisions(base.place_division, base.registered_division, actor.division)
    ids, joined = await people.join(tx.conn, newcomers, base.household_id, here, tx.now)
    return draft.with_people(ids, base.household_id), (*amended, *joined)


async def _recognised(tx: Transaction, sent: Sent, draft: Known, base: Known) -> dict[UUID, UUID]:
    """Subjects that stand already: by person id or mark, else by a valid identity number."""
    known = {str(subject.person_id): subject.person_id for subject in base.subjects}
    known |= {subject.mark: subject.person_id for subject in base.subjects if subject.mark}
    numbers = await people.by_number(tx.conn, [subject.person_id for subject in base.subjects])
    same: dict[UUID, UUID] = {}
    for told, subject in zip(sent.form.subjects, draft.subjects, strict=True):
        number = id_number.read(told.id_number).number if told.id_number else ""
        person = known.get(told.id or "") or numbers.get(number)
        if person is not None and person not in same.values():
            same[subject.person_id] = person
    return same


async def _plan(tx: Transaction, known: Known, target: Standing, aside: Standing | None) -> Plan:
    """The whole plan anew; what stood before keeps its times."""
    own = [target.application_id, *([aside.application_id] if aside else [])]
    earlier = await people.earlier(tx.conn, [subject.person_id for subject in known.subjects], own)
    before = target.plan
    if aside is not None:
        before = before.model_copy(
            update={
                "referrals": (*before.referrals, *aside.plan.referrals),
                "duties": (*before.duties, *aside.plan.duties),
            }
        )
    again = target.state == "withdrawn"
    return kept_times(before, evaluated(known, tx.now, earlier), tx.now, again)


async def _parts(tx: Transaction, target: Standing, known: Known, plan: Plan) -> Parts:
    """What began sealed stays sealed; a sealed part takes on whatever newly follows."""
    if not target.protection:
        return split(known, plan)
    if not target.parted:
        return Parts(None, Part(known, plan))
    before = evaluated(target.known, tx.now, {})
    return Parts(None, Part(known, added(before, plan, sealed_plan(plan))))


async def _commands(
    tx: Transaction,
    told: Details,
    target: Standing,
    aside: Standing | None,
    parts: Parts,
    more: Known,
    actor: Actor,
) -> list[Command]:
    if target.protection:
        assert parts.protection is not None
        await _write(tx, target, parts.protection, told, actor)
        return [_supplemented(target, parts.protection)]
    commands: list[Command] = []
    if parts.protection is not None:
        if aside is None:
            part = replace(parts.protection, known=_from_now(parts.protection.known, more))
            taken = await open_protection(tx, target.application_id, target.chain_id, part, told)
            await together(tx.conn, taken.writes)
            commands.append(taken.command)
        else:
            await _write(tx, aside, parts.protection, told, actor)
            if is_sealed(more) or parts.protection.plan != aside.plan:
                commands.append(_supplemented(aside, parts.protection))
    household = _household(target, parts, more)
    if household is not None:
        plain = told if parts.protection is None else reading.without_sealed(told)
        await _write(tx, target, household, plain, actor)
        commands.append(_supplemented(target, household))
    return commands


def _from_now(known: Known, more: Known) -> Known:
    """A sealed part that opens later is received now, from whoever tells now: its clocks run from here."""
    return known.model_copy(
        update={
            "received_at": more.received_at,
            "recorded_at": more.recorded_at,
            "late_entry": False,
            "caller_role": more.caller_role,
            "kind": more.kind,
            "channel": more.channel,
        }
    )


def _household(target: Standing, parts: Parts, more: Known) -> Part | None:
    """The household's part, if anything of it changes; nothing sealed may be told by a change there."""
    known = without_sealed(merged(target.known, without_sealed(more)))
    plan = parts.household.plan if parts.household else target.plan
    if known == target.known and plan == target.plan:
        return None
    return Part(known, plan)


async def _write(tx: Transaction, standing: Standing, part: Part, told: Details, actor: Actor) -> None:
    id_, class_ = standing.application_id, part.reading_class(standing.protection)
    more = applications.known_more(id_, part.known, class_, told)
    await together(tx.conn, [more, people.named(id_, part.known)])
    if told.facts_text:
        await applications.add_words(tx.conn, id_, tx.now, actor.person, "supplement", told.facts_text)


def _supplemented(standing: Standing, part: Part) -> Supplement:
    return Supplement(target=standing.application_id, known=part.known, plan=part.plan)
