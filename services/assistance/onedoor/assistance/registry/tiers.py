"""The tiers as data, and which one a household is in."""

from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

Certainty = Literal["confirmed", "assumed"]
OTHER = "other"


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tier(_Row):
    """A tier, and the programmes any of which puts a household into it."""

    tier: str
    programmes: frozenset[str]
    certainty: Certainty
    source: str


class Watched(_Row):
    months: int
    certainty: Certainty
    source: str


class Rest(_Row):
    """So many days a lead that somebody has settled is not asked again."""

    days: int
    certainty: Certainty
    source: str


class OutsideList(_Row):
    """Another office's list: `compared` tiers should stand on it; `every` so many months it is compared."""

    source: str
    compared: frozenset[str]
    every: int
    certainty: Certainty
    source_of_rule: str


class Registry(_Row):
    """The whole file; the tiers in order, the first that fits counts."""

    version: str
    tiers: tuple[Tier, ...]
    watched_months: Watched
    leads_rest: Rest
    lists: tuple[OutsideList, ...]

    @property
    def rank(self) -> Mapping[str, int]:
        """The place of each programme's tier in the order; a programme without tier has none."""
        return {programme: place for place, tier in enumerate(self.tiers) for programme in tier.programmes}

    def tier_of(self, enrolled: Collection[str], lately: Collection[str] = ()) -> str | None:
        """The tier of a household with these programmes, and those that ended lately; None: in none."""
        places = [place for programme in enrolled if (place := self.rank.get(programme)) is not None]
        if places:
            return self.tiers[min(places)].tier
        return OTHER if any(programme in self.rank for programme in lately) else None


@cache
def packaged() -> Registry:
    """The file that is delivered with the service. Raises pydantic's ValidationError."""
    text = files("onedoor.assistance").joinpath("data/registry.yaml").read_text("utf-8")
    return Registry.model_validate(yaml.safe_load(text))
