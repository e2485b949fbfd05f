"""Grants that were made before their programme had a term: they get it, counted from the day of the grant."""

from uuid import UUID

from onedoor.assistance.domain import approval
from onedoor.assistance.domain.workflow import StateTerm
from onedoor.assistance.registry import enrolments
from onedoor.contracts.core import SYSTEM
from onedoor.runtime import almanac
from onedoor.runtime.app import App
from onedoor.runtime.unit import Unit

BATCH = 500


async def state_terms(unit: Unit) -> int:
    """State the term of every grant that runs without the one of its programme; how many there were.

    What has run out by then is over as of its last day, as by law, and its clock is overdue at once: somebody
    is told to record it.
    """
    programmes = sorted(approval.packaged().terms)
    after: UUID | None = None
    stated = 0
    while True:
        async with unit.transaction() as tx:
            rows = await enrolments.unlimited(tx.conn, programmes, after, BATCH)
            commands = (StateTerm(target=row["case_id"], proceeding=row["proceeding_id"]) for row in rows)
            await tx.execute(*commands, actor=SYSTEM)
        if not rows:
            return stated
        stated, after = stated + len(rows), rows[-1]["proceeding_id"]


async def keep_current(app: App) -> None:
    """Count days by the calendar in force for ever; first, once, state the terms that are missing."""
    stated = False

    async def once(app: App) -> None:
        nonlocal stated
        if not stated:
            await state_terms(app.unit)
            stated = True

    await almanac.keep_current(app, once)
