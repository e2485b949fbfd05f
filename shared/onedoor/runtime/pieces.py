"""What one fetch brought of a partition goes through Faust as one piece.

Faust makes two tasks, a lock and several awaits of every single message on its way to the agent, half of all
that an event then costs. Its consumer, conductor, stream and flow control do the same here, once for a piece:
a message of Faust's whose value is the list of the messages themselves. Each of those is acknowledged by
itself, so an offset is committed only when everything before it is worked off.
"""

from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, cast

import faust
from faust.transport.drivers import aiokafka
from faust.types import TP, Message


class PieceConsumer(aiokafka.Consumer):
    """Faust's own consumer; only the messages on their way come together."""

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """The next fetch, a piece for each partition; what comes after a rebalance began is left to the next.

        What is left was never noted as read or acknowledged: Faust seeks back to what is committed.
        """
        generation = self.app.consumer_generation_id
        pieces: dict[TP, list[Message]] = defaultdict(list)
        async for tp, message in super().getmany(timeout):
            if message.offset >= (self._read_offset[tp] or 0):
                pieces[tp].append(message)
        for tp, messages in pieces.items():
            await self._note_gaps(tp, messages)
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            self._unacked_messages |= set(messages)
            self._read_offset[tp] = messages[-1].offset
            yield tp, _piece(tp, messages)

    async def _note_gaps(self, tp: TP, messages: list[Message]) -> None:
        """Compaction leaves offsets out; noted, they do not stand in the way of a commit.

        Faust overlooks a gap right after offset 0, and then never commits again.
        """
        before: int | None = self._read_offset[tp]
        for message in messages:
            if before is not None and message.offset - before > 1:
                await self._add_gap(tp, before + 1, message.offset - 1)
            before = message.offset

    def on_buffer_full(self, tp: TP) -> None:
        """One agent reads all: its full buffer holds up the fetching by itself.

        Faust takes the partition out instead, and where none is left it sleeps for a second.
        """


def _piece(tp: TP, messages: list[Message]) -> Message:
    last, value = messages[-1], cast(Any, messages)
    return Message(
        tp.topic,
        tp.partition,
        last.offset,
        last.timestamp,
        last.timestamp_type,
        headers=None,
        key=None,
        value=value,
        checksum=None,
        tp=tp,
        generation_id=last.generation_id,
    )


def in_pieces(app: faust.App) -> faust.App:
    """Let the app's agents be given pieces: an event's value is a list of messages of one partition."""
    transport: Any = app.transport
    transport.Consumer = PieceConsumer
    return app
