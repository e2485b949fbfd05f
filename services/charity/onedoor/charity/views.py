"""Charity's table beside the events: `cases` for the list of needs. It has none of people."""

from functools import partial

from onedoor.charity.domain import DECIDER
from onedoor.runtime import casework

__all__ = ["project"]

project = partial(casework.project, kind=DECIDER.name)
