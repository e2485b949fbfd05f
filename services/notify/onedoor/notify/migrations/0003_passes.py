"""Passes: who laid what on whose table, and when. Figures are counted from them."""

from alembic import op

from onedoor.runtime.migrate import protect, sql

revision = "0003"
down_revision = "0002"

TABLE = """
create table passes (
  event_id uuid primary key,
  chain_id uuid not null,
  subject uuid not null,
  kind text not null,
  type text not null,
  department text,
  division text,
  at timestamptz not null,
  receipt text,
  classification text not null
);
create index passes_chain on passes (chain_id);
create index passes_at on passes (at);
"""

REACH = """
coalesce(current_setting('onedoor.own_department', true), '') = ''
and (coalesce(current_setting('onedoor.own_division', true), '') = ''
     or exists (select from referrals where referrals.chain_id = passes.chain_id))
"""
"""Half of a journey would be a wrong one: who sees only the own department's referrals sees none."""


def upgrade() -> None:
    sql(op, TABLE)
    protect(op, "passes", REACH)
