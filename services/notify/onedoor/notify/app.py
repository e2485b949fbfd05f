"""The notify service: wiring, nothing else."""

from collections.abc import Sequence
from pathlib import Path

from fastapi import FastAPI

from onedoor.contracts import services
from onedoor.contracts.core import Envelope
from onedoor.contracts.events.intake import ALARM, APPLICATION, SUSPICION
from onedoor.contracts.events.operations import LETTER, LetterSetAside
from onedoor.notify import almanac, api, calendar_api, stream, stuck, sweep, views
from onedoor.notify.domain import DECIDERS
from onedoor.notify.domain.clock import CLOCK
from onedoor.notify.domain.referral import REFERRAL
from onedoor.notify.domain.ring import RING
from onedoor.notify.figures import api as figures
from onedoor.notify.figures import passes
from onedoor.notify.settings import Settings
from onedoor.notify.telling import api as telling
from onedoor.notify.telling import notices, rings, sender, teller, upkeep
from onedoor.runtime.app import service_app
from onedoor.runtime.service import Connection, Service
from onedoor.runtime.settings import Settings as BaseSettings


async def absorb(conn: Connection, events: Sequence[Envelope]) -> None:
    """What others' events say for the figures, and which of their dead letters somebody has to be told of."""
    await passes.record(conn, events)
    await notices.note_letters(conn, events)


async def project(conn: Connection, events: Sequence[Envelope]) -> None:
    """What own new events say for the figures, and what somebody has to be told."""
    await passes.record(conn, events)
    await notices.note(conn, events)


SERVICE = Service(
    name="notify",
    migrations=Path(__file__).parent / "migrations",
    deciders=DECIDERS,
    reads=(APPLICATION, ALARM, SUSPICION, *services.TOPICS, LETTER),
    takes=stream.TAKES | passes.TAKES | {LetterSetAside.type},
    react=stream.react,
    absorb=absorb,
    project=project,
    stores={REFERRAL.name: views.REFERRALS, CLOCK.name: views.CLOCKS, RING.name: rings.RINGS},
    routers=(stuck.router, api.router, calendar_api.router, figures.router, telling.router, rings.router),
    background=(
        sweep.keep_sweeping,
        almanac.keep_current,
        teller.keep_telling_alarms,
        teller.keep_telling,
        sender.keep_sending_alarms,
        sender.keep_sending,
        sender.keep_sending_too,
        upkeep.keep_in_order,
        upkeep.keep_counting_gaps,
    ),
)


def create_app(settings: BaseSettings | None = None) -> FastAPI:
    """The service as an ASGI application."""
    return service_app(SERVICE, settings or Settings())
