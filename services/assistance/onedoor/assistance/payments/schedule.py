"""What the decisions of one proceeding owe for which months, as spans that do not overlap."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from onedoor.contracts.events.assistance import Kind, Per

OWING: frozenset[Kind] = frozenset({"grant", "adjust", "taper"})


def month_number(month: str) -> int:
    """`2026-06` as a number that counts months on: two adjoining months differ by one."""
    return int(month[:4]) * 12 + int(month[5:7]) - 1


def month_text(number: int) -> str:
    """The month of a number, as `2026-06`."""
    return f"{number // 12}-{number % 12 + 1:02}"


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as payments see it, by month numbers; `last` None: until further notice."""

    decision_id: UUID
    kind: Kind
    per: Per
    amount_fen: int
    first: int
    last: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """So much is owed for each month from `first` to `last`; negative: it is to be taken back."""

    decision_id: UUID
    first: int
    last: int | None
    amount_fen: int

    def owed(self, month: int) -> int:
        """The sum of all its months up to this one."""
        last = month if self.last is None else min(self.last, month)
        return self.amount_fen * max(last - self.first + 1, 0)


def schedule(decisions: Iterable[Decided]) -> list[Span]:
    """The spans of these decisions, given in the order in which they were made.

    A later decision rules every month from its first one on, in the past too: what was paid otherwise there
    becomes an arrear or a debt. A stop owes nothing from its first month on. What is recovered is taken back
    once, beside whatever is owed.
    """
    spans: list[Span] = []
    recovered: list[Span] = []
    for each in decisions:
        if each.kind == "recover":
            recovered.append(Span(each.decision_id, each.first, each.first, -each.amount_fen))
            continue
        spans = [cut for span in spans if (cut := _until(span, each.first)) is not None]
        if each.kind in OWING and each.amount_fen:
            last = each.first if each.per == "once" else each.last
            spans.append(Span(each.decision_id, each.first, last, each.amount_fen))
    return [*spans, *recovered]


def _until(span: Span, month: int) -> Span | None:
    """What is left of a span before the month."""
    if span.first >= month:
        return None
    return span if span.last is not None and span.last < month else replace(span, last=month - 1)


def owed(spans: Iterable[Span], month: int) -> int:
    """All that is owed up to and with the month."""
    return sum(span.owed(month) for span in spans)
