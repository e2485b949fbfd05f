"""Events of a stay at the relief station: vagrancy's case, from the plan that names it to the way home."""

from uuid import UUID

from pydantic import AwareDatetime

from onedoor.contracts import services
from onedoor.contracts.events.case import CaseEvent, CaseOpened

STAY = services.BY_NAME["vagrancy"].topic


class StayEvent(CaseEvent):
    """What every event of a stay says; `case_id` is the stay's."""

    topics = (STAY,)


class StayOpened(StayEvent, CaseOpened):
    """A plan named vagrancy: the station is to look after an adult without food and lodging."""

    type = "stay.opened"

    unidentified: bool = False


class StayAdmitted(StayEvent):
    """Admitted of their own wish. `unidentified`: nobody knows who it is, so the duties of tracing begin.

    impaired: there are signs of a mental disorder or an intellectual disability, so that the stay is not
    bound to ten days (L32).
    """

    type = "stay.admitted"
    brings = "in_work"

    admitted_at: AwareDatetime
    unidentified: bool
    impaired: bool = False
    subjects: tuple[UUID, ...] = ()


class StayCareGiven(StayEvent):
    """What was given, as codes."""

    type = "stay.care_given"
    brings = "in_work"

    care: tuple[str, ...]


class StayIdentified(StayEvent):
    """It is known who it is, and how that became known; the identity itself travels on intake.person."""

    type = "stay.identified"
    brings = "in_work"

    how: str


class StayReturned(StayEvent):
    """Gone home, to the township that receives them."""

    type = "stay.returned"
    brings = "closed"

    to_division: str
    means: str


class StayLeft(StayEvent):
    """Gone otherwise than home, or never come, with the coded reason."""

    type = "stay.left"
    brings = "closed"

    reason: str
    withdrawn_at: AwareDatetime | None = None
