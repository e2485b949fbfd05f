"""What the desk is told from outside."""

import os
from pathlib import Path

from pydantic import Field

from onedoor.runtime.settings import Settings as ServiceSettings


def _default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "onedoor"


class Settings(ServiceSettings):
    """The desk's settings: where the other services answer, and how long it waits for them.

    command_wait: seconds until an event of a command is in the desk's own inbox;
    answer_wait: seconds for an answer of another service;
    cache: where downloads are kept between starts;
    body_limit: as much as any service takes, since files go through here.
    """

    port: int = 8100
    body_limit: int = 4 * 1024 * 1024
    intake_url: str = "http://127.0.0.1:8101"
    assistance_url: str = "http://127.0.0.1:8102"
    child_welfare_url: str = "http://127.0.0.1:8103"
    vagrancy_url: str = ""
    charity_url: str = ""
    notify_url: str = "http://127.0.0.1:8106"
    desk_url: str = ""
    command_wait: float = 2.0
    answer_wait: float = 5.0
    cache: Path = Field(default_factory=_default_cache)

    @property
    def urls(self) -> dict[str, str]:
        """Every service's address, by its name; the desk asks itself like any other.

        A service that runs nowhere has no address and is not asked.
        """
        addresses = {
            "intake": self.intake_url,
            "assistance": self.assistance_url,
            "child-welfare": self.child_welfare_url,
            "vagrancy": self.vagrancy_url,
            "charity": self.charity_url,
            "notify": self.notify_url,
            "desk": self.desk_url or f"http://127.0.0.1:{self.port}",
        }
        return {name: address for name, address in addresses.items() if address}
