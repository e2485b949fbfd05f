"""How far the cases and referrals of an application are: one row each, the newest word by time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from onedoor.runtime.service import Connection

State = Literal["received", "in_work", "closed", "withdrawn"]


class Step(NamedTuple):
    """A case or referral of an application: who has it, whether it is done, since when."""

    application_id: UUID
    thing_id: UUID
    department: str
    done: bool
    at: datetime


NOTE = """
insert into progress (application_id, thing_id, department, done, at)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bool[], $5::timestamptz[])
on conflict (application_id, thing_id) do update
set department = excluded.department, done = excluded.done, at = excluded.at
where (excluded.at, excluded.done) > (progress.at, progress.done)
"""

STATE = """
case when a.state = 'withdrawn' then 'withdrawn'
     when not exists (select from progress p where p.application_id = a.application_id) then 'received'
     when exists (select from progress p where p.application_id = a.application_id and not p.done)
       then 'in_work'
     else 'closed' end
"""
"""SQL: the state word of an application `a`."""

RING = """
(select p.department from progress p where p.application_id = a.application_id
 order by p.done, p.department <> 'township', p.at desc limit 1)
"""
"""SQL: the department to ask about an application `a`; null while nobody has it."""


async def note(conn: Connection, steps: Sequence[Step]) -> None:
    """Write the steps, the last one of each thing; an older word never overwrites a newer one."""
    last: dict[tuple[UUID, UUID], Step] = {}
    for step in sorted(steps, key=lambda step: (step.at, step.done)):
        last[step.application_id, step.thing_id] = step
    if last:
        await conn.execute(NOTE, *map(list, zip(*last.values(), strict=True)))
