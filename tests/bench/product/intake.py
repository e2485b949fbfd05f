"""Intake as it runs, with one route more: it reads the anchor's model and answers, after all that is asked of
any request (trace, logs, metrics, token, role). `python -m tests.bench.product.intake run`.
"""

from fastapi import APIRouter, Depends, FastAPI

from onedoor.intake.app import SERVICE, create_app
from onedoor.intake.settings import Settings
from onedoor.runtime.app import main
from onedoor.runtime.http import allow
from onedoor.runtime.settings import Settings as BaseSettings
from tests.bench.anchors import fastapi_null

router = APIRouter(dependencies=[Depends(allow("application.enter"))])
router.include_router(fastapi_null.router)


def create_with_null(settings: BaseSettings) -> FastAPI:
    api = create_app(settings)
    api.include_router(router)
    return api


if __name__ == "__main__":
    main(SERVICE, create_with_null, Settings)
