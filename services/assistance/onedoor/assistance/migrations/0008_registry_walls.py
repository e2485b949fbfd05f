"""The registry's rows are as hidden as their case: sealed, or made narrower after they were written.

What belongs to no case of ours is for those who work for all divisions, as before.
"""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0008"
down_revision = "0007"

AS_ITS_CASE = """
alter policy reader_cleared on {table} using (
  classification = any (string_to_array(current_setting('onedoor.clearance', true), ','))
  and case when {table}.case_id is null then coalesce(current_setting('onedoor.own_division', true), '') = ''
      else exists (select from cases where cases.id = {table}.case_id) end);
"""


def upgrade() -> None:
    for table in ("enrolments", "differences", "leads"):
        sql(op, AS_ITS_CASE.format(table=table))
