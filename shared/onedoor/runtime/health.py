"""Liveness and readiness. HTTP and stream fail apart: the status follows PostgreSQL alone."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from onedoor.runtime.problems import out_of_reach, unreachable

router = APIRouter(prefix="/health", tags=["health"])

WAIT_SECONDS = 2.0


@router.get("/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"http": "ok"}


@router.get("/ready")
async def ready(request: Request) -> dict[str, Any]:
    """Whether requests can be served, and how the stream is; 503 while PostgreSQL is out of reach.

    `clock_epoch` counts the adjustments of business time known here; a service may add further members.
    """
    app = request.app.state.onedoor
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await app.writer.fetchval("select 1")
    except Exception as error:
        if out_of_reach(error):
            raise unreachable() from None
        raise
    return {"http": "ok", "stream": app.stream, "clock_epoch": app.clock.epoch, **app.status}
