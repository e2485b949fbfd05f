"""Intake, wired."""

from pathlib import Path

from fastapi import FastAPI

from onedoor.intake import api, stream, views
from onedoor.intake.domain import APPLICATION, PERSON
from onedoor.runtime import almanac
from onedoor.runtime.app import service_app
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings

SERVICE = Service(
    name="intake",
    migrations=Path(__file__).parent / "migrations",
    deciders=(APPLICATION, PERSON),
    reads=stream.READS,
    takes=stream.TAKES,
    absorb=stream.absorb,
    project=views.project,
    routers=api.ROUTERS,
    background=(almanac.keep_current,),
)


def create_app(settings: Settings) -> FastAPI:
    """The running service as an ASGI application."""
    return service_app(SERVICE, settings)
