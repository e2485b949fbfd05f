"""What operators see and do about clocks that the sweep set aside: why, and another try."""

from collections import Counter
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from onedoor.contracts.core import Actor
from onedoor.notify import sweep, views
from onedoor.runtime.app import App
from onedoor.runtime.http import Reading, allow, not_found

router = APIRouter(prefix="/v1/clocks", tags=["clocks set aside"])

Looker = Annotated[Actor, Depends(allow("letters.read"))]
Handler = Annotated[Actor, Depends(allow("letters.handle"))]


class StuckClock(BaseModel):
    """A clock that could not take its step. `since`: system time; `attempts`: how often it failed."""

    clock_id: UUID
    duty: str
    owner: str
    error: str
    traceback: str
    since: datetime
    attempts: int


class StuckChildren(BaseModel):
    """Clocks of children, as a number."""

    duty: str
    count: int


class Stuck(BaseModel):
    clocks: list[StuckClock]
    children: list[StuckChildren]


class Retried(BaseModel):
    """How many clocks took their steps, each recorded at its own moment, and how many failed again."""

    retried: int
    failed: int


@router.get("/stuck")
async def stuck_clocks(actor: Looker, conn: Reading) -> Stuck:
    """The clocks set aside, the longest first; those of children only counted by duty."""
    rows = await views.stuck(conn)
    children = Counter(row["duty"] for row in rows if row["child"])
    return Stuck(
        clocks=[StuckClock(clock_id=row["id"], **_why(row)) for row in rows if not row["child"]],
        children=[StuckChildren(duty=duty, count=count) for duty, count in sorted(children.items())],
    )


def _why(row: asyncpg.Record) -> dict[str, Any]:
    return {name: row[name] for name in ("duty", "owner", "error", "traceback", "since", "attempts")}


@router.post("/stuck/retry")
async def retry_all(request: Request, actor: Handler) -> Retried:
    """Try all of them again, those of children too."""
    return await _retry(request.app.state.onedoor, None)


@router.post("/{clock_id}/retry")
async def retry_one(clock_id: UUID, request: Request, actor: Handler) -> Retried:
    """Try one of them again."""
    return await _retry(request.app.state.onedoor, clock_id)


async def _retry(app: App, clock_id: UUID | None) -> Retried:
    async with app.writer.acquire() as conn:
        stuck = [(row["id"], row["version"]) for row in await views.stuck(conn, clock_id)]
    if clock_id is not None and not stuck:
        not_found()
    done = await sweep.retry(app.unit, app.clock.now(), stuck)
    return Retried(retried=done.retried, failed=done.failed)
