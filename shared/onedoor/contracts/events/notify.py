"""Events of notify: referrals between departments, and the clocks that watch them."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from onedoor.contracts.core import Classification, Event, Urgency

REFERRAL = "notify.referral"
CLOCK = "notify.clock"
CALENDAR = "notify.calendar"


class OnBehalf(BaseModel):
    """代签收: somebody records an answer for a unit without an account; `person` works at that unit.

    It stays in notify's notes. The events say only that it was so.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    person: str
    means: str
    document: str | None = None


class Kept(Event):
    """How closely an event of notify is kept: about a child, or about an adult whose protection is sealed."""

    child: bool = False
    sealed: bool = False

    def classification(self) -> Classification:
        return "child" if self.child else "restricted" if self.sealed else "internal"


class ReferralEvent(Kept):
    """What every referral event says: which one, between whom, of which help chain."""

    model_config = ConfigDict(populate_by_name=True)
    topics = (REFERRAL,)

    referral_id: UUID
    chain_id: UUID
    application_id: UUID
    case_id: UUID | None = None
    rule: str
    from_: str = Field(alias="from", serialization_alias="from")
    to: str
    to_division: str | None = None
    urgency: Urgency


class ReferralDrafted(ReferralEvent):
    """It may not be sent before what `reason` names stands (a consent, an authorisation)."""

    type = "referral.drafted"

    reason: str


class ReferralSent(ReferralEvent):
    """It stands on the receiver's list. Sent a second time where a supplement raised its urgency, or where
    danger was told after a withdrawal had revoked it; `again` says which. `replaces`: the returned referral
    in whose place it stands; `settled`: by a decision of the coordinating bureau.
    """

    type = "referral.sent"

    sent_at: AwareDatetime
    due_ack: AwareDatetime
    due_action: AwareDatetime | None = None
    due_finish: AwareDatetime
    ground: str = ""
    subjects: tuple[UUID, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)
    late_entry: bool = False
    again: Literal["urgency_raised", "told_again"] | None = None
    replaces: UUID | None = None
    settled: bool = False


class ReferralSupplemented(ReferralEvent):
    """More became known of what was sent: these are all its people and facts from now on."""

    type = "referral.supplemented"

    subjects: tuple[UUID, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)


class ReferralAcknowledged(ReferralEvent):
    """签收: the receiver has seen it and takes it; stops the acknowledge clock."""

    type = "referral.acknowledged"

    on_behalf: bool = False


class ReferralActed(ReferralEvent):
    """处置: the first action on the spot was taken; stops the action clock."""

    type = "referral.acted"

    on_behalf: bool = False


class ReferralReturned(ReferralEvent):
    """Returned as not this unit's matter, with a coded reason."""

    type = "referral.returned"

    reason: str
    on_behalf: bool = False


class ReferralExtensionAsked(ReferralEvent):
    """The receiver asks for a later end, for a coded reason; the sender decides. Never of a critical one."""

    type = "referral.extension_asked"

    reason: str
    until: AwareDatetime


class ReferralExtensionDeclined(ReferralEvent):
    """The sender does not agree: the end stays where it is."""

    type = "referral.extension_declined"


class ReferralExtended(ReferralEvent):
    """延期: a later end, with the coded reason. Never of a critical referral."""

    type = "referral.extended"

    reason: str
    due_finish: AwareDatetime


class ReferralAnswered(ReferralEvent):
    """`outcome` is a code, `results` are coded by the rule (contracts/data/referrals.yaml); the words of the
    answer stay in notify and are read through its API.
    """

    type = "referral.answered"

    outcome: str
    results: dict[str, Any] = Field(default_factory=dict)
    on_behalf: bool = False


class ReferralVerified(ReferralEvent):
    """The origin checked the answer and found it true."""

    type = "referral.verified"


class ReferralClosed(ReferralEvent):
    """办结: the origin has what it asked for; nothing is open."""

    type = "referral.closed"


class ReferralReopened(ReferralEvent):
    """The answer did not hold; it is the receiver's again, with a new end."""

    type = "referral.reopened"

    reason: str
    due_finish: AwareDatetime
    reopened_at: AwareDatetime | None = None


class ReferralRevoked(ReferralEvent):
    """The origin takes it back, with the coded reason."""

    type = "referral.revoked"

    reason: str
    revoked_at: AwareDatetime | None = None


class ClockEvent(Kept):
    """What every clock event says. `duty`: ack, action, finish of a referral, or a statutory limit (L17)."""

    topics = (CLOCK,)

    clock_id: UUID
    chain_id: UUID
    duty: str
    subject: UUID
    owner: str
    owner_division: str | None = None
    referral_id: UUID | None = None


class ClockStarted(ClockEvent):
    """A limit runs from `started_at`. `source` says who set it; `provisional`: a year without notice yet.

    policy: the version of the duty it is counted under, for good; calendar: the edition of the calendar, None
    where no day was asked; yields_to: an earlier rule for the same duty, which gives the warning.
    """

    type = "clock.started"

    started_at: AwareDatetime
    limit: str
    due_at: AwareDatetime
    warn_at: AwareDatetime
    provisional: bool
    source: Literal["statutory", "local", "default"]
    certainty: Literal["confirmed", "assumed"]
    late_entry: bool = False
    urgency: Urgency | None = None
    policy: str | None = None
    calendar: int | None = None
    yields_to: str | None = None


class ClockMarked(ClockEvent):
    """It is kept more closely from now on: what it watches turned out to be about a child, or sealed."""

    type = "clock.marked"


class ClockPaused(ClockEvent):
    """It stands still with an approver and a reason, until `until` if that is known."""

    type = "clock.paused"

    reason: str
    approver: str
    until: AwareDatetime | None = None
    paused_at: AwareDatetime | None = None


class ClockResumed(ClockEvent):
    """It runs again, with what is due and warned of moved by the pause."""

    type = "clock.resumed"

    due_at: AwareDatetime
    warn_at: AwareDatetime
    resumed_at: AwareDatetime | None = None
    provisional: bool = False
    calendar: int | None = None


class ClockRescheduled(ClockEvent):
    """A new due moment, and the clock runs again. Both values stay in the trail.

    `started_at` is given where it is counted anew (reopened, urgency_raised), `limit` wherever it is another.
    """

    type = "clock.rescheduled"

    due_at: AwareDatetime
    previous_due_at: AwareDatetime
    warn_at: AwareDatetime
    provisional: bool
    reason: str
    started_at: AwareDatetime | None = None
    limit: str | None = None
    urgency: Urgency | None = None
    calendar: int | None = None


class ClockRecomputed(ClockEvent):
    """Counted again because the calendar changed: a notice came out, or was amended. Both values stay.

    `reason` is a code; `notice` says which (title and number); `calendar` is its edition. Never of a clock
    that has ended or is overdue.
    """

    type = "clock.recomputed"

    due_at: AwareDatetime
    previous_due_at: AwareDatetime
    warn_at: AwareDatetime
    provisional: bool
    previously_provisional: bool
    reason: Literal["calendar"] = "calendar"
    notice: str
    calendar: int
    recomputed_at: AwareDatetime


class ClockWarned(ClockEvent):
    """The warning moment came before it was met."""

    type = "clock.warned"

    due_at: AwareDatetime


class ClockBreached(ClockEvent):
    """Recorded once, at the instant it fell due."""

    type = "clock.breached"

    due_at: AwareDatetime


class ClockMet(ClockEvent):
    """`late_seconds` is 0 in time; otherwise the frozen length of the breach."""

    type = "clock.met"

    met_at: AwareDatetime
    late_seconds: int = 0


class ClockCorrected(ClockEvent):
    """A meeting older than the due moment arrived after the breach: the breach was none."""

    type = "clock.corrected"

    met_at: AwareDatetime
    breached_at: AwareDatetime


class ClockCancelled(ClockEvent):
    """Nobody owes it any more, for the coded reason."""

    type = "clock.cancelled"

    reason: str
    cancelled_at: AwareDatetime | None = None


class AlertEscalated(ClockEvent):
    """A step of the overdue ladder; `step` counts from 1, `to` is the function (no name) it reaches."""

    type = "alert.escalated"

    step: int
    to: str
    at: AwareDatetime


class AlertAcknowledged(ClockEvent):
    """A named member of staff (their id) has heard the alert and sees to it; `step`: climbed so far."""

    type = "alert.acknowledged"

    person: str
    role: str
    step: int
    acknowledged_at: AwareDatetime


class RingEvent(Kept):
    """The hotline's task to ring the receiver of a critical referral that nobody acknowledges."""

    topics = (REFERRAL,)

    referral_id: UUID
    chain_id: UUID
    to: str
    to_division: str | None = None


class RingAsked(RingEvent):
    """Five minutes have passed without an acknowledgement: somebody has to ring."""

    type = "ring.asked"

    asked_at: AwareDatetime


class RingRecorded(RingEvent):
    """The call as a code (reached, no_answer, refused); who was reached stays in notify's notes."""

    type = "ring.recorded"

    outcome: str


class NoticeImported(Event):
    """The State Council's notice of a year's working days, in force from now on for whoever counts days.

    edition: one more for each import; body: the notice as the text of a data file, which holds all of it.
    """

    type = "calendar.notice_imported"
    topics = (CALENDAR,)

    edition: int
    year: int
    title: str
    number: str
    body: str
    imported_at: AwareDatetime

    def key(self) -> str:
        """All notices in order."""
        return "calendar"

    def classification(self) -> Classification:
        return "public"
