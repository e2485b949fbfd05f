"""Imported notices of working days, as notify tells them: this service counts days too."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0003"
down_revision = "0002"

TABLES = """
create table calendar_notices (
  edition integer primary key,
  year integer not null,
  body text not null
);
"""


def upgrade() -> None:
    sql(op, TABLES)
