"""A service as a value: what it is called, decides, reads, keeps and answers. `app.service_app` runs it."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias
from uuid import UUID

import asyncpg
from fastapi import APIRouter
from pydantic import BaseModel

from onedoor.contracts.core import Classification, Command, Decider, Envelope

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from onedoor.runtime.app import App

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Connection = asyncpg.Connection

Hook = Callable[[Connection, Sequence[Envelope]], Awaitable[None]]


class Saved(NamedTuple):
    """One aggregate as it is to be stored; `previous` is the version it had (0: it is new)."""

    id: UUID
    state: BaseModel
    version: int
    previous: int
    chain_id: UUID | None
    classification: Classification


class Store(Protocol):
    """Where the folded state of one kind of aggregate lives."""

    async def load(self, conn: Connection, ids: Sequence[UUID]) -> Mapping[UUID, tuple[Any, int]]:
        """The states and versions of those that exist, locked in the order of their ids."""

    async def save(self, conn: Connection, rows: Sequence[Saved]) -> None:
        """Write all rows as one set, in the order of their ids."""


def no_reaction(event: Envelope) -> Sequence[Command]:
    """For a service that only answers commands from outside."""
    return ()


@dataclass(frozen=True)
class Service:
    """Everything runtime needs to know of a service.

    takes: the event types it handles among those of the topics it reads (None: all);
    react: pure, from an event read or one's own to further commands;
    absorb: writes what an event read says into own tables, before `react`;
    listing: SQL that writes an own table from `saved`, the rows of `aggregates` stored by the same statement;
    project: writes what own new events say into own tables, in the same transaction;
    background: long-running tasks beside HTTP and stream;
    bulk: read with aiokafka in large batches instead of Faust.
    """

    name: str
    migrations: Path
    deciders: tuple[Decider[Any], ...] = ()
    reads: tuple[str, ...] = ()
    takes: frozenset[str] | None = None
    react: Callable[[Envelope], Sequence[Command]] = no_reaction
    stores: Mapping[str, Store] = field(default_factory=dict)
    absorb: Hook | None = None
    listing: str | None = None
    project: Hook | None = None
    routers: tuple[APIRouter, ...] = ()
    background: tuple[Callable[["App"], Coroutine[Any, Any, None]], ...] = ()
    bulk: bool = False

    @property
    def schema(self) -> str:
        """Its PostgreSQL schema."""
        return self.name.replace("-", "_")

    def role(self, kind: str) -> str:
        """Its PostgreSQL role: `owner`, `writer` or `reader`."""
        return f"onedoor_{self.schema}_{kind}"
