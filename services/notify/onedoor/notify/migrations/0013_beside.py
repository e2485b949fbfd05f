"""Of two rules for one duty each clock knows when the other's time ends."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0013"
down_revision = "0012"

COLUMN = "alter table clocks add column beside_due timestamptz;"


def upgrade() -> None:
    sql(op, COLUMN)
