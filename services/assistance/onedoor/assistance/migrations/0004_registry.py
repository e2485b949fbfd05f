"""The low-income registry: enrolments, and the differences to other offices' lists."""

from alembic import op

from onedoor.runtime.migrate import protect, sql

revision = "0004"
down_revision = "0003"

TABLES = """
create table enrolments (
  id bigint generated always as identity primary key,
  proceeding_id uuid not null,
  case_id uuid not null,
  chain_id uuid not null,
  programme text not null,
  person_id uuid,
  division text,
  since date not null,
  until date,
  taper boolean not null,
  classification text not null
);
create unique index enrolments_open on enrolments (proceeding_id) where until is null;
create index enrolments_case on enrolments (case_id);

create table lists (
  id uuid primary key,
  source text not null,
  month text not null,
  digest text not null,
  rows int not null,
  loaded_at timestamptz not null,
  loaded_by text not null,
  unique (source, month, digest)
);

create table differences (
  id uuid primary key,
  list_id uuid not null references lists,
  source text not null,
  month text not null,
  kind text not null,
  case_id uuid,
  person_id uuid,
  name text not null,
  birth date,
  division text,
  state text not null,
  result text,
  found_at timestamptz not null,
  settled_at timestamptz,
  settled_by text,
  classification text not null
);
create index differences_open on differences (found_at, id) where state = 'open';
"""

DIVISION = """
coalesce(current_setting('onedoor.own_division', true), '') = ''
or division = current_setting('onedoor.division', true)
"""


def upgrade() -> None:
    sql(op, TABLES)
    protect(op, "enrolments", DIVISION)
    protect(op, "differences", DIVISION)
