"""The whole system as processes against one database and one broker, as `make up` would run it."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from onedoor.dev import ports
from onedoor.dev.services import startable
from onedoor.runtime.access import dev_token
from onedoor.runtime.tokens import ensure_dev_key
from tests.harness import PLAIN, Process

SERVICES = {service.name: service.module for service in startable()}
"""The module of each service that `make up` would start."""


class System:
    """The running services by name, and how to speak to them."""

    def __init__(
        self,
        kafka: str,
        postgres: str,
        suffix: str,
        folder: Path,
        modules: Mapping[str, str] = SERVICES,
        wrapper: str | None = None,
        **settings: str,
    ) -> None:
        """wrapper: a module that runs in place of each, told in ONEDOOR_WRAPPED which one it stands for."""
        self.kafka = kafka
        self.postgres = postgres
        self.suffix = suffix
        self.key = folder / "dev.key"
        numbers = dict(zip(modules, itertools.count(ports.free(len(modules)))))
        self.environment = {
            "ONEDOOR_ENVIRONMENT": "test",
            "ONEDOOR_WEBHOOK_NETWORKS": '["127.0.0.0/8"]',
            "ONEDOOR_KAFKA": kafka,
            "ONEDOOR_POSTGRES": postgres,
            "ONEDOOR_TOPIC_SUFFIX": suffix,
            "ONEDOOR_DEV_KEY": str(self.key),
            **{
                f"ONEDOOR_{n.replace('-', '_').upper()}_URL": f"http://127.0.0.1:{p}"
                for n, p in numbers.items()
            },
            **settings,
        }
        self.processes = {
            name: Process(
                wrapper or module,
                self.environment | {"ONEDOOR_PORT": str(numbers[name]), "ONEDOOR_WRAPPED": module},
                folder / f"{name}.log",
            )
            for name, module in modules.items()
        }

    def token(self, role: str, department: str | None = None, division: str | None = None) -> str:
        return dev_token(self.key, role, department, division)

    def client(
        self,
        service: str,
        role: str = "everything",
        department: str | None = None,
        division: str | None = None,
    ) -> httpx.AsyncClient:
        """A client with a bearer token of that role."""
        return httpx.AsyncClient(
            base_url=self.processes[service].url,
            headers={"Authorization": f"Bearer {self.token(role, department, division)}"},
            timeout=20,
            verify=PLAIN,
        )

    async def ready(self, timeout: float = 180) -> None:
        """Every service answers and its stream runs."""
        await asyncio.gather(*(process.ready(timeout) for process in self.processes.values()))

    def logs(self) -> str:
        return "\n".join(f"--- {name}\n{process.tail()}" for name, process in self.processes.items())


@asynccontextmanager
async def running_system(
    kafka: str,
    postgres: str,
    suffix: str,
    folder: Path,
    modules: Mapping[str, str] = SERVICES,
    wrapper: str | None = None,
    **settings: str,
) -> AsyncIterator[System]:
    """All services, started and ready; stopped at the end."""
    system = System(kafka, postgres, suffix, folder, modules, wrapper, **settings)
    ensure_dev_key(system.key)
    for process in system.processes.values():
        process.start()
    try:
        await system.ready()
        yield system
    finally:
        await asyncio.gather(*(process.stop() for process in system.processes.values()))
