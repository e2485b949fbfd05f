"""To whose account a case is paid: proposed by one person with evidence, confirmed by another.

Until it is confirmed the account before stays in use. No proposal is ever deleted: who asked for which
account, on what evidence, and who looked at it stands in its row.
"""

from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from onedoor.runtime.service import Connection

Result = Literal["confirmed", "rejected"]


class NewPayee(NamedTuple):
    """`document`: where the evidence lies, as a copy of the bank card or a mandate."""

    case_id: UUID
    holder: str
    bank: str
    account: str
    document: str
    at: datetime
    by: str


_KNOWN = "select holder, bank, account from payees where case_id = $1"
_PROPOSED = """
select id as change_id, holder, bank, account, document, asked_at, asked_by
from payee_changes where case_id = $1 and state = 'open'
"""
_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('payee ' || ($1::uuid)::text, 0))"
_REPLACE = """
update payee_changes set state = 'replaced', settled_at = $2, settled_by = $3
where case_id = $1 and state = 'open'
"""
_PROPOSE = """
insert into payee_changes (id, case_id, holder, bank, account, document, state, asked_at, asked_by,
                           classification)
select $1, $2, $3, $4, $5, $6, 'open', $7, $8,
       case classification when 'child' then 'restricted' else classification end
from cases where id = $2
"""
_SETTLE = """
update payee_changes set state = $2, settled_at = $3, settled_by = $4 where id = $1 and state = 'open'
"""
_PAY_TO = """
insert into payees (case_id, holder, bank, account, changed_at, changed_by, classification)
select case_id, holder, bank, account, $2, $3, classification from payee_changes where id = $1
on conflict (case_id) do update set holder = excluded.holder, bank = excluded.bank,
  account = excluded.account, changed_at = excluded.changed_at, changed_by = excluded.changed_by
"""


async def known(conn: Connection, case_id: UUID) -> asyncpg.Record | None:
    """Whose account a case is paid to, if the connection may see it."""
    return await conn.fetchrow(_KNOWN, case_id)


async def proposed(conn: Connection, case_id: UUID) -> asyncpg.Record | None:
    """The account that waits for its confirmation: change_id, holder, bank, account, document, asked_at,
    asked_by.
    """
    return await conn.fetchrow(_PROPOSED, case_id)


async def propose(conn: Connection, new: NewPayee) -> UUID:
    """Ask for another account, and answer by which id it waits; what waited before waits no longer."""
    await lock(conn, new.case_id)
    await conn.execute(_REPLACE, new.case_id, new.at, new.by)
    change_id = uuid7()
    await conn.execute(_PROPOSE, change_id, *new)
    return change_id


async def settle(conn: Connection, change_id: UUID, result: Result, at: datetime, by: str) -> None:
    """Settle a proposal that waits, under the lock of its case; confirmed, it is paid to from now on."""
    await conn.execute(_SETTLE, change_id, result, at, by)
    if result == "confirmed":
        await conn.execute(_PAY_TO, change_id, at, by)


async def lock(conn: Connection, case_id: UUID) -> None:
    """Until the transaction ends nobody else proposes or settles for the case."""
    await conn.execute(_ONE_AT_A_TIME, case_id)
