"""Imported notices are public, and behind the same wall as every table that the reader sees."""

from alembic import op

from onedoor.runtime.migrate import protect, sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    sql(op, "alter table calendar_notices add column classification text not null default 'public';")
    protect(op, "calendar_notices")
