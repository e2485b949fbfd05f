"""My referrals: what waits for my unit, most pressing first, and what can be done about each."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

import asyncpg
from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import FormData

from onedoor.calendar import local
from onedoor.contracts.referral_rules import Expected, rule_on
from onedoor.desk import views
from onedoor.desk.divisions import DIVISIONS
from onedoor.desk.remote import Reply, wish
from onedoor.desk.web import Absent, AtDesk, Desk, badge, unit, uuid_or_absent

router = APIRouter(include_in_schema=False)

REASONS: Mapping[str, tuple[str, ...]] = {
    "return": ("not_our_matter", "wrong_division", "duplicate", "person_not_found", "other"),
    "extend": ("waiting_for_others", "person_unreachable", "more_facts_needed", "other"),
    "reopen": ("need_remains", "answer_incomplete", "new_facts", "other"),
    "revoke": ("no_longer_needed", "sent_in_error", "other"),
}
OUTCOMES: Final = ("helped", "partly_helped", "not_eligible", "declined", "not_found", "no_need", "other")
HANDLING: Final = frozenset({"acknowledge", "act", "extend", "return", "answer"})
VERBS: Final = HANDLING | {"send", "send_on", "approve", "decline", "verify", "close", "reopen", "revoke"}
TABS: Final = ("ours", "sent", "all")
"""Whose referrals a list shows: those addressed to my unit, those it has sent, or everybody's."""


def offered(row: asyncpg.Record) -> tuple[str, ...]:
    """The next step where the referral stands; all that one may do about it stands in its details."""
    match row["state"]:
        case "sent":
            return ("acknowledge",)
        case "acknowledged" if row["urgency"] == "critical":
            return ("act", "answer")
        case "acknowledged" | "reopened" | "acted" | "extended":
            return ("answer",)
        case _:
            return ()


def awaited(row: asyncpg.Record) -> tuple[str, ...]:
    """What its sender is to do about it."""
    if row["asks_for_time"]:
        return ("approve", "decline")
    return {
        "drafted": ("send",),
        "returned": () if row["handed_on"] else ("send_on",),
        "answered": ("verify", "reopen"),
        "verified": ("close",),
    }.get(row["state"], ())


@router.get("/work")
async def page(desk: AtDesk, tab: str = "ours") -> Response:
    """What waits for my unit, what it has sent, or everybody's, for whom I may record on their behalf."""
    return desk.page("work.html", section="work", waiting=await badge(desk), **await lists(desk, tab))


@router.get("/work/list")
async def listing(desk: AtDesk, tab: str = "ours") -> Response:
    """The list alone."""
    return desk.page("fragments/work.html", **await lists(desk, tab))


def tabs_of(desk: Desk) -> tuple[str, ...]:
    """The lists that the person has."""
    needs = {"ours": "referral.handle", "sent": "referral.verify", "all": "referral.behalf"}
    return tuple(tab for tab in TABS if desk.may(needs[tab]) is not None)


async def lists(desk: Desk, tab: str) -> dict[str, Any]:
    """What the page of one tab shows."""
    tabs = tabs_of(desk)
    tab = tab if tab in tabs else tabs[0] if tabs else "ours"
    department, division = (None, None) if tab == "all" else unit(desk)
    told = {"tab": tab, "tabs": tabs, "told": None}
    if tab == "sent":
        async with desk.reading("referral.verify") as conn:
            rows = await views.sent(conn, desk.now, department)
        return told | {"rows": rows, "done": [], "offered": awaited}
    async with desk.reading("referral.behalf" if tab == "all" else "referral.handle") as conn:
        rows = await views.work(conn, desk.now, department, division)
        done = await views.answered(conn, department)
    return told | {"rows": rows, "done": done, "offered": offered}


async def _one(desk: Desk, referral_id: UUID) -> tuple[asyncpg.Record, Reply]:
    """The referral as the desk knows it, and as notify tells it to this person."""
    async with desk.reading("referral.read") as conn:
        row = await views.referral(conn, referral_id, desk.now)
    if row is None:
        raise Absent
    return row, await desk.services.get(desk.session, "notify", f"/v1/referrals/{referral_id}")


@router.get("/work/{referral}/{verb}")
async def dialog(desk: AtDesk, referral: str, verb: str, tab: str = "ours") -> Response:
    """The questions that a verb asks. What notify would refuse now is not asked for."""
    if verb not in VERBS:
        raise Absent
    row, reply = await _one(desk, uuid_or_absent(referral))
    if not reply.ok or verb not in {*reply.body["verbs"], *reply.body["on_behalf"]}:
        return _details(desk, row, reply, tab)
    return desk.page(
        "fragments/verb.html",
        row=row,
        told=reply.body,
        verb=verb,
        reasons=REASONS.get(verb, ()),
        outcomes=OUTCOMES,
        expected=_expected(row),
        divisions=DIVISIONS.items(),
        behalf=verb in reply.body["on_behalf"],
        foreign=verb not in reply.body["verbs"],
        tab=tab,
    )


def _expected(row: asyncpg.Record) -> tuple[Expected, ...]:
    """The coded feedback that the referral's rule expects."""
    rule = rule_on(row["rule"], local(row["sent_at"]).date()) if row["sent_at"] else None
    return rule.feedback if rule else ()


@router.get("/work/{referral}")
async def details(desk: AtDesk, referral: str, tab: str = "ours") -> Response:
    """What travelled with the referral, its clocks and words, and all that one may do about it."""
    return _details(desk, *await _one(desk, uuid_or_absent(referral)), tab)


def _details(desk: Desk, row: asyncpg.Record, reply: Reply, tab: str, overtaken: bool = False) -> Response:
    told = reply.body if reply.ok else None
    headers = {"HX-Retarget": "#dialog-body", "HX-Reswap": "innerHTML"} if overtaken else None
    return desk.page(
        "fragments/referral.html",
        headers=headers,
        row=row,
        reply=reply,
        told=told,
        tab=tab,
        overtaken=overtaken,
        outcomes=OUTCOMES,
    )


@router.post("/work/{referral}/{verb}")
async def carry_out(desk: AtDesk, referral: str, verb: str, tab: str = "ours") -> Response:
    """Do it at notify with one's own token, wait until the desk has seen it, and show the list anew.

    Where somebody was faster (412), show what has happened instead, with what can be done now.
    """
    referral_id = uuid_or_absent(referral)
    if verb not in VERBS:
        raise Absent
    form = await desk.request.form()
    row, _ = await _one(desk, referral_id)
    body = body_of(verb, form, _expected(row))
    reply = await desk.services.post(
        desk.session,
        "notify",
        f"/v1/referrals/{referral_id}/{verb.replace('_', '-')}",
        body,
        wish(form.get("key"), body),
        version=str(form.get("version", "")) or None,
    )
    if reply.status == 412:
        row, now = await _one(desk, referral_id)
        return _details(desk, row, now, tab, overtaken=True)
    settled = reply.ok and await desk.settled(reply)
    if not reply.ok:
        return desk.refused(reply)
    told = {"verb": verb, "settled": settled, "state": reply.body.get("state"), "id": str(referral_id)}
    shown = await lists(desk, tab)
    return desk.page("fragments/work.html", headers={"HX-Trigger": "desk-done"}, **{**shown, "told": told})


def body_of(verb: str, form: FormData, expected: Sequence[Expected] = ()) -> dict[str, Any]:
    """The command's body as notify takes it."""
    names = ("note", "reason", "feedback", "outcome", "until", "to", "to_division")
    said = {name: str(form.get(name, "")).strip() for name in names}
    body: dict[str, Any] = {name: value for name, value in said.items() if value}
    results = {each.name: _result(each, str(form.get(f"result_{each.name}", ""))) for each in expected}
    if verb == "answer":
        body["results"] = {name: value for name, value in results.items() if value is not None}
    person, means, document = (
        str(form.get(f"behalf_{name}", "")).strip() for name in ("person", "means", "document")
    )
    if person and "on_behalf" in form:
        behalf = {"person": person, "means": means or "phone"}
        body["on_behalf_of"] = behalf | ({"document": document} if document else {})
    return body


def _result(expected: Expected, told: str) -> Any:
    """A field of the feedback as JSON has it; what is no number stays as it is, so that notify names it."""
    match expected.shape:
        case _ if not told:
            return None
        case "boolean":
            return told == "yes"
        case "count" if told.isdigit():
            return int(told)
        case "fen":
            return yuan_in_fen(told)
    return told


def yuan_in_fen(told: str) -> Any:
    """An amount in yuan, as people write it, in fen; what is none stays as it is."""
    try:
        return int(Decimal(told.replace(",", "")) * 100)
    except (InvalidOperation, ValueError):
        return told
