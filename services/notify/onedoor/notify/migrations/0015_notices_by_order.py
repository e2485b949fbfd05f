"""No question asks for notices by department or role alone: who may see one is asked row by row."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0015"
down_revision = "0014"

INDEXES = """
drop index notices_department;
drop index notices_role;
"""


def upgrade() -> None:
    sql(op, INDEXES)
