"""Leads: what the rules say otherwise of a household than its enrolments do."""

from alembic import op

from onedoor.runtime.migrate import protect, sql

revision = "0006"
down_revision = "0005"

TABLES = """
create table leads (
  id uuid primary key,
  case_id uuid not null,
  programme text not null,
  person_id uuid,
  kind text not null,
  amount_fen bigint,
  state text not null,
  result text,
  found_at timestamptz not null,
  seen_at timestamptz not null,
  settled_at timestamptz,
  settled_by text,
  division text,
  classification text not null
);
create unique index leads_once on leads (case_id, programme, coalesce(person_id, case_id), kind)
where state = 'open';
"""

DIVISION = """
coalesce(current_setting('onedoor.own_division', true), '') = ''
or division = current_setting('onedoor.division', true)
"""


def upgrade() -> None:
    sql(op, TABLES)
    protect(op, "leads", DIVISION)
