"""Whether somebody else was told where a critical message could not be delivered."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0011"
down_revision = "0010"

COLUMN = """
alter table deliveries add column followed boolean not null default false;
create index deliveries_unfollowed on deliveries (id) where state = 'failed' and critical and not followed;
"""


def upgrade() -> None:
    sql(op, COLUMN)
