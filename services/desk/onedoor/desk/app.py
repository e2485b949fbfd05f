"""The desk, wired."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from onedoor.desk import api, assets, live, pages, stream, web
from onedoor.desk.remote import Services
from onedoor.desk.settings import Settings
from onedoor.runtime import almanac
from onedoor.runtime.app import service_app
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings as BaseSettings

STATIC = Path(__file__).parent / "static"

SERVICE = Service(
    name="desk",
    migrations=Path(__file__).parent / "migrations",
    reads=stream.READS,
    takes=stream.TAKES,
    absorb=stream.absorb,
    routers=(api.router, *pages.ROUTERS),
    background=(live.follow_changes, live.clock_moves, almanac.keep_current),
    bulk=True,
)


def create_app(settings: BaseSettings | None = None) -> FastAPI:
    """The running desk as an ASGI application."""
    own = settings if isinstance(settings, Settings) else Settings()
    app = service_app(SERVICE, own)
    services = app.state.services = Services(own)
    started = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        async with started(api):
            yield
        await services.close()

    app.router.lifespan_context = lifespan
    web.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.mount("/static/vendor", StaticFiles(directory=assets.folder(own.cache), check_dir=False))
    app.mount("/static", StaticFiles(directory=STATIC))
    return app
