"""What runs and whether it is ready, for people and for scripts (design.md section 11)."""

import asyncio
from typing import Any

import httpx

from onedoor.dev import resolve
from onedoor.dev.manager import is_ready
from onedoor.dev.services import startable
from onedoor.dev.settings import DevSettings
from onedoor.dev.state import Run, ServiceState


def status_of(settings: DevSettings) -> dict[str, Any]:
    """running, services by name (url, pid, ready), kafka (bootstrap, backend), postgres (dsn, backend)."""
    state = Run(settings.root).running()
    servers = state.servers if state else None
    of_kafka, of_postgres = resolve.backends(settings)
    services = (
        dict(state.services)
        if state
        else {service.name: ServiceState(url=service.url, pid=None) for service in startable()}
    )
    return {
        "running": state is not None,
        "services": asyncio.run(_services(services, state is not None)),
        "kafka": {
            "bootstrap": servers.kafka if servers else None,
            "backend": servers.kafka_backend if servers else of_kafka,
        },
        "postgres": {
            "dsn": servers.postgres if servers else None,
            "backend": servers.postgres_backend if servers else of_postgres,
        },
    }


async def _services(services: dict[str, ServiceState], ask: bool) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:

        async def one(service: ServiceState) -> dict[str, Any]:
            ready = ask and await is_ready(client, service.url)
            return {"url": service.url, "pid": service.pid, "ready": ready}

        told = await asyncio.gather(*(one(service) for service in services.values()))
    return dict(zip(services, told, strict=True))


def as_text(found: dict[str, Any]) -> str:
    """The same, one line each."""
    if not found["running"]:
        return "OneDoor is not running."
    lines = [
        f"{'ready' if service['ready'] else 'NOT READY':10} {name:14} {service['url']}  pid {service['pid']}"
        for name, service in found["services"].items()
    ]
    lines.append(f"{found['kafka']['backend']:10} {'kafka':14} {found['kafka']['bootstrap']}")
    lines.append(f"{found['postgres']['backend']:10} {'postgres':14} {found['postgres']['dsn']}")
    return "\n".join(lines)
