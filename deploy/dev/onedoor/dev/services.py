"""The one list of services: what `make up`, `status` and the tests start."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceProcess:
    """A service as a process: its name, the module it runs as, its usual port."""

    name: str
    module: str
    port: int

    @property
    def variable(self) -> str:
        """How its settings are named in the environment: `ONEDOOR_CHILD_WELFARE`."""
        return f"ONEDOOR_{self.name.replace('-', '_').upper()}"


SERVICES = (
    ServiceProcess("desk", "onedoor.desk", 8100),
    ServiceProcess("intake", "onedoor.intake", 8101),
    ServiceProcess("assistance", "onedoor.assistance", 8102),
    ServiceProcess("child-welfare", "onedoor.child_welfare", 8103),
    ServiceProcess("notify", "onedoor.notify", 8106),
)
