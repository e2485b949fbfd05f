"""Events of a need that public aid left: charity's case. None says whose it is: no person's id, no income."""

from pydantic import AwareDatetime

from onedoor.contracts import services
from onedoor.contracts.events.case import CaseEvent, CaseOpened

NEED = services.BY_NAME["charity"].topic


class NeedEvent(CaseEvent):
    """What every event of a need says; `case_id` is the need's."""

    topics = (NEED,)


class NeedDrafted(NeedEvent, CaseOpened):
    """A plan named charity: it waits for a consent in writing."""

    type = "need.drafted"


class NeedPublished(NeedEvent):
    """A consent stands; providers see the coded needs, the division and, if known, the gap in fen."""

    type = "need.published"
    brings = "in_work"

    needs: tuple[str, ...]
    division: str | None = None
    gap_fen: int | None = None


class NeedMatched(NeedEvent):
    """A provider took it."""

    type = "need.matched"
    brings = "in_work"

    provider: str


class NeedDelivered(NeedEvent):
    """What a provider gave, as a code, and its worth in fen."""

    type = "need.delivered"
    brings = "decided"

    provider: str
    given: str
    amount_fen: int
    delivered_at: AwareDatetime


class NeedDeclined(NeedEvent):
    """A provider does not take it or gives it back; another may still take it."""

    type = "need.declined"
    brings = "in_work"

    provider: str
    reason: str


class NeedClosed(NeedEvent):
    """Nothing more is to be done, for the coded reason."""

    type = "need.closed"
    brings = "closed"

    reason: str
    withdrawn_at: AwareDatetime | None = None
