"""A person's identity. The people tables hold it; the aggregate only knows whether it was told already."""

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from onedoor.contracts.core import PERSONAL, Command, Context, Decider, Event, Refusal
from onedoor.contracts.events.intake import PersonErased, PersonRecorded


class Person(BaseModel):
    """The folded state: a digest of what was published last; empty: nothing or erased."""

    model_config = ConfigDict(frozen=True)

    digest: str = ""


class RecordPerson(Command):
    """The identity as the people table has it now."""

    name: Annotated[str | None, PERSONAL] = None
    id_number: Annotated[str | None, PERSONAL] = None
    birth: Annotated[date | None, PERSONAL] = None
    sex: Literal["male", "female"] | None = None
    phone: Annotated[str | None, PERSONAL] = None
    address: Annotated[str | None, PERSONAL] = None
    aliases: Annotated[tuple[str, ...], PERSONAL] = ()
    minor: bool = False


def decide(state: Person, command: RecordPerson, context: Context) -> Sequence[Event] | Refusal:
    """Publish the identity, unless nothing of it has changed."""
    event = PersonRecorded(person_id=command.target, **command.model_dump(exclude={"target"}))
    return [] if _digest(event) == state.digest else [event]


def evolve(state: Person, event: Event) -> Person:
    """Fold one event."""
    if isinstance(event, PersonRecorded):
        return Person(digest=_digest(event))
    return Person() if isinstance(event, PersonErased) else state


def _digest(event: PersonRecorded) -> str:
    return hashlib.sha256(event.model_dump_json().encode()).hexdigest()


PERSON: Decider[Person] = Decider(
    name="person",
    state=Person,
    initial=Person,
    decide=decide,
    evolve=evolve,
    commands=(RecordPerson,),
)
