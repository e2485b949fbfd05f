"""Intake's own tables: applications, people, receipts, progress, and what is sealed."""

from alembic import op
from sqlalchemy import text

from onedoor.runtime.migrate import protect, sql

revision = "0001"
down_revision = None

TABLES = """
create table applications (
  application_id uuid primary key,
  chain_id uuid not null,
  receipt text not null,
  version integer not null,
  state text not null,
  kind text not null,
  channel text not null,
  urgency text not null,
  protection boolean not null,
  place_division text,
  registered_division text,
  divisions text[] not null,
  department text,
  received_at timestamptz not null,
  recorded_at timestamptz not null,
  late_entry boolean not null,
  needs text[] not null,
  emergency jsonb,
  subjects jsonb not null,
  plan jsonb not null,
  classification text not null
);
create index applications_in_order on applications (received_at desc, application_id);
create index applications_chain on applications (chain_id);

create table details (
  application_id uuid primary key,
  known jsonb not null,
  facts_text text,
  place jsonb not null,
  contact jsonb not null,
  people jsonb not null,
  claims jsonb not null,
  marks jsonb not null,
  late_entry_reason text,
  parted boolean not null,
  words jsonb not null default '[]',
  classification text not null
);

create table households (
  household_id uuid primary key,
  chain_id uuid not null unique,
  created_at timestamptz not null
);

create table people (
  person_id uuid primary key,
  household_id uuid not null,
  id_number text,
  id_valid boolean not null,
  name text,
  aliases text[] not null,
  sex text,
  birth date,
  phone text,
  address text,
  guardian text,
  school_name text,
  divisions text[] not null,
  minor boolean not null,
  recorded_at timestamptz not null,
  classification text not null
);
create unique index people_id_number on people (id_number) where id_valid;
create index people_household on people (household_id);

create table application_people (
  application_id uuid not null,
  person_id uuid not null,
  mark text,
  position integer not null,
  primary key (application_id, person_id)
);
create index application_people_person on application_people (person_id);

create table receipts (
  receipt text primary key,
  application_id uuid not null unique,
  salt bytea not null,
  secret_hash bytea not null,
  failed integer not null default 0,
  locked_until timestamptz
);

create table progress (
  application_id uuid not null,
  thing_id uuid not null,
  department text not null,
  done boolean not null,
  at timestamptz not null,
  primary key (application_id, thing_id)
);
"""

SEALED = """
create table sealed_reports (
  report_id uuid primary key,
  application_ids uuid[] not null,
  name text,
  phone text,
  caller_role text not null,
  relations jsonb not null,
  statement text,
  safe_to_call boolean,
  anonymous boolean not null,
  wants_reply boolean,
  unread bytea,
  taken_at timestamptz not null
);
create index sealed_reports_applications on sealed_reports using gin (application_ids);

create table sealed_chains (
  household_chain uuid primary key,
  protection_chain uuid not null unique
);

create table sealed_applications (
  application_id uuid primary key,
  protection_application uuid not null unique
);

revoke all on sealed_reports, sealed_chains, sealed_applications from {writer};
grant insert on sealed_reports, sealed_applications to {writer};
grant usage on schema {schema} to {sealed};
grant select on sealed_reports, sealed_chains, sealed_applications to {sealed};
grant insert on access_log to {sealed};

alter table progress enable row level security;
alter table progress force row level security;
create policy own on progress to {owner}, {writer} using (true) with check (true);
create policy of_an_application_one_sees on progress for select to {reader} using (
  exists (select from applications where applications.application_id = progress.application_id));
grant select on progress to {reader};

create function protection_chain(household uuid, candidate uuid) returns uuid
  language plpgsql volatile security definer set search_path = {schema} as $$
begin
  insert into sealed_chains values (household, candidate) on conflict do nothing;
  return (select protection_chain from sealed_chains where household_chain = household);
end $$;
create function protection_application(application uuid) returns uuid
  language sql stable security definer set search_path = {schema} as
  $$ select protection_application from sealed_applications where application_id = application $$;
revoke all on function protection_chain, protection_application from public;
grant execute on function protection_chain, protection_application to {writer};
"""

REACH = """
(coalesce(current_setting('onedoor.own_division', true), '') = ''
  or left(current_setting('onedoor.division', true), 9) = any (divisions))
"""

DEPARTMENT = """
and (coalesce(current_setting('onedoor.own_department', true), '') = ''
  or department = current_setting('onedoor.department', true))
and (not protection
  or current_setting('onedoor.role', true) in ('child-duty', 'child-worker', 'hotline', 'everything'))
"""

SAME_APPLICATION = """
exists (select from applications where applications.application_id = details.application_id)
"""


def upgrade() -> None:
    """Create the tables, the sealed role and the policies."""
    schema = op.get_bind().scalar(text("select current_schema()"))
    owner, writer = f"onedoor_{schema}_owner", f"onedoor_{schema}_writer"
    sealed = f"onedoor_{schema}_sealed"
    sql(op, TABLES)
    sql(
        op,
        f"""reset role;
        do $$ begin create role {sealed} nologin; exception when duplicate_object or unique_violation
        then null; end $$;
        set local role {owner}""",
    )
    reader = f"onedoor_{schema}_reader"
    sql(op, SEALED.format(schema=schema, owner=owner, writer=writer, reader=reader, sealed=sealed))
    protect(op, "applications", REACH + DEPARTMENT)
    protect(op, "details", SAME_APPLICATION)
    protect(op, "people", REACH)
