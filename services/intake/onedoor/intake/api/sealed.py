"""What is sealed: the reporter, for a named role with a purpose; the link to a protection chain."""

import json
from datetime import datetime
from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from onedoor.contracts.core import PERSONAL, Actor
from onedoor.intake.domain.protection import sees_links
from onedoor.intake.views import sealed
from onedoor.runtime.http import allow, not_found, note_view
from onedoor.runtime.problems import for_status

router = APIRouter(prefix="/v1", tags=["sealed"])

Revealer = Annotated[Actor, Depends(allow("reporter.reveal"))]
ChainReader = Annotated[Actor, Depends(allow("chain.read"))]


class PurposeBody(BaseModel):
    """Why the reporter has to be known; it is logged."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    purpose: Annotated[str, PERSONAL] = Field(min_length=4, max_length=200)


class Reporter(BaseModel):
    """Who reported, and in which words. relations: how they stand to each person, by person id.

    unread: the report as it came, where some of it could not be read.
    """

    caller_role: str
    name: Annotated[str | None, PERSONAL]
    phone: Annotated[str | None, PERSONAL]
    relations: Annotated[dict[str, str], PERSONAL]
    statement: Annotated[str | None, PERSONAL]
    safe_to_call: bool | None
    anonymous: bool
    wants_reply: bool | None
    unread: Annotated[str | None, PERSONAL]
    taken_at: datetime


class Protection(BaseModel):
    """The protection chains beside a household's chain."""

    chains: list[UUID]


@router.post("/applications/{application_id}/reporter")
async def reveal(
    request: Request, application_id: UUID, body: PurposeBody, actor: Revealer
) -> list[Reporter]:
    """Reveal who reported. 404 where nobody is known."""
    async with sealed.unsealed(request.app.state.onedoor.reader) as conn:
        rows = await sealed.reports(conn, application_id)
        if not rows:
            not_found()
        await note_view(conn, actor, "reporter", application_id, body.purpose)
    return [_reporter(row) for row in rows]


def _reporter(row: asyncpg.Record) -> Reporter:
    unread = row["unread"]
    return Reporter.model_validate(
        dict(row)
        | {
            "relations": json.loads(row["relations"]),
            "unread": None if unread is None else unread.decode("utf-8", "replace"),
        }
    )


@router.get("/chains/{chain_id}/protection")
async def protection(request: Request, chain_id: UUID, actor: ChainReader) -> Protection:
    """The protection chains of a household. Only child protection on duty may know; it is logged."""
    if not sees_links(actor):
        raise for_status(403)
    async with sealed.unsealed(request.app.state.onedoor.reader) as conn:
        chains = await sealed.protection_chains(conn, chain_id)
        if chains:
            await note_view(conn, actor, "protection link", chain_id, "read the chain")
    return Protection(chains=chains)
