"""A case at assistance: its programmes, the steps that follow, decisions with their reasons, the household.

Which steps a page offers, with which fields, is told by assistance from its workflows' tables.
"""

import asyncio
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import FormData

from onedoor.desk.remote import Reply, wish
from onedoor.desk.web import Absent, AtDesk, Barred, Desk, badge, uuid_or_absent
from onedoor.runtime.exports import attachment

router = APIRouter(include_in_schema=False)

CASES = "/v1/cases"
INVESTIGATORS: Final = 3
"""Rows for people in a form; who needs more goes through the interface."""
PARTICIPANTS: Final = 5
FEN: Final = 100


@router.get("/cases")
async def listing(desk: AtDesk, state: str = "", after: str = "") -> Response:
    """The cases that one may see, most urgent and oldest first."""
    desk.need("case.read")
    wanted = {name: value for name, value in (("state", state), ("after", after)) if value}
    reply = await desk.services.get(desk.session, "assistance", CASES, **wanted)
    if reply.status == 403:
        raise Barred
    rows = reply.body if reply.ok else {"items": (), "next": None}
    return desk.page(
        "cases.html",
        section="cases",
        waiting=await badge(desk),
        rows=rows["items"],
        more=rows["next"],
        state=state,
        refused=None if reply.ok else reply,
    )


@router.get("/cases/{case}")
async def page(desk: AtDesk, case: str) -> Response:
    """The case."""
    return desk.page("case.html", section="cases", waiting=await badge(desk), **await _content(desk, case))


@router.get("/cases/{case}/body")
async def body(desk: AtDesk, case: str) -> Response:
    """What of the page can change."""
    return desk.page("fragments/case.html", **await _content(desk, case))


async def _content(desk: Desk, case: str) -> dict[str, Any]:
    """Everything on the page. Raises Absent, Barred."""
    desk.need("case.read")
    path = f"{CASES}/{uuid_or_absent(case)}"
    head, proceedings, household, rules, words = await asyncio.gather(
        *(get(desk, path + part) for part in ("", "/proceedings", "/household", "/assessment", "/words"))
    )
    people = {person["person_id"]: person.get("name") for person in head["subjects"]}
    file = household["draft"] or household["file"]
    titles = {id_: said["zh" if desk.words.chinese else "en"] for id_, said in rules["members"].items()}
    return {
        "case": head,
        "people": people,
        "items": proceedings["items"],
        "unauthorised": proceedings["unauthorised"],
        "household_size": proceedings["household_size"],
        "programmes": proceedings["programmes"],
        "household": household,
        "file": file,
        "titles": {} if household["draft"] else titles,
        "members": {
            each["id"]: " · ".join(filter(None, (people.get(each.get("person")), titles.get(each["id"]))))
            for each in (household["file"] or {}).get("members", ())
        },
        "rules": rules,
        "written": words,
        "key": uuid4(),
        "told": None,
        "yuan": yuan,
        "work": desk.may("case.work") is not None,
        "account": desk.may("payment.read") is not None,
    }


async def get(desk: Desk, path: str) -> Any:
    """What assistance says there. Raises Absent where it may not be seen or does not answer well."""
    reply = await desk.services.get(desk.session, "assistance", path)
    if reply.status == 403:
        raise Barred
    if not reply.ok:
        raise Absent
    return reply.body


def yuan(fen: int | None) -> str:
    """An amount as people write it."""
    return "—" if fen is None else f"{fen / FEN:,.2f}"


@router.get("/cases/{case}/evidence/{decision}")
async def evidence(desk: AtDesk, case: str, decision: str) -> Response:
    """The frozen evidence of a decision, as a file."""
    desk.need("case.read")
    path = f"{CASES}/{uuid_or_absent(case)}/evidence?decision_id={uuid_or_absent(decision)}"
    reply = await desk.services.file(desk.session, "assistance", path)
    if not reply.ok:
        raise Absent
    return attachment(reply.body, "application/json", f"decision-{decision}.json")


@router.get("/cases/{case}/{proceeding}/{command}")
async def dialog(desk: AtDesk, case: str, proceeding: str, command: str) -> Response:
    """The questions that a step asks."""
    desk.need("case.work")
    case_id, one, offer = await _offered(desk, case, proceeding, command)
    return desk.page(
        "fragments/step.html",
        case_id=case_id,
        one=one,
        offer=offer,
        key=uuid4(),
        investigators=range(INVESTIGATORS),
        participants=range(PARTICIPANTS),
    )


async def _offered(
    desk: Desk, case: str, proceeding: str, command: str
) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    """The case's id, the proceeding and the step as it is on offer now. Raises Absent."""
    case_id, id_ = str(uuid_or_absent(case)), str(uuid_or_absent(proceeding))
    found = await get(desk, f"{CASES}/{case_id}/proceedings")
    for one in found["items"]:
        for offer in one["offers"]:
            if (one["proceeding_id"], offer["command"]) == (id_, command):
                return case_id, one, offer
    raise Absent


@router.post("/cases/{case}/apply")
async def apply(desk: AtDesk, case: str) -> Response:
    """Apply for a programme in the case."""
    desk.need("case.work")
    case_id = str(uuid_or_absent(case))
    form = await desk.request.form()
    wish = {name: str(form[name]) for name in ("programme", "person_id") if form.get(name)}
    reply = await _post(desk, f"{CASES}/{case_id}/proceedings", wish, str(form.get("key", "")))
    return await _after(desk, case_id, reply, "apply")


@router.post("/cases/{case}/authorise")
async def authorise(desk: AtDesk, case: str) -> Response:
    """Somebody signed the authorisation of the financial check."""
    desk.need("case.work")
    case_id = str(uuid_or_absent(case))
    form = await desk.request.form()
    said = {"person_id": str(form.get("person_id", ""))}
    if document := str(form.get("document", "")).strip():
        said["document"] = document
    reply = await _post(desk, f"{CASES}/{case_id}/authorisations", said, str(form.get("key", "")))
    return await _after(desk, case_id, reply, "authorise")


@router.post("/cases/{case}/{proceeding}/{command}")
async def take(desk: AtDesk, case: str, proceeding: str, command: str) -> Response:
    """Take the step with one's own token, wait until the desk has seen it, and show the case anew."""
    desk.need("case.work")
    case_id, _, offer = await _offered(desk, case, proceeding, command)
    form = await desk.request.form()
    path = f"{CASES}/{case_id}/proceedings/{proceeding}/{command}"
    reply = await _post(desk, path, said(offer["fields"], form), str(form.get("key", "")))
    return await _after(desk, case_id, reply, command, refused="#refused-step")


async def _post(desk: Desk, path: str, said: Any, key: str) -> Reply:
    return await desk.services.post(desk.session, "assistance", path, said, wish(key, said))


async def _after(desk: Desk, case_id: str, reply: Reply, done: str, refused: str = "#refused") -> Response:
    """The case as it is now, or, at the place named, why it was refused. What is done stays no open dialog
    because the case cannot be shown at once.
    """
    if not reply.ok:
        return desk.refused(reply, refused)
    told = {
        "done": done,
        "settled": await desk.settled(reply),
    }
    try:
        content = await _content(desk, case_id)
    except Absent:
        return Response(headers={"HX-Redirect": f"/cases/{case_id}"})
    return desk.page("fragments/case.html", headers={"HX-Trigger": "desk-done"}, **content | {"told": told})


def said(fields: list[Mapping[str, Any]], form: FormData) -> dict[str, Any]:
    """The body of a step from its form. What cannot be read goes as it is: the service names the field."""
    body: dict[str, Any] = {}
    for field in fields:
        value = _value(field["name"], field["kind"], form)
        if value not in (None, "", []):
            body[field["name"]] = value
    return body


def _value(name: str, kind: str, form: FormData) -> Any:
    text = str(form.get(name, "")).strip()
    match kind:
        case "flag":
            return name in form
        case "choices":
            return [str(each) for each in form.getlist(name)]
        case "names":
            return [str(each).strip() for each in form.getlist(name) if str(each).strip()]
        case "people":
            return _people(name, form)
        case "fen":
            return fen_of(text)
        case "number":
            return int(text) if text.isascii() and text.isdigit() else text
        case "moment":
            return f"{text}T00:00:00+08:00" if len(text) == len("2026-06-01") else text
    return text


def _people(name: str, form: FormData) -> list[dict[str, str]]:
    """Rows of a person, their unit and division; a row without a person is none."""
    columns = ("person", "unit", "division")
    rows = zip(*(form.getlist(f"{name}.{column}") for column in columns), strict=False)
    found = [dict(zip(columns, (str(each).strip() for each in row), strict=True)) for row in rows]
    return [{key: value for key, value in row.items() if value} for row in found if row["person"]]


def fen_of(text: str) -> int | str:
    """Whole fen of an amount in yuan; what is none as it was written."""
    try:
        fen = Decimal(text.replace(",", "")) * FEN
        return int(fen) if fen == fen.to_integral_value() else text
    except (InvalidOperation, OverflowError, ValueError):
        return text
