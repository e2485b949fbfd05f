"""The work list of cases and the people whom it may name, behind row-level security."""

from alembic import op

from onedoor.runtime.casework import CASES, PEOPLE, PEOPLE_OF_VISIBLE_CASES
from onedoor.runtime.migrate import protect, sql

revision = "0001"
down_revision = None

# A child-worker sees what is assigned to them; the duty desk sees the district.
ASSIGNED_OR_DUTY = """
is_everything()
or current_setting('onedoor.role', true) = 'child-duty'
or (current_setting('onedoor.role', true) = 'child-worker'
    and worker = current_setting('onedoor.person', true))
"""


def upgrade() -> None:
    sql(op, CASES + PEOPLE)
    protect(op, "cases", using=ASSIGNED_OR_DUTY)
    protect(op, "people", using=PEOPLE_OF_VISIBLE_CASES)
