"""Clocks and referrals (their folded states), and the words that never travel."""

from alembic import op

from onedoor.runtime.migrate import protect, sql

revision = "0001"
down_revision = None

TABLES = """
create table clocks (
  id uuid primary key,
  chain_id uuid not null,
  duty text not null,
  subject uuid not null,
  owner text not null,
  owner_division text,
  referral_id uuid,
  child boolean not null,
  state text,
  started_at timestamptz,
  "limit" text not null,
  due_at timestamptz,
  warn_at timestamptz,
  next_at timestamptz,
  provisional boolean not null,
  source text not null,
  certainty text not null,
  urgency text,
  late_entry boolean not null,
  pauses jsonb not null,
  extended text,
  step integer not null,
  round integer not null,
  ending text,
  ended_at timestamptz,
  end_reason text,
  breached_at timestamptz,
  late_seconds integer not null,
  version integer not null,
  classification text not null
) with (autovacuum_vacuum_scale_factor = 0.01);
create index clocks_next_at on clocks (next_at, id) where next_at is not null;
create index clocks_referral on clocks (referral_id) where referral_id is not null;

create table referrals (
  id uuid primary key,
  chain_id uuid not null,
  application_id uuid not null,
  rule text not null,
  sender text not null,
  receiver text not null,
  receiver_division text,
  urgency text not null,
  state text not null,
  due_finish timestamptz,
  body jsonb not null,
  version integer not null,
  classification text not null
);
create index referrals_receiver on referrals (receiver, due_finish, id);
create index referrals_chain on referrals (chain_id);

create table notes (
  id uuid primary key,
  subject uuid not null,
  event_id uuid not null,
  verb text not null,
  kind text not null,
  text text not null,
  actor text not null,
  at timestamptz not null,
  classification text not null
);
create index notes_subject on notes (subject, at);
"""

REACH = """
coalesce(current_setting('onedoor.role', true), '') in ('everything', 'system')
or (
  (coalesce(current_setting('onedoor.own_department', true), '') = ''
   or current_setting('onedoor.department', true) in ({units}))
  and
  (coalesce(current_setting('onedoor.own_division', true), '') = ''
   or {division} = current_setting('onedoor.division', true)
   or ({division} is null and current_setting('onedoor.department', true) in ({units})))
)
"""
"""Own department: addressed to it or sent by it. Own division: the receiver's, or none named in it."""


def upgrade() -> None:
    sql(op, TABLES)
    protect(op, "referrals", REACH.format(units="receiver, sender", division="receiver_division"))
    own = REACH.format(units="owner", division="owner_division")
    of_referral = "exists (select from referrals where referrals.id = clocks.referral_id)"
    protect(op, "clocks", f"{own} or {of_referral}")
    protect(
        op,
        "notes",
        "exists (select from referrals where referrals.id = notes.subject)"
        " or exists (select from clocks where clocks.id = notes.subject)",
    )
