"""Whom an account is about is asked by account too: at each decision, and for what excludes it."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    sql(op, "create index account_people_proceeding on account_people (proceeding_id)")
