"""Where the development system keeps its things, and which servers it uses."""

import os
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict

_CHECKOUT = Path(__file__).resolve().parents[4]


def _default_home() -> Path:
    inside_checkout = (_CHECKOUT / "deploy" / "dev" / "pyproject.toml").is_file()
    return (_CHECKOUT if inside_checkout else Path.cwd()) / ".onedoor"


def _default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "onedoor"


class DevSettings(BaseSettings):
    """Read from the environment with the prefix `ONEDOOR_`.

    home: data, logs and keys, wiped by reset; cache: downloads, kept by reset and shared by checkouts;
    kafka (host:port) and postgres (DSN of a superuser): servers that run already, used instead of own ones;
    servers: what is started where no address is given; durable: whether PostgreSQL waits for the disk.
    """

    model_config = SettingsConfigDict(env_prefix="ONEDOOR_", frozen=True, extra="ignore")

    home: Path = _default_home()
    cache: Path = _default_cache()
    kafka: str | None = None
    postgres: str | None = None
    servers: Literal["embedded", "testcontainers"] = "embedded"
    kafka_image: str = "apache/kafka:4.3.1"
    postgres_image: str = "postgres:18"
    host: str = "127.0.0.1"
    kafka_port: int = 29092
    postgres_port: int = 25432
    durable: bool = True

    @cached_property
    def root(self) -> Path:
        """The home folder, absolute."""
        return self.home.expanduser().resolve()

    @cached_property
    def downloads(self) -> Path:
        """The cache folder, absolute."""
        return self.cache.expanduser().resolve()

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.root / "logs"

    @property
    def dev_key(self) -> Path:
        """The key that signs development tokens."""
        return self.root / "dev-key"

    @property
    def samples_loaded(self) -> Path:
        """Exists once the samples have been posted."""
        return self.root / "samples-loaded"

    @property
    def samples(self) -> Path:
        """The invented applications of the checkout."""
        return _CHECKOUT / "deploy" / "samples"
