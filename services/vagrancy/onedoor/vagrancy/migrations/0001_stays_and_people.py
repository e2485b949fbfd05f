"""The list of stays and the people whom it may name, behind row-level security."""

from alembic import op

from onedoor.runtime.migrate import protect, sql

revision = "0001"
down_revision = None

TABLES = """
create table cases (
  id uuid primary key,
  chain_id uuid not null,
  application_id uuid not null,
  state text not null,
  urgency text not null,
  rank smallint not null,
  division text,
  worker text,
  opened_at timestamptz not null,
  subjects uuid[] not null,
  sealed boolean not null,
  body jsonb not null,
  version integer not null,
  classification text not null
);
create index cases_order on cases (rank, opened_at, id);
create index cases_subjects on cases using gin (subjects);
create table people (
  person_id uuid primary key,
  name text,
  birth date,
  sex text,
  phone text,
  classification text not null
);
"""

# All stays are the relief station's; nobody who is limited to another department sees one.
OWN_STATION = """
is_everything()
or (current_setting('onedoor.role', true) = 'station'
    and current_setting('onedoor.department', true) = 'relief-station')
"""
PEOPLE_OF_VISIBLE_STAYS = "exists (select 1 from cases where cases.subjects @> array[people.person_id])"


def upgrade() -> None:
    sql(op, TABLES)
    protect(op, "cases", using=OWN_STATION)
    protect(op, "people", using=PEOPLE_OF_VISIBLE_STAYS)
