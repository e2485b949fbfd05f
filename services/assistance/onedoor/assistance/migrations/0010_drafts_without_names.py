"""Drafts without what only identifies a person; one that is no mapping of fields could not be shown again."""

from alembic import op

from onedoor.runtime.migrate import sql

revision = "0010"
down_revision = "0009"

STRIPPED = """
update households set draft = null where draft is not null and jsonb_typeof(draft) <> 'object';
update households set draft = jsonb_set(draft, '{members}', (
  select coalesce(jsonb_agg(member - 'name' - 'id_number' order by place), '[]')
  from jsonb_array_elements(draft -> 'members') with ordinality as each (member, place)
  where jsonb_typeof(member) = 'object'
)) where jsonb_typeof(draft -> 'members') = 'array';
"""


def upgrade() -> None:
    sql(op, STRIPPED)
