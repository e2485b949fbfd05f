"""The console: a request for help as it is told, what will happen of it, and the receipt."""

import re
from collections.abc import Mapping
from typing import Any, Final, get_args
from uuid import uuid4

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import FormData

from onedoor.contracts import codes
from onedoor.desk.divisions import DIVISIONS
from onedoor.desk.remote import Reply
from onedoor.desk.web import AtDesk, Desk, badge
from onedoor.triage import application, packaged_rules

router = APIRouter(include_in_schema=False)

DANGERS: Final = ("alone", "acute_illness", "violence", "lodging", "food", "unidentified")
"""The questions that come first, in the order of their keys Alt+1 to Alt+6."""

DANGER_FACTS: Final = frozenset({"alone", "acute_illness", "violence", "unidentified"})
DANGER_NEEDS: Final = frozenset({"lodging", "food"})
NEEDS: Final = tuple(need for need in get_args(application.Need) if need not in DANGER_NEEDS)
FACTS: Final = tuple(mark for mark in application.MARKS if mark not in DANGER_FACTS)
PARENTS: Final = ("father", "mother")
OWN_CHANNEL: Mapping[str, str] = {"hotline": "hotline", "window": "window", "village": "grid"}
MOST_SUBJECTS: Final = 6

LISTS: Mapping[str, Any] = {
    "dangers": DANGERS,
    "needs": NEEDS,
    "facts": FACTS,
    "choices": application.CHOICES,
    "callers": get_args(application.CallerRole),
    "parents": PARENTS,
    "statuses": get_args(codes.ParentStatus),
    "emergencies": get_args(codes.EmergencyKind),
    "disabilities": get_args(codes.DisabilityType),
    "divisions": DIVISIONS,
    "channels": get_args(application.Channel),
    "departments": sorted(packaged_rules().departments),
}


@router.get("/console")
async def page(desk: AtDesk) -> Response:
    """An empty form, with the key that makes it one request however often it is sent."""
    desk.need("application.enter")
    return desk.page(
        "console.html",
        section="console",
        waiting=await badge(desk),
        key=uuid4(),
        channel=OWN_CHANNEL.get(desk.actor.role, "hotline"),
        plan=None,
        reply=None,
        number=0,
        **LISTS,
    )


@router.get("/console/subject/{number}")
async def subject(desk: AtDesk, number: int) -> Response:
    """One more person in trouble."""
    desk.need("application.enter")
    return desk.page("fragments/subject.html", number=min(max(number, 1), MOST_SUBJECTS - 1), **LISTS)


@router.post("/console/plan")
async def plan(desk: AtDesk) -> Response:
    """What will happen of the form as it stands."""
    desk.need("application.enter")
    form = await desk.request.form()
    reply = await desk.services.post(desk.session, "intake", "/v1/triage", body_of(form))
    said = reply.body if reply.ok and isinstance(reply.body, dict) else {}
    return desk.page("fragments/plan.html", plan=said.get("plan"), reply=reply)


@router.post("/console")
async def send(desk: AtDesk) -> Response:
    """Take it down. Sending the same form again gives the same receipt."""
    desk.need("application.enter")
    form = await desk.request.form()
    key = str(form.get("key", ""))[:80] or str(uuid4())
    reply = await desk.services.post(desk.session, "intake", "/v1/applications", body_of(form), key)
    if not reply.ok:
        return desk.refused(reply)
    settled = await desk.settled(reply)
    return await _receipt(desk, reply, settled)


async def _receipt(desk: Desk, reply: Reply, settled: bool) -> Response:
    taken = reply.body
    return desk.page("fragments/receipt.html", taken=taken, settled=settled, plan=taken["plan"], reply=reply)


def body_of(form: FormData) -> dict[str, Any]:
    """The form as intake's application format. What is not known is left out; intake judges what is."""
    emergency = _text(form, "emergency")
    body = {
        "channel": _text(form, "channel") or "hotline",
        "caller": _caller(form),
        "place": _some(form, "place", "division", "address", "landmark"),
        "contact": _contact(form),
        "household": {"size": size} if (size := _text(form, "household_size")) else None,
        "registered_division": _text(form, "registered_division"),
        "needs": [need for need in (*DANGER_NEEDS, *NEEDS) if f"need_{need}" in form],
        "emergency": {"kind": emergency} if emergency else None,
        "suspected": _some(form, "suspected", "department", "division"),
        "consent": {name: True for name in ("financial_check", "charity") if f"consent_{name}" in form},
        "statement": _text(form, "statement"),
        "facts_text": _text(form, "facts_text"),
        "subjects": _subjects(form, bool(emergency)),
    }
    return {name: value for name, value in body.items() if value}


def _text(form: FormData, name: str) -> str | None:
    value = form.get(name)
    return value.strip() or None if isinstance(value, str) else None


def _some(form: FormData, prefix: str, *names: str) -> dict[str, str]:
    found = {name: _text(form, f"{prefix}_{name}") for name in names}
    return {name: value for name, value in found.items() if value}


def _caller(form: FormData) -> dict[str, Any]:
    told: dict[str, Any] = _some(form, "caller", "role", "name", "phone")
    told |= {name: True for name in ("anonymous", "safe_to_call", "wants_reply") if f"caller_{name}" in form}
    return told


def _contact(form: FormData) -> dict[str, Any]:
    told: dict[str, Any] = _some(form, "contact", "phone")
    return told | ({"safe": True} if "contact_safe" in form else {})


def _subjects(form: FormData, emergency: bool) -> list[dict[str, Any]]:
    rows = [_subject(form, number) for number in range(MOST_SUBJECTS)]
    dangers = _dangers(form, emergency)
    rows[0]["facts"] = {**rows[0].get("facts", {}), **dangers}
    return [
        {"id": f"s{number + 1}", **{name: value for name, value in row.items() if value}}
        for number, row in enumerate(rows)
        if any(row.values())
    ]


def _dangers(form: FormData, emergency: bool) -> dict[str, bool]:
    """The danger keys concern the first person. Nowhere to sleep is a life on the street, save after a fire
    or the like, when it is a bed for tonight."""
    facts: dict[str, bool] = {name: True for name in DANGER_FACTS if f"danger_{name}" in form}
    if "need_lodging" in form and not emergency:
        facts["street"] = True
    return facts


def _subject(form: FormData, number: int) -> dict[str, Any]:
    prefix = f"s{number}"
    told: dict[str, Any] = _some(form, prefix, "name", "sex", "id_number", "school_name")
    told |= age_of(_text(form, f"{prefix}_age"))
    facts: dict[str, Any] = {name: True for name in FACTS if f"{prefix}_fact_{name}" in form}
    facts |= _some(form, prefix, *application.CHOICES)
    if parents := [parent for parent in (_parent(form, prefix, each) for each in PARENTS) if parent]:
        facts["parents"] = parents
    if disability := _some(form, f"{prefix}_disability", "type", "level"):
        facts["disability"] = disability
    return told | ({"facts": facts} if facts else {})


def _parent(form: FormData, prefix: str, relation: str) -> dict[str, str] | None:
    told = _some(form, f"{prefix}_{relation}", "status", "since")
    return {"relation": relation, **told} if told.get("status") else None


_BIRTH = re.compile(r"\d{4}-\d{2}-\d{2}")
_AGE = re.compile(r"(?P<about>[约大概~]*)\s*(?P<years>\d{1,3})\s*岁?")


def age_of(text: str | None) -> dict[str, Any]:
    """An age or a birth as it is typed: `9`, `约9岁`, `2017-05-01`. Anything else is not known."""
    if text is None:
        return {}
    if _BIRTH.fullmatch(text):
        return {"birth": text}
    found = _AGE.fullmatch(text)
    if found is None:
        return {}
    return {"age_about" if found["about"] else "age": int(found["years"])}
