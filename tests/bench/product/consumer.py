"""The default consumer of a real service, assistance: Faust, collector, inbox, decider, outbox, work list.

Beside it runs nothing: relay and HTTP are measured apart. The loop and the settings are those of `run`.
"""

from collections.abc import Sequence
from functools import partial
from uuid import uuid4

import uvloop

from onedoor.assistance.app import SERVICE
from onedoor.runtime import app, database, logs
from onedoor.runtime.clock import Clock
from onedoor.runtime.consumer import Consumer
from onedoor.runtime.letters import Record
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.settings import Settings
from onedoor.runtime.stream import FaustReader
from onedoor.runtime.unit import Unit
from tests.bench.meter import Meter, answer, asked


class Measured(Consumer):
    """Counts what has been worked."""

    meter: Meter

    async def work(self, records: Sequence[Record]) -> None:
        await super().work(records)
        if self.meter.add(len(records)):
            answer(self.meter.figures())


async def main() -> None:
    question = asked()
    settings = Settings(
        environment="test",
        kafka=question["kafka"],
        postgres=question["postgres"],
        batch_size=question["batch"],
    )
    logs.configure(SERVICE.name, settings)
    writer = await database.pool(SERVICE, settings, "writer")
    consumer = Measured(
        SERVICE,
        Unit(SERVICE, writer, Clock(settings.environment)),
        f"bench-{uuid4().hex}",
        partial(database.connect, SERVICE, settings),
        Metrics(),
        settings.letters_in_a_row,
    )
    consumer.meter = Meter(question["count"])
    app._spare_the_collector()
    await FaustReader(consumer, [question["topic"]], settings).run()


if __name__ == "__main__":
    uvloop.run(main())
