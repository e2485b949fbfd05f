"""Imported notices of working days, as notify tells them: this service counts days too."""

from alembic import op

from onedoor.runtime.almanac import NOTICES
from onedoor.runtime.migrate import sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    sql(op, NOTICES)
