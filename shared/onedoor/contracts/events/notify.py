"""Events of notify: referrals between departments, and the clocks that watch them."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from onedoor.contracts.core import Classification, Event, Urgency

REFERRAL = "notify.referral"
CLOCK = "notify.clock"


class OnBehalf(BaseModel):
    """代签收: somebody records an answer for a unit without an account; `person` works at that unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    person: str
    means: str
    document: str | None = None


class ReferralEvent(Event):
    """What every referral event says: which one, between whom, of which help chain."""

    topics = (REFERRAL,)

    referral_id: UUID
    chain_id: UUID
    application_id: UUID
    case_id: UUID | None = None
    rule: str
    from_: str
    to: str
    to_division: str | None = None
    urgency: Urgency
    child: bool = False

    def classification(self) -> Classification:
        return "child" if self.child else "internal"


class ReferralDrafted(ReferralEvent):
    """It may not be sent before what `reason` names stands (a consent, an authorisation)."""

    type = "referral.drafted"

    reason: str


class ReferralSent(ReferralEvent):
    """It stands on the receiver's list. Sent a second time only where a supplement raised its urgency."""

    type = "referral.sent"

    sent_at: datetime
    due_ack: datetime
    due_action: datetime | None = None
    due_finish: datetime
    ground: str = ""
    subjects: tuple[UUID, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)
    late_entry: bool = False


class ReferralAcknowledged(ReferralEvent):
    type = "referral.acknowledged"

    on_behalf_of: OnBehalf | None = None


class ReferralActed(ReferralEvent):
    type = "referral.acted"

    on_behalf_of: OnBehalf | None = None


class ReferralReturned(ReferralEvent):
    """Returned as not this unit's matter, with a coded reason."""

    type = "referral.returned"

    reason: str
    on_behalf_of: OnBehalf | None = None


class ReferralExtended(ReferralEvent):
    type = "referral.extended"

    reason: str
    due_finish: datetime


class ReferralAnswered(ReferralEvent):
    """`outcome` is a code; the words of the answer stay in notify and are read through its API."""

    type = "referral.answered"

    outcome: str
    on_behalf_of: OnBehalf | None = None


class ReferralVerified(ReferralEvent):
    type = "referral.verified"


class ReferralClosed(ReferralEvent):
    type = "referral.closed"


class ReferralReopened(ReferralEvent):
    type = "referral.reopened"

    reason: str
    due_finish: datetime


class ReferralRevoked(ReferralEvent):
    type = "referral.revoked"

    reason: str


class ClockEvent(Event):
    """What every clock event says. `duty`: ack, action, finish of a referral, or a statutory limit (L17)."""

    topics = (CLOCK,)

    clock_id: UUID
    chain_id: UUID
    duty: str
    subject: UUID
    owner: str
    owner_division: str | None = None
    referral_id: UUID | None = None
    child: bool = False

    def classification(self) -> Classification:
        return "child" if self.child else "internal"


class ClockStarted(ClockEvent):
    type = "clock.started"

    started_at: datetime
    limit: str
    due_at: datetime
    warn_at: datetime
    provisional: bool
    source: Literal["statutory", "local", "default"]
    certainty: Literal["confirmed", "assumed"]
    late_entry: bool = False
    urgency: Urgency | None = None


class ClockPaused(ClockEvent):
    type = "clock.paused"

    reason: str
    approver: str
    until: datetime | None = None
    paused_at: datetime | None = None


class ClockResumed(ClockEvent):
    type = "clock.resumed"

    due_at: datetime
    warn_at: datetime
    resumed_at: datetime | None = None
    provisional: bool = False


class ClockRescheduled(ClockEvent):
    """A new due moment, and the clock runs again. Both values stay in the trail.

    `started_at` is given where it is counted anew (reopened, urgency_raised), `limit` wherever it is another.
    """

    type = "clock.rescheduled"

    due_at: datetime
    previous_due_at: datetime
    warn_at: datetime
    provisional: bool
    reason: str
    started_at: datetime | None = None
    limit: str | None = None
    urgency: Urgency | None = None


class ClockWarned(ClockEvent):
    type = "clock.warned"

    due_at: datetime


class ClockBreached(ClockEvent):
    """Recorded once, at the instant it fell due."""

    type = "clock.breached"

    due_at: datetime


class ClockMet(ClockEvent):
    """`late_seconds` is 0 in time; otherwise the frozen length of the breach."""

    type = "clock.met"

    met_at: datetime
    late_seconds: int = 0


class ClockCorrected(ClockEvent):
    """A meeting older than the due moment arrived after the breach: the breach was none."""

    type = "clock.corrected"

    met_at: datetime
    breached_at: datetime


class ClockCancelled(ClockEvent):
    type = "clock.cancelled"

    reason: str
    cancelled_at: datetime | None = None


class AlertEscalated(ClockEvent):
    """A step of the overdue ladder; `step` counts from 1, `to` is the function (no name) it reaches."""

    type = "alert.escalated"

    step: int
    to: str
    at: datetime


EVENTS: tuple[type[Event], ...] = (
    ReferralDrafted,
    ReferralSent,
    ReferralAcknowledged,
    ReferralActed,
    ReferralReturned,
    ReferralExtended,
    ReferralAnswered,
    ReferralVerified,
    ReferralClosed,
    ReferralReopened,
    ReferralRevoked,
    ClockStarted,
    ClockPaused,
    ClockResumed,
    ClockRescheduled,
    ClockWarned,
    ClockBreached,
    ClockMet,
    ClockCorrected,
    ClockCancelled,
    AlertEscalated,
)
