"""What is said with each command of a workflow: the bodies of requests, and the fields of the desk's forms.

Texts marked PERSONAL are kept in the table of words and never travel in an event.
"""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from onedoor.assistance.domain.proceeding import Ground, Investigator
from onedoor.contracts.core import PERSONAL

Words = Annotated[str, PERSONAL, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]+$")]
Fen = Annotated[int, Field(ge=0, le=10_000_000_000, description="whole fen")]
Code = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$", description="a code, never prose")]
Staff = Annotated[str, Field(pattern=r"^[\w.@:-]{1,80}$", description="id of a member of staff")]
Month = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="as 2026-06")]
Paper = Literal[
    "application_form",
    "commitment",
    "authorisation",
    "id_card",
    "household_book",
    "income_proof",
    "disability_certificate",
    "diagnosis",
    "bills",
    "event_proof",
    "capacity_statement",
    "supporters_statement",
]


class Said(BaseModel):
    """`written` are the fields that hold words: they are kept beside, and no event carries them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    written: ClassVar[tuple[str, ...]] = ("statement",)


class Nothing(Said):
    """The command says all."""


class Stated(Said):
    """With a written statement."""

    statement: Words


class AskSupplement(Said):
    """All that is missing, at once."""

    papers: tuple[Paper, ...] = Field(min_length=1, max_length=12)


class Papers(Said):
    papers: tuple[Paper, ...] = Field(default=(), max_length=12)


class Accept(Said):
    delegated: bool = Field(default=False, description="the district left confirmation to the township")


class RegisterRelative(Said):
    """A near relative of this member of staff applies (57 arts. 11, 20)."""

    staff: Staff


class StartInvestigation(Said):
    investigators: tuple[Investigator, ...] = Field(max_length=10)


class RecordFindings(Said):
    findings: Literal["as_stated", "differs"]
    statement: Words


class Discuss(Said):
    """一事一议: at least three take part."""

    participants: tuple[Staff, ...] = Field(max_length=20)
    result: Literal["support", "oppose"]
    amount_fen: Fen | None = None
    statement: Words


class GiveOpinion(Said):
    recommendation: Literal["grant", "refuse"]
    statement: Words | None = None


class Withhold(Said):
    """Why the notice is not posted, in writing; `fled_from`: the division whose unit never visits."""

    ground: Ground
    statement: Words
    fled_from: str | None = Field(default=None, pattern=r"^[0-9]{6,12}$")


class SettleObjection(Said):
    result: Literal["upheld", "rejected"]
    statement: Words


class Amount(Said):
    """A grant. `amount_fen` and `reason` only where the rules know no amount (人工核定).

    `first_month`: from when on, where that is not the usual month: arrears after an appeal that held, or a
    change that lies back.
    """

    written = ("reason",)

    amount_fen: Fen | None = None
    reason: Words | None = None
    first_month: Month | None = None


class PayFirst(Said):
    """先行救助: an amount entered by hand, with its reason."""

    written = ("reason",)
    amount_fen: Fen
    reason: Words


class Taper(Said):
    """渐退: for so many months, with an amount that a person enters."""

    written = ("reason",)

    months: int = Field(ge=1, le=6)
    amount_fen: Fen
    reason: Words


class Refuse(Said):
    reason: Code
    statement: Words | None = None


class Stop(Said):
    """`first_month`: the first in which nothing is paid; without it the next one."""

    reason: Code
    first_month: Month | None = None


class Recover(Said):
    amount_fen: int = Field(ge=1, le=10_000_000_000, description="whole fen")
    reason: Code
    statement: Words


class Tell(Said):
    """How the refusal reached the applicant."""

    means: Literal["in_person", "post", "message", "posted_at_home"]


class ReferSuspicion(Said):
    """Who looks into it (R19)."""

    to: Literal["public-security", "civil-affairs"]


class StartReview(Said):
    reason: Literal["periodic", "report", "change"]


class ReportChange(Said):
    change: Literal["died", "imprisoned", "income_changed", "moved_away"]
    on: AwareDatetime


class Appeal(Said):
    decision_id: UUID
    way: Literal["complaint", "reconsideration"]


class SettleAppeal(Said):
    decision_id: UUID
    result: Literal["upheld", "overturned"]
    statement: Words


class GradeAbility(Said):
    failed_activities: int = Field(ge=0, le=6)


class ChooseCare(Said):
    care: Literal["home", "institution"]


class Reopen(Said):
    reason: Literal["new_facts", "court_ruling", "error"]
    statement: Words


class HandOver(Said):
    to_division: str = Field(pattern=r"^[0-9]{6,12}$")
