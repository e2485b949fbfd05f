"""Bring one service's schema to what this code needs: roles, runtime's own tables, the service's versions.

Everything happens in one transaction under an advisory lock, so that any number of processes may try at once.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from onedoor.contracts.core import Decider
from onedoor.contracts.registry import model_for
from onedoor.runtime import clock, http, idempotency, letters, store
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings

log = logging.getLogger(__name__)

STORE_DDL = """
create table events (
  position bigint generated always as identity primary key,
  id uuid not null unique,
  aggregatetype text not null,
  aggregateid uuid not null,
  version integer not null,
  type text not null,
  eventversion integer not null,
  payload jsonb,
  topic text,
  key text,
  classification text not null,
  actor text not null,
  cause uuid,
  traceparent text,
  time timestamptz not null,
  chain_id uuid,
  recorded_at timestamptz not null default now(),
  unique (aggregatetype, aggregateid, version)
);
create table pending (
  position bigint primary key,
  failed text
);
create table aggregates (
  kind text not null,
  id uuid not null,
  version integer not null,
  fold integer not null,
  state jsonb not null,
  chain_id uuid,
  classification text not null,
  primary key (kind, id)
);
create table inbox (
  event_id uuid primary key,
  topic text not null,
  partition integer not null,
  "offset" bigint not null,
  outcome text not null,
  reason text,
  handled_at timestamptz not null default now()
);
create function is_everything() returns boolean language sql stable
  as $$ select coalesce(current_setting('onedoor.role', true), '') = 'everything' $$;
"""

FAILED_DDL = "create index pending_failed on pending (position) where failed is not null;"
"""The relay asks for these with every page."""

STEPS: Sequence[str] = (STORE_DDL + letters.DDL + idempotency.DDL + http.ACCESS_LOG_DDL, FAILED_DDL)
"""Runtime's own tables, step by step; a step that has once been released is never changed."""

WALL = """
alter table {table} enable row level security;
alter table {table} force row level security;
create policy owner_all on {table} to {owner} using (true) with check (true);
create policy writer_all on {table} to {writer} using (true) with check (true);
"""
"""The service's own code sees all; nobody else sees anything."""

CLEARED = """
create policy reader_cleared on {table} for select to {reader} using (
  classification = any (string_to_array(current_setting('onedoor.clearance', true), ',')) and ({using}));
grant select on {table} to {reader};
"""


def sql(op: Any, statements: str) -> None:
    """Run any number of hand-written statements inside the migration; `op` is Alembic's."""
    _run(op.get_bind(), statements)


def protect(op: Any, table: str, using: str = "true") -> None:
    """Put a table with a `classification` column behind row-level security.

    The reader sees a row only with its classification in the transaction's clearance and where `using` holds.
    """
    connection = op.get_bind()
    schema = connection.scalar(text("select current_schema()"))
    _run(connection, protection(schema, table, using))


def protection(schema: str, table: str, using: str = "true") -> str:
    """The statements of `protect`, to be run as the schema's owner."""
    return (WALL + CLEARED).format(table=table, using=using, **_role_names(schema))


def _role_names(schema: str) -> dict[str, str]:
    return {kind: f"onedoor_{schema}_{kind}" for kind in ("owner", "writer", "reader")}


def _run(connection: SyncConnection, statements: str) -> None:
    raw = connection.connection.dbapi_connection
    assert raw is not None
    raw.run_async(lambda conn: conn.execute(statements))


async def migrate(service: Service, settings: Settings) -> None:
    """Create or upgrade the service's schema in `settings.postgres`, and fold anew what changed.

    Raises what PostgreSQL raises; then nothing has changed.
    """
    engine = create_async_engine(
        settings.postgres.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool
    )
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade, service, settings)
    finally:
        await engine.dispose()
    await _refold(service, settings)


def _upgrade(connection: SyncConnection, service: Service, settings: Settings) -> None:
    schema = service.schema
    connection.execute(text("select pg_advisory_xact_lock(hashtext('onedoor.migrate'))"))
    _run(connection, _roles(service))
    if settings.environment != "prod":
        _run(connection, clock.DDL)
    _run(connection, f"set local role {service.role('owner')}; set local search_path to {schema}")
    _runtime_steps(connection, service)
    _alembic(connection, schema, service.migrations)
    _run(connection, "reset role")


def _roles(service: Service) -> str:
    owner, writer, reader = (service.role(kind) for kind in ("owner", "writer", "reader"))
    create = "\n".join(
        f"do $$ begin create role {role} nologin; exception when duplicate_object or unique_violation "
        "then null; end $$;"
        for role in (owner, writer, reader)
    )
    schema = service.schema
    return f"""
    {create}
    create schema if not exists {schema} authorization {owner};
    grant usage on schema {schema} to {writer}, {reader};
    alter default privileges for role {owner} in schema {schema}
      grant select, insert, update, delete on tables to {writer};
    alter default privileges for role {owner} in schema {schema} grant usage on sequences to {writer};
    """


def _runtime_steps(connection: SyncConnection, service: Service) -> None:
    _run(connection, "create table if not exists runtime_steps (step integer primary key)")
    done = set(connection.scalars(text("select step from runtime_steps")))
    for step, statements in enumerate(STEPS, 1):
        if step in done:
            continue
        _run(connection, statements)
        if step == 1:
            _run(connection, f"revoke update, delete on events from {service.role('writer')}")
            _run(connection, f"revoke update, delete on access_log from {service.role('writer')}")
            for table in ("events", "aggregates"):
                _run(connection, WALL.format(table=table, **_role_names(service.schema)))
            _run(connection, f"grant insert on access_log to {service.role('reader')}")
        connection.execute(text("insert into runtime_steps values (:step)"), {"step": step})


def _alembic(connection: SyncConnection, schema: str, folder: Path) -> None:
    """Run the service's own versions up to head; the version table lies in its schema."""
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("version_locations", str(folder))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def upgrade(revision: Any, context: Any) -> Any:
        return script._upgrade_revs("head", revision)

    with EnvironmentContext(config, script, fn=upgrade, destination_rev="head") as environment:
        environment.configure(
            connection=connection, version_table="alembic_version", version_table_schema=schema
        )
        environment.run_migrations()


async def _refold(service: Service, settings: Settings) -> None:
    """Fold the stored state of every aggregate anew whose decider's fold has another version."""
    conn = await asyncpg.connect(
        settings.postgres,
        server_settings={"role": service.role("owner"), "search_path": service.schema},
    )
    try:
        for decider in service.deciders:
            if decider.name not in service.stores:
                async with conn.transaction():
                    await _refold_kind(conn, decider)
    finally:
        await conn.close()


async def _refold_kind(conn: asyncpg.Connection, decider: Decider[Any]) -> None:
    stale = await conn.fetch(
        "select id from aggregates where kind = $1 and fold <> $2 order by id for update",
        decider.name,
        decider.fold,
    )
    for row in stale:
        state, _ = await folded(conn, decider, row["id"])
        await conn.execute(
            "update aggregates set state = $3, fold = $4 where kind = $1 and id = $2",
            decider.name,
            row["id"],
            state.model_dump_json(),
            decider.fold,
        )
    if stale:
        log.info("folded anew: %s %s", len(stale), decider.name)


async def folded(conn: asyncpg.Connection, decider: Decider[Any], id_: Any) -> tuple[Any, int]:
    """The state of one aggregate folded from its archived events, and its version.

    What an erasure has nulled counts as if it had not happened.
    """
    state, version = decider.initial(), 0
    for row in await conn.fetch(store.HISTORY, decider.name, id_):
        version = row["version"]
        if row["payload"] is not None:
            model = event_model(decider, row["type"], row["eventversion"])
            state = decider.evolve(state, model.model_validate_json(row["payload"]))
    return state, version


def event_model(decider: Decider[Any], type_: str, version: int) -> Any:
    """The model of an archived event, be it one that concerns nobody outside and so stands in no registry."""
    return model_for(type_, version) or next(event for event in decider.internal if event.type == type_)
