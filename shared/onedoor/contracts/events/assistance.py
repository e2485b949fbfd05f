"""Events of a programme's proceeding at assistance: the moments that the law counts from or to.

A case has one proceeding per programme (and person, where the programme is a person's). Words and names stay
in assistance: reasons travel as codes, amounts as whole fen.
"""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from onedoor.contracts.events.case import ASSISTANCE, CaseEvent

Kind = Literal["grant", "adjust", "taper", "stop", "refuse", "recover"]
Per = Literal["month", "once"]
HouseholdKind = Literal["stable", "unstable", "jobless_urban", "jobless_rural"]
"""By who could work: no counted member; one; one who earns no wages, in town or in the country."""


class ProceedingEvent(CaseEvent):
    """`state` is where it leaves the proceeding; `at` business time; `person_id` only of a personal one."""

    topics: ClassVar[tuple[str, ...]] = (ASSISTANCE,)

    proceeding_id: UUID
    programme: str
    person_id: UUID | None = None
    state: str
    at: AwareDatetime


class ProceedingOpened(ProceedingEvent):
    """A programme is applied for in this case (登记, not yet accepted)."""

    type = "case.proceeding_opened"


class SupplementAsked(ProceedingEvent):
    """一次性告知: all missing papers, told once and together (57 art. 10)."""

    type = "case.supplement_asked"

    papers: tuple[str, ...] = ()


class SupplementReceived(ProceedingEvent):
    """The papers that were asked for came."""

    type = "case.supplement_received"


class CaseAccepted(ProceedingEvent):
    """受理: the statutory clocks start. `delegated`: the district left confirmation to the township."""

    type = "case.accepted"

    delegated: bool = False


class InvestigationStarted(ProceedingEvent):
    """入户调查: so many people visit (two at least, 57 art. 11)."""

    type = "case.investigation_started"

    investigators: int


class OpinionGiven(ProceedingEvent):
    """初审意见: the township's preliminary opinion."""

    type = "case.opinion_given"

    recommendation: Literal["grant", "refuse"]


class NoticePosted(ProceedingEvent):
    """公示: name, household size and amount are posted until `until`; `round` counts from 1.

    ending: it announces that help ends (L15), not that it is granted.
    """

    type = "case.notice_posted"

    until: AwareDatetime
    round: int = 1
    ending: bool = False


class NoticeEnded(ProceedingEvent):
    """It stood its time without an open objection, or was taken down early (`completed` false)."""

    type = "case.notice_ended"

    completed: bool = True
    ending: bool = False


class ObjectionRaised(ProceedingEvent):
    """Somebody objects to what a notice announces; the notice stands still. ending: that help ends (L15)."""

    type = "case.objection_raised"

    ending: bool = False


class ObjectionSettled(ProceedingEvent):
    """Upheld, it is investigated again; rejected, the opinion stands and is posted again."""

    type = "case.objection_settled"

    result: Literal["upheld", "rejected"]


class CaseReported(ProceedingEvent):
    """上报: the file is at the district (or at whoever confirms by delegation)."""

    type = "case.reported"


class UrgencyConfirmed(ProceedingEvent):
    """急难: the township found that basic life cannot wait."""

    type = "case.urgency_confirmed"


class AidPaidFirst(ProceedingEvent):
    """先行救助: paid before the papers are complete."""

    type = "case.aid_paid_first"

    decision_id: UUID


class PapersCompleted(ProceedingEvent):
    """What aid first left open is on file (23: when the emergency eases)."""

    type = "case.papers_completed"


class Determined(ProceedingEvent):
    """A decision on a programme; it replaces the one before, if there was one.

    amount_fen: per month or once, 0 where the programme pays nothing; months as `2026-06`, `last_month` None:
    until further notice; rule_version: of the rules that computed it; reason: a code; review_by: when it is
    looked at again (L8); unstable: a member is able to work, so that this is sooner; household_kind: the
    same, told further apart, as in `HouseholdKind`; valid_until: when a grant of limited term ends (L16-end).
    """

    type = "case.determined"

    decision_id: UUID
    kind: Kind
    reason: str
    amount_fen: int = 0
    per: Per = "month"
    first_month: str | None = None
    last_month: str | None = None
    rule_version: str
    manual: bool = False
    appeal_until: AwareDatetime | None = None
    review_by: AwareDatetime | None = None
    unstable: bool = False
    household_kind: str | None = None
    valid_until: AwareDatetime | None = None


class TermStated(ProceedingEvent):
    """A grant that was made before its programme had a term holds until then (L16-end, from the grant)."""

    type = "case.term_stated"

    decision_id: UUID
    granted_at: AwareDatetime
    valid_until: AwareDatetime


class RefusalTold(ProceedingEvent):
    """The written refusal with its reason and the way to appeal reached the applicant (L6)."""

    type = "case.refusal_told"


class PaymentStarted(ProceedingEvent):
    """The first payment of a decision stands on a payment list (L7)."""

    type = "case.payment_started"

    month: str


class ReviewStarted(ProceedingEvent):
    """定期核查 or a report: the decision is looked at again."""

    type = "case.review_started"

    reason: str


class ChangeReported(ProceedingEvent):
    """Died, went to prison, moved away, or income changed, on `on` (L9 counts from a death)."""

    type = "case.change_reported"

    change: Literal["died", "imprisoned", "income_changed", "moved_away"]
    on: AwareDatetime


class AbilityReported(ProceedingEvent):
    """自理能力 is reported to have changed: it is assessed again within the limit (L14)."""

    type = "case.ability_reported"


class AbilityReassessed(ProceedingEvent):
    """自理能力 was assessed; the grade itself stays with the case."""

    type = "case.ability_reassessed"


class CaseSuspended(ProceedingEvent):
    """Suspected fraud: payment stands still until it is cleared."""

    type = "case.suspended"


class SuspicionCleared(ProceedingEvent):
    """The suspicion did not hold; it goes on where it stood."""

    type = "case.suspicion_cleared"


class CaseAppealed(ProceedingEvent):
    """申诉 or 复议 against a decision."""

    type = "case.appealed"

    decision_id: UUID
    way: Literal["complaint", "reconsideration"]


class AppealSettled(ProceedingEvent):
    """Upheld: the decision stands; overturned: it is investigated again."""

    type = "case.appeal_settled"

    decision_id: UUID
    result: Literal["upheld", "overturned"]


class ProceedingReopened(ProceedingEvent):
    """It is worked on again, for the coded reason."""

    type = "case.proceeding_reopened"

    reason: str


class ProceedingEnded(ProceedingEvent):
    """It ends without a decision on the merits: withdrawn, not_cooperating (57 art. 29) or transferred."""

    type = "case.proceeding_ended"

    reason: str


class JurisdictionChanged(ProceedingEvent):
    """Another township's matter from here on; every clock runs on from `accepted_at` (不中断)."""

    type = "case.jurisdiction_changed"

    from_division: str | None = None
    to_division: str
    accepted_at: AwareDatetime | None = None
