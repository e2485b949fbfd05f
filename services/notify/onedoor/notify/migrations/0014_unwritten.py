"""A delivery says which of its notices it names without details, since they could not be written out."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    sql(op, "alter table deliveries add column unwritten uuid[] not null default '{}';")
