"""The work list of cases and the people whom it may name, behind row-level security."""

from alembic import op

from onedoor.runtime.casework import CASES, PEOPLE, PEOPLE_OF_VISIBLE_CASES
from onedoor.runtime.migrate import protect, sql

revision = "0001"
down_revision = None

# A sealed case is shown to its worker and to the district, not to the whole township.
OWN_DIVISION_UNSEALED = """
case when current_setting('onedoor.own_division', true) = '1'
     then division = current_setting('onedoor.division', true)
          and (not sealed or worker = current_setting('onedoor.person', true))
     else not sealed or is_everything() or current_setting('onedoor.role', true) = 'district'
end
"""


def upgrade() -> None:
    sql(op, CASES + PEOPLE)
    protect(op, "cases", using=OWN_DIVISION_UNSEALED)
    protect(op, "people", using=PEOPLE_OF_VISIBLE_CASES)
