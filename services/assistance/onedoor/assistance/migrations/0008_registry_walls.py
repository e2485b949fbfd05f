"""The registry's rows are as hidden as their case: sealed, or made narrower after they were written."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0008"
down_revision = "0007"

AS_ITS_CASE = """
alter policy reader_cleared on {table} using (
  classification = any (string_to_array(current_setting('onedoor.clearance', true), ','))
  and ({table}.case_id is null or exists (select from cases where cases.id = {table}.case_id)));
"""


def upgrade() -> None:
    for table in ("enrolments", "differences", "leads"):
        sql(op, AS_ITS_CASE.format(table=table))
