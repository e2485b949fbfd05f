"""Clocks that the sweep set aside: which version of which clock could not take its step, and why."""

from alembic import op

from onedoor.runtime.migrate import protect, sql

revision = "0002"
down_revision = "0001"

TABLES = """
create table stuck (
  id uuid primary key references clocks,
  version integer not null,
  error text not null,
  traceback text not null,
  since timestamptz not null,
  attempts integer not null,
  classification text not null
);
"""
"""`version`: the clock's when it failed; once anything else happens to it, the sweep tries it again."""


def upgrade() -> None:
    sql(op, TABLES)
    protect(op, "stuck", "exists (select from clocks where clocks.id = stuck.id)")
