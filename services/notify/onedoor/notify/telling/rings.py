"""The hotline's calls: where they are kept, what is to be rung now, and recording who was reached."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from onedoor.contracts.core import PERSONAL, Actor
from onedoor.notify import views
from onedoor.notify.domain.ring import OUTCOMES, RecordCall, Ring
from onedoor.runtime.http import Reading, allow, answer, idempotent, not_found
from onedoor.runtime.service import Connection, Saved
from onedoor.runtime.unit import Transaction

router = APIRouter(prefix="/v1/rings", tags=["calls of the hotline"])

Caller = Annotated[Actor, Depends(allow("ring.handle"))]

_SAVE = """
insert into rings (id, referral_id, chain_id, receiver, receiver_division, state, open_at, body, version,
                   classification)
select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[],
                     $7::timestamptz[], $8::jsonb[], $9::int[], $10::text[])
on conflict (id) do update set state = excluded.state, open_at = excluded.open_at, body = excluded.body,
  receiver = excluded.receiver, receiver_division = excluded.receiver_division, version = excluded.version,
  classification = excluded.classification
"""
_LOAD = "select id, body, version from rings where id = any($1::uuid[]) order by id for update"
_ASKED = "select id, body from rings where state = 'asked' order by open_at, id limit 200"
_ONE = "select body from rings where id = $1"


class RingStore:
    """The task's state, with the columns that it is found by."""

    async def load(self, conn: Connection, ids: Sequence[UUID]) -> Mapping[UUID, tuple[Ring, int]]:
        rows = await conn.fetch(_LOAD, ids)
        return {row["id"]: (Ring.model_validate_json(row["body"]), row["version"]) for row in rows}

    async def save(self, conn: Connection, rows: Sequence[Saved]) -> None:
        columns = zip(*map(_row, rows), strict=True)
        await conn.execute(_SAVE, *map(list, columns))


RINGS = RingStore()


def _row(saved: Saved) -> tuple[Any, ...]:
    ring: Any = saved.state
    return (
        saved.id,
        ring.referral_id,
        ring.chain_id,
        ring.to,
        ring.to_division,
        ring.state,
        ring.open_at,
        ring.model_dump_json(),
        saved.version,
        saved.classification,
    )


class RingView(BaseModel):
    """A call that is to be made. sent_at: UTC; calls: how often somebody has rung in vain."""

    ring_id: UUID
    referral_id: UUID
    chain_id: UUID
    to: str
    to_division: str | None
    sent_at: datetime
    calls: int


class CallBody(BaseModel):
    """How the call went; `reached`: who answered, by name or duty number, kept with the referral."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    outcome: str = Field(max_length=20, description=f"one of {', '.join(OUTCOMES)}")
    reached: Annotated[str | None, PERSONAL] = Field(default=None, max_length=80)
    note: Annotated[str | None, PERSONAL] = Field(default=None, max_length=500)


class Recorded(BaseModel):
    """What the record led to: `asked` (ring again) or `done`."""

    ring_id: UUID
    state: str
    calls: int


@router.get("")
async def rings(actor: Caller, conn: Reading) -> list[RingView]:
    """The calls to make now, the longest waiting first."""
    return [_view(row["id"], row["body"]) for row in await conn.fetch(_ASKED)]


def _view(id_: UUID, body: str) -> RingView:
    return RingView.model_validate(Ring.model_validate_json(body).model_dump() | {"ring_id": id_})


@router.post("/{ring_id}/record", response_model=Recorded)
async def record(ring_id: UUID, request: Request, actor: Caller, conn: Reading, body: CallBody) -> Response:
    """Record a call; who was reached is kept beside the referral and never travels."""
    if await conn.fetchrow(_ONE, ring_id) is None:
        not_found()
    command = RecordCall(target=ring_id, outcome=body.outcome, named=bool(body.reached))

    async def handler(tx: Transaction) -> Response:
        outcome = (await tx.execute(command, actor=actor))[0]
        if outcome.refusal is not None:
            return answer(outcome)
        event, ring = outcome.events[0], outcome.state
        for kind, text in (("reached", body.reached), ("note", body.note)):
            if text:
                await views.write_note(
                    tx.conn,
                    subject=ring.referral_id,
                    event_id=event.id,
                    verb="ring",
                    kind=kind,
                    text=text,
                    actor=actor,
                    at=tx.now,
                    classification=event.classification,
                )
        return answer(outcome, 200, Recorded(ring_id=ring_id, state=ring.state, calls=ring.calls))

    return await idempotent(request, actor, handler)
