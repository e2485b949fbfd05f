"""Temporary until deploy/dev's resolver lands."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Servers:
    kafka: str
    postgres: str
