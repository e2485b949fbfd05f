"""Which revision of a household's file somebody saw, so that nobody replaces a later one unseen."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    sql(op, "alter table households add column revision integer not null default 1")
