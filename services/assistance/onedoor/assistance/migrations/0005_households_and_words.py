"""Households' files, what decisions were computed from, and the words kept beside the coded steps."""

from alembic import op

from onedoor.runtime.migrate import protect, sql

revision = "0005"
down_revision = "0004"

TABLES = """
create table households (
  case_id uuid primary key,
  digest text,
  file jsonb,
  draft jsonb,
  changed_at timestamptz not null,
  classification text not null
);
create table household_members (
  case_id uuid not null,
  person_id uuid not null,
  primary key (person_id, case_id)
);
create index household_members_case on household_members (case_id);
create table evidence (
  case_id uuid not null,
  digest text not null,
  decision jsonb not null,
  content bytea not null,
  classification text not null,
  primary key (case_id, digest)
);
create table words (
  id bigint generated always as identity primary key,
  case_id uuid not null,
  proceeding_id uuid,
  step text not null,
  words text not null,
  person text not null,
  at timestamptz not null,
  classification text not null
);
create index words_case on words (case_id, id);
"""


def upgrade() -> None:
    sql(op, TABLES)
    for table in ("households", "evidence", "words"):
        protect(op, table, using="case_id in (select id from cases)")
