"""What a decision says: the outcome, the amount, and each condition with its value, threshold and source."""

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

Programme = Literal[
    "dibao",
    "dibao_edge",
    "rigid_expenditure",
    "temporary_small",
    "temporary_expenditure",
    "charity_need",
    "single_person",
    "tekun",
    "unattended_child",
    "orphan",
    "disability_living",
    "disability_nursing",
]
OutcomeName = Literal["eligible", "not_eligible", "taper", "needs_check"]
SelfCareName = Literal["able", "partial", "total_loss"]
Unit = Literal["yuan/month", "yuan"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


class Threshold(_Part):
    """A dated figure of the law that a condition was measured against."""

    parameter: str
    value: str
    unit: str
    since: date
    certainty: Literal["confirmed", "assumed"]
    source: str
    source_zh: str
    source_en: str


class Reason(_Part):
    """One condition or one computation, in words.

    `met` is None where the condition can be neither affirmed nor denied yet, and for computations and notes.
    `change` says what would have to be otherwise, for a condition that is not met.
    """

    code: str
    clause: str
    text: str
    text_en: str
    met: bool | None = None
    thresholds: tuple[Threshold, ...] = ()
    change: str | None = None
    change_en: str | None = None


class Appeal(_Part):
    """How to contest a refusal."""

    clause: str
    text: str
    text_en: str
    days: int


class TaperMonths(_Part):
    """First and last calendar month of a taper, as 2026-06."""

    first_month: str
    last_month: str


class Decision(_Part):
    """What one programme answers for the household, or for one member.

    `amount_fen` is None where no amount is due or no figure is known; `amount` is the same in yuan.
    """

    programme: Programme
    member: str | None = None
    outcome: OutcomeName
    amount_fen: int | None = None
    unit: Unit = "yuan/month"
    reasons: tuple[Reason, ...]
    assumed_parameters: tuple[str, ...] = ()
    taper: TaperMonths | None = None
    self_care: SelfCareName | None = None
    appeal: Appeal | None = None

    @property
    def amount(self) -> Decimal | None:
        """Yuan, with two decimals."""
        return None if self.amount_fen is None else Decimal(self.amount_fen) / 100

    @model_serializer(mode="wrap")
    def _with_amount(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Without keys that do not apply, and with the amount in yuan."""
        fields = {key: value for key, value in handler(self).items() if value is not None}
        fields["amount_fen"] = self.amount_fen
        fields["amount"] = None if self.amount is None else float(self.amount)
        return fields


class RuleVersion(_Part):
    """Which rules and which table of parameters a decision was computed with."""

    version: str
    rules: str
    parameters: str


class Decisions(_Part):
    """All decisions on a household on one day, in a fixed order."""

    as_of: date
    rule_version: RuleVersion
    decisions: tuple[Decision, ...]

    def of(self, programme: Programme, member: str | None = None) -> Decision:
        """The decision of one programme, for a member where it is a person's. Raises KeyError."""
        for decision in self.decisions:
            if (decision.programme, decision.member) == (programme, member):
                return decision
        raise KeyError((programme, member))
