"""The list of stays and the people whom it may name, behind row-level security."""

from alembic import op

from onedoor.runtime.casework import CASES, PEOPLE, PEOPLE_OF_VISIBLE_CASES
from onedoor.runtime.migrate import protect, sql

revision = "0001"
down_revision = None

# All stays are the relief station's; nobody who is limited to another department sees one.
OWN_STATION = """
is_everything()
or (current_setting('onedoor.role', true) = 'station'
    and current_setting('onedoor.department', true) = 'relief-station')
"""


def upgrade() -> None:
    sql(op, CASES + PEOPLE)
    protect(op, "cases", using=OWN_STATION)
    protect(op, "people", using=PEOPLE_OF_VISIBLE_CASES)
