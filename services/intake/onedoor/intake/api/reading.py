"""Reading: applications as their reader may see them, and who the people are."""

import json
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from onedoor.contracts.core import PERSONAL, Actor
from onedoor.contracts.plan import Plan
from onedoor.intake.views import applications, people
from onedoor.intake.views.progress import State
from onedoor.runtime.http import Answer, Reading, allow, etag, granted, not_found, note_view
from onedoor.runtime.pages import After, Limit, Page, after, page

router = APIRouter(prefix="/v1", tags=["applications"])

Reader = Annotated[Actor, Depends(allow("application.read"))]
PersonReader = Annotated[Actor, Depends(allow("person.read"))]
Purpose = Annotated[str, Query(min_length=2, max_length=200, description="Why; it is logged")]
Ids = Annotated[list[UUID], Query(min_length=1, max_length=200)]

HOTLINE = "hotline-12345"


class Brief(BaseModel):
    """What everybody who may know of the application may know. ring: the department to ask."""

    application_id: UUID
    receipt: str
    state: State
    received_at: datetime
    ring: str


class Summary(Brief):
    """An application in a list."""

    chain_id: UUID
    kind: str
    channel: str
    urgency: str
    protection: bool
    late_entry: bool
    place_division: str | None
    registered_division: str | None
    needs: list[str]
    version: int


class Full(Summary):
    """An application with everything that intake keeps of it, except the reporter."""

    recorded_at: datetime
    emergency: dict[str, Any] | None
    subjects: list[dict[str, Any]]
    plan: Plan
    facts_text: Annotated[str | None, PERSONAL]
    place: Annotated[dict[str, Any], PERSONAL]
    contact: Annotated[dict[str, Any], PERSONAL]
    people: Annotated[dict[str, Any], PERSONAL]
    claims: dict[str, Any]
    marks: list[dict[str, Any]]
    late_entry_reason: Annotated[str | None, PERSONAL]
    words: Annotated[list[dict[str, Any]], PERSONAL]


class PersonView(BaseModel):
    """Who somebody is, as far as known."""

    person_id: UUID
    household_id: UUID
    name: Annotated[str | None, PERSONAL]
    aliases: Annotated[list[str], PERSONAL]
    id_number: Annotated[str | None, PERSONAL]
    id_valid: bool
    sex: str | None
    birth: Annotated[date | None, PERSONAL]
    phone: Annotated[str | None, PERSONAL]
    address: Annotated[str | None, PERSONAL]
    guardian: Annotated[str | None, PERSONAL]
    school_name: Annotated[str | None, PERSONAL]
    minor: bool


@router.get("/applications")
async def listed(
    request: Request,
    actor: Reader,
    conn: Reading,
    limit: Limit = 50,
    after_: Annotated[After, Query(alias="after")] = None,
) -> Page[Summary | Brief]:
    """The newest applications first, as far as the reader's reach goes."""
    start = after(after_, datetime, UUID)
    rows = await applications.page(conn, start, limit)
    item = _brief if granted(request, actor).receipt_only else _summary
    return page(rows, limit, item, lambda row: (row["received_at"], row["application_id"]))


@router.get("/applications/{application_id}", response_model=Full | Brief)
async def one(
    request: Request,
    application_id: UUID,
    actor: Reader,
    conn: Reading,
    purpose: Purpose = "open the application",
) -> Response:
    """One application. The hotline sees receipt, state and whom to ring."""
    row = await applications.one(conn, application_id)
    if row is None:
        not_found()
    if granted(request, actor).receipt_only:
        return Answer(200, _brief(row), etag(row["version"])).response()
    await note_view(conn, actor, "application", application_id, purpose)
    return Answer(200, _full(row), etag(row["version"])).response()


@router.get("/people")
async def identities(ids: Ids, purpose: Purpose, actor: PersonReader, conn: Reading) -> list[PersonView]:
    """Who the people are; those out of the reader's reach are absent. Logged for each with the purpose."""
    rows = await people.seen(conn, ids)
    await people.note_seen(conn, actor, datetime.now(UTC), [row["person_id"] for row in rows], purpose)
    return [PersonView.model_validate(dict(row)) for row in rows]


def _brief(row: asyncpg.Record) -> Brief:
    return Brief.model_validate(_values(row))


def _summary(row: asyncpg.Record) -> Summary:
    return Summary.model_validate(_values(row))


def _full(row: asyncpg.Record) -> Full:
    values = _values(row)
    for name in ("emergency", "subjects", "plan", "place", "contact", "people", "claims", "marks", "words"):
        values[name] = None if values[name] is None else json.loads(values[name])
    return Full.model_validate(values)


def _values(row: asyncpg.Record) -> dict[str, Any]:
    """A sealed application is asked about at the hotline alone: no department is named."""
    values = dict(row)
    return values | {"ring": HOTLINE if row["protection"] else row["ring"] or HOTLINE}
