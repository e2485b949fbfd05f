"""The open notices, and all of them in order, without reading those of years."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0009"
down_revision = "0008"

INDEXES = """
create index notices_open on notices (at desc, id desc) where ended_at is null;
create index notices_at on notices (at desc, id desc);
"""


def upgrade() -> None:
    sql(op, INDEXES)
