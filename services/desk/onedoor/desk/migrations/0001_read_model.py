"""The desk's read model: chains, applications, cases, referrals, clocks and the timeline."""

from alembic import op

from onedoor.runtime.migrate import protect, sql

revision = "0001"
down_revision = None

TABLES = """
create table chains (
  chain_id uuid primary key,
  application_id uuid not null,
  receipt text not null,
  opened_at timestamptz not null,
  division text,
  department text,
  sealed boolean not null,
  child boolean not null,
  first_event uuid not null,
  classification text not null
);
create index chains_opened_at on chains (opened_at, chain_id);

create table applications (
  application_id uuid primary key,
  chain_id uuid not null,
  receipt text,
  kind text,
  channel text,
  caller_role text,
  received_at timestamptz,
  place_division text,
  household_size integer,
  needs jsonb,
  emergency text,
  subjects jsonb,
  plan jsonb,
  withdrawn_at timestamptz,
  facts_event uuid,
  classification text not null
);
create index applications_chain on applications (chain_id);

create table timeline (
  event_id uuid primary key,
  chain_id uuid not null,
  time timestamptz not null,
  service text not null,
  department text,
  type text not null,
  referral_id uuid,
  role text not null,
  facts jsonb not null,
  classification text not null
);
create index timeline_chain on timeline (chain_id, time, event_id);

create table cases (
  case_id uuid primary key,
  chain_id uuid not null,
  application_id uuid not null,
  service text not null,
  state text,
  state_at timestamptz,
  state_event uuid,
  urgency text,
  urgency_event uuid,
  opened_at timestamptz,
  programmes jsonb,
  outcome text,
  classification text not null
);
create index cases_chain on cases (chain_id);

create table referrals (
  referral_id uuid primary key,
  chain_id uuid not null,
  application_id uuid not null,
  rule text not null,
  "from" text not null,
  "to" text not null,
  to_division text,
  urgency text not null,
  state text not null,
  state_at timestamptz not null,
  state_event uuid not null,
  sent_at timestamptz,
  due_ack timestamptz,
  due_action timestamptz,
  due_finish timestamptz,
  due_event uuid,
  acknowledged_at timestamptz,
  acted_at timestamptz,
  answered_at timestamptz,
  ended_at timestamptz,
  outcome text,
  reason text,
  child boolean not null,
  classification text not null
);
create index referrals_chain on referrals (chain_id);
create index referrals_to on referrals ("to", due_finish);

create table clocks (
  clock_id uuid primary key,
  chain_id uuid not null,
  duty text not null,
  subject uuid not null,
  owner text not null,
  owner_division text,
  referral_id uuid,
  state text,
  state_event uuid,
  started_at timestamptz,
  "limit" text,
  source text,
  certainty text,
  due_at timestamptz,
  provisional boolean,
  due_event uuid,
  breached_at timestamptz,
  met_at timestamptz,
  late_seconds integer,
  step integer,
  child boolean not null,
  classification text not null
);
create index clocks_chain on clocks (chain_id);
create index clocks_referral on clocks (referral_id);
"""

CHAIN = """
(coalesce(current_setting('onedoor.own_department', true), '') = ''
  or department = current_setting('onedoor.department', true))
and (coalesce(current_setting('onedoor.own_division', true), '') = ''
  or left(division, 9) = left(current_setting('onedoor.division', true), 9))
and (not sealed or current_setting('onedoor.role', true) in ('child-duty', 'child-worker', 'everything'))
"""
"""Own department: entered there. A sealed chain is for child protection alone."""

OF_CHAIN = "exists (select from chains where chains.chain_id = {table}.chain_id)"

ADDRESSED = """
(coalesce(current_setting('onedoor.own_department', true), '') <> ''
  and {unit} = current_setting('onedoor.department', true)
  and (coalesce(current_setting('onedoor.own_division', true), '') = ''
    or {division} is null or left({division}, 9) = left(current_setting('onedoor.division', true), 9)))
"""


def upgrade() -> None:
    """Create the tables; a row is seen with its chain, or by the unit that it is addressed to."""
    sql(op, TABLES)
    protect(op, "chains", CHAIN)
    for table in ("applications", "timeline", "cases"):
        protect(op, table, OF_CHAIN.format(table=table))
    to = ADDRESSED.format(unit='"to"', division="to_division")
    protect(op, "referrals", f"{to} or {OF_CHAIN.format(table='referrals')}")
    owner = ADDRESSED.format(unit="owner", division="owner_division")
    of_referral = "exists (select from referrals where referrals.referral_id = clocks.referral_id)"
    protect(op, "clocks", f"{owner} or {of_referral} or {OF_CHAIN.format(table='clocks')}")
