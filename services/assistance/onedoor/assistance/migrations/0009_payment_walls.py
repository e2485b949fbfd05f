"""To whoever works for one township an account and its lines are as hidden as their case.

Who pays works for all divisions and sees every account: a sealed household is paid like any other.
"""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0009"
down_revision = "0008"

AS_ITS_CASE = """
alter policy reader_cleared on {table} using (
  classification = any (string_to_array(current_setting('onedoor.clearance', true), ','))
  and (coalesce(current_setting('onedoor.own_division', true), '') = ''
       or exists (select from cases where cases.id = {table}.case_id)));
"""


def upgrade() -> None:
    for table in ("accounts", "lines"):
        sql(op, AS_ITS_CASE.format(table=table))
