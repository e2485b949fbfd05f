"""The list of needs, behind row-level security."""

from alembic import op

from onedoor.runtime.casework import CASES
from onedoor.runtime.migrate import protect, sql

revision = "0001"
down_revision = None

# A provider sees what is published and what it took; drafts are the social work station's and the bureau's.
OFFERED_OR_OWN = """
is_everything()
or case
     when current_setting('onedoor.role', true) in ('charity', 'social-worker')
     then state in ('published', 'declined')
          or body->>'provider' = current_setting('onedoor.department', true)
          or (state = 'drafted' and current_setting('onedoor.role', true) = 'social-worker'
              and current_setting('onedoor.department', true) = 'social-work-station')
     when current_setting('onedoor.own_division', true) = '1'
     then division = current_setting('onedoor.division', true) and not sealed
     else current_setting('onedoor.role', true) = 'district'
   end
"""


def upgrade() -> None:
    sql(op, CASES)
    protect(op, "cases", using=OFFERED_OR_OWN)
