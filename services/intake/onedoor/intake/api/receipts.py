"""The receipt's public page: where it stands and whom to ring, for the holder of number and secret."""

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel

from onedoor.intake.domain import receipt as receipts_of
from onedoor.intake.views import receipts
from onedoor.intake.views.progress import State
from onedoor.runtime.http import not_found

router = APIRouter(prefix="/v1", tags=["receipts"])

Secret = Annotated[str, Header(alias="Onedoor-Secret", max_length=40)]

WORDS: dict[State, str] = {
    "received": "已登记",
    "in_work": "办理中",
    "closed": "已办结",
    "withdrawn": "已撤回",
}


class Standing(BaseModel):
    """The state in words, and whom to ring: a department's code and the hotline's number."""

    receipt: str
    state: State
    state_zh: str
    received_on: date
    ring: str
    phone: str = "12345"


@router.get("/receipts/{receipt}")
async def standing(request: Request, receipt: str, secret: Secret = "") -> Standing:
    """Where the application stands. Without the right secret the same 404 as for an unknown receipt.

    Five wrong secrets lock the receipt for a quarter of an hour.
    """
    number = receipts_of.read(receipt)
    if number is None:
        not_found()
    async with request.app.state.onedoor.unit.transaction() as tx:
        found = await receipts.status(tx.conn, number, secret.strip(), datetime.now(UTC))
    if found is None:
        not_found()
    return Standing(
        receipt=number,
        state=found.state,
        state_zh=WORDS[found.state],
        received_on=found.received_on,
        ring=found.ring or "hotline-12345",
    )
