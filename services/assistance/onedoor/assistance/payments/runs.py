"""Payment lists: built once per programme and month, approved by another person, and only then paid."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from onedoor.assistance.domain.approval import Stacking
from onedoor.assistance.domain.programmes import WORKFLOWS
from onedoor.runtime.service import Connection

Held = Literal["no_account", "suspended", "stacking", "changed", "debt"]
"""Why a line is not paid: no bank account is known; payment stands still; the month's aid of another
programme excludes it; a decision came after the list was built; more was paid before than is owed."""


class NewRun(NamedTuple):
    programme: str
    month: int
    number: int
    at: datetime
    by: str


_TAKE = """
insert into runs (id, programme, month, number, state, built_at, built_by)
values ($1, $2, $3, $4, 'built', $5, $6) on conflict (programme, month, number) do nothing returning id
"""
_FIND = "select id from runs where programme = $1 and month = $2 and number = $3"
_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('payments ' || $1, 0))"
_OPEN = """
select month, number from runs
where programme = $1 and state = 'built' and (month, number) is distinct from ($2, $3)
"""

_RIVALS = """
with rivals as (
  select mine.proceeding_id, other.proceeding_id as rival
  from accounts as other
  join accounts as mine on mine.case_id = other.case_id and mine.proceeding_id <> other.proceeding_id
  where other.programme = any($2::text[]) and mine.programme = $1
    and ($4::uuid is null or mine.proceeding_id = $4)
  union
  select mine.proceeding_id, other.proceeding_id
  from accounts as other
  join account_people as theirs on theirs.proceeding_id = other.proceeding_id
  join account_people as ours on ours.person_id = theirs.person_id
  join accounts as mine
    on mine.proceeding_id = ours.proceeding_id and mine.proceeding_id <> other.proceeding_id
  where other.programme = any($3::text[]) and mine.programme = $1
    and ($4::uuid is null or mine.proceeding_id = $4)
)
"""
"""Accounts of the programme $1 (or only $4), each with those that exclude it: of the programmes $2 in the
same case, of the programmes $3 for the same person.
"""
_EXCLUDED = f"""{_RIVALS}
select proceeding_id, sum(amount_fen)::bigint as fen,
       coalesce(sum(amount_fen) filter (where month = $5), 0)::bigint as regular
from (
  select distinct mine.proceeding_id, month, mine.amount_fen
  from rivals
  join spans as mine using (proceeding_id)
  join spans as theirs on theirs.proceeding_id = rivals.rival and theirs.amount_fen > 0
  cross join lateral generate_series(
    greatest(mine.first_month, theirs.first_month),
    least(coalesce(mine.last_month, $5), coalesce(theirs.last_month, $5), $5)
  ) as month
  where mine.amount_fen > 0
) as months group by proceeding_id
"""  # noqa: S608 - own text
_BUILD = """
insert into lines (run_id, proceeding_id, case_id, division, regular_fen, arrears_fen, amount_fen, held,
                   holder, bank, account, classification)
select $1, proceeding_id, case_id, division, regular, owed - paid_fen - regular,
       greatest(owed - paid_fen, 0),
       case when owed < paid_fen then 'debt' when suspended then 'suspended'
            when payees.case_id is null then 'no_account' when owed = paid_fen then 'stacking' end,
       payees.holder, payees.bank, payees.account, accounts.classification
from accounts
join (
  select proceeding_id, decided.owed - coalesce(excluded.fen, 0) as owed,
         decided.regular - coalesce(excluded.regular, 0) as regular,
         coalesce(excluded.regular, 0) as kept_back
  from (
    select proceeding_id,
           sum(amount_fen * (least(coalesce(last_month, $3), $3) - first_month + 1))::bigint as owed,
           coalesce(sum(amount_fen) filter (
             where amount_fen > 0 and coalesce(last_month, $3) >= $3
           ), 0)::bigint as regular
    from spans where first_month <= $3 group by proceeding_id
  ) as decided
  left join unnest($4::uuid[], $5::bigint[], $6::bigint[]) as excluded (proceeding_id, fen, regular)
    using (proceeding_id)
) as due using (proceeding_id)
left join payees using (case_id)
where programme = $2 and (owed <> paid_fen or kept_back > 0)
order by proceeding_id
"""
"""In the order of the lines' key, so that its index grows at one end and is not split everywhere."""
_WAITS = f"""{_RIVALS}
update lines set held = 'stacking' from rivals join spans as theirs on theirs.proceeding_id = rivals.rival
where lines.run_id = $6 and lines.held is null and lines.proceeding_id = rivals.proceeding_id
  and theirs.amount_fen > 0 and $5 between theirs.first_month and coalesce(theirs.last_month, $5)
"""  # noqa: S608
"""What is paid once is not lost by the month's other aid: it waits for the next list."""


async def build(conn: Connection, new: NewRun, stacking: Sequence[Stacking]) -> tuple[UUID, bool]:
    """Build the list, and say whether it is new: asked for again, it is the one that was built before.

    Every account of the programme that is owed something up to the month has a line: its regular sum of the
    month, and what earlier months left open or paid too much. A month in which another programme excludes it
    is not owed, then or later. Who may not be paid now is held, with why.
    """
    id_ = await conn.fetchval(_TAKE, uuid7(), new.programme, new.month, new.number, new.at, new.by)
    if id_ is None:
        known: UUID = await conn.fetchval(_FIND, new.programme, new.month, new.number)
        return known, False
    rows = await excluded(conn, new.programme, new.month, stacking)
    columns = [[row[name] for row in rows] for name in ("proceeding_id", "fen", "regular")]
    await conn.execute(_BUILD, id_, new.programme, new.month, *columns)
    rivals = _rivals(new.programme, stacking)
    if rivals and _is_paid_once(new.programme):
        await conn.execute(_WAITS, new.programme, *rivals, None, new.month, id_)
    return id_, True


async def excluded(
    conn: Connection,
    programme: str,
    month: int,
    stacking: Sequence[Stacking],
    proceeding_id: UUID | None = None,
) -> Sequence[asyncpg.Record]:
    """What accounts of the programme (or this one) would be owed up to this month but for aid that
    excludes it: proceeding_id, fen, and regular, the part of this very month.
    """
    rivals = _rivals(programme, stacking)
    if rivals is None or _is_paid_once(programme):
        return ()
    return await conn.fetch(_EXCLUDED, programme, *rivals, proceeding_id, month)


def _rivals(programme: str, stacking: Sequence[Stacking]) -> tuple[list[str], list[str]] | None:
    """The programmes that exclude this one in the same household, and for the same person."""
    rules = [rule for rule in stacking if programme in rule.excludes]
    household = [rule.paid for rule in rules if rule.scope == "household"]
    person = [rule.paid for rule in rules if rule.scope == "person"]
    return (household, person) if rules else None


def _is_paid_once(programme: str) -> bool:
    """Whether its help is one sum; a month in which another programme excludes it does not take that away."""
    return WORKFLOWS[programme].per == "once"


async def waiting(conn: Connection, programme: str, month: int, number: int) -> asyncpg.Record | None:
    """Another list of the programme that waits for its approval: month, number. Until the transaction ends
    nobody else builds one, so that no two lists can pay the same arrear.
    """
    await conn.execute(_ONE_AT_A_TIME, programme)
    return await conn.fetchrow(_OPEN, programme, month, number)


_LOCK = "select * from runs where id = $1 for update"
_CHANGED = """
update lines set held = 'changed' from accounts
where run_id = $1 and held is null and accounts.proceeding_id = lines.proceeding_id
  and (accounts.changed_at > $2 or accounts.suspended or not exists (
    select from payees where payees.case_id = lines.case_id and payees.changed_at <= $2
  ))
"""
_PAY = """
with paid as (
  insert into entries (proceeding_id, month, kind, amount_fen, run_id, at, actor)
  select proceeding_id, $2, 'paid', amount_fen, run_id, $3, $4 from lines where run_id = $1 and held is null
  returning proceeding_id, amount_fen
)
update accounts set paid_fen = paid_fen + paid.amount_fen from paid
where accounts.proceeding_id = paid.proceeding_id
"""
_APPROVE = "update runs set state = 'approved', approved_at = $2, approved_by = $3 where id = $1"
_STARTED = """
select case_id, proceeding_id from lines
where run_id = $1 and held is null and not exists (
  select from entries
  where entries.proceeding_id = lines.proceeding_id and kind = 'paid' and entries.run_id <> $1 and at >= (
    select max(at) from decisions
    where decisions.proceeding_id = lines.proceeding_id and decisions.kind = 'grant'
  )
)
"""


async def locked(conn: Connection, run_id: UUID) -> asyncpg.Record | None:
    """The run's row, held until the transaction ends; None where it does not exist."""
    return await conn.fetchrow(_LOCK, run_id)


async def approve(conn: Connection, run: asyncpg.Record, at: datetime, by: str) -> Sequence[asyncpg.Record]:
    """Enter the list into the ledger; whom it pays for the first time since a grant: case_id, proceeding_id.

    A line whose account or payee changed since the list was built is held, and is on the next list as it then
    stands: what two people looked at is what is paid.
    """
    await conn.execute(_CHANGED, run["id"], run["built_at"])
    await conn.execute(_PAY, run["id"], run["month"], at, by)
    await conn.execute(_APPROVE, run["id"], at, by)
    return await conn.fetch(_STARTED, run["id"])


_DISCARD = ("delete from lines where run_id = $1", "delete from runs where id = $1")


async def discard(conn: Connection, run_id: UUID) -> None:
    """Throw away a list that was never approved, so that it can be built anew."""
    for statement in _DISCARD:
        await conn.execute(statement, run_id)


_RETURN = """
with line as (
  update lines set returned = $3 from accounts
  where run_id = $1 and lines.proceeding_id = $2 and held is null and returned is null
    and accounts.proceeding_id = lines.proceeding_id and accounts.paid_fen >= lines.amount_fen
  returning lines.proceeding_id, amount_fen
), entry as (
  insert into entries (proceeding_id, month, kind, amount_fen, run_id, at, actor)
  select proceeding_id, $4, 'returned', -amount_fen, $1, $5, $6 from line
)
update accounts set paid_fen = paid_fen - line.amount_fen from line
where accounts.proceeding_id = line.proceeding_id returning line.amount_fen
"""


async def bank_returned(
    conn: Connection, run: asyncpg.Record, proceeding_id: UUID, reason: str, at: datetime, by: str
) -> int | None:
    """The bank sent a payment back: it is owed again. Its sum; None where it was not paid, or came back."""
    args = (run["id"], proceeding_id, reason, run["month"], at, by)
    back: int | None = await conn.fetchval(_RETURN, *args)
    return back


_REPAID = """
with entry as (
  insert into entries (proceeding_id, month, kind, amount_fen, document, at, actor)
  select proceeding_id, $2, 'repaid', -$3::bigint, $4, $5, $6 from accounts
  where proceeding_id = $1 and paid_fen >= $3::bigint
  returning proceeding_id
)
update accounts set paid_fen = paid_fen - $3 from entry where accounts.proceeding_id = entry.proceeding_id
returning accounts.proceeding_id
"""


async def repaid(
    conn: Connection, proceeding_id: UUID, month: int, amount_fen: int, document: str, at: datetime, by: str
) -> bool:
    """A household gave money back: it is paid no longer. False where so much was never paid."""
    return await conn.fetchval(_REPAID, proceeding_id, month, amount_fen, document, at, by) is not None
