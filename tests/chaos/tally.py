"""A service that counts what it reads, and whose effect nothing but the inbox makes happen once.

The real services decide the same thing only once even if they are told twice; here every telling counts, so
that one too many or one too few is seen from outside, by `GET /v1/tally`.
"""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, ConfigDict

from onedoor.contracts.core import Command, Context, Decider, Envelope, Event, Refusal
from onedoor.contracts.events import intake, notify
from onedoor.runtime.app import main, service_app
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings as BaseSettings

COUNTED = frozenset({"application.received", "referral.sent"})

router = APIRouter()


class Settings(BaseSettings):
    port: int = 8198


class Count(BaseModel):
    model_config = ConfigDict(frozen=True)

    told: int = 0


class CountIt(Command):
    """One more telling of the event that is the target."""


class Counted(Event):
    """Stays here: it has no topic."""

    type = "tally.counted"


def _decide(state: Count, command: Command, context: Context) -> Sequence[Event] | Refusal:
    return (Counted(),)


def _react(event: Envelope) -> Sequence[Command]:
    return (CountIt(target=event.id),) if event.type in COUNTED else ()


TALLY = Service(
    name="tally",
    migrations=Path(__file__).parent / "tally_migrations",
    deciders=(
        Decider(
            name="tally",
            state=Count,
            initial=Count,
            decide=_decide,
            evolve=lambda state, event: Count(told=state.told + 1),
            commands=(CountIt,),
            internal=(Counted,),
        ),
    ),
    reads=(intake.APPLICATION, intake.ALARM, notify.REFERRAL),
    takes=COUNTED,
    react=_react,
    routers=(router,),
)


@router.get("/v1/tally")
async def tally(request: Request) -> dict[UUID, int]:
    """How often each event was told, by its id."""
    rows = await request.app.state.onedoor.writer.fetch("select aggregateid, count(*) from events group by 1")
    return dict(rows)


def create_app(settings: BaseSettings) -> FastAPI:
    return service_app(TALLY, settings)


if __name__ == "__main__":
    main(TALLY, create_app, Settings)
