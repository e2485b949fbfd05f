"""Enrolments of limited term: they end on their last day, whether or not somebody records it."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    sql(op, "alter table enrolments add column expires date")
    sql(op, "alter table enrolments add column ends date generated always as (least(until, expires)) stored")
