"""Vagrancy's tables beside the events: `cases` for the list of stays, `people` for the names it may show."""

from functools import partial

from onedoor.runtime import casework
from onedoor.runtime.casework import absorb
from onedoor.vagrancy.domain import DECIDER

__all__ = ["absorb", "project"]

project = partial(casework.project, kind=DECIDER.name)
