"""Events of operations: what a service cannot handle by itself and a person has to look at, at once."""

from uuid import UUID

from pydantic import AwareDatetime

from onedoor.contracts.core import Event

LETTER = "ops.letter"


class LetterSetAside(Event):
    """A dead letter among the alarms, or one that holds up a chain with a child. It names no chain, nobody.

    letter_id: derived from where the event lay, so that the same letter is told of once; alarm: it lay among
    the alarms; child: it may concern a child.
    """

    type = "letter.set_aside"
    topics = (LETTER,)

    letter_id: UUID
    service: str
    alarm: bool
    child: bool
    set_aside_at: AwareDatetime

    def key(self) -> str:
        """One service's letters in order."""
        return self.service
