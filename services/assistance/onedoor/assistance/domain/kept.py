"""Events of a proceeding that concern nobody outside: marks, findings, drafts. They never travel."""

from typing import ClassVar, Literal
from uuid import UUID

from onedoor.assistance.domain.proceeding import Assessment, CheckResult, Ground, HouseholdFacts, Investigator
from onedoor.contracts.core import Event
from onedoor.contracts.events.assistance import ProceedingEvent
from onedoor.contracts.work import KeptEvent


class ProceedingKept(ProceedingEvent):
    topics: ClassVar[tuple[str, ...]] = ()

    def topic(self) -> None:
        return None


class RelativeRegistered(ProceedingKept):
    type = "case.relative_registered"

    staff: str


class MissingPapers(ProceedingKept):
    """Papers that came, of those that were asked for."""

    type = "case.papers_noted"

    papers: tuple[str, ...] = ()


class InvestigatorsNamed(ProceedingKept):
    type = "case.investigators_named"

    investigators: tuple[Investigator, ...]


class FindingsRecorded(ProceedingKept):
    type = "case.findings_recorded"

    findings: str
    person: str | None = None


class TookPart(ProceedingKept):
    """Somebody found out what is to be decided, and so does not decide it."""

    type = "case.took_part"

    person: str


class CheckDrafted(ProceedingKept):
    """The financial check waits for the authorisations of counted adults."""

    type = "case.check_drafted"


class CheckSent(ProceedingKept):
    """`household`: digest of the file that is checked."""

    type = "case.check_sent"

    request_id: UUID
    household: str | None = None


class CheckRecorded(ProceedingKept):
    """What came of the check; None: its answer did not hold, it runs again."""

    type = "case.check_recorded"

    result: CheckResult | None


class SuspicionReferred(ProceedingKept):
    """R19: another department was asked to look into the suspicion."""

    type = "case.suspicion_referred"

    to: str
    request_id: UUID


class DiscussionRecorded(ProceedingKept):
    type = "case.discussion_recorded"

    participants: tuple[str, ...]
    result: Literal["support", "oppose"]
    amount_fen: int | None = None


class OpinionAssessed(ProceedingKept):
    """By whom the opinion was given, and what the rules said then."""

    type = "case.opinion_assessed"

    person: str
    assessment: Assessment | None = None


class NoticeWithheld(ProceedingKept):
    """The ground stays inside: a protection chain must not show, not even as a gap with a name."""

    type = "case.notice_withheld"

    ground: Ground
    fled_from: str | None = None


class DecisionKept(ProceedingKept):
    """Who decided, and what the rules said then."""

    type = "case.decision_kept"

    decision_id: UUID
    person: str
    evidence: str | None = None


class AbilityGraded(ProceedingKept):
    """自理能力: able, partial, total_loss by the failed ones of six activities (43 arts. 21, 22)."""

    type = "case.ability_graded"

    self_care: Literal["able", "partial", "total_loss"]


class CareChosen(ProceedingKept):
    type = "case.care_chosen"

    care: str


class HouseholdRecorded(KeptEvent):
    type = "case.household_recorded"

    household: HouseholdFacts


class AuthorisationRecorded(KeptEvent):
    """核对授权: this counted adult has signed."""

    type = "case.authorisation_recorded"

    person_id: UUID


INTERNAL: tuple[type[Event], ...] = (
    RelativeRegistered,
    MissingPapers,
    InvestigatorsNamed,
    FindingsRecorded,
    TookPart,
    CheckDrafted,
    CheckSent,
    CheckRecorded,
    SuspicionReferred,
    DiscussionRecorded,
    OpinionAssessed,
    NoticeWithheld,
    DecisionKept,
    AbilityGraded,
    CareChosen,
    HouseholdRecorded,
    AuthorisationRecorded,
)
