"""The desk over HTTP for programs: help chains as they are projected (design section 11)."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from onedoor.contracts.core import Actor
from onedoor.desk import story, views
from onedoor.desk.remote import Services
from onedoor.desk.session import Session
from onedoor.desk.words import Words
from onedoor.runtime import pages
from onedoor.runtime.http import Reading, allow, granted, not_found, note_view
from onedoor.runtime.service import Connection

router = APIRouter(prefix="/v1", tags=["chains"])

ChainReader = Annotated[Actor, Depends(allow("chain.read"))]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


class Told(BaseModel):
    """One event of the timeline; `summary` is a plain Chinese sentence."""

    event_id: UUID
    type: str
    time: datetime
    service: str
    department: str | None
    summary: str


class CaseLine(BaseModel):
    """A case at a specialised service."""

    service: str
    case_id: UUID
    state: str
    urgency: str | None


class ReferralLine(BaseModel):
    """A referral. overdue: a limit has passed and what it asks for is not done."""

    referral_id: UUID
    rule: str
    from_: str = Field(serialization_alias="from")
    to: str
    to_division: str | None
    state: str
    urgency: str
    due_ack: datetime | None
    due_action: datetime | None
    due_finish: datetime | None
    overdue: bool


class ClockLine(BaseModel):
    """A clock that has been started."""

    clock_id: UUID
    duty: str
    subject: UUID
    owner: str
    due_at: datetime
    provisional: bool
    state: str


class Chain(BaseModel):
    """A help chain whole."""

    chain_id: UUID
    receipt: str
    timeline: list[Told]
    cases: list[CaseLine]
    referrals: list[ReferralLine]
    clocks: list[ClockLine]


class Standing(BaseModel):
    """What those may know who only took the request down: receipt, state, and whom to ring."""

    chain_id: UUID
    receipt: str
    state: str
    ring: list[str]


class ChainItem(BaseModel):
    """A chain in a list. due: the next limit; holders: the departments that have to do something."""

    chain_id: UUID
    receipt: str
    opened_at: datetime
    division: str | None
    open: int
    overdue: int
    due: datetime | None
    holders: list[str]


@router.get("/chains")
async def chains(
    request: Request,
    actor: ChainReader,
    conn: Reading,
    limit: pages.Limit = 50,
    after_: Annotated[pages.After, Query(alias="after")] = None,
) -> pages.Page[ChainItem | Standing]:
    """The newest help chains first, as far as the reader's reach goes."""
    key = pages.after(after_, datetime, UUID)
    now = request.app.state.onedoor.clock.now()
    rows = await views.chains(conn, now, limit, key)
    item = _brief if granted(request, actor).receipt_only else _item
    return pages.page(rows, limit, item, lambda row: (row["opened_at"], row["chain_id"]))


def _item(row: asyncpg.Record) -> ChainItem | Standing:
    return ChainItem.model_validate({**row, "holders": row["holders"] or []})


def _brief(row: asyncpg.Record) -> ChainItem | Standing:
    return Standing(
        chain_id=row["chain_id"], receipt=row["receipt"], state=story.standing(row), ring=row["holders"] or []
    )


@router.get("/chains/{chain_id}", response_model_by_alias=True)
async def chain(
    request: Request, chain_id: UUID, actor: ChainReader, conn: Reading, bearer: Bearer
) -> Chain | Standing:
    """One help chain with its timeline, cases, referrals and clocks; 404 for what may not be seen."""
    found = await views.chain(conn, chain_id)
    if found is None:
        not_found()
    now = request.app.state.onedoor.clock.now()
    if granted(request, actor).receipt_only:
        lines = await views.referrals(conn, [chain_id], now)
        return Standing(chain_id=chain_id, receipt=found["receipt"], **story.brief(lines))
    token = bearer.credentials if bearer else ""
    ids = [chain_id, *await linked(request.app.state.services, Session(actor, token), chain_id)]
    await note_view(conn, actor, "chain", chain_id, "read the chain")
    return await _whole(conn, found, ids, now)


async def linked(services: Services, session: Session, chain_id: UUID) -> list[UUID]:
    """The protection chains beside it, told by intake only to those who may know of them."""
    if session.actor.role != "everything":
        return []
    reply = await services.get(session, "intake", f"/v1/chains/{chain_id}/protection")
    held = reply.body.get("chains") if reply.ok and isinstance(reply.body, dict) else None
    return [UUID(id_) for id_ in held or ()]


async def _whole(conn: Connection, found: asyncpg.Record, ids: Sequence[UUID], now: datetime) -> Chain:
    words = Words("zh")
    return Chain(
        chain_id=found["chain_id"],
        receipt=found["receipt"],
        timeline=[_told(row, words, now) for row in await views.timeline(conn, ids)],
        cases=[CaseLine.model_validate(dict(row)) for row in await views.cases(conn, ids)],
        referrals=[_line(row) for row in await views.referrals(conn, ids, now)],
        clocks=[ClockLine.model_validate(dict(row)) for row in await views.clocks(conn, ids) if row["state"]],
    )


def _told(row: asyncpg.Record, words: Words, now: datetime) -> Told:
    facts: Mapping[str, object] = json.loads(row["facts"])
    return Told.model_validate({**row, "summary": story.sentence(row, facts, words, now)})


def _line(row: asyncpg.Record) -> ReferralLine:
    return ReferralLine.model_validate({**row, "from_": row["from"]})
