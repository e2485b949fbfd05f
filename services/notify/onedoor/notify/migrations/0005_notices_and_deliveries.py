"""Who is told what, by which way, and what became of it; duty rosters; the hotline's calls."""

from alembic import op

from onedoor.runtime.migrate import protect, sql

revision = "0005"
down_revision = "0004"

TABLES = """
create table rings (
  id uuid primary key,
  referral_id uuid not null,
  chain_id uuid not null,
  receiver text not null,
  receiver_division text,
  state text,
  open_at timestamptz,
  body jsonb not null,
  version integer not null,
  classification text not null
);
create index rings_open_at on rings (open_at, id) where state = 'waiting';

create table notices (
  id uuid primary key,
  kind text not null,
  subject uuid not null,
  step integer not null,
  at timestamptz not null,
  function text not null,
  role text,
  department text,
  division text,
  critical boolean not null,
  chain_id uuid,
  referral_id uuid,
  receipt text,
  owner text,
  duty text,
  due_at timestamptz,
  service text,
  child boolean not null,
  state text not null default 'untold' check (state in ('untold', 'told', 'passed_over')),
  gap boolean not null default false,
  again_at timestamptz,
  acknowledged_by text,
  acknowledged_at timestamptz,
  ended_at timestamptz,
  classification text not null
) with (autovacuum_vacuum_scale_factor = 0.01);
create index notices_untold on notices (critical desc, at, id) where state = 'untold';
create index notices_again on notices (again_at) where again_at is not null;
create index notices_subject on notices (subject);
create index notices_department on notices (department, at);
create index notices_role on notices (role, at) where role is not null;

create table tellings (
  notice_id uuid not null references notices,
  person text not null,
  name text not null,
  function text not null,
  classification text not null,
  primary key (notice_id, person)
);
create index tellings_person on tellings (person);

create table seen (
  notice_id uuid not null references notices,
  person text not null,
  at timestamptz not null,
  classification text not null,
  primary key (notice_id, person)
);

create table contacts (
  person text primary key,
  name text not null
);
create table addresses (
  person text not null references contacts on delete cascade,
  channel text not null,
  address text not null,
  secret text,
  primary key (person, channel)
);
create table shifts (
  id uuid primary key,
  department text not null,
  division text,
  function text not null,
  person text not null references contacts,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  check (starts_at < ends_at)
);
create index shifts_on on shifts (department, function, ends_at);

create table deliveries (
  id uuid primary key,
  person text not null,
  channel text not null,
  fold text not null,
  notices uuid[] not null,
  critical boolean not null,
  decided_at timestamptz not null,
  not_before timestamptz not null,
  state text not null default 'waiting' check (state in ('waiting', 'sent', 'failed', 'needless')),
  attempts integer not null default 0,
  retry_at timestamptz,
  settled_at timestamptz,
  error text,
  classification text not null
);
create unique index deliveries_fold on deliveries (fold) where state = 'waiting';
create index deliveries_waiting on deliveries (critical desc, not_before, id) where state = 'waiting';
create index deliveries_notices on deliveries using gin (notices);
create index deliveries_failed on deliveries (decided_at desc, id) where state = 'failed';
create table attempts (
  delivery_id uuid not null references deliveries,
  number integer not null,
  at timestamptz not null,
  error text,
  primary key (delivery_id, number)
);
"""

ADDRESSED = """
coalesce(current_setting('onedoor.role', true), '') in ('everything', 'system')
or exists (select from tellings t
           where t.notice_id = notices.id and t.person = current_setting('onedoor.person', true))
or ((role is null or role = current_setting('onedoor.role', true))
    and (department is null or department = current_setting('onedoor.department', true))
    and (division is null or coalesce(current_setting('onedoor.division', true), '') in ('', division)))
"""
"""Whom the step of the ladder reaches: everybody of that role, unit and division, and whoever was told."""

RINGING = "coalesce(current_setting('onedoor.role', true), '') in ('hotline', 'child-duty', 'everything')"
OVERSEEING = """
coalesce(current_setting('onedoor.role', true), '') in ('ops', 'admin', 'district', 'everything')
or exists (select from notices where notices.id = any (deliveries.notices))
"""
"""Those who look after deliveries see all, everybody else those of the notices that they see."""


def upgrade() -> None:
    sql(op, TABLES)
    protect(op, "tellings")
    protect(op, "seen", "person = current_setting('onedoor.person', true)")
    protect(op, "notices", ADDRESSED)
    protect(op, "rings", RINGING)
    protect(op, "deliveries", OVERSEEING)
