"""Payments over HTTP: lists and their approval, what the bank sends back, accounts, the budget.

Who builds a list does not approve it. The bank's file holds names and accounts; each time it is taken away is
recorded.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from onedoor.assistance.api import ROLES
from onedoor.assistance.domain.approval import Budget, packaged
from onedoor.assistance.domain.workflow import StartPayment
from onedoor.assistance.payments import payees, queries, runs
from onedoor.assistance.payments.schedule import Span, month_number, month_text, owed
from onedoor.calendar import local
from onedoor.contracts.core import PERSONAL, Actor, Command, Refusal
from onedoor.runtime import pages
from onedoor.runtime.casework_api import allow_here
from onedoor.runtime.exports import Format, download
from onedoor.runtime.http import Reading, allow, idempotent, not_found, note_view, refused
from onedoor.runtime.idempotency import Answer
from onedoor.runtime.service import Connection
from onedoor.runtime.unit import Transaction

router = APIRouter(prefix="/v1", tags=["payments"])

Reader = Annotated[Actor, Depends(allow("payment.read"))]
Lister = Annotated[Actor, Depends(allow("payment.list"))]
Builder = Annotated[Actor, Depends(allow("payment.build"))]
Approver = Annotated[Actor, Depends(allow("payment.approve"))]
Worker = Annotated[Actor, Depends(allow_here("case.work", ROLES))]
Decider = Annotated[Actor, Depends(allow_here("case.decide", ROLES))]

Month = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="YYYY-MM")]
AsFormat = Annotated[Format, Query(alias="format")]
Text = Annotated[str, Field(min_length=1, max_length=200)]
PAYS = frozenset(packaged().payment_start)
"""The programmes that pay money."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class NewRun(_Body):
    """`number`: a further list of the same month, for aid that does not wait for the next one."""

    programme: Annotated[str, Field(max_length=60)]
    month: Month
    number: int = Field(1, ge=1, le=99)


class Returned(_Body):
    proceeding_id: UUID
    reason: Text = Field(description="as the bank says it")


class Repayment(_Body):
    """Money that a household gave back. `document`: the receipt's number."""

    amount_fen: int = Field(ge=1, le=10**13)
    document: Text


class Payee(_Body):
    """A bank account."""

    holder: Annotated[Text, PERSONAL]
    bank: Text
    account: Annotated[str, PERSONAL, Field(pattern=r"^[0-9]{8,30}$", description="digits only")]


class NewPayee(Payee):
    """`document`: where the evidence lies that it is theirs, as a copy of the card or a mandate."""

    document: Text


class ProposedPayee(NewPayee):
    change_id: UUID
    asked_at: datetime
    asked_by: str


class PayeeView(BaseModel):
    """To which account the case is paid, if one is known, and which one another person has to confirm."""

    known: Payee | None
    proposed: ProposedPayee | None


class Proposal(BaseModel):
    """The account that waits is known by this id."""

    change_id: UUID


class PayeeSettlement(_Body):
    """`change_id`: of the proposal that was looked at."""

    change_id: UUID
    result: payees.Result


class RunView(BaseModel):
    """A list. Sums in fen, over the lines that I may see; held lines are not paid."""

    run_id: UUID
    programme: str
    month: str
    number: int
    state: str
    built_at: datetime
    built_by: str
    approved_at: datetime | None
    approved_by: str | None
    total_fen: int
    paid_lines: int
    held_lines: int
    returned_lines: int


class LineView(BaseModel):
    """A line. regular_fen: the month's own sum; arrears_fen: open from before, negative what was too much."""

    model_config = ConfigDict(extra="ignore")

    proceeding_id: UUID
    case_id: UUID
    division: str | None
    regular_fen: int
    arrears_fen: int
    amount_fen: int
    held: str | None
    returned: str | None


class SpanView(BaseModel):
    decision_id: UUID
    first_month: str
    last_month: str | None
    amount_fen: int


class EntryView(BaseModel):
    month: str
    kind: str
    amount_fen: int
    run_id: UUID | None
    at: datetime


class AccountView(BaseModel):
    """What the decisions owe by this month, less the months that another programme's aid excludes, what the
    ledger paid, what is open (negative: a debt).
    """

    proceeding_id: UUID
    case_id: UUID
    programme: str
    suspended: bool
    owed_fen: int
    paid_fen: int
    open_fen: int
    schedule: list[SpanView]
    entries: list[EntryView]


class BudgetView(BaseModel):
    """A fund in a year. `warned`: more of it is spent than its warning share; figures in fen."""

    source: str
    programmes: list[str]
    yearly_fen: int
    spent_fen: int
    warned: bool
    exceeded: bool
    certainty: str


@router.post("/payments/runs", response_model=RunView)
async def build(request: Request, actor: Builder, body: NewRun) -> Response:
    """Build the list of a programme and month; asked for again, the same list is the answer.

    A month that has not begun is refused, and any list while another one of the programme waits.
    """
    month = month_number(body.month)
    now = request.app.state.onedoor.clock.now()
    if body.programme not in PAYS:
        raise refused(_not_paid(body.programme))
    if month > month_number(f"{local(now):%Y-%m}"):
        raise refused(_FUTURE)

    async def handler(tx: Transaction) -> Answer:
        if (other := await runs.waiting(tx.conn, body.programme, month, body.number)) is not None:
            raise refused(_waits(other))
        new = runs.NewRun(body.programme, month, body.number, tx.now, str(actor))
        run_id, fresh = await runs.build(tx.conn, new, packaged().stacking)
        return Answer(201 if fresh else 200, await _run(tx.conn, run_id))

    return await idempotent(request, actor, handler)


@router.get("/payments/runs")
async def lists(
    actor: Lister, conn: Reading, programme: Annotated[str | None, Query(max_length=60)] = None
) -> list[RunView]:
    """The lists, the newest month first."""
    return [_run_view(row) for row in await queries.runs(conn, None, programme)]


@router.get("/payments/runs/{run_id}")
async def one_list(run_id: UUID, actor: Lister, conn: Reading) -> RunView:
    """One list with its sums."""
    return await _run(conn, run_id)


@router.get("/payments/runs/{run_id}/lines")
async def lines(
    run_id: UUID,
    actor: Lister,
    conn: Reading,
    held: Annotated[str | None, Query(max_length=20, description="only lines held for this")] = None,
    after: pages.After = None,
    limit: pages.Limit = 50,
) -> pages.Page[LineView]:
    """The lines of a list."""
    key = pages.after(after, UUID)
    await _run(conn, run_id)
    rows = await queries.lines(conn, run_id, held, key[0] if key else None, limit + 1)
    return pages.page(
        rows, limit, lambda row: LineView.model_validate(dict(row)), lambda row: (row["proceeding_id"],)
    )


@router.post("/payments/runs/{run_id}/approve", response_model=RunView)
async def approve(run_id: UUID, request: Request, actor: Approver) -> Response:
    """Approve a list: from now on it is paid. Whoever built it does not approve it."""

    async def handler(tx: Transaction) -> Answer:
        run = await _built(tx.conn, run_id)
        if Actor.parse(run["built_by"]).person == actor.person:
            raise refused(_SAME_PERSON)
        started = await runs.approve(tx.conn, run, tx.now, str(actor))
        await tx.execute(*(_start(row, run["month"]) for row in started), actor=actor)
        return Answer(200, await _run(tx.conn, run_id))

    return await idempotent(request, actor, handler)


@router.post("/payments/runs/{run_id}/discard", status_code=204)
async def discard(run_id: UUID, request: Request, actor: Builder) -> Response:
    """Throw a list away that nobody approved, so that it can be built anew."""

    async def handler(tx: Transaction) -> Answer:
        await _built(tx.conn, run_id)
        await runs.discard(tx.conn, run_id)
        return Answer(204)

    return await idempotent(request, actor, handler)


@router.post("/payments/runs/{run_id}/returned", response_model=RunView)
async def returned(run_id: UUID, request: Request, actor: Builder, body: Returned) -> Response:
    """The bank sent a payment back: it is owed again, and stands on the next list."""

    async def handler(tx: Transaction) -> Answer:
        run = await runs.locked(tx.conn, run_id)
        if run is None:
            not_found()
        back = await runs.bank_returned(tx.conn, run, body.proceeding_id, body.reason, tx.now, str(actor))
        if run["state"] != "approved" or back is None:
            raise refused(_NOT_PAID_HERE)
        return Answer(200, await _run(tx.conn, run_id))

    return await idempotent(request, actor, handler)


@router.get("/payments/runs/{run_id}/file")
async def bank(run_id: UUID, actor: Approver, conn: Reading, format_: AsFormat = "csv") -> Response:
    """An approved list as the bank's file (CSV or XLSX); that it was taken, and by whom, is recorded."""
    run = await _run(conn, run_id)
    if run.state != "approved":
        raise refused(_NOT_APPROVED)
    await note_view(conn, actor, "payment-list", run_id, "payment")
    columns = packaged().bank_columns.columns
    shared = {"month": run.month, "programme": run.programme}
    rows = [_bank_row(dict(row) | shared, columns) for row in await queries.bank(conn, run_id)]
    return download(format_, f"{run.programme}-{run.month}-{run.number}", run.programme, columns, rows)


def _bank_row(facts: dict[str, Any], columns: tuple[str, ...]) -> list[object]:
    facts["amount_yuan"] = f"{facts['amount_fen'] // 100}.{facts['amount_fen'] % 100:02}"
    facts["reference"] = str(facts["reference"])
    return [facts[column] for column in columns]


@router.get("/payments/accounts/{proceeding_id}")
async def account(proceeding_id: UUID, request: Request, actor: Reader, conn: Reading) -> AccountView:
    """What a proceeding's decisions owe, and what was paid of it, entry by entry."""
    row = await queries.account(conn, proceeding_id)
    if row is None:
        not_found()
    spans = await queries.spans(conn, proceeding_id)
    month = month_number(f"{local(request.app.state.onedoor.clock.now()):%Y-%m}")
    async with request.app.state.onedoor.writer.acquire() as whole:
        # What excludes it may be another's to see; the sum is the account's own.
        without = await runs.excluded(whole, row["programme"], month, packaged().stacking, proceeding_id)
    due = owed(map(_span, spans), month) - sum(each["fen"] for each in without)
    entries = await queries.entries(conn, proceeding_id)
    return AccountView(
        **{name: row[name] for name in ("proceeding_id", "case_id", "programme", "suspended", "paid_fen")},
        owed_fen=due,
        open_fen=due - row["paid_fen"],
        schedule=[_span_view(span) for span in spans],
        entries=[
            EntryView.model_validate(dict(each) | {"month": month_text(each["month"])}) for each in entries
        ],
    )


def _span(row: asyncpg.Record) -> Span:
    return Span(row["decision_id"], row["first_month"], row["last_month"], row["amount_fen"])


def _span_view(span: asyncpg.Record) -> SpanView:
    last = span["last_month"]
    return SpanView(
        decision_id=span["decision_id"],
        first_month=month_text(span["first_month"]),
        last_month=None if last is None else month_text(last),
        amount_fen=span["amount_fen"],
    )


@router.post("/payments/accounts/{proceeding_id}/repayments", status_code=204)
async def repayment(
    proceeding_id: UUID, request: Request, actor: Builder, conn: Reading, body: Repayment
) -> Response:
    """Money came back from the household: at most what was paid to it."""
    row = await queries.account(conn, proceeding_id)
    if row is None:
        not_found()

    async def handler(tx: Transaction) -> Answer:
        if not await runs.repaid(
            tx.conn, proceeding_id, month_number(f"{local(tx.now):%Y-%m}"), body.amount_fen, body.document,
            tx.now, str(actor),
        ):  # fmt: skip
            raise refused(_TOO_MUCH)
        return Answer(204)

    return await idempotent(request, actor, handler)


@router.get("/cases/{case_id}/payee")
async def payee(case_id: UUID, actor: Reader, conn: Reading) -> PayeeView:
    """To which account a case is paid, and which one waits; that it was read is recorded."""
    view = await _payee(conn, case_id)
    if view.known is None and view.proposed is None:
        not_found()
    await note_view(conn, actor, "payee", case_id, "payment")
    return view


@router.put("/cases/{case_id}/payee", response_model=Proposal, status_code=202)
async def propose_payee(
    case_id: UUID, request: Request, actor: Worker, conn: Reading, body: NewPayee
) -> Response:
    """Ask that the case be paid to this account. Another person confirms it; until then nothing changes."""
    if await conn.fetchval("select 1 from cases where id = $1", case_id) is None:
        not_found()

    async def handler(tx: Transaction) -> Answer:
        new = payees.NewPayee(case_id, **body.model_dump(), at=tx.now, by=str(actor))
        return Answer(202, Proposal(change_id=await payees.propose(tx.conn, new)))

    return await idempotent(request, actor, handler)


@router.post("/cases/{case_id}/payee/settle", status_code=204)
async def settle_payee(
    case_id: UUID, request: Request, actor: Decider, conn: Reading, body: PayeeSettlement
) -> Response:
    """Confirm the account that waits, after a look at its evidence, or reject it; never one's own proposal.

    Confirmed, the case is paid to it from the next list on.
    """
    if await conn.fetchval("select 1 from cases where id = $1", case_id) is None:
        not_found()

    async def handler(tx: Transaction) -> Answer:
        await payees.lock(tx.conn, case_id)
        waits = await payees.proposed(tx.conn, case_id)
        if waits is None or waits["change_id"] != body.change_id:
            raise refused(_NOT_PROPOSED)
        if Actor.parse(waits["asked_by"]).person == actor.person:
            raise refused(_OWN_PAYEE)
        await payees.settle(tx.conn, body.change_id, body.result, tx.now, str(actor))
        return Answer(204)

    return await idempotent(request, actor, handler)


async def _payee(conn: Connection, case_id: UUID) -> PayeeView:
    known, waits = await payees.known(conn, case_id), await payees.proposed(conn, case_id)
    return PayeeView(
        known=Payee.model_validate(dict(known)) if known else None,
        proposed=ProposedPayee.model_validate(dict(waits)) if waits else None,
    )


@router.get("/payments/budget")
async def budget(
    actor: Lister, conn: Reading, year: Annotated[int, Query(ge=2000, le=2100)]
) -> list[BudgetView]:
    """What each fund has borne in a year, of all cases, with a warning before it is used up."""
    spent = await queries.spent(conn, month_number(f"{year}-01"), month_number(f"{year}-12"))
    return [_budget(fund, spent) for fund in packaged().budgets]


def _budget(fund: Budget, spent: dict[str, int]) -> BudgetView:
    used = sum(spent.get(programme, 0) for programme in fund.programmes)
    return BudgetView(
        source=fund.source,
        programmes=sorted(fund.programmes),
        yearly_fen=fund.yearly_fen,
        spent_fen=used,
        warned=used * 100 >= fund.yearly_fen * fund.warn_at,
        exceeded=used > fund.yearly_fen,
        certainty=fund.certainty,
    )


async def _run(conn: Connection, run_id: UUID) -> RunView:
    rows = await queries.runs(conn, run_id)
    if not rows:
        not_found()
    return _run_view(rows[0])


def _run_view(row: asyncpg.Record) -> RunView:
    return RunView.model_validate(dict(row) | {"run_id": row["id"], "month": month_text(row["month"])})


async def _built(conn: Connection, run_id: UUID) -> asyncpg.Record:
    run = await runs.locked(conn, run_id)
    if run is None:
        not_found()
    if run["state"] != "built":
        raise refused(_APPROVED_ALREADY)
    return run


def _start(row: asyncpg.Record, month: int) -> Command:
    return StartPayment(target=row["case_id"], proceeding=row["proceeding_id"], month=month_text(month))


def _not_paid(programme: str) -> Refusal:
    codes = ", ".join(sorted(PAYS))
    return Refusal(
        "payment.programme",
        f"{programme} pays nothing; name one of: {codes}.",
        f"{programme} 不发放资金，请填写下列之一：{codes}。",
        "programme",
    )


def _waits(other: asyncpg.Record) -> Refusal:
    month, number = month_text(other["month"]), other["number"]
    return Refusal(
        "payment.other_waits",
        f"List {number} of {month} waits for its approval: approve or discard it first.",
        f"{month} 第 {number} 批发放清单尚未审批，请先审批或作废。",
    )


_FUTURE = Refusal("payment.future", "That month has not begun.", "该月份尚未开始。", "month")
_SAME_PERSON = Refusal(
    "payment.same_person",
    "Whoever built the list does not approve it: another person must.",
    "编制人不得审批本人编制的发放清单，请由他人审批。",
)
_APPROVED_ALREADY = Refusal(
    "payment.approved", "The list is approved; nothing changes it.", "发放清单已审批，不能再变更。"
)
_NOT_APPROVED = Refusal(
    "payment.not_approved", "Approve the list before it goes to the bank.", "发放清单审批后才能送银行。"
)
_NOT_PAID_HERE = Refusal(
    "payment.not_paid_here",
    "This list did not pay it, or the bank sent it back before.",
    "该清单未发放此笔资金，或银行已退回。",
    "proceeding_id",
)
_NOT_PROPOSED = Refusal(
    "payment.payee_settled",
    "That proposal waits no longer: look at the account again.",
    "该收款账户变更已处理或已被替换，请重新查看。",
)
_OWN_PAYEE = Refusal(
    "payment.payee_same_person",
    "Whoever proposed the account does not confirm it: another person must.",
    "提出变更收款账户的人员不得自行确认，请由他人办理。",
)
_TOO_MUCH = Refusal(
    "payment.too_much",
    "More than was paid cannot come back: check the sum.",
    "退回金额超过已发放金额，请核对。",
    "amount_fen",
)
