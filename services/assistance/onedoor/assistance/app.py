"""Assistance as a service: wiring, nothing else."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI

from onedoor.assistance import api, domain, stream
from onedoor.assistance.payments import accounts
from onedoor.assistance.payments import api as payments
from onedoor.assistance.registry import api as registry
from onedoor.assistance.registry import enrolments, terms
from onedoor.contracts.core import Envelope
from onedoor.runtime import almanac
from onedoor.runtime.app import service_app
from onedoor.runtime.casework import specialised_service
from onedoor.runtime.service import Connection
from onedoor.runtime.settings import Settings

_CASES = specialised_service(
    name=domain.NAME,
    migrations=Path(__file__).parent / "migrations",
    decider=domain.DECIDER,
    reads=stream.READS,
    react=stream.react,
    router=api.router,
)


async def _project(conn: Connection, events: Sequence[Envelope]) -> None:
    """They take their division from the work list, which is written before."""
    await accounts.record(conn, events)
    await enrolments.record(conn, events)


async def _absorb(conn: Connection, events: Sequence[Envelope]) -> None:
    assert _CASES.absorb is not None
    await _CASES.absorb(conn, events)
    await almanac.absorb(conn, events)


SERVICE = replace(
    _CASES,
    project=_project,
    absorb=_absorb,
    routers=(*_CASES.routers, payments.router, registry.router),
    background=(terms.keep_current,),
)


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI application."""
    return service_app(SERVICE, settings)
