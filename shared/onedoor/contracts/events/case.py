"""Events of a case at a specialised service. The services share the shape, not the topic.

A stay at the relief station and a need at charity are cases too: their events build on these.
"""

from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from onedoor.contracts import services
from onedoor.contracts.core import Classification, Event, Urgency

ASSISTANCE = services.BY_NAME["assistance"].topic
CHILD_WELFARE = services.BY_NAME["child-welfare"].topic

CaseState = Literal["opened", "in_work", "decided", "closed", "withdrawn", "transferred"]
ENDED: frozenset[CaseState] = frozenset({"closed", "withdrawn", "transferred"})


class CaseEvent(Event):
    """What every case event says: whose case it is, and of which help chain.

    `brings` is the state in which it leaves the case, in the words that outside readers know; None: as it is.
    """

    topics: ClassVar[tuple[str, ...]] = (ASSISTANCE, CHILD_WELFARE)
    brings: ClassVar[CaseState | None] = None

    service: str
    case_id: UUID
    chain_id: UUID
    application_id: UUID
    child: bool = False
    sealed: bool = False

    def topic(self) -> str | None:
        return services.BY_NAME[self.service].topic

    def classification(self) -> Classification:
        if self.child or self.service == "child-welfare":
            return "child"
        return "restricted" if self.sealed else "internal"


class CaseOpened(CaseEvent):
    """The service named in a plan took the matter as its own; `programmes` are what the plan suggests."""

    type = "case.opened"
    brings = "opened"

    urgency: Urgency
    opened_at: AwareDatetime
    programmes: tuple[str, ...] = ()
    subjects: tuple[UUID, ...] = ()
    division: str | None = None
    told_at: AwareDatetime | None = None


class CaseUrgencyRaised(CaseEvent):
    """A supplement made it more urgent than it was."""

    type = "case.urgency_raised"
    topics = services.TOPICS

    urgency: Urgency


class CaseTakenUp(CaseEvent):
    """Somebody works on it now."""

    type = "case.taken_up"
    brings = "in_work"

    worker: str


class CaseDecided(CaseEvent):
    """An outcome with its coded reason; `outcome`: helped, not_eligible, plan_made, no_need."""

    type = "case.decided"
    brings = "decided"

    outcome: str
    reason: str


class CaseClosed(CaseEvent):
    """Nothing more is to be done, for the coded reason."""

    type = "case.closed"
    brings = "closed"

    reason: str


class CaseWithdrawn(CaseEvent):
    """The application was withdrawn; a protection duty that stands is not touched by it."""

    type = "case.withdrawn"
    brings = "withdrawn"

    reason: str | None = None
    withdrawn_at: AwareDatetime | None = None


class CaseTransferred(CaseEvent):
    """Another district's matter from here on."""

    type = "case.transferred"
    brings = "transferred"

    to: str
    reason: str


class CaseReopened(CaseEvent):
    """It goes on: an objection, new facts, a supplement that made an ended case more urgent, or danger told
    after the withdrawal (told_again).
    """

    type = "case.reopened"
    topics = services.TOPICS
    brings = "in_work"

    reason: str


class ReferralRequested(CaseEvent):
    """A person asks, out of a case, for a referral to another department. `facts` are coded, never prose."""

    type = "referral.requested"
    topics = services.TOPICS

    request_id: UUID
    rule: str
    to: str
    to_division: str | None = None
    urgency: Urgency
    requested_at: AwareDatetime
    subjects: tuple[UUID, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)
