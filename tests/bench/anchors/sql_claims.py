"""All in one statement: claim a thousand late clocks, mark them, write breach and outbox."""

import asyncio

import asyncpg

from tests.bench.meter import Meter, answer, asked

CLAIM = """
with due as (
  select id from anchor.clocks where state = 0 and due_at <= now() order by due_at limit 1000
  for update skip locked
), late as (
  update anchor.clocks set state = 1 from due where clocks.id = due.id returning clocks.*
), breached as (
  insert into anchor.breaches select gen_random_uuid(), id, due_at from late
)
insert into anchor.clock_outbox (id, type, key, payload)
select gen_random_uuid(), 'clock.breached', chain_id::text, jsonb_build_object(
  'clock_id', id, 'chain_id', chain_id, 'duty', duty, 'owner', owner, 'due_at', due_at)
from late
"""


async def main() -> None:
    question = asked()
    conn = await asyncpg.connect(question["postgres"])
    meter = Meter(question["count"])
    while claimed := int((await conn.execute(CLAIM)).rpartition(" ")[2]):
        if meter.add(claimed):
            answer(meter.figures())
    raise SystemExit("fewer clocks were due than promised")


if __name__ == "__main__":
    asyncio.run(main())
