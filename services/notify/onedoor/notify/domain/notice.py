"""An imported notice of the working days, told to every service that counts days."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from onedoor.contracts.core import Command, Context, Decider, Event, derived_id
from onedoor.contracts.events.notify import NoticeImported


def calendar_id() -> UUID:
    """There is one calendar."""
    return derived_id("calendar")


class KnownNotices(BaseModel):
    """told: the editions of all notices that were told."""

    model_config = ConfigDict(frozen=True)

    told: tuple[int, ...] = ()


class TellNotice(Command):
    """The notice of a year was imported as this edition of the calendar; `body` is the text of its file."""

    edition: int
    year: int
    title: str
    number: str
    body: str
    imported_at: datetime


def decide(known: KnownNotices, command: TellNotice, context: Context) -> Sequence[Event]:
    """Tell it, once."""
    if command.edition in known.told:
        return ()
    return (NoticeImported(**command.model_dump(exclude={"target"})),)


def evolve(known: KnownNotices, event: Event) -> KnownNotices:
    """The state after the event."""
    if not isinstance(event, NoticeImported):
        return known
    return KnownNotices(told=tuple(sorted({*known.told, event.edition})))


NOTICE: Decider[KnownNotices] = Decider(
    name="calendar",
    state=KnownNotices,
    initial=KnownNotices,
    decide=decide,
    evolve=evolve,
    commands=(TellNotice,),
    fold=2,
)
