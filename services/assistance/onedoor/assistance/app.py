"""Assistance as a service: wiring, nothing else."""

from pathlib import Path

from fastapi import FastAPI

from onedoor.assistance import api, domain, stream
from onedoor.runtime.app import service_app
from onedoor.runtime.casework import specialised_service
from onedoor.runtime.settings import Settings

SERVICE = specialised_service(
    name=domain.NAME,
    migrations=Path(__file__).parent / "migrations",
    decider=domain.DECIDER,
    reads=stream.READS,
    react=stream.react,
    router=api.router,
)


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI application."""
    return service_app(SERVICE, settings)
