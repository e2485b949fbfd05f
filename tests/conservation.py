"""The conservation check: what was accepted is there, exactly once, seen from outside.

It compares the client's own list of accepted receipts with the desk's API and with a plain reading of the
topics. It knows nothing of any service's database.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from onedoor.contracts import services
from onedoor.contracts.core import Envelope
from onedoor.contracts.events import intake, notify
from onedoor.contracts.events.case import CaseOpened
from onedoor.contracts.plan import Plan
from onedoor.contracts.registry import TOPICS as ALL_TOPICS
from tests.harness import read_topic
from tests.system import SERVICES

CASE_SERVICES = frozenset(services.BY_NAME) & frozenset(SERVICES)
TOPICS = tuple(topic for topic in ALL_TOPICS if topic != intake.PERSON)


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


def happens_once(event: Envelope) -> tuple[object, ...] | None:
    """What of the event's fact may stand under one event id only; None where it may happen again.

    A referral is sent once for each urgency, since a supplement that raises it sends it anew; a clock warns
    and is breached once for each due moment, since a reopening or a raised urgency gives it another.
    """
    match event.data:
        case intake.ApplicationReceived() as received:
            return ("received", received.application_id)
        case CaseOpened() as case:
            return ("opened", case.case_id)
        case notify.ReferralSent() as sent:
            return ("sent", sent.referral_id, sent.urgency)
        case notify.ClockStarted() as clock:
            return ("started", clock.clock_id)
        case notify.ClockWarned() | notify.ClockBreached() as clock:
            return (event.type, clock.clock_id, clock.due_at)
        case notify.AlertEscalated() as alert:
            return ("escalated", alert.clock_id, alert.step, alert.at)
    return None


def doubled_on_topics(events: Iterable[Envelope]) -> list[str]:
    """Facts that may happen once and stand under two event ids; one id twice is only delivered twice."""
    seen: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for event in events:
        if fact := happens_once(event):
            seen[fact].add(str(event.id))
    return [f"{' '.join(map(str, fact))}: {len(ids)} events" for fact, ids in seen.items() if len(ids) > 1]


def lost_on_topics(accepted: Sequence[Accepted], events: Sequence[Envelope]) -> list[str]:
    """Accepted applications without their event, and planned cases and referrals that nobody published."""
    there: set[tuple[str, str]] = set()
    for event in events:
        match event.data:
            case intake.ApplicationReceived() as received:
                there.add((str(received.application_id), "application.received"))
            case CaseOpened() as case:
                there.add((str(case.application_id), f"case of {case.service}"))
            case notify.ReferralSent() | notify.ReferralDrafted() as referral:
                there.add((str(referral.application_id), f"referral {referral.rule} to {referral.to}"))
    return [
        f"{one.receipt}: no {what}"
        for one in accepted
        for what in _promised(one)
        if (one.application_id, what) not in there
    ]


def _promised(one: Accepted) -> list[str]:
    cases = [f"case of {service.name}" for service in one.plan.services if service.name in CASE_SERVICES]
    referrals = [f"referral {referral.rule} to {referral.to}" for referral in one.plan.referrals]
    return ["application.received", *cases, *referrals]


async def all_events(kafka: str, suffix: str) -> list[Envelope]:
    """Everything on the topics that say what happened."""
    return [event for topic in TOPICS for event in await read_topic(kafka, topic + suffix)]


async def set_aside(services: Mapping[str, httpx.AsyncClient]) -> list[str]:
    """Dead letters, events behind them, and events that no topic will take, of each service."""
    found: list[str] = []
    for name, client in services.items():
        answer = await client.get("/v1/streams")
        if answer.status_code == httpx.codes.NOT_FOUND:
            continue
        told = answer.raise_for_status().json()
        letters = (await client.get("/v1/dead-letters")).raise_for_status().json()
        found += [f"{name}: dead letter of {letter['type']}: {letter['error']}" for letter in letters]
        found += [f"{name}: {c['name']} is stopped" for c in told["consumers"] if c["phase"] == "stopped"]
        waiting = sum(consumer["waiting"] for consumer in told["consumers"])
        for what, count in (("wait behind a letter", waiting), ("unpublishable", told["unpublishable"])):
            found += [f"{name}: {count} events {what}"] if count else []
    return found


async def missing_at_desk(
    desk: httpx.AsyncClient, accepted: Sequence[Accepted], timeout: float = 60
) -> list[str]:
    """What the accepted chains still lack after that many seconds; empty as soon as none lacks anything.

    However slow the machine is, each is looked at once more after that time.
    """
    found: dict[str, list[str]] = {}
    waiting = {a.chain_id: a for a in accepted}
    limit = asyncio.Semaphore(8)

    async def look(one: Accepted) -> None:
        async with limit:
            answer = await desk.get(f"/v1/chains/{one.chain_id}")
        lacking = (
            missing_in_chain(one, answer.json())
            if answer.status_code == httpx.codes.OK
            else [f"{one.receipt}: chain {answer.status_code}"]
        )
        if lacking:
            found[one.chain_id] = lacking
        else:
            del waiting[one.chain_id]

    deadline, last = time.monotonic() + timeout, False
    while waiting and not last:
        last = time.monotonic() > deadline
        await asyncio.gather(*(look(one) for one in list(waiting.values())))
        await asyncio.sleep(0.2)
    return [problem for chain in waiting for problem in found[chain]]


async def problems(
    desk: httpx.AsyncClient, kafka: str, suffix: str, accepted: Sequence[Accepted], timeout: float = 60
) -> list[str]:
    """One line for each thing that was lost or doubled on the way of the accepted receipts."""
    missing = await missing_at_desk(desk, accepted, timeout)
    events = await all_events(kafka, suffix)
    return [*missing, *lost_on_topics(accepted, events), *doubled_on_topics(events)]


async def conserved(
    desk: httpx.AsyncClient, kafka: str, suffix: str, accepted: Sequence[Accepted], timeout: float = 60
) -> None:
    """Assert that every accepted receipt reached its chain, cases, referrals and clocks, exactly once."""
    found = await problems(desk, kafka, suffix, accepted, timeout)
    assert not found, f"{len(found)} problems with {len(accepted)} receipts: {found[:20]}"
