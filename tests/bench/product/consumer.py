"""The consumer of a real service on a full topic.

assistance: Faust, collector, inbox, decider, outbox, work list. desk: the bulk reader and the projection.
Beside it runs nothing: relay and HTTP are measured apart. The loop and the settings are those of `run`.
"""

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from uuid import uuid4

import uvloop

from onedoor.runtime import app, database, logs, tracing
from onedoor.runtime.clock import Clock
from onedoor.runtime.consumer import Consumer
from onedoor.runtime.letters import Record
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings
from onedoor.runtime.stream import BareReader, FaustReader
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
    service: Service = import_module(f"onedoor.{question['service']}.app").SERVICE
    logs.configure(service.name, settings)
    tracing.configure(service.name, settings.instance)
    writer = await database.pool(service, settings, "writer")
    consumer = Measured(
        service,
        Unit(service, writer, Clock(settings.environment)),
        f"bench-{uuid4().hex}",
        partial(database.connect, service, settings),
        Metrics(),
        settings.letters_in_a_row,
    )
    consumer.meter = Meter(question["count"])
    app._spare_the_collector()
    kind = BareReader if service.bulk else FaustReader
    await kind(consumer, [question["topic"]], settings).run()


if __name__ == "__main__":
    uvloop.run(main())
