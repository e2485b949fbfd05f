"""To which account a case is paid is proposed by one person and confirmed by another."""

from alembic import op

from onedoor.runtime.migrate import protect, sql

revision = "0012"
down_revision = "0011"

TABLES = """
create table payee_changes (
  id uuid primary key,
  case_id uuid not null,
  holder text not null,
  bank text not null,
  account text not null,
  document text not null,
  state text not null,
  asked_at timestamptz not null,
  asked_by text not null,
  settled_at timestamptz,
  settled_by text,
  classification text not null
);
create unique index payee_changes_open on payee_changes (case_id) where state = 'open';
create index payee_changes_case on payee_changes (case_id);
"""
OF_CASE = """
exists (select from cases where cases.id = payee_changes.case_id)
or exists (select from accounts where accounts.case_id = payee_changes.case_id)
"""


def upgrade() -> None:
    sql(op, TABLES)
    protect(op, "payee_changes", OF_CASE)
