"""Payments: accounts with what they owe, the lists that pay it, and the ledger."""

from alembic import op

from onedoor.runtime.migrate import protect, sql

revision = "0003"
down_revision = "0001"

# Lines and entries are made from accounts and runs by one statement each: a foreign key would look every row
# up again, and nothing ever deletes an account or an approved run.
TABLES = """
create table accounts (
  proceeding_id uuid primary key,
  case_id uuid not null,
  application_id uuid not null,
  chain_id uuid not null,
  programme text not null,
  person_id uuid,
  division text,
  changed_at timestamptz not null,
  suspended boolean not null,
  paid_fen bigint not null,
  classification text not null
);
create index accounts_programme on accounts (programme);
create index accounts_case on accounts (case_id);

create table account_people (
  proceeding_id uuid not null references accounts,
  person_id uuid not null,
  primary key (person_id, proceeding_id)
);

create table decisions (
  position bigint generated always as identity,
  decision_id uuid primary key,
  proceeding_id uuid not null references accounts,
  kind text not null,
  per text not null,
  amount_fen bigint not null check (amount_fen >= 0),
  first_month int not null,
  last_month int,
  at timestamptz not null,
  classification text not null default 'internal'
);
create index decisions_proceeding on decisions (proceeding_id);

create table spans (
  proceeding_id uuid not null references accounts,
  decision_id uuid not null references decisions,
  first_month int not null,
  last_month int,
  amount_fen bigint not null check (amount_fen <> 0),
  classification text not null default 'internal',
  primary key (proceeding_id, decision_id)
);

create table payees (
  case_id uuid primary key,
  holder text not null,
  bank text not null,
  account text not null,
  changed_at timestamptz not null,
  changed_by text not null,
  classification text not null
);

create table runs (
  id uuid primary key,
  programme text not null,
  month int not null,
  number int not null,
  state text not null,
  built_at timestamptz not null,
  built_by text not null,
  approved_at timestamptz,
  approved_by text,
  classification text not null default 'internal',
  unique (programme, month, number)
);
create unique index runs_one_waits on runs (programme) where state = 'built';

create table lines (
  run_id uuid not null,
  proceeding_id uuid not null,
  case_id uuid not null,
  division text,
  regular_fen bigint not null,
  arrears_fen bigint not null,
  amount_fen bigint not null check (amount_fen >= 0),
  held text,
  returned text,
  holder text,
  bank text,
  account text,
  classification text not null,
  primary key (run_id, proceeding_id)
);

create table entries (
  position bigint generated always as identity primary key,
  proceeding_id uuid not null,
  month int not null,
  kind text not null,
  amount_fen bigint not null,
  run_id uuid,
  document text,
  at timestamptz not null,
  actor text not null,
  classification text not null default 'internal'
);
create index entries_proceeding on entries (proceeding_id);
create unique index entries_once on entries (run_id, proceeding_id, kind) where run_id is not null;
"""

DIVISION = """
coalesce(current_setting('onedoor.own_division', true), '') = ''
or division = current_setting('onedoor.division', true)
"""
OF_ACCOUNT = "exists (select from accounts where accounts.proceeding_id = {table}.proceeding_id)"
"""What belongs to an account is as hidden as the account."""
OF_PAID_CASE = "exists (select from accounts where accounts.case_id = payees.case_id)"
OF_CASE = "exists (select from cases where cases.id = payees.case_id)"


def upgrade() -> None:
    sql(op, TABLES)
    protect(op, "accounts", DIVISION)
    protect(op, "lines", DIVISION)
    protect(op, "payees", f"{OF_CASE} or {OF_PAID_CASE}")
    protect(op, "runs")
    for table in ("decisions", "spans", "entries"):
        protect(op, table, OF_ACCOUNT.format(table=table))
