"""What intake hears: how far its applications are, for the state of a receipt, and imported notices."""

from collections.abc import Mapping, Sequence

from onedoor.contracts import services
from onedoor.contracts.core import Envelope
from onedoor.contracts.events import case, notify
from onedoor.contracts.registry import EVENTS
from onedoor.intake.views import progress
from onedoor.intake.views.progress import Step
from onedoor.runtime import almanac
from onedoor.runtime.service import Connection

READS = (*services.TOPICS, notify.REFERRAL, notify.CALENDAR)

_REFERRALS_DONE = {
    notify.ReferralSent.type: False,
    notify.ReferralAcknowledged.type: False,
    notify.ReferralReopened.type: False,
    notify.ReferralClosed.type: True,
    notify.ReferralRevoked.type: True,
}
DONE: Mapping[str, bool] = {
    event.type: event.brings in case.ENDED
    for event in EVENTS
    if issubclass(event, case.CaseEvent) and event.brings is not None
} | _REFERRALS_DONE
"""Event types that say how far a case or referral is, and whether it is done after them."""

TAKES = frozenset(DONE) | {notify.NoticeImported.type}


def step(event: Envelope) -> Step | None:
    """How far one case or referral is, and which department one may ask about it."""
    data = event.data
    if data.type not in DONE:
        return None
    done = DONE[data.type]
    if isinstance(data, case.CaseEvent):
        department = services.BY_NAME[data.service].asks_at
        return Step(data.application_id, data.case_id, department, done, event.time)
    assert isinstance(data, notify.ReferralEvent)
    return Step(data.application_id, data.referral_id, data.to, done, event.time)


async def absorb(conn: Connection, events: Sequence[Envelope]) -> None:
    """Note notices, and the progress of cases and referrals, whatever the order of arrival."""
    await almanac.absorb(conn, events)
    await progress.note(conn, [made for event in events if (made := step(event)) is not None])
