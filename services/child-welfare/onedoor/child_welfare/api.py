"""Child welfare over HTTP: what any case knows, and the steps of the protection chain."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from onedoor.calendar import moment
from onedoor.child_welfare.domain import NAME, Step, TakeStep
from onedoor.contracts.core import Actor
from onedoor.runtime.casework_api import Answered, CaseView, Code, allow_here, carry_out, case_router
from onedoor.runtime.http import Reading

ROLES: frozenset[str] = frozenset({"child-worker", "child-duty", "everything"})
"""Who works here; a child-worker sees what is assigned to them, child-duty the district's."""


class ProtectionView(CaseView):
    """A case with the steps taken so far, and the temporary care if there is one, with its first day."""

    steps: tuple[Step, ...]
    ground: str | None
    placement: str | None
    care_since: datetime | None


class StepBody(BaseModel):
    """`ground`, `placement` and `since` (the day of the order) are those of temporary care."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Step
    ground: Code | None = None
    placement: Code | None = None
    since: date | None = None


router = case_router(NAME, ROLES, ProtectionView)


@router.post("/{case_id}/steps", response_model=Answered)
async def take_step(
    case_id: UUID,
    body: StepBody,
    request: Request,
    actor: Annotated[Actor, Depends(allow_here("case.work", ROLES))],
    conn: Reading,
) -> Response:
    """Record a step of the protection chain; report and plan follow from opening and decision."""
    since = None if body.since is None else moment(body.since)
    command = TakeStep(target=case_id, **body.model_dump(exclude={"since"}), since=since)
    return await carry_out(request, actor, conn, case_id, lambda _: command)
