"""notify as a process that kills itself once at a chosen step of its own work: `python -m … run`.

NOTIFY_CRASH: writes-commit (of a sweep), commit-publish or publish-delete (of a breach), told-commit (people
and deliveries are chosen), sent-recorded (the receiver has taken it); NOTIFY_MARKER: a file that says that it
has happened.
"""

import os
import signal
from pathlib import Path
from typing import Any

from onedoor.notify import sweep
from onedoor.notify.app import SERVICE, create_app
from onedoor.notify.settings import Settings
from onedoor.notify.telling import sender, teller
from onedoor.runtime.app import main
from onedoor.runtime.relay import Relay

STEPS = ("writes-commit", "commit-publish", "publish-delete")
TELLING = ("told-commit", "sent-recorded")


def _die_once(step: str) -> None:
    marker = Path(os.environ["NOTIFY_MARKER"])
    if os.environ["NOTIFY_CRASH"] == step and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _install_crashes() -> None:
    relay: Any = Relay
    sweeping: Any = sweep
    take, send = sweeping._take, relay._send

    async def dying_take(unit: Any, conn: Any, claimed: Any, now: Any) -> None:
        await take(unit, conn, claimed, now)
        if claimed:
            _die_once("writes-commit")

    async def dying_send(self: Relay, producer: Any, page: Any) -> Any:
        breached = any(row["type"] == "clock.breached" for row in page)
        if breached:
            _die_once("commit-publish")
        sent = await send(self, producer, page)
        if breached:
            _die_once("publish-delete")
        return sent

    tell, settle = teller.tell, sender._settle

    async def dying_tell(conn: Any, now: Any, critical: bool) -> int:
        told = await tell(conn, now, critical)
        if told:
            _die_once("told-commit")
        return told

    async def dying_settle(conn: Any, row: Any, error: Any, system: Any) -> str:
        if error is None:
            _die_once("sent-recorded")
        return await settle(conn, row, error, system)

    sweeping._take = dying_take
    relay._send = dying_send
    teller.tell = dying_tell
    sender._settle = dying_settle


if __name__ == "__main__":
    _install_crashes()
    main(SERVICE, create_app, Settings)
