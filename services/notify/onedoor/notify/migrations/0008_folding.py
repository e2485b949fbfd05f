"""Folding never waits for a delivery that is being sent: one teller folds at a time, by what is not held."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0008"
down_revision = "0007"

INDEX = """
drop index deliveries_fold;
create index deliveries_fold on deliveries (fold) where state = 'waiting';
"""


def upgrade() -> None:
    sql(op, INDEX)
