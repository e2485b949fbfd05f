"""What a case remembers of its programmes: the proceedings with their decisions, and the household's file."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from onedoor.contracts.case import Case
from onedoor.contracts.core import derived_id
from onedoor.contracts.events.assistance import HouseholdKind, Kind, Per

State = Literal[
    "received",
    "supplement",
    "accepted",
    "investigating",
    "opinion",
    "notice",
    "objection",
    "reported",
    "urgent",
    "papers",
    "granted",
    "review",
    "ending_notice",
    "suspended",
    "refused",
    "withdrawn",
    "not_cooperating",
    "ended",
    "transferred",
]
STATES: tuple[State, ...] = get_args(State)
SETTLED: frozenset[State] = frozenset(
    {"papers", "granted", "refused", "withdrawn", "not_cooperating", "ended", "transferred"}
)
"""Nobody owes a decision in these."""
HELPED: frozenset[State] = frozenset({"papers", "granted"})
OVER: frozenset[State] = frozenset({"refused", "withdrawn", "not_cooperating", "ended", "transferred"})
"""Nothing is paid any more."""

CheckResult = Literal["met", "not_met", "unclear", "returned", "revoked"]
"""What came of a financial check; the last two: it was not done, and may be asked for again."""
WITHHELD_GROUNDS = ("hidden_address", "protection_chain", "minor_applicant")
Ground = Literal["hidden_address", "protection_chain", "minor_applicant"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class HouseholdFacts(_Part):
    """What the workflow needs of the household's file; the file itself lies in a table of its own.

    digest: sha256 of the file, which says whether a calculation is about this very file; size: the counted
    members; adults: the counted adults, whose authorisation the financial check needs; minor: the applicant
    (the head) is under 18; people: the person ids of members; minors: those of them under 18; uncounted:
    those who do not count (57 art. 7), as the dead.
    """

    digest: str
    size: int
    adults: tuple[UUID, ...] = ()
    head: UUID | None = None
    minor: bool = False
    people: Mapping[str, UUID] = Field(default_factory=dict)
    minors: tuple[UUID, ...] = ()
    uncounted: tuple[UUID, ...] = ()


class Assessment(_Part):
    """What the rules say of one programme on one day, as policy computed it.

    outcome: eligible, not_eligible, taper or needs_check; amount_fen: None where none is due or none can be
    known; household: digest of the file it was computed from; evidence: sha256 of the frozen evidence;
    kind: of the household, for its review.
    """

    programme: str
    outcome: str
    amount_fen: int | None = None
    per: Per = "month"
    rule_version: str
    household: str
    evidence: str
    kind: HouseholdKind = "unstable"


class OtherAid(_Part):
    """Aid that some of these people were given in another case. case_id None: hidden from who asks."""

    case_id: UUID | None
    at: datetime


class Investigator(_Part):
    """Who visits: a member of staff, of which unit, and of which division."""

    person: str = Field(min_length=1, max_length=80)
    unit: Literal["township", "village", "district"]
    division: str | None = Field(default=None, pattern=r"^[0-9]{6,12}$")


class Decision(_Part):
    """One decision on a programme; `superseded_by` a later one, else it is in force.

    evidence: sha256 of what it was computed from; None where nothing was.
    """

    decision_id: UUID
    kind: Kind
    reason: str
    amount_fen: int
    per: Per
    first_month: str | None
    last_month: str | None
    rule_version: str
    manual: bool
    evidence: str | None = None
    decided_by: str
    decided_at: datetime
    appeal_until: datetime | None
    review_by: datetime | None = None
    valid_until: datetime | None = None
    superseded_by: UUID | None = None
    appealed: str | None = None


class Discussion(_Part):
    """一事一议: who sat together and what came of it; the words are kept beside."""

    participants: tuple[str, ...]
    result: Literal["support", "oppose"]
    amount_fen: int | None
    at: datetime


class Proceeding(_Part):
    """One programme in one case. before: where it was when it was suspended; suspicions: how often that was,
    referred: who was asked to look into the last one; checked: digest of the household's file that the last
    financial check was asked about; involved: who took part since the last decision, and so does not decide.
    """

    proceeding_id: UUID
    programme: str
    person_id: UUID | None = None
    state: State = "received"
    before: State | None = None
    suspicions: int = 0
    referred: tuple[str, ...] = ()
    opened_at: datetime
    accepted_at: datetime | None = None
    delegated: bool = False
    supplement_asked: bool = False
    missing: tuple[str, ...] = ()
    relatives: tuple[str, ...] = ()
    investigators: tuple[Investigator, ...] = ()
    findings: str | None = None
    check: UUID | None = None
    check_drafted: bool = False
    check_result: CheckResult | None = None
    checked: str | None = None
    checks: int = 0
    recommendation: str | None = None
    opined_by: str | None = None
    involved: tuple[str, ...] = ()
    assessment: Assessment | None = None
    withheld: Ground | None = None
    fled_from: str | None = None
    notice_since: datetime | None = None
    notice_until: datetime | None = None
    notice_round: int = 0
    notice_served: bool = False
    ending_served: bool = False
    discussion: Discussion | None = None
    decisions: tuple[Decision, ...] = ()
    self_care: str | None = None
    care: str | None = None
    change: str | None = None
    paid_since: str | None = None

    @property
    def in_force(self) -> Decision | None:
        """The one decision that holds now."""
        return next((each for each in reversed(self.decisions) if each.superseded_by is None
                     and each.kind != "recover"), None)  # fmt: skip

    @property
    def settled(self) -> bool:
        return self.state in SETTLED

    @property
    def granted(self) -> Decision | None:
        """The grant that is in force, as it was adjusted or tapered; None: nothing is granted now."""
        decision = self.in_force
        return decision if decision is not None and decision.kind in ("grant", "adjust", "taper") else None

    @property
    def runs(self) -> bool:
        """Whether something granted still goes on: monthly help, papers after aid first, a suspicion."""
        decision = self.granted
        if decision is None or self.state in OVER:
            return False
        return decision.per == "month" or not self.settled or self.state == "papers"

    @property
    def supported(self) -> bool:
        """Whether a joint discussion since the last decision supports it; one discussion is of one matter."""
        last = max((each.decided_at for each in self.decisions if each.kind != "recover"), default=None)
        discussion = self.discussion
        since = discussion is not None and (last is None or discussion.at > last)
        return discussion is not None and since and discussion.result == "support"


class AssistanceCase(Case):
    """A case with its household's facts, the authorisations on file, and its proceedings."""

    household: HouseholdFacts | None = None
    authorised: tuple[UUID, ...] = ()
    proceedings: dict[UUID, Proceeding] = Field(default_factory=dict)

    @property
    def people(self) -> frozenset[UUID]:
        """Whom the case is about: those who were applied for, and the members of the household's file."""
        members = self.household.people.values() if self.household else ()
        return frozenset((*self.subjects, *members))

    @property
    def unauthorised(self) -> tuple[UUID, ...]:
        """The counted adults who have not yet signed."""
        adults = self.household.adults if self.household else ()
        return tuple(each for each in adults if each not in self.authorised)

    def minor(self, proceeding: Proceeding) -> bool:
        """Whether the applicant, the person of a personal programme or else the head, is under 18."""
        if self.household is None:
            return False
        if proceeding.person_id is not None:
            return proceeding.person_id in self.household.minors
        return self.household.minor

    def protected(self, proceeding: Proceeding) -> bool:
        """Whether a notice would tell who must not be found."""
        return proceeding.withheld is not None or self.sealed or self.minor(proceeding)


def proceeding_id(case_id: UUID, programme: str, person_id: UUID | None = None) -> UUID:
    """The one proceeding that a case can have for a programme (and person)."""
    return derived_id("proceeding", case_id, programme, person_id or "")
