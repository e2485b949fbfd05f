"""A smallest service on the real runtime, so that runtime is proved without any service's subject.

It reads withdrawals of applications and counts them per chain; each makes one `case.withdrawn` on
`assistance.case`. As a process (`python -m tests.integration.toy run`) it can kill itself at a chosen step.
"""

import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from onedoor.contracts.core import Command, Context, Decider, Envelope, Event, Refusal, derived_id
from onedoor.contracts.events.case import CaseWithdrawn
from onedoor.contracts.events.intake import ApplicationWithdrawn
from onedoor.runtime.app import main, service_app
from onedoor.runtime.consumer import Consumer
from onedoor.runtime.relay import Relay
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings as BaseSettings
from onedoor.runtime.unit import Unit

MIGRATIONS = Path(__file__).parent / "toy_migrations"


class Settings(BaseSettings):
    port: int = 8199


class Count(BaseModel):
    model_config = ConfigDict(frozen=True)

    seen: int = 0


class CountIt(Command):
    application_id: UUID
    chain_id: UUID
    reason: str | None


def decide(state: Count, command: CountIt, context: Context) -> Sequence[Event] | Refusal:
    """`boom` raises, `no` is refused, everything else counts."""
    if command.reason == "boom":
        raise RuntimeError("a handler that always fails for this chain")
    if command.reason == "no":
        return Refusal("toy.refused", "Refused, as the test wishes.", "按测试要求拒绝。")
    return [
        CaseWithdrawn(
            service="assistance",
            case_id=command.target,
            chain_id=command.chain_id,
            application_id=command.application_id,
            reason=command.reason,
        )
    ]


def react(event: Envelope) -> Sequence[Command]:
    data = event.data
    if not isinstance(data, ApplicationWithdrawn):
        return ()
    return (
        CountIt(
            target=derived_id("toy", data.chain_id),
            application_id=data.application_id,
            chain_id=data.chain_id,
            reason=data.reason,
        ),
    )


COUNTER: Decider[Count] = Decider(
    name="count",
    state=Count,
    initial=Count,
    decide=decide,
    evolve=lambda state, event: Count(seen=state.seen + 1),
    commands=(CountIt,),
)

TOY = Service(
    name="toy",
    migrations=MIGRATIONS,
    deciders=(COUNTER,),
    reads=("intake.application", "intake.alarm"),
    takes=frozenset({"application.withdrawn"}),
    react=react,
)


def withdrawal(chain_id: UUID, reason: str | None = None, id_: UUID | None = None) -> Envelope:
    """One event that the toy takes."""
    application_id = derived_id("application", chain_id, reason)
    now = datetime.now(UTC)
    data = ApplicationWithdrawn(
        application_id=application_id, chain_id=chain_id, withdrawn_at=now, reason=reason
    )
    return Envelope(
        id=id_ or derived_id("event", chain_id, reason, now),
        source="intake",
        subject=application_id,
        time=now,
        key=data.key(),
        data=data,
    )


def create_app(settings: BaseSettings) -> FastAPI:
    return service_app(TOY, settings)


def _die_once(step: str, marker: Path) -> None:
    """Kill this process the first time the step is reached; the marker survives it."""
    if os.environ.get("TOY_CRASH") == step and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _install_crash(marker: Path) -> None:
    consumer: Any = Consumer
    relay: Any = Relay
    unit: Any = Unit
    write, work, send = unit.write, consumer.work, relay._send

    async def dying_write(self: Any, *args: Any) -> None:
        _die_once("decide-write", marker)
        await write(self, *args)
        _die_once("write-commit", marker)

    async def dying_work(self: Any, records: Any) -> None:
        await work(self, records)
        _die_once("commit-acknowledge", marker)

    async def dying_send(self: Any, *args: Any) -> Any:
        _die_once("before-publish", marker)
        done = await send(self, *args)
        _die_once("publish-delete", marker)
        return done

    unit.write = dying_write
    consumer.work = dying_work
    relay._send = dying_send


if __name__ == "__main__":
    if marker := os.environ.get("TOY_MARKER"):
        _install_crash(Path(marker))
    main(TOY, create_app, Settings)
    sys.exit(0)
