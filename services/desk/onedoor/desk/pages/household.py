"""The household's file of a case as a form: assistance tells its fields, and judges what they say."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml
from fastapi import APIRouter
from fastapi.responses import Response

from onedoor.calendar import local
from onedoor.desk import filing
from onedoor.desk.divisions import DIVISIONS
from onedoor.desk.pages.cases import CASES, get
from onedoor.desk.remote import Reply
from onedoor.desk.web import AtDesk, Desk, badge, uuid_or_absent

router = APIRouter(include_in_schema=False)

FIRST: Final = frozenset({
    "Household.as_of", "Household.region", "Household.registered_division", "Household.property",
    "Household.members", "Member.id", "Member.person", "Member.relation", "Member.birth", "Member.name",
    "Member.id_number", "Member.incomes", "Member.work_costs",
})  # fmt: skip
"""What is asked of every household and of every member; the rest waits behind a summary."""

Problems = Sequence[Mapping[str, Any]]


@router.get("/cases/{case}/household")
async def page(desk: AtDesk, case: str) -> Response:
    """The file as it stands, or its draft with what is wrong with it."""
    desk.need("case.work")
    case_id = str(uuid_or_absent(case))
    form, kept = await asyncio.gather(_form(desk, case_id), get(desk, f"{CASES}/{case_id}/household"))
    file = kept["draft"] or kept["file"]
    text = yaml.safe_dump(file, allow_unicode=True, sort_keys=False) if file else ""
    begun = file or {
        "as_of": local(desk.now).date().isoformat(),
        "members": [{"id": "m1", "relation": "head"}],
    }
    told, version = "standing" if kept["draft"] else None, str(kept["revision"])
    content = _content(case_id, form, begun, kept["problems"], told, version)
    return desk.page("household.html", section="cases", waiting=await badge(desk), text=text, **content)


@router.post("/cases/{case}/household/form")
async def change(desk: AtDesk, case: str, more: str = "", less: str = "") -> Response:
    """The form as it is filled, with one more row of a list, or without one; nothing is stored."""
    desk.need("case.work")
    case_id = str(uuid_or_absent(case))
    form = await _form(desk, case_id)
    typed = await desk.request.form()
    file = filing.read(form.fields, typed)
    focus = filing.more(form.fields, file, more) if more else ""
    if less:
        filing.less(form.fields, file, less)
        focus = less.rpartition(".")[0]
    content = _content(case_id, form, file, (), None, str(typed.get("version", "")))
    return desk.page("fragments/household_form.html", **content | {"focus": focus})


@router.post("/cases/{case}/household")
async def save(desk: AtDesk, case: str) -> Response:
    """Record what the form or the text says, or keep it as a draft; what is wrong stands at its field."""
    desk.need("case.work")
    case_id = str(uuid_or_absent(case))
    typed = await desk.request.form()
    draft, version = "draft" in typed, str(typed.get("version", ""))
    path = f"{CASES}/{case_id}/household{'?draft=true' if draft else ''}"
    if "file" in typed:
        reply = await desk.services.put_text(desk.session, "assistance", path, str(typed["file"]), version)
        return await _told(desk, case_id, reply, draft)
    form = await _form(desk, case_id)
    file = filing.read(form.fields, typed)
    reply = await desk.services.put(desk.session, "assistance", path, file, version)
    if reply.ok and not draft:
        return await _told(desk, case_id, reply, draft)
    if not reply.ok and not reply.errors:
        return desk.refused(reply)
    if reply.ok:
        kept = reply.body
        content = _content(case_id, form, file, kept["problems"], "draft", str(kept["revision"]))
    else:
        content = _content(case_id, form, file, reply.errors, "refused", version)
    return desk.page("fragments/household_form.html", **content)


async def _told(desk: Desk, case_id: str, reply: Reply, draft: bool) -> Response:
    """Why it was refused; else on to the draft with its problems, or back to the case."""
    if not reply.ok:
        return desk.refused(reply)
    await desk.settled(reply)
    return Response(headers={"HX-Redirect": f"/cases/{case_id}{'/household' if draft else ''}"})


async def _form(desk: Desk, case_id: str) -> filing.Form:
    """The fields of the file, with the people of the case. Raises Absent, Barred."""
    head, fields = await asyncio.gather(
        get(desk, f"{CASES}/{case_id}"), get(desk, f"{CASES}/{case_id}/household/form")
    )
    people = {person["person_id"]: person.get("name") for person in head["subjects"]}
    return filing.Form(fields, people, desk.words, FIRST)


def _content(
    case_id: str, form: filing.Form, file: filing.File, problems: Problems, told: str | None, version: str
) -> dict[str, Any]:
    """`told`: draft, kept just now; standing, kept before; refused; None where nothing is to be told.

    version: the revision of the file and its draft that the form shows; a later one is not replaced by it.
    """
    return {
        "case_id": case_id,
        "form": form.shown(file, problems),
        "wrong": [(each, form.named(each["field"], file)) for each in problems],
        "told": told,
        "version": version,
        "focus": problems[0]["field"] if problems else "",
        "divisions": DIVISIONS,
    }
