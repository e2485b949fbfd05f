"""The second wall: what PostgreSQL shows and refuses to each service's roles, in every schema."""

import pkgutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import import_module
from typing import get_args

import asyncpg
import pytest

import onedoor
from onedoor.contracts.core import Actor, Classification
from onedoor.runtime import database as db
from onedoor.runtime.access import Grant
from onedoor.runtime.http import clear
from onedoor.runtime.migrate import migrate
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings
from tests.servers import cloned

CLASSES = get_args(Classification)
OWN = ("events", "aggregates", "pending", "inbox", "dead_letters", "parked", "stopped", "idempotency")
"""Runtime's own tables: no query of a request reads them."""


def services() -> list[Service]:
    """Every service that can be imported."""
    found: list[Service] = []
    for module in pkgutil.iter_modules(onedoor.__path__, "onedoor."):
        try:
            found.append(import_module(f"{module.name}.app").SERVICE)
        except (ModuleNotFoundError, AttributeError):
            continue
    return found


SERVICES = services()
every_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)


@dataclass
class Base:
    """A database with every schema, and its superuser's connection."""

    settings: Settings
    admin: asyncpg.Connection

    async def tables(self, service: Service) -> list[asyncpg.Record]:
        """The tables of a schema: how each is protected, and whether its reader may read it."""
        return await self.admin.fetch(
            """
            select c.relname as name, c.relrowsecurity and c.relforcerowsecurity as walled,
                   exists (select from pg_attribute a where a.attrelid = c.oid
                           and a.attname = 'classification' and not a.attisdropped) as classified,
                   array(select unnest(p.polroles)::regrole::text from pg_policy p
                         where p.polrelid = c.oid) as policies,
                   has_table_privilege($2, c.oid, 'select')
                     or has_any_column_privilege($2, c.oid, 'select') as readable
            from pg_class c where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p') order by 1
            """,
            service.schema,
            service.role("reader"),
        )

    async def fill(self, service: Service, table: str) -> None:
        """One row of every classification, each other column as plain as its type allows."""
        columns = await self.admin.fetch(
            """
            select column_name as name, data_type as type from information_schema.columns
            where table_schema = $1 and table_name = $2 and column_name <> 'classification'
              and is_nullable = 'NO' and column_default is null and is_identity = 'NO'
            """,
            service.schema,
            table,
        )
        names = "".join(f', "{column["name"]}"' for column in columns)
        values = "".join(f", {PLAIN[column['type']]}" for column in columns)
        async with self.admin.transaction():
            await self.admin.execute("set local session_replication_role = replica")
            for name in CLASSES:
                await self.admin.execute(
                    f"insert into {service.schema}.{table} (classification{names}) values ($1{values})", name
                )


PLAIN = {
    "uuid": "gen_random_uuid()",
    "text": "gen_random_uuid()::text",
    "integer": "(random() * 1e9)::integer",
    "smallint": "1",
    "bigint": "(random() * 1e15)::bigint",
    "boolean": "false",
    "jsonb": "'{}'",
    "ARRAY": "'{}'",
    "bytea": "''",
    "date": "'2026-03-01'",
    "timestamp with time zone": "'2026-03-01T09:00+08:00'",
}


@pytest.fixture(scope="module")
async def base(template_database: str) -> AsyncIterator[Base]:
    async with cloned(template_database) as dsn:
        settings = Settings(environment="test", postgres=dsn, pool_size=1)
        for service in SERVICES:
            await migrate(service, settings)
        admin = await asyncpg.connect(dsn)
        yield Base(settings, admin)
        await admin.close()


def unprotected(service: Service, tables: list[asyncpg.Record]) -> list[str]:
    """Tables with a classification that lack the wall or the policies of the service's own code."""
    own = {service.role("owner"), service.role("writer")}
    return [
        table["name"]
        for table in tables
        if table["classified"]
        and not (
            table["walled"]
            and own <= set(table["policies"])
            and (not table["readable"] or service.role("reader") in table["policies"])
        )
    ]


def test_the_services_are_found() -> None:
    assert {"intake", "notify", "assistance", "child-welfare", "desk"} <= {each.name for each in SERVICES}


@every_service
async def test_a_table_with_a_classification_has_its_policies(base: Base, service: Service) -> None:
    tables = await base.tables(service)
    assert {"events", "aggregates"} <= {table["name"] for table in tables if table["classified"]}
    assert unprotected(service, tables) == []


async def test_a_table_with_a_classification_and_no_policy_is_found(base: Base) -> None:
    service = SERVICES[0]
    transaction = base.admin.transaction()
    await transaction.start()
    await base.admin.execute(f"create table {service.schema}.bare (classification text)")
    assert unprotected(service, await base.tables(service)) == ["bare"]
    await base.admin.execute(f"alter table {service.schema}.bare enable row level security")
    assert unprotected(service, await base.tables(service)) == ["bare"]
    await transaction.rollback()


@every_service
async def test_the_reader_reads_nothing_unprotected(base: Base, service: Service) -> None:
    tables = await base.tables(service)
    readable = {table["name"] for table in tables if table["readable"]}
    assert not readable & set(OWN)
    assert {table["name"] for table in tables if table["readable"] and not table["walled"]} == set()


@every_service
async def test_without_a_clearance_no_row_and_with_one_no_other(base: Base, service: Service) -> None:
    tables = [table["name"] for table in await base.tables(service) if table["classified"]]
    readable = [table["name"] for table in await base.tables(service) if table["readable"]]
    for table in tables:
        await base.fill(service, table)
    pool = await db.pool(service, base.settings, "reader")
    try:
        for table in (name for name in tables if name in readable):
            count = f"select array_agg(classification) from {table}"
            assert await pool.fetchval(count) is None, f"{table} without a clearance"
            for name in CLASSES:
                actor = Actor(person="dev", role="everything")
                async with pool.acquire() as conn, conn.transaction():
                    await clear(conn, actor, Grant(classifications=frozenset({name})))
                    assert set(await conn.fetchval(count) or ()) <= {name}, f"{table} cleared for {name}"
            assert await pool.fetchval(count) is None, f"{table} after a clearance"
    finally:
        pool.terminate()


@every_service
async def test_two_requests_on_one_pooled_connection_see_their_own(base: Base, service: Service) -> None:
    pool = await db.pool(service, base.settings, "reader")
    facts = "select current_setting('onedoor.role', true), current_setting('onedoor.clearance', true)"
    wide, narrow = Grant(classifications=frozenset(CLASSES)), Grant(classifications=frozenset({"public"}))
    pids: set[int] = set()
    try:
        for role, grant, clearance in [
            ("everything", wide, ",".join(sorted(CLASSES))),
            ("leader", narrow, "public"),
        ] * 2:
            async with pool.acquire() as conn:
                pids.add(await conn.fetchval("select pg_backend_pid()"))
                async with conn.transaction():
                    await clear(conn, Actor(person="dev", role=role), grant)
                    assert tuple(await conn.fetchrow(facts) or ()) == (role, clearance)
                assert not any(await conn.fetchrow(facts) or (True,))
        assert len(pids) == 1
    finally:
        pool.terminate()


@every_service
@pytest.mark.parametrize("statement", ["update {} set {} = {}", "delete from {}", "truncate {}"])
@pytest.mark.parametrize(("table", "column"), [("events", "type"), ("access_log", "purpose")])
async def test_what_happened_is_not_changed_by_the_writer(
    base: Base, service: Service, statement: str, table: str, column: str
) -> None:
    writer = await db.connect(service, base.settings, "writer")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await writer.execute(statement.format(table, column, column))
    finally:
        await writer.close()


@every_service
async def test_no_role_goes_around_the_policies_or_into_another_schema(base: Base, service: Service) -> None:
    names = [service.role(kind) for kind in ("owner", "writer", "reader")]
    strong = await base.admin.fetch(
        "select rolname from pg_roles where rolname = any($1) and (rolsuper or rolbypassrls or rolcanlogin)",
        names,
    )
    assert strong == []
    others = [other.schema for other in SERVICES if other.name != service.name]
    entered = await base.admin.fetch(
        "select r, s from unnest($1::text[]) r, unnest($2::text[]) s "
        "where has_schema_privilege(r, s, 'usage')",
        names,
        others,
    )
    assert entered == []
