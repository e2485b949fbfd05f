"""Runs a service with one of the house's rules of the stream broken, to see that chaos notices.

`python -m tests.chaos.mutant run` with the service's module in ONEDOOR_WRAPPED and the rule that is broken in
ONEDOOR_MUTATION; nothing of this is in the product.
"""

import os
import runpy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer

from onedoor.runtime import consumer, store, stream


def sound() -> None:
    """Nothing is broken: the control."""


def without_inbox() -> None:
    """What was handled before is handled again."""

    def all_fresh(self: object, read: Sequence[Any], known: object) -> list[Any]:
        return list(read)

    runtime: Any = consumer
    runtime.Consumer._fresh = all_fresh
    store.REMEMBER += " on conflict do nothing"


def acknowledged_first() -> None:
    """Events are acknowledged as they are read, before their transaction has begun."""

    async def collect(self: Any) -> None:
        while True:
            messages = [await self._queue.get()]
            while len(messages) < self._settings.batch_size and not self._queue.empty():
                messages.append(self._queue.get_nowait())
            for message in messages:
                message.ack(self._app.consumer)
            await self.consumer.work([runtime._record(message) for message in messages])

    class Hasty(AIOKafkaConsumer):  # type: ignore[misc]
        async def getmany(self, *partitions: Any, **limits: Any) -> dict[Any, Any]:
            found: dict[Any, Any] = await super().getmany(*partitions, **limits)
            if found:
                await self.commit({tp: messages[-1].offset + 1 for tp, messages in found.items()})
            return found

    runtime: Any = stream
    runtime.FaustReader._collect = collect
    runtime.AIOKafkaConsumer = Hasty


MUTATIONS: Mapping[str, Callable[[], None]] = {
    rule.__name__: rule for rule in (sound, without_inbox, acknowledged_first)
}

if __name__ == "__main__":
    MUTATIONS[os.environ["ONEDOOR_MUTATION"]]()
    wrapped = os.environ["ONEDOOR_WRAPPED"]
    runpy.run_module(wrapped if wrapped.startswith("tests.") else f"{wrapped}.__main__", run_name="__main__")
