"""An imported notice of the working days, told to every service that counts days."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from onedoor.contracts.core import Command, Context, Decider, Event, derived_id
from onedoor.contracts.events.notify import NoticeImported


def calendar_id() -> UUID:
    """There is one calendar."""
    return derived_id("calendar")


class KnownNotices(BaseModel):
    """edition: of the last notice that was told."""

    model_config = ConfigDict(frozen=True)

    edition: int = 0


class TellNotice(Command):
    """The notice of a year was imported as this edition of the calendar; `body` is the text of its file."""

    edition: int
    year: int
    title: str
    number: str
    body: str


def decide(known: KnownNotices, command: TellNotice, context: Context) -> Sequence[Event]:
    """Tell it, once."""
    if command.edition <= known.edition:
        return ()
    return (NoticeImported(**command.model_dump(exclude={"target"}), imported_at=context.now),)


def evolve(known: KnownNotices, event: Event) -> KnownNotices:
    """The state after the event."""
    return KnownNotices(edition=event.edition) if isinstance(event, NoticeImported) else known


NOTICE: Decider[KnownNotices] = Decider(
    name="calendar",
    state=KnownNotices,
    initial=KnownNotices,
    decide=decide,
    evolve=evolve,
    commands=(TellNotice,),
)
