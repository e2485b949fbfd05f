"""The dated file of approvals: who confirms how much, reasons, stacking, budgets, the bank's columns."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from onedoor.contracts.events.assistance import HouseholdKind

WIDER: Mapping[HouseholdKind, HouseholdKind] = {"jobless_urban": "unstable", "jobless_rural": "unstable"}
"""What a kind of household is where a rule does not tell it apart."""
Certainty = Literal["confirmed", "assumed"]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    certainty: Certainty
    source: str = ""


class Tier(_Row):
    """Who confirms up to this amount (fen; None: any)."""

    up_to_fen: int | None
    by: frozenset[str]
    delegated: frozenset[str] = frozenset()
    discussed: bool = False


class Ceiling(_Row):
    """The most that a person may enter: a factor of the monthly dibao standard, per counted person or not."""

    factor: int
    per: Literal["person", "household"]


class TaperRule(_Row):
    """渐退: so many months in all, and at most what was paid before."""

    months: int
    at_most: Literal["before"]


class AgainAfter(_Row):
    """The same people are given it again after so many days."""

    days: int


class PaymentStart(_Row):
    start: Literal["next_month", "this_month"]


class Reason(_Row):
    """`kinds` of decision for which it may be given."""

    kinds: frozenset[str]


class Term(_Row):
    """A grant holds at most so many months."""

    months: int


class Review(_Row):
    """Within how many months a grant of these programmes is looked at again; household None: of any kind."""

    programmes: frozenset[str]
    household: HouseholdKind | None = None
    months: int


class Stacking(_Row):
    """Where `paid` is paid in a month, the excluded ones are not, to the same person or household."""

    paid: str
    excludes: frozenset[str]
    scope: Literal["person", "household"]


class Budget(_Row):
    """A fund (its `source`) and what it bears; `warn_at` in per cent of the yearly amount (fen)."""

    programmes: frozenset[str]
    yearly_fen: int
    warn_at: int


class BankColumns(_Row):
    columns: tuple[str, ...]


class Approval(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    approvals: Mapping[str, tuple[Tier, ...]]
    ceilings: Mapping[str, Ceiling]
    taper: TaperRule
    again_after: Mapping[str, AgainAfter]
    payment_start: Mapping[str, PaymentStart]
    reasons: Mapping[str, Reason]
    terms: Mapping[str, Term]
    reviews: tuple[Review, ...]
    stacking: tuple[Stacking, ...]
    budgets: tuple[Budget, ...]
    bank_columns: BankColumns

    def tier(self, programme: str, amount_fen: int) -> Tier:
        """The row that says who confirms this amount."""
        rows = self.approvals[programme]
        return next(row for row in rows if row.up_to_fen is None or amount_fen <= row.up_to_fen)

    def review(self, programme: str, household: HouseholdKind) -> Review | None:
        """When a household of this kind is looked at again; of a jobless one without a row of its own, as any
        that is able to work. None: its grant is over before, or given once.
        """
        own = {row.household: row for row in self.reviews if programme in row.programmes}
        known = (own.get(kind) for kind in (household, WIDER.get(household), None))
        return next((row for row in known if row is not None), None)

    def reasons_for(self, kind: str) -> frozenset[str]:
        """The codes that may be given for this kind of decision."""
        return frozenset(code for code, row in self.reasons.items() if kind in row.kinds)


@cache
def packaged() -> Approval:
    """The file that is delivered with the service. Raises pydantic's ValidationError."""
    text = files("onedoor.assistance").joinpath("data/approval.yaml").read_text("utf-8")
    return Approval.model_validate(yaml.safe_load(text))
