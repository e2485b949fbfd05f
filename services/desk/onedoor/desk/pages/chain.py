"""One help chain: who holds it, what is late and why the date is that date, and its story, live."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter
from fastapi.responses import Response

from onedoor.desk import remote, ribbon, story, views
from onedoor.desk.web import Absent, AtDesk, Desk, badge, uuid_or_absent
from onedoor.runtime.http import note_view
from onedoor.triage.rules import packaged_rules

router = APIRouter(include_in_schema=False)

RUNNING = ("breached", "warned", "running", "paused")


@router.get("/chains/{chain}")
async def page(desk: AtDesk, chain: str) -> Response:
    """The page; for those who only took it down, receipt, state and whom to ring."""
    chain_id = uuid_or_absent(chain)
    shown = await content(desk, chain_id)
    return desk.page("chain.html", section="chains", waiting=await badge(desk), **shown)


@router.get("/chains/{chain}/body")
async def body(desk: AtDesk, chain: str) -> Response:
    """What of the page can change."""
    shown = await content(desk, uuid_or_absent(chain))
    template = "fragments/standing.html" if shown["brief"] else "fragments/chain.html"
    return desk.page(template, **shown)


@router.get("/chains/{chain}/standing")
async def standing(desk: AtDesk, chain: str) -> Response:
    """Receipt, state and whom to ring, for the open page of those who took the request down."""
    chain_id = uuid_or_absent(chain)
    async with desk.reading("chain.read") as conn:
        found = await views.chain(conn, chain_id)
        lines = await views.referrals(conn, [chain_id], desk.now) if found else []
    return desk.page(
        "fragments/standing.html", chain=found, chain_id=chain_id, lines=lines, **story.brief(lines)
    )


async def content(desk: Desk, chain_id: UUID) -> dict[str, Any]:
    """What the page shows. Raises Absent, Barred."""
    grant = desk.need("chain.read")
    async with desk.reading("chain.read") as conn:
        found = await views.chain(conn, chain_id)
        if found is None:
            raise Absent
        lines = await views.referrals(conn, [chain_id], desk.now)
        if grant.receipt_only:
            return {"brief": True, "chain": found, "chain_id": chain_id, "lines": lines, **story.brief(lines)}
        await note_view(conn, desk.actor, "chain", chain_id, "open the chain's page")
        read = {
            "timeline": await views.timeline(conn, [chain_id]),
            "cases": await views.cases(conn, [chain_id]),
            "clocks": await views.clocks(conn, [chain_id]),
            "applications": await views.applications(conn, [chain_id]),
        }
    return {"brief": False, "chain": found, "chain_id": chain_id, "lines": lines} | await _told(
        desk, found, lines, read
    )


async def _told(
    desk: Desk, chain: asyncpg.Record, lines: list[asyncpg.Record], read: dict[str, list[asyncpg.Record]]
) -> dict[str, Any]:
    subjects = [subject for row in read["applications"] for subject in json.loads(row["subjects"] or "[]")]
    people = {UUID(subject["person_id"]): subject for subject in subjects}
    names = {}
    if people and desk.may("person.read"):
        names = await remote.names(desk.services, desk.session, list(people), "open the help chain")
    running = [row for row in read["clocks"] if row["state"] in RUNNING]
    drawing = ribbon.ribbon(lines, running, chain["opened_at"], desk.now)
    holders = sorted({row["to"] for row in lines if row["held"]})
    return read | {
        "people": [(names.get(id_), subject) for id_, subject in people.items()],
        "running": running,
        "clocks": _grouped(running),
        "ended": [row for row in read["clocks"] if row["state"] not in RUNNING],
        "ribbon": drawing,
        "story": _folded([_moment(desk, row) for row in reversed(read["timeline"])]),
        "holders": holders,
        "overdue": [row for row in lines if row["overdue"]],
        "returned": sum(row["type"] == "referral.returned" for row in read["timeline"]),
        "waited": desk.now - chain["opened_at"],
        "held": _held(drawing),
        "application": read["applications"][0] if read["applications"] else None,
        "verbs": lambda clock: offered(clock, desk.now) if desk.may("clock.pause") else (),
        "told": None,
    }


def offered(clock: story.Row, now: datetime) -> tuple[str, ...]:
    """What may be done about a clock, as far as the desk knows; notify has the last word."""
    duty = packaged_rules().duties.latest(clock["duty"])
    if clock["state"] == "paused":
        return ("resume",)
    if clock["urgency"] == "critical" or clock["due_at"] < now or (duty is not None and duty.keep):
        return ()
    return ("pause", "lengthen") if duty is not None and duty.longest is not None else ("pause",)


def _moment(desk: Desk, row: asyncpg.Record) -> dict[str, Any]:
    facts = json.loads(row["facts"])
    return {
        "id": row["event_id"],
        "time": row["time"],
        "type": row["type"],
        "tone": story.tone(row, facts),
        "group": story.group(row),
        "quiet": row["type"] in story.QUIET,
        "clock": facts.get("clock_id"),
        "sentence": story.sentence(row, facts, desk.words, desk.now),
        "details": story.details(row, facts, desk.words, desk.now),
    }


def _folded(moments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A reminder at the very moment of the breach stands with the breach, not as a line of its own."""
    breaches = {(each["clock"], each["time"]): each for each in moments if each["type"] == "clock.breached"}
    kept = []
    for moment in moments:
        breach = breaches.get((moment["clock"], moment["time"]))
        if moment["type"] == "alert.escalated" and breach is not None:
            breach["details"] = [*breach["details"], moment["sentence"]]
        else:
            kept.append(moment)
    return kept


def _grouped(running: list[asyncpg.Record]) -> list[tuple[asyncpg.Record, list[asyncpg.Record]]]:
    """The next clock of each referral with those that come after it; a statutory clock stands alone."""
    groups: dict[UUID, list[asyncpg.Record]] = {}
    for row in running:
        groups.setdefault(row["referral_id"] or row["clock_id"], []).append(row)
    return [(first, later) for first, *later in groups.values()]


def _held(drawing: ribbon.Ribbon | None) -> list[tuple[str, timedelta, float]]:
    """How much of its own working time each office has held the matter, the longest first, with its share."""
    lanes = [(lane.owner, lane.held) for lane in drawing.lanes if lane.bars] if drawing else []
    longest = max((timedelta(hours=1), *(held for _, held in lanes)))
    return [(owner, held, held / longest) for owner, held in sorted(lanes, key=lambda lane: -lane[1])]
