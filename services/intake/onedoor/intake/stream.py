"""What intake hears of its applications: only how far they are, for the receipt's state."""

from collections.abc import Sequence

from onedoor.contracts.core import Envelope
from onedoor.contracts.events import case, notify
from onedoor.intake.views import progress
from onedoor.intake.views.progress import Step
from onedoor.runtime.service import Connection

READS = (case.ASSISTANCE, case.CHILD_WELFARE, notify.REFERRAL)

WORKING: tuple[type[case.CaseEvent | notify.ReferralEvent], ...] = (
    case.CaseOpened,
    case.CaseTakenUp,
    notify.ReferralSent,
    notify.ReferralAcknowledged,
    notify.ReferralReopened,
)
DONE: tuple[type[case.CaseEvent | notify.ReferralEvent], ...] = (
    case.CaseClosed,
    case.CaseWithdrawn,
    case.CaseTransferred,
    notify.ReferralClosed,
    notify.ReferralRevoked,
)
TAKES = frozenset(event.type for event in (*WORKING, *DONE))

_DEPARTMENTS = {"assistance": "township", "child-welfare": "minor-protection-centre"}


def step(event: Envelope) -> Step | None:
    """How far one case or referral is, and which department one may ask about it."""
    data = event.data
    if not isinstance(data, case.CaseEvent | notify.ReferralEvent) or data.type not in TAKES:
        return None
    done = isinstance(data, DONE)
    if isinstance(data, case.CaseEvent):
        return Step(data.application_id, data.case_id, _DEPARTMENTS[data.service], done, event.time)
    return Step(data.application_id, data.referral_id, data.to, done, event.time)


async def absorb(conn: Connection, events: Sequence[Envelope]) -> None:
    """Note the progress of cases and referrals, whatever the order of arrival."""
    await progress.note(conn, [made for event in events if (made := step(event)) is not None])
