"""The notify service: wiring, nothing else."""

from pathlib import Path

from fastapi import FastAPI

from onedoor.contracts import services
from onedoor.contracts.events.intake import ALARM, APPLICATION
from onedoor.notify import api, stream, stuck, sweep, views
from onedoor.notify.domain import DECIDERS
from onedoor.notify.domain.clock import CLOCK
from onedoor.notify.domain.referral import REFERRAL
from onedoor.notify.figures import api as figures
from onedoor.notify.figures import passes
from onedoor.notify.settings import Settings
from onedoor.runtime.app import service_app
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings as BaseSettings

SERVICE = Service(
    name="notify",
    migrations=Path(__file__).parent / "migrations",
    deciders=DECIDERS,
    reads=(APPLICATION, ALARM, *services.TOPICS),
    takes=stream.TAKES | passes.TAKES,
    react=stream.react,
    absorb=passes.record,
    project=passes.record,
    stores={REFERRAL.name: views.REFERRALS, CLOCK.name: views.CLOCKS},
    routers=(stuck.router, api.router, figures.router),
    background=(sweep.keep_sweeping,),
)


def create_app(settings: BaseSettings | None = None) -> FastAPI:
    """The service as an ASGI application."""
    return service_app(SERVICE, settings or Settings())
