"""What every service is told from outside, once, at start."""

from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """One frozen model per service, read from the environment with the prefix `ONEDOOR_`.

    postgres: a DSN whose user may take the service's roles (owner, writer, reader);
    topic_suffix: appended to every topic and group, so that tests share one broker;
    instance: tells the processes of one service apart (static group membership);
    body_limit: bytes of a request's body at most;
    letters_in_a_row: so many dead letters without a success between them stop a consumer.
    """

    model_config = SettingsConfigDict(env_prefix="ONEDOOR_", frozen=True, extra="ignore")

    environment: Literal["dev", "test", "prod"] = "prod"
    kafka: str = "127.0.0.1:9092"
    postgres: str = "postgresql://127.0.0.1:5432/onedoor"
    host: str = "127.0.0.1"
    port: int = 8000
    topic_suffix: str = ""
    instance: str = "0"
    dev_key: Path | None = None
    log_format: Literal["json", "console"] = "json"
    pool_size: int = 10
    batch_size: int = 200
    body_limit: int = 1024 * 1024
    letters_in_a_row: int = 20
    stall_seconds: float = 30.0
