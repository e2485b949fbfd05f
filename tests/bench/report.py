"""What is said in the end: a table to read and JSON to keep."""

from collections.abc import Sequence
from typing import Any

from tests.bench.frame import Believed, Judged, Outcome, Spread, short


def table(outcomes: Sequence[Outcome]) -> str:
    """All figures, the anchors' ratios to each other, and the bars."""
    lines = ["", "Figures: median [lowest–highest]"]
    for outcome in outcomes:
        lines += [f"  {outcome.group}.{name:40} {Spread.of(found)}" for name, found in outcome.values.items()]
        lines += [
            f"  {outcome.group}.{name}: not measured: {why[:200]}" for name, why in outcome.missing.items()
        ]
    if believed := [each for outcome in outcomes for each in outcome.believed]:
        lines += ["", "Anchors to each other", *map(_belief, believed)]
    if judged := [each for outcome in outcomes for each in outcome.judged]:
        lines += ["", "Bars", *map(_bar, judged)]
    return "\n".join(lines)


def _belief(each: Believed) -> str:
    belief = each.belief
    verdict = "believed" if each.holds else "NOT BELIEVED: the anchors are in doubt, and the bars with them"
    return f"  {belief.what:60} {each.ratio!s:24} ({belief.low}–{belief.high})  {verdict}"


def _bar(each: Judged) -> str:
    bar, sign = each.bar, "≥" if each.bar.least else "≤"
    limit = "" if bar.bar is None else f"{sign} {short(bar.bar)}"
    if bar.stretch is not None:
        limit += f" ({sign} {short(bar.stretch)})"
    found = "" if each.ratio is None else str(each.ratio)
    return f"  {bar.id:5} {bar.what:66} {found:24} {limit:18} {each.verdict}"


def document(outcomes: Sequence[Outcome], quick: bool) -> dict[str, Any]:
    """The same for a machine, with the value of every round."""
    return {
        "quick": quick,
        "figures": {f"{each.group}.{name}": list(v) for each in outcomes for name, v in each.values.items()},
        "not_measured": {f"{each.group}.{name}": w for each in outcomes for name, w in each.missing.items()},
        "anchors": [_believed(believed) for each in outcomes for believed in each.believed],
        "bars": [_judged(judged) for each in outcomes for judged in each.judged],
    }


def _believed(each: Believed) -> dict[str, Any]:
    belief = each.belief
    known = {"low": belief.low, "high": belief.high}
    return {"what": belief.what, "believed": each.holds, **known, **_spread(each.ratio)}


def _judged(each: Judged) -> dict[str, Any]:
    bar = each.bar
    limits = {"bar": bar.bar, "stretch": bar.stretch}
    return {"id": bar.id, "what": bar.what, "verdict": each.verdict, **limits, **_spread(each.ratio)}


def _spread(found: Spread | None) -> dict[str, float]:
    return {} if found is None else {"median": found.median, "min": found.low, "max": found.high}
