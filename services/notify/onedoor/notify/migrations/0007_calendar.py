"""The calendar as data: imported notices, and by which edition and which version of its duty a clock runs."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0007"
down_revision = "0006"

TABLES = """
alter table clocks
  add column policy text,
  add column calendar integer,
  add column yields_to text,
  add column recounts jsonb not null default '[]';
update clocks set calendar = 0 where "limit" ~ '(wd|cd|mo)[+*]?$';
create index clocks_calendar on clocks (calendar, id)
  where calendar is not null and state in ('running', 'warned', 'paused');

create table calendar_notices (
  edition integer primary key,
  year integer not null,
  title text not null,
  number text not null,
  body text not null,
  imported_by text not null,
  imported_at timestamptz not null
);
grant select on calendar_notices to onedoor_notify_reader;
"""


def upgrade() -> None:
    sql(op, TABLES)
