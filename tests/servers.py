"""Temporary until deploy/dev's resolver lands."""
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Servers:
    kafka: str
    postgres: str
