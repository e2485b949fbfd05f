"""Receipts: drawn once, secret kept as a hash, five wrong secrets lock one for a while."""

import os
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from onedoor.calendar import local
from onedoor.intake.domain import receipt as receipts
from onedoor.intake.views.progress import RING, STATE, State
from onedoor.runtime.service import Connection
from onedoor.runtime.statements import Statement

ATTEMPTS = 5
LOCKED_FOR = timedelta(minutes=15)

DRAW = "insert into receipts (receipt, application_id, salt, secret_hash) values ($1, $2, $3, $4)"

FIND = "select salt, secret_hash, failed, locked_until from receipts where receipt = $1 for update"

FAILED = """
update receipts set failed = case when failed + 1 >= $2 then 0 else failed + 1 end,
                    locked_until = case when failed + 1 >= $2 then $3::timestamptz end
where receipt = $1
"""

RIGHT = "update receipts set failed = 0, locked_until = null where receipt = $1 and failed > 0"

STATUS = f"""
select {STATE} as state, a.protection, a.received_at, {RING} as ring
from receipts r join applications a using (application_id) where r.receipt = $1
"""  # noqa: S608 - constants only

_NOBODY = (b"no receipt", bytes(32))


@dataclass(frozen=True, slots=True)
class Status:
    """What the holder of receipt and secret may know. ring: a department, None: the hotline."""

    state: State
    received_on: date
    ring: str | None


def draw(application_id: UUID, at: datetime) -> tuple[str, str, Statement]:
    """A new receipt for the application, its secret, which is stored nowhere as it is, and what keeps both.

    asyncpg.UniqueViolationError where another application has this receipt: take the whole again.
    """
    receipt, secret, salt = receipts.draw(at), receipts.draw_secret(), os.urandom(16)
    kept = Statement(DRAW, (receipt, application_id, salt, receipts.hashed(secret, salt)))
    return receipt, secret, kept


async def status(conn: Connection, receipt: str, secret: str, now: datetime) -> Status | None:
    """The status for the right secret. None alike for an unknown receipt, a wrong secret and a locked one.

    `now` is the system's clock. Whoever guesses waits for whoever guessed before, so that guesses count.
    """
    found = await conn.fetchrow(FIND, receipt)
    salt, secret_hash = (found["salt"], found["secret_hash"]) if found else _NOBODY
    right = receipts.fits(secret, salt, secret_hash)
    if found is None or (found["locked_until"] is not None and found["locked_until"] > now):
        return None
    if not right:
        await conn.execute(FAILED, receipt, ATTEMPTS, now + LOCKED_FOR)
        return None
    await conn.execute(RIGHT, receipt)
    row = await conn.fetchrow(STATUS, receipt)
    assert row is not None
    ring = None if row["protection"] else row["ring"]
    return Status(row["state"], local(row["received_at"]).date(), ring)
