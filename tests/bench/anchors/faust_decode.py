"""Faust without a database: one agent hands over, a collector decodes batches and acknowledges."""

import asyncio
import tempfile
from typing import Any
from uuid import uuid4

import faust
import uvloop
from faust.contrib.asgi import faust_app_running

from tests.bench.anchors.work import Application
from tests.bench.meter import Meter, answer, asked

BATCH = 200


async def main() -> None:
    question = asked()
    app = faust.App(
        f"bench-{uuid4().hex}",
        broker=f"kafka://{question['kafka']}",
        store="memory://",
        datadir=tempfile.mkdtemp(),
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        stream_buffer_maxsize=512,
        broker_max_poll_records=500,
        broker_commit_interval=1.0,
        consumer_auto_offset_reset="earliest",
        key_serializer="raw",
        value_serializer="raw",
        loghandlers=[],
    )
    queue: asyncio.Queue[Any] = asyncio.Queue(2 * BATCH)

    async def hand_over(stream: Any) -> None:
        async for event in stream.noack().events():
            await queue.put(event)

    app.agent(app.topic(question["topic"], key_type=bytes, value_type=bytes))(hand_over)
    meter = Meter(question["count"])
    async with faust_app_running(app):
        while True:
            events = [await queue.get()]
            while len(events) < BATCH and not queue.empty():
                events.append(queue.get_nowait())
            for event in events:
                Application.model_validate_json(event.message.value)
            for event in events:
                event.ack()
            if meter.add(len(events)):
                answer(meter.figures())


if __name__ == "__main__":
    if asked()["uvloop"]:
        uvloop.run(main())
    else:
        asyncio.run(main())
