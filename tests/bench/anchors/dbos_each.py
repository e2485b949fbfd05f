"""DBOS as one would use it: a durable workflow for each message, one step that writes the three rows."""

import threading
from uuid import uuid4

from dbos import DBOS, KafkaMessage
from psycopg_pool import ConnectionPool

from tests.bench.anchors import work
from tests.bench.meter import Meter, answer, asked

question = asked()
server, _, _ = question["postgres"].rpartition("/")
DBOS(config={"name": "bench", "system_database_url": f"{server}/bench_dbos", "log_level": "ERROR"})
pool = ConnectionPool(question["postgres"], min_size=4, max_size=16)
meter = Meter(question["count"])
lock = threading.Lock()


def positional(statement: str) -> str:
    """The same statement with psycopg's placeholders; each of ours is used once, in order."""
    for number in range(1, 5):
        statement = statement.replace(f"${number}", "%s")
    return statement


INBOX, CASE, OUTBOX = map(positional, (work.INBOX, work.CASE, work.OUTBOX))


@DBOS.step()
def write(topic: str, partition: int, offset: int, value: bytes, headers: list[tuple[str, bytes]]) -> None:
    row = work.row(topic, partition, offset, value, headers)
    with pool.connection() as conn, conn.transaction():
        conn.execute(INBOX, (row.event_id, row.topic, row.partition, row.offset))
        conn.execute(CASE, (row.case_id, row.chain_id, row.state))
        conn.execute(OUTBOX, (row.event_id, row.key, row.state))


@DBOS.kafka_consumer({"bootstrap.servers": question["kafka"], "group.id": uuid4().hex}, [question["topic"]])
@DBOS.workflow()
def handle(message: KafkaMessage) -> None:
    write(message.topic, message.partition, message.offset, message.value, message.headers)
    with lock:
        if meter.add(1):
            answer(meter.figures())


if __name__ == "__main__":
    DBOS.launch()
    threading.Event().wait()
