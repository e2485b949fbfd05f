"""The unit of work: for one command or for a batch, decide in memory, write as sets, in one transaction."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from onedoor.contracts.core import Actor, Command, Context, Decider, Envelope, Event, Refusal
from onedoor.runtime import logs, tracing
from onedoor.runtime.service import Connection, Saved, Service
from onedoor.runtime.statements import Statement, together
from onedoor.runtime.store import Appended, EventStore, Handled, Key

DEPTH = 5


class Clock(Protocol):
    def now(self) -> datetime:
        """Business time, aware."""


class StaleVersion(Exception):
    """The caller's If-Match names another version than the stored one."""

    def __init__(self, target: UUID, expected: int, version: int, state: object) -> None:
        super().__init__(f"expected version {expected}, stored is {version}")
        self.target = target
        self.expected = expected
        self.version = version
        self.state = state


class TooDeep(RuntimeError):
    """Reactions to reactions did not come to an end: an error in `react`."""


@dataclass(frozen=True, slots=True)
class Directive:
    """Commands with the circumstances in which they are given.

    traceparent: of what led to them; None: the current request's, else a trace of their own.
    """

    commands: tuple[Command, ...]
    context: Context
    cause: UUID | None = None
    traceparent: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided already: events of one aggregate, the state after them, and the circumstances."""

    target: UUID
    events: Sequence[Event]
    state: Any
    context: Context


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one command led to. events: its own, then those that followed by `react`.

    refusals: of commands that followed; state and version: of its target, afterwards.
    """

    target: UUID
    events: tuple[Envelope, ...]
    refusal: Refusal | None
    version: int
    state: Any
    refusals: tuple[Refusal, ...] = ()

    @property
    def last_published(self) -> UUID | None:
        """The id of the last event that goes to a topic."""
        return next((event.id for event in reversed(self.events) if event.data.topic()), None)


class _Missing(Exception):
    """A pass met aggregates that are not loaded yet."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What one command led to on one state. `given`: what it came from, kept so that its ids stay its own."""

    given: tuple[Directive, Command, Any]
    refusal: Refusal | None
    state: Any
    happened: Sequence[Envelope] = ()
    further: Sequence[tuple[Directive, Command]] = ()


_Steps = dict[tuple[int, int, int, int], _Step]
"""By directive, command, state (each the very object) and version: a later pass need not decide it again."""


@dataclass(slots=True)
class Pass:
    """One run over all decisions. Pure: throwing it away costs nothing but time.

    steps: what earlier passes decided already, and this one adds; outcomes: a list for each directive.
    """

    unit: "Unit"
    loaded: Mapping[Key, tuple[Any, int]]
    steps: _Steps
    states: dict[Key, tuple[Any, int]] = field(default_factory=dict)
    appended: list[Appended] = field(default_factory=list)
    missing: set[Key] = field(default_factory=set)
    outcomes: list[list[Outcome]] = field(default_factory=list)

    def decide(self, directives: Sequence[Directive]) -> None:
        """Decide everything; what needs an aggregate not loaded yet is left out and noted as missing."""
        for directive in directives:
            done: list[Outcome] = []
            for command in directive.commands:
                try:
                    done.append(self.outcome(directive, command))
                except Exception:
                    # Decided without what is missing: only the pass that lacks nothing is to be believed.
                    if not self.missing:
                        raise
            self.outcomes.append(done)

    def state(self, decider: Decider[Any], target: UUID) -> tuple[Any, int]:
        key = (decider.name, target)
        if key in self.states:
            return self.states[key]
        if key not in self.loaded:
            self.missing.add(key)
            raise _Missing
        return self.loaded[key]

    def follow(
        self,
        directive: Directive,
        command: Command,
        depth: int,
        events: list[Envelope],
        refusals: list[Refusal],
    ) -> None:
        """Decide one command and everything that follows from its events."""
        if depth > DEPTH:
            raise TooDeep(f"{type(command).__name__} came at depth {depth}")
        decider = self.unit.decider_of(command)
        state, version = self.state(decider, command.target)
        if depth == 0 and directive.expected_version not in (None, version):
            assert directive.expected_version is not None
            raise StaleVersion(command.target, directive.expected_version, version, state)
        key = (id(directive), id(command), id(state), version)
        step = self.steps.get(key)
        if step is None:
            step = self.steps[key] = self.step(decider, directive, command, state)
        if step.refusal is not None:
            refusals.append(step.refusal)
            return
        for number, envelope in enumerate(step.happened, version + 1):
            self.appended.append((decider.name, number, envelope))
        if step.happened:
            self.states[decider.name, command.target] = (step.state, version + len(step.happened))
        events.extend(step.happened)
        for following, further in step.further:
            # Its siblings go on where one is missing: one pass finds all that are.
            with suppress(_Missing):
                self.follow(following, further, depth + 1, events, refusals)

    def step(self, decider: Decider[Any], directive: Directive, command: Command, state: Any) -> _Step:
        """Decide one command on this state: its events, the state after them, and what follows."""
        given = (directive, command, state)
        decided = decider.decide(state, command, directive.context)
        if isinstance(decided, Refusal):
            return _Step(given, decided, state)
        happened = [self.envelope(directive, command.target, event) for event in decided]
        further: list[tuple[Directive, Command]] = []
        for envelope in happened:
            state = decider.evolve(state, envelope.data)
            for following in self.unit.service.react(envelope):
                caused = replace(directive, cause=envelope.id, expected_version=None)
                further.append((caused, following))
        return _Step(given, None, state, happened, further)

    def envelope(self, directive: Directive, target: UUID, event: Event) -> Envelope:
        return Envelope(
            id=uuid7(),
            source=self.unit.service.name,
            subject=target,
            time=directive.context.now,
            key=event.key(),
            data=event,
            classification=event.classification(),
            actor=directive.context.actor,
            cause=directive.cause,
            traceparent=directive.traceparent,
        )

    def saved(self) -> dict[str, list[Saved]]:
        """The new states by kind, in the order of kind and id."""
        newest = {(kind, envelope.subject): envelope for kind, _, envelope in self.appended}
        rows: dict[str, list[Saved]] = defaultdict(list)
        for key in sorted(self.states):
            (kind, id_), (state, version), event = key, self.states[key], newest[key]
            rows[kind].append(
                Saved(
                    id=id_,
                    state=state,
                    version=version,
                    previous=self.loaded[key][1],
                    chain_id=getattr(event.data, "chain_id", None),
                    classification=event.classification,
                )
            )
        return rows

    def outcome(self, directive: Directive, command: Command) -> Outcome:
        events: list[Envelope] = []
        refusals: list[Refusal] = []
        before = len(self.appended)
        self.follow(directive, command, 0, events, refusals)
        state, version = self.state(self.unit.decider_of(command), command.target)
        own_refusal = refusals[0] if refusals and len(self.appended) == before else None
        rest = tuple(refusals[1:] if own_refusal else refusals)
        return Outcome(command.target, tuple(events), own_refusal, version, state, rest)


class Unit:
    """The unit of work of one service, over its writer pool."""

    def __init__(self, service: Service, pool: asyncpg.Pool, clock: Clock) -> None:
        self.service = service
        self.pool = pool
        self.clock = clock
        self._deciders = {command: decider for decider in service.deciders for command in decider.commands}
        self.store = EventStore(service)
        self._initial = {decider.name: decider.initial for decider in service.deciders}

    def decider_of(self, command: Command) -> Decider[Any]:
        return self._deciders[type(command)]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Transaction"]:
        """One transaction under the writer role; anything raised rolls the whole of it back."""
        async with self.pool.acquire() as conn, conn.transaction():
            tx = Transaction(self, conn, self.clock.now().astimezone(UTC))
            yield tx
            await together(conn, tx.last)

    async def run(
        self,
        conn: Connection,
        directives: Sequence[Directive],
        known: Mapping[Key, tuple[Any, int]] | None = None,
    ) -> list[list[Outcome]]:
        """Do all directives in order inside the caller's transaction: a list of outcomes for each.

        Raises what `decide` and `write` raise.
        """
        done = await self.decide(conn, directives, known)
        await self.write(conn, done)
        return done.outcomes

    async def decide(
        self,
        conn: Connection,
        directives: Sequence[Directive],
        known: Mapping[Key, tuple[Any, int]] | None = None,
    ) -> Pass:
        """Decide all directives in order, on states that the caller's transaction locks by this.

        known: state and version of aggregates that it has locked already. Raises StaleVersion.
        """
        directives = [_traced(directive) for directive in directives]
        loaded = dict(known or {})
        targets = {
            (self.decider_of(command).name, command.target)
            for directive in directives
            for command in directive.commands
        }
        missing = targets - loaded.keys()
        steps: _Steps = {}
        while True:
            loaded |= await self._loaded(conn, missing)
            done = Pass(self, loaded, steps)
            done.decide(directives)
            if not done.missing:
                return done
            missing = done.missing

    async def write(self, conn: Connection, done: Pass, handled: Sequence[Handled] = ()) -> None:
        """Write what was decided; with it, in the inbox, the events read that led to it.

        Raises asyncpg.UniqueViolationError where another wrote the same version or handled the same event
        meanwhile (transient: take the whole again).
        """
        if not done.appended and not handled:
            return
        saved, stores = done.saved(), self.service.stores
        kept = [(kind, row) for kind, rows in saved.items() if kind not in stores for row in rows]
        await self.store.write(conn, done.appended, kept, handled)
        for kind, rows in saved.items():
            if kind in stores:
                await stores[kind].save(conn, rows)
        if done.appended and self.service.project is not None:
            await self.service.project(conn, [envelope for _, _, envelope in done.appended])

    async def record(
        self,
        conn: Connection,
        decider: Decider[Any],
        versions: Mapping[UUID, int],
        decided: Sequence[Decided],
    ) -> None:
        """Write what the caller has decided, in order; then do what follows from it by `react`.

        versions: of the aggregates as they were decided on, which the caller's transaction has locked.
        """
        done = Pass(self, {(decider.name, id_): (None, version) for id_, version in versions.items()}, {})
        further: list[Directive] = []
        for each in decided:
            directive = _traced(Directive((), each.context))
            _, version = done.state(decider, each.target)
            for number, event in enumerate(each.events, version + 1):
                envelope = done.envelope(directive, each.target, event)
                done.appended.append((decider.name, number, envelope))
                if commands := tuple(self.service.react(envelope)):
                    further.append(replace(directive, commands=commands, cause=envelope.id))
            done.states[decider.name, each.target] = (each.state, version + len(each.events))
        await self.write(conn, done)
        if further:
            await self.run(conn, further)

    async def load(self, conn: Connection, keys: Collection[Key]) -> dict[Key, tuple[Any, int]]:
        """The states and versions of those that exist, locked."""
        found: dict[Key, tuple[Any, int]] = {}
        kept = sorted(key for key in keys if key[0] not in self.service.stores)
        if kept:
            found |= await self.store.load(conn, kept)
        for kind, own in sorted(self.service.stores.items()):
            if ids := sorted(id_ for name, id_ in keys if name == kind):
                states = await own.load(conn, ids)
                found |= {(kind, id_): state for id_, state in states.items()}
        return found

    async def _loaded(self, conn: Connection, keys: Collection[Key]) -> dict[Key, tuple[Any, int]]:
        """The same, and the empty state at version 0 of those that do not exist yet."""
        found = await self.load(conn, keys)
        return {key: found.get(key) or (self._initial[key[0]](), 0) for key in keys}


def _traced(directive: Directive) -> Directive:
    """Every event stands in a trace: that of its cause, else of the current request, else one of its own."""
    if directive.traceparent is not None:
        return directive
    return replace(directive, traceparent=tracing.current() or tracing.fresh())


class Transaction:
    """What a handler has in its hands: the connection, the business time, and `execute`.

    last: writes that nothing else in the transaction reads; they are done together, right before the commit.
    """

    def __init__(self, unit: Unit, conn: Connection, now: datetime) -> None:
        self.unit = unit
        self.conn = conn
        self.now = now
        self.last: list[Statement] = []

    async def execute(
        self,
        *commands: Command,
        actor: Actor,
        expected_version: int | None = None,
        cause: UUID | None = None,
        traceparent: str | None = None,
        new: frozenset[UUID] = frozenset(),
    ) -> list[Outcome]:
        """Do the commands in order: one outcome for each. Raises StaleVersion.

        new: targets whose ids were made up in this transaction, so that nothing of them is stored yet.
        """
        directive = Directive(commands, Context(actor, self.now), cause, traceparent, expected_version)
        unstored = [(self.unit.decider_of(each), each.target) for each in commands if each.target in new]
        known = {(decider.name, target): (decider.initial(), 0) for decider, target in unstored}
        outcomes = (await self.unit.run(self.conn, [directive], known))[0]
        for outcome in outcomes:
            if outcome.events:
                logs.about(outcome.events[0])
        return outcomes
