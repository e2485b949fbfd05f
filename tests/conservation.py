"""The conservation check: what was accepted is there, exactly once, seen from outside.

It compares the client's own list of accepted receipts with the desk's API and with a plain reading of the
topics. It knows nothing of any service's database.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from onedoor.contracts.core import Envelope
from onedoor.contracts.plan import Plan
from tests.harness import eventually, read_topic

CASE_SERVICES = ("assistance", "child-welfare")
TOPICS = (
    "intake.application",
    "intake.alarm",
    "assistance.case",
    "child-welfare.case",
    "notify.referral",
    "notify.clock",
)
ONCE = {
    "application.received": "application_id",
    "case.opened": "case_id",
    "referral.sent": "referral_id",
    "clock.started": "clock_id",
    "clock.breached": "clock_id",
    "clock.warned": "clock_id",
}


@dataclass(frozen=True)
class Accepted:
    """What a client was told in a 201."""

    receipt: str
    application_id: str
    chain_id: str
    plan: Plan

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "Accepted":
        return cls(
            receipt=answer["receipt"],
            application_id=answer["application_id"],
            chain_id=answer["chain_id"],
            plan=Plan.model_validate(answer["plan"]),
        )


def missing_in_chain(accepted: Accepted, chain: Mapping[str, Any]) -> list[str]:
    """What the desk's view of a chain lacks or holds twice against what the plan promised."""
    problems: list[str] = []
    cases = Counter(case["service"] for case in chain["cases"])
    due = [service.name for service in accepted.plan.services if service.name in CASE_SERVICES]
    problems += [f"{service}: {cases[service]} cases" for service in due if cases[service] != 1]
    referrals = Counter((r["rule"], r["to"]) for r in chain["referrals"])
    planned = [(r.rule, r.to) for r in accepted.plan.referrals]
    problems += [f"referral {key}: {referrals[key]} times" for key in planned if referrals[key] != 1]
    clocks: dict[str, set[str]] = defaultdict(set)
    for clock in chain["clocks"]:
        if clock["duty"] in clocks[clock["subject"]]:
            problems.append(f"clock {clock['duty']} of {clock['subject']} twice")
        clocks[clock["subject"]].add(clock["duty"])
    for referral in chain["referrals"]:
        if referral["state"] != "drafted" and "finish" not in clocks[referral["referral_id"]]:
            problems.append(f"referral {referral['rule']} to {referral['to']} has no finish clock")
    return [f"{accepted.receipt}: {problem}" for problem in problems]


def doubled_on_topics(events: Iterable[Envelope]) -> list[str]:
    """Facts that may happen once and stand under two event ids; one id twice is only delivered twice."""
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in events:
        if field := ONCE.get(event.type):
            seen[event.type, str(getattr(event.data, field))].add(str(event.id))
    return [f"{type_} {id_}: {len(ids)} events" for (type_, id_), ids in seen.items() if len(ids) > 1]


def lost_on_topics(accepted: Sequence[Accepted], events: Sequence[Envelope]) -> list[str]:
    """Accepted applications without their event, and planned referrals that were never sent."""
    received = {str(e.data.application_id) for e in events if e.type == "application.received"}  # type: ignore[attr-defined]
    return [f"{a.receipt}: no application.received" for a in accepted if a.application_id not in received]


async def conserved(
    desk: httpx.AsyncClient,
    kafka: str,
    suffix: str,
    accepted: Sequence[Accepted],
    timeout: float = 60,
) -> None:
    """Assert that every accepted receipt reached its chain, cases, referrals and clocks, exactly once."""
    open_: dict[str, list[str]] = {}
    waiting = {a.chain_id: a for a in accepted}
    limit = asyncio.Semaphore(8)

    async def look(one: Accepted) -> None:
        async with limit:
            answer = await desk.get(f"/v1/chains/{one.chain_id}")
        found = (
            missing_in_chain(one, answer.json())
            if answer.status_code == 200
            else [f"{one.receipt}: chain {answer.status_code}"]
        )
        if found:
            open_[one.chain_id] = found
        else:
            open_.pop(one.chain_id, None)
            waiting.pop(one.chain_id, None)

    async def complete() -> bool:
        await asyncio.gather(*(look(one) for one in list(waiting.values())))
        return not waiting

    try:
        await eventually(complete, timeout)
    except AssertionError:
        problems = [problem for found in open_.values() for problem in found]
        raise AssertionError(f"{len(open_)} of {len(accepted)} incomplete: {problems[:20]}") from None
    events = [event for topic in TOPICS for event in await read_topic(kafka, topic + suffix)]
    assert not (problems := lost_on_topics(accepted, events)), problems[:20]
    assert not (problems := doubled_on_topics(events)), problems[:20]
