"""The one list of services: what `up`, `status`, `down` and the tests start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from onedoor.dev.errors import CannotStart


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """A service as a process: its name, the module that `python -m` runs, the port it usually has."""

    name: str
    module: str
    default_port: int

    @property
    def variable(self) -> str:
        """The beginning of its settings' names: `ONEDOOR_CHILD_WELFARE`."""
        return f"ONEDOOR_{self.name.replace('-', '_').upper()}"

    @property
    def port_variable(self) -> str:
        """What moves its port: `ONEDOOR_CHILD_WELFARE_PORT`."""
        return f"{self.variable}_PORT"

    @property
    def port(self) -> int:
        """The port it gets today. Raises CannotStart when the environment names none that is one."""
        given = os.environ.get(self.port_variable, str(self.default_port))
        if not given.isdigit() or not 0 < int(given) < 65536:
            raise CannotStart(f"{self.port_variable}={given} is no port: use a number from 1 to 65535")
        return int(given)

    @property
    def url(self) -> str:
        """Where it answers on this machine."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def exists(self) -> bool:
        """Whether it can be run already: its module has a `__main__`."""
        try:
            return find_spec(f"{self.module}.__main__") is not None
        except ModuleNotFoundError:
            return False


SERVICES = (
    ServiceProcess("desk", "onedoor.desk", 8100),
    ServiceProcess("intake", "onedoor.intake", 8101),
    ServiceProcess("assistance", "onedoor.assistance", 8102),
    ServiceProcess("child-welfare", "onedoor.child_welfare", 8103),
    ServiceProcess("vagrancy", "onedoor.vagrancy", 8104),
    ServiceProcess("charity", "onedoor.charity", 8105),
    ServiceProcess("notify", "onedoor.notify", 8106),
)


def startable() -> tuple[ServiceProcess, ...]:
    """Those of the list that can be run already."""
    return tuple(service for service in SERVICES if service.exists)


def by_name(name: str) -> ServiceProcess:
    """Raises KeyError for a name that is not on the list."""
    return {service.name: service for service in SERVICES}[name]


def environment(kafka: str, postgres: str, dev_key: str) -> Mapping[str, str]:
    """The settings that all services share in development."""
    return {
        "ONEDOOR_ENVIRONMENT": "dev",
        "ONEDOOR_KAFKA": kafka,
        "ONEDOOR_POSTGRES": postgres,
        "ONEDOOR_HOST": "127.0.0.1",
        "ONEDOOR_DEV_KEY": dev_key,
        "ONEDOOR_LOG_FORMAT": "json",
        "ONEDOOR_WEBHOOK_NETWORKS": os.environ.get("ONEDOOR_WEBHOOK_NETWORKS", '["127.0.0.0/8"]'),
        **{f"{service.variable}_URL": service.url for service in SERVICES},
    }
