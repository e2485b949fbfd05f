"""Who has acknowledged the alert of a clock, and when."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    sql(op, "alter table clocks add column acknowledged_by text, add column acknowledged_at timestamptz;")
