"""More time that is asked for, and which returned referral another one stands in for.

An event may say more of a referral without bringing it to another state.
"""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    sql(
        op,
        """
        alter table referrals
          alter column state drop not null, alter column state_at drop not null,
          alter column state_event drop not null,
          add column replaces uuid,
          add column extension_until timestamptz,
          add column extension_asked_at timestamptz,
          add column extension_decided_at timestamptz;
        create index referrals_replaces on referrals (replaces) where replaces is not null;
        """,
    )
