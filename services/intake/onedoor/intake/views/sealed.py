"""What is sealed: reporters, and which protection chain belongs to which household's.

The writer may only insert here. Reading goes through the sealed role, in `unsealed`, and is logged.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg

from onedoor.runtime.service import Connection
from onedoor.runtime.statements import Statement

SEALED_ROLE = "onedoor_intake_sealed"

SEAL = """
insert into sealed_reports (report_id, application_ids, name, phone, caller_role, relations, statement,
                            safe_to_call, anonymous, wants_reply, unread, taken_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
LINK = "insert into sealed_applications (application_id, protection_application) values ($1, $2)"
REPORTS = """
select name, phone, caller_role, relations, statement, safe_to_call, anonymous, wants_reply,
       unread, taken_at
from sealed_reports where application_ids @> array[$1::uuid] order by taken_at, report_id
"""
CHAINS = "select protection_chain from sealed_chains where household_chain = $1"


@dataclass(frozen=True, slots=True)
class Report:
    """Who reported, and in which words. unread: the body as it came, where some of it could not be read."""

    name: str | None
    phone: str | None
    caller_role: str
    statement: str | None
    safe_to_call: bool | None
    anonymous: bool
    wants_reply: bool | None
    relations: Mapping[str, str] = field(default_factory=dict)
    unread: bytes | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing was said that needs sealing."""
        told = (self.name, self.phone, self.statement, self.safe_to_call, self.wants_reply, self.unread)
        return all(value is None for value in told) and not self.anonymous and not self.relations


def kept(report: Report, applications: list[UUID], at: datetime) -> Statement:
    """Stores a report for its applications (the household's part and the sealed one)."""
    return Statement(
        SEAL,
        (
            uuid4(),
            applications,
            report.name,
            report.phone,
            report.caller_role,
            json.dumps(report.relations),
            report.statement,
            report.safe_to_call,
            report.anonymous,
            report.wants_reply,
            report.unread,
            at,
        ),
    )


async def protection_chain(conn: Connection, household_chain: UUID) -> UUID:
    """The protection chain of a household, opened at the first need; its id tells nothing."""
    chain: UUID = await conn.fetchval("select protection_chain($1, $2)", household_chain, uuid4())
    return chain


async def protection_application(conn: Connection, application_id: UUID) -> UUID | None:
    """The sealed part of a household's application, if it has one."""
    found: UUID | None = await conn.fetchval("select protection_application($1)", application_id)
    return found


def linked(application_id: UUID, protection: UUID) -> Statement:
    """Notes that the application has a sealed part."""
    return Statement(LINK, (application_id, protection))


@asynccontextmanager
async def unsealed(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    """A connection under the sealed role, for one transaction. It may read what is sealed and log that."""
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute(f"set local role {SEALED_ROLE}")
        yield conn


async def reports(conn: Connection, application_id: UUID) -> list[asyncpg.Record]:
    """Everything that reporters said of the application, in order; needs `unsealed`."""
    return list(await conn.fetch(REPORTS, application_id))


async def protection_chains(conn: Connection, household_chain: UUID) -> list[UUID]:
    """The protection chains linked to a household's chain; needs `unsealed`."""
    return [row["protection_chain"] for row in await conn.fetch(CHAINS, household_chain)]
