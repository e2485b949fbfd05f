"""My referrals: what waits for my unit, most pressing first, and what can be done about each."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg
from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import FormData

from onedoor.desk import views
from onedoor.desk.web import Absent, AtDesk, Desk, badge, unit, uuid_or_absent

router = APIRouter(include_in_schema=False)

VERBS: Final = ("acknowledge", "act", "extend", "return", "answer", "verify", "close", "reopen", "revoke")
REASONS: Mapping[str, tuple[str, ...]] = {
    "return": ("not_our_matter", "wrong_division", "duplicate", "person_not_found", "other"),
    "extend": ("waiting_for_others", "person_unreachable", "more_facts_needed", "other"),
    "reopen": ("need_remains", "answer_incomplete", "new_facts", "other"),
    "revoke": ("no_longer_needed", "sent_in_error", "other"),
}
OUTCOMES: Final = ("helped", "partly_helped", "not_eligible", "declined", "not_found", "no_need", "other")
HANDLING: Final = frozenset({"acknowledge", "act", "extend", "return", "answer"})


def offered(row: asyncpg.Record) -> tuple[str, ...]:
    """The verbs that fit where the referral stands, the next step first."""
    match row["state"]:
        case "sent":
            return ("acknowledge", "return")
        case "acknowledged" | "reopened" if row["urgency"] == "critical":
            return ("act", "answer", "return")
        case "acknowledged" | "reopened":
            return ("answer", "extend", "return")
        case "acted" | "extended":
            return ("answer",)
        case _:
            return ()


@router.get("/work")
async def page(desk: AtDesk, everyone: bool = False) -> Response:
    """The list of my unit; with `everyone` those of all units, for whom I may record on their behalf."""
    return desk.page("work.html", section="work", waiting=await badge(desk), **await _lists(desk, everyone))


@router.get("/work/list")
async def listing(desk: AtDesk, everyone: bool = False) -> Response:
    """The list alone."""
    return desk.page("fragments/work.html", **await _lists(desk, everyone))


async def _lists(desk: Desk, everyone: bool) -> dict[str, Any]:
    behalf = desk.may("referral.behalf") is not None
    everyone = everyone and behalf
    department, division = (None, None) if everyone else unit(desk)
    async with desk.reading("referral.behalf" if everyone else "referral.handle") as conn:
        rows = await views.work(conn, desk.now, department, division)
        done = await views.answered(conn, department)
    return {"rows": rows, "done": done, "offered": offered, "everyone": everyone, "behalf": behalf,
            "told": None}  # fmt: skip


async def _one(desk: Desk, referral_id: UUID, action: str) -> asyncpg.Record:
    async with desk.reading(action) as conn:
        row = await views.referral(conn, referral_id, desk.now)
    if row is None:
        raise Absent
    return row


@router.get("/work/{referral}/{verb}")
async def dialog(desk: AtDesk, referral: str, verb: str, everyone: bool = False) -> Response:
    """The questions that a verb asks."""
    if verb not in VERBS:
        raise Absent
    row = await _one(desk, uuid_or_absent(referral), "referral.behalf" if everyone else "referral.handle")
    foreign = desk.actor.role == "everything" or row["to"] != desk.actor.department
    return desk.page(
        "fragments/verb.html",
        row=row,
        verb=verb,
        reasons=REASONS.get(verb, ()),
        outcomes=OUTCOMES,
        behalf=desk.may("referral.behalf") is not None,
        foreign=foreign,
        everyone=everyone,
    )


@router.get("/work/{referral}")
async def details(desk: AtDesk, referral: str) -> Response:
    """What travelled with the referral, its clocks and the words kept with it, from notify."""
    referral_id = uuid_or_absent(referral)
    row = await _one(desk, referral_id, "referral.read")
    reply = await desk.services.get(desk.session, "notify", f"/v1/referrals/{referral_id}")
    return desk.page("fragments/referral.html", row=row, reply=reply, told=reply.body if reply.ok else None)


@router.post("/work/{referral}/{verb}")
async def carry_out(desk: AtDesk, referral: str, verb: str, everyone: bool = False) -> Response:
    """Do it at notify with one's own token, wait until the desk has seen it, and show the list anew."""
    referral_id = uuid_or_absent(referral)
    if verb not in VERBS:
        raise Absent
    form = await desk.request.form()
    reply = await desk.services.post(
        desk.session,
        "notify",
        f"/v1/referrals/{referral_id}/{verb}",
        body_of(verb, form),
        str(form.get("key", "")) or None,
    )
    settled = reply.ok and await desk.settled(reply)
    if not reply.ok:
        headers = {"HX-Retarget": "#refused", "HX-Reswap": "innerHTML"}
        return desk.page("fragments/refused.html", reply=reply, headers=headers)
    told = {"verb": verb, "settled": settled, "state": reply.body.get("state"), "id": str(referral_id)}
    lists = await _lists(desk, everyone)
    return desk.page("fragments/work.html", headers={"HX-Trigger": "desk-done"}, **{**lists, "told": told})


def body_of(verb: str, form: FormData) -> dict[str, Any]:
    """The command's body as notify takes it."""
    said = {name: str(form.get(name, "")).strip() for name in ("note", "reason", "feedback", "outcome")}
    body: dict[str, Any] = {name: value for name, value in said.items() if value}
    if verb != "answer":
        body.pop("outcome", None)
    person, means, document = (
        str(form.get(f"behalf_{name}", "")).strip() for name in ("person", "means", "document")
    )
    if person and "on_behalf" in form:
        behalf = {"person": person, "means": means or "phone"}
        body["on_behalf_of"] = behalf | ({"document": document} if document else {})
    return body
