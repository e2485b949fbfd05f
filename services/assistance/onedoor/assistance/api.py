"""Assistance over HTTP: nothing beyond what any case knows."""

from onedoor.assistance.domain import NAME
from onedoor.runtime.casework_api import case_router

ROLES: frozenset[str] = frozenset({"caseworker", "reviewer", "district", "finance", "everything"})
"""Who works here; how far each reaches stands in access.py and in the tables' row-level policies."""

router = case_router(NAME, ROLES)
