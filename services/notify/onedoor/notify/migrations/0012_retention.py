"""What is over is found by when it ended."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0012"
down_revision = "0011"

INDEXES = """
create index notices_ended on notices (ended_at) where ended_at is not null;
create index deliveries_settled on deliveries (decided_at) where state <> 'waiting';
"""


def upgrade() -> None:
    sql(op, INDEXES)
