"""The read model: how it is written, and every question the pages ask of it. SQL in named functions.

Reading functions take a connection under the reader role, cleared for the one who asks: what row-level
security hides is simply absent. Business time comes as `now`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import to_json

from onedoor.runtime.service import Connection
from onedoor.runtime.statements import Statement

CHANNEL = "onedoor_desk_changed"
CLOSENESS = ["public", "internal", "restricted", "child"]
MOST_TOLD = 100

Record = asyncpg.Record


@dataclass(frozen=True, slots=True)
class Table:
    """How one table is written.

    columns: name to SQL type; stamped: column to the column with the id of the event that gave its value;
    latest: columns that keep the greater value; special: columns with an expression of their own.
    """

    key: str
    columns: Mapping[str, str]
    stamped: Mapping[str, str] = field(default_factory=dict)
    latest: frozenset[str] = frozenset()
    special: Mapping[str, str] = field(default_factory=dict)

    def upsert(self, name: str) -> str:
        """One statement that merges a JSON list of rows into the table; nothing new, nothing written."""
        quoted = ", ".join(f'"{column}"' for column in self.columns)
        typed = ", ".join(f'"{column}" {type_}' for column, type_ in self.columns.items())
        merged = {f'"{column}"': self._merged(column) for column in self.columns if column != self.key}
        changed = ",\n  ".join(f"{column} = {value}" for column, value in merged.items())
        stood = ", ".join(f"old.{column}" for column in merged)
        return (
            f"insert into {name} as old ({quoted})\n"
            f"select {quoted} from jsonb_to_recordset($1::jsonb) as row ({typed}) order by {self.key}\n"
            f"on conflict ({self.key}) do update set\n  {changed}\n"
            f"where ({', '.join(merged.values())}) is distinct from ({stood})"
        )

    def _merged(self, column: str) -> str:
        new, old = f'excluded."{column}"', f'old."{column}"'
        if column in self.special:
            return self.special[column]
        if column in self.latest:
            return f"greatest({new}, {old})"
        if (stamp := self.stamped.get(column)) is not None:
            newer = (
                f"excluded.{stamp} >= old.{stamp} or (old.{stamp} is null and excluded.{stamp} is not null)"
            )
            return f"case when {newer} then coalesce({new}, {old}) else {old} end"
        return f"coalesce({new}, {old})"


def _columns(**types: str) -> dict[str, str]:
    return {name.rstrip("_"): type_ for name, type_ in types.items()}


def _by(stamp: str, *columns: str) -> dict[str, str]:
    return dict.fromkeys((*columns, stamp), stamp)


_EARLIER = "case when excluded.first_event < old.first_event then excluded.{0} else old.{0} end"
_CLOSEST = (
    "(array['public', 'internal', 'restricted', 'child'])[greatest("
    "array_position(array['public', 'internal', 'restricted', 'child'], excluded.classification), "
    "array_position(array['public', 'internal', 'restricted', 'child'], old.classification))]"
)

TABLES: Mapping[str, Table] = {
    "chains": Table(
        "chain_id",
        _columns(chain_id="uuid", application_id="uuid", receipt="text", opened_at="timestamptz",
                 division="text", department="text", sealed="boolean", child="boolean", first_event="uuid",
                 classification="text"),
        special={
            **{name: _EARLIER.format(name) for name in ("application_id", "receipt", "opened_at", "division",
                                                        "department", "first_event")},
            "sealed": "excluded.sealed or old.sealed",
            "child": "excluded.child or old.child",
            "classification": _CLOSEST,
        },
    ),
    "applications": Table(
        "application_id",
        _columns(application_id="uuid", chain_id="uuid", receipt="text", kind="text", channel="text",
                 caller_role="text", received_at="timestamptz", place_division="text",
                 household_size="integer", needs="jsonb", emergency="text", subjects="jsonb", plan="jsonb",
                 withdrawn_at="timestamptz", facts_event="uuid", classification="text"),
        stamped=_by("facts_event", "receipt", "kind", "channel", "caller_role", "received_at",
                    "place_division", "household_size", "needs", "emergency", "subjects", "plan",
                    "classification"),
    ),
    "timeline": Table(
        "event_id",
        _columns(event_id="uuid", chain_id="uuid", time="timestamptz", service="text", department="text",
                 type="text", referral_id="uuid", role="text", facts="jsonb", classification="text"),
    ),
    "cases": Table(
        "case_id",
        _columns(case_id="uuid", chain_id="uuid", application_id="uuid", service="text", state="text",
                 state_at="timestamptz", state_event="uuid", urgency="text", urgency_event="uuid",
                 opened_at="timestamptz", programmes="jsonb", outcome="text", classification="text"),
        stamped={**_by("state_event", "state", "state_at"), **_by("urgency_event", "urgency")},
    ),
    "referrals": Table(
        "referral_id",
        _columns(referral_id="uuid", chain_id="uuid", application_id="uuid", rule="text", from_="text",
                 to="text", to_division="text", urgency="text", state="text", state_at="timestamptz",
                 state_event="uuid", sent_at="timestamptz", due_ack="timestamptz", due_action="timestamptz",
                 due_finish="timestamptz", due_event="uuid", acknowledged_at="timestamptz",
                 acted_at="timestamptz", answered_at="timestamptz", ended_at="timestamptz", outcome="text",
                 reason="text", replaces="uuid", extension_until="timestamptz",
                 extension_asked_at="timestamptz", extension_decided_at="timestamptz", child="boolean",
                 classification="text"),
        stamped={
            **_by("state_event", "from", "to", "to_division", "urgency", "state", "state_at", "outcome",
                  "reason"),
            **_by("due_event", "due_finish"),
        },
        latest=frozenset({"acknowledged_at", "acted_at", "answered_at", "ended_at", "extension_asked_at",
                          "extension_decided_at"}),
    ),
    "clocks": Table(
        "clock_id",
        _columns(clock_id="uuid", chain_id="uuid", duty="text", subject="uuid", owner="text",
                 owner_division="text", referral_id="uuid", state="text", state_event="uuid",
                 started_at="timestamptz", limit="text", source="text", certainty="text",
                 due_at="timestamptz", provisional="boolean", due_event="uuid", breached_at="timestamptz",
                 met_at="timestamptz", late_seconds="integer", step="integer", child="boolean",
                 classification="text"),
        stamped={**_by("state_event", "state"), **_by("due_event", "due_at", "provisional")},
        latest=frozenset({"breached_at", "met_at", "step"}),
    ),
}  # fmt: skip

_UPSERTS = {name: table.upsert(name) for name, table in TABLES.items()}


def merging(table: str, rows: Collection[Mapping[str, Any]]) -> Statement:
    """The write that merges rows into a table as one set; a column that a row lacks keeps its value."""
    return Statement(_UPSERTS[table], (to_json(list(rows)).decode(),))


_FOLLOW_CLOCKS = """
update referrals r set due_ack = coalesce(c.ack, r.due_ack), due_action = coalesce(c.action, r.due_action),
  due_finish = coalesce(c.finish, r.due_finish)
from (
  select referral_id, max(due_at) filter (where duty = 'ack') as ack,
    max(due_at) filter (where duty = 'action') as action, max(due_at) filter (where duty = 'finish') as finish
  from clocks where referral_id = any($1::uuid[]) group by referral_id) as c
where r.referral_id = c.referral_id
"""


async def follow_clocks(conn: Connection, referrals: Collection[UUID]) -> None:
    """Let the limits of these referrals be those of their clocks, which pauses and notices move."""
    if referrals:
        await conn.execute(_FOLLOW_CLOCKS, list(referrals))


async def announce(conn: Connection, chains: Collection[UUID]) -> None:
    """Tell the open pages, once the transaction is committed, which chains have changed (`*`: many)."""
    told = "*" if len(chains) > MOST_TOLD else ",".join(sorted(map(str, chains)))
    await conn.execute("select pg_notify($1, $2)", CHANNEL, told)


async def has_arrived(pool: asyncpg.Pool, event_id: UUID) -> bool:
    """Whether the desk has worked off that event."""
    return bool(await pool.fetchval("select exists (select from inbox where event_id = $1)", event_id))


OPEN = "r.state in ('sent', 'acknowledged', 'acted', 'extended', 'reopened')"
"""Somebody has to do something about the referral."""

HELD = f"""
(({OPEN} or (r.state = 'returned' and r.urgency = 'critical'))
 and not exists (select from referrals taken
                 where taken.replaces = r.referral_id and taken.acknowledged_at is not null))
"""
"""A critical referral that is disputed stays with its first receiver (首接负责)."""

DUE = """
case when r.state = 'sent' and r.due_ack is not null then r.due_ack
     when r.due_action is not null and r.acted_at is null and r.state <> 'reopened' then r.due_action
     else r.due_finish end
"""
"""The next limit of an open referral."""

OVERDUE = f"({OPEN} and (({DUE}) < $1 or r.due_finish < $1))"

ASKS = "coalesce(r.extension_asked_at > coalesce(r.extension_decided_at, '-infinity'), false)"
"""Its receiver has asked for more time and its sender has not decided yet."""

_REFERRAL = f"""
select r.*, ({DUE}) as due, coalesce({OVERDUE}, false) as overdue, {HELD} as held, {ASKS} as asks_for_time,
       exists (select from referrals next where next.replaces = r.referral_id) as handed_on,
       c.receipt, c.sealed, c.opened_at as chain_opened_at
from referrals r left join chains c using (chain_id)
"""  # noqa: S608 -- no input in it


async def work(
    conn: Connection, now: datetime, department: str | None, division: str | None, limit: int = 200
) -> list[Record]:
    """Open referrals addressed to a department (None: to any), overdue first, then by the next limit.

    division: those named for it or for no division at all.
    """
    return await conn.fetch(
        f"""{_REFERRAL} where {HELD} and ($2::text is null or r."to" = $2)
        and ($3::text is null or r.to_division is null or left(r.to_division, 9) = left($3, 9))
        order by overdue desc, due, r.referral_id limit $4""",
        now, department, division, limit,
    )  # fmt: skip


async def answered(conn: Connection, department: str | None, limit: int = 10) -> list[Record]:
    """What the department has lately answered or returned."""
    return await conn.fetch(
        """select r.*, c.receipt from referrals r left join chains c using (chain_id)
        where r.state in ('answered', 'returned', 'verified', 'closed') and ($1::text is null or r."to" = $1)
        order by r.state_at desc limit $2""",
        department, limit,
    )  # fmt: skip


_SENT = f"""
select * from ({_REFERRAL}) as r
where ($2::text is null or r."from" = $2) and r.state not in ('closed', 'revoked')
and not (r.state = 'returned' and r.handed_on)
order by (r.asks_for_time or r.state in ('answered', 'returned', 'verified', 'drafted')) desc,
         r.due_finish, r.referral_id limit $3
"""  # noqa: S608 -- no input in it


async def sent(conn: Connection, now: datetime, department: str | None, limit: int = 200) -> list[Record]:
    """What a department has sent (None: any) and is not closed: what waits for it first, then by the end."""
    return await conn.fetch(_SENT, now, department, limit)


async def referral(conn: Connection, referral_id: UUID, now: datetime) -> Record | None:
    """One referral with its next limit."""
    return await conn.fetchrow(f"{_REFERRAL} where r.referral_id = $2", now, referral_id)


CHAIN_PAGE = f"""
select c.chain_id, c.receipt, c.opened_at, c.division, c.sealed, c.child, c.application_id,
       coalesce(r.open, 0) as open, coalesce(r.overdue, 0) as overdue, r.holders, r.due, r.urgency,
       coalesce(k.cases, 0) as cases, a.withdrawn_at, a.channel, t.last_at
from chains c
left join applications a on a.application_id = c.application_id
left join lateral (
  select count(*) filter (where {HELD}) as open, count(*) filter (where {OVERDUE}) as overdue,
         min({DUE}) filter (where {HELD}) as due, array_agg(distinct r."to") filter (where {HELD}) as holders,
         min(array_position(array['critical', 'urgent', 'ordinary'], r.urgency)) as urgency
  from referrals r where r.chain_id = c.chain_id) r on true
left join lateral (select count(*) as cases from cases where cases.chain_id = c.chain_id) k on true
left join lateral (
  select max(time) as last_at from timeline where timeline.chain_id = c.chain_id) t on true
where ($2::timestamptz is null or (c.opened_at, c.chain_id) < ($2, $3))
  and ($4::text is null or c.receipt ilike '%' || $4 || '%')
  and (not $5::boolean or coalesce(r.overdue, 0) > 0)
order by c.opened_at desc, c.chain_id desc limit $6
"""  # noqa: S608 -- no input in it


async def chains(
    conn: Connection,
    now: datetime,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    receipt: str | None = None,
    overdue: bool = False,
) -> list[Record]:
    """Help chains, newest first: at most `limit + 1`, so that one too many tells of a next page."""
    at, id_ = before or (None, None)
    return await conn.fetch(CHAIN_PAGE, now, at, id_, receipt or None, overdue, limit + 1)


async def chain(conn: Connection, chain_id: UUID) -> Record | None:
    """One help chain, or None: it does not exist or may not be seen."""
    return await conn.fetchrow("select * from chains where chain_id = $1", chain_id)


async def chain_of_receipt(conn: Connection, receipt: str) -> UUID | None:
    """The chain whose first or later application has this receipt."""
    found: UUID | None = await conn.fetchval(
        "select chain_id from applications where receipt = $1 and chain_id in (select chain_id from chains)",
        receipt,
    )
    return found


async def applications(conn: Connection, chain_ids: Sequence[UUID]) -> list[Record]:
    """The applications of chains, oldest first."""
    return await conn.fetch(
        "select * from applications where chain_id = any($1::uuid[]) order by received_at, application_id",
        chain_ids,
    )


async def timeline(conn: Connection, chain_ids: Sequence[UUID]) -> list[Record]:
    """What has happened, by event time and id; the rule and the receiver of a clock's referral beside it."""
    return await conn.fetch(
        """select t.*, r.rule, r."to" from timeline t left join referrals r using (referral_id)
        where t.chain_id = any($1::uuid[]) order by t.time, t.event_id""",
        chain_ids,
    )


async def cases(conn: Connection, chain_ids: Sequence[UUID]) -> list[Record]:
    """The cases of chains, in the order of their opening."""
    return await conn.fetch(
        """select * from cases where chain_id = any($1::uuid[]) and state is not null
        order by opened_at, case_id""",
        chain_ids,
    )


async def referrals(conn: Connection, chain_ids: Sequence[UUID], now: datetime) -> list[Record]:
    """The referrals of chains, in the order of their sending."""
    return await conn.fetch(
        f"{_REFERRAL} where r.chain_id = any($2::uuid[]) order by r.sent_at, r.rule, r.referral_id",
        now,
        chain_ids,
    )


async def clocks(conn: Connection, chain_ids: Sequence[UUID]) -> list[Record]:
    """The clocks of chains that have opened, by what falls due first."""
    return await conn.fetch(
        """select k.*, r.rule, r."to", r.urgency from clocks k left join referrals r using (referral_id)
        where k.chain_id = any($1::uuid[]) and k.due_at is not null
        order by k.due_at, k.clock_id""",
        chain_ids,
    )


async def waiting(conn: Connection, chain_ids: Iterable[UUID]) -> Record:
    """How many of these chains are known and how many of them concern a child: figures only."""
    (row,) = await conn.fetch(
        """select count(*) as chains, count(*) filter (where child) as children
        from chains where chain_id = any($1::uuid[])""",
        list(chain_ids),
    )
    return row
