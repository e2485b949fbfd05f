"""All services in one thread without any server: the real domain code over topics and tables in memory.

A seeded random decides who goes next: which service takes which part of which partitions, which rows a relay
gets out and whether it forgets that it did, where a process dies between effect and acknowledgement, how far
the clock jumps. The unit of work, `react`, the deciders and the codec are the product's own.
"""

import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar, cast
from uuid import UUID

import pytest

from onedoor.assistance.app import SERVICE as ASSISTANCE
from onedoor.charity.app import SERVICE as CHARITY
from onedoor.child_welfare.app import SERVICE as CHILD_WELFARE
from onedoor.contracts import codec
from onedoor.contracts.core import SYSTEM, Actor, Command, Context, Envelope
from onedoor.intake.app import SERVICE as INTAKE
from onedoor.notify.app import SERVICE as NOTIFY
from onedoor.notify.domain.clock import Strike, steps
from onedoor.runtime.service import Connection, Saved, Service
from onedoor.runtime.store import Appended, EventStore
from onedoor.runtime.unit import Directive, Outcome, Unit
from onedoor.vagrancy.app import SERVICE as VAGRANCY

SERVICES = (INTAKE, ASSISTANCE, CHILD_WELFARE, VAGRANCY, CHARITY, NOTIFY)
PARTITIONS = 6
ANYONE = Actor(person="anyone", role="everything")
JUMPS = tuple(
    timedelta(**jump)
    for jump in ({"minutes": 5}, {"hours": 3}, {"days": 1}, {"days": 9}, {"hours": -2}, {"days": -1})
)

Place = tuple[str, int]
Key = tuple[str, UUID]
T = TypeVar("T")


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast(T, done.value)
    raise AssertionError("something waits in a simulation")


class Crash(Exception):
    """The process dies here."""


@dataclass
class Transaction:
    """What was written and is not committed yet; stands where the unit of work has its connection."""

    saved: list[tuple[Key, Saved]] = field(default_factory=list)
    appended: list[Appended] = field(default_factory=list)


async def write(self: object, conn: Any, events: Sequence[Appended], *_: object) -> None:
    """Stands in for `EventStore.write`: states lie in a `MemoryStore`, the inbox at its `Node`."""
    conn.appended += events


@dataclass
class MemoryStore:
    """One kind of aggregate in a dictionary."""

    node: "Node"
    kind: str

    async def load(self, conn: Connection, ids: Sequence[UUID]) -> Mapping[UUID, tuple[Any, int]]:
        known = self.node.states
        return {id_: known[self.kind, id_] for id_ in ids if (self.kind, id_) in known}

    async def save(self, conn: Connection, rows: Sequence[Saved]) -> None:
        cast(Transaction, conn).saved += [((self.kind, row.id), row) for row in rows]


class Node:
    """One service: its tables, its place in the topics it reads, and what its relay has still to publish."""

    def __init__(self, service: Service, world: "World") -> None:
        self.service = service
        self.world = world
        self.states: dict[Key, tuple[Any, int]] = {}
        self.archive: dict[Key, list[Envelope]] = defaultdict(list)
        self.pending: list[Envelope] = []
        self.inbox: set[UUID] = set()
        self.committed: Counter[Place] = Counter()
        self.position: Counter[Place] = Counter()
        stores = {decider.name: MemoryStore(self, decider.name) for decider in service.deciders}
        bare = replace(service, stores=stores, absorb=None, listing=None, project=None)
        self.unit = Unit(bare, cast(Any, None), world)

    def run(self, directives: Sequence[Directive], *, dies: bool = False) -> list[list[Outcome]]:
        """The unit of work in one transaction. Raises Crash before the commit if the process `dies`."""
        transaction = Transaction()
        outcomes = at_once(self.unit.run(cast(Connection, transaction), directives))
        if dies:
            raise Crash
        self._commit(transaction)
        return outcomes

    def _commit(self, transaction: Transaction) -> None:
        for kind, version, envelope in transaction.appended:
            archive = self.archive[kind, envelope.subject]
            assert version == len(archive) + 1, "one version, one event"
            archive.append(envelope)
            if envelope.data.topic() is not None:
                self.pending.append(envelope)
        for key, row in transaction.saved:
            self.states[key] = (row.state, row.version)

    def give(self, command: Command, at: datetime, actor: Actor = ANYONE) -> Outcome:
        """A command by HTTP at that business time."""
        return self.run([Directive((command,), Context(actor, at))])[0][0]

    def unread(self) -> list[Place]:
        return [
            place
            for place, log in self.world.topics.items()
            if place[0] in self.service.reads and self.position[place] < len(log)
        ]

    def handle(self, amounts: Mapping[Place, int], *, dies: str = "", acknowledges: bool = True) -> None:
        """Take so many events of each partition as one batch, as `Consumer.work` does; then acknowledge.

        dies: `before` or `after` the commit; either way the next batch begins where was acknowledged last.
        """
        batch: dict[UUID, Envelope] = {}
        for place, amount in amounts.items():
            start = self.position[place]
            taken = self.world.topics[place][start : start + amount]
            self.position[place] += len(taken)
            if self.world.acknowledges_first:
                self.committed[place] = self.position[place]
            takes = self.service.takes
            batch |= {e.id: e for e in taken if takes is None or e.type in takes}
        fresh = [event for id_, event in batch.items() if id_ not in self.inbox]
        self.world.seen["duplicates"] += len(batch) - len(fresh)
        react = self.service.react
        try:
            directives = [
                Directive(tuple(react(event)), Context(event.actor, self.world.now()), event.id)
                for event in fresh
            ]
            self.run(directives, dies=dies == "before")
            self.inbox |= {event.id for event in fresh}
            if dies:
                raise Crash
        except Crash:
            self.world.seen[f"died {dies}"] += 1
            self.position = Counter(self.committed)
            return
        if acknowledges:
            self.committed = Counter(self.position)

    def publish(
        self, rows: int, *, forgets: bool = False, failing: Callable[[], bool] = lambda: False
    ) -> None:
        """The relay's page: in order for each key, which stops at its first failure.

        forgets: it dies before it deletes what it has published, and so publishes it again.
        """
        stopped: set[str] = set()
        published: set[UUID] = set()
        for envelope in self.pending[:rows]:
            if envelope.key in stopped or failing():
                stopped.add(envelope.key)
                continue
            self.world.publish(envelope)
            published.add(envelope.id)
        if forgets:
            self.world.seen["published again"] += len(published)
        else:
            self.pending = [envelope for envelope in self.pending if envelope.id not in published]

    def sweep(self, *, limit: int = 1000, dies: bool = False) -> int:
        """Take the steps due now of up to so many clocks, each at its own moment; how many clocks it took."""
        now = self.world.now()
        clocks = {id_: state for (kind, id_), (state, _) in self.states.items() if kind == "clock"}
        due = sorted((c.next_at, id_) for id_, c in clocks.items() if c.next_at and c.next_at <= now)[:limit]
        taken = sorted((step.at, id_) for _, id_ in due for step in steps(clocks[id_], now))
        directives = [Directive((Strike(target=id_),), Context(SYSTEM, at)) for at, id_ in taken]
        if directives:
            try:
                self.run(directives, dies=dies)
            except Crash:
                self.world.seen["sweep died"] += 1
        return len(due)


Act = Callable[["World"], bool]
"""Something that somebody does once; False: it cannot be done yet."""


class World:
    """The services, the topics between them, and business time."""

    def __init__(self, start: datetime, *, acknowledges_first: bool = False) -> None:
        """acknowledges_first: the fault that the real consumer must not have."""
        self._now = start
        self.acknowledges_first = acknowledges_first
        self.topics: dict[Place, list[Envelope]] = {}
        self.nodes = {service.name: Node(service, self) for service in SERVICES}
        self.seen: Counter[str] = Counter()

    def now(self) -> datetime:
        return self._now

    @property
    def notify(self) -> Node:
        return self.nodes["notify"]

    def publish(self, envelope: Envelope) -> None:
        """To its topic and partition, through the bytes that travel."""
        message = codec.encode(envelope)
        topic, key = envelope.data.topic(), message.key or b""
        assert topic is not None
        place = (topic, zlib.crc32(key) % PARTITIONS)
        self.topics.setdefault(place, []).append(codec.decode(message.key, message.value, message.headers))

    def published(self) -> Iterator[Envelope]:
        """Every event on the topics, once."""
        seen: set[UUID] = set()
        for log in self.topics.values():
            for event in log:
                if event.id not in seen:
                    seen.add(event.id)
                    yield event

    def in_order(self, acts: Sequence[tuple[datetime, Act]], end: datetime) -> None:
        """Nothing fails and nothing waits: each act at its own time, and all that follows at once."""
        for at, act in acts:
            self._pass_to(at)
            assert act(self), "an act that can never be done"
            self._settle()
        self._pass_to(end)

    def _pass_to(self, moment: datetime) -> None:
        self._now = moment
        self._settle()

    def _settle(self) -> None:
        """Everything is swept, published and read, until nothing is left."""
        busy = True
        while busy:
            busy = bool(self.notify.sweep())
            for node in self.nodes.values():
                busy = busy or bool(node.pending)
                node.publish(len(node.pending))
                unread = node.unread()
                if unread:
                    busy = True
                    node.handle(dict.fromkeys(unread, 1000))

    def at_random(self, acts: Sequence[tuple[datetime, Act]], end: datetime, chance: Random) -> None:
        """Anything may happen between any two steps; in the end the same time has come and all is done."""
        waiting = list(acts)
        for _ in range(40 + 12 * len(acts)):
            if chance.random() < 0.3:
                self._try(waiting)
            self._somebody(chance)
            if chance.random() < 0.1:
                self._now = min(self._now + chance.choice(JUMPS), end)
        for _ in range(20 * len(acts)):
            if not waiting:
                break
            self._try(waiting)
            self._settle()
        assert not waiting, "an act could never be done"
        self._pass_to(end)

    def _try(self, waiting: list[tuple[datetime, Act]]) -> None:
        """The next act, at its own time or later."""
        if waiting:
            at, act = waiting[0]
            self._now = max(self._now, at)
            if act(self):
                waiting.pop(0)

    def _somebody(self, chance: Random) -> None:
        """One service goes one step, or dies in the middle of it."""
        node = chance.choice(list(self.nodes.values()))
        what = chance.random()
        if what < 0.35:
            rows = chance.randint(1, 12)
            node.publish(rows, forgets=chance.random() < 0.2, failing=lambda: chance.random() < 0.05)
        elif what < 0.9:
            unread = node.unread()
            chosen = chance.sample(unread, chance.randint(1, len(unread))) if unread else []
            dies = chance.choice(["before", "after"]) if chance.random() < 0.2 else ""
            amounts = {place: chance.randint(1, 4) for place in chosen}
            node.handle(amounts, dies=dies, acknowledges=chance.random() < 0.8)
        else:
            self.notify.sweep(limit=chance.randint(1, 6), dies=chance.random() < 0.2)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event store appends to the transaction at hand."""
    monkeypatch.setattr(EventStore, "write", write)
