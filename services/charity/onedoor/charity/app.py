"""Charity as a service: wiring, nothing else."""

from pathlib import Path

from fastapi import FastAPI

from onedoor.charity import api, domain, stream, views
from onedoor.runtime.app import service_app
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings

SERVICE = Service(
    name=domain.NAME,
    migrations=Path(__file__).parent / "migrations",
    deciders=(domain.DECIDER,),
    reads=stream.READS,
    react=stream.react,
    project=views.project,
    routers=(api.router,),
)


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI application."""
    return service_app(SERVICE, settings)
