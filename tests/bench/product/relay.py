"""The relay of a real service, assistance, on an outbox that is full."""

from functools import partial

import asyncpg
import uvloop

from onedoor.assistance.app import SERVICE
from onedoor.runtime import app, database, logs, tracing
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.relay import Relay, kafka_producer
from onedoor.runtime.settings import Settings
from tests.bench.meter import Meter, answer, asked


class Measured(Relay):
    """Counts what has been published."""

    meter: Meter

    async def publish_page(self, conn: asyncpg.Connection) -> int:
        published = await super().publish_page(conn)
        if self.meter.add(published):
            answer(self.meter.figures())
        return published


async def main() -> None:
    question = asked()
    settings = Settings(environment="test", kafka=question["kafka"], postgres=question["postgres"])
    logs.configure(SERVICE.name, settings)
    tracing.configure(SERVICE.name, settings.instance)
    connect = partial(database.connect, SERVICE, settings)
    relay = Measured(SERVICE, connect, partial(kafka_producer, settings.kafka), Metrics(), question["suffix"])
    relay.meter = Meter(question["count"])
    app._spare_the_collector()
    await relay.run()


if __name__ == "__main__":
    uvloop.run(main())
