"""Entering: take down, supplement, withdraw, and the plan of a form that is not sent yet."""

from datetime import datetime
from typing import Annotated, Any, Literal, get_args
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel

from onedoor.contracts.core import Actor
from onedoor.contracts.plan import Plan
from onedoor.intake.domain import Withdraw, coded, evaluated
from onedoor.intake.domain.entry import times
from onedoor.intake.domain.protection import sees_links
from onedoor.intake.receiving import Received, receive
from onedoor.intake.sent import Sent, field_problem, read_form, read_mapping
from onedoor.intake.supplementing import Supplemented, supplement
from onedoor.intake.views import applications
from onedoor.runtime.access import may
from onedoor.runtime.description import in_one_piece
from onedoor.runtime.http import (
    Answer,
    CommandBody,
    Reading,
    allow,
    answer,
    etag,
    expected_version,
    idempotent,
    not_found,
    outcome_headers,
)
from onedoor.runtime.problems import FieldProblem, Problem
from onedoor.runtime.unit import Transaction
from onedoor.triage import ApplicationForm, FieldMark

router = APIRouter(prefix="/v1", tags=["applications"])

Reason = Literal["changed_mind", "no_longer_needed", "helped_elsewhere", "moved_away", "other"]
REASONS: tuple[Reason, ...] = get_args(Reason)

Enterer = Annotated[Actor, Depends(allow("application.enter"))]
Supplementer = Annotated[Actor, Depends(allow("application.supplement"))]
Withdrawer = Annotated[Actor, Depends(allow("application.withdraw"))]

FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": in_one_piece(ApplicationForm)}},
    }
}


class SealedPart(BaseModel):
    """The sealed part beside the household's; told only to those who may see protection."""

    application_id: UUID
    chain_id: UUID
    plan: Plan


class TakenDown(BaseModel):
    """The answer to an application: the receipt and its secret, which is told this once, and what follows."""

    receipt: str
    secret: str
    application_id: UUID
    chain_id: UUID
    received_at: str
    late_entry: bool
    plan: Plan
    marks: list[FieldProblem]
    protection: SealedPart | None = None


class Changed(BaseModel):
    """The answer to a supplement. The plan is not for those who see no more than the receipt's state."""

    application_id: UUID
    chain_id: UUID
    plan: Plan | None
    marks: list[FieldProblem]
    protection: UUID | None = None


class Preview(BaseModel):
    """What would follow of the form as it stands; `plan` is null while it says too little to take down."""

    plan: Plan | None
    marks: list[FieldProblem]
    problems: list[FieldProblem]


def _believed(actor: Actor) -> bool:
    return may(actor, "import") is not None


def _problems(marks: tuple[FieldMark, ...]) -> list[FieldProblem]:
    return [field_problem(mark) for mark in marks]


@router.post("/applications", status_code=201, response_model=TakenDown, openapi_extra=FORM)
async def take_down(request: Request, actor: Enterer) -> Response:
    """Take down an application, a report or a lead. A report of danger is never refused for a field."""
    sent = await _sent(request)

    async def handler(tx: Transaction) -> Answer:
        return _taken_down(await receive(tx, sent, actor, _believed(actor)), actor)

    return await idempotent(request, actor, handler)


async def _sent(request: Request, **defaults: Any) -> Sent:
    body, raw = await read_mapping(request)
    return read_form({**defaults, **raw}, body)


def _taken_down(done: Received, actor: Actor) -> Answer:
    taken, aside = done.taken, done.protection
    visible = aside is not None and sees_links(actor)
    body = TakenDown(
        receipt=taken.receipt,
        secret=done.secret,
        application_id=taken.target,
        chain_id=taken.chain_id,
        received_at=done.known.received_at.isoformat(),
        late_entry=done.known.late_entry,
        plan=done.plan,
        marks=_problems(done.marks),
        protection=SealedPart(application_id=aside.target, chain_id=aside.chain_id, plan=aside.plan)
        if aside is not None and visible
        else None,
    )
    headers = {"Location": f"/v1/applications/{taken.target}"} | outcome_headers(done.outcome)
    return Answer(201, body, headers)


@router.post("/applications/{application_id}/supplement", response_model=Changed, openapi_extra=FORM)
async def add_to(request: Request, application_id: UUID, actor: Supplementer, conn: Reading) -> Response:
    """Tell more: needs, people, facts. A subject is the one with the same `id` (or person id, or number)."""
    if await applications.one(conn, application_id) is None:
        not_found()
    sent = await _sent(request, facts_text="")
    expected = expected_version(request)

    async def handler(tx: Transaction) -> Answer:
        done = await supplement(tx, application_id, sent, actor, _believed(actor), expected)
        return _changed(done, actor)

    return await idempotent(request, actor, handler)


def _changed(done: Supplemented, actor: Actor) -> Answer:
    body = Changed(
        application_id=done.application.application_id,
        chain_id=done.application.chain_id,
        plan=_visible_plan(done, actor),
        marks=_problems(done.marks),
        protection=done.protection if sees_links(actor) else None,
    )
    headers = outcome_headers(done.outcome) if done.outcome else {}
    return Answer(200, body, headers | etag(done.version))


def _visible_plan(done: Supplemented, actor: Actor) -> Plan | None:
    if sees_links(actor):
        return done.plan
    reading = may(actor, "application.read")
    return None if reading is None or reading.receipt_only else done.open_plan


@router.post("/applications/{application_id}/withdraw")
async def withdraw(
    request: Request, application_id: UUID, command: CommandBody, actor: Withdrawer, conn: Reading
) -> Response:
    """Withdraw. `reason` as one of the codes travels; any other words stay here. Protection stands."""
    if await applications.one(conn, application_id) is None:
        not_found()
    expected = expected_version(request)

    async def handler(tx: Transaction) -> Response:
        wish = Withdraw(target=application_id, reason=_code(command.reason))
        (outcome,) = await tx.execute(wish, actor=actor, expected_version=expected)
        for words in (command.note, command.reason if wish.reason == "other" else None):
            if words and outcome.refusal is None:
                await applications.add_words(
                    tx.conn, application_id, tx.now, actor.person, "withdrawal", words
                )
        stands = getattr(outcome.state, "duty_stands", False)
        body = {"application_id": application_id, "state": "withdrawn", "protection_stands": stands}
        return answer(outcome, body=body)

    return await idempotent(request, actor, handler)


def _code(reason: str | None) -> str | None:
    return reason if reason is None or reason in REASONS else "other"


@router.post("/triage", response_model=Preview, openapi_extra=FORM)
async def preview(request: Request, actor: Enterer) -> Preview:
    """The plan of a form as it stands. Nothing is stored, nobody is looked up."""
    body, raw = await read_mapping(request)
    try:
        sent = read_form({"facts_text": "", **raw}, body)
    except Problem as problem:
        return Preview(plan=None, marks=[], problems=problem.body.errors)
    return _previewed(sent, request.app.state.onedoor.clock.now(), _believed(actor))


def _previewed(sent: Sent, now: datetime, believed: bool) -> Preview:
    when = times(sent.form.received_at, now, believed, sent.late_entry_reason)
    known = coded(
        sent.form,
        [uuid4() for _ in sent.form.subjects],
        received_at=when.received_at,
        recorded_at=now,
        late_entry=when.late_entry,
        believed=believed,
    )
    problems = [] if when.mark is None or sent.danger else [field_problem(when.mark)]
    return Preview(
        plan=evaluated(known, known.received_at, {}), marks=_problems(sent.marks), problems=problems
    )
