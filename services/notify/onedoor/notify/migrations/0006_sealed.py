"""Clocks of sealed adults are kept as closely as what they watch."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    sql(op, "alter table clocks add column sealed boolean not null default false;")
