"""The two rows that every deadline anchor writes for a clock that is late."""

TABLES = """
create schema if not exists anchor;
create table if not exists anchor.clocks (
  id uuid primary key, chain_id uuid not null, duty text not null, owner text not null,
  state smallint not null default 0, due_at timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0.01);
create index if not exists clocks_due on anchor.clocks (due_at) where state = 0;
create table if not exists anchor.breaches (id uuid, clock_id uuid, due_at timestamptz);
create table if not exists anchor.clock_outbox (
  position bigint generated always as identity primary key, id uuid, type text, key text, payload jsonb);
"""
BREACH = "insert into anchor.breaches values ($1, $2, $3)"
OUTBOX = "insert into anchor.clock_outbox (id, type, key, payload) values ($1, 'clock.breached', $2, $3)"
