"""Proceedings over HTTP: the household's file, what the rules say of it, one endpoint per step."""

import asyncio
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import yaml
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from onedoor.assistance import assessment, forms, household_form, records
from onedoor.assistance.domain import approval, dates, workflow
from onedoor.assistance.domain.dates import Counted
from onedoor.assistance.domain.proceeding import (
    AssistanceCase,
    Decision,
    Discussion,
    Investigator,
    OtherAid,
    Proceeding,
    State,
)
from onedoor.assistance.domain.programmes import COMMANDS, WORKFLOWS
from onedoor.assistance.domain.said import Said
from onedoor.assistance.domain.table import Asked, Step
from onedoor.calendar import local
from onedoor.contracts.core import PERSONAL, Actor, Command, Context
from onedoor.policy import HouseholdProblems
from onedoor.policy.members import titles
from onedoor.runtime import casework
from onedoor.runtime.access import may
from onedoor.runtime.casework_api import Answered, Body, Code, allow_here
from onedoor.runtime.http import (
    Reading,
    answer,
    etag,
    expected_version,
    idempotent,
    not_found,
    note_view,
)
from onedoor.runtime.problems import FieldProblem, Problem
from onedoor.runtime.service import Connection
from onedoor.runtime.unit import Transaction


class OpenBody(Body):
    """`person_id` only for a person's programme (tekun): who of the case it is for."""

    programme: Code
    person_id: UUID | None = None


class AuthorisationBody(Body):
    """`person_id` has signed the authorisation of the financial check; `document` says where it lies."""

    person_id: UUID
    document: Annotated[str | None, PERSONAL] = Field(default=None, max_length=200, pattern=r"^[^\x00]+$")


class ProceedingAnswered(Answered):
    """What a step led to."""

    proceeding_id: UUID
    proceeding: State


class Why(BaseModel):
    """Why a step cannot be taken now."""

    code: str
    reason: str
    reason_zh: str


class Offer(BaseModel):
    """A step that this person could take from here: its fields, or why not now."""

    command: str
    decides: bool
    assessed: bool
    fields: list[forms.Field]
    blocked: Why | None = None


class DecisionView(Decision):
    """A decision with what the rules said: each reason with clause, value and threshold.

    appeal, review: its dates as they are counted now; those of the decision are as they were told.
    """

    computed: dict[str, Any] | None = None
    appeal: Counted | None = None
    review: Counted | None = None


class Notice(BaseModel):
    """Everything that a public notice may say."""

    name: Annotated[str | None, PERSONAL]
    household_size: int
    amount_fen: int | None
    until: datetime | None
    provisional: bool = False
    told: datetime | None = None


class ProceedingView(BaseModel):
    """One proceeding as its staff see it, with the steps on offer."""

    proceeding_id: UUID
    programme: str
    person_id: UUID | None
    state: State
    opened_at: datetime
    accepted_at: datetime | None
    delegated: bool
    missing: tuple[str, ...]
    relatives: tuple[str, ...]
    investigators: tuple[Investigator, ...]
    findings: str | None
    check: UUID | None
    check_drafted: bool
    check_result: str | None
    recommendation: str | None
    withheld: str | None
    notice_until: datetime | None
    notice: Notice | None
    discussion: Discussion | None
    self_care: str | None
    care: str | None
    change: str | None
    decisions: list[DecisionView]
    offers: list[Offer]


class Proceedings(BaseModel):
    """The proceedings of a case, the adults whose authorisation is missing, and what may be applied for."""

    items: list[ProceedingView]
    unauthorised: tuple[UUID, ...]
    household_size: int | None
    programmes: list[str]


class HouseholdView(BaseModel):
    """The file as it stands, and a draft that does not stand yet, with what is wrong with it today.

    revision: of file and draft together, the ETag; 0 before there is either.
    """

    revision: int = 0
    digest: str | None = None
    file: dict[str, Any] | None = None
    draft: dict[str, Any] | None = None
    problems: list[FieldProblem] = []
    changed_at: datetime | None = None


class Saved(BaseModel):
    """What became of a file: `draft` with its problems, or the counted members and what the rules say."""

    case_id: UUID
    draft: bool
    revision: int = 0
    problems: list[FieldProblem] = []
    household_size: int | None = None
    version: int | None = None


class Title(BaseModel):
    """What a member of the household is called: 配偶, 子女2."""

    zh: str
    en: str


class AssessmentView(BaseModel):
    """What the rules say today of the file that stands: every programme with its reasons.

    members: what their sentences call each member, by the file's ids.
    """

    as_of: date
    decisions: list[dict[str, Any]]
    members: dict[str, Title] = {}


class WordsView(BaseModel):
    """What was written with one step."""

    proceeding_id: UUID | None
    step: str
    words: Annotated[str, PERSONAL]
    person: str
    at: datetime


def add_proceedings(router: APIRouter, roles: frozenset[str]) -> None:
    """All routes of this module, for the roles that work at assistance."""
    _add_household(router, roles)
    _add_queries(router, roles)
    for command, rows in COMMANDS.items():
        _add_step(router, roles, command, rows)


# What is read before a command.


async def _case(conn: Connection, case_id: UUID) -> AssistanceCase:
    """The case, if it can be seen at all; else the 404 problem."""
    row = await casework.found(conn, case_id)
    if row is None:
        not_found()
    return AssistanceCase.model_validate_json(row["body"])


def _today(request: Request) -> date:
    now: datetime = request.app.state.onedoor.clock.now()
    return local(now).date()


async def _assessed(
    conn: Connection, case: AssistanceCase, case_id: UUID, proceeding: Proceeding, day: date
) -> assessment.Assessed | None:
    """What the rules say of the file that stands; None without a file."""
    row = await records.file(conn, case_id)
    if row is None or row["file"] is None:
        return None
    uncounted = case.household.uncounted if case.household else ()
    return await asyncio.to_thread(assessment.assess, json.loads(row["file"]), proceeding, day, uncounted)


async def _ceiling(
    conn: Connection, case: AssistanceCase, case_id: UUID, programme: str, day: date
) -> int | None:
    row = await records.file(conn, case_id)
    region = json.loads(row["file"]).get("region") if row is not None and row["file"] else None
    return assessment.ceiling_fen(programme, case.household, region, day)


# The household's file.


def _add_household(router: APIRouter, roles: frozenset[str]) -> None:
    worker = Depends(allow_here("case.work", roles))

    @router.put("/{case_id}/household", response_model=Saved, openapi_extra=_ANY_FILE)
    async def put_household(
        case_id: UUID,
        request: Request,
        actor: Annotated[Actor, worker],
        conn: Reading,
        draft: bool = False,
    ) -> Response:
        """The household's file, as JSON or YAML. With `draft` it is only kept, with what is wrong with it.

        Names and identity numbers are compared, and kept nowhere. If-Match is the ETag of the file with its
        draft, not that of the case: of two who fill it in at once the second is told.
        """
        await _case(conn, case_id)
        seen = expected_version(request)
        raw = _read(await request.body(), request.headers.get("content-type", ""))
        today = _today(request)
        try:
            household = await asyncio.to_thread(assessment.checked, raw, today)
            facts = await asyncio.to_thread(assessment.facts_of, household)
        except HouseholdProblems as wrong:
            problems = [_field_problem(each) for each in wrong.problems]
            if not draft or not isinstance(raw, dict):
                raise _problem(problems) from None
            return await _keep_draft(request, actor, case_id, seen, raw, problems)
        command = workflow.RecordHousehold(target=case_id, household=facts)
        people = list(facts.people.values())

        async def handler(tx: Transaction) -> Response:
            strangers = await records.elsewhere(tx.conn, case_id, people)
            problems = [_field_problem(each) for each in _elsewhere(household, strangers)]
            if draft:
                return await _draft(tx, case_id, seen, raw, problems)
            if problems:
                raise _problem(problems)
            outcome = (await tx.execute(command, actor=actor))[0]
            if outcome.refusal is not None:
                return answer(outcome)
            content = assessment.stored(household)
            revision = await records.put_file(tx.conn, case_id, seen, facts.digest, content, people, tx.now)
            body = Saved(
                case_id=case_id,
                draft=False,
                revision=revision,
                household_size=facts.size,
                version=outcome.version,
            )
            return answer(outcome, 200, body, etag(revision))

        return await idempotent(request, actor, handler)

    @router.post("/{case_id}/authorisations", response_model=Answered)
    async def authorise(
        case_id: UUID,
        body: AuthorisationBody,
        request: Request,
        actor: Annotated[Actor, worker],
        conn: Reading,
    ) -> Response:
        """A member has signed the authorisation; the last of the counted adults sends the drafted check."""
        await _case(conn, case_id)
        command = workflow.RecordAuthorisation(target=case_id, person_id=body.person_id)
        return await _simply(request, actor, case_id, command, words=body.document)

    @router.post("/{case_id}/proceedings", response_model=Answered, status_code=201)
    async def apply(
        case_id: UUID, body: OpenBody, request: Request, actor: Annotated[Actor, worker], conn: Reading
    ) -> Response:
        """Apply for a programme in this case; twice is once."""
        await _case(conn, case_id)
        command = workflow.OpenProceeding(target=case_id, **body.model_dump())
        return await _simply(request, actor, case_id, command, 201)


_ANY_FILE = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}, "application/yaml": {"schema": {}}},
    }
}


async def _simply(
    request: Request,
    actor: Actor,
    case_id: UUID,
    command: Command,
    status: int = 200,
    words: str | None = None,
) -> Response:
    async def handler(tx: Transaction) -> Response:
        outcome = (await tx.execute(command, actor=actor, expected_version=expected_version(request)))[0]
        if words and outcome.events:
            await records.put_words(tx.conn, case_id, None, "authorise", words, actor.person, tx.now)
        facts = outcome.state.model_dump() | {"case_id": case_id, "version": outcome.version}
        body = Answered.model_validate(facts).model_dump(mode="json", exclude_none=True)
        return answer(outcome, status, body)

    return await idempotent(request, actor, handler)


class _PlainYaml(yaml.SafeLoader):
    """YAML without aliases: a few lines of them stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)


def _read(body: bytes, media_type: str) -> Any:
    """The decoded file, as JSON can hold it. Raises a 422 problem where it is neither JSON nor YAML."""
    try:
        text = body.decode()
        raw = json.loads(text) if "json" in media_type else yaml.load(text, _PlainYaml)  # noqa: S506 - safe
        plain = json.dumps(raw, default=str, allow_nan=False, ensure_ascii=False)
        plain.encode()
        if "\\u0000" in plain:
            raise ValueError("a character that no text holds")
        return json.loads(plain)
    except (UnicodeError, ValueError, TypeError, RecursionError, yaml.YAMLError):
        wrong = FieldProblem(
            field="body",
            problem="cannot be read",
            remedy="Send YAML without aliases, or JSON with the content type application/json.",
            problem_zh="无法读取",
            remedy_zh="请以不含别名引用的 YAML 提交，或以 JSON 提交并注明 application/json。",
        )
        raise _problem([wrong]) from None


def _problem(problems: list[FieldProblem]) -> Problem:
    return Problem(
        422,
        "household-invalid",
        "The household's file cannot stand",
        "Correct the fields named, or keep it as a draft.",
        "请更正所列各项，或先存为草稿。",
        problems,
    )


def _field_problem(problem: Any) -> FieldProblem:
    said = problem.model_dump()
    return FieldProblem(**said | {"allowed": list(said["allowed"]) or None})


def _elsewhere(household: Any, strangers: set[UUID]) -> list[Any]:
    from onedoor.policy import FieldProblem as HouseholdProblem

    return [
        HouseholdProblem(
            field=f"members.{index}.person",
            problem="stands in the household of another running case",
            problem_zh="已列入另一在办个案的家庭",
            remedy="settle to which household the person belongs",
            remedy_zh="请核实此人所属家庭",
        )
        for index, member in enumerate(household.members)
        if member.person in strangers
    ]


async def _keep_draft(
    request: Request,
    actor: Actor,
    case_id: UUID,
    seen: int | None,
    raw: dict[str, Any],
    problems: list[FieldProblem],
) -> Response:
    async def handler(tx: Transaction) -> Response:
        return await _draft(tx, case_id, seen, raw, problems)

    return await idempotent(request, actor, handler)


async def _draft(
    tx: Transaction, case_id: UUID, seen: int | None, raw: dict[str, Any], problems: list[FieldProblem]
) -> Response:
    revision = await records.put_draft(tx.conn, case_id, seen, household_form.kept_of(raw), tx.now)
    body = Saved(case_id=case_id, draft=True, revision=revision, problems=problems)
    return Response(
        body.model_dump_json(exclude_none=True), headers=etag(revision), media_type="application/json"
    )


# Queries.


def _add_queries(router: APIRouter, roles: frozenset[str]) -> None:
    reader = Depends(allow_here("case.read", roles))

    @router.get("/{case_id}/household")
    async def household(
        case_id: UUID, request: Request, response: Response, actor: Annotated[Actor, reader], conn: Reading
    ) -> HouseholdView:
        """The file as it stands and its draft; that it was read is recorded."""
        await _case(conn, case_id)
        await note_view(conn, actor, "household", case_id, "casework")
        row = await records.file(conn, case_id)
        response.headers.update(etag(row["revision"] if row is not None else 0))
        if row is None:
            return HouseholdView()
        draft = json.loads(row["draft"]) if row["draft"] else None
        wrong = assessment.problems_of(draft, _today(request)) if draft is not None else ()
        return HouseholdView(
            revision=row["revision"],
            digest=row["digest"],
            file=assessment.written(json.loads(row["file"])) if row["file"] else None,
            draft=draft,
            problems=[_field_problem(each) for each in wrong],
            changed_at=row["changed_at"],
        )

    @router.get("/{case_id}/household/form")
    async def form(
        case_id: UUID, actor: Annotated[Actor, reader], conn: Reading
    ) -> list[household_form.Entry]:
        """The fields of the household's file, as a form shows them."""
        await _case(conn, case_id)
        return list(household_form.household_form())

    @router.get("/{case_id}/assessment")
    async def assess(
        case_id: UUID, request: Request, actor: Annotated[Actor, reader], conn: Reading
    ) -> AssessmentView:
        """What the rules say today of the file that stands, every programme with its reasons."""
        await _case(conn, case_id)
        today = _today(request)
        row = await records.file(conn, case_id)
        if row is None or row["file"] is None:
            return AssessmentView(as_of=today, decisions=[])
        household, found = await asyncio.to_thread(assessment.decided, json.loads(row["file"]), today)
        return AssessmentView(
            as_of=today,
            decisions=[each.model_dump(mode="json") for each in found.decisions],
            members={id_: Title(zh=zh, en=en) for id_, (zh, en) in titles(household).items()},
        )

    @router.get("/{case_id}/proceedings")
    async def proceedings(
        case_id: UUID, request: Request, actor: Annotated[Actor, reader], conn: Reading
    ) -> Proceedings:
        """The programmes of a case: where each stands, its decisions with reasons, and the steps on offer."""
        case = await _case(conn, case_id)
        context = Context(actor, request.app.state.onedoor.clock.now())
        digests = [
            each.evidence
            for proceeding in case.proceedings.values()
            for each in proceeding.decisions
            if each.evidence
        ]
        evidence = await records.evidence(conn, case_id, digests)
        computed = {digest: json.loads(row["decision"]) for digest, row in evidence.items()}
        names = await _applicants(conn, actor, case)
        items = [
            _view(case, each, context, computed, names)
            for each in sorted(case.proceedings.values(), key=lambda each: (each.opened_at, each.programme))
        ]
        return Proceedings(
            items=items,
            unauthorised=case.unauthorised,
            household_size=case.household.size if case.household else None,
            programmes=sorted(WORKFLOWS),
        )

    @router.get("/{case_id}/words")
    async def words(case_id: UUID, actor: Annotated[Actor, reader], conn: Reading) -> list[WordsView]:
        """What was written with the steps, oldest first; that it was read is recorded."""
        await _case(conn, case_id)
        await note_view(conn, actor, "words", case_id, "casework")
        return [WordsView(**dict(row)) for row in await records.words(conn, case_id)]

    @router.get("/{case_id}/evidence")
    async def evidence(
        case_id: UUID, actor: Annotated[Actor, reader], conn: Reading, decision_id: UUID | None = None
    ) -> Response:
        """The frozen evidence of a decision (of the last one without `decision_id`), for
        `onedoor decide --reproduce`. Empty where nothing was computed."""
        case = await _case(conn, case_id)
        decisions = [each for one in case.proceedings.values() for each in one.decisions if each.evidence]
        chosen = [each for each in decisions if decision_id in (None, each.decision_id)]
        if not chosen:
            return Response(b"", media_type="application/json")
        await note_view(conn, actor, "evidence", chosen[-1].decision_id, "casework")
        digest = str(chosen[-1].evidence)
        row = (await records.evidence(conn, case_id, [digest]))[digest]
        headers = {"Content-Disposition": f'attachment; filename="decision-{chosen[-1].decision_id}.json"'}
        return Response(row["content"], media_type="application/json", headers=headers)


async def _applicants(conn: Connection, actor: Actor, case: AssistanceCase) -> dict[UUID, str]:
    """The names of those for whom a notice of the case stands, where the actor may know them."""
    if may(actor, "person.read") is None:
        return {}
    posted = [each for each in case.proceedings.values() if each.notice_until is not None]
    people = [person for each in posted if (person := _applicant(case, each)) is not None]
    known = await casework.people(conn, people) if people else {}
    return {person: row["name"] for person, row in known.items() if row["name"]}


def _applicant(case: AssistanceCase, proceeding: Proceeding) -> UUID | None:
    """Whose name a notice tells: the person of a personal programme, else the head of the household."""
    if proceeding.person_id is not None:
        return proceeding.person_id
    return case.household.head if case.household else None


def _view(
    case: AssistanceCase,
    proceeding: Proceeding,
    context: Context,
    computed: Mapping[str, dict[str, Any]],
    names: Mapping[UUID, str],
) -> ProceedingView:
    decisions = [
        DecisionView(
            **each.model_dump(),
            computed=computed.get(each.evidence or ""),
            appeal=dates.appeal_until(each),
            review=dates.review_by(each),
        )
        for each in proceeding.decisions
    ]
    return ProceedingView(
        **proceeding.model_dump(include=set(ProceedingView.model_fields) - {"decisions"}),
        decisions=decisions,
        notice=_notice(case, proceeding, names),
        offers=_offers(case, proceeding, context),
    )


def _notice(case: AssistanceCase, proceeding: Proceeding, names: Mapping[UUID, str]) -> Notice | None:
    """What stands on the board: only name, household size and amount."""
    stands = dates.notice_until(proceeding, WORKFLOWS[proceeding.programme])
    if stands is None or case.household is None:
        return None
    found = proceeding.assessment
    applicant = _applicant(case, proceeding)
    return Notice(
        name=names.get(applicant) if applicant is not None else None,
        household_size=case.household.size,
        amount_fen=found.amount_fen if found is not None else None,
        **stands.model_dump(),
    )


def _offers(case: AssistanceCase, proceeding: Proceeding, context: Context) -> list[Offer]:
    """The steps that follow from here for this person: the page's buttons."""
    table = WORKFLOWS[proceeding.programme]
    offers = []
    for step in table.steps:
        if proceeding.state not in step.sources or context.actor.role not in step.who:
            continue
        refusal = workflow.refusal_of(case, proceeding, Asked(table, step, context))
        why = refusal and Why(code=refusal.code, reason=refusal.reason, reason_zh=refusal.reason_zh)
        offers.append(
            Offer(
                command=step.command,
                decides=step.decides is not None,
                assessed=step.assessed,
                fields=forms.fields_of(step),
                blocked=why or None,
            )
        )
    return offers


# One endpoint per command of the tables.


def _add_step(router: APIRouter, roles: frozenset[str], command: str, rows: tuple[Step, ...]) -> None:
    who = frozenset(role for row in rows for role in row.who) & roles
    permitted = Depends(allow_here(rows[0].action, who))
    assessed = rows[0].assessed

    async def take(
        case_id: UUID,
        proceeding_id: UUID,
        body: Said,
        request: Request,
        actor: Annotated[Actor, permitted],
        conn: Reading,
    ) -> Response:
        case = await _case(conn, case_id)
        proceeding = case.proceedings.get(proceeding_id)
        if proceeding is None:
            not_found()
        today = _today(request)
        found = await _assessed(conn, case, case_id, proceeding, today) if assessed else None
        ceiling = await _ceiling(conn, case, case_id, proceeding.programme, today)
        act = workflow.Act(
            target=case_id,
            proceeding=proceeding_id,
            name=command,
            said=body,
            assessment=found.assessment if found is not None else None,
            ceiling_fen=ceiling,
        )

        async def handler(tx: Transaction) -> Response:
            aided = await _aided_elsewhere(tx, conn, case, act, proceeding.programme)
            return await _take(tx, request, actor, act.model_copy(update={"aided": aided}), found)

        return await idempotent(request, actor, handler)

    take.__annotations__["body"] = rows[0].said
    take.__doc__ = f"Step `{command}` of {', '.join(_programmes_with(command))}: see docs/workflows.md."
    router.add_api_route(
        f"/{{case_id}}/proceedings/{{proceeding_id}}/{command}",
        take,
        methods=["POST"],
        response_model=ProceedingAnswered,
        name=command,
    )


def _programmes_with(command: str) -> list[str]:
    return [programme for programme, table in WORKFLOWS.items() if command in table.by_command]


async def _aided_elsewhere(
    tx: Transaction, conn: Connection, case: AssistanceCase, act: workflow.Act, programme: str
) -> tuple[OtherAid, ...]:
    """What the same people were given lately in other cases, where that stands in this step's way; each case
    is named to those who may see it.
    """
    rule = approval.packaged().again_after.get(programme)
    if rule is None or all(row.decides != "grant" for row in COMMANDS[act.name]):
        return ()
    since = tx.now - timedelta(days=rule.days)
    found = await records.aided(tx.conn, act.target, programme, case.people, since)
    visible = {row["case_id"] for row in found if await casework.found(conn, row["case_id"]) is not None}
    return tuple(
        OtherAid(case_id=row["case_id"] if row["case_id"] in visible else None, at=row["at"]) for row in found
    )


async def _take(
    tx: Transaction,
    request: Request,
    actor: Actor,
    act: workflow.Act,
    found: assessment.Assessed | None,
) -> Response:
    """The step, with its words and what was computed for it, in one transaction."""
    outcome = (await tx.execute(act, actor=actor, expected_version=expected_version(request)))[0]
    if outcome.refusal is not None:
        return answer(outcome)
    for name in act.said.written:
        written = getattr(act.said, name, None)
        if written:
            await records.put_words(
                tx.conn, act.target, act.proceeding, act.name, written, actor.person, tx.now
            )
    if found is not None:
        decision = found.decision.model_dump(mode="json")
        digest = found.assessment.evidence
        await records.put_evidence(tx.conn, act.target, digest, decision, found.evidence)
    state = outcome.state.proceedings[act.proceeding].state
    facts = outcome.state.model_dump() | {
        "case_id": act.target,
        "version": outcome.version,
        "proceeding_id": act.proceeding,
        "proceeding": state,
    }
    body = ProceedingAnswered.model_validate(facts).model_dump(mode="json", exclude_none=True)
    return answer(outcome, 200, body)
