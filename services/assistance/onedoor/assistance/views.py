"""Assistance's tables beside the events: `cases` for its work list, `people` for the names it may show."""

from onedoor.runtime.casework import absorb, project

__all__ = ["absorb", "project"]
