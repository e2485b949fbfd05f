"""Payments: lists to build, approve and take to the bank, what came back, one account, the funds."""

import asyncio
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter
from fastapi.responses import Response

from onedoor.calendar import local
from onedoor.contracts.core import Actor
from onedoor.desk.remote import Reply
from onedoor.desk.web import Absent, AtDesk, Desk, badge, uuid_or_absent
from onedoor.runtime.exports import CSV, XLSX, attachment

router = APIRouter(include_in_schema=False)

RUNS, ACCOUNTS = "/v1/payments/runs", "/v1/payments/accounts"
PROGRAMMES: Final = (
    "dibao",
    "single_person",
    "tekun",
    "unattended_child",
    "orphan",
    "temporary_small",
    "temporary_expenditure",
)
"""What is paid in money; assistance refuses any other."""
WAYS: Final = ("approve", "discard")
KINDS: Final = {"csv": CSV, "xlsx": XLSX}


@router.get("/payments")
async def page(desk: AtDesk) -> Response:
    """The lists, the form for another one, and what the funds have borne this year."""
    desk.need("payment.list")
    lists, budget = await asyncio.gather(
        _get(desk, RUNS), _get(desk, "/v1/payments/budget", year=str(local(desk.now).year))
    )
    return desk.page(
        "payments.html",
        section="payments",
        waiting=await badge(desk),
        runs=lists.body if lists.ok else (),
        refused=None if lists.ok else lists,
        budget=budget.body if budget.ok else (),
        programmes=PROGRAMMES,
        month=f"{local(desk.now):%Y-%m}",
        key=uuid4(),
        **_may(desk),
    )


@router.post("/payments")
async def build(desk: AtDesk) -> Response:
    """Build a list, and show it."""
    desk.need("payment.build")
    form = await desk.request.form()
    body = {name: str(form.get(name, "")) for name in ("programme", "month", "number") if form.get(name)}
    reply = await _post(desk, RUNS, body, str(form.get("key", "")))
    if not reply.ok:
        return desk.refused(reply)
    return Response(status_code=204, headers={"HX-Redirect": f"/payments/{reply.body['run_id']}"})


@router.get("/payments/{run}")
async def one_list(desk: AtDesk, run: str, held: str = "", after: str = "") -> Response:
    """A list with its sums and its lines."""
    desk.need("payment.list")
    return await _list(desk, str(uuid_or_absent(run)), held, after)


@router.post("/payments/{run}/{way}")
async def settle(desk: AtDesk, run: str, way: str) -> Response:
    """Approve the list, or throw it away."""
    if way not in WAYS:
        raise Absent
    desk.need("payment.approve" if way == "approve" else "payment.build")
    run_id = str(uuid_or_absent(run))
    reply = await _post(desk, f"{RUNS}/{run_id}/{way}", {})
    if not reply.ok:
        return desk.refused(reply)
    target = "/payments" if way == "discard" else f"/payments/{run_id}"
    return Response(status_code=204, headers={"HX-Redirect": target})


@router.post("/payments/{run}/returned/{proceeding}")
async def returned(desk: AtDesk, run: str, proceeding: str) -> Response:
    """The bank sent a line back."""
    desk.need("payment.build")
    run_id, account = str(uuid_or_absent(run)), str(uuid_or_absent(proceeding))
    form = await desk.request.form()
    body = {"proceeding_id": account, "reason": str(form.get("reason", "")).strip()}
    reply = await _post(desk, f"{RUNS}/{run_id}/returned", body, str(form.get("key", "")))
    if not reply.ok:
        return desk.refused(reply)
    return Response(status_code=204, headers={"HX-Redirect": f"/payments/{run_id}"})


@router.get("/payments/{run}/bank.{kind}")
async def bank(desk: AtDesk, run: str, kind: str) -> Response:
    """The bank's file, as assistance makes it."""
    desk.need("payment.approve")
    if kind not in KINDS:
        raise Absent
    run_id = str(uuid_or_absent(run))
    reply = await desk.services.file(desk.session, "assistance", f"{RUNS}/{run_id}/file?format={kind}")
    if not reply.ok:
        raise Absent
    return attachment(reply.body, KINDS[kind], f"bank-{run_id}.{kind}")


@router.get("/payments/accounts/{proceeding}")
async def account(desk: AtDesk, proceeding: str) -> Response:
    """What is owed for which months, and the ledger."""
    desk.need("payment.read")
    reply = await _get(desk, f"{ACCOUNTS}/{uuid_or_absent(proceeding)}")
    if reply.status == 404:
        raise Absent
    payee = await _get(desk, f"/v1/cases/{reply.body['case_id']}/payee") if reply.ok else None
    return desk.page(
        "account.html",
        section="payments",
        waiting=await badge(desk),
        account=reply.body if reply.ok else None,
        refused=None if reply.ok else reply,
        payee=payee.body if payee and payee.ok else None,
        key=uuid4(),
        **_may(desk),
    )


@router.post("/payments/accounts/{proceeding}/payee")
async def payee(desk: AtDesk, proceeding: str) -> Response:
    """Ask that the case be paid to another bank account; another person confirms it."""
    desk.need("case.work")
    id_, form = str(uuid_or_absent(proceeding)), await desk.request.form()
    known = await _get(desk, f"{ACCOUNTS}/{id_}")
    if not known.ok:
        return desk.refused(known)
    body = {name: str(form.get(name, "")).strip() for name in ("holder", "bank", "account", "document")}
    reply = await desk.services.put(
        desk.session, "assistance", f"/v1/cases/{known.body['case_id']}/payee", body
    )
    if not reply.ok:
        return desk.refused(reply)
    return Response(status_code=204, headers={"HX-Redirect": f"/payments/accounts/{id_}"})


@router.post("/payments/accounts/{proceeding}/payee/settle")
async def settle_payee(desk: AtDesk, proceeding: str) -> Response:
    """Confirm the account that waits, or reject it."""
    desk.need("case.decide")
    id_, form = str(uuid_or_absent(proceeding)), await desk.request.form()
    known = await _get(desk, f"{ACCOUNTS}/{id_}")
    if not known.ok:
        return desk.refused(known)
    body = {"change_id": str(form.get("change", "")), "result": str(form.get("result", ""))}
    path = f"/v1/cases/{known.body['case_id']}/payee/settle"
    reply = await _post(desk, path, body, str(form.get("key", "")))
    if not reply.ok:
        return desk.refused(reply)
    return Response(status_code=204, headers={"HX-Redirect": f"/payments/accounts/{id_}"})


@router.post("/payments/accounts/{proceeding}/repayments")
async def repayment(desk: AtDesk, proceeding: str) -> Response:
    """Money came back from the household."""
    desk.need("payment.build")
    id_, form = str(uuid_or_absent(proceeding)), await desk.request.form()
    body = {"amount_fen": _fen(str(form.get("yuan", ""))), "document": str(form.get("document", "")).strip()}
    reply = await _post(desk, f"{ACCOUNTS}/{id_}/repayments", body, str(form.get("key", "")))
    if not reply.ok:
        return desk.refused(reply)
    return Response(status_code=204, headers={"HX-Redirect": f"/payments/accounts/{id_}"})


async def _list(desk: Desk, run_id: str, held: str, after: str) -> Response:
    asked = {name: value for name, value in (("held", held), ("after", after)) if value}
    reply, lines = await asyncio.gather(
        _get(desk, f"{RUNS}/{run_id}"), _get(desk, f"{RUNS}/{run_id}/lines", limit="100", **asked)
    )
    if reply.status == 404:
        raise Absent
    return desk.page(
        "payment_list.html",
        section="payments",
        waiting=await badge(desk),
        run=reply.body if reply.ok else None,
        refused=None if reply.ok else reply,
        lines=lines.body["items"] if lines.ok else (),
        following=lines.body["next"] if lines.ok else None,
        held=held,
        mine=reply.ok and Actor.parse(reply.body["built_by"]).person == desk.actor.person,
        key=uuid4(),
        **_may(desk),
    )


def _fen(yuan: str) -> int | str:
    """Yuan as typed, in fen; what is no sum is sent as it is, so that assistance says what is wrong."""
    try:
        fen = Decimal(yuan) * 100
    except InvalidOperation:
        return yuan
    return int(fen) if fen.is_finite() and fen == fen.to_integral_value() else yuan


def yuan(fen: int) -> str:
    """Fen as yuan with both decimals, thousands apart."""
    sign, fen = ("-" if fen < 0 else ""), abs(fen)
    return f"{sign}{fen // 100:,}.{fen % 100:02}"


def _may(desk: Desk) -> dict[str, Any]:
    actions = ("payment.build", "payment.approve", "case.work", "case.decide")
    return {"yuan": yuan, **{action.partition(".")[2]: desk.may(action) is not None for action in actions}}


async def _get(desk: Desk, path: str, **params: str) -> Reply:
    return await desk.services.get(desk.session, "assistance", path, **params)


async def _post(desk: Desk, path: str, body: dict[str, Any], key: str = "") -> Reply:
    return await desk.services.post(desk.session, "assistance", path, body, key or None)
